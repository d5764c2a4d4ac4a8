//! Restore: a backup is put in the place of the store while the gateway knows of more. CHECKOUT.md 5.10.13.
//!
//! The oracle is the gateway's ledger: every payment of the lost minutes is an order's or its money went back, and none is taken twice.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use serde_json::{Value, json};
use vitrine::commerce::ids::Timestamp;
use vitrine::commerce::money::{Currency, Money};
use vitrine::edge::perform::mail::Mailer;
use vitrine::edge::perform::reconcile;
use vitrine::gateway::CreatePayment;
use vitrine::store::upkeep;

use crate::faulty::Faulty;
use crate::faulty::faults::Fault;
use crate::support::counter::{Counter, GOOD, Shopper, redirect_url};
use crate::support::edge::NOW;
use crate::support::stripe::{faulty, session_of, stripe};

/// A shop whose gateway outlives its database.
pub(crate) struct Drill {
    pub(crate) counter: Counter,
    pub(crate) faulty: Faulty,
    pub(crate) now: Arc<AtomicI64>,
    pub(crate) backup: PathBuf,
    _ledger: tempfile::TempDir,
}

impl Drill {
    pub(crate) fn open() -> Self {
        let now = Arc::new(AtomicI64::new(NOW.0));
        let (faulty, ledger) = faulty(&now);
        let counter = Counter::paid_by(Some(stripe(&faulty.base)), now.clone());
        counter.round();
        let backup = counter.folder.path().join("backup.db");
        Self { counter, faulty, now, backup, _ledger: ledger }
    }

    pub(crate) fn back_up(&self) {
        let from = self.counter.folder.path().join("shop.db");
        let copied = upkeep::back_up(&from, &self.backup, true, self.counter.app.clock.now()).expect("a backup");
        assert!(copied.report.findings.is_empty(), "{:?}", copied.report);
    }

    /// The same gateway, and what is made of the shop.
    pub(crate) fn with(self, make: impl FnOnce(Counter) -> Counter) -> Self {
        Self { counter: make(self.counter), ..self }
    }

    /// Ends the shop and puts the backup in its place.
    pub(crate) fn restore(self) -> Self {
        let backup = self.backup.clone();
        self.with(|counter| counter.restored(&backup))
    }

    /// The same, with another mail server.
    pub(crate) fn restore_written_by(self, mailer: Mailer) -> Self {
        let backup = self.backup.clone();
        self.with(|counter| counter.restored_writing_by(&backup, mailer))
    }

    /// Another, empty database in the place of the shop's.
    pub(crate) fn anew(self) -> Self {
        let (gateway, now) = (stripe(&self.faulty.base), self.now.clone());
        self.with(|_| Counter::paid_by(Some(gateway), now))
    }

    /// At the gateway's page; gives the session.
    pub(crate) fn pays(&self, shopper: &mut Shopper, ready: &Value) -> String {
        session_of(redirect_url(&shopper.pay(ready).expect(200).json())).to_owned()
    }

    /// Somebody new at the gateway's page.
    pub(crate) fn at_the_page(&self) -> (Shopper, String) {
        let mut shopper = Shopper::with(&self.counter, "LAMP-S", 1);
        let ready = shopper.check_out();
        let session = self.pays(&mut shopper, &ready);
        (shopper, session)
    }

    /// Somebody new buys; gives the session.
    pub(crate) fn bought(&self) -> String {
        let (mut shopper, session) = self.at_the_page();
        self.buys(&mut shopper, &session);
        session
    }

    /// Pays and comes back.
    pub(crate) fn buys(&self, shopper: &mut Shopper, session: &str) {
        let back = self.faulty.give_card(session, GOOD);
        shopper.come_back(&back).expect(303);
    }

    /// What the gateway says of a session: how it stands, what was taken, what went back.
    pub(crate) fn standing(&self, session: &str) -> (String, i64, i64) {
        let find = |kind: &str, id: &Value| self.faulty.objects(kind).into_iter().find(|one| one["id"] == *id);
        let session = find("checkout.session", &json!(session)).expect("it was opened");
        let text = |value: &Value| value["status"].as_str().expect("a status").to_owned();
        let Some(intent) = find("payment_intent", &session["payment_intent"]) else { return (text(&session), 0, 0) };
        let back = find("charge", &intent["latest_charge"]).map_or(0, |charge| charge["amount_refunded"].as_i64().unwrap_or(0));
        (text(&intent), intent["amount_received"].as_i64().unwrap_or(0), back)
    }

