//! Tests of the desk's steps, on each engine: tries and sessions, acts and their log, pages of orders, stock.

use super::*;
use crate::commerce::order::OrderState;
use crate::store::desk::{Act, Paid, StockWanted, Wanted};
use crate::store::operators::{KNOWN_SECONDS, NAME_TRIES, NETWORK_TRIES, NewSession, STRANGER, Try, WAIT_MAX_SECONDS};
use crate::store::refunds::AskRefund;

/// No order.
const NONE: [u8; 0] = [];

/// An order of its own name, SKU and e-mail address, written so many seconds after the first; gives its checkout's lease and attempt.
async fn written(store: &Store, number: u8, name: &str, seconds: i64) -> (Lease, AttemptId) {
    let mut frozen = quote(number, &format!("q{number}"), 1);
    frozen.address.name = name.to_owned();
    frozen.contact.email = format!("Person{number}@Example.com");
    store.open_checkout(opening(number), Some(frozen.clone())).await.expect("a checkout");
    let mut begin = payment(&frozen, 1, 100);
    begin.now = NOW.plus_seconds(seconds);
    let taken = begun(store, begin).await.expect("a payment");
    let (lease, attempt) = (taken.lease.expect("nobody else has it"), taken.checkout.attempt.expect("it was written").id);
    let opened = Opened { reference: format!("pi_{number}"), redirect_url: None };
    store.record_opened(&lease, &attempt, opened, NOW).await.expect("it is opened");
    (lease, attempt)
}

/// Twelve: of each three one is paid, one left, one canceled; all bought the same SKU.
async fn twelve(store: &Store) {
    for number in 1..=12 {
        let name = if number % 2 == 0 { "Ada Lovelace" } else { "Grace Brewster Hopper" };
        let (lease, attempt) = written(store, number, name, i64::from(number) * 100).await;
        match number % 3 {
            0 => {
                let mut settlement = settled(&attempt, None, LATER);
                settlement.reference = format!("pi_{number}");
                store.mark_paid(&lease, settlement).await.map(drop).expect("paid");
            }
            1 => {}
            _ => store.cancel_attempt(&lease, &attempt, LATER).await.map(drop).expect("canceled"),
        }
    }
}

async fn found(store: &Store, wanted: Wanted) -> Vec<u8> {
    let (mut all, mut wanted) = (Vec::new(), Wanted { gateways: vec!["sandbox".to_owned()], limit: 2, ..wanted });
    loop {
        let page = store.orders_page(wanted.clone()).await.expect("a page");
        assert!(page.rows.len() <= 2);
        all.extend(page.rows.iter().map(|row| row.order.quote.cart_id.0[0]));
        match page.next {
            Some(next) => wanted.after = Some(next),
            None => return all,
        }
    }
}

fn search(text: &str) -> Wanted {
    Wanted { search: Some(text.to_owned()), ..Wanted::default() }
}

