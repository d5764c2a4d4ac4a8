//! Desk's command line: operators are made and kept out, passwords are never arguments, and what commands do is in the same log.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::orders_cli::orders;
use crate::support::counter::{Counter, Shopper};
use crate::support::shop::{run, vitrine};

const PASSWORD: &str = "five small words of mine\n";

fn operators(counter: &Counter, words: &[&str], input: &str) -> (i32, String, String) {
    let store = counter.folder.path().join("shop.db");
    let mut child = vitrine(counter.folder.path())
        .arg("operators")
        .args(words)
        .args(["--store", store.to_str().expect("UTF-8")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // A command that reads no password may be gone already.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn operators_are_made_listed_kept_out_and_let_in_again() {
    let counter = Counter::open();
    let (code, _, told) = operators(&counter, &["add", "ada"], PASSWORD);
    assert!(code == 0 && told.contains("ada can sign in at /desk"), "{told}");
    for (words, input, expected) in [
        (&["add", "ada"][..], PASSWORD, "`vitrine operators password ada`"),
        (&["add", "Ada L"], PASSWORD, "a name has 1 to 64 of a-z"),
        (&["add", "bob"], "short\n", "at least 12 letters"),
        (&["add", "bob"], "", "at least 12 letters"),
        (&["add", "bobbobbobbob"], "bobbobbobbob\n", "nothing but the name"),
        (&["disable", "eve"], "", "there is no operator `eve`"),
        (&["password", "eve"], PASSWORD, "`vitrine operators list`"),
        (&["add", "bob", "secret words of bob"], "", "unexpected argument"),
    ] {
        let (code, out, told) = operators(&counter, words, input);
        assert!(code == 2 && told.contains(expected), "{words:?}: {out}{told}");
    }
    let list = || parsed(&operators(&counter, &["list", "--json"], "").1);
    assert_eq!(
        (list().as_array().map(Vec::len), &list()[0]["name"], &list()[0]["disabled_at"]),
        (Some(1), &"ada".into(), &Value::Null)
    );
    assert_eq!(operators(&counter, &["disable", "ada"], "").0, 0);
    assert!(list()[0]["disabled_at"].is_i64() && operators(&counter, &["list"], "").1.contains("kept out since"));
    assert_eq!(operators(&counter, &["password", "ada"], "other words of mine\n").0, 0);
    assert!(list()[0]["disabled_at"].is_null());
    let log = parsed(&operators(&counter, &["audit", "--json"], "").1);
    let actions: Vec<&str> = log.as_array().expect("a list").iter().filter_map(|one| one["action"].as_str()).collect();
    assert_eq!(actions, ["password changed", "operator disabled", "operator added"]);
    let everything = format!("{log} {:?}", list());
    assert!(!everything.contains("words") && !everything.contains("argon2"), "{everything}");
}

#[test]
fn what_commands_do_is_in_the_log_and_notes_are_in_the_history() {
    let counter = Counter::open();
    Shopper::with(&counter, "LAMP-S", 1).buy(&counter).expect(200);
    counter.round();
    let store = counter.folder.path().join("shop.db");
    let store = store.to_str().expect("UTF-8");
    assert_eq!(orders(&counter, &["note", "T-100001", "Ada called; call back."]).0, 0);
    assert_eq!(orders(&counter, &["note", "T-100001", " "]).0, 2);
    assert!(orders(&counter, &["show", "T-100001"]).1.contains("command line wrote Ada called; call back."));
    assert_eq!(orders(&counter, &["refund", "T-100001", "--amount", "4.80", "--yes"]).0, 0);
    assert_eq!(orders(&counter, &["resend-mail", "T-100001"]).0, 0);
    // What changes nothing leaves no entry.
    for _ in 0..2 {
        assert_eq!(orders(&counter, &["fulfil", "T-100001", "--key", "label-7", "--carrier", "Tiny Post"]).0, 0);
    }
    let sent = parsed(&orders(&counter, &["show", "T-100001", "--json"]).1)["fulfillments"][0]["id"].clone();
    for _ in 0..2 {
        assert_eq!(orders(&counter, &["unfulfil", sent.as_str().expect("a name")]).0, 0);
    }
    assert_eq!(run(counter.folder.path(), &["stock", "set", "MUG", "7", "--store", store]).0, 0);
    assert_eq!(run(counter.folder.path(), &["edge", "pause", "payments", "--store", store]).0, 0);
    let (code, out, _) = operators(&counter, &["audit"], "");
    assert_eq!(code, 0);
    for words in [
        "note",
        "refund",
        "24.80 EUR left → 20.00 EUR left",
        "mail again",
        "1 × LAMP-S, Tiny Post",
        "not sent after all",
        "stock set MUG",
        "never counted → 7",
        "payments paused",
    ] {
        assert!(out.contains(words), "{words} in {out}");
    }
    assert!(out.lines().all(|line| line.contains("command line")), "{out}");
    assert_eq!((out.matches("Tiny Post").count(), out.matches("not sent after all").count()), (1, 1), "{out}");
}
