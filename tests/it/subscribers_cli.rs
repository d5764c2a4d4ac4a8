//! `[[webhooks]]` of site.toml, `vitrine webhooks` beside a store in use, and what an edge says at its start.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use vitrine::config;
use vitrine::edge::perform::subscribers;
use vitrine::site::problem::Problems;
use vitrine::store::fact::FactKind;
use vitrine::theme::bundle::SubscriberTerms;

use crate::support::counter::{Counter, Hooks, Shopper};
use crate::support::edge::{BASE_URL, bundle, signing_key};
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::{site, vitrine};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Terms and problems of a site.toml that ends so.
fn read(rest: &str) -> (Vec<SubscriberTerms>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("site.toml"), format!("{}\n{rest}", site("EUR"))).expect("written");
    let mut problems = Problems::new();
    let config = config::read(folder.path(), &mut problems);
    (config.map(|config| config.webhooks).unwrap_or_default(), problems.render(false))
}

#[test]
fn webhooks_of_site_toml_are_of_one_form() {
    let (terms, problems) = read("[[webhooks]]\nname = \"erp\"\nurl = \"https://erp.example/h\"\n");
    assert_eq!(problems, "");
    assert_eq!(terms[0].events, FactKind::ALL.map(FactKind::name));
    let (terms, problems) = read(
        "[[webhooks]]\nname = \"a\"\nurl = \"http://127.0.0.1:1/\"\nevents = [\"order.paid\", \"order.placed\", \"order.paid\"]\n",
    );
    assert_eq!((terms[0].events.as_slice(), problems.as_str()), (&["order.placed".to_owned(), "order.paid".to_owned()][..], ""));
    let one = |name: &str, url: &str, rest: &str| format!("[[webhooks]]\nname = \"{name}\"\nurl = \"{url}\"\n{rest}\n");
    let good = "https://erp.example";
    let many: String = (0..17).map(|number| one(&format!("n{number}"), good, "")).collect();
    for (written, expected) in [
        (one("ERP", good, ""), "made of a–z"),
        (one("e_p", good, ""), "made of a–z"),
        (one(&"e".repeat(41), good, ""), "40 at most"),
        (one("erp", "http://erp.example", ""), "without TLS"),
        (one("erp", "erp", ""), "begins neither"),
        (one("erp", "https://a:b@erp.example", ""), "no password"),
        (one("erp", good, "events = []"), "is told nothing"),
        (one("erp", good, "events = [\"order.payed\"]"), "did you mean \"order.paid\"?"),
        (one("erp", good, "secret = \"whsec_x\""), "unknown key `secret`"),
        (one("erp", good, "") + &one("erp", good, ""), "two webhooks `erp`"),
        (many, "at most 16"),
    ] {
        let (_, told) = read(&written);
        assert!(told.contains(expected) && told.contains("site.toml:"), "no {expected} in {told}");
    }
}

