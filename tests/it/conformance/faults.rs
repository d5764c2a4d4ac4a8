//! Faults: a purchase under each fault of CHECKOUT.md 5.10, and what the gateway's ledger says of it afterwards.

use serde_json::Value;
use vitrine::edge::perform::{inbox, rounds};
use vitrine::gateway::RemoteState;
use vitrine::gateway::capabilities::{Idempotency, Webhook};

use super::Check;
use super::subject::{Subject, Verdict, captured, held, shop};
use crate::faulty::faults::Fault;
use crate::support::counter::{Counter, Shopper};

use Verdict::{Held, NotShown};

const CANNOT: &str = "this gateway cannot show it";

pub const ALL: &[Check] = &[
    ("F1 refused at create", |it| buys(it, "create", Fault::Refuse)),
    ("F1 refused at capture", |it| buys(it, "capture", Fault::Refuse)),
    ("F1 refused at fetch", |it| buys(it, "fetch", Fault::Refuse)),
    ("F2 nothing is ever said at create", |it| buys(it, "create", Fault::BlackHole)),
    ("F2 nothing is ever said at capture", |it| buys(it, "capture", Fault::BlackHole)),
    ("F2 nothing is ever said at fetch", |it| buys(it, "fetch", Fault::BlackHole)),
    ("F3 done and cut at create", |it| buys(it, "create", Fault::ActThenCut)),
    ("F3 done and cut at capture", |it| buys(it, "capture", Fault::ActThenCut)),
    ("F4 500 without effect at create", |it| buys(it, "create", Fault::Fail)),
    ("F4 500 without effect at capture", |it| buys(it, "capture", Fault::Fail)),
    ("F5 500 with effect at create", |it| buys(it, "create", Fault::FailActed)),
    ("F5 500 with effect at capture", |it| buys(it, "capture", Fault::FailActed)),
    ("F6 500 kept, done later, at create", |it| buys(it, "create", Fault::FailThenRoll)),
    ("F6 500 kept, done later, at capture", |it| buys(it, "capture", Fault::FailThenRoll)),
    ("F7 key in use", |it| buys(it, "create", Fault::InUse)),
    ("F8 too many calls", |it| buys(it, "create", Fault::TooMany)),
    ("F8 a lock", |it| buys(it, "capture", Fault::Locked)),
    ("F9 late at create", |it| buys(it, "create", Fault::Late)),
    ("F9 late at capture", |it| buys(it, "capture", Fault::Late)),
    ("F10 the event before the answer", |it| events(it, Order::First)),
    ("F11 events twice", |it| events(it, Order::Twice)),
    ("F12 events backwards", |it| events(it, Order::Backwards)),
    ("F13 events an hour late", |it| events(it, Order::Late)),
    ("F13 no event ever comes", |it| events(it, Order::Never)),
    ("F14 another amount", |it| is_not_taken(it, Fault::WrongAmount)),
    ("F14 another currency", |it| is_not_taken(it, Fault::WrongCurrency)),
    ("F15 another mode", money_of_the_other_mode_is_not_ours),
    ("F16 declined, then paid", declined_then_paid),
    ("F16 refused, and open again", refused_and_open_again),
    ("F16 refused, and open again beside the next payment", refused_and_open_beside_the_next),
    ("F17 abandoned", abandoned),
    ("F17 completed in the last second", completed_in_the_last_second),
    ("F18 paid while it is called off", paid_while_called_off),
    ("F19 a key that is forgotten", forgotten_key),
    ("F20 half an answer", |it| buys(it, "create", Fault::Truncated)),
    ("F20 single bytes, then nothing", |it| buys(it, "fetch", Fault::Drip)),
    ("F20 another's page", |it| buys(it, "create", Fault::Html)),
    ("F20 a redirect", |it| buys(it, "create", Fault::Redirect)),
    ("F20 another's 503", |it| buys(it, "capture", Fault::Unavailable)),
    ("F21 a refund that fails later", refund_fails),
    ("F22 a hold that runs out", hold_runs_out),
    ("F23 signatures that are old, of the future or another's", false_signatures),
    ("F24 a read that is late", |it| buys(it, "fetch", Fault::Stale)),
];

/// A purchase that is on its way to the gateway's page.
pub(super) struct Purchase {
    pub(super) counter: Counter,
    shopper: Shopper,
    /// Whether the shop knows by now where it stands.
    is_known: bool,
}

impl Purchase {
    pub(super) fn begin(subject: &dyn Subject) -> Self {
        let counter = shop(subject);
        let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
        let ready = shopper.check_out();
        let paying = shopper.pay(&ready).expect(200).json();
        let state = paying["payment"]["state"].as_str().expect("a state").to_owned();
        assert!(["redirect", "checking"].contains(&state.as_str()), "{paying}");
        Self { counter, shopper, is_known: state == "redirect" }
    }

