//! How far the gateway's lists were read: each place is kept once, whoever reads, and what was come across is known until the end.

use super::*;
use crate::store::comparisons::{CatchUp, Comparison, Leaf};
use crate::store::orphans::Reconciliation;

const GATEWAY: &str = "sandbox";

fn leaf(next: Option<&str>, seen: &[(&Attempt, bool)]) -> Leaf {
    let seen = seen.iter().map(|(attempt, is_moved)| (attempt.id.clone(), *is_moved)).collect();
    Leaf { next: next.map(str::to_owned), compared: 1, seen, ..Leaf::default() }
}

async fn attempt(store: &Store, order: &Order) -> Attempt {
    let checkout = store.checkout(&order.checkout).await.expect("a look").expect("it is there");
    checkout.attempt.expect("it was paid")
}

#[test]
fn a_comparison_goes_on_from_the_place_that_was_kept_and_from_no_other() {
    let (_place, store) = new_store();
    run(async {
        let mut attempts = Vec::new();
        for number in 1..=3 {
            let order = fulfillments::sold(&store, number, 1).await;
            attempts.push(attempt(&store, &order).await);
        }
        let until = Timestamp(HOLD.0 + 3600);
        let missing = async || -> Vec<AttemptId> {
            let found = store.not_compared(GATEWAY, Timestamp(0), until, 10).await.expect("a look");
            found.into_iter().map(|attempt| attempt.id).collect()
        };
        assert_eq!(store.comparison(GATEWAY).await.expect("a look"), None);
        let begun = store.begin_comparison(GATEWAY, NOW, true, LATER).await.expect("it begins");
        assert_eq!(store.comparison(GATEWAY).await.expect("a look").as_ref(), Some(&begun));
        assert_eq!(missing().await.len(), 3);
        let keep = async |from: &Comparison, leaf| store.keep_leaf(GATEWAY, from, leaf, HOLD).await.expect("a store");
        let first = keep(&begun, leaf(Some("p1"), &[(&attempts[0], true)])).await.expect("it is kept");
        assert_eq!((first.place.as_str(), first.is_listed, first.compared, first.seen_at), ("p1", false, 1, HOLD));
        // Another process read the same page, a moment later.
        assert_eq!(keep(&begun, leaf(Some("p1"), &[(&attempts[2], true)])).await, None);
        assert_eq!(store.comparison(GATEWAY).await.expect("a look").as_ref(), Some(&first));
        let listed = keep(&first, leaf(None, &[(&attempts[0], false), (&attempts[1], false)])).await.expect("it is kept");
        assert_eq!((listed.place.as_str(), listed.is_listed, listed.compared), ("p1", true, 2));
        assert_eq!(missing().await, [attempts[2].id.clone()]);
        let whole = keep(&listed, leaf(None, &[(&attempts[2], false)])).await.expect("it is kept");
        assert!(missing().await.is_empty());
        let done = Reconciliation { since: NOW, at: LATER, compared: whole.compared, orphans: 0, different: 0 };
        store.end_comparison(GATEWAY, done).await.expect("it ends");
        assert_eq!(store.comparison(GATEWAY).await.expect("a look"), None);
        assert_eq!(store.last_reconciliation(GATEWAY).await.expect("a look"), Some(done));
        // What moved is known until it had its turn.
        let moved = store.moved_attempts(10).await.expect("a look");
        assert_eq!(moved.iter().map(|attempt| &attempt.id).collect::<Vec<_>>(), [&attempts[0].id]);
        store.attempts_moved_on(vec![attempts[0].id.clone()]).await.expect("it is kept");
        assert!(store.moved_attempts(10).await.expect("a look").is_empty());
        store.begin_comparison(GATEWAY, NOW, false, HOLD).await.expect("it begins");
        assert_eq!(missing().await.len(), 3, "each begins anew");
        store.drop_comparison(GATEWAY).await.expect("it is forgotten");
        assert_eq!(store.comparison(GATEWAY).await.expect("a look"), None);
    });
}

#[test]
fn a_reading_of_events_goes_on_from_the_place_that_was_kept_and_from_no_other() {
    let (_place, store) = new_store();
    run(async {
        let reads = |begun_at: Option<Timestamp>, place: &str| CatchUp { since: NOW, begun_at, place: place.to_owned() };
        let keep = async |from: &str, read: &CatchUp| {
            let kept = store.keep_missed_events(GATEWAY, Vec::new(), from.to_owned(), read.clone(), HOLD).await;
            (kept.expect("a store"), store.catch_up(GATEWAY).await.expect("a look"))
        };
        assert_eq!(store.catch_up(GATEWAY).await.expect("a look"), None);
        let (begun, first, whole) = (reads(None, ""), reads(Some(LATER), "e1"), reads(None, ""));
        assert_eq!(keep("", &begun).await, ((0, true), Some(begun)));
        assert_eq!(keep("", &first).await, ((0, true), Some(first.clone())));
        // Another process, which read the same page.
        assert_eq!(keep("", &reads(Some(HOLD), "e2")).await, ((0, false), Some(first)));
        assert_eq!(keep("e1", &whole).await, ((0, true), Some(whole)));
    });
}

#[test]
fn what_waits_for_an_answer_is_known_by_its_key() {
    let (_place, store) = new_store();
    run(async {
        fulfillments::sold(&store, 1, 1).await;
        let waiting = payment(&quoted(&store, 2, 1).await, 1, 100);
        begun(&store, waiting.clone()).await.expect("it begins");
        let found = store.unanswered(GATEWAY).await.expect("a look");
        let keys: Vec<&str> = found.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, [waiting.attempt.key.as_str()]);
        assert_eq!((found[0].created_at, found[0].deadline_at), (waiting.attempt.created_at, waiting.attempt.deadline_at));
        assert!(store.unanswered("another").await.expect("a look").is_empty());
    });
}