/// Runs `vitrine webhooks` on a store; gives exit code, stdout, stderr.
fn webhooks(store: &Path, arguments: &[&str], secret: Option<&str>) -> (i32, String, String) {
    let mut command = vitrine(Path::new("."));
    command.arg("webhooks").args(arguments).arg("--store").arg(store);
    if let Some(secret) = secret {
        command.env("VITRINE_WEBHOOK_SECRET_ERP", secret);
    }
    let output = command.output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn shop(receiver: &Receiver) -> Counter {
    let all = ["order.placed", "order.paid", "order.canceled"].map(str::to_owned).to_vec();
    let terms = vec![SubscriberTerms { name: "erp".to_owned(), url: receiver.url(), events: all }];
    let secrets = vec![("erp".to_owned(), SECRET.to_owned())];
    let counter = Counter::telling(Hooks { terms, secrets, patience: Duration::from_secs(10) });
    Shopper::with(&counter, "LAMP-S", 1).buy(&counter).expect(200);
    counter
}

fn deliver(counter: &Counter) -> usize {
    counter.run(subscribers::deliver(&counter.app, &counter.till())).expect("the store is well")
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn how_far_a_system_is_behind_is_listed_and_shown() {
    let receiver = Receiver::open();
    let counter = shop(&receiver);
    let store = counter.folder.path().join("shop.db");
    receiver.next(&[Reply::Status(200), Reply::Status(500)]);
    assert_eq!(deliver(&counter), 1);
    let (code, out, _) = webhooks(&store, &["list"], None);
    assert_eq!(code, 0);
    let line = out.lines().nth(1).expect("a line");
    for part in ["erp", " 2 ", " 1 ", "2026-09-21T14:13:20Z", "2026-09-21T14:13:21Z", "it answered 500"] {
        assert!(line.contains(part), "no {part} in {out}");
    }
    let listed = parsed(&webhooks(&store, &["list", "--json"], None).1);
    assert_eq!((&listed[0]["name"], &listed[0]["waiting"], &listed[0]["tries"]), (&json!("erp"), &json!(1), &json!(1)));
    let (code, out, _) = webhooks(&store, &["show", "erp"], None);
    assert_eq!(code, 0);
    for part in
        [&receiver.url(), "order.placed, order.paid, order.canceled", "failing since", "1 to 2", "order.paid       T-100001"]
    {
        assert!(out.contains(part), "no {part} in {out}");
    }
    let shown = parsed(&webhooks(&store, &["show", "erp", "--json"], None).1);
    assert_eq!(shown["events_waiting"][0]["type"], "order.paid");
    let (code, _, told) = webhooks(&store, &["show", "crm"], None);
    assert!(code == 2 && told.contains("there are erp"), "{told}");
    let counter = counter.restarted_telling(Hooks { terms: Vec::new(), secrets: Vec::new(), patience: Duration::ZERO });
    let (_, out, _) = webhooks(&store, &["list"], None);
    assert!(out.contains("not in site.toml; its place is kept; it answered 500"), "{out}");
    assert!(webhooks(&store, &["show", "erp"], None).1.contains("removed"));
    drop(counter);
    let (code, _, told) = webhooks(Path::new("nothing.db"), &["list"], None);
    assert!(code == 3 && told.contains("there is no store"), "{told}");
}

#[test]
fn a_replay_beside_a_store_in_use_says_what_is_sent_again() {
    let receiver = Receiver::open();
    let counter = shop(&receiver);
    let store = counter.folder.path().join("shop.db");
    let (code, _, told) = webhooks(&store, &["replay", "erp", "--from", "1"], None);
    assert!(code == 2 && told.contains("was sent nothing yet"), "{told}");
    assert_eq!(deliver(&counter), 2);
    let (code, out, _) = webhooks(&store, &["replay", "erp", "--from", "2", "--dry-run"], None);
    assert!(code == 0 && out.contains("1 event(s) would be sent to erp, from 2 on") && out.contains("order.paid"), "{out}");
    assert_eq!((deliver(&counter), receiver.received().len()), (0, 2));
    let (code, out, _) = webhooks(&store, &["replay", "erp", "--from", "1", "--json"], None);
    let said = parsed(&out);
    assert_eq!((code, &said["count"], &said["from"], &said["dry_run"]), (0, &json!(2), &json!(1), &json!(false)));
    assert_eq!((deliver(&counter), receiver.received().len()), (2, 4));
    assert_eq!(receiver.received()[0].body, receiver.received()[2].body);
    for (from, expected) in [("3", "--from goes back to 1 to 2"), ("0", "0 is not in"), ("x", "invalid digit")] {
        let (code, _, told) = webhooks(&store, &["replay", "erp", "--from", from], None);
        assert!(code == 2 && told.contains(expected), "{from}: {told}");
    }
}

#[test]
fn a_test_is_signed_and_its_answer_is_told() {
    let receiver = Receiver::open();
    let counter = shop(&receiver);
    let store = counter.folder.path().join("shop.db");
    let (code, _, told) = webhooks(&store, &["test", "erp"], None);
    assert!(code == 2 && told.contains("VITRINE_WEBHOOK_SECRET_ERP is not set"), "{told}");
    let (code, _, told) = webhooks(&store, &["test", "erp"], Some("hush"));
    assert!(code == 2 && told.contains("VITRINE_WEBHOOK_SECRET_ERP: a secret is") && !told.contains("hush"), "{told}");
    let (code, out, _) = webhooks(&store, &["test", "erp"], Some(SECRET));
    assert!(code == 0 && out.contains("erp accepted it with 204 No Content in "), "{out}");
    let sent = &receiver.received()[0];
    assert!(sent.is_signed_with(SECRET));
    assert_eq!(
        (&sent.json()["type"], &sent.json()["data"]),
        (&json!("webhook.test"), &json!({"sequence": 0, "subscriber": "erp"}))
    );
    receiver.next(&[Reply::Status(403), Reply::Status(410)]);
    let (code, _, told) = webhooks(&store, &["test", "erp"], Some(SECRET));
    assert!(code == 3 && told.contains("it answered 403 Forbidden"), "{told}");
    let (code, out, _) = webhooks(&store, &["test", "erp", "--json"], Some(SECRET));
    assert_eq!((code, &parsed(&out)["accepted"]), (3, &json!(false)));
    let log = counter.run(counter.till().store.audit(None, None, 10)).expect("the log");
    let log: Vec<_> = log.iter().map(|one| (one.operator.as_str(), one.action.as_str(), one.subject.as_str())).collect();
    assert_eq!(log, [("command line", "test event", "erp"); 3]);
    // It is no event: nothing of what waits has moved.
    assert_eq!(deliver(&counter), 2);
}

#[test]
fn a_fresh_secret_is_a_line_of_an_environment_file() {
    let (code, out, _) = webhooks(Path::new("nothing.db"), &["secret", "my-erp"], None);
    let secret = out.trim_end().strip_prefix("VITRINE_WEBHOOK_SECRET_MY_ERP=").expect("a line");
    assert!(code == 0 && subscribers::message::Secret::list(secret).is_ok_and(|list| list.len() == 1), "{out}");
}

#[test]
fn an_edge_names_the_secret_that_it_lacks() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut named = bundle(BASE_URL, 1990);
    let url = "https://erp.example/hooks".to_owned();
    named.webhooks = vec![SubscriberTerms { name: "my-erp".to_owned(), url, events: vec!["order.paid".to_owned()] }];
    fs::write(folder.path().join("shop.bundle"), named.seal(&signing_key())).expect("a bundle");
    for (secret, expected) in [
        (None, "set VITRINE_WEBHOOK_SECRET_MY_ERP to its secret; `vitrine webhooks secret my-erp` makes one"),
        (Some("whsec_c2hvcnQ="), "VITRINE_WEBHOOK_SECRET_MY_ERP: a secret is `whsec_` and 24 to 64 bytes in base64"),
        (Some(""), "VITRINE_WEBHOOK_SECRET_MY_ERP: it is empty"),
    ] {
        let mut command = vitrine(folder.path());
        command.args(["edge", "--listen", "127.0.0.1:0", "--operator", "127.0.0.1:0"]);
        let key = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, signing_key().verifying_key().0);
        command.env("VITRINE_BUNDLE_PUBLIC_KEYS", key);
        if let Some(secret) = secret {
            command.env("VITRINE_WEBHOOK_SECRET_MY_ERP", secret);
        }
        let output = command.output().expect("the binary runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && told.contains(expected), "{secret:?}: {told}");
    }
}
