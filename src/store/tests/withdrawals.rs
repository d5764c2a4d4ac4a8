//! What customers declare: kept once, so many for an order, and until the house has dealt with it.

use super::*;
use crate::commerce::withdrawal::{MAX_PER_ORDER, MAX_UNPROVEN, Proof, Withdrawal};
use crate::store::letters::LetterKind;

fn declaring(order: &Order, id: &str, reason: &str) -> Withdrawal {
    Withdrawal {
        id: id.to_owned(),
        order: order.id.clone(),
        lines: Vec::new(),
        wanted: String::new(),
        reason: reason.to_owned(),
        is_late: false,
        created_at: LATER,
        handled_at: None,
        note: None,
    }
}

#[test]
fn a_declaration_is_kept_once_however_often_it_is_sent() {
    let (_place, store) = new_store();
    run(async {
        let order = fulfillments::sold(&store, 1, 1).await;
        let sends: Vec<_> = (0..6)
            .map(|number| {
                let (store, one) = (store.clone(), declaring(&order, &format!("w{number}"), "too bright"));
                tokio::spawn(async move { store.withdraw(one, Proof::Name).await })
            })
            .collect();
        let mut names = Vec::new();
        for send in sends {
            names.push(send.await.expect("nobody panics").expect("it is kept").expect("there is room").id);
        }
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        assert_eq!(store.withdrawals(&order.id).await.expect("a look").len(), 1);
        let letters = store.claim_letters("edge", 10, LATER, HOLD).await.expect("letters");
        assert_eq!(
            letters.iter().map(|one| (one.kind, one.subject.as_str())).collect::<Vec<_>>(),
            [(LetterKind::Withdrawal, &*names[0])]
        );
        for (proof, most) in [(Proof::Name, MAX_UNPROVEN), (Proof::Link, MAX_PER_ORDER)] {
            for number in 0..most * 2 {
                let one = declaring(&order, &format!("{proof:?}{number}"), &format!("{proof:?} {number}"));
                store.withdraw(one, proof).await.expect("an answer");
            }
            assert_eq!(store.withdrawals(&order.id).await.expect("a look").len(), most);
            assert_eq!(store.withdraw(declaring(&order, "y", "more"), proof).await.expect("an answer"), None);
        }
        let nobody = Order { id: "nobody".into(), ..order };
        assert_eq!(refused(store.withdraw(declaring(&nobody, "z", ""), Proof::Link).await), Refusal::NotFound);
    });
}

#[test]
fn the_house_sees_a_declaration_until_it_has_dealt_with_it() {
    let (_place, store) = new_store();
    run(async {
        let order = fulfillments::sold(&store, 1, 1).await;
        store.withdraw(declaring(&order, "w1", ""), Proof::Name).await.expect("it is kept");
        let waits =
            async || store.stuck(NOW, 100).await.expect("a look").rows.into_iter().filter(|one| one.kind == "withdrawal").count();
        assert_eq!((waits().await, store.open_withdrawals(10).await.expect("a look").len()), (1, 1));
        store.resolve("w1", "given back", HOLD).await.expect("it waits");
        assert_eq!((waits().await, store.open_withdrawals(10).await.expect("a look").len()), (0, 0));
        assert_eq!(refused(store.resolve("w1", "again", HOLD).await), Refusal::NotFound);
        let kept = store.withdrawal("w1").await.expect("a look").expect("it is there");
        assert_eq!((kept.handled_at, kept.note.as_deref()), (Some(HOLD), Some("given back")));
        let again = store.withdraw(declaring(&order, "w2", ""), Proof::Name).await.expect("it is kept").expect("there is room");
        assert_eq!(again.id, "w2", "what was dealt with before does not answer what comes later");
    });
}

#[test]
fn every_kind_of_letter_is_claimed() {
    let (_place, store) = new_store();
    run(async {
        let order = fulfillments::sold(&store, 1, 1).await;
        store.fulfil(fulfillments::asking(&order, "a", 0)).await.expect("it is sent");
        store.withdraw(declaring(&order, "w", ""), Proof::Name).await.expect("it is kept");
        let letters = store.claim_letters("edge", 10, LATER, HOLD).await.expect("letters");
        assert_eq!(letters.iter().map(|one| one.kind).collect::<Vec<_>>(), LetterKind::ALL);
    });
}

#[test]
fn a_difference_is_over_where_it_is_forgotten() {
    let (_place, store) = new_store();
    run(async {
        let quote = quoted(&store, 1, 1).await;
        let (_, attempt) = pay(&store, &quote, 100).await;
        store.keep_difference(&attempt, orphans::DifferenceKind::Amount, "it was taken as well", NOW).await.expect("it is kept");
        assert!(store.has_difference(&attempt).await.expect("a look"));
        store.forget_differences(&attempt).await.expect("it went back");
        assert!(!store.has_difference(&attempt).await.expect("a look"));
    });
}
