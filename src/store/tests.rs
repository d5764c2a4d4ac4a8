//! Tests of the store's steps: what each leaves in the file, and what it refuses.

use super::*;
use crate::commerce::address::{Address, Contact};
use crate::commerce::catalog::StockPolicy;
use crate::commerce::checkout::CheckoutState;
pub(super) use crate::commerce::fixture::NOW;
use crate::commerce::fixture::{Shop, cart, flat, sent_to};
use crate::commerce::payment::AttemptState;
use crate::commerce::quote::QuoteParts;
use crate::store::tx::{Tx, params};

mod comparisons;
mod desk;
mod disowned;
mod erasures;
mod fulfillments;
mod withdrawals;

pub(super) const LATER: Timestamp = Timestamp(NOW.0 + 60);
const HOLD: Timestamp = Timestamp(NOW.0 + 900);

/// Where a store is: in a file, or on the tests' PostgreSQL where there is one. The same suite runs on both.
pub(super) enum Place {
    File(tempfile::TempDir),
    Server(Box<postgres::place::Place>),
}

impl Place {
    pub(super) fn open(&self) -> Store {
        match self {
            Self::File(folder) => Store::open_sqlite(&folder.path().join("shop.db")),
            Self::Server(place) => Store::open_postgres(&place.address, FEW),
        }
        .expect("a store")
    }
}

/// Connections of a test's store.
const FEW: NonZeroUsize = NonZeroUsize::new(4).expect("it is not 0");

fn new_store() -> (Place, Store) {
    let place = match std::env::var_os("VITRINE_POSTGRES") {
        Some(_) => Place::Server(Box::new(postgres::place::Place::fresh().expect("a server"))),
        None => Place::File(tempfile::tempdir().expect("a temporary folder")),
    };
    let store = place.open();
    (place, store)
}

pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime").block_on(work)
}

/// The shopper's number names cart, checkout, quote and order.
pub(super) fn opening(number: u8) -> OpenCheckout {
    OpenCheckout {
        id: format!("c{number}").as_str().into(),
        cart_id: CartId([number; 16]),
        cart_revision: 1,
        cart_token: "token".into(),
        vitals_bucket: 7,
        market: "eu".into(),
        language: "en".into(),
        contact: Contact::default(),
        address: Address::default(),
        shipping_rate: None,
        now: NOW,
    }
}

pub(super) fn quote(number: u8, name: &str, units: u32) -> Quote {
    let priced =
        Shop::of(&[1999]).sends_by(flat("post", 490)).price(&sent_to(cart(&[(0, units)], &[]), "DE")).expect("it is priced");
    Quote::freeze(QuoteParts {
        id: name.into(),
        checkout: opening(number).id,
        cart_id: CartId([number; 16]),
        cart_revision: 1,
        market: "eu".into(),
        language: "en".into(),
        contact: Contact { email: "ada@example.com".into(), phone: String::new() },
        address: Address::default(),
        priced,
        created_at: NOW,
        expires_at: HOLD,
    })
}

pub(super) fn payment(quote: &Quote, number: u32, stock: u32) -> BeginPayment {
    let checkout = quote.checkout.clone();
    let name = format!("{checkout}:{number}");
    let quantity = quote.priced.lines[0].quantity;
    BeginPayment {
        order: format!("o:{name}").as_str().into(),
        attempt: Attempt {
            id: name.as_str().into(),
            checkout,
            number,
            quote: quote.id.clone(),
            quote_hash: quote.hash.clone(),
            amount: quote.total(),
            gateway: "sandbox".into(),
            key: format!("shop:{name}:create"),
            body: b"bytes".to_vec(),
            state: AttemptState::IntentPending,
            reference: None,
            redirect_url: None,
            reason: None,
            card: None,
            created_at: NOW,
            changed_at: NOW,
            deadline_at: NOW.plus_seconds(1800),
            cancel_sent_at: None,
            void_asked_at: None,
        },
        needs: vec![StockNeed { sku: "P0".into(), quantity, opening_stock: stock, policy: StockPolicy::Deny }],
        coupons: Vec::new(),
        customer: Vec::new(),
        now: NOW,
        hold_until: HOLD,
    }
}

