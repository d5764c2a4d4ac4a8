//! Trouble: a store that another process keeps locked, and a clock that jumps.
//!
//! Source  CHECKOUT.md 5.7.

use rusqlite::Connection;

use crate::faulty::hooks::HookFault;
use crate::stripe::at_the_page;
use crate::support::counter::{Counter, GOOD, Shopper, redirect_url};
use crate::support::stripe::{StripeShop, session_of};

/// More than any deadline, lease or pause between two tries.
const HOURS: i64 = 5 * 3600;

#[test]
fn a_locked_store_is_busy_and_then_goes_on_by_itself() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let other = Connection::open(counter.folder.path().join("shop.db")).expect("the file");
    other.execute_batch("BEGIN EXCLUSIVE").expect("nobody writes now");
    let refused = shopper.pay(&ready);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.code(503), "busy");
    // What is only looked at is not kept waiting.
    assert_eq!(shopper.look()["state"], "ready_for_complete");
    other.execute_batch("ROLLBACK").expect("it was begun");
    assert_eq!(shopper.pay(&ready).expect(200).json()["payment"]["state"], "redirect");
    assert_eq!(counter.payments().len(), 1);
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_waiting() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), GOOD);
    // Another worker hangs with the lease.
    let checkout = ready["id"].as_str().expect("an id").to_owned().as_str().into();
    let now = counter.app.clock.now();
    let taken = counter.run(counter.till().store.take_lease(&checkout, "hangs", now, now.plus_seconds(30))).expect("a step");
    assert!(taken.is_some_and(|taken| taken.lease.is_some()));
    counter.pass(-HOURS);
    assert_eq!(counter.stock("LAMP-S").1, 1, "it is held");
    shopper.come_back(&back).expect(303);
    assert_eq!(counter.captured(), [2480]);
    // The confirmation is promised; then the clock is set back again.
    counter.pass(-HOURS);
    counter.round();
    assert_eq!(counter.mails().len(), 1, "it does not wait for the old time to come");
}

#[test]
fn a_payment_that_nobody_came_back_for_is_looked_at_though_the_clock_was_set_back() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    counter.give_card(redirect_url(&paying), GOOD);
    counter.pass(-HOURS);
    counter.round();
    counter.round();
    assert_eq!((counter.captured(), counter.mails().len()), (vec![2480], 1));
}

#[test]
fn a_clock_that_is_set_forward_frees_nothing_that_may_be_paid() {
    let counter = Counter::open();
    let mut paid = Shopper::with(&counter, "LAMP-S", 1);
    let ready = paid.check_out();
    let paying = paid.pay(&ready).expect(200).json();
    let mut left = Shopper::with(&counter, "LAMP-S", 1);
    let ready = left.check_out();
    left.pay(&ready).expect(200);
    // One has paid and is on the way back, one still looks at the gateway's page.
    counter.give_card(redirect_url(&paying), GOOD);
    counter.pass(HOURS);
    for _ in 0..3 {
        counter.round();
    }
    assert_eq!(counter.captured(), [2480], "the gateway was asked before anything was freed");
    let (on_hand, reserved, sold) = counter.stock("LAMP-S");
    assert_eq!((on_hand + sold, reserved, sold), (100, 0, 1));
    let open = counter.payments().into_iter().filter(|payment| format!("{:?}", payment.state) == "Open").count();
    assert_eq!(open, 0, "the other page is closed, and only then its unit was free");
}

#[test]
fn webhooks_that_are_not_of_now_are_counted() {
    let shop = StripeShop::open();
    let (_, url) = at_the_page(&shop, "LAMP-S");
    shop.faulty.give_card(session_of(&url), GOOD);
    assert!(shop.counter.operator("/metrics").contains("vitrine_webhooks_not_of_now_total 0"));
    shop.faulty.hooks_go(HookFault::Future);
    assert_eq!(shop.deliver(), [400, 400]);
    assert!(shop.counter.operator("/metrics").contains("vitrine_webhooks_not_of_now_total 2"));
}
