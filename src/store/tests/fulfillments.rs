//! What leaves the house: who may send what, how often, and how it is taken back.

use super::*;
use crate::commerce::fulfillment::{Fulfillment, Parcel};
use crate::store::fulfillments::{AskFulfillment, Telling};
use crate::store::letters::LetterKind;

/// A paid order of so many units of one line.
pub(super) async fn sold(store: &Store, number: u8, units: u32) -> Order {
    let quote = quoted(store, number, units).await;
    let (lease, attempt) = pay(store, &quote, 100).await;
    let ended = Settlement { reference: format!("r:{attempt}"), ..settled(&attempt, None, LATER) };
    store.place(&lease, ended.clone()).await.expect("it is placed");
    let paid = store.mark_paid(&lease, ended).await.expect("it is paid");
    paid.order.expect("an order")
}

pub(super) fn asking(order: &Order, key: &str, units: u32) -> AskFulfillment {
    AskFulfillment {
        id: format!("f-{key}"),
        key: key.to_owned(),
        order: order.id.clone(),
        lines: if units == 0 { Vec::new() } else { vec![(0, units)] },
        parcel: Parcel { carrier: "Post".into(), tracking: "JJD1".into(), url: "https://post.example/JJD1".into() },
        is_present: false,
        telling: Telling::Letter,
        now: LATER,
    }
}

/// All that is left of its money goes back.
pub(super) fn refunding(order: &Order, id: &str) -> refunds::AskRefund {
    refunds::AskRefund {
        id: id.to_owned(),
        order: order.id.clone(),
        amount_minor: None,
        reason: String::new(),
        note: String::new(),
        restocks: false,
        now: LATER,
    }
}

async fn filtered(store: &Store, fulfillment: FulfillmentState) -> usize {
    let filter = OrderFilter { fulfillment: Some(fulfillment), ..OrderFilter::default() };
    store.orders(filter).await.expect("orders").len()
}

#[test]
fn a_unit_leaves_the_house_once_however_many_send_it() {
    let (_place, store) = new_store();
    run(async {
        let order = sold(&store, 1, 5).await;
        let wishes: Vec<_> = (0..8)
            .map(|number| {
                let (store, ask) = (store.clone(), asking(&order, &format!("k{number}"), 2));
                tokio::spawn(async move { store.fulfil(ask).await })
            })
            .collect();
        let (mut sent, mut refusals) = (0, Vec::new());
        for wish in wishes {
            match wish.await.expect("nobody panics") {
                Ok(one) => sent += one.units(),
                Err(error) => refusals.push(refused::<()>(Err(error))),
            }
        }
        assert_eq!(sent, 4);
        assert_eq!(refusals, vec![Refusal::MoreUnitsThanLeft { sku: "P0".into(), left: 1 }; 6]);
        let rest = store.fulfil(asking(&order, "rest", 0)).await.expect("all that is left");
        assert_eq!((rest.units(), rest.completes), (1, true));
        assert_eq!(refused(store.fulfil(asking(&order, "more", 0)).await), Refusal::NothingLeft);
        let all = store.fulfillments(&order.id).await.expect("a look");
        assert_eq!(all.iter().map(Fulfillment::units).sum::<u64>(), 5);
        assert_eq!(all.iter().filter(|one| one.completes).count(), 1);
    });
}

#[test]
fn the_same_key_is_the_same_fulfillment_and_never_another() {
    let (_place, store) = new_store();
    run(async {
        let order = sold(&store, 1, 3).await;
        let other = sold(&store, 2, 3).await;
        let wishes: Vec<_> = (0..4)
            .map(|number| {
                let (store, ask) = (store.clone(), AskFulfillment { id: format!("id{number}"), ..asking(&order, "label-7", 2) });
                tokio::spawn(async move { store.fulfil(ask).await })
            })
            .collect();
        let mut names = Vec::new();
        for wish in wishes {
            names.push(wish.await.expect("nobody panics").expect("it is one and the same").id);
        }
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        assert_eq!(refused(store.fulfil(asking(&order, "label-7", 1)).await), Refusal::KeyTaken);
        assert_eq!(refused(store.fulfil(asking(&other, "label-7", 2)).await), Refusal::KeyTaken);
        assert_eq!(store.sendable(&order.id).await.expect("a look").expect("an order").left, [1]);
        assert_eq!(store.claim_letters("edge", 10, LATER, HOLD).await.expect("letters").len(), 1, "one letter");
    });
}

