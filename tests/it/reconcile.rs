//! Reconcile: what comes of holding the gateway's payments against ours, where it is interrupted, partial or in vain.

use serde_json::Value;
use vitrine::edge::perform::reconcile;

use crate::restore::{Drill, opens_for, state};
use crate::support::counter::{GOOD, Shopper};

#[test]
fn a_payment_without_an_order_keeps_its_money_while_another_of_its_cart_may_be_paid() {
    // The number of an attempt that is there, and a number of its own, by which it could be adopted.
    for (number, is_paid) in [("1", true), ("1", false), ("2", true), ("2", false)] {
        let drill = Drill::open();
        let mut shopper = Shopper::with(&drill.counter, "LAMP-S", 1);
        let ready = shopper.check_out();
        let session = drill.pays(&mut shopper, &ready);
        let shop = drill.counter.app.live.load().bundle.shop_id.clone();
        let (id, hash) = (ready["id"].as_str().expect("an id"), ready["quote"]["hash"].as_str().expect("a hash"));
        drill.counter.pass(1);
        // Its first key is used up.
        drill.faulty.forget_keys();
        let orphan = opens_for(&drill, &shop, id, number, hash);
        drill.faulty.give_card(&orphan, GOOD);
        drill.counter.run(reconcile::reconcile(&drill.counter.app, &drill.counter.till())).expect("a store");
        drill.rounds(15);
        let held = ("requires_capture".to_owned(), 0, 0);
        assert_eq!((drill.standing(&orphan), state(&drill.orphans(), &orphan).as_str()), (held, "found"), "{number}");
        assert_eq!(drill.ready()["orphans"]["under_way"], 1, "{number}");
        drill.rounds(6);
        assert_eq!(drill.told(), [(orphan.clone(), "found".to_owned())], "a person hears that it takes long");
        if is_paid {
            drill.buys(&mut shopper, &session);
        } else {
            shopper.caller.json("DELETE", &format!("{}/payment", shopper.checkout), Value::Null).expect(200);
        }
        drill.rounds(2);
        let is_adopted = !is_paid && number == "2";
        assert_eq!(drill.standing(&orphan).0, if is_adopted { "succeeded" } else { "canceled" }, "{number} {is_paid}");
        let is_order = is_paid || is_adopted;
        assert_eq!((drill.kept(), drill.orders().len()), (if is_order { 2480 } else { 0 }, usize::from(is_order)), "{number} {is_paid}");
    }
}