    /// Time goes by, and what waits is done.
    pub(super) fn go_on(&self, subject: &dyn Subject) {
        for _ in 0..4 {
            subject.settle();
            self.counter.pass(61);
            self.counter.round();
        }
    }

    /// One charge, one order, one mail; nothing waits.
    fn is_paid_once(&self, subject: &dyn Subject) -> Verdict {
        self.go_on(subject);
        assert_eq!((captured(subject), held(subject)), (vec![2480], 0), "the gateway's own ledger");
        let orders = self.counter.orders();
        assert_eq!(orders.iter().filter(|(state, is_paid)| state == "placed" && *is_paid).count(), 1, "{orders:?}");
        assert_eq!(orders.iter().filter(|(state, _)| state != "canceled").count(), 1, "{orders:?}");
        assert_eq!(self.counter.mails().len(), 1);
        assert_eq!(self.counter.stock("LAMP-S"), (99, 0, 1));
        self.is_quiet();
        Held
    }

    fn is_quiet(&self) {
        let store = &self.counter.till().store;
        let waiting = self.counter.run(async { (store.inbox_depth().await, store.outbox_depth().await) });
        assert!(matches!(waiting, (Ok(0), Ok(0))), "{waiting:?}");
    }

    pub(super) fn deliver(&self, hooks: &[super::subject::Hook], name: &str) {
        for (headers, body) in hooks {
            self.counter.run(self.counter.till().hear(&self.counter.app, name, headers, body)).expect("kept");
        }
    }
}

/// A purchase in which one call goes wrong is paid once.
fn buys(subject: &dyn Subject, operation: &str, fault: Fault) -> Verdict {
    if operation == "capture" && !subject.gateway().capabilities().manual_capture("card") {
        return NotShown("it takes money at once");
    }
    if operation != "fetch" && !subject.script(operation, fault) {
        return NotShown(CANNOT);
    }
    let purchase = Purchase::begin(subject);
    purchase.go_on(subject);
    subject.pay(&subject.payments()[0].reference);
    if operation == "fetch" && !subject.script(operation, fault) {
        return NotShown(CANNOT);
    }
    purchase.is_paid_once(subject)
}

/// How events come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    First,
    Twice,
    Backwards,
    Late,
    Never,
}

fn events(subject: &dyn Subject, order: Order) -> Verdict {
    if subject.hooks().is_none() {
        return NotShown("it has no webhooks");
    }
    let name = subject.gateway().capabilities().name;
    let purchase = Purchase::begin(subject);
    subject.pay(&subject.payments()[0].reference);
    if order == Order::Late {
        purchase.go_on(subject);
        purchase.counter.pass(3600);
    }
    // Each is signed when it is sent.
    let mut hooks = subject.hooks().expect("it has some");
    assert!(!hooks.is_empty());
    match order {
        Order::First => {
            // Kept before the shop has asked for anything.
            purchase.deliver(&hooks, name);
        }
        Order::Twice => {
            purchase.deliver(&hooks, name);
            purchase.go_on(subject);
            purchase.deliver(&hooks, name);
        }
        Order::Backwards => {
            purchase.go_on(subject);
            hooks.extend(subject.hooks().expect("it has some"));
            hooks.reverse();
            purchase.deliver(&hooks, name);
        }
        Order::Late => {
            purchase.deliver(&hooks, name);
            purchase.counter.run(inbox::work(&purchase.counter.app, &purchase.counter.till())).expect("an inbox");
        }
        Order::Never => {}
    }
    purchase.is_paid_once(subject)
}

/// What is not proven, or not of now, is not kept.
fn false_signatures(subject: &dyn Subject) -> Verdict {
    if subject.gateway().capabilities().webhook != Webhook::SignedState {
        return NotShown("nothing of it is signed");
    }
    let name = subject.gateway().capabilities().name;
    let purchase = Purchase::begin(subject);
    subject.pay(&subject.payments()[0].reference);
    let forged = subject.forged().expect("it signs");
    let hooks = subject.hooks().expect("it has some");
    let hear = |hook: &super::subject::Hook| {
        purchase.counter.run(purchase.counter.till().hear(&purchase.counter.app, name, &hook.0, &hook.1)).is_ok()
    };
    assert!(!hear(&forged));
    for (seconds, is_heard) in [(301, false), (-602, false), (301, true)] {
        purchase.counter.pass(seconds);
        assert_eq!(hear(&hooks[0]), is_heard, "{seconds}");
    }
    purchase.is_paid_once(subject)
}

