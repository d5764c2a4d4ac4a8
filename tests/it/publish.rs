//! Publish: the command on a folder, from a first publication to the way back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use vitrine::theme::bundle::SigningKey;

use crate::support::shop::{folder, site, tree, vitrine, write};

/// The target that shops of these tests are published to; settings of it may follow.
const TARGET: &str =
    "\n[payment]\nallow_sandbox_on_public_host = true\n\n[[publish]]\nname = \"live\"\nkind = \"folder\"\npath = \"site\"\n";
/// Seed and nothing else: a key for tests.
pub(crate) const SECRET: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

pub(crate) fn mug(price: &str) -> String {
    format!("+++\ntitle = \"Mug\"\nsku = \"MUG\"\nprice = \"{price}\"\nstock = 1\n+++\n")
}

/// A shop with two products and a target, built. `more`: settings of the target.
pub(crate) fn shop_with(more: &str) -> tempfile::TempDir {
    let shop = folder(&[
        ("site.toml", &(site("EUR") + TARGET + more)),
        ("content/products/mug.md", &mug("9.00")),
        ("content/products/lamp.md", "+++\ntitle = \"Lamp\"\nsku = \"LAMP\"\nprice = \"20.00\"\nstock = 1\n+++\n"),
    ]);
    build(shop.path());
    shop
}

fn shop() -> tempfile::TempDir {
    shop_with("")
}

fn command(root: &Path, words: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = vitrine(root);
    command.args(words).env("VITRINE_BUNDLE_SECRET_KEY", SECRET).envs(environment.iter().copied());
    command.output().expect("the binary runs")
}

