//! Late money: a payment that was over, by the gateway's own word, and is taken after all. It becomes an order where everything is still
//! there, and goes back where not; nobody has to see to it. The gateway's ledger is the witness.

use serde_json::Value;

use crate::faulty::faults::Fault;
use crate::orders_cli::orders;
use crate::restore::{Drill, state};
use crate::support::counter::{Counter, Shopper};

/// A payment that the bank declined after a while, and whose order waits no more; gives its session.
fn declined_for_good(drill: &Drill) -> (Shopper, String) {
    let (mut shopper, session) = drill.at_the_page();
    drill.faulty.pay_slowly(&session);
    drill.faulty.end_slow(&session, false);
    assert_eq!(shopper.look()["payment"]["state"], "declined");
    drill.counter.pass(36 * 60);
    drill.rounds(1);
    assert_eq!(drill.counter.stock("LAMP-S"), (100, 0, 0), "its units are for others");
    (shopper, session)
}

/// The bank takes it even so, and the shop hears of it by `hear`.
fn taken_after_all(drill: &Drill, session: &str) {
    drill.faulty.end_slow(session, true);
    drill.counter.run(vitrine::edge::perform::rounds::listen(&drill.counter.app, &drill.counter.till()));
}

fn payment(shopper: &mut Shopper) -> (String, String) {
    let told = shopper.look();
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    (text(&told["payment"]["state"]), text(&told["payment"]["detail"]))
}

#[test]
fn money_that_came_too_late_is_an_order_where_all_is_still_there() {
    let drill = Drill::open();
    let (mut shopper, session) = declined_for_good(&drill);
    taken_after_all(&drill, &session);
    let (state, detail) = payment(&mut shopper);
    assert_eq!(state, "returning");
    assert!(!detail.contains("not been charged"), "{detail}");
    drill.rounds(2);
    assert_eq!(drill.orders(), [("T-100001".to_owned(), true)]);
    assert_eq!((payment(&mut shopper).0.as_str(), drill.kept(), drill.counter.stock("LAMP-S")), ("paid", 2480, (99, 0, 1)));
    assert_eq!(drill.orphans().iter().map(|(_, state)| state.as_str()).collect::<Vec<_>>(), ["adopted"]);
    let confirmed = drill.counter.mails().iter().filter(|mail| mail.contains("T-100001") && mail.contains("ada@")).count();
    assert_eq!(confirmed, 1, "{:?}", drill.counter.mails());
    drill.counter.pass(25 * 3600);
    drill.rounds(2);
    assert_eq!((drill.orders().len(), drill.kept()), (1, 2480));
}

#[test]
fn money_that_came_too_late_goes_back_where_something_is_gone() {
    let drill = Drill::open();
    let (mut shopper, session) = declined_for_good(&drill);
    let (mut other, all) = {
        let mut other = Shopper::with(&drill.counter, "LAMP-S", 100);
        let ready = other.check_out();
        let session = drill.pays(&mut other, &ready);
        (other, session)
    };
    drill.buys(&mut other, &all);
    let before = drill.kept();
    taken_after_all(&drill, &session);
    assert_eq!(payment(&mut shopper).0, "returning");
    drill.rounds(3);
    assert_eq!(drill.standing(&session), ("succeeded".to_owned(), 2480, 2480));
    assert_eq!((drill.orders().len(), drill.kept(), drill.counter.stock("LAMP-S")), (1, before, (0, 0, 100)));
    let (state_now, detail) = payment(&mut shopper);
    assert_eq!(state_now, "returning");
    assert!(!detail.contains("not been charged"), "{detail}");
    let reference = drill.orphans().first().expect("an orphan").0.clone();
    assert_eq!(state(&drill.orphans(), &reference), "returned");
    assert_eq!(drill.told(), [(reference, "returned".to_owned())], "the merchant is told once");
    // Once, however often it is compared.
    drill.counter.pass(25 * 3600);
    drill.rounds(3);
    assert_eq!((drill.standing(&session).2, drill.told().len()), (2480, 1));
    let (_, out, _) = orders(&drill.counter, &["stuck", "--json"]);
    assert!(!out.contains(&session), "nothing is left for a person: {out}");
}

#[test]
fn an_older_payment_that_is_taken_as_well_goes_back_and_the_order_stays() {
    let drill = Drill::open();
    let (mut shopper, first) = drill.at_the_page();
    drill.faulty.pay_slowly(&first);
    drill.faulty.end_slow(&first, false);
    let ready = shopper.look();
    assert_eq!(ready["payment"]["state"], "declined");
    let second = drill.pays(&mut shopper, &ready);
    // While another payment of the cart is under way nothing is given back: should that one fail, this is the order's.
    taken_after_all(&drill, &first);
    drill.rounds(1);
    assert_eq!(drill.standing(&first).2, 0);
    drill.buys(&mut shopper, &second);
    drill.rounds(3);
    assert_eq!((drill.orders(), drill.kept()), (vec![("T-100001".to_owned(), true)], 2480));
    assert_eq!((drill.standing(&first).2, drill.standing(&second).2), (2480, 0));
    assert_eq!(drill.counter.stock("LAMP-S"), (99, 0, 1));
    drill.counter.pass(25 * 3600);
    drill.rounds(2);
    assert_eq!((drill.kept(), drill.told().len()), (2480, 1));
}

#[test]
fn it_goes_back_once_whatever_the_gateway_answers() {
    for fault in Fault::BY_CHANCE.into_iter().filter(|fault| *fault != Fault::HookFirst) {
        let drill = Drill::open();
        let (_, session) = declined_for_good(&drill);
        let mut other = Shopper::with(&drill.counter, "LAMP-S", 100);
        let ready = other.check_out();
        let all = drill.pays(&mut other, &ready);
        drill.buys(&mut other, &all);
        let before = drill.kept();
        taken_after_all(&drill, &session);
        ["refund", "fetch"].iter().for_each(|operation| drill.faulty.script(operation, fault));
        // The process ends in the middle of it as well.
        let drill = drill.with(Counter::restarted);
        for _ in 0..4 {
            drill.faulty.act_late();
            drill.rounds(1);
        }
        assert_eq!((drill.standing(&session).2, drill.kept()), (2480, before), "{fault:?}");
        assert_eq!((drill.faulty.objects("refund").len(), drill.orders().len()), (1, 1), "{fault:?}");
    }
}