#[test]
fn pages_of_orders_hold_each_once_the_newest_first_whatever_is_asked_for() {
    let (_place, store) = new_store();
    run(async {
        twelve(&store).await;
        let all: Vec<u8> = (1..=12).rev().collect();
        assert_eq!(found(&store, Wanted::default()).await, all);
        let of = |state| Wanted { state: Some(state), ..Wanted::default() };
        assert_eq!(found(&store, of(OrderState::Placed)).await, [12, 9, 6, 3]);
        assert_eq!(found(&store, of(OrderState::PendingPayment)).await, [10, 7, 4, 1]);
        assert_eq!(found(&store, of(OrderState::Canceled)).await, [11, 8, 5, 2]);
        let of = |paid| Wanted { paid: Some(paid), ..Wanted::default() };
        assert_eq!(found(&store, of(Paid::Paid)).await, [12, 9, 6, 3]);
        assert_eq!((found(&store, of(Paid::Unpaid)).await, found(&store, of(Paid::Refunded)).await), (vec![], vec![]));
        let (since, until) = (Some(NOW.plus_seconds(300)), Some(NOW.plus_seconds(600)));
        assert_eq!(found(&store, Wanted { since, until, ..Wanted::default() }).await, [5, 4, 3], "until is not in it");
        assert_eq!(found(&store, Wanted { market: Some("us".into()), ..Wanted::default() }).await, NONE);
        assert_eq!(found(&store, Wanted { market: Some("eu".into()), since, ..Wanted::default() }).await.len(), 10);
        // Nothing is found by its terms before they are written down; then each order is, and once.
        assert_eq!(found(&store, search("ada")).await, NONE);
        assert_eq!(store.make_searchable().await.expect("a round"), 12);
        assert_eq!(store.make_searchable().await.expect("another"), 0);
        assert_eq!(found(&store, search("ada")).await, [12, 10, 8, 6, 4, 2]);
        assert_eq!(found(&store, search("HOP grace")).await, [11, 9, 7, 5, 3, 1]);
        assert_eq!(found(&store, search("lovelace grace")).await, NONE);
        assert_eq!(found(&store, search("person1@")).await, [1]);
        assert_eq!(found(&store, search("PERSON1")).await, NONE, "an e-mail address has its @");
        assert_eq!(found(&store, search("p0")).await, all, "by SKU");
        assert_eq!(found(&store, Wanted { state: Some(OrderState::Canceled), ..search("ada") }).await, [8, 2]);
        assert_eq!(found(&store, Wanted { since, until, ..search("p0") }).await, [5, 4, 3]);
        assert_eq!(found(&store, search("pi_7")).await, [7], "by the gateway's name of its payment");
        assert_eq!(found(&store, search("A-100002")).await, [6]);
        assert_eq!(found(&store, search("a-100002")).await, [6]);
        assert_eq!(found(&store, search("o:c4:1")).await, [4]);
        for nothing in ["%", "_", "'", "*", "x' OR 1=1", "\u{10ffff}"] {
            assert_eq!(found(&store, search(nothing)).await, NONE, "{nothing}");
        }
    });
}

#[test]
fn an_act_and_its_entry_are_one_and_a_form_is_done_once() {
    let (_place, store) = new_store();
    run(async {
        let (lease, attempt) = written(&store, 1, "Ada", 0).await;
        let order = store.mark_paid(&lease, settled(&attempt, None, LATER)).await.expect("paid").order.expect("an order");
        let ask = |id: &str, minor| {
            Act::Refund(AskRefund { amount_minor: Some(minor), reason: "late".to_owned(), ..fulfillments::refunding(&order, id) })
        };
        let done = store.act("ada", Some("k1"), ask("r1", 1000), LATER).await.expect("promised");
        assert!(done.is_changed && done.refund.is_some_and(|refund| refund.amount.minor == 1000));
        let again = store.act("ada", Some("k1"), ask("r2", 1000), LATER).await.expect("it was done");
        assert!(!again.is_changed && again.refund.is_none());
        let left = Money::new(order.quote.total().minor - 1000, order.quote.total().currency);
        assert_eq!(refused(store.act("bob", Some("k2"), ask("r3", left.minor + 1), LATER).await), Refusal::MoreThanLeft { left });
        // What was refused left no entry, and its key is free.
        store.act("bob", Some("k2"), ask("r4", left.minor), LATER).await.expect("the rest");
        assert_eq!(refused(store.act("bob", None, Act::Void("o:none".into()), LATER).await), Refusal::NotFound);
        store.act("ada", None, Act::Note { order: order.id.clone(), text: "call back".to_owned() }, LATER).await.expect("a note");
        store
            .act("ada", None, Act::SetStock { sku: "P9".into(), on_hand: 4, reason: "counted".to_owned() }, LATER)
            .await
            .expect("set");
        store
            .act("ada", None, Act::AdjustStock { sku: "P9".into(), change: -1, reason: "broken".to_owned() }, LATER)
            .await
            .expect("one less");
        store.act("ada", None, Act::Pause { reason: "why".to_owned() }, LATER).await.expect("paused");
        store.act("ada", None, Act::Resume, LATER).await.expect("open");
        let log = store.audit(None, None, 100).await.expect("the log");
        let told: Vec<(&str, &str)> = log.iter().rev().map(|one| (one.operator.as_str(), one.action.as_str())).collect();
        assert_eq!(
            told,
            [
                ("ada", "refund"),
                ("bob", "refund"),
                ("ada", "note"),
                ("ada", "stock set"),
                ("ada", "stock adjusted"),
                ("ada", "payments paused"),
                ("ada", "payments resumed"),
            ]
        );
        assert_eq!((log[2].before.as_str(), log[2].after.as_str(), log[3].before.as_str()), ("4", "3", "never counted"));
        let of_order = store.audit(None, Some(&order.id), 100).await.expect("its log");
        assert_eq!(of_order.iter().map(|one| one.action.as_str()).collect::<Vec<_>>(), ["note", "refund", "refund"]);
        assert_eq!(store.audit(Some(log[1].id), None, 2).await.expect("a page"), log[2..4]);
        let movements = store.movements(&"P9".into(), None, 10).await.expect("movements");
        assert_eq!(
            movements.iter().map(|one| (one.change, one.reason.as_str())).collect::<Vec<_>>(),
            [(-1, "broken"), (4, "counted")]
        );
        let low = StockWanted { at_most: Some(3), limit: 10, ..StockWanted::default() };
        assert_eq!(
            store.stock_page(low).await.expect("levels").iter().map(|level| level.sku.as_str()).collect::<Vec<_>>(),
            ["P9"]
        );
        let after = StockWanted { after: "P0".to_owned(), prefix: "P".to_owned(), limit: 10, ..StockWanted::default() };
        assert_eq!(store.stock_page(after).await.expect("levels").len(), 1);
        let sold = store.sold_since(NOW).await.expect("a day");
        assert_eq!((sold.len(), sold[0].orders, sold[0].total), (1, 1, order.quote.total()));
        assert!(
            store
                .history(&order.id)
                .await
                .expect("history")
                .iter()
                .any(|one| one.what == "note" && one.detail == "ada wrote call back")
        );
    });
}

