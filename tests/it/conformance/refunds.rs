//! Refunds: a shop's own refund by each gateway, under each outcome of its call, and what the gateway's ledger and ours say afterwards.

use vitrine::commerce::refund::RefundState;
use vitrine::edge::perform::inbox;
use vitrine::gateway::Outcome;
use vitrine::gateway::capabilities::Modification;
use vitrine::store::OrderFilter;
use vitrine::store::refunds::{AskRefund, Refund};

use super::faults::Purchase;
use super::subject::{Subject, Verdict, done, euros, fetched, run};
use crate::faulty::faults::Fault;

use Verdict::{Held, NotShown};

const NO_FAULTS: &str = "it is embedded: no line lies between";

/// An order that is paid, and its money's ways back.
pub struct Sold<'a> {
    subject: &'a dyn Subject,
    purchase: Purchase,
    reference: String,
}

impl<'a> Sold<'a> {
    pub fn by(subject: &'a dyn Subject) -> Self {
        let purchase = Purchase::begin(subject);
        let reference = subject.payments()[0].reference.clone();
        subject.pay(&reference);
        purchase.go_on(subject);
        assert_eq!(purchase.counter.orders(), [("placed".to_owned(), true)]);
        Self { subject, purchase, reference }
    }

    pub fn ask(&self, minor: i64) {
        let counter = &self.purchase.counter;
        let order = counter.run(counter.till().store.orders(OrderFilter::default())).expect("orders")[0].id.clone();
        let now = counter.app.clock.now();
        let id = vitrine::edge::perform::new_id();
        let amount_minor = Some(minor);
        let ask = AskRefund { id, order, amount_minor, reason: String::new(), note: String::new(), restocks: false, now };
        drop(counter.run(counter.till().store.ask_refund(ask)).expect("it is promised"));
    }

    pub fn go_on(&self) {
        for _ in 0..3 {
            self.purchase.go_on(self.subject);
            let name = self.subject.gateway().capabilities().name;
            self.purchase.deliver(&self.subject.hooks().unwrap_or_default(), name);
            let counter = &self.purchase.counter;
            while counter.run(inbox::work(&counter.app, &counter.till())).expect("an inbox") > 0 {}
        }
    }

    pub fn refunds(&self) -> Vec<Refund> {
        let counter = &self.purchase.counter;
        let orders = counter.run(counter.till().store.orders(OrderFilter::default())).expect("orders");
        counter.run(counter.till().store.refunds(&orders[0].id)).expect("refunds")
    }

    /// Our ledger: kinds and amounts, but for the payment's own.
    pub fn ledger(&self) -> Vec<(String, i64)> {
        let file = rusqlite::Connection::open(self.purchase.counter.folder.path().join("shop.db")).expect("the file");
        let query = "SELECT kind, amount_minor FROM ledger WHERE refund IS NOT NULL ORDER BY id";
        let mut select = file.prepare(query).expect("SQL");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.collect::<Result<_, _>>().expect("rows")
    }

    /// The refund is made once, and everybody says so.
    #[track_caller]
    fn is_made_once(&self, minor: i64) -> Verdict {
        self.go_on();
        let refunds = self.refunds();
        assert_eq!(refunds.iter().map(|one| (one.state, one.amount)).collect::<Vec<_>>(), [(RefundState::Done, euros(minor))]);
        assert_eq!(self.ledger(), [("refunded".to_owned(), minor)]);
        assert_eq!(fetched(self.subject, &self.reference).refunded_minor, minor);
        let listed = done(run(self.subject.gateway().refunds(&self.reference)));
        assert_eq!(listed.iter().map(|one| one.key.clone()).collect::<Vec<_>>(), [refunds[0].key.clone()]);
        assert_eq!(refunds[0].reference.as_ref(), Some(&listed[0].reference));
        Held
    }

    /// Mails that tell a person of something.
    fn alarms(&self) -> usize {
        self.purchase.counter.mails().iter().filter(|mail| mail.contains("has to be looked at by a person")).count()
    }
}

pub fn is_done(subject: &dyn Subject) -> Verdict {
    if subject.gateway().capabilities().modification == Modification::Async {
        return NotShown("its changes are taken on, not answered with the result");
    }
    let sold = Sold::by(subject);
    sold.ask(480);
    sold.is_made_once(480)
}

/// It is in the ledger from the gateway's word on, and is done by its second one.
pub fn is_taken_on(subject: &dyn Subject) -> Verdict {
    if subject.gateway().capabilities().modification == Modification::Async {
        let sold = Sold::by(subject);
        sold.ask(480);
        sold.purchase.counter.round();
        assert_eq!(sold.refunds()[0].state, RefundState::Accepted);
        assert_eq!((sold.ledger().len(), fetched(subject, &sold.reference).refunded_minor), (1, 0));
        return sold.is_made_once(480);
    }
    NotShown("its changes are answered with the result; see F21")
}

/// A refund that the gateway refuses is not made, is not in the ledger, and is told once.
pub fn is_refused(subject: &dyn Subject) -> Verdict {
    let sold = Sold::by(subject);
    // Somebody gave the whole back at the gateway's own pages, and nobody has told yet.
    match run(subject.gateway().refund("by hand", &sold.reference, euros(2480))) {
        Outcome::Done(_) | Outcome::Accepted => subject.settle(),
        other => panic!("it can go back: {other:?}"),
    }
    sold.ask(480);
    sold.go_on();
    let ours: Vec<Refund> = sold.refunds().into_iter().filter(|one| one.amount == euros(480)).collect();
    assert_eq!(ours.iter().map(|one| one.state).collect::<Vec<_>>(), [RefundState::Failed]);
    assert!(ours[0].failure.is_some() && sold.alarms() == 1, "{ours:?}");
    assert!(!sold.ledger().contains(&("refunded".to_owned(), 480)));
    Held
}

pub fn is_not_answered(subject: &dyn Subject) -> Verdict {
    for fault in [Fault::ActThenCut, Fault::FailActed, Fault::Refuse, Fault::Fail] {
        if !subject.script("refund", fault) {
            return NotShown(NO_FAULTS);
        }
    }
    // The look-up after each goes wrong as well, once.
    let _ = subject.script("refunds", Fault::Refuse);
    let sold = Sold::by(subject);
    sold.ask(480);
    sold.is_made_once(480)
}

/// F21: the bank sends back what was taken on; the ledger says so, and a person is told.
pub fn comes_back(subject: &dyn Subject) -> Verdict {
    let sold = Sold::by(subject);
    if !subject.script("refund", Fault::RefundPends) {
        return NotShown("this gateway cannot show it");
    }
    sold.ask(480);
    sold.purchase.counter.round();
    assert_eq!(sold.refunds()[0].state, RefundState::Accepted);
    assert!(subject.fail_refunds());
    sold.go_on();
    assert_eq!(fetched(subject, &sold.reference).refunded_minor, 0);
    assert_eq!((sold.refunds()[0].state, sold.alarms()), (RefundState::Review, 1));
    assert_eq!(sold.ledger(), [("refunded".to_owned(), 480), ("refund_failed".to_owned(), 480)]);
    // It may be tried another way: all of it can still go back.
    sold.ask(2480);
    Held
}
