//! Previews: a change under a host of its own, out of crawlers' sight, beside the shop's prices, and gone again.

use std::path::Path;

use serde_json::Value;

use crate::publish::{SECRET, ended, mug};
use crate::support::shop::{folder, site, tree, vitrine, write};

const TARGETS: &str = "
[[publish]]
name = \"live\"
kind = \"folder\"
path = \"site\"

[[publish]]
name = \"preview\"
kind = \"folder\"
path = \"previews\"
preview_url = \"https://{prefix}.preview.tiny.example\"
compare_with = \"live\"
";
const OF_42: [&str; 4] = ["--target", "preview", "--prefix", "pr-42"];

fn shop() -> tempfile::TempDir {
    folder(&[
        ("site.toml", &(site("EUR") + TARGETS)),
        ("content/products/mug.md", &mug("9.00")),
        ("content/products/lamp.md", "+++\ntitle = \"Lamp\"\nsku = \"LAMP\"\nprice = \"20.00\"\nstock = 1\n+++\n"),
    ])
}

fn run(root: &Path, words: &[&[&str]]) -> (i32, String, String) {
    let mut command = vitrine(root);
    ended(&command.args(words.concat()).env("VITRINE_BUNDLE_SECRET_KEY", SECRET).output().expect("the binary runs"))
}

fn well(root: &Path, words: &[&[&str]]) -> (String, String) {
    let (code, out, told) = run(root, words);
    assert_eq!(code, 0, "{out}{told}");
    (out, told)
}

fn build(root: &Path, host: &str) {
    let base = format!("https://{host}.preview.tiny.example");
    well(root, &[&["build", "--as-of", "2026-12-01", "--noindex", "--base-url", &base]]);
}

#[test]
fn a_preview_stands_under_its_own_host_hidden_beside_the_shop_and_goes_again() {
    let shop = shop();
    let root = shop.path();
    // The shop itself, for which play money has to be meant.
    well(root, &[&["build", "--as-of", "2026-12-01"]]);
    assert!(!tree(&root.join("public")).values().any(|bytes| String::from_utf8_lossy(bytes).contains("noindex\">\n<link")));
    well(root, &[&["publish", "--target", "live", "--allow", "sandbox"]]);
    let live = tree(&root.join("site"));

    write(root, "content/products/mug.md", &mug("19.00"));
    build(root, "pr-42");
    let page = std::fs::read_to_string(root.join("public/products/mug.html")).expect("a page");
    assert!(page.contains("<meta name=\"robots\" content=\"noindex\">") && page.contains("https://pr-42.preview.tiny.example"));
    let robots = std::fs::read_to_string(root.join("public/robots.txt")).expect("it is there");
    assert!(robots.ends_with("User-agent: *\nDisallow:\n"), "a page that may not be read says `noindex` to nobody: {robots}");
    assert!(std::fs::read_to_string(root.join("public/_headers")).expect("it is there").contains("\n  X-Robots-Tag: noindex\n"));

    // More than the limit, which stops a shop and not a preview.
    let (out, told) = well(root, &[&["publish"], &OF_42]);
    assert!(out.contains("beside `live`:") && out.contains("MUG of mug, eu: 9.00 EUR → 19.00 EUR"), "{out}");
    assert!(told.contains("preview: https://pr-42.preview.tiny.example"), "{told}");
    let (out, _) = well(root, &[&["publish", "--json"], &OF_42]);
    let outcome: Value = serde_json::from_str(&out).expect("an outcome");
    assert_eq!(outcome["url"], "https://pr-42.preview.tiny.example");
    assert_eq!(outcome["beside"]["diff"]["prices"][0]["sku"], "MUG", "{outcome}");
    assert_eq!(outcome["beside"]["stops"][0], "1 price moves beyond the limit");
    let below = tree(&root.join("previews"));
    assert!(below.keys().all(|path| path.starts_with("pr-42/")) && below.contains_key("pr-42/products/mug.html"));
    assert_eq!(tree(&root.join("site")), live, "the shop is as it was");

    build(root, "pr-43");
    well(root, &[&["publish", "--target", "preview", "--prefix", "pr-43"]]);
    let (out, _) = well(root, &[&["publish", "list", "--previews", "--target", "preview", "--json"]]);
    let listed: Value = serde_json::from_str(&out).expect("a list");
    let names: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|one| one["prefix"].as_str()).collect();
    assert_eq!((names, &listed[1]["url"]), (vec!["pr-42", "pr-43"], &Value::from("https://pr-43.preview.tiny.example")));

    write(root, "previews/pr-42/by-hand.html", "somebody's");
    let before = (tree(&root.join("previews")), tree(&root.join("previews.private")));
    let (out, _) = well(root, &[&["publish", "remove", "--dry-run"], &OF_42]);
    assert!(out.contains("pr-42/products/mug.html") && !out.contains("pr-43"), "{out}");
    assert_eq!((tree(&root.join("previews")), tree(&root.join("previews.private"))), before, "a dry run does nothing");
    well(root, &[&["publish", "remove"], &OF_42]);
    let (left, private) = (tree(&root.join("previews")), tree(&root.join("previews.private")));
    assert!(!left.is_empty() && left.keys().all(|path| path.starts_with("pr-43/")), "the other one stays whole");
    let of_43 =
        |tree: &std::collections::BTreeMap<String, Vec<u8>>| tree.iter().filter(|(path, _)| path.starts_with("pr-43/")).count();
    assert_eq!((of_43(&left), of_43(&private)), (of_43(&before.0), of_43(&before.1)));
    assert!(private.keys().all(|path| path.starts_with("pr-43/") || path.ends_with("/lock")), "{:?}", private.keys());
    assert_eq!(tree(&root.join("site")), live);
    let (code, _, told) = run(root, &[&["publish", "remove"], &OF_42]);
    assert!(code == 2 && told.contains("there is no preview `pr-42` on `preview`"), "{told}");
}