#[test]
fn the_log_is_only_added_to() {
    let (_place, store) = new_store();
    run(async {
        store.act("ada", None, Act::Pause { reason: String::new() }, NOW).await.expect("paused");
        let change = store.step(|tx| tx.execute("UPDATE audit SET operator = 'eve'", params![])).await;
        let forget = store.step(|tx| tx.execute("DELETE FROM audit", params![])).await;
        assert!(change.is_err() && forget.is_err(), "{change:?} {forget:?}");
        assert_eq!(store.audit(None, None, 10).await.expect("the log")[0].operator, "ada");
    });
}

#[test]
fn tries_are_counted_before_they_are_looked_at() {
    let (_place, store) = new_store();
    run(async {
        store.add_operator("ada", "$hash", "test", NOW).await.expect("an operator");
        assert_eq!(refused(store.add_operator("ada", "$other", "test", NOW).await), Refusal::WrongState);
        let tries = (0..40).map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.begin_sign_in("ada", &format!("10.{number}.0.0/24"), NOW).await.expect("a try") })
        });
        let mut looked = 0;
        for one in tries.collect::<Vec<_>>() {
            looked += usize::from(one.await.expect("no panic") == Try::Look { hash: Some("$hash".to_owned()) });
        }
        assert_eq!(looked, NAME_TRIES as usize);
        // A clock that was set back locks nobody out.
        let earlier = NOW.plus_seconds(-WAIT_MAX_SECONDS - 5);
        assert!(matches!(store.begin_sign_in("ada", "n", earlier).await.expect("a try"), Try::Look { .. }));
        for number in 1..=15 {
            store.open_session(session("n", &format!("token{number}"), None), NOW.plus_seconds(number)).await.expect("a session");
        }
        let alive = |number: i64| store.session_at(number);
        let mut count = 0;
        for number in 1..=15 {
            count += usize::from(alive(number).await);
        }
        assert_eq!(count, 10, "the newest of them");
        assert_eq!(store.close_sessions("ada", NOW).await.expect("closed"), 10);
    });
}