/// Money that is not what was agreed places nothing, and is not kept where it was only held.
fn is_not_taken(subject: &dyn Subject, fault: Fault) -> Verdict {
    if !subject.script("create", fault) {
        return NotShown(CANNOT);
    }
    let purchase = Purchase::begin(subject);
    subject.pay(&subject.payments()[0].reference);
    purchase.go_on(subject);
    assert!(purchase.counter.orders().iter().all(|(state, _)| state != "placed"));
    assert_eq!(held(subject), 0, "what was held is let go");
    if subject.gateway().capabilities().manual_capture("card") {
        assert_eq!(captured(subject), [0; 0]);
    }
    assert_eq!(purchase.counter.mails().len(), 1, "the merchant is told, and nobody else");
    Held
}

pub(super) fn money_of_the_other_mode_is_not_ours(subject: &dyn Subject) -> Verdict {
    if !subject.script("create", Fault::WrongMode) {
        return NotShown(CANNOT);
    }
    let purchase = Purchase::begin(subject);
    subject.pay(&subject.payments()[0].reference);
    purchase.go_on(subject);
    assert!(purchase.counter.orders().iter().all(|(state, _)| state != "placed"));
    assert_eq!(purchase.counter.mails().len(), 0);
    Held
}

/// A refused card takes no order with it: the next one pays, on the same page or on another.
fn declined_then_paid(subject: &dyn Subject) -> Verdict {
    let mut purchase = Purchase::begin(subject);
    subject.decline(&subject.payments()[0].reference);
    purchase.go_on(subject);
    let seen = purchase.shopper.look();
    if seen["payment"]["state"] == "declined" {
        assert!(seen["payment"]["detail"].as_str().is_some_and(|text| text.contains("not been charged")), "{seen}");
        purchase.shopper.pay(&seen).expect(200);
    }
    assert_eq!(captured(subject), [0; 0]);
    subject.pay(&subject.payments().last().expect("a payment").reference);
    purchase.is_paid_once(subject)
}

/// A payment that was refused can be paid after all, and the shop has heard of it; `None`: the gateway cannot show that.
fn open_again(subject: &dyn Subject) -> Option<Purchase> {
    let purchase = Purchase::begin(subject);
    let reference = subject.payments()[0].reference.clone();
    subject.decline(&reference);
    purchase.go_on(subject);
    if !subject.reopen(&reference) {
        return None;
    }
    purchase.deliver(&subject.hooks()?, subject.gateway().capabilities().name);
    purchase.counter.run(inbox::work(&purchase.counter.app, &purchase.counter.till())).expect("an inbox");
    Some(purchase)
}

/// It is called off at the gateway; where that cannot be done, it stays promised, and is the order of whoever pays it.
fn refused_and_open_again(subject: &dyn Subject) -> Verdict {
    let Some(purchase) = open_again(subject) else { return NotShown(CANNOT) };
    purchase.go_on(subject);
    let first = &subject.payments()[0];
    if subject.gateway().capabilities().can_cancel_open {
        assert_eq!(first.state, RemoteState::Canceled);
        purchase.is_quiet();
        return Held;
    }
    assert_eq!(purchase.counter.run(purchase.counter.till().store.outbox_depth()).expect("a store"), 1, "it is not forgotten");
    subject.pay(&first.reference);
    purchase.is_paid_once(subject)
}

/// I4: what another payment took the place of cannot be paid beside it.
fn refused_and_open_beside_the_next(subject: &dyn Subject) -> Verdict {
    if !subject.gateway().capabilities().can_cancel_open {
        return NotShown("it calls nothing off that is open");
    }
    let Some(mut purchase) = open_again(subject) else { return NotShown(CANNOT) };
    let seen = purchase.shopper.look();
    purchase.shopper.pay(&seen).expect(200);
    purchase.go_on(subject);
    let payments = subject.payments();
    assert_eq!(payments.iter().map(|one| one.state).collect::<Vec<_>>(), [RemoteState::Canceled, RemoteState::Open]);
    subject.pay(&payments[1].reference);
    purchase.is_paid_once(subject)
}

/// Units are free again once the gateway says that nothing can be paid any more.
fn abandoned(subject: &dyn Subject) -> Verdict {
    let purchase = Purchase::begin(subject);
    assert_eq!(purchase.counter.stock("LAMP-S"), (100, 1, 0));
    let deadline = subject.gateway().capabilities().open_seconds(900);
    purchase.counter.pass(deadline + 1);
    purchase.go_on(subject);
    if subject.gateway().capabilities().can_cancel_open {
        assert_eq!((purchase.counter.stock("LAMP-S"), captured(subject), held(subject)), ((100, 0, 0), vec![], 0));
        purchase.is_quiet();
        return Held;
    }
    // It can still be paid: the units stay, and whoever pays has an order.
    assert_eq!(purchase.counter.stock("LAMP-S"), (100, 1, 0));
    subject.pay(&subject.payments()[0].reference);
    purchase.counter.pass(900);
    purchase.is_paid_once(subject)
}

