//! `vitrine recipe` as a merchant meets it: what it writes is for this shop, and the shell's is run whole.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use vitrine::edge::router::{PATHS, ROUTES};

use crate::support::shop::{folder, run, site, tree, vitrine, write};

const LAMP: &str = "+++\ntitle = \"Lamp\"\nprice = \"20.00\"\nstock = 3\nredirects = [\"/old/lamp\"]\n+++\nWarm.\n";
const SETTINGS: &str = "\n[payment]\nallow_sandbox_on_public_host = true\n\n[edge]\ntrusted_proxies = [\"127.0.0.1\"]\n\
     origin_secret_header = \"X-Origin-Secret\"\n\n[[publish]]\nname = \"live\"\nkind = \"folder\"\npath = \"../www\"\n";
/// Seed and nothing else: a key for tests.
const SECRET: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

/// A shop in a folder `shop`, with room beside it.
fn shop() -> tempfile::TempDir {
    let folder = folder(&[("shop/site.toml", &(site("EUR") + SETTINGS)), ("shop/content/products/lamp.md", LAMP)]);
    let (code, _, told) = run(&folder.path().join("shop"), &["build"]);
    assert_eq!(code, 0, "{told}");
    folder
}

#[test]
fn every_route_of_the_edge_is_led_to_it() {
    for route in ROUTES {
        let is_below = |path: &str| route.pattern == path || route.pattern.starts_with(&format!("{path}/"));
        assert!(PATHS.iter().any(|path| is_below(path)), "{}", route.pattern);
    }
}

