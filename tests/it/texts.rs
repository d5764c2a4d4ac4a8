//! What the theme says: whole in every language it ships, told where a shop's own texts are wrong, and heard by shoppers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use vitrine::theme::texts::{COUNT, Text, Written, built_in, categories, gaps, is_country};

use crate::support::shop::{build, folder, run, site};

const LANGUAGES: [&str; 4] = ["en", "de", "fr", "es"];

fn file(language: &str) -> Written {
    built_in(language).unwrap_or_else(|| panic!("{language} is shipped"))
}

fn keys(written: &Written) -> BTreeSet<String> {
    written.all().map(|(key, ..)| key).filter(|key| !is_country(key)).collect()
}

/// Every file below a folder of the repository with one of those endings: (path, text).
fn sources(under: &str, endings: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = walkdir::WalkDir::new(root.join(under)).sort_by_file_name().into_iter().map(|entry| entry.expect("readable"));
    let wanted =
        entries.filter(|entry| entry.path().extension().is_some_and(|found| endings.iter().any(|ending| found == *ending)));
    let read = |entry: walkdir::DirEntry| {
        let name = entry.path().strip_prefix(root).expect("below").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(entry.path()).expect("text"))
    };
    wanted.map(read).collect()
}

fn word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '.').unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

/// Keys that templates, Rust and scripts name; those of a group that is printed as a whole among them.
fn used() -> BTreeSet<String> {
    let all = keys(&file("en"));
    let mut used = BTreeSet::new();
    for (_, text) in sources("templates", &["html", "txt"]) {
        for (at, start) in text.match_indices("site.texts.") {
            let key = word(&text[at + start.len()..]);
            match key.contains('.') {
                true => drop(used.insert(key.to_owned())),
                false => used.extend(all.iter().filter(|other| other.starts_with(&format!("{key}."))).cloned()),
            }
        }
    }
    for (_, text) in sources("src", &["rs"]) {
        // A key is a text of its own in the code.
        let literals =
            text.split('"').filter(|literal| literal.contains('.') && word(literal) == *literal && !literal.is_empty());
        used.extend(literals.filter(|literal| all.contains(*literal)).map(str::to_owned));
        for (at, start) in text.match_indices("Say::of(\"") {
            used.insert(word(&text[at + start.len()..]).to_owned());
        }
    }
    // The groups of search.json.
    let of_script = all.iter().filter(|key| ["finder.", "price.", "tag."].iter().any(|group| key.starts_with(group)));
    used.extend(of_script.cloned());
    used
}

#[test]
fn every_text_that_is_printed_is_written_and_every_one_that_is_written_is_printed() {
    let (written, used) = (keys(&file("en")), used());
    assert_eq!(used.difference(&written).collect::<Vec<_>>(), [""; 0], "printed, but not in templates/texts/en.toml");
    assert_eq!(written.difference(&used).collect::<Vec<_>>(), [""; 0], "in templates/texts/en.toml, but never printed");
}

#[test]
fn every_language_of_the_theme_says_all_with_the_same_gaps_and_its_own_plurals() {
    let english = file("en");
    for language in LANGUAGES {
        let written = file(language);
        assert_eq!(keys(&written), keys(&english), "{language}");
        for (key, text, _) in written.all().filter(|(key, ..)| !is_country(key)) {
            let all = |text: &vitrine::theme::texts::WrittenText| -> BTreeSet<String> {
                text.forms().iter().flat_map(|(_, form)| gaps(form).expect("gaps")).map(str::to_owned).collect()
            };
            assert_eq!(all(text), all(english.find(&key).expect("it is there")), "{language}: {key}");
            let forms: Vec<&str> = text.forms().iter().filter_map(|(form, _)| *form).collect();
            let wanted: BTreeSet<&str> = categories(language).into_iter().collect();
            assert!(
                forms.is_empty() || forms.iter().copied().collect::<BTreeSet<_>>() == wanted,
                "{language}: {key} has {forms:?}"
            );
            assert_eq!(forms.is_empty(), !all(text).contains(COUNT) || key == "category.page_of", "{language}: {key}");
        }
    }
    let countries =
        |language| -> BTreeSet<String> { file(language).all().map(|(key, ..)| key).filter(|key| is_country(key)).collect() };
    for language in &LANGUAGES[1..] {
        assert_eq!(countries(language), countries("de"), "{language}");
    }
    assert_eq!(countries("de").len(), 249, "German names every country of ISO 3166-1");
}