async fn quoted(store: &Store, number: u8, units: u32) -> Quote {
    let quote = quote(number, &format!("q{number}"), units);
    assert_eq!(store.open_checkout(opening(number), Some(quote.clone())).await.expect("a checkout"), None);
    quote
}

async fn taken(store: &Store, checkout: &CheckoutId, owner: &str, (now, until): (Timestamp, Timestamp)) -> Option<Lease> {
    store.take_lease(checkout, owner, now, until).await.expect("the store is well").expect("there is one").lease
}

/// Whoever has the lease keeps it.
async fn begun(store: &Store, begin: BeginPayment) -> Result<Taken, StoreError> {
    store.begin_payment(begin, "edge", HOLD).await
}

async fn pay(store: &Store, quote: &Quote, stock: u32) -> (Lease, AttemptId) {
    let taken = store.begin_payment(payment(quote, 1, stock), "edge", HOLD).await.expect("a payment");
    let (lease, attempt) = (taken.lease.expect("nobody else has it"), taken.checkout.attempt.expect("it was written").id);
    let opened = Opened { reference: format!("r:{attempt}"), redirect_url: Some("/pay".into()) };
    store.record_opened(&lease, &attempt, opened, NOW).await.expect("it is opened");
    (lease, attempt)
}

pub(super) fn settled(attempt: &AttemptId, card: Option<&str>, now: Timestamp) -> Settlement {
    Settlement {
        attempt: attempt.clone(),
        now,
        reference: "r1".to_owned(),
        card: card.map(str::to_owned),
        order_prefix: "A-".to_owned(),
    }
}

async fn levels(store: &Store) -> Vec<(i64, i64, i64)> {
    let levels = store.stock_snapshot().await.expect("levels").levels;
    levels.iter().map(|level| (level.on_hand, level.reserved, level.sold)).collect()
}

#[track_caller]
pub(super) fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Refusal {
    match result {
        Err(StoreError::Refused(refusal)) => refusal,
        other => panic!("this should have been refused: {other:?}"),
    }
}

#[test]
fn the_last_unit_is_sold_once_to_thirty_two_buyers() {
    let (_place, store) = new_store();
    run(async {
        let buyers = (0..32).map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let quote = quoted(&store, number, 1).await;
                begun(&store, payment(&quote, 1, 1)).await
            })
        });
        let buyers: Vec<_> = buyers.collect();
        let mut winners = 0;
        for buyer in buyers {
            match buyer.await.expect("no buyer panics") {
                Ok(_) => winners += 1,
                Err(error) => assert_eq!(refused::<()>(Err(error)), Refusal::SoldOut { skus: vec!["P0".into()] }),
            }
        }
        assert_eq!(winners, 1);
        assert_eq!(levels(&store).await, [(1, 1, 0)]);
        assert_eq!(store.orders(OrderFilter::default()).await.expect("orders").len(), 1, "who was refused left no order");
    });
}