#[test]
fn what_would_mix_up_previews_and_the_shop_is_stopped() {
    let shop = shop();
    let root = shop.path();
    build(root, "pr-42");
    let stopped = |words: &[&[&str]], expected: i32, parts: &[&str]| {
        let (code, _, told) = run(root, words);
        assert_eq!(code, expected, "{told}");
        for part in parts {
            assert!(told.contains(part), "{part} in {told}");
        }
        assert!(!root.join("site.private/published.json").exists(), "nothing was published");
    };
    let live: &[&str] = &["publish", "--target", "live", "--allow", "sandbox"];
    stopped(&[live], 1, &["crawlers are asked to keep away from the shop; build without --noindex", "--allow noindex"]);
    let other = ["publish", "--target", "preview", "--prefix", "pr-7"];
    let way = "run `vitrine build --noindex --base-url https://pr-7.preview.tiny.example`";
    stopped(&[&other], 1, &["pages name https://pr-42.preview.tiny.example, and the preview is", way]);
    stopped(&[&["publish", "--target", "preview"]], 2, &["the target `preview` holds previews: name one with --prefix pr-42"]);
    stopped(&[&["publish", "remove", "--target", "preview"]], 2, &["name one with --prefix"]);
    for name in ["", "../site", "PR", "a-", "a/b", "."] {
        stopped(&[&["publish", "remove", "--target", "preview", "--prefix", name]], 2, &["is no part of a host's name"]);
    }
    stopped(&[&["publish", "remove", "--target", "live", "--prefix", "pr-42"]], 2, &["the target `live` holds the shop"]);
    stopped(&[&["publish", "remove", "--target", "live"]], 2, &["only a preview is ever removed"]);
    well(root, &[&["build", "--as-of", "2026-12-01", "--base-url", "https://pr-42.preview.tiny.example"]]);
    stopped(
        &[&["publish"], &OF_42],
        1,
        &["crawlers would list the preview beside the shop; build with --noindex", "--allow indexed"],
    );
    // Another shop's preview is not removed either.
    build(root, "pr-42");
    well(root, &[&["publish"], &OF_42]);
    let settings = std::fs::read_to_string(root.join("site.toml")).expect("settings");
    write(root, "site.toml", &settings.replace("name = \"Tiny\"", "name = \"Other\""));
    let (code, _, told) = run(root, &[&["publish", "remove"], &OF_42]);
    assert!(code == 3 && told.contains("belongs to the shop `tiny`, not to `other`"), "{told}");
    assert!(root.join("previews/pr-42/index.html").exists());
}

#[test]
fn what_is_written_of_previews_is_checked_in_its_place() {
    let check = |written: &str, expected: &[&str]| {
        let target = "\n[[publish]]\nname = \"preview\"\nkind = \"folder\"\npath = \"previews\"\n";
        let shop = folder(&[("site.toml", &(site("EUR") + target + written))]);
        let (code, _, told) = run(shop.path(), &[&["publish", "--prefix", "pr-42"]]);
        assert_eq!(code, 1, "{told}");
        for part in expected {
            assert!(told.contains(part), "{part} in {told}");
        }
    };
    check("preview_url = \"https://preview.tiny.example\"\n", &["site.toml:23:", "it holds no {prefix}"]);
    check("preview_url = \"https://tiny.example/{prefix}\"\n", &["goes on after the host"]);
    check("preview_url = \"https://{prefix}.{host}.example\"\n", &["`https://pr-42.{host}.example` is not an address"]);
    check("compare_with = \"live\"\n", &["only previews are compared", "there is no target `live` that holds the shop"]);
    check("preview_url = \"https://{prefix}.tiny.example\"\ncompare_with = \"preview\"\n", &["there is no target `preview`"]);
}
