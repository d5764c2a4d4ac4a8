//! Purge: what caches are told over the wire, when, and what is owed where they refuse.

use std::collections::BTreeSet;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::publish::{SECRET, build, ended, mug, outcome, shop_with};
use crate::support::cdn::{Asked, Cdn, Reply};
use crate::support::shop::{changed, folder, site, tree, vitrine, write};

const OK: Reply = (200, "", "{\"success\": true, \"errors\": [], \"messages\": [], \"result\": {\"id\": \"1\"}}");
const TOKEN: &str = "token-that-nobody-may-read";

/// A shop that is published once, with its caches told so.
fn shop(purge: &str) -> tempfile::TempDir {
    shop_with(&format!("purge = {purge}\n"))
}

fn run(root: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = vitrine(root);
    command.args(words).env("VITRINE_BUNDLE_SECRET_KEY", SECRET).env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    for variable in ["CLOUDFLARE_API_TOKEN", "FASTLY_API_TOKEN", "AWS_SECRET_ACCESS_KEY", "VITRINE_PURGE_SECRET_LIVE"] {
        command.env(variable, TOKEN);
    }
    let ended = ended(&command.output().expect("the binary runs"));
    assert!(!ended.1.contains(TOKEN) && !ended.2.contains(TOKEN), "a secret is told: {ended:?}");
    ended
}

fn publish(root: &Path, words: &[&str]) -> Value {
    outcome(run(root, &[&["publish", "--json"], words].concat()))
}

/// Builds with another price; gives the addresses that have other bytes then.
fn edit(root: &Path, price: &str) -> Vec<String> {
    let before = tree(&root.join("public"));
    write(root, "content/products/mug.md", &mug(price));
    build(root);
    let paths = changed(&before, &tree(&root.join("public")));
    let asked = paths.iter().filter(|path| !path.starts_with("a/") && !path.starts_with('_') && *path != "manifest.json");
    let address = |path: &String| match path.strip_suffix(".html") {
        Some("index") => "https://tiny.example/".to_owned(),
        Some(page) => format!("https://tiny.example/{page}"),
        None => format!("https://tiny.example/{path}"),
    };
    let urls: BTreeSet<String> = asked.map(address).collect();
    assert!(urls.contains("https://tiny.example/products/mug") && urls.contains("https://tiny.example/"), "{urls:?}");
    urls.into_iter().collect()
}

/// The record's number and a page, as the target has them at the instant of a call.
fn look(root: &Path) -> impl Fn() -> String + Send + 'static {
    let root = root.to_owned();
    move || {
        let page = std::fs::read_to_string(root.join("site/products/mug.html")).unwrap_or_default();
        let record = std::fs::read_to_string(root.join("site.private/published.json")).unwrap_or_default();
        let record: Value = serde_json::from_str(&record).unwrap_or_default();
        format!("{} {page}", record["id"])
    }
}

fn files(asked: &[Asked]) -> Vec<String> {
    let named = |asked: &Asked| asked.json()["files"].as_array().expect("a list").clone();
    asked.iter().flat_map(named).map(|url| url.as_str().expect("an address").to_owned()).collect()
}

/// A shop whose caches are Cloudflare's, on this machine.
fn at_cloudflare(more: &str) -> (tempfile::TempDir, Cdn) {
    let shop = tempfile::tempdir().expect("a folder");
    let cdn = Cdn::open(OK, look(shop.path()));
    let made = self::shop(&format!("{{ kind = \"cloudflare\", zone = \"0ab1\", endpoint = \"{}\"{more} }}", cdn.origin()));
    // The server looks into a folder that it was told of before the shop was made.
    std::fs::remove_dir(shop.path()).and_then(|()| std::fs::rename(made.path(), shop.path())).expect("moved");
    (shop, cdn)
}

#[test]
fn cloudflare_is_told_exactly_what_changed_after_it_is_there_in_groups() {
    let (shop, cdn) = at_cloudflare(", batch = 2");
    let root = shop.path();
    let first = publish(root, &[]);
    assert_eq!((first["purged"].as_u64(), cdn.asked().len()), (Some(0), 0), "nobody asked for anything yet");
    let urls = edit(root, "9.50");
    let plan = publish(root, &["--dry-run"]);
    assert_eq!((plan["purge"].clone(), cdn.asked().len()), (json!(urls), 0), "a dry run tells and asks nothing");
    let outcome = publish(root, &[]);
    assert_eq!((outcome["purged"].as_u64(), &outcome["owed"]), (Some(urls.len() as u64), &json!([])));
    let asked = cdn.asked();
    assert_eq!(asked.len(), urls.len().div_ceil(2));
    assert_eq!(files(&asked), urls, "in order, each once");
    for one in &asked {
        assert_eq!((one.method.as_str(), one.path.as_str()), ("POST", "/client/v4/zones/0ab1/purge_cache"));
        assert_eq!(one.headers["authorization"], format!("Bearer {TOKEN}"));
        assert_eq!(one.headers["content-type"], "application/json");
        assert_eq!(one.json().as_object().map(serde_json::Map::len), Some(1), "nothing but files");
        assert!(one.json()["files"].as_array().is_some_and(|files| files.len() <= 2));
        assert!(one.seen.contains("9.50") && one.seen.starts_with("2 "), "purged before it was there");
    }
    assert!(!root.join("site.private/owed.json").exists(), "nothing is owed");
    assert_eq!((publish(root, &[])["purged"].as_u64(), cdn.asked().len()), (Some(0), 0), "a second time there is nothing to do");
    // The way back changes the same addresses.
    publish(root, &["--rollback"]);
    assert_eq!(files(&cdn.asked()), urls);
}