/// Exit code, stdout, stderr.
pub(crate) fn ended(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn run(root: &Path, words: &[&str]) -> (i32, String, String) {
    ended(&command(root, words, &[]))
}

pub(crate) fn build(root: &Path) {
    let (code, _, told) = run(root, &["build", "--as-of", "2026-12-01"]);
    assert_eq!(code, 0, "{told}");
}

fn publish(root: &Path, words: &[&str]) -> Value {
    outcome(run(root, &[&["publish", "--json"], words].concat()))
}

/// What a publication that went well has to say.
pub(crate) fn outcome((code, out, told): (i32, String, String)) -> Value {
    assert_eq!(code, 0, "{told}");
    serde_json::from_str(&out).expect("an outcome")
}

/// What is served is what was built.
fn check_is_built(root: &Path) {
    let mut built = tree(&root.join("public"));
    built.remove("manifest.json");
    let served = tree(&root.join("site"));
    for (path, bytes) in &built {
        assert!(served.get(path) == Some(bytes), "{path} is not as it was built");
    }
}

fn records(root: &Path) -> PathBuf {
    root.join("site.private/published.json")
}

#[test]
fn a_price_goes_up_and_the_way_back_is_one_command() {
    let shop = shop();
    let root = shop.path();
    let (code, _, told) = run(root, &["publish", "--rollback", "9"]);
    assert!(code == 3 && told.contains("nothing was published yet, and no publication 9 can be gone back to"), "{told}");
    let first = publish(root, &[]);
    assert_eq!((first["id"].as_u64(), first["pointed"].as_bool()), (Some(1), Some(true)));
    check_is_built(root);
    assert_eq!(publish(root, &[])["id"], Value::Null, "a second time there is nothing to do");
    let before = tree(&root.join("site"));
    write(root, "content/products/mug.md", &mug("9.50"));
    build(root);
    let second = publish(root, &[]);
    assert_eq!(second["id"], 2);
    assert!(second["put"].as_u64() < first["put"].as_u64(), "{second}");
    check_is_built(root);
    let (code, out, _) = run(root, &["publish", "list"]);
    assert!(code == 0 && out.lines().count() == 2 && out.starts_with("     2"), "{out}");
    let back = publish(root, &["--rollback"]);
    assert_eq!(back["id"], 3);
    let after = tree(&root.join("site"));
    for (path, bytes) in &before {
        assert!(after.get(path) == Some(bytes), "{path} is not what it was");
    }
    let (_, out, _) = run(root, &["publish", "list"]);
    assert!(out.starts_with("     3") && out.lines().next().is_some_and(|line| line.ends_with("  back to 1  live")), "{out}");
    let pointer = std::fs::read_to_string(root.join("site.private/live.pointer")).expect("a pointer");
    assert!(pointer.contains("\nsequence 3\n"), "{pointer}");
    let (code, _, told) = run(root, &["publish", "--rollback", "9"]);
    assert!(code == 3 && told.contains("names no publication 9 that could be gone back to, only 1, 2"), "{told}");
    // What was asked, and when, for whoever tells a reduction from it.
    let history = std::fs::read_to_string(root.join("site.private/price-history.jsonl")).expect("a history");
    let asked: Vec<i64> = history
        .lines()
        .filter(|line| line.contains("MUG"))
        .map(|line| serde_json::from_str::<Value>(line).expect("a line")["minor"].as_i64().expect("a price"))
        .collect();
    assert_eq!(asked, [900, 950, 900]);
    // And forth again, by the build that is still there.
    assert_eq!(publish(root, &[])["id"], 4);
    check_is_built(root);
}

#[test]
fn what_should_be_looked_at_stops_with_the_word_that_lets_it_pass() {
    let shop = shop();
    let root = shop.path();
    publish(root, &[]);
    let stopped = |word: &str, text: &str| {
        let before = tree(&root.join("site.private"));
        let (code, _, told) = run(root, &["publish"]);
        assert!(code == 1 && told.contains(text) && told.contains(&format!("--allow {word}")), "{told}");
        assert_eq!(tree(&root.join("site.private")), before, "nothing was written");
    };
    write(root, "content/products/mug.md", &mug("90.00"));
    build(root);
    stopped("changes", "1 price moves beyond the limit");
    let (code, out, told) = run(root, &["publish", "--dry-run", "--json"]);
    let plan: Value = serde_json::from_str(&out).expect("a plan");
    assert!(code == 1 && plan["stops"][0]["guard"] == "changes" && told.contains("beyond the limit"), "{told}");
    publish(root, &["--allow", "changes"]);
    write(root, "site.toml", &(site("EUR") + TARGET + "max_deletions = 0\n"));
    std::fs::remove_file(root.join("content/products/mug.md")).expect("removed");
    build(root);
    stopped("deletions", "1 pages go, more than the 0");
    std::fs::remove_file(root.join("content/products/lamp.md")).expect("removed");
    build(root);
    stopped("empty-shop", "nothing is sold");
    write(root, "site.toml", &(site("EUR").replace("https://tiny.example", "http://127.0.0.1:8080") + TARGET));
    build(root);
    stopped("localhost", "pages name http://127.0.0.1:8080, which is this machine");
    write(root, "site.toml", &(site("EUR") + &TARGET.replace("true", "false")));
    build(root);
    stopped("sandbox", "payments are play money");
    let allowed = ["--allow", "sandbox", "--allow", "empty-shop", "--allow", "changes"];
    let public = base64::Engine::encode(&URL_SAFE_NO_PAD, SigningKey::from_seed(&[7; 32]).verifying_key().0);
    let mut keyless = vitrine(root);
    keyless.args([&["publish"][..], &allowed].concat()).env("VITRINE_BUNDLE_PUBLIC_KEYS", public);
    let (code, _, told) = ended(&keyless.output().expect("the binary runs"));
    assert!(code == 1 && told.contains("signed with a development key") && !told.contains("--allow"), "{told}");
    publish(root, &allowed);
}

#[test]
fn what_was_changed_by_hand_is_named_and_put_back() {
    let shop = shop();
    let root = shop.path();
    publish(root, &[]);
    assert_eq!(run(root, &["publish", "--verify"]).0, 0);
    write(root, "site/products/mug.html", "defaced");
    write(root, "site/extra.html", "not ours");
    std::fs::remove_file(root.join("site/index.html")).expect("removed");
    let (code, out, told) = run(root, &["publish", "--verify", "--json"]);
    let findings: Value = serde_json::from_str(&out).expect("findings");
    assert_eq!(code, 1, "{told}");
    assert_eq!(
        (&findings["missing"][0], &findings["changed"][0], &findings["foreign"][0]),
        (&Value::from("index.html"), &Value::from("products/mug.html"), &Value::from("site/extra.html"),)
    );
    publish(root, &["--repair"]);
    check_is_built(root);
    assert_eq!(run(root, &["publish", "--verify"]).0, 0);
    // The bundle of another build goes nowhere.
    let bundle = std::fs::read(root.join("shop.bundle")).expect("a bundle");
    write(root, "content/products/mug.md", &mug("9.90"));
    build(root);
    std::fs::write(root.join("shop.bundle"), &bundle).expect("put back");
    let (code, _, told) = run(root, &["publish"]);
    assert!(
        code == 1 && told.contains("shop.bundle is not what manifest.json says (it is the bundle of another build)"),
        "{told}"
    );
    build(root);
    // Nor does one that was changed by hand.
    write(root, "public/products/mug.html", "defaced");
    std::fs::remove_file(records(root)).expect("removed");
    let (code, _, told) = run(root, &["publish"]);
    assert!(code == 1 && told.contains("products/mug.html is not what manifest.json says"), "{told}");
}

#[test]
fn the_last_publication_is_fetched_for_the_next_build() {
    let shop = shop();
    let root = shop.path();
    let (code, _, told) = run(root, &["publish", "fetch"]);
    assert!(code == 0 && told.contains("nothing was published to `live` yet"), "{told}");
    publish(root, &[]);
    write(root, "content/products/mug.md", &mug("9.50"));
    build(root);
    assert_eq!(run(root, &["publish", "fetch"]).0, 0);
    let (code, out, told) = run(root, &["diff", ".vitrine/published/live", "--as-of", "2026-12-01"]);
    assert!(code == 0 && out.contains("MUG of mug, eu: 9.00 EUR → 9.50 EUR"), "{out}{told}");
}

/// Addresses on this host that pages name and that nothing stands at, each with the page that leads there.
fn broken(served: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, bytes) in served.iter().filter(|(path, _)| path.ends_with(".html")) {
        let text = String::from_utf8_lossy(bytes);
        // Attributes, lists of pictures in them, and addresses with the shop's origin.
        let named = text.split(['"', ' ']).map(|word| word.strip_prefix("https://tiny.example").unwrap_or(word));
        let named = named.filter_map(|word| word.strip_prefix('/')).filter(|word| !word.starts_with('/'));
        for address in named.map(|word| word.split(['#', '?', ',', '>']).next().unwrap_or_default()) {
            let is_the_edges = ["api", "cart", "checkout", "orders"].contains(&address.split('/').next().unwrap_or_default());
            let stands = [address.to_owned(), format!("{address}.html"), format!("{address}index.html")];
            if !is_the_edges && !address.contains(['*', '{']) && !stands.iter().any(|file| served.contains_key(file)) {
                broken.push(format!("{path} leads to /{address}"));
            }
        }
    }
    broken
}