fn session(network: &str, token_hash: &str, former: Option<&str>) -> NewSession {
    NewSession {
        operator: "ada".to_owned(),
        network: network.to_owned(),
        token_hash: token_hash.to_owned(),
        former: former.map(str::to_owned),
    }
}

#[test]
fn strangers_keep_nobody_out_of_a_network_that_somebody_signed_in_from() {
    let (_place, store) = new_store();
    run(async {
        store.add_operator("ada", "$hash", "test", NOW).await.expect("an operator");
        store.open_session(session("home", "one", None), NOW).await.expect("a session");
        let is_looked_at = async |name: &str, network: &str, at: Timestamp| {
            matches!(store.begin_sign_in(name, network, at).await.expect("a try"), Try::Look { .. })
        };
        for name in ["ada", "nobody"] {
            for _ in 0..NAME_TRIES {
                assert!(is_looked_at(name, "away", NOW).await);
            }
            assert!(!is_looked_at(name, "away", NOW).await && !is_looked_at(name, "elsewhere", NOW).await, "{name} waits");
            assert!(is_looked_at(name, "home", NOW).await, "{name}: which names there are is not told at home either");
        }
        // At home the network waits, whatever the name.
        for number in 2..NETWORK_TRIES {
            assert!(is_looked_at(&format!("name{number}"), "home", NOW).await);
        }
        assert!(!is_looked_at("ada", "home", NOW).await);
        let log = store.audit(None, None, 10).await.expect("the log");
        let made_to_wait = log.iter().filter(|one| one.action == "made to wait");
        let made_to_wait: Vec<_> =
            made_to_wait.map(|one| (one.operator.as_str(), one.subject.as_str(), one.detail.as_str())).collect();
        // Once each; what strangers type is not written down.
        let [networks, names] = [NETWORK_TRIES, NAME_TRIES].map(|tries| format!("{tries} tries in vain"));
        assert_eq!(made_to_wait, [(STRANGER, "network home", &*networks), (STRANGER, "name ada", &*names)]);
        // A home is forgotten, too.
        let later = NOW.plus_seconds(KNOWN_SECONDS + 1);
        for _ in 0..NAME_TRIES {
            assert!(is_looked_at("ada", "away", later).await);
        }
        assert!(!is_looked_at("ada", "home", later).await);
    });
}

#[test]
fn signing_in_anew_ends_the_session_that_the_browser_had() {
    let (_place, store) = new_store();
    run(async {
        store.add_operator("ada", "$hash", "test", NOW).await.expect("an operator");
        store.open_session(session("home", "token1", None), NOW).await.expect("a session");
        store.open_session(session("home", "token2", None), NOW).await.expect("another browser's");
        store.open_session(session("home", "token3", Some("token1")), NOW).await.expect("the first browser's");
        let alive = [store.session_at(1).await, store.session_at(2).await, store.session_at(3).await];
        assert_eq!(alive, [false, true, true]);
        store.close_session("token2", NOW).await.expect("closed");
        store.close_session("token2", NOW).await.expect("it is closed");
        let log = store.audit(None, None, 10).await.expect("the log");
        let actions: Vec<&str> = log.iter().map(|one| one.action.as_str()).collect();
        assert_eq!(actions, ["signed out", "signed in", "signed out", "signed in", "signed in", "operator added"]);
    });
}

#[test]
fn a_form_that_comes_twice_at_once_is_done_and_told_as_done_both_times() {
    let (_place, store) = new_store();
    run(async {
        let order = fulfillments::sold(&store, 1, 2).await;
        // All of it: nothing is left for another.
        let refund = |number: u32| fulfillments::refunding(&order, &format!("r{number}"));
        let asking = (0..8).map(|number| {
            let (store, act) = (store.clone(), Act::Refund(refund(number)));
            tokio::spawn(async move { store.act("ada", Some("k"), act, LATER).await })
        });
        let mut done = 0;
        for one in asking.collect::<Vec<_>>() {
            done += usize::from(one.await.expect("no panic").expect("it was done").is_changed);
        }
        assert_eq!(done, 1);
    });
}