#[test]
fn an_order_goes_from_shell_to_paid_and_keeps_its_sums() {
    let (place, store) = new_store();
    run(async {
        let quote = quoted(&store, 1, 2).await;
        let (lease, attempt) = pay(&store, &quote, 5).await;
        assert_eq!(levels(&store).await, [(5, 2, 0)]);
        let checkout = store.checkout(&quote.checkout).await.expect("a look").expect("it is there");
        assert_eq!(checkout.state(NOW), CheckoutState::CompleteInProgress);
        assert_eq!((checkout.quote.as_ref(), checkout.order.expect("a shell").number), (Some(&quote), None));

        let placed = store.place(&lease, settled(&attempt, None, LATER)).await.expect("it is placed").order;
        assert_eq!(placed.as_ref().and_then(|order| order.number.as_deref()), Some("A-100001"));
        assert_eq!(store.place(&lease, settled(&attempt, None, LATER)).await.expect("twice is once").order, placed);
        assert_eq!(levels(&store).await, [(3, 0, 2)]);
        let promised = async |share| {
            let rows = store.claim_outbox("edge", share, 10, LATER, HOLD).await.expect("work");
            rows.into_iter().map(|row| row.kind).collect::<Vec<_>>()
        };
        assert_eq!(promised(Share::Mails).await, [], "no mail before the money");
        assert_eq!(promised(Share::Payments).await, [OutboxKind::Capture]);

        for _ in 0..2 {
            let paid = store.mark_paid(&lease, settled(&attempt, Some("visa 4242"), LATER)).await;
            let paid = paid.expect("it is paid").order.expect("an order");
            assert_eq!((paid.number.as_deref(), paid.paid_at), (Some("A-100001"), Some(LATER)));
        }
        assert_eq!(promised(Share::Payments).await, [], "a mail waits for no payment, and no payment for a mail");
        assert_eq!(promised(Share::Mails).await, [OutboxKind::Confirmation]);
        assert_eq!(refused(store.decline(&lease, &attempt, "late", LATER).await), Refusal::WrongState);
        assert_eq!(refused(store.cancel_attempt(&lease, &attempt, LATER).await), Refusal::WrongState);
        assert_eq!(refused(store.review(&lease, &attempt, "late", false, LATER).await), Refusal::WrongState);
    });
    drop(store);
    let store = place.open();
    run(async {
        let order = store.order_by_cart(CartId([1; 16])).await.expect("a look").expect("it is there");
        assert_eq!((order.number.as_deref(), order.state, order.paid_at), (Some("A-100001"), OrderState::Placed, Some(LATER)));
        assert_eq!(levels(&store).await, [(3, 0, 2)]);
        let again = begun(&store, payment(&quote(1, "q1", 2), 2, 5)).await;
        assert_eq!(refused(again), Refusal::CartSpent { order: order.id });
    });
}

#[test]
fn paying_twice_at_once_is_one_attempt() {
    let (_place, store) = new_store();
    run(async {
        let quote = quoted(&store, 1, 1).await;
        let tries = (1..=8).map(|number| {
            let (store, begin) = (store.clone(), payment(&quote, number, 5));
            tokio::spawn(async move { begun(&store, begin).await })
        });
        let tries: Vec<_> = tries.collect();
        let mut won = 0;
        for one in tries {
            match one.await.expect("no shopper panics") {
                Ok(_) => won += 1,
                Err(error) => assert_eq!(refused::<()>(Err(error)), Refusal::AttemptLive),
            }
        }
        assert_eq!((won, levels(&store).await), (1, vec![(5, 1, 0)]));
    });
}

#[test]
fn a_declined_card_keeps_its_units_until_their_time_is_over() {
    let (_place, store) = new_store();
    run(async {
        let quote = quoted(&store, 1, 1).await;
        let (held, attempt) = pay(&store, &quote, 1).await;
        assert_eq!(store.release_expired(Timestamp(i64::MAX)).await.expect("a sweep"), 0, "a live attempt keeps its units");
        store.decline(&held, &attempt, "card_declined", LATER).await.expect("it is declined");
        assert_eq!(levels(&store).await, [(1, 1, 0)]);
        begun(&store, payment(&quote, 2, 1)).await.expect("the same units serve the next try");
        assert_eq!(levels(&store).await, [(1, 1, 0)]);
        store.cancel_attempt(&held, &payment(&quote, 2, 1).attempt.id, LATER).await.expect("it is called off");
        assert_eq!(levels(&store).await, [(1, 0, 0)]);
        let order = store.checkout(&quote.checkout).await.expect("a look").and_then(|checkout| checkout.order).expect("a shell");
        assert_eq!(order.state, OrderState::Canceled);
        begun(&store, payment(&quote, 3, 1)).await.expect("the next payment writes a shell of its own");
        store.decline(&held, &payment(&quote, 3, 1).attempt.id, "card_declined", LATER).await.expect("it is declined");
        assert_eq!(store.release_expired(HOLD).await.expect("a sweep"), 1);
        assert_eq!(levels(&store).await, [(1, 0, 0)]);
    });
}