#[test]
fn a_host_is_told_what_the_build_says() {
    let folder = shop();
    let root = folder.path().join("shop");
    let (code, out, told) = run(&root, &["recipe", "nginx"]);
    assert_eq!(code, 0, "{told}");
    let headers = std::fs::read_to_string(root.join("public/_headers")).expect("written");
    for line in headers.lines().take_while(|line| !line.is_empty()).skip(1) {
        let (name, value) = line.trim().split_once(": ").expect("a header");
        assert!(out.contains(&format!("add_header {name} \"{value}\" always;")), "{name} in {out}");
    }
    let www = folder.path().join("www");
    for part in [
        "location = \"/old/lamp\" {",
        "return 301 \"/products/lamp\";",
        "server_name tiny.example;",
        "listen 443 ssl http2;",
        "ssl_certificate /etc/letsencrypt/live/tiny.example/fullchain.pem;",
        "include tiny-origin-secret.conf;",
        &format!("root \"{}\";", www.display()),
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
    assert!(told.contains("note: while the edge is down") && !told.contains("trusted_proxies"), "{told}");
}

#[test]
fn what_is_missing_is_told_before_anything_is_written() {
    let folder = folder(&[("site.toml", &site("EUR")), ("content/products/lamp.md", LAMP)]);
    let root = folder.path();
    let told = |words: &[&str], expected: &str| {
        let (code, out, told) = run(root, &[&["recipe"], words].concat());
        assert!(code == 2 && told.contains(expected) && out.is_empty(), "{words:?}: {code} {told}");
    };
    told(&["nginx"], "run `vitrine build` first");
    told(&["shell"], "names no target");
    told(&["shell", "--target", "live"], "names no target");
    told(&["systemd", "--edge", "a b"], "`a b` is not an address");
    told(&["apache"], "possible values: nginx, caddy");
    assert_eq!(run(root, &["build"]).0, 0);
    told(&["cloudfront"], "kind = \"s3\"");
    let (code, _, said) = run(root, &["recipe", "caddy"]);
    assert!(code == 0 && said.contains("trusted_proxies = [\"127.0.0.1\"]"), "{said}");
    write(root, "site.toml", "[shop]\nname = \"x\"\n");
    assert_eq!(run(root, &["recipe", "caddy"]).0, 1, "settings are told with their place");
}

/// What watches asks for series that there are: every name, and every label that it chooses by.
#[test]
fn what_watches_asks_for_what_the_edge_tells() {
    let folder = shop();
    let root = folder.path().join("shop");
    let rig = crate::support::rig::Rig::open();
    crate::limits::Buyer::at(&rig).pay().expect(200);
    rig.run(rig.till().look_around());
    crate::beacon::one_of_each(&rig.app);
    let (_, page) = rig.operator("/metrics");
    // These come with what waits, and nothing does.
    let comes_later = ["vitrine_outbox_oldest_seconds", "vitrine_webhook_lag_seconds"];
    let known =
        |name: &str| page.contains(&format!("\n{name}{{")) || page.contains(&format!("\n{name} ")) || comes_later.contains(&name);
    for recipe in ["prometheus", "grafana"] {
        let (code, out, told) = run(&root, &["recipe", recipe]);
        assert_eq!(code, 0, "{told}");
        let is_of_name = |sign: char| sign.is_ascii_lowercase() || sign == '_';
        let names: BTreeSet<&str> = out
            .match_indices("vitrine_")
            .map(|(place, _)| &out[place..])
            .map(|text| text.split(|sign| !is_of_name(sign)).next().unwrap_or(text))
            .collect();
        assert!(names.len() >= 15, "{names:?}");
        for name in names {
            assert!(known(name), "{recipe} asks for `{name}`, which /metrics has not:\n{page}");
        }
        for text in
            ["le=\"0.05\"", "le=\"0.5\"", "le=\"1.0\"", "le=\"5.0\"", "status=\"5xx\"", "weight=\"payment\"", "state=\"open\""]
        {
            assert!(page.contains(text), "{text} in {page}");
        }
    }
    let (_, rules, _) = run(&root, &["recipe", "prometheus"]);
    for le in rules.match_indices("le=\"").map(|(place, _)| &rules[place..]).map(|text| text.split(',').next().unwrap_or(text)) {
        assert!(page.contains(le), "{le}");
    }
    // Each route of which something is promised is of one area, and what stands for it is what the edge calls it.
    for route in ROUTES.iter().filter(|route| route.area().is_some()) {
        let quoted: String = route
            .name()
            .chars()
            .map(|sign| if "{}.".contains(sign) { format!("\\\\{sign}") } else { sign.to_string() })
            .collect();
        assert!(rules.contains(&quoted), "{quoted}");
    }
}

#[test]
fn a_promise_that_cannot_be_kept_or_counted_is_told_at_its_place() {
    let folder = folder(&[("content/products/lamp.md", LAMP)]);
    let root = folder.path();
    for (written, said) in [
        ("days = 3", "write a number of days from 7 to 90"),
        ("confirmation_minutes = 0", "write a number of minutes from 1 to 1440"),
        ("cart = { within_ms = 70 }", "answers are not counted by 70 ms"),
        ("cart = { availability = \"100\" }", "100 % of all requests cannot be promised"),
        ("cart = { latency = \"often\" }", "often"),
        ("basket = { latency = \"99\" }", "basket"),
    ] {
        write(root, "site.toml", &format!("{}\n[slo]\n{written}\n", site("EUR")));
        let (code, _, told) = run(root, &["recipe", "prometheus"]);
        assert!(code == 1 && told.contains(said) && told.contains("site.toml:"), "{written}: {code} {told}");
    }
    write(root, "site.toml", &format!("{}\n[slo]\ncart = {{ availability = \"99.5\", within_ms = 10 }}\n", site("EUR")));
    let (_, out, _) = run(root, &["recipe", "prometheus"]);
    assert!(out.contains("> 14.4 * 0.005\n") && out.contains("le=\"0.01\""), "{out}");
}

#[test]
fn files_are_written_where_they_belong_and_over_nothing() {
    let folder = shop();
    let root = folder.path().join("shop");
    let write_all = |name: &str, more: &[&str]| run(&root, &[&["recipe", name, "--out", "."], more].concat());
    for (name, path) in [
        ("github", ".github/workflows/shop.yml"),
        ("gitlab", ".gitlab-ci.yml"),
        ("cloudflare-pages", "functions/checkout/[[path]].js"),
        ("netlify", "netlify/edge-functions/edge.js"),
        ("kubernetes", "edge.yaml"),
    ] {
        let (code, out, told) = write_all(name, &[]);
        assert!(code == 0 && out.is_empty() && told.contains(path), "{name}: {told}");
        assert!(root.join(path).is_file(), "{path}");
    }
    write(&root, "publish.sh", "mine\n");
    let (code, _, told) = write_all("shell", &[]);
    assert!(code == 2 && told.contains("publish.sh is there already; --force"), "{told}");
    assert_eq!(std::fs::read_to_string(root.join("publish.sh")).expect("there"), "mine\n");
    assert_eq!(write_all("shell", &["--force"]).0, 0);
    let several = run(&root, &["recipe", "container"]).1;
    assert!(several.starts_with("==> Containerfile <==\n") && several.contains("\n==> .containerignore <==\n"), "{several}");
}

/// Runs the script of `vitrine recipe shell`; gives its exit code and what it said.
fn publish(root: &Path, words: &[&str]) -> (i32, String) {
    let mut script = Command::new("sh");
    script.arg("publish.sh").args(words).current_dir(root);
    script.env("VITRINE", env!("CARGO_BIN_EXE_vitrine")).env("VITRINE_BUNDLE_SECRET_KEY", SECRET).env("NO_COLOR", "1");
    let output = script.output().expect("a shell runs");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&told).into_owned())
}

