//! `vitrine edge pause payments` and `resume`, beside a shop that runs.

use serde_json::Value;

use crate::limits::Buyer;
use crate::support::counter::{Counter, GOOD, Shopper, redirect_url};
use crate::support::rig::{Health, Rig};
use crate::support::shop::{run, vitrine};

/// The command on a shop's file; gives exit code, what it printed, and what it said.
fn edge(counter: &Counter, words: &[&str]) -> (i32, Value, String) {
    let store = counter.folder.path().join("shop.db");
    let store = store.to_str().expect("text");
    let mut all = vec!["edge"];
    all.extend_from_slice(words);
    all.extend_from_slice(&["--store", store]);
    let (code, out, told) = run(counter.folder.path(), &all);
    (code, serde_json::from_str(&out).unwrap_or(Value::Null), told)
}

#[test]
fn paused_payments_do_not_begin_and_those_under_way_go_on() {
    let counter = Counter::open();
    let mut first = Shopper::with(&counter, "LAMP-S", 1);
    let ready = first.check_out();
    let paying = first.pay(&ready).expect(200).json();
    let mut second = Shopper::with(&counter, "LAMP-S", 1);
    let waiting = second.check_out();

    let (code, out, told) = edge(&counter, &["pause", "payments", "--reason", "bank holiday"]);
    assert_eq!((code, out), (0, Value::Null), "{told}");
    for word in ["paused from now on", "bank holiday", "shoppers", "vitrine edge resume payments", "captures"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    // From the commit on, even before the edge has looked around.
    let got = second.pay(&waiting);
    assert!(got.body.contains("Card payments are interrupted. You have not been charged."), "{}", got.body);
    assert_eq!((got.header("retry-after"), got.clone().code(503).as_str()), ("60", "payments_paused"));
    assert_eq!((counter.stock("LAMP-S"), counter.orders().len()), ((100, 1, 0), 1), "nothing is held or written for it");
    counter.run(counter.till().look_around());
    assert_eq!(second.pay(&waiting).code(503), "payments_paused");

    let back = counter.give_card(redirect_url(&paying), GOOD);
    first.come_back(&back).expect(303);
    counter.round();
    assert_eq!((counter.captured().len(), counter.mails().len()), (1, 1), "what was under way is taken, and told");

    let (code, out, _) = edge(&counter, &["pause", "payments", "--json"]);
    assert_eq!((code, &out["payments"], &out["changed"], &out["reason"]), (0, &"paused".into(), &false.into(), &"".into()));
    let (code, out, _) = edge(&counter, &["resume", "payments", "--json"]);
    assert_eq!((code, &out["payments"], &out["changed"]), (0, &"open".into(), &true.into()), "{out}");
    let (code, _, told) = edge(&counter, &["resume", "payments"]);
    assert_eq!((code, told.contains("were not paused")), (0, true), "{told}");
    counter.run(counter.till().look_around());
    assert_eq!(second.pay(&waiting).expect(200).json()["payment"]["state"], "redirect");
}

#[test]
fn what_cannot_be_paused_is_said() {
    let counter = Counter::open();
    assert_eq!(edge(&counter, &["pause", "carts"]).0, 2);
    let (code, _, told) = edge(&counter, &["pause", "payments", "--reason", &"x".repeat(501)]);
    assert_eq!((code, told.contains("at most 500 bytes")), (2, true), "{told}");
    let empty = tempfile::tempdir().expect("a folder");
    let (code, _, told) = run(empty.path(), &["edge", "pause", "payments"]);
    assert_eq!((code, told.contains("there is no store at")), (3, true), "{told}");
}

#[test]
fn a_pause_is_seen_by_operators() {
    let rig = Rig::open();
    rig.run(rig.till().store.pause_payments("audit", rig.app.clock.now())).expect("paused");
    rig.run(rig.till().look_around());
    let (status, told) = rig.operator("/readyz");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    // Carts are served, webhooks kept and captures made: no load balancer should take this edge away.
    assert_eq!((status, &told["ready"], &told["payments"]), (200, &true.into(), &"paused".into()));
    assert_eq!(told["pause"]["reason"], "audit");
    Buyer::at(&rig).pay().expect(503);
    assert_eq!(rig.metric("vitrine_payments_paused"), 1.0);
    assert_eq!(rig.metric("vitrine_payments_refused_total{reason=\"paused\"}"), 1.0);
    // A look that fails tells what was seen before, and that it is of before.
    *rig.store.lock().expect("unharmed") = Health::Down;
    rig.run(rig.till().look_around());
    let (status, told) = rig.operator("/readyz");
    assert!(
        told.contains("\"ready\":false")
            && told.contains("\"payments\":\"store_failing\"")
            && told.contains("audit")
            && told.contains("the disk is gone"),
        "{told}"
    );
    assert_eq!((status, rig.metric("vitrine_store_up")), (503, 0.0));
}

#[test]
fn whatever_works_beside_an_edge_finds_its_file_as_the_edge_does() {
    let counter = Counter::open();
    Shopper::with(&counter, "LAMP-S", 1).buy(&counter).expect(200);
    let (elsewhere, folder) = (tempfile::tempdir().expect("a folder"), counter.folder.path());
    let commands: [&[&str]; 6] = [
        &["edge", "pause", "payments", "--json"],
        &["edge", "resume", "payments", "--json"],
        &["orders", "list", "--json"],
        &["stock", "show", "--json"],
        &["webhooks", "list", "--json"],
        &["store", "verify", "--json"],
    ];
    let ran = |words: &[&str], variables: &[(&str, &std::path::Path)]| {
        let mut command = vitrine(elsewhere.path());
        let output = command.args(words).envs(variables.iter().copied()).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (file, none) = (folder.join("shop.db"), folder.join("none.db"));
    for words in commands {
        assert_eq!(ran(words, &[]).0, Some(3), "{words:?} finds no file of its own");
        for variables in [[("VITRINE_STORE", file.as_path())], [("VITRINE_STATE", folder)]] {
            let (code, told) = ran(words, &variables);
            assert_eq!(code, Some(0), "{words:?} {variables:?}: {told}");
        }
        let (code, told) = ran(words, &[("VITRINE_STATE", folder), ("VITRINE_STORE", &none)]);
        assert!(code == Some(3) && told.contains("none.db"), "{words:?}: {told}");
        let said = [words, &["--store", file.to_str().expect("text")]].concat();
        assert_eq!(ran(&said, &[("VITRINE_STORE", &none)]).0, Some(0), "{words:?}: what is said goes before the variable");
    }
}