#[test]
fn what_is_not_paid_or_is_back_in_stock_is_not_sent() {
    let (_place, store) = new_store();
    run(async {
        let quote = quoted(&store, 1, 1).await;
        let (lease, attempt) = pay(&store, &quote, 100).await;
        let shell = store.order_by_cart(CartId([1; 16])).await.expect("a look").expect("a shell");
        assert_eq!(refused(store.fulfil(asking(&shell, "a", 0)).await), Refusal::WrongState);
        store.place(&lease, settled(&attempt, None, LATER)).await.expect("it is placed");
        assert_eq!(refused(store.fulfil(asking(&shell, "a", 0)).await), Refusal::WrongState, "its money is not taken");
        let order = sold(&store, 2, 2).await;
        let refund = refunds::AskRefund { restocks: true, ..refunding(&order, "r1") };
        store.ask_refund(refund.clone()).await.expect("a refund");
        assert_eq!(refused(store.fulfil(asking(&order, "b", 1)).await), Refusal::AlreadyRestocked);
        assert!(store.sendable(&order.id).await.expect("a look").expect("an order").is_restocked);
        let order = sold(&store, 4, 2).await;
        let mut back =
            refunds::AskRefund { id: "r2".into(), order: order.id.clone(), restocks: false, amount_minor: Some(1), ..refund };
        store.ask_refund(back.clone()).await.expect("a part of its money");
        let quiet = |key: &str| AskFulfillment { telling: Telling::Nothing, ..asking(&order, key, 1) };
        store.fulfil(quiet("d")).await.expect("it is still owed");
        (back.id, back.amount_minor) = ("r3".into(), None);
        store.ask_refund(back).await.expect("the rest");
        assert_eq!(refused(store.fulfil(asking(&order, "e", 1)).await), Refusal::AllRefunded);
        store.fulfil(AskFulfillment { is_present: true, ..quiet("e") }).await.expect("as a present");
        let unknown = AskFulfillment { lines: vec![(7, 1)], ..asking(&sold(&store, 3, 1).await, "c", 1) };
        assert_eq!(refused(store.fulfil(unknown).await), Refusal::NotFound);
        assert_eq!(
            store.claim_letters("edge", 10, LATER, HOLD).await.expect("letters"),
            [],
            "nobody is told of what was refused"
        );
    });
}

#[test]
fn it_is_taken_back_until_the_customer_is_told() {
    let (_place, store) = new_store();
    run(async {
        let order = sold(&store, 1, 2).await;
        assert_eq!(filtered(&store, FulfillmentState::Unfulfilled).await, 1);
        store.fulfil(asking(&order, "one", 1)).await.expect("a part");
        assert_eq!(filtered(&store, FulfillmentState::PartlyFulfilled).await, 1);
        for _ in 0..2 {
            let undone = store.unfulfil("f-one", false, HOLD).await.expect("nobody was told");
            assert_eq!(undone.undone_at, Some(HOLD));
        }
        assert_eq!(filtered(&store, FulfillmentState::Unfulfilled).await, 1);
        assert_eq!(store.claim_letters("edge", 10, HOLD, HOLD.plus_seconds(9)).await.expect("letters"), [], "its letter is gone");
        assert_eq!(refused(store.fulfil(asking(&order, "one", 1)).await), Refusal::KeyTaken, "the key names what was taken back");

        store.fulfil(asking(&order, "two", 2)).await.expect("all of it");
        assert_eq!(filtered(&store, FulfillmentState::Fulfilled).await, 1);
        let letters = store.claim_letters("edge", 10, LATER, HOLD).await.expect("letters");
        assert_eq!((letters.len(), letters[0].kind, letters[0].subject.as_str()), (1, LetterKind::Sent, "f-two"));
        assert_eq!(refused(store.unfulfil("f-two", false, LATER).await), Refusal::CustomerTold, "it may be on its way right now");
        store.finish_letter(letters[0].id, LATER).await.expect("it is sent");
        assert_eq!(store.letter_sent_at(LetterKind::Sent, "f-two").await.expect("a look"), Some(LATER));
        assert_eq!(refused(store.unfulfil("f-two", false, HOLD).await), Refusal::CustomerTold);
        store.unfulfil("f-two", true, HOLD).await.expect("the house knows what it does");
        assert_eq!(store.sendable(&order.id).await.expect("a look").expect("an order").left, [2]);
        assert_eq!(refused(store.unfulfil("f-three", true, HOLD).await), Refusal::NotFound);
    });
}

#[test]
fn a_letter_is_due_again_when_its_worker_dies_or_fails() {
    let (_place, store) = new_store();
    run(async {
        let order = sold(&store, 1, 1).await;
        store.fulfil(asking(&order, "one", 0)).await.expect("it is sent");
        let claim = async |at: Timestamp| store.claim_letters("edge", 10, at, at.plus_seconds(120)).await.expect("letters");
        let first = claim(LATER).await;
        assert_eq!((first.len(), claim(LATER).await.len()), (1, 0), "somebody has it");
        assert_eq!(claim(LATER.plus_seconds(121)).await.len(), 1, "who had it is dead");
        store.retry_letter(first[0].id, "451", LATER.plus_seconds(121)).await.expect("put back");
        assert_eq!((claim(LATER.plus_seconds(122)).await.len(), claim(LATER.plus_seconds(123)).await.len()), (0, 1), "after 2 s");
        store.finish_letter(first[0].id, HOLD).await.expect("done");
        assert_eq!(claim(HOLD.plus_seconds(5000)).await, []);
        store.write_again(LetterKind::Sent, "f-one", HOLD).await.expect("once more");
        assert_eq!(claim(HOLD).await.len(), 1);
        assert_eq!(refused(store.write_again(LetterKind::Sent, "f-none", HOLD).await), Refusal::WrongState);
    });
}