/// Whoever pays while the page is open has an order, be it that the shop calls it off a second later.
fn completed_in_the_last_second(subject: &dyn Subject) -> Verdict {
    let purchase = Purchase::begin(subject);
    purchase.counter.pass(subject.gateway().capabilities().open_seconds(900) - 1);
    subject.pay(&subject.payments()[0].reference);
    purchase.counter.pass(2);
    purchase.is_paid_once(subject)
}

fn paid_while_called_off(subject: &dyn Subject) -> Verdict {
    let known = subject.gateway().capabilities();
    let operation = if subject.name() == "stripe" { "expire" } else { "cancel" };
    if !known.can_cancel_open || !subject.script(operation, Fault::Race) {
        return NotShown(CANNOT);
    }
    let mut purchase = Purchase::begin(subject);
    let path = format!("{}/payment", purchase.shopper.checkout);
    purchase.shopper.caller.json("DELETE", &path, Value::Null).expect(200);
    if subject.name() == "stripe" {
        return purchase.is_paid_once(subject);
    }
    // Taken on after it was paid, calling off lets the hold go: nothing is charged, and nothing is placed.
    purchase.go_on(subject);
    assert_eq!((captured(subject), held(subject)), (vec![], 0));
    assert!(purchase.counter.orders().iter().all(|(state, _)| state == "canceled"), "{:?}", purchase.counter.orders());
    Held
}

/// After the gateway has forgotten a key, its payment is found and not made a second time.
fn forgotten_key(subject: &dyn Subject) -> Verdict {
    let Idempotency::Keyed { ttl_seconds, .. } = subject.gateway().capabilities().idempotency else {
        return NotShown("it knows no keys");
    };
    // A send, and each time that it is sent again; nobody finds it, either.
    if !(0..3).all(|_| subject.script("create", Fault::ActThenCut) && subject.script("list", Fault::Refuse)) {
        return NotShown(CANNOT);
    }
    let purchase = Purchase::begin(subject);
    assert_eq!((subject.payments().len(), purchase.is_known), (1, false));
    purchase.counter.pass(ttl_seconds + 1);
    purchase.go_on(subject);
    assert_eq!(subject.payments().len(), 1, "it was looked for");
    Held
}

fn refund_fails(subject: &dyn Subject) -> Verdict {
    if subject.gateway().capabilities().modification == vitrine::gateway::capabilities::Modification::Async {
        return NotShown("each of its refunds is taken on: see refunds × accepted");
    }
    super::refunds::comes_back(subject)
}

/// The order stands without its money, and a person is told.
fn hold_runs_out(subject: &dyn Subject) -> Verdict {
    if !subject.gateway().capabilities().manual_capture("card") || !subject.script("capture", Fault::Refuse) {
        return NotShown(CANNOT);
    }
    let mut purchase = Purchase::begin(subject);
    subject.pay(&subject.payments()[0].reference);
    purchase.shopper.look();
    assert_eq!(purchase.counter.orders()[0].0, "placed");
    assert!(subject.expire_holds());
    purchase.go_on(subject);
    assert_eq!((captured(subject).len(), purchase.counter.orders()), (0, vec![("placed".to_owned(), false)]));
    assert_eq!(purchase.counter.mails().len(), 1, "the merchant is told");
    Held
}

pub fn what_did_not_arrive_is_unpaid_once_it_cannot_arrive(subject: &dyn Subject) -> Verdict {
    // A send, and each time that it is sent again.
    if !(0..3).all(|_| subject.script("create", Fault::Refuse)) {
        return NotShown(CANNOT);
    }
    let counter = shop(subject);
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let id = ready["id"].as_str().expect("an id").into();
    shopper.pay(&ready).expect(200);
    let stored = counter.run(counter.till().store.checkout(&id)).expect("a look").expect("it is there");
    let attempt = stored.attempt.expect("it is being paid");
    counter.pass(attempt.deadline_at.0 - attempt.created_at.0);
    let look = |shopper: &mut Shopper| {
        counter.run(rounds::sweep(&counter.app, &counter.till(), counter.app.clock.now()));
        shopper.look()["payment"]["state"].as_str().expect("a state").to_owned()
    };
    assert_eq!(look(&mut shopper), "checking", "the last send may still be on its way");
    counter.pass(subject.gateway().capabilities().late_seconds);
    assert_ne!(look(&mut shopper), "checking");
    assert_eq!(subject.payments().len(), 0);
    Held
}