#[test]
fn who_lost_the_lease_changes_nothing() {
    let (_place, store) = new_store();
    run(async {
        let quote = quoted(&store, 1, 1).await;
        let (stale, attempt) = pay(&store, &quote, 1).await;
        assert_eq!(taken(&store, &quote.checkout, "other", (LATER, HOLD)).await, None);
        let taken = taken(&store, &quote.checkout, "other", (HOLD, HOLD.plus_seconds(9))).await.expect("it ran out");
        assert_eq!(refused(store.place(&stale, settled(&attempt, None, HOLD)).await), Refusal::LeaseLost);
        store.release_lease(&stale).await.expect("giving back what is lost is no error");
        store.place(&taken, settled(&attempt, None, HOLD)).await.expect("the holder acts");
    });
}

#[test]
fn the_last_step_of_a_turn_gives_the_lease_back_and_gives_what_is_stored() {
    let (_place, store) = new_store();
    run(async {
        let quote = quoted(&store, 1, 1).await;
        let (held, attempt) = pay(&store, &quote, 1).await;
        let stored = async || store.checkout(&quote.checkout).await.expect("a look").expect("it is there");
        let placed = store.place(&held, settled(&attempt, None, LATER)).await.expect("it is placed");
        assert_eq!((placed, taken(&store, &quote.checkout, "other", (NOW, HOLD)).await), (stored().await, None));
        let last = Lease { is_last: true, ..held };
        let paid = store.mark_paid(&last, settled(&attempt, Some("visa 4242"), LATER)).await.expect("it is paid");
        assert_eq!(paid, stored().await);
        assert_eq!(refused(store.mark_paid(&last, settled(&attempt, None, LATER)).await), Refusal::LeaseLost);
        let again = taken(&store, &quote.checkout, "other", (NOW, HOLD)).await.expect("it is free");
        assert_eq!(store.release_lease(&again).await.expect("given back"), Some(stored().await));
        taken(&store, &quote.checkout, "third", (NOW, HOLD)).await.expect("it is free again");
    });
}

#[test]
fn a_code_is_used_no_more_often_than_its_limit() {
    let (_place, store) = new_store();
    run(async {
        let coupons = vec![CouponNeed { code: "SPRING".into(), limit: Some(1), per_customer: None, first_order: false }];
        let first = quoted(&store, 1, 1).await;
        let second = quoted(&store, 2, 1).await;
        begun(&store, BeginPayment { coupons: coupons.clone(), ..payment(&first, 1, 5) }).await.expect("the first use");
        let refusal = refused(begun(&store, BeginPayment { coupons, ..payment(&second, 1, 5) }).await);
        assert_eq!(refusal, Refusal::CouponUsedUp { code: "SPRING".into() });
        assert_eq!(levels(&store).await, [(5, 1, 0)], "the refused one holds nothing");
    });
}

#[test]
fn uses_of_the_codes_that_are_asked_for_are_counted_and_no_others() {
    let (_place, store) = new_store();
    run(async {
        let need = |code: &str| CouponNeed { code: code.into(), limit: None, per_customer: None, first_order: false };
        let codes: Vec<CouponCode> = (0..10).map(|number| format!("C{number}").as_str().into()).collect();
        for number in 1..=2 {
            let quote = quoted(&store, number, 1).await;
            let coupons = codes.iter().map(|code| need(code.as_str())).chain([need("auto:all")]).collect();
            begun(&store, BeginPayment { coupons, ..payment(&quote, 1, 5) }).await.expect("a use of each");
        }
        let counted = store.watched_stock(codes.clone()).await.expect("a look");
        assert_eq!(counted.levels, store.stock_snapshot().await.expect("a look").levels);
        assert_eq!(counted.coupon_uses, codes.iter().map(|code| (code.clone(), 2)).collect::<Vec<_>>());
        assert_eq!(store.watched_stock(vec!["C3".into(), "NONE".into()]).await.expect("a look").coupon_uses, [("C3".into(), 2)]);
        assert_eq!(store.watched_stock(Vec::new()).await.expect("a look").coupon_uses, []);
    });
}