#[test]
fn a_busy_api_is_asked_again_and_a_refusal_leaves_the_publication_standing() {
    let (shop, cdn) = at_cloudflare("");
    let root = shop.path();
    publish(root, &[]);
    let urls = edit(root, "9.50");
    cdn.next(&[(429, "retry-after: 0\r\n", "slow down"), (502, "", "<html>")]);
    publish(root, &[]);
    let asked = cdn.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|one| one.body == asked[0].body && files(&asked[..1]) == urls), "the same again");

    // The vendor echoes the token, as some do.
    const NO: Reply =
        (403, "", "{\"success\": false, \"errors\": [{\"code\": 1, \"message\": \"no token-that-nobody-may-read here\"}]}");
    let first = edit(root, "9.70");
    cdn.next(&[NO]);
    let (code, out, told) = run(root, &["publish", "--json"]);
    let outcome: Value = serde_json::from_str(&out).expect("an outcome");
    assert_eq!((code, &outcome["id"], &outcome["owed"]), (4, &json!(3), &json!(first)), "{told}");
    assert!(told.contains("it answered 403: no … here; CLOUDFLARE_API_TOKEN has to be"), "{told}");
    assert!(told.contains("\n  https://tiny.example/products/mug\n"), "{told}");
    assert!(told.contains("`vitrine publish --target live --purge` tries again"), "{told}");
    assert!(std::fs::read_to_string(root.join("site/products/mug.html")).expect("a page").contains("9.70"), "it is live");
    assert_eq!(cdn.asked().len(), 1, "a refusal is not asked again");
    let plan = publish(root, &["--purge", "--dry-run"]);
    assert_eq!(plan["purge"], json!(first));
    // A success by status alone is none.
    cdn.next(&[(200, "", "{\"success\": false, \"errors\": [{\"code\": 2, \"message\": \"unable to purge\"}]}")]);
    let (code, _, told) = run(root, &["publish", "--purge"]);
    assert!(code == 4 && told.contains("unable to purge"), "{told}");
    cdn.asked();
    assert_eq!(publish(root, &["--purge"])["purged"].as_u64(), Some(first.len() as u64));
    assert_eq!(files(&cdn.asked()), first);
    let (code, _, told) = run(root, &["publish", "--purge"]);
    assert!(code == 0 && told.contains("caches were told of everything") && cdn.asked().is_empty(), "{told}");

    // Whoever looks for what was changed by hand is told of it too, and whoever puts that back pays it.
    let owed = edit(root, "9.30");
    cdn.next(&[NO]);
    assert_eq!(run(root, &["publish"]).0, 4);
    let (code, out, told) = run(root, &["publish", "--verify", "--json"]);
    let findings: Value = serde_json::from_str(&out).expect("findings");
    assert_eq!((code, &findings["owed"], &findings["changed"]), (1, &json!(owed), &json!([])));
    assert!(told.contains(&format!("caches were not told of {} addresses", owed.len())), "{told}");
    assert!(told.contains("\n  https://tiny.example/products/mug\n"), "{told}");
    cdn.asked();
    assert_eq!(publish(root, &["--repair"])["purged"].as_u64(), Some(owed.len() as u64));
    assert_eq!((files(&cdn.asked()), run(root, &["publish", "--verify"]).0), (owed, 0));

    // What a publication owes, the next one pays, even one that has nothing to put.
    let owed = edit(root, "9.50");
    cdn.next(&[NO]);
    assert_eq!(run(root, &["publish"]).0, 4);
    cdn.asked();
    let outcome = publish(root, &[]);
    assert_eq!((&outcome["id"], files(&cdn.asked())), (&Value::Null, owed));
}

