//! Money that is taken for an order that waits no more: whose it is, step by step, on each engine.

use super::*;
use crate::commerce::payment::DISOWNED;
use crate::store::orphans::{Orphan, OrphanState, Standing};

/// A payment as the gateway names it.
fn taken_after_all(attempt: &Attempt, reference: &str) -> Orphan {
    Orphan {
        gateway: attempt.gateway.clone(),
        reference: reference.to_owned(),
        shop: "shop".to_owned(),
        checkout: attempt.checkout.clone(),
        number: attempt.number,
        quote_hash: attempt.quote_hash.clone(),
        amount: attempt.amount,
        standing: "captured".to_owned(),
        refunded_minor: 0,
        state: OrphanState::Found,
        reason: "it came too late".to_owned(),
        made_at: NOW,
        found_at: HOLD,
        tries: 0,
    }
}

async fn due(store: &Store) -> Vec<Orphan> {
    store.claim_orphans(10, Timestamp(i64::MAX - 1), Timestamp(0)).await.expect("orphans")
}

async fn seen(store: &Store, checkout: &CheckoutId) -> (AttemptState, Option<String>, OrderState) {
    let seen = store.checkout(checkout).await.expect("a look").expect("it is there");
    let (attempt, order) = (seen.attempt.expect("an attempt"), seen.order.expect("an order"));
    (attempt.state, attempt.reason, order.state)
}

#[test]
fn money_that_comes_after_its_order_was_let_go_is_an_orphan_and_then_the_orders_again_or_nobodys() {
    let (_place, store) = new_store();
    run(async {
        let quote = quoted(&store, 1, 1).await;
        let (lease, id) = pay(&store, &quote, 1).await;
        let begin = payment(&quote, 1, 1);
        let orphan = taken_after_all(&begin.attempt, &format!("r:{id}"));
        store.decline(&lease, &id, "card_declined", LATER).await.expect("it is declined");
        assert_eq!(store.release_expired(NOW.plus_seconds(1800)).await.expect("a sweep"), 1);
        for _ in 0..2 {
            // However often it is heard of.
            store.disown(&lease, &id, orphan.clone(), HOLD).await.expect("it is let go of");
        }
        let canceled = (AttemptState::Canceled, Some(DISOWNED.to_owned()), OrderState::Canceled);
        assert_eq!((seen(&store, &quote.checkout).await, levels(&store).await), (canceled.clone(), vec![(1, 0, 0)]));
        assert_eq!(due(&store).await.len(), 1);
        // All is still there: the attempt goes on, with an order shell and units of its own.
        let again = BeginPayment { order: "o:again".into(), now: HOLD, ..begin.clone() };
        let opened = Opened { reference: orphan.reference.clone(), redirect_url: None };
        store.adopt_orphan(opened.clone(), again.clone()).await.expect("it is the order's");
        let waiting = (AttemptState::AwaitingShopper, None, OrderState::PendingPayment);
        assert_eq!((seen(&store, &quote.checkout).await, levels(&store).await), (waiting, vec![(1, 1, 0)]));
        assert!(!store.begin_return(&orphan, "captured", 0, HOLD).await.expect("a step"), "it is left alone");
        // It was one before, and is one again; units that are gone meanwhile leave all as it was.
        store.disown(&lease, &id, orphan.clone(), HOLD).await.expect("it is let go of");
        assert_eq!((seen(&store, &quote.checkout).await, levels(&store).await), (canceled, vec![(1, 0, 0)]));
        let other = quoted(&store, 2, 1).await;
        pay(&store, &other, 1).await;
        let short = BeginPayment { order: "o:short".into(), ..again };
        assert!(matches!(refused(store.adopt_orphan(opened, short).await), Refusal::SoldOut { .. }));
        let found = due(&store).await.pop().expect("it waits");
        assert!(store.begin_return(&found, "captured", 0, HOLD).await.expect("a step"), "nobody else pays its cart");
        let over =
            Standing { standing: "captured".into(), refunded_minor: 2489, state: OrphanState::Returned, reason: String::new() };
        store.settle_orphan(&found, over, HOLD).await.expect("it went back");
        // The gateway holds it again: a person is told.
        store.disown(&lease, &id, orphan, HOLD).await.expect("it is let go of");
        assert_eq!(store.agreement("sandbox").await.expect("a look").1.in_review, 1);
    });
}

#[test]
fn an_older_payment_that_is_taken_waits_for_how_the_newest_ends_and_a_paid_one_is_never_let_go_of() {
    let (_place, store) = new_store();
    run(async {
        let quote = quoted(&store, 1, 1).await;
        let (lease, id) = pay(&store, &quote, 2).await;
        let orphan = taken_after_all(&payment(&quote, 1, 2).attempt, &format!("r:{id}"));
        assert_eq!(refused(store.disown_older(&id, orphan.clone(), LATER).await), Refusal::WrongState, "it is under way");
        store.decline(&lease, &id, "card_declined", LATER).await.expect("it is declined");
        let newest = payment(&quote, 2, 2);
        begun(&store, newest.clone()).await.expect("the next try");
        store.disown_older(&id, orphan.clone(), LATER).await.expect("it is let go of");
        assert_eq!(levels(&store).await, [(2, 1, 0)], "the newest keeps its units");
        assert_eq!(refused(store.begin_return(&orphan, "captured", 0, LATER).await), Refusal::AttemptLive);
        store.mark_paid(&lease, settled(&newest.attempt.id, None, LATER)).await.expect("the newest is paid");
        assert!(store.begin_return(&orphan, "captured", 0, LATER).await.expect("a step"), "the order has its money");
        let paid = taken_after_all(&newest.attempt, "r1");
        assert_eq!(refused(store.disown(&lease, &newest.attempt.id, paid, LATER).await), Refusal::WrongState);
        assert_eq!(seen(&store, &quote.checkout).await.2, OrderState::Placed);
    });
}
