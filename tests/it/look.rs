//! Look: what a merchant's own colors, fonts and pictures do to pages, and what is said where they cannot be read or found.

use std::path::Path;

use vitrine::config;
use vitrine::site::problem::Problems;

use crate::support::shop::{build, folder, run, site};

const LAMP: &str = "+++\ntitle = \"Lamp\"\noptions = [\"Color\", \"Size\"]\n\n[[variants]]\noptions = [\"Moss\", \"S\"]\nprice = \"10\"\n\n\
                    [[variants]]\noptions = [\"Moss\", \"L\"]\nprice = \"12\"\n\n[[variants]]\noptions = [\"Clay\", \"S\"]\nprice = \"10\"\n+++\nWarm.\n";

fn shop(theme: &str) -> tempfile::TempDir {
    folder(&[("site.toml", &(site("EUR") + theme)), ("content/products/lamp.md", LAMP)])
}

fn page(root: &Path, path: &str) -> String {
    std::fs::read_to_string(root.join("public").join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The problems of a theme section, as they are told.
fn told(theme: &str) -> String {
    let folder = shop(theme);
    let mut problems = Problems::new();
    config::read(folder.path(), &mut problems);
    problems.render(false)
}

#[test]
fn colors_corners_and_fonts_reach_every_page() {
    let shop = shop(
        "[theme]\nscheme = \"light\"\ncorners = \"square\"\nheadings = \"didone\"\nlogo = \"logo.svg\"\ntext = \"own.woff2\"\n\
         own = { motto = \"Hi\" }\n[theme.colors]\naccent = \"#0b5cad\"\n[theme.swatches]\nMoss = \"#6d7c4a\"\n",
    );
    std::fs::create_dir_all(shop.path().join("static")).expect("made");
    let logo = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 120 24\"/>";
    std::fs::write(shop.path().join("static/logo.svg"), logo).expect("written");
    std::fs::write(shop.path().join("static/own.woff2"), "wOF2").expect("written");
    let own = "{% extends \"theme/404.html\" %}{% block body_class %}{{ site.theme.own.motto }}{% endblock %}";
    std::fs::create_dir_all(shop.path().join("templates")).expect("made");
    std::fs::write(shop.path().join("templates/404.html"), own).expect("written");
    build(shop.path(), "2026-11-20", &[]);
    for path in ["index.html", "products/lamp.html", "search.html", "404.html"] {
        let page = page(shop.path(), path);
        assert!(page.contains("--accent:#0b5cad;--on-accent:#ffffff;") && page.contains("--display:Didot,"), "{path}");
        assert!(page.contains("--round:0;") && !page.contains("@media(prefers-color-scheme:dark){:root"), "{path}");
        assert!(page.contains("name=\"color-scheme\" content=\"light\""), "{path}");
        assert!(!page.contains("brightness(.92)"), "{path}: on light grounds pictures are as they are");
        assert!(
            page.contains("as=\"font\" type=\"font/woff2\" crossorigin") && page.contains("@font-face{font-family:\"shop text\"")
        );
        assert!(page.contains("alt=\"Tiny\" width=\"180\" height=\"36\""), "{path}: a logo is as wide as it is high there");
    }
    assert!(page(shop.path(), "404.html").contains("class=\"Hi\""));
    let product = page(shop.path(), "products/lamp.html");
    assert_eq!(product.matches("<div class=\"group\">").count(), 2, "sizes stand beside their color");
    assert_eq!(product.matches("fill=\"#6d7c4a\"").count(), 1, "Moss has a swatch, Clay has none");
    assert!(product.contains("<span class=\"unseen\">Moss / </span>L"), "alone, a size says to which color it belongs");
}

#[test]
fn pictures_are_dimmed_on_dark_grounds_alone() {
    let dimmed = "img{filter:brightness(.92)}";
    let home = |scheme: &str| {
        let shop = shop(&format!("[theme]\nscheme = \"{scheme}\"\n"));
        build(shop.path(), "2026-11-20", &[]);
        page(shop.path(), "index.html")
    };
    let auto = home("auto");
    assert!(auto.contains(&format!("}}{dimmed}}}")) && auto.matches("brightness(.92)").count() == 1, "{auto}");
    let dark = home("dark");
    assert!(dark.contains(dimmed) && !dark.contains("@media(prefers-color-scheme"), "{dark}");
}

#[test]
fn the_tag_of_a_sale_has_the_color_of_sales() {
    let shop = shop("[theme]\nscheme = \"light\"\n[theme.colors]\nsale = \"#00507a\"\n");
    build(shop.path(), "2026-11-20", &[]);
    let home = page(shop.path(), "index.html");
    assert!(home.contains("--bad:#00507a;") && home.contains(".tag.sale{background:var(--bad);color:var(--card)}"), "{home}");
    // That pair is among those that are looked at.
    let told = told("[theme]\nscheme = \"light\"\n[theme.colors]\nsale = \"#ff9a8d\"\n");
    assert!(told.contains("`sale` on `card`"), "{told}");
}

#[test]
fn a_language_that_runs_to_the_left_turns_the_page() {
    let site = site("EUR").replace("currency = \"EUR\"\n", "currency = \"EUR\"\nlanguage = \"ar\"\n");
    let texts = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/texts/en.toml")).expect("texts");
    let shop = folder(&[("site.toml", &site), ("content/products/lamp.md", LAMP), ("templates/texts/ar.toml", &texts)]);
    let (_, _, told) = run(shop.path(), &["build", "--as-of", "2026-11-20"]);
    let page = page(shop.path(), "products/lamp.html");
    assert!(page.contains("<html lang=\"ar\" dir=\"rtl\">"), "{told}");
    // What names a side of the page would stay where it is; `object-position:top` and `text-align:center` name none.
    let sides = [
        "margin-left",
        "margin-right",
        "padding-left",
        "padding-right",
        "border-left",
        "border-right",
        "text-align:left",
        "text-align:right",
        ";left:",
        ";right:",
        "{left:",
        "{right:",
    ];
    assert_eq!(sides.iter().filter(|side| page.contains(**side)).collect::<Vec<_>>(), [&""; 0]);
}

#[test]
fn a_swatch_is_found_in_every_language() {
    let german =
        "[[markets]]\nid = \"de\"\nprefix = \"de\"\ncountries = [\"DE\"]\ncurrency = \"EUR\"\nlanguage = \"de\"\n\n[tax]";
    let site = site("EUR").replace("[tax]", german);
    let words = "Moss = \"Moos\"\nColor = \"Farbe\"\nSize = \"Größe\"\n";
    let shop = folder(&[
        ("site.toml", &(site + "[theme.swatches]\nMoss = \"#6d7c4a\"\n")),
        ("content/products/lamp.md", LAMP),
        ("content/words.de.toml", words),
    ]);
    build(shop.path(), "2026-11-20", &[]);
    for (path, word) in [("products/lamp.html", "Moss"), ("de/products/lamp.html", "Moos")] {
        let product = page(shop.path(), path);
        assert!(product.contains("fill=\"#6d7c4a\"") && product.contains(&format!("</svg>{word}<")), "{product}");
    }
}

#[test]
fn a_color_that_cannot_be_read_is_refused_with_one_that_can() {
    let told = told("[theme.colors]\naccent = \"#f2b8a0\"\n");
    let line = site("EUR").lines().count() + 2;
    assert!(told.contains(&format!("site.toml:{line}:10")), "{told}");
    assert!(told.contains("`accent` on `paper` has a contrast of") && told.contains("text needs 4.5"), "{told}");
    let nearest = told.split("write accent = \"").nth(1).and_then(|rest| rest.get(..7)).unwrap_or_else(|| panic!("{told}"));
    assert_eq!(self::told(&format!("[theme.colors]\naccent = \"{nearest}\"\n")), "", "what is proposed is taken");
}

#[test]
fn a_dark_ink_on_a_dark_ground_is_told_in_its_table() {
    let told = told("[theme]\nscheme = \"dark\"\n[theme.dark_colors]\nink = \"#333333\"\n");
    assert!(told.contains("`ink` on `paper`") && told.contains("[theme.dark_colors]"), "{told}");
    assert_eq!(self::told("[theme]\nscheme = \"light\"\n[theme.dark_colors]\nink = \"#333333\"\n"), "", "nobody sees it");
}

#[test]
fn what_is_not_there_or_not_known_is_told() {
    let cases = [
        ("[theme]\nlogo = \"no.svg\"\n", "there is no file static/no.svg"),
        ("[theme]\npreview = \"no.jpg\"\n", "there is no file static/no.jpg"),
        ("[theme]\npreview = \"../site.toml\"\n", "there is no file static/../site.toml"),
        ("[theme]\nlogo = \"/etc/hostname\"\n", "there is no file static//etc/hostname"),
        ("[theme]\nheadings = \"comic\"\n", "`comic` is not a font that is known here"),
        ("[theme]\nheadings = \"no.woff2\"\n", "there is no file static/no.woff2"),
        ("[theme.colors]\naccent = \"reddish\"\n", "`reddish` is not a color"),
        ("[theme.swatches]\nMoss = \"#12345\"\n", "`#12345` is not a color"),
        ("[theme]\nacent = \"#000000\"\n", "acent"),
        ("[theme]\ncorners = \"wavy\"\n", "wavy"),
    ];
    for (theme, expected) in cases {
        let told = told(theme);
        assert!(told.contains(expected) && told.contains("site.toml:"), "{theme}{told}");
    }
    let both = told("[theme]\nlogo = \"no.svg\"\nheadings = \"comic\"\n");
    assert!(both.contains("no.svg") && both.contains("comic"), "all at once: {both}");
}