#[test]
fn a_real_job_that_is_killed_leaves_a_whole_shop_to_the_next_one() {
    let shop = shop();
    let root = shop.path();
    publish(root, &[]);
    let before = tree(&root.join("public"));
    write(root, "content/products/mug.md", &mug("9.50"));
    // Something new to link to, and something new to show on it.
    write(
        root,
        "static/bowl.svg",
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"><rect width=\"9\" height=\"9\"/></svg>",
    );
    let bowl =
        "title = \"Bowl\"\nsku = \"BOWL\"\nprice = \"7.00\"\nstock = 1\nimages = [{ src = \"bowl.svg\", alt = \"A bowl\" }]\n";
    write(root, "content/products/bowl.md", &format!("+++\n{bowl}+++\n"));
    build(root);
    let folders = ["site", "site.private"].map(|name| (root.join(name), tree(&root.join(name))));
    let puts: Vec<String> = (1..).map(|at| format!("PUT:{at}")).take(64).collect();
    let mut killed_at = 0;
    for point in ["INTENT", "BUNDLE", "POINTER", "RECORD"].into_iter().chain(puts.iter().map(String::as_str)) {
        // Each from the first publication on.
        for (folder, files) in &folders {
            std::fs::remove_dir_all(folder).expect("removed");
            files.iter().for_each(|(path, bytes)| {
                let file = folder.join(path);
                std::fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("made");
                std::fs::write(file, bytes).expect("put back");
            });
        }
        let killed = command(root, &["publish"], &[("VITRINE_FAILPOINT", point)]);
        if killed.status.success() && point.starts_with("PUT") {
            break;
        }
        assert_eq!(killed.status.code(), None, "{point}: {}", String::from_utf8_lossy(&killed.stderr));
        killed_at += 1;
        let served = tree(&root.join("site"));
        for path in before.keys().filter(|path| *path != "manifest.json") {
            assert!(served.contains_key(path), "{path} is missing after {point}");
        }
        assert_eq!(broken(&served), Vec::<String>::new(), "after {point}");
        let (code, _, told) = run(root, &["publish"]);
        assert_eq!(code, 0, "{told}");
        check_is_built(root);
    }
    assert!(killed_at > 12, "{killed_at} points");
    check_is_built(root);
    assert_eq!(publish(root, &[])["id"], Value::Null);
}