#[test]
fn what_is_for_a_first_order_or_once_for_each_is_held_like_stock() {
    let (_place, store) = new_store();
    run(async {
        let names = |name: &str| vec![format!("2:{name}"), format!("1:{name}")];
        let need =
            |code: &str, per_customer, first_order| CouponNeed { code: code.into(), limit: None, per_customer, first_order };
        let (hello, once) = (need("auto:hello", None, true), need("ONCE", Some(1), false));
        let begin = |quote: &Quote, name: &str, need: Option<&CouponNeed>| BeginPayment {
            coupons: need.cloned().into_iter().collect(),
            customer: names(name),
            ..payment(quote, 1, 100)
        };
        let quotes =
            [quoted(&store, 1, 1).await, quoted(&store, 2, 1).await, quoted(&store, 3, 1).await, quoted(&store, 4, 1).await];
        let cart = |index: usize| quotes[index].cart_id;
        // By an edge that had the older key alone.
        let older = BeginPayment { customer: vec!["1:ada".into()], ..begin(&quotes[0], "ada", Some(&once)) };
        begun(&store, older).await.expect("the first use");
        let told = |code: &str| Refusal::NotForCustomer { code: code.into() };
        assert_eq!(refused(begun(&store, begin(&quotes[1], "ada", Some(&hello))).await), told("auto:hello"));
        assert_eq!(refused(begun(&store, begin(&quotes[1], "ada", Some(&once))).await), told("ONCE"));
        let known = Customer { has_ordered: true, uses: vec![("ONCE".into(), 1)] };
        assert_eq!(store.customer(names("ada"), cart(1)).await.expect("a look"), known);
        assert_eq!(store.customer(names("ada"), cart(0)).await.expect("a look"), Customer::default(), "its own order");
        assert_eq!(store.customer(names("bob"), cart(1)).await.expect("a look"), Customer::default());
        begun(&store, begin(&quotes[1], "bob", Some(&hello))).await.expect("somebody else");
        // Once nothing is held for the first one any more, all is as if it had never been.
        assert_eq!(store.release_expired(LATER.plus_seconds(10_000)).await.expect("a sweep"), 0, "a payment keeps them");
        let lease = taken(&store, &quotes[0].checkout, "other", (LATER.plus_seconds(1_000), LATER.plus_seconds(2_000))).await;
        let attempt = payment(&quotes[0], 1, 100).attempt.id;
        store.cancel_attempt(&lease.expect("it is free"), &attempt, LATER).await.expect("it is called off");
        assert_eq!(store.customer(names("ada"), cart(1)).await.expect("a look"), Customer::default());
        begun(&store, begin(&quotes[2], "ada", Some(&hello))).await.expect("a first order again");
        assert_eq!(refused(begun(&store, begin(&quotes[3], "ada", Some(&hello))).await), told("auto:hello"));
        begun(&store, begin(&quotes[3], "ada", None)).await.expect("without it");
    });
}

#[test]
fn back_orders_go_below_nothing_and_downloads_are_not_counted() {
    let (_place, store) = new_store();
    run(async {
        let first = quoted(&store, 1, 3).await;
        let mut begin = payment(&first, 1, 1);
        begin.needs[0].policy = StockPolicy::Backorder;
        begun(&store, begin).await.expect("a back order");
        assert_eq!(levels(&store).await, [(1, 3, 0)]);
        let second = quoted(&store, 2, 1).await;
        assert_eq!(refused(begun(&store, payment(&second, 1, 1)).await), Refusal::SoldOut { skus: vec!["P0".into()] });
        let mut begin = payment(&second, 1, 1);
        begin.needs[0].policy = StockPolicy::Untracked;
        begun(&store, begin).await.expect("a download");
        assert_eq!(levels(&store).await, [(1, 3, 0)]);
    });
}