    /// What the gateway holds or keeps over all, nothing of it being free to be paid.
    pub(crate) fn kept(&self) -> i64 {
        let sessions = self.faulty.objects("checkout.session");
        let all = sessions.iter().map(|session| self.standing(session["id"].as_str().expect("an id")));
        all.map(|(status, taken, back)| {
            assert!(!["open", "requires_capture"].contains(&status.as_str()), "something is left open");
            taken - back
        })
        .sum()
    }

    pub(crate) fn rounds(&self, count: usize) {
        for _ in 0..count {
            self.counter.pass(31);
            self.counter.run(vitrine::edge::perform::orphans::work(&self.counter.app, &self.counter.till())).expect("a round");
            self.counter.round();
        }
    }

    /// (number, paid) of placed orders, oldest first.
    pub(crate) fn orders(&self) -> Vec<(String, bool)> {
        let orders = self.counter.run(self.counter.till().store.orders(Default::default())).expect("orders");
        let mut placed: Vec<(String, bool)> =
            orders.into_iter().filter_map(|order| Some((order.number?, order.paid_at.is_some()))).collect();
        placed.sort();
        placed
    }

    /// (reference, state) of orphans.
    pub(crate) fn orphans(&self) -> Vec<(String, String)> {
        let file = rusqlite::Connection::open(self.counter.folder.path().join("shop.db")).expect("the file");
        let mut select = file.prepare("SELECT reference, state FROM orphans ORDER BY reference").expect("SQL");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.collect::<Result<_, _>>().expect("orphans")
    }

    /// Mails about payments without an order: (reference, what became of it).
    pub(crate) fn told(&self) -> Vec<(String, String)> {
        let names = std::fs::read_dir(self.counter.folder.path().join("mail")).into_iter().flatten();
        let names = names.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
        let mut told: Vec<(String, String)> = names
            .filter_map(|name| {
                let (reference, state) = name.strip_prefix("orphan-")?.strip_suffix(".eml")?.rsplit_once('-')?;
                Some((reference.to_owned(), state.to_owned()))
            })
            .collect();
        told.sort();
        told
    }

    pub(crate) fn operator(&self, path: &str) -> String {
        self.counter.operator(path)
    }

    pub(crate) fn ready(&self) -> Value {
        serde_json::from_str(&self.operator("/readyz")).expect("JSON")
    }
}

pub(crate) fn state(orphans: &[(String, String)], reference: &str) -> String {
    orphans.iter().find(|(of, _)| of == reference).map_or(String::new(), |(_, state)| state.clone())
}