#[test]
fn a_job_that_is_killed_between_its_record_and_the_purge_leaves_it_to_the_next_one() {
    let (shop, cdn) = at_cloudflare("");
    let root = shop.path();
    publish(root, &[]);
    let mut prices = ["9.50", "9.70"].into_iter().cycle();
    for point in ["PUT:1", "OWED", "PUT:2", "PUT:3", "RECORD", "PURGED"] {
        let urls = edit(root, prices.next().expect("without end"));
        let mut command = vitrine(root);
        command.arg("publish").envs([("VITRINE_FAILPOINT", point), ("VITRINE_BUNDLE_SECRET_KEY", SECRET)]);
        let killed = command.env("CLOUDFLARE_API_TOKEN", TOKEN).output().expect("the binary runs");
        assert_eq!(killed.status.code(), None, "{point}: {}", String::from_utf8_lossy(&killed.stderr));
        assert_eq!(cdn.asked().is_empty(), point != "PURGED", "{point}");
        publish(root, &[]);
        assert_eq!(files(&cdn.asked()), urls, "after {point}");
    }
}

#[test]
fn fastly_is_told_address_by_address() {
    let cdn = Cdn::open((200, "", "{\"status\": \"ok\", \"id\": \"1\"}"), String::new);
    let shop = shop(&format!("{{ kind = \"fastly\", soft = true, endpoint = \"{}\" }}", cdn.origin()));
    let root = shop.path();
    publish(root, &[]);
    let urls = edit(root, "9.50");
    cdn.next(&[(503, "", "")]);
    publish(root, &[]);
    let asked = cdn.asked();
    let paths: BTreeSet<String> = asked.iter().map(|one| one.path.clone()).collect();
    let expected = urls.iter().map(|url| url.replace("https://", "/purge/"));
    assert_eq!((paths, asked.len()), (expected.collect(), urls.len() + 1));
    for one in &asked {
        assert_eq!((one.method.as_str(), one.headers["fastly-key"].as_str()), ("POST", TOKEN));
        assert_eq!((one.headers["fastly-soft-purge"].as_str(), one.body.as_str()), ("1", ""));
    }
}

#[test]
fn cloudfront_is_told_by_signed_invalidations_that_cost_nothing_twice() {
    let cdn = Cdn::open((201, "", "<Invalidation><Id>I1</Id></Invalidation>"), String::new);
    let shop = shop(&format!("{{ kind = \"cloudfront\", distribution = \"E2EXAMPLE\", endpoint = \"{}\" }}", cdn.origin()));
    let root = shop.path();
    publish(root, &[]);
    let urls = edit(root, "9.50");
    let busy =
        "<ErrorResponse><Error><Code>TooManyInvalidationsInProgress</Code><Message>Wait.</Message></Error></ErrorResponse>";
    cdn.next(&[(400, "", busy)]);
    publish(root, &[]);
    let asked = cdn.asked();
    assert_eq!(asked.len(), 2, "what passes by itself is waited for");
    assert_eq!(asked[0].body, asked[1].body, "the same caller's reference");
    let one = &asked[1];
    assert_eq!((one.method.as_str(), one.path.as_str()), ("POST", "/2020-05-31/distribution/E2EXAMPLE/invalidation"));
    let paths: String = urls.iter().map(|url| format!("<Path>{}</Path>", &url["https://tiny.example".len()..])).collect();
    let (head, reference) = one.body.split_once("<CallerReference>").expect("a reference");
    assert_eq!(
        head,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">\
             <Paths><Quantity>{}</Quantity><Items>{paths}</Items></Paths>",
            urls.len()
        )
    );
    assert!(reference.starts_with("vitrine-2-") && reference.ends_with("</CallerReference></InvalidationBatch>"), "{reference}");
    assert_eq!(one.headers["authorization"], signature(one, TOKEN));

    let denied = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized.</Message></Error></ErrorResponse>";
    edit(root, "9.70");
    cdn.next(&[(403, "", denied)]);
    let (code, _, told) = run(root, &["publish"]);
    assert!(
        code == 4 && told.contains("it answered 403: AccessDenied: Not authorized.") && told.contains("CreateInvalidation"),
        "{told}"
    );
}

/// Signature Version 4 as Amazon's documentation tells it step by step; nothing of the shop's code is asked.
fn signature(asked: &Asked, secret: &str) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let hmac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let body = hex(&Sha256::digest(asked.body.as_bytes()));
    assert_eq!(asked.headers["x-amz-content-sha256"], body);
    let names = ["content-type", "host", "x-amz-content-sha256", "x-amz-date"];
    let headers: String = names.iter().map(|name| format!("{name}:{}\n", asked.headers[*name])).collect();
    let canonical = format!("{}\n{}\n\n{headers}\n{}\n{body}", asked.method, asked.path, names.join(";"));
    let at = &asked.headers["x-amz-date"];
    let scope = format!("{}/us-east-1/cloudfront/aws4_request", &at[..8]);
    let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part));
    let (names, signed) = (names.join(";"), hex(&hmac(&key, &text)));
    format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}, Signature={signed}")
}