#[test]
fn targets_are_checked_where_they_are_written() {
    let check = |written: &str, expected: &[&str]| {
        let shop = folder(&[("site.toml", &(site("EUR") + "\n[[publish]]\n" + written))]);
        let (code, _, told) = run(shop.path(), &["publish", "--dry-run"]);
        assert_eq!(code, 1, "{told}");
        for part in expected {
            assert!(told.contains(part), "{part} in {told}");
        }
        assert!(!told.contains("s3cret"), "what is told lies in the logs of CI: {told}");
    };
    let s3 = "name = \"live\"\nkind = \"s3\"\nbucket = \"b\"\n";
    check(
        &format!("{s3}secret_access_key = \"s3cret\"\n"),
        &["site.toml:", "unknown key `secret_access_key`", "AWS_SECRET_ACCESS_KEY"],
    );
    check(
        "name = \"live\"\nkind = \"ftp\"\nbucket = \"b\"\npassword = \"s3cret\"\n",
        &["unknown variant `ftp`", "unknown key `password`", "take them from the environment"],
    );
    check(&format!("{s3}endpoint = \"https://key:s3cret@s3.example\"\n"), &["credentials do not belong into site.toml"]);
    check(&format!("{s3}endpoint = \"s3.example\"\n"), &["does not begin with http"]);
    check(
        &format!("{s3}keep = 0\nlease_seconds = 0\nprefix = \"a//b\"\nprivate = \"/\"\n"),
        &[
            "write a number from 1 to 1000",
            "write a number from 1 to 3600",
            "a prefix is a path",
            "they need a prefix of their own",
        ],
    );
    check(&format!("{s3}\n[[publish]]\n{s3}"), &["there are two targets `live`"]);
    check("name = \"Live\"\nkind = \"s3\"\n", &["made of a–z", "this target names no `bucket`"]);
    check("name = \"live\"\nkind = \"azure\"\n", &["this target names no `container`"]);
    let far = "http is for this machine alone: credentials would go in the clear";
    check(&format!("{s3}endpoint = \"http://s3.example\"\n"), &["site.toml:", far]);
    check("name = \"live\"\nkind = \"gcs\"\nbucket = \"b\"\nendpoint = \"http://10.0.0.1:4443\"\n", &[far]);
    let azure = "name = \"live\"\nkind = \"azure\"\ncontainer = \"c\"\n";
    check(&format!("{azure}endpoint = \"http://azure.example/account\"\n"), &[far]);
    check(&format!("{azure}endpoint = \"https://azure.example/a/b\"\n"), &["goes on after the host"]);
    check(&format!("{s3}endpoint = \"https://s3.example/b\"\n"), &["goes on after the host"]);
    check(
        &format!("{s3}path = \"www\"\ncontainer = \"c\"\naccount = \"a\"\n"),
        &[
            "a target of kind s3 takes no `path`",
            "takes no `container`",
            "takes no `account`",
            "it takes bucket, region, endpoint",
        ],
    );
    check("name = \"live\"\nkind = \"folder\"\npath = \"www\"\nregion = \"r\"\n", &["a target of kind folder takes no `region`"]);
    let shop =
        folder(&[("site.toml", &(site("EUR") + "\n[[publish]]\n" + s3 + "\n[[publish]]\n" + &s3.replace("live", "test")))]);
    let (code, _, told) = run(shop.path(), &["publish"]);
    assert!(code == 2 && told.contains("name a target with --target: live, test"), "{told}");
    let (code, _, told) = run(shop.path(), &["publish", "--target", "prod"]);
    assert!(code == 2 && told.contains("no target `prod`, only live, test"), "{told}");
}

#[test]
fn credentials_go_to_no_other_machine_in_the_clear() {
    let bucket = "\n[[publish]]\nname = \"live\"\nkind = \"s3\"\nbucket = \"b\"\nregion = \"eu-central-1\"\n";
    let shop = folder(&[("site.toml", &(site("EUR") + bucket)), ("content/products/mug.md", &mug("9.00"))]);
    build(shop.path());
    // An address of the environment passes by site.toml's checks.
    let environment = [
        ("AWS_ENDPOINT", "http://s3.example"),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
    ];
    let (code, _, told) = ended(&command(shop.path(), &["publish", "--dry-run"], &environment));
    assert!(code == 3 && told.contains("s3.example is asked by plain http, in which credentials go in the clear"), "{told}");
}

#[test]
fn a_machine_without_credentials_is_told_so_within_seconds() {
    let bucket = "\n[[publish]]\nname = \"live\"\nkind = \"s3\"\nbucket = \"b\"\nregion = \"eu-central-1\"\n";
    let shop = folder(&[("site.toml", &(site("EUR") + bucket)), ("content/products/mug.md", &mug("9.00"))]);
    let root = shop.path();
    build(root);
    // Takes connections, and never answers: as some networks do where there is no cloud.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", silent.local_addr().expect("an address"));
    let mut command = vitrine(root);
    command.args(["publish", "--dry-run"]).env("VITRINE_BUNDLE_SECRET_KEY", SECRET).env("AWS_METADATA_ENDPOINT", &address);
    for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE"] {
        command.env_remove(variable);
    }
    let started = std::time::Instant::now();
    let (code, _, told) = ended(&command.output().expect("the binary runs"));
    assert!(code == 3 && told.contains("nobody answers at the cloud's metadata address"), "{told}");
    assert!(told.contains("no credentials were found: set AWS_ACCESS_KEY_ID"), "{told}");
    // A bucket that is out of order is tried for ninety.
    assert!(started.elapsed().as_secs() < 45, "{:?}", started.elapsed());
}