#[test]
fn every_charge_of_the_lost_minutes_is_an_order_or_goes_back() {
    let drill = Drill::open();
    let session_before = drill.bought();
    // At the backup one is about to pay, and one stands at the gateway's page.
    let mut ready_one = Shopper::with(&drill.counter, "LAMP-S", 1);
    let ready = ready_one.check_out();
    let (mut at_page, session_at_page) = drill.at_the_page();
    drill.back_up();
    drill.counter.pass(600);
    let session_ready = drill.pays(&mut ready_one, &ready);
    drill.buys(&mut ready_one, &session_ready);
    drill.buys(&mut at_page, &session_at_page);
    let session_later = drill.bought();
    let (_, session_held) = drill.at_the_page();
    drill.faulty.give_card(&session_held, GOOD);
    let (_, session_open) = drill.at_the_page();
    drop((ready_one, at_page));
    let given: Vec<String> = drill.orders().into_iter().map(|(number, _)| number).collect();
    assert_eq!(given, ["T-100001", "T-100002", "T-100003", "T-100004"]);
    assert_eq!(drill.told(), []);

    let drill = drill.restore();
    drill.rounds(2);
    // The two that the backup knows of are orders, each taken once; what nobody knows of went back.
    for session in [&session_before, &session_ready, &session_at_page] {
        assert_eq!(drill.standing(session), ("succeeded".to_owned(), 2480, 0));
    }
    assert_eq!(drill.standing(&session_later), ("succeeded".to_owned(), 2480, 2480));
    assert_eq!(drill.standing(&session_held).0, "canceled");
    assert_eq!(drill.standing(&session_open).0, "expired");
    assert_eq!(drill.kept(), 3 * 2480);
    // Numbers that were told to somebody are nobody else's.
    let orders = drill.orders();
    assert_eq!(orders.len(), 3);
    assert!(orders.iter().all(|(_, is_paid)| *is_paid), "{orders:?}");
    assert_eq!(orders[0].0, "T-100001");
    assert!(orders[1..].iter().all(|(number, _)| number.as_str() > "T-101000"), "{orders:?}");
    // A person is told of each.
    let mut expected: Vec<(String, String)> =
        [(&session_ready, "adopted"), (&session_later, "returned"), (&session_held, "returned"), (&session_open, "returned")]
            .map(|(session, state)| (session.clone(), state.to_owned()))
            .into();
    expected.sort();
    assert_eq!((drill.told(), drill.orphans()), (expected.clone(), expected));
    let ready = drill.ready();
    assert_eq!((&ready["payments"], &ready["orphans"]), (&json!("open"), &json!({"under_way": 0, "in_review": 0})));
    let metrics = drill.operator("/metrics");
    for line in ["vitrine_in_doubt 0\n", "vitrine_reconciled_payments 6\n", "vitrine_orphans_under_way 0\n"] {
        assert!(metrics.contains(line) && metrics.ends_with("# EOF\n"), "{line}: {metrics}");
    }
    // Life goes on, and a second start finds nothing more to do.
    drill.bought();
    let refunds = drill.faulty.objects("refund").len();
    let drill = drill.with(Counter::restarted);
    drill.counter.run(reconcile::reconcile(&drill.counter.app, &drill.counter.till())).expect("it is compared");
    drill.rounds(2);
    assert_eq!((drill.kept(), drill.faulty.objects("refund").len(), drill.orders().len()), (4 * 2480, refunds, 4));
    let report = upkeep::verify(&drill.counter.folder.path().join("shop.db")).expect("a store");
    assert_eq!((report.findings, report.copied_at), (Vec::new(), None));
}

