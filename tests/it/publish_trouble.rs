//! Publish, when the world is not as it should be: full disks, files of absurd size, manifests changed by hand, keys that change.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use object_store::local::LocalFileSystem;
use serde_json::Value;
use vitrine::edge::pointed::Pointed;
use vitrine::theme::bundle::{SigningKey, VerifyingKey};

use crate::publish::{SECRET, build, ended, mug, outcome, shop_with};
use crate::support::shop::{tree, vitrine, write};

/// Whether a process may mount a disk of its own here; where not, the test says so and passes.
fn may_mount(test: &str) -> bool {
    let mut tried = Command::new("unshare");
    tried.args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).stderr(Stdio::null());
    let may = tried.status().is_ok_and(|status| status.success());
    if !may {
        let _ = writeln!(std::io::stderr(), "skipped: {test} (a disk of one's own cannot be mounted here)");
    }
    may
}

/// A script that may mount disks below the folder, with the binary as `$vitrine`.
fn on_own_disks(root: &Path, script: &str) -> Output {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-ec", script]).current_dir(root);
    command.env("vitrine", env!("CARGO_BIN_EXE_vitrine")).env("NO_COLOR", "1").env("VITRINE_BUNDLE_SECRET_KEY", SECRET);
    command.output().expect("a shell")
}

fn run(root: &Path, words: &[&str]) -> (i32, String, String) {
    ended(&vitrine(root).args(words).env("VITRINE_BUNDLE_SECRET_KEY", SECRET).output().expect("the binary runs"))
}

/// Keeps the last build aside, as `NAME.public` and `NAME.bundle`.
fn aside(root: &Path, name: &str) {
    let files = tree(&root.join("public"));
    for (path, bytes) in &files {
        let file = root.join(format!("{name}.public")).join(path);
        fs::create_dir_all(file.parent().expect("it lies in a folder")).and_then(|()| fs::write(file, bytes)).expect("copied");
    }
    fs::copy(root.join("shop.bundle"), root.join(format!("{name}.bundle"))).expect("copied");
}

#[test]
fn a_target_whose_disk_fills_stays_whole_and_is_gone_on_from() {
    if !may_mount("a_target_whose_disk_fills_stays_whole_and_is_gone_on_from") {
        return;
    }
    let shop = shop_with("");
    let root = shop.path();
    let settings = fs::read_to_string(root.join("site.toml")).expect("settings");
    write(root, "site.toml", &settings.replace("path = \"site\"", "path = \"www/site\""));
    aside(root, "a");
    write(root, "content/products/mug.md", &mug("9.50"));
    write(root, "content/products/bowl.md", "+++\ntitle = \"Bowl\"\nsku = \"BOWL\"\nprice = \"7.00\"\nstock = 1\n+++\n");
    build(root);
    let script = "
        mkdir www && mount -t tmpfs -o size=64m tmpfs www
        $vitrine publish --out a.public --bundle a.bundle 2>first.txt
        used=$(df -k --output=used www | tail -1)
        for room in 4 8 16 24 48; do
            mount -o remount,size=$((used + room))k www
            code=0; $vitrine publish 2>full.$room.txt || code=$?
            echo $code >>codes.txt; cp -r www full.$room
        done
        mount -o remount,size=64m www
        $vitrine publish 2>last.txt
        cp -r www last";
    let done = on_own_disks(root, script);
    assert!(done.status.success(), "{done:?}");
    let before = tree(&root.join("a.public"));
    let mut refused = 0;
    for room in [4, 8, 16, 24, 48] {
        let told = fs::read_to_string(root.join(format!("full.{room}.txt"))).expect("what was told");
        refused += usize::from(told.contains("the disk is full: make room and publish again"));
        let served = tree(&root.join(format!("full.{room}/site")));
        for (path, bytes) in &served {
            assert!(!path.contains('#'), "{path} is left of what was cut");
            let whole = [&before, &tree(&root.join("public"))].iter().any(|build| build.get(path) == Some(bytes));
            assert!(whole, "{path} is of neither build with room for {room} KiB");
        }
        for path in before.keys().filter(|path| *path != "manifest.json") {
            assert!(served.contains_key(path), "{path} is missing with room for {room} KiB");
        }
        let leads = |path: &str, slug: &str| {
            served.get(path).is_some_and(|page| String::from_utf8_lossy(page).contains(&format!("\"/products/{slug}\"")))
        };
        assert!(!leads("index.html", "bowl") || served.contains_key("products/bowl.html"), "with room for {room} KiB");
        let record = fs::read_to_string(root.join(format!("full.{room}/site.private/published.json"))).expect("a record");
        assert_eq!(serde_json::from_str::<Value>(&record).expect("whole")["id"], 1);
    }
    assert_eq!(refused, 5, "{}", fs::read_to_string(root.join("codes.txt")).expect("codes"));
    assert_eq!(fs::read_to_string(root.join("codes.txt")).expect("codes"), "3\n".repeat(5));
    let mut built = tree(&root.join("public"));
    built.remove("manifest.json");
    let served = tree(&root.join("last/site"));
    assert!(built.iter().all(|(path, bytes)| served.get(path) == Some(bytes)));
}