#[test]
fn an_act_on_an_order_is_done_to_nothing_of_another() {
    use crate::store::fulfillments::{AskFulfillment, Telling};
    let (_place, store) = new_store();
    run(async {
        let [one, other] = [fulfillments::sold(&store, 1, 2).await, fulfillments::sold(&store, 2, 2).await];
        let ask = AskFulfillment {
            id: "f1".to_owned(),
            key: "label".to_owned(),
            order: one.id.clone(),
            lines: Vec::new(),
            parcel: crate::commerce::fulfillment::Parcel::default(),
            is_present: false,
            telling: Telling::Nothing,
            now: LATER,
        };
        let done = store.act("ada", None, Act::Fulfil(ask.clone()), LATER).await.expect("sent");
        assert!(done.is_changed && done.fulfillment.is_some_and(|sent| sent.id == "f1"));
        let again = AskFulfillment { id: "f2".to_owned(), ..ask };
        let done = store.act("ada", None, Act::Fulfil(again), LATER).await.expect("the same wish");
        assert!(!done.is_changed && done.fulfillment.is_some_and(|sent| sent.id == "f1"));
        let back = |order: &Order| Act::Unfulfil { order: order.id.clone(), id: "f1".to_owned(), even_if_told: false };
        assert_eq!(refused(store.act("ada", None, back(&other), LATER).await), Refusal::NotFound);
        assert_eq!(store.fulfillment("f1").await.expect("a look").expect("it is there").undone_at, None);
        for is_first in [true, false] {
            assert_eq!(store.act("ada", None, back(&one), LATER).await.expect("taken back").is_changed, is_first);
        }
        let withdrawal = crate::commerce::withdrawal::Withdrawal {
            id: "w1".to_owned(),
            order: one.id.clone(),
            lines: Vec::new(),
            wanted: String::new(),
            reason: String::new(),
            is_late: false,
            created_at: LATER,
            handled_at: None,
            note: None,
        };
        store.withdraw(withdrawal, crate::commerce::withdrawal::Proof::Name).await.expect("declared").expect("kept");
        let resolve = |order: Option<&Order>| Act::Resolve {
            order: order.map(|one| one.id.clone()),
            subject: "w1".to_owned(),
            note: "x".to_owned(),
        };
        assert_eq!(refused(store.act("ada", None, resolve(Some(&other)), LATER).await), Refusal::NotFound);
        store.act("ada", None, resolve(None), LATER).await.expect("dealt with");
        let log = store.audit(None, Some(&one.id), 10).await.expect("its log");
        let actions: Vec<&str> = log.iter().map(|one| one.action.as_str()).collect();
        assert_eq!(actions, ["resolve", "not sent after all", "sent"]);
        assert_eq!(store.audit(None, Some(&other.id), 10).await.expect("its log"), []);
    });
}

#[test]
fn what_is_stuck_is_counted_and_comes_a_page_at_a_time() {
    let (_place, store) = new_store();
    run(async {
        twelve(&store).await;
        // Somebody has to look at the four payments that are under way.
        let review = "UPDATE attempts SET state = 'review' WHERE state NOT IN ('paid', 'declined', 'canceled')";
        assert_eq!(store.step(move |tx| tx.execute(review, params![])).await.expect("SQL"), 4);
        let late = LATER.plus_seconds(24 * 3600);
        let all = store.stuck(late, 100).await.expect("a look");
        assert_eq!((all.rows.len(), all.count), (4, 4), "{all:?}");
        let some = store.stuck(late, 3).await.expect("a look");
        assert_eq!((some.rows.as_slice(), some.count), (&all.rows[..3], 4));
        for row in &all.rows {
            let order = row.order.as_deref().expect("its order");
            assert_eq!(store.stuck_of(order, late).await.expect("a look"), std::slice::from_ref(row));
        }
        assert_eq!(store.stuck_of("nothing", late).await.expect("a look"), []);
    });
}

impl Store {
    async fn session_at(&self, number: i64) -> bool {
        self.session(&format!("token{number}"), NOW.plus_seconds(20)).await.expect("a look").is_some()
    }
}
