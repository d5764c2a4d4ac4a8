//! Precompress: siblings beside files, in a build and on a target that chooses between them; never of older bytes than their file's.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::publish::{SECRET, ended, mug};
use crate::support::shop::{folder, run, site, tree, vitrine, write};

const TARGET: &str =
    "\n[payment]\nallow_sandbox_on_public_host = true\n\n[[publish]]\nname = \"live\"\nkind = \"folder\"\npath = \"site\"\n";

fn shop(more: &str) -> tempfile::TempDir {
    folder(&[("site.toml", &(site("EUR") + TARGET + more)), ("content/products/mug.md", &mug("9.00"))])
}

fn well(root: &Path, words: &[&str]) -> String {
    let mut command = vitrine(root);
    command.args(words).env("VITRINE_BUNDLE_SECRET_KEY", SECRET);
    let (code, out, told) = ended(&command.output().expect("the binary runs"));
    assert_eq!(code, 0, "{told}");
    out
}

fn build(root: &Path, more: &[&str]) {
    well(root, &[&["build", "--as-of", "2026-12-01"], more].concat());
}

fn unpacked(path: &str, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    if path.ends_with(".br") {
        brotli::Decompressor::new(bytes, 4096).read_to_end(&mut plain).expect("brotli");
    } else {
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).expect("gzip");
    }
    plain
}

/// Every sibling in a folder is smaller than its file, and the same once it is unpacked; gives their number.
fn siblings(tree: &BTreeMap<String, Vec<u8>>) -> usize {
    let siblings = tree.iter().filter(|(path, _)| path.ends_with(".br") || path.ends_with(".gz"));
    siblings
        .map(|(path, bytes)| {
            let file = tree.get(&path[..path.len() - 3]).unwrap_or_else(|| panic!("{path} is beside nothing"));
            assert!(bytes.len() < file.len(), "{path} is not smaller");
            assert!(unpacked(path, bytes) == *file, "{path} is of other bytes than its file");
        })
        .count()
}

#[test]
fn a_build_writes_siblings_and_takes_them_away_with_their_files() {
    let shop = shop("");
    let root = shop.path();
    write(root, "static/own.txt", &"a line of its own\n".repeat(40));
    build(root, &["--precompress"]);
    let first = tree(&root.join("public"));
    assert!(first.contains_key("products/mug.html.br") && first.contains_key("sitemap.xml.gz"), "{:?}", first.keys());
    assert!(first.keys().any(|path| path.starts_with("a/") && path.ends_with(".js.br")));
    assert!(!first.keys().any(|path| path.ends_with(".webp.br") || path.ends_with(".br.gz")));
    assert!(siblings(&first) > 10 && first.contains_key("own.txt.br"));
    let manifest: serde_json::Value = serde_json::from_slice(&first["manifest.json"]).expect("a manifest");
    let entry = &manifest["files"]["products/mug.html.br"];
    assert_eq!((&entry["encoding"], &entry["type"]), (&"br".into(), &"text/html; charset=utf-8".into()));
    // The same without what was kept, and nothing new where nothing changed.
    std::fs::remove_dir_all(root.join(".vitrine/cache")).expect("it is there");
    let out = well(root, &["build", "--as-of", "2026-12-01", "--precompress", "--report", "json"]);
    assert!(out.contains("\"written\": 0") && tree(&root.join("public")) == first, "{out}");
    write(root, "content/products/mug.md", &mug("9.50"));
    build(root, &["--precompress"]);
    let second = tree(&root.join("public"));
    assert!(second["products/mug.html.br"] != first["products/mug.html.br"]);
    siblings(&second);
    well(root, &["check", "--built", "--as-of", "2026-12-01"]);
    build(root, &[]);
    let plain = tree(&root.join("public"));
    assert!(plain.keys().all(|path| !path.ends_with(".br") && !path.ends_with(".gz")), "{:?}", plain.keys());
}

#[test]
fn a_target_that_chooses_has_siblings_that_are_never_older_than_their_files() {
    let shop = shop("encodings = [\"br\", \"gzip\"]\n");
    let root = shop.path();
    build(root, &[]);
    well(root, &["publish"]);
    let served = tree(&root.join("site"));
    assert!(siblings(&served) > 10 && served.contains_key("products/mug.html.br") && served.contains_key("products/mug.html.gz"));
    assert_eq!(well(root, &["publish", "--dry-run"]).lines().next().map(|line| line.contains(": 0 to put")), Some(true));
    write(root, "content/products/mug.md", &mug("9.50"));
    build(root, &["--precompress"]);
    for point in ["PUT:1", "PUT:2", "PUT:9", "RECORD"] {
        let mut command = vitrine(root);
        command.arg("publish").envs([("VITRINE_BUNDLE_SECRET_KEY", SECRET), ("VITRINE_FAILPOINT", point)]);
        assert_eq!(command.output().expect("the binary runs").status.code(), None, "{point}");
        siblings(&tree(&root.join("site")));
    }
    well(root, &["publish"]);
    siblings(&tree(&root.join("site")));
    well(root, &["publish", "--verify"]);
    // Damaged by hand, put back.
    write(root, "site/products/mug.html.br", "defaced");
    well(root, &["publish", "--repair"]);
    siblings(&tree(&root.join("site")));
    // One encoding fewer: its siblings go at once, not after a while, since the server would go on to send them.
    let settings = std::fs::read_to_string(root.join("site.toml")).expect("settings");
    write(root, "site.toml", &settings.replace("\"br\", ", ""));
    let outcome: serde_json::Value = serde_json::from_str(&well(root, &["publish", "--json"])).expect("an outcome");
    assert!(outcome["removed"].as_u64() > Some(5) && outcome["put"] == 0, "{outcome}");
    let served = tree(&root.join("site"));
    assert!(served.keys().all(|path| !path.ends_with(".br")) && siblings(&served) > 5);
    // And back, without what is no longer asked for.
    well(root, &["publish", "--rollback", "1"]);
    let served = tree(&root.join("site"));
    assert!(served.keys().all(|path| !path.ends_with(".br")) && siblings(&served) > 5);
    assert!(String::from_utf8_lossy(&served["products/mug.html"]).contains("9.00"));
}

#[test]
fn a_bucket_is_refused_siblings_with_the_reason() {
    let bucket = "\n[[publish]]\nname = \"live\"\nkind = \"s3\"\nbucket = \"b\"\nencodings = [\"br\"]\n";
    let shop = folder(&[("site.toml", &(site("EUR") + bucket))]);
    let (code, _, told) = run(shop.path(), &["publish", "--dry-run"]);
    assert!(code == 1 && told.contains("site.toml:23:") && told.contains("a bucket does not choose between siblings"), "{told}");
    let (code, _, told) = {
        write(shop.path(), "site.toml", &(site("EUR") + &bucket.replace("\"br\"", "\"zstd\"")));
        run(shop.path(), &["publish", "--dry-run"])
    };
    assert!(code == 1 && told.contains("unknown variant `zstd`, expected `br` or `gzip`"), "{told}");
}