#[test]
fn the_script_publishes_says_what_changes_and_stops_where_somebody_should_look() {
    let folder = shop();
    let (root, www) = (folder.path().join("shop"), folder.path().join("www"));
    assert_eq!(run(&root, &["recipe", "shell", "--out", "."]).0, 0);
    let (code, told) = publish(&root, &[]);
    assert_eq!(code, 0, "{told}");
    let page = || String::from_utf8(tree(&www)["products/lamp.html"].clone()).expect("text");
    assert!(page().contains("20.00"), "{told}");
    write(&root, "content/products/lamp.md", &LAMP.replace("20.00", "21.00"));
    let (code, told) = publish(&root, &["--dry-run"]);
    assert!(code == 0 && page().contains("20.00"), "nothing is published: {told}");
    let (code, told) = publish(&root, &[]);
    assert!(code == 0 && page().contains("21.00") && told.contains("21.00"), "{told}");
    write(&root, "content/products/lamp.md", &LAMP.replace("20.00", "2.10"));
    let (code, told) = publish(&root, &[]);
    assert!(code == 1 && page().contains("21.00") && told.contains("--allow changes"), "{code}: {told}");
    let (code, told) = publish(&root, &["--allow", "changes"]);
    assert!(code == 0 && page().contains("2.10"), "{told}");
    write(&root, "content/products/lamp.md", "+++\ntitle = \"Lamp\"\nprice = \"much\"\n+++\n");
    let (code, told) = publish(&root, &[]);
    assert!(code == 1 && page().contains("2.10") && told.contains("lamp.md"), "a shop that is wrong goes no further: {told}");
}

#[test]
fn a_clock_has_the_script_publish_once_a_sale_begins_and_else_do_nothing() {
    let folder = shop();
    let (root, www) = (folder.path().join("shop"), folder.path().join("www"));
    assert_eq!(run(&root, &["recipe", "shell", "--out", "."]).0, 0);
    let sale =
        |from: &str| LAMP.replace("stock = 3", &format!("stock = 3\nsales = [{{ price = \"15.00\", from = \"{from}\" }}]"));
    let page = || String::from_utf8(tree(&www)["products/lamp.html"].clone()).expect("text");
    let due = |words: &[&str]| {
        let output = vitrine(&root).args([&["publish", "due"], words].concat()).env("VITRINE_BUNDLE_SECRET_KEY", SECRET).output();
        let output = output.expect("the binary runs");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, told) = due(&[]);
    assert!(code == Some(0) && told.contains("`live` is due: nothing was published yet"), "{told}");
    // What was never published is; what was, and does not change, is not.
    assert_eq!(publish(&root, &["--if-due"]).0, 0);
    assert!(page().contains("20.00"));
    assert!(due(&[]).1.contains("no page changes of itself"));
    write(&root, "content/products/lamp.md", &sale("2999-01-01"));
    let (code, told) = publish(&root, &["--if-due"]);
    assert!(code == 0 && !told.contains("publication"), "an edit alone is for the job of that edit: {told}");
    assert_eq!(publish(&root, &[]).0, 0);
    assert!(page().contains("20.00"));
    let (code, told) = due(&["--as-of", "2998-12-31T23:59:59Z", "--json"]);
    assert!(code == Some(5) && told.contains("not due before 2999-01-01T00:00:00Z"), "{told}");
    assert!(told.contains("\"due\": false") && told.contains("\"next_change_at\": \"2999-01-01T00:00:00Z\""), "{told}");
    let (code, told) = due(&["--as-of", "2999-01-01"]);
    assert!(code == Some(0) && told.contains("pages change of themselves from 2999-01-01T00:00:00Z on"), "{told}");
    assert_eq!(due(&["--as-of", "soon"]).0, Some(2));
    // A clock that has come there: published as of an instant before the sale, and asked now.
    write(&root, "content/products/lamp.md", &sale("2020-01-01"));
    let words = |words: &[&str]| vitrine(&root).args(words).env("VITRINE_BUNDLE_SECRET_KEY", SECRET).status().expect("it runs");
    assert!(words(&["build", "--as-of", "2019-12-31"]).success());
    assert!(words(&["publish", "--allow", "changes"]).success());
    assert!(page().contains("20.00"));
    let (code, told) = publish(&root, &["--if-due", "--allow", "changes"]);
    assert!(code == 0 && page().contains("15.00"), "{told}");
    assert!(publish(&root, &["--if-due"]).1.contains("no page changes of itself"), "and then no more");
    write(&root, "site.toml", "");
    assert_eq!(publish(&root, &["--if-due"]).0, 1, "what cannot be asked is told");
}

#[test]
fn a_check_counts_what_the_host_takes() {
    let folder = shop();
    let root = folder.path().join("shop");
    let check = |host: &str| {
        write(&root, "site.toml", &(site("EUR") + SETTINGS + &format!("\n[build]\nhost = \"{host}\"\n")));
        run(&root, &["check"])
    };
    let (code, _, told) = check("gitlab-pages");
    assert!(code == 0 && told.contains("warning") && told.contains("GitLab Pages does not read it"), "{told}");
    let (code, _, told) = check("cloudflare-pages");
    assert!(code == 0 && !told.contains("Cloudflare"), "{told}");
    let (code, _, told) = check("geocities");
    assert!(code == 1 && told.contains("cloudflare-pages"), "{told}");
}