#[test]
fn whoever_takes_addresses_by_http_is_told_one_by_one_or_in_lists() {
    let cdn = Cdn::open((204, "", ""), String::new);
    let url = format!("{}/purge?of={{encoded_url}}&host={{host}}", cdn.origin());
    let shop = shop(&format!("{{ kind = \"http\", method = \"PURGE\", url = \"{url}\", header = \"X-Key\" }}"));
    let root = shop.path();
    publish(root, &[]);
    let urls = edit(root, "9.50");
    publish(root, &[]);
    let asked = cdn.asked();
    let paths: BTreeSet<String> = asked.iter().map(|one| one.path.clone()).collect();
    assert!(paths.contains("/purge?of=https%3A%2F%2Ftiny%2Eexample%2Fproducts%2Fmug&host=tiny.example"), "{paths:?}");
    assert_eq!(paths.len(), urls.len());
    assert!(asked.iter().all(|one| one.method == "PURGE" && one.headers["x-key"] == TOKEN && one.body.is_empty()));

    let settings = std::fs::read_to_string(root.join("site.toml")).expect("settings");
    let listed = format!("purge = {{ kind = \"http\", url = \"{}/lists\", list = \"objects\", batch = 3 }}\n", cdn.origin());
    let (before, _) = settings.split_once("purge = ").expect("it is the last");
    write(root, "site.toml", &format!("{before}{listed}"));
    let urls = edit(root, "9.70");
    publish(root, &[]);
    let asked = cdn.asked();
    let named = |one: &Asked| one.json()["objects"].as_array().expect("a list").clone();
    assert_eq!(Value::Array(asked.iter().flat_map(named).collect()), json!(urls));
    assert!(asked.iter().all(|one| one.method == "POST" && one.path == "/lists" && one.headers["authorization"] == TOKEN));
    assert_eq!(asked.len(), urls.len().div_ceil(3));
}

#[test]
fn a_missing_secret_is_told_before_anything_is_put() {
    let shop = shop("{ kind = \"cloudflare\", zone = \"0ab1\" }");
    let root = shop.path();
    let mut command = vitrine(root);
    command.arg("publish").env("VITRINE_BUNDLE_SECRET_KEY", SECRET).env_remove("CLOUDFLARE_API_TOKEN");
    let (code, _, told) = ended(&command.output().expect("the binary runs"));
    assert!(code == 2 && told.contains("set CLOUDFLARE_API_TOKEN: caches of the target `live` are purged with it"), "{told}");
    assert!(!root.join("site").exists() || tree(&root.join("site")).is_empty());
    write(root, "site.toml", &std::fs::read_to_string(root.join("site.toml")).expect("settings").replace("purge = ", "# "));
    let (code, _, told) = run(root, &["publish", "--purge"]);
    assert!(code == 2 && told.contains("names no `purge`"), "{told}");
}

#[test]
fn what_is_written_of_caches_is_checked_in_its_place() {
    let check = |purge: &str, expected: &[&str]| {
        let target = "\n[[publish]]\nname = \"live\"\nkind = \"folder\"\npath = \"site\"\n";
        let shop = folder(&[("site.toml", &format!("{}{target}purge = {purge}\n", site("EUR")))]);
        let (code, _, told) = run(shop.path(), &["publish", "--dry-run"]);
        assert_eq!(code, 1, "{told}");
        for part in expected {
            assert!(told.contains(part), "{part} in {told}");
        }
    };
    check("{ kind = \"cloudflare\" }", &["site.toml:23:", "this purge names no `zone`"]);
    check("{ kind = \"cloudflare\", zone = \"a/b\", batch = 501 }", &["`a/b` is no id", "write a number from 1 to 500"]);
    check("{ kind = \"fastly\", zone = \"a\", batch = 2 }", &["takes no `zone`", "takes no `batch`"]);
    check(
        "{ kind = \"cloudfront\", distribution = \"E1\", endpoint = \"http://far.example\" }",
        &["http is for this machine alone"],
    );
    check(
        "{ kind = \"http\", url = \"http://far.example/{path}\", method = \"A B\", header = \"x y\" }",
        &["this is no address of https", "`A B` is no method", "`x y` is no header's name"],
    );
    check("{ kind = \"http\", url = \"https://cdn.example/{adress}\" }", &["no such placeholder", "{encoded_url}"]);
    check("{ kind = \"http\" }", &["this purge names no `url`"]);
    check("{ kind = \"cloudflare\", zone = \"a\", api_token = \"x\" }", &["unknown key `api_token`", "CLOUDFLARE_API_TOKEN"]);
}