#[test]
fn french_and_spanish_are_set_as_their_readers_expect() {
    // A pair of quotation marks and the signs before which French keeps a narrow space that no line breaks at.
    let is_loose = |text: &str| {
        [';', ':', '!', '?', '»'].iter().any(|sign| text.match_indices(*sign).any(|(at, _)| !text[..at].ends_with('\u{202f}')))
    };
    for (key, text, _) in file("fr").all() {
        for (_, form) in text.forms() {
            assert!(!is_loose(form) && !form.contains('\''), "{key}: {form}");
        }
    }
    for (key, text, _) in file("es").all() {
        for (_, form) in text.forms() {
            let count = |sign: char| form.matches(sign).count();
            assert_eq!((count('?'), count('!')), (count('¿'), count('¡')), "{key}: {form}");
        }
    }
}

/// A template without what Tera, styles and scripts do: what is left is read by people as it stands.
fn prose(template: &str) -> Vec<String> {
    let cut = |text: &str, open: &str, close: &str| -> String {
        let mut kept = String::new();
        let mut rest = text;
        while let Some((before, tail)) = rest.split_once(open) {
            kept.push_str(before);
            kept.push(' ');
            rest = tail.split_once(close).map_or("", |(_, after)| after);
        }
        kept + rest
    };
    let template = cut(template, "{#", "#}");
    // The class of the page's body is for styles.
    let mut text = cut(&template, "{% block body_class %}", "{% endblock body_class %}");
    for (open, close) in [("{{", "}}"), ("{%", "%}"), ("<script", "</script>"), ("<style", "</style>")] {
        text = cut(&text, open, close);
    }
    let mut found = Vec::new();
    for attribute in ["aria-label=\"", "placeholder=\"", "alt=\"", "title=\"", "data-lost=\""] {
        let values = text.match_indices(attribute).map(|(at, name)| text[at + name.len()..].split('"').next().unwrap_or(""));
        found.extend(values.map(str::to_owned));
    }
    // A part that prints attributes alone has no tag around them.
    let read = cut(&text, "<", ">");
    found.extend(read.split_whitespace().filter(|word| !word.contains("=\"")).map(str::to_owned));
    // Texts in quotes within Tera: what is set or given there is printed too.
    let tags =
        template.split("{%").skip(1).chain(template.split("{{").skip(1)).map(|rest| rest.split(['}']).next().unwrap_or(""));
    let quoted = tags.flat_map(|tag| tag.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    found.extend(quoted.filter(|text| text.contains(' ') || text.starts_with(|letter: char| letter.is_ascii_uppercase())));
    found.retain(|text| text.chars().filter(|letter| letter.is_alphabetic()).count() > 1);
    found
}

#[test]
fn no_template_of_the_theme_holds_prose_of_its_own() {
    // Pages of those who run the shop speak English alone.
    let of_shoppers = |(name, _): &(String, String)| !name.starts_with("templates/desk/");
    for (name, template) in sources("templates", &["html", "txt"]).into_iter().filter(of_shoppers) {
        assert_eq!(prose(&template), [""; 0], "{name}: write it into templates/texts/*.toml");
    }
}

#[test]
fn no_script_of_the_theme_holds_prose_of_its_own() {
    let keys_of_a_keyboard = ["Escape", "ArrowDown", "ArrowUp", "Enter"];
    for (name, script) in sources("static", &["js"]) {
        let code: String = script.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let said = code.split('"').skip(1).step_by(2).filter(|text| {
            let starts_a_sentence = text.starts_with(char::is_uppercase) && text[1..].contains(char::is_lowercase);
            starts_a_sentence && !keys_of_a_keyboard.contains(text)
        });
        assert_eq!(said.collect::<Vec<_>>(), [""; 0], "{name}: write it into templates/texts/*.toml");
    }
}

/// A shop in which everybody speaks that language.
fn speaking(language: &str) -> String {
    site("EUR").replace("currency = \"EUR\"", &format!("currency = \"EUR\"\nlanguage = \"{language}\""))
}

const LAMP: (&str, &str) = ("content/products/lamp.md", "+++\ntitle = \"Lampe\"\nprice = \"20\"\nstock = 3\n+++\nHell.\n");

#[test]
fn a_market_is_spoken_to_in_its_language() {
    let shop = folder(&[("site.toml", &speaking("de-AT")), LAMP, ("static/theme.js", ""), ("static/favicon.svg", "<svg/>")]);
    build(shop.path(), "2026-09-01", &["--no-cache"]);
    let page = std::fs::read_to_string(shop.path().join("public/products/lamp.html")).expect("a page");
    for text in
        ["<html lang=\"de-AT\">", "In den Warenkorb", "Nur noch wenige auf Lager.", "content=\"de_AT\"", "Zum Inhalt springen"]
    {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    let missing = std::fs::read_to_string(shop.path().join("public/404.html")).expect("a page");
    assert!(missing.contains("Diese Seite gibt es nicht"), "{missing}");
}

/// What a check says of a shop with these texts, as (line, message, hint).
fn told(language: &str, texts: &str, template: &str) -> Vec<(u64, String, String)> {
    let name = format!("templates/texts/{language}.toml");
    let shop = folder(&[("site.toml", &speaking("de")), LAMP, (&name, texts), ("templates/page.html", template)]);
    let (_, out, _) = run(shop.path(), &["build", "--report", "json"]);
    let report: serde_json::Value = serde_json::from_str(&out).expect("a report");
    let text = |problem: &serde_json::Value, name: &str| problem[name].as_str().unwrap_or("").to_owned();
    let problems = report["problems"].as_array().expect("problems");
    problems
        .iter()
        .map(|problem| (problem["line"].as_u64().expect("a line"), text(problem, "message"), text(problem, "hint")))
        .collect()
}

#[track_caller]
fn check(texts: &str, line: u64, message: &str, hint: &str) {
    let found = told("de", texts, "");
    let is_told = found.iter().any(|(at, said, advice)| *at == line && said.contains(message) && advice.contains(hint));
    assert!(is_told, "{found:?}");
}

#[test]
fn texts_of_a_shop_that_are_wrong_are_told_at_their_line() {
    check("[cart]\ntitel = \"Korb\"\n", 2, "nothing prints the text `cart.titel`", "did you mean `cart.title`?");
    check("[cart]\n\nquantity_of = \"Menge\"\n", 3, "leaves out the gap `{title}`", "gaps are {title}");
    check("[cart]\ntitle = \"Korb {name}\"\n", 2, "has no gap `{name}`", "take it out");
    check("[home]\nthings = { few = \"{count} Dinge\", other = \"{count} Dinge\" }\n", 2, "no plural form `few`", "one, other");
    check("[home]\nthings = { one = \"ein Ding\" }\n", 2, "no form `other`", "other = ");
    check("[cart]\ntitle = \"{\"\n", 2, "is no gap", "{count}");
    check("[cart\ntitle = 1\n", 1, "", "[cart]");
    let found = told("fr", "[cart]\ntitle = \"Panier\"\n", "");
    assert!(found[0].1.contains("no market speaks `fr`"), "{found:?}");
    let found = told("deutsch-de-de", "", "");
    assert!(found[0].1.contains("is not a language"), "{found:?}");
    let found = told("de", "", "\n{{ site.texts.cart.titel }}");
    assert!(found[0].0 == 2 && found[0].1.contains("no text `cart.titel`") && found[0].2.contains("cart.title"), "{found:?}");
}

#[test]
fn a_shop_replaces_texts_and_adds_its_own() {
    let texts = "[frame]\ncart = \"Korb\"\n\n[ours]\npromise = \"Ehrlich seit {year}\"\n";
    let template =
        "{% extends \"theme/page.html\" %}{% block body %}{{ site.texts.ours.promise | fill(year=1901) }}{% endblock %}";
    let about = "+++\ntitle = \"Wir\"\n+++\n";
    let files = [
        ("site.toml", &*speaking("de")),
        ("content/pages/about.md", about),
        ("templates/texts/de.toml", texts),
        ("templates/page.html", template),
        ("static/theme.js", ""),
        ("static/favicon.svg", "<svg/>"),
        ("static/search.js", ""),
    ];
    let shop = folder(&files);
    build(shop.path(), "2026-09-01", &["--no-cache"]);
    let page = std::fs::read_to_string(shop.path().join("public/about.html")).expect("a page");
    assert!(page.contains("Ehrlich seit 1901") && page.contains(">Korb<") && page.contains("Zum Inhalt springen"), "{page}");
}

#[test]
fn search_json_says_what_its_script_prints() {
    let shop = folder(&[
        ("site.toml", &speaking("de")),
        LAMP,
        ("static/theme.js", ""),
        ("static/favicon.svg", ""),
        ("static/search.js", ""),
    ]);
    build(shop.path(), "2026-09-01", &["--no-cache"]);
    let head = std::fs::read(shop.path().join("public/search.json")).expect("a head");
    let head: serde_json::Value = serde_json::from_slice(&head).expect("JSON");
    assert_eq!(head["texts"]["finder"]["products"]["one"], "{count} Produkt");
    assert_eq!(head["texts"]["finder"]["products"]["language"], "de");
    let texts: BTreeMap<String, Text> = serde_json::from_value(head["texts"]["price"].clone()).expect("texts");
    assert_eq!(texts["from"], Text::Plain("ab".to_owned()));
}