#[test]
fn nobody_pays_while_the_gateway_cannot_say_what_is_missing() {
    let drill = Drill::open();
    drill.back_up();
    drill.counter.pass(600);
    let session = drill.bought();
    drill.faulty.script("payments", Fault::Fail);
    let drill = drill.restore();
    let mut shopper = Shopper::with(&drill.counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let refused = shopper.pay(&ready);
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(refused.code(503), "checkout_closed");
    assert_eq!(drill.ready()["payments"], "in_doubt");
    assert!(drill.operator("/metrics").contains("vitrine_in_doubt 1\n"));
    assert_eq!((drill.standing(&session).2, drill.orders().len()), (0, 0));
    // The gateway answers again.
    drill.counter.run(reconcile::settle_doubt(&drill.counter.app, &drill.counter.till())).expect("it is compared");
    assert_eq!((drill.standing(&session).2, drill.ready()["payments"].clone()), (2480, json!("open")));
    let session = drill.pays(&mut shopper, &ready);
    drill.buys(&mut shopper, &session);
    drill.rounds(1);
    assert_eq!(drill.kept(), 2480);
    assert!(drill.orders()[0].0.as_str() > "T-101000", "{:?}", drill.orders());
}

#[test]
fn a_copy_that_was_made_by_other_means_is_known_by_the_gateway() {
    let drill = Drill::open();
    let from = drill.counter.folder.path().join("shop.db");
    let plain = rusqlite::Connection::open(&from).expect("the file");
    plain.execute("VACUUM INTO ?1", [drill.backup.to_str().expect("UTF-8")]).expect("a copy");
    drill.counter.pass(600);
    let session = drill.bought();
    drop(plain);
    let drill = drill.restore();
    drill.rounds(1);
    assert_eq!((drill.standing(&session).2, state(&drill.orphans(), &session).as_str()), (2480, "returned"));
    drill.bought();
    assert!(drill.orders()[0].0.as_str() > "T-101000", "{:?}", drill.orders());
}

#[test]
fn a_backup_may_be_days_old() {
    let drill = Drill::open();
    drill.back_up();
    drill.counter.pass(3600);
    let session = drill.bought();
    drill.counter.pass(5 * 24 * 3600);
    let drill = drill.restore();
    drill.rounds(1);
    assert_eq!((drill.standing(&session).2, drill.told().len()), (2480, 1));
}

#[test]
fn a_shop_that_rested_goes_on_with_its_numbers() {
    let drill = Drill::open();
    drill.bought();
    let (_, session) = drill.at_the_page();
    drill.counter.pass(1200);
    // Paid while the shop was down.
    drill.faulty.give_card(&session, GOOD);
    let drill = drill.with(Counter::restarted);
    drill.rounds(1);
    let numbers: Vec<String> = drill.orders().into_iter().map(|(number, _)| number).collect();
    assert_eq!(
        (numbers, drill.kept(), drill.orphans()),
        (vec!["T-100001".to_owned(), "T-100002".to_owned()], 2 * 2480, Vec::new())
    );
}

#[test]
fn what_goes_back_goes_back_once_whatever_the_gateway_answers() {
    for fault in Fault::BY_CHANCE.into_iter().filter(|fault| *fault != Fault::HookFirst) {
        let drill = Drill::open();
        drill.back_up();
        drill.counter.pass(600);
        let session_taken = drill.bought();
        let (_, session_held) = drill.at_the_page();
        drill.faulty.give_card(&session_held, GOOD);
        let (_, session_open) = drill.at_the_page();
        for operation in ["refund", "cancel", "expire", "fetch"] {
            drill.faulty.script(operation, fault);
        }
        let drill = drill.restore();
        for _ in 0..4 {
            drill.faulty.act_late();
            drill.rounds(1);
        }
        assert_eq!(drill.standing(&session_taken), ("succeeded".to_owned(), 2480, 2480), "{fault:?}");
        assert_eq!(drill.standing(&session_held).0, "canceled", "{fault:?}");
        assert_eq!(drill.standing(&session_open).0, "expired", "{fault:?}");
        assert_eq!(drill.faulty.objects("refund").len(), 1, "{fault:?}");
        assert!(
            drill.orphans().iter().all(|(_, state)| state == "returned") && drill.told().len() == 3,
            "{fault:?} {:?}",
            drill.orphans()
        );
    }
}

/// Opens a payment at the gateway that no shop asked for.
pub(crate) fn opens(drill: &Drill, shop: &str, checkout: &str, number: &str) -> String {
    opens_for(drill, shop, checkout, number, "ab")
}

pub(crate) fn opens_for(drill: &Drill, shop: &str, checkout: &str, number: &str, quote_hash: &str) -> String {
    let metadata = [("shop", shop), ("checkout", checkout), ("attempt", number), ("quote_hash", quote_hash)];
    let euro = Currency::from_code("EUR").expect("a currency");
    let key = format!("{shop}:{checkout}:create:{number}");
    let create = CreatePayment {
        amount: Money::new(2480, euro),
        return_url: "http://127.0.0.1/return".to_owned(),
        leave_url: "http://127.0.0.1/".to_owned(),
        description: "Tiny".to_owned(),
        email: String::new(),
        confirmation: None,
        key: key.clone(),
        expires_at: Timestamp(drill.counter.app.clock.now().0 + 3600),
        metadata: metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    };
    let gateway = stripe(&drill.faulty.base);
    match drill.counter.run(gateway.create(&key, &gateway.body(&create))) {
        vitrine::gateway::Outcome::Done(payment) => payment.reference,
        other => panic!("it is opened: {other:?}"),
    }
}

#[test]
fn what_is_of_another_shop_or_mode_is_left_alone() {
    let drill = Drill::open();
    drill.counter.pass(600);
    let shop = drill.counter.app.live.load().bundle.shop_id.clone();
    let other_shop = opens(&drill, "another", "c1", "1");
    drill.faulty.script("create", Fault::WrongMode);
    let other_mode = opens(&drill, &shop, "c2", "1");
    let nameless = opens(&drill, &shop, "c3", "first");
    let own = opens(&drill, &shop, "c4", "1");
    for session in [&other_shop, &other_mode, &nameless, &own] {
        drill.faulty.give_card(session, GOOD);
    }
    let done = drill.counter.run(reconcile::reconcile(&drill.counter.app, &drill.counter.till())).expect("a store");
    assert_eq!(done.map(|done| (done.compared, done.orphans, done.different)), Some((1, 1, 0)));
    for session in [&other_shop, &other_mode, &nameless] {
        assert_eq!(drill.standing(session).0, "requires_capture");
    }
    assert_eq!(drill.standing(&own).0, "canceled");
    assert_eq!(drill.orphans(), [(own, "returned".to_owned())]);
}

#[test]
fn another_database_by_mistake_gives_nobodys_money_back() {
    let drill = Drill::open();
    let session = drill.bought();
    drill.counter.pass(600);
    let drill = drill.anew();
    drill.rounds(3);
    assert_eq!(drill.standing(&session), ("succeeded".to_owned(), 2480, 0));
    assert_eq!(
        (drill.orphans(), drill.told()),
        (vec![(session.clone(), "review".to_owned())], vec![(session, "review".to_owned())])
    );
    assert_eq!(drill.ready()["orphans"]["in_review"], 1);
}

#[test]
fn an_event_about_a_lost_payment_returns_it_at_once() {
    let drill = Drill::open();
    drill.back_up();
    drill.counter.pass(4 * 24 * 3600);
    let drill = drill.restore();
    let shop = drill.counter.app.live.load().bundle.shop_id.clone();
    let session = opens(&drill, &shop, "lost", "3");
    drill.faulty.give_card(&session, GOOD);
    drill.counter.round();
    drill.rounds(1);
    assert_eq!((drill.standing(&session).0.as_str(), drill.told().len()), ("canceled", 1));
}

#[test]
fn differences_of_payments_that_both_know_are_told_once() {
    let drill = Drill::open();
    let mut sessions = Vec::new();
    for _ in 0..4 {
        let session = drill.bought();
        sessions.push(session);
    }
    drill.counter.round();
    let alarms = |drill: &Drill| {
        let mails = drill.counter.mails();
        mails.into_iter().filter(|mail| mail.contains("has to be looked at by a person")).collect::<Vec<_>>()
    };
    let compared = |drill: &Drill| {
        let done = drill.counter.run(reconcile::reconcile(&drill.counter.app, &drill.counter.till())).expect("a store");
        drill.counter.round();
        done.map(|done| (done.compared, done.different))
    };
    assert_eq!((compared(&drill), alarms(&drill).len()), (Some((4, 0)), 0));
    // The merchant gave money back at the gateway, an amount is another, one was never taken.
    let gateway = stripe(&drill.faulty.base);
    let euro = Currency::from_code("EUR").expect("a currency");
    let refunded = drill.counter.run(gateway.refund("by hand", &sessions[0], Money::new(500, euro)));
    assert!(matches!(refunded, vitrine::gateway::Outcome::Done(_)), "{refunded:?}");
    let file = rusqlite::Connection::open(drill.counter.folder.path().join("shop.db")).expect("the file");
    let set = |sql: &str, session: &str| assert_eq!(file.execute(sql, [session]).expect("SQL"), 1);
    set("UPDATE attempts SET amount_minor = 2481 WHERE reference = ?1", &sessions[1]);
    set("UPDATE attempts SET reference = 'cs_gone' WHERE reference = ?1", &sessions[2]);
    // A payment of an attempt that has another: it is nobody's, and goes back.
    let (kind, count) = (compared(&drill), alarms(&drill).len());
    assert_eq!((kind, count), (Some((5, 2)), 2), "{:#?}", alarms(&drill));
    assert_eq!(drill.standing(&sessions[2]).2, 2480);
    // Money that went back at the gateway's own pages is no difference: it is in our ledger from then on.
    let query = "SELECT sum(ledger.amount_minor) FROM ledger JOIN attempts ON attempts.id = attempt WHERE kind = 'refunded' AND reference = ?1";
    assert_eq!(file.query_row(query, [&sessions[0]], |row| row.get::<_, i64>(0)), Ok(500));
    for words in ["our ledger says 24.81", "does not know it"] {
        assert_eq!(alarms(&drill).iter().filter(|mail| mail.contains(words)).count(), 1, "{words} {:#?}", alarms(&drill));
    }
    for _ in 0..2 {
        compared(&drill);
    }
    assert_eq!(alarms(&drill).len(), 2);
    let report = upkeep::verify(&drill.counter.folder.path().join("shop.db")).expect("a store");
    assert_eq!(report.reconciled.map(|(_, compared, different)| (compared, different)), Some((5, 2)));
}