#[test]
fn a_refused_or_panicking_step_undoes_only_itself() {
    let (_place, store) = new_store();
    run(async {
        let sku = Sku::from("A");
        let good = store.set_stock(&sku, 1, "", NOW);
        let write = |tx: &Tx<'_>| tx.execute("INSERT INTO stock (sku, on_hand) VALUES ('B', 1)", params![]).expect("it is new");
        let bad = store.step(move |tx| -> Result<(), StoreError> {
            write(tx);
            panic!("on purpose");
        });
        let no = store.step(move |tx| -> Result<(), StoreError> {
            write(tx);
            Err(Refusal::NotFound.into())
        });
        let (good, bad, no) = tokio::join!(good, bad, no);
        good.expect("the others do not matter to it");
        assert!(matches!(bad, Err(StoreError::Panicked)));
        assert_eq!(refused(no), Refusal::NotFound);
        let left = store.stock_snapshot().await.expect("levels").levels;
        assert_eq!(left.iter().map(|level| level.sku.as_str()).collect::<Vec<_>>(), ["A"]);
    });
}

#[test]
fn another_process_reads_and_sets_stock_beside_the_edge() {
    let (place, store) = new_store();
    let other = place.open();
    run(async {
        let quote = quoted(&store, 1, 2).await;
        pay(&store, &quote, 5).await;
        assert_eq!(levels(&other).await, [(5, 2, 0)]);
        let refusal = refused(other.set_stock(&"P0".into(), 1, "counted", NOW).await);
        assert_eq!(refusal, Refusal::StockPromised { sku: "P0".into(), reserved: 2 });
        other.set_stock(&"P0".into(), 9, "counted", NOW).await.expect("it is set");
        other.adjust_stock(&"P0".into(), -1, "broken", NOW).await.expect("it is adjusted");
        assert_eq!(levels(&store).await, [(8, 2, 0)]);
    });
}

#[test]
fn a_key_answers_the_same_request_only() {
    let (_place, store) = new_store();
    run(async {
        let begin = async |hash, now| store.begin_key("pay", "k1", hash, now).await.expect("the store is well");
        assert_eq!(begin("h1", NOW).await, KeyUse::Fresh);
        assert_eq!(begin("h1", NOW).await, KeyUse::InFlight);
        assert_eq!(begin("h2", NOW).await, KeyUse::OtherRequest);
        store.finish_key("pay", "k1", 200, b"{}".to_vec()).await.expect("it is kept");
        let almost = NOW.plus_seconds(KEY_SECONDS - 1);
        assert_eq!(begin("h1", almost).await, KeyUse::Done { status: 200, response: b"{}".to_vec() });
        assert_eq!(begin("h2", NOW.plus_seconds(KEY_SECONDS)).await, KeyUse::Fresh);
    });
}

#[test]
fn promised_work_is_due_again_when_its_worker_dies_or_fails() {
    let (_place, store) = new_store();
    run(async {
        let quote = quoted(&store, 1, 1).await;
        let (lease, attempt) = pay(&store, &quote, 1).await;
        store.place(&lease, settled(&attempt, None, NOW)).await.expect("it is placed");
        let claim = async |now: Timestamp| {
            store.claim_outbox("edge", Share::Payments, 10, now, now.plus_seconds(30)).await.expect("the store is well")
        };
        let row = claim(NOW).await.remove(0);
        assert_eq!((row.tries, claim(NOW).await.len()), (0, 0));
        let again = claim(NOW.plus_seconds(30)).await.remove(0);
        assert_eq!((again.id, again.tries), (row.id, 1));
        store.retry_outbox(row.id, "refused", LATER).await.expect("it is put back");
        assert_eq!(claim(LATER.plus_seconds(1)).await.len(), 0);
        assert_eq!(claim(LATER.plus_seconds(2)).await.len(), 1);
        store.finish_outbox(row.id, LATER).await.expect("it is done");
        assert_eq!(store.outbox_depth().await.expect("a look"), 0);
    });
}