#[test]
fn what_is_fetched_to_a_full_disk_is_never_taken_for_a_whole_publication() {
    if !may_mount("what_is_fetched_to_a_full_disk_is_never_taken_for_a_whole_publication") {
        return;
    }
    let shop = shop_with("");
    let script = "
        $vitrine publish 2>/dev/null
        mkdir last && mount -t tmpfs -o size=16m tmpfs last
        $vitrine publish fetch --to last 2>/dev/null
        test -f last/manifest.json
        dd if=/dev/zero of=last/other bs=1k 2>/dev/null || true
        code=0; $vitrine publish fetch --to last 2>told.txt || code=$?
        echo $code >code.txt; ls last >left.txt";
    let done = on_own_disks(shop.path(), script);
    assert!(done.status.success(), "{done:?}");
    let read = |name: &str| fs::read_to_string(shop.path().join(name)).expect("it was written");
    assert_eq!(read("code.txt"), "3\n");
    assert!(read("told.txt").contains("No space left on device"), "{}", read("told.txt"));
    let left = read("left.txt");
    assert!(!left.contains("manifest.json") && !left.contains(".new"), "{left}");
}

#[test]
fn a_file_of_five_gigabytes_is_refused_by_the_build_without_being_read() {
    let shop = shop_with("");
    let root = shop.path();
    fs::create_dir_all(root.join("static")).expect("made");
    let film = fs::File::create(root.join("static/film.mp4")).expect("made");
    // A hole: it takes no room.
    film.set_len(5_000_000_000).expect("it has a size");
    let before = tree(&root.join("public"));
    let (code, _, told) = run(root, &["build", "--as-of", "2026-12-01"]);
    assert_eq!(code, 1, "{told}");
    assert!(
        told.contains("film.mp4") && told.contains("it has 5000000000 bytes; a file of static/ holds at most 67108864"),
        "{told}"
    );
    assert_eq!(tree(&root.join("public")), before, "the last build stays");
}

#[test]
fn a_manifest_that_was_edited_by_hand_publishes_nothing_that_was_not_built() {
    let shop = shop_with("");
    let root = shop.path();
    outcome(run(root, &["publish", "--json"]));
    let served = (tree(&root.join("site")), tree(&root.join("site.private")));
    write(root, "content/products/mug.md", &mug("9.50"));
    build(root);
    let good = fs::read_to_string(root.join("public/manifest.json")).expect("a manifest");
    let hash = |path: &str| -> String {
        let manifest: Value = serde_json::from_str(&good).expect("JSON");
        manifest["files"][path]["hash"].as_str().expect("a hash").to_owned()
    };
    fs::write(root.join("secret.txt"), "not for shoppers").expect("written");
    let outside = good.replacen("\"404.html\":", "\"../secret.txt\":", 1);
    for (edited, code, expected) in [
        (good[..good.len() / 2].to_owned(), 3, "manifest.json that this version can read; `vitrine build` writes one"),
        (
            good.replacen("\"format\": 1", "\"format\": 7", 1).replacen("\"format\":1", "\"format\":7", 1),
            3,
            "that this version can read",
        ),
        (good.replace(&hash("products/mug.html"), &hash("index.html")), 1, "products/mug.html is not what manifest.json says"),
        (outside, 3, "no object can be called so"),
    ] {
        assert_ne!(edited, good);
        fs::write(root.join("public/manifest.json"), edited).expect("written");
        let (found, _, told) = run(root, &["publish"]);
        assert!(found == code && told.contains(expected), "{expected} in {told}");
        let now = (tree(&root.join("site")), tree(&root.join("site.private")));
        assert!(now == served, "nothing was written: {expected}");
    }
}

/// The key of a seed, as the environment has it.
fn key(seed: u8) -> (String, String, VerifyingKey) {
    let public = SigningKey::from_seed(&[seed; 32]).verifying_key();
    (URL_SAFE_NO_PAD.encode([seed; 32]), URL_SAFE_NO_PAD.encode(public.0), public)
}

#[test]
fn the_key_that_signs_can_be_changed_while_edges_serve_on() {
    let shop = shop_with("");
    let root = shop.path();
    let (old, new) = (key(7), key(9));
    outcome(run(root, &["publish", "--json"]));
    let with = |words: &[&str], public: &str| {
        let mut command = vitrine(root);
        command.args(words).env("VITRINE_BUNDLE_SECRET_KEY", &new.0).env("VITRINE_BUNDLE_PUBLIC_KEYS", public);
        ended(&command.output().expect("the binary runs"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
    let taken = |keys: &[VerifyingKey]| {
        let state = tempfile::tempdir().expect("a folder");
        let pointed = Pointed {
            store: Arc::new(LocalFileSystem::new_with_prefix(root).expect("a folder")),
            prefix: "site.private".to_owned(),
            state: state.path().to_owned(),
            keys: keys.to_vec(),
            development_keys: false,
            shop: None,
        };
        runtime.block_on(pointed.load()).map(|live| live.sequence).map_err(|error| error.to_string())
    };
    assert_eq!(taken(&[old.2]), Ok(1));
    // A job that does not know the old key any more cannot tell what it finds from what a stranger has put there.
    assert_eq!(with(&["build", "--as-of", "2026-12-01"], "").0, 0);
    let (code, _, told) = with(&["publish"], "");
    assert!(
        code == 3 && told.contains("live.pointer on the target is refused") && told.contains("VITRINE_BUNDLE_PUBLIC_KEYS"),
        "{told}"
    );
    // The same shop, signed anew: edges are told, though nothing else has changed.
    let (code, out, told) = with(&["publish", "--json"], &old.1);
    assert_eq!(code, 0, "{told}");
    let outcome: Value = serde_json::from_str(&out).expect("an outcome");
    assert_eq!((&outcome["put"], &outcome["pointed"], &outcome["id"]), (&0.into(), &true.into(), &2.into()));
    assert_eq!((taken(&[old.2, new.2]), taken(&[new.2])), (Ok(2), Ok(2)));
    assert!(taken(&[old.2]).expect_err("an edge that was forgotten").contains("a key that is not trusted here"));
    assert_eq!(with(&["publish", "--verify"], "").0, 0, "the old key can be dropped");
}