#[test]
fn what_is_being_paid_cannot_be_changed() {
    let (_place, store) = new_store();
    run(async {
        let first = quoted(&store, 1, 1).await;
        pay(&store, &first, 5).await;
        let checkout = store.checkout(&first.checkout).await.expect("a look").expect("it is there");
        let again = store.save_details(SaveDetails::of(&checkout), Some(quote(1, "q9", 2))).await;
        assert_eq!(refused(again), Refusal::AttemptLive);
        assert_eq!(refused(store.cancel_checkout(&first.checkout, NOW).await), Refusal::AttemptLive);
        let attempts = store.sweep_attempts(NOW, NOW, watch::Reach::Due).await.expect("a look");
        assert_eq!(attempts.len(), 1);
        let found = store.attempt_by_reference("sandbox", attempts[0].reference.as_deref().expect("it is opened")).await;
        assert_eq!(found.expect("a look").as_ref(), attempts.first());
    });
}

#[test]
fn what_an_edge_with_a_fast_clock_has_claimed_is_not_claimed_by_one_with_a_slow_clock() {
    let (_place, store) = new_store();
    run(async {
        let quote = quoted(&store, 1, 1).await;
        pay(&store, &quote, 5).await;
        store.promise_alarm_once("a thing", &quote.checkout, "why", NOW).await.expect("promised");
        // The one is three seconds ahead of the other, and each claims for a minute of its own.
        let (fast, slow) = (NOW.plus_seconds(3), NOW);
        let claim =
            async |now: Timestamp| store.claim_outbox("edge", Share::Mails, 10, now, now.plus_seconds(60)).await.expect("rows");
        assert_eq!(claim(fast).await.len(), 1);
        assert_eq!(claim(slow).await.len(), 0, "it is being sent");
        // A clock that was set back by more than clocks differ keeps nobody waiting.
        assert_eq!(claim(NOW.plus_seconds(-3600)).await.len(), 1);

        let order = fulfillments::sold(&store, 2, 1).await;
        store.fulfil(fulfillments::asking(&order, "a", 0)).await.expect("it is sent");
        let claim = async |now: Timestamp| store.claim_letters("edge", 10, now, now.plus_seconds(60)).await.expect("letters");
        let (fast, slow) = (LATER.plus_seconds(3), LATER);
        assert_eq!((claim(fast).await.len(), claim(slow).await.len()), (1, 0), "it is being sent");
        assert_eq!(claim(LATER.plus_seconds(-3600)).await.len(), 1);
    });
}

#[test]
fn what_was_counted_is_the_last_word_of_each_process_and_is_forgotten_by_the_hour() {
    use aggregates::{Aggregate, Aggregates, Counted};
    let (_place, store) = new_store();
    let counted = Aggregates::beside(&store).expect("opened").expect("a store on a disk");
    let row = |hour, cell: &str, body: &[u8]| Aggregate { hour, kind: "views".into(), cell: cell.into(), body: body.into() };
    let read = |from, until| {
        let mut rows = Vec::new();
        run(counted.each(from, until, |row| rows.push(row))).expect("read");
        rows
    };
    assert_eq!((run(counted.counted()).expect("looked"), read(0, 1_000)), (None, Vec::new()));
    run(counted.put("one", vec![row(7, "a", b"1"), row(7, "b", b"1"), row(90, "a", b"")])).expect("written");
    run(counted.put("one", vec![row(7, "a", b"2")])).expect("written over");
    run(counted.put("two", vec![row(7, "a", b"3")])).expect("written beside");
    assert_eq!(read(7, 90), [row(7, "a", b"2"), row(7, "a", b"3"), row(7, "b", b"1")]);
    assert_eq!(read(i64::MIN, i64::MAX).len(), 4);
    assert_eq!(run(counted.forget(8)).expect("forgotten"), 3);
    assert_eq!(run(counted.counted()).expect("looked"), Some(Counted { first: 90, last: 90 }));
}
