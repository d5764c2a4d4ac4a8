//! Erasing whoever bought, on each engine: what is left, what was there before, and what has to be over first.

use super::*;
use crate::commerce::refund::{RefundReport, RefundStanding};
use crate::commerce::withdrawal::Withdrawal;
use crate::store::desk::{Act, Wanted};
use crate::store::event::EventResult;
use crate::store::fulfillments::{AskFulfillment, Telling};
use crate::store::people::Obstacle;
use crate::store::refunds::{AskRefund, RefundAnswer};

/// Every text that names the person: none of them may be left anywhere.
const NAMES: [&str; 18] = [
    "ada.lovelace@example.com",
    "Ada.Lovelace@Example.com",
    "+49 30 1234567",
    "Lovelace",
    "lovelace",
    "Lindenweg 4",
    "Hinterhaus",
    "Potsdam",
    "14467",
    "For Byron",
    "cart-of-ada",
    "call for ada",
    "visa 4242",
    "hash-of-ada",
    "JJD-ADA-1",
    "ada wrote",
    "ada was told",
    "answer to ada",
];

fn contact() -> Contact {
    Contact { email: "Ada.Lovelace@Example.com".into(), phone: "+49 30 1234567".into() }
}

fn address() -> Address {
    Address {
        name: "Ada Lovelace".into(),
        line1: "Lindenweg 4".into(),
        line2: "Hinterhaus".into(),
        city: "Potsdam".into(),
        region: "BB".into(),
        postal_code: "14467".into(),
        country: "DE".into(),
    }
}

/// A quote that names the person, and the opening of its checkout.
fn named(number: u8) -> (OpenCheckout, Quote) {
    let mut frozen = quote(number, &format!("q{number}"), 2);
    (frozen.contact, frozen.address) = (contact(), address());
    frozen.priced.lines[0].properties = vec![("Engraving".to_owned(), "For Byron".to_owned())];
    let opened = OpenCheckout { contact: contact(), address: address(), cart_token: "cart-of-ada".into(), ..opening(number) };
    (opened, frozen)
}

/// An order that is paid: everything about it that can name the person does.
async fn bought(store: &Store, number: u8) -> Order {
    let (opened, frozen) = named(number);
    // Details are told twice, as shoppers do, so that there are traces of the first time.
    store
        .open_checkout(opened.clone(), Some(Quote { id: format!("first{number}").as_str().into(), ..frozen.clone() }))
        .await
        .expect("a checkout");
    let details = SaveDetails {
        checkout: opened.id.clone(),
        cart_revision: 1,
        cart_token: "cart-of-ada, again".into(),
        vitals_bucket: 7,
        contact: contact(),
        address: address(),
        shipping_rate: None,
    };
    store.save_details(details, Some(frozen.clone())).await.expect("kept");
    let mut begin = payment(&frozen, 1, 100);
    begin.attempt.body = b"call for ada.lovelace@example.com".to_vec();
    begin.customer = vec!["hash-of-ada".to_owned()];
    let taken = begun(store, begin).await.expect("a payment");
    let (lease, attempt) = (taken.lease.expect("nobody else has it"), taken.checkout.attempt.expect("it was written").id);
    let opened = Opened { reference: format!("pi_{number}"), redirect_url: Some("https://pay.example/page-of-ada".to_owned()) };
    store.record_opened(&lease, &attempt, opened, NOW).await.expect("it is opened");
    let mut settlement = settled(&attempt, Some("visa 4242"), LATER);
    settlement.reference = format!("pi_{number}");
    let paid = store.mark_paid(&Lease { is_last: true, ..lease }, settlement).await.expect("paid");
    paid.order.expect("an order")
}

/// Crosses off what is promised, but for the confirmation's answer from the mail server.
async fn told(store: &Store) {
    for row in store.claim_outbox("edge", Share::Mails, 10, LATER, HOLD).await.expect("work") {
        store.retry_outbox(row.id, "550 <ada.lovelace@example.com> answer to ada", LATER).await.expect("put back");
        store.finish_outbox(row.id, LATER).await.expect("crossed off");
    }
    for row in store.claim_outbox("edge", Share::Payments, 10, LATER, HOLD).await.expect("work") {
        store.finish_outbox(row.id, LATER).await.expect("crossed off");
    }
    for letter in store.claim_letters("edge", 10, LATER, HOLD).await.expect("letters") {
        store.retry_letter(letter.id, "550 <ada.lovelace@example.com>", LATER).await.expect("put back");
        let again = store.claim_letters("edge", 10, LATER.plus_seconds(60), HOLD).await.expect("letters");
        store.finish_letter(again[0].id, LATER).await.expect("crossed off");
    }
}

/// Everything else that happens to an order, over in the end.
async fn lived_through(store: &Store, order: &Order) {
    let event = NewEvent {
        gateway: "sandbox".into(),
        event: format!("evt-{}", order.id),
        kind: "paid".into(),
        checkout: None,
        attempt: None,
        reference: Some(order.checkout.as_str().replace('c', "pi_")),
        body: b"{\"billing\":\"Ada Lovelace\"}".to_vec(),
        created_at: NOW,
        result: Some(EventResult::Applied),
    };
    store.keep_events(vec![event], LATER).await.expect("kept");
    let parcel = crate::commerce::fulfillment::Parcel {
        carrier: "DHL".into(),
        tracking: "JJD-ADA-1".into(),
        url: "https://dhl.example/JJD-ADA-1".into(),
    };
    let ask = AskFulfillment {
        id: format!("f-{}", order.id),
        key: format!("JJD-ADA-1-{}", order.id),
        order: order.id.clone(),
        lines: Vec::new(),
        parcel,
        is_present: false,
        telling: Telling::Letter,
        now: LATER,
    };
    store.act("eve", None, Act::Fulfil(ask), LATER).await.expect("sent");
    told(store).await;
    let declared = Withdrawal {
        id: format!("w-{}", order.id),
        order: order.id.clone(),
        lines: Vec::new(),
        wanted: "ada wrote: the lamp of Lovelace".into(),
        reason: "ada wrote: too bright".into(),
        is_late: false,
        created_at: LATER,
        handled_at: None,
        note: None,
    };
    store.withdraw(declared.clone(), crate::commerce::withdrawal::Proof::Name).await.expect("kept");
    told(store).await;
    let resolve = Act::Resolve { order: None, subject: declared.id, note: "ada was told".into() };
    store.act("eve", None, resolve, LATER).await.expect("dealt with");
    let ask = AskRefund {
        amount_minor: Some(500),
        reason: "ada was told why".into(),
        note: "ada wrote".into(),
        ..fulfillments::refunding(order, &format!("r-{}", order.id))
    };
    store.act("eve", None, Act::Refund(ask), LATER).await.expect("promised");
    let refund = store.claim_refunds("edge", 10, LATER, HOLD).await.expect("refunds").pop().expect("one");
    let report = RefundReport {
        reference: format!("re-{}", order.id),
        key: refund.key.clone(),
        amount: refund.amount,
        standing: RefundStanding::Done,
        failure: None,
        made_at: LATER,
    };
    store.settle_refund(&refund, RefundAnswer::Told(report), LATER).await.expect("made");
    store.refund_told(&refund.id, LATER).await.expect("told");
    let note = Act::Note { order: order.id.clone(), text: "ada wrote that Lovelace moved".into() };
    store.act("eve", None, note, LATER).await.expect("kept");
    let scope = format!("{} payment", order.checkout);
    store.begin_key(&scope, "k", "h", LATER).await.expect("a key");
    store.finish_key(&scope, "k", 200, b"{\"email\":\"Ada.Lovelace@Example.com\"}".to_vec()).await.expect("kept");
    told(store).await;
    store.make_searchable().await.expect("a round");
}

fn erase(checkout: &CheckoutId) -> Act {
    Act::Erase { checkout: checkout.clone() }
}

/// Every value of every table, as text: by the tables that there are, so that a new one is looked at as well.
async fn all_values(store: &Store) -> String {
    let values = store.step(|tx| match tx {
        Tx::Sqlite(connection) => {
            let mut all = String::new();
            let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
            let names: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            for name in names {
                let mut rows = connection.prepare(&format!("SELECT * FROM \"{name}\""))?;
                let columns = rows.column_count();
                let mut rows = rows.query([])?;
                while let Some(row) = rows.next()? {
                    for column in 0..columns {
                        all.push('\n');
                        match row.get_ref(column)? {
                            rusqlite::types::ValueRef::Text(text) | rusqlite::types::ValueRef::Blob(text) => {
                                all.push_str(&String::from_utf8_lossy(text));
                            }
                            _ => {}
                        }
                    }
                }
            }
            Ok(all)
        }
        Tx::Postgres(_) => {
            let tables =
                "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1";
            assert!(tx.query(tables, params![], |row| row.get::<_, String>(0))?.len() > 20);
            // Bytes are shown as the letters they are.
            let all = "SELECT string_agg(query_to_xml('SELECT * FROM ' || quote_ident(table_name), true, false, '')::text, '')
                 FROM information_schema.tables WHERE table_schema = current_schema()";
            let bytes =
                "SELECT string_agg(encode(body, 'escape'), ' ') FROM (SELECT body FROM attempts UNION ALL SELECT body FROM inbox
                 UNION ALL SELECT response FROM idempotency_keys) AS bytes";
            let read = |row: &tx::Row<'_>| Ok(row.get::<_, Option<String>>(0)?.unwrap_or_default());
            Ok(tx.query_one(all, params![], read)? + &tx.query_one(bytes, params![], read)?)
        }
    });
    values.await.expect("a look")
}

#[test]
fn nothing_that_names_the_person_is_left_and_the_accounts_are() {
    let (place, store) = new_store();
    run(async {
        let order = bought(&store, 1).await;
        lived_through(&store, &order).await;
        let values = all_values(&store).await;
        for name in NAMES {
            assert!(values.contains(name), "nothing has `{name}` to begin with, so its absence says nothing");
        }
        let refunds = store.refunds(&order.id).await.expect("a look");
        let before = store.export_page(OrderFilter::default(), 0).await.expect("a page").pop().expect("one");
        store.check_erasable(&order.checkout, HOLD).await.expect("nothing is under way");
        let done = store.act("eve", Some("form"), erase(&order.checkout), HOLD).await.expect("erased");
        assert!(done.is_changed);
        let values = all_values(&store).await;
        for name in NAMES {
            assert!(!values.contains(name), "`{name}` is left");
        }
        let after = store.order(&order.id).await.expect("a look").expect("it is there");
        assert_eq!(after, Order { quote: order.quote.clone().erased(), erased_at: Some(HOLD), ..order.clone() });
        assert_eq!((after.quote.address.country.as_str(), after.quote.address.region.as_str()), ("DE", "BB"));
        assert_eq!((&after.quote.hash, after.quote.is_intact()), (&order.quote.hash, false));
        let told = store.refunds(&order.id).await.expect("a look");
        assert_eq!(
            (told[0].amount, told[0].state, &told[0].reference),
            (refunds[0].amount, refunds[0].state, &refunds[0].reference)
        );
        let exported = store.export_page(OrderFilter::default(), 0).await.expect("a page").pop().expect("one");
        assert_eq!((exported.reference, exported.refunded, exported.card), (before.reference, before.refunded, None));
        assert_eq!(exported.order.quote.priced.taxes, order.quote.priced.taxes);
        // Found by what was bought and by its number, and by no name.
        assert_eq!(store.make_searchable().await.expect("a round"), 1);
        for (text, count) in [("p0", 1), ("lovelace", 0), ("ada.lovelace@", 0), ("A-100001", 1)] {
            let wanted = Wanted { search: Some(text.to_owned()), limit: 5, ..Wanted::default() };
            assert_eq!(store.orders_page(wanted).await.expect("a page").rows.len(), count, "{text}");
        }
        assert_eq!(store.customer(vec!["hash-of-ada".into()], CartId([9; 16])).await.expect("a look"), Customer::default());
        let report = store.verify().await.expect("a look");
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        // Once is once, and a note of afterwards goes as well.
        let note = Act::Note { order: order.id.clone(), text: "Lovelace wrote again".into() };
        store.act("eve", None, note, HOLD).await.expect("kept");
        let again = store.act("eve", None, erase(&order.checkout), HOLD.plus_seconds(9)).await.expect("nothing to do");
        assert!(!again.is_changed && !all_values(&store).await.contains("Lovelace"));
        assert_eq!(store.order(&order.id).await.expect("a look").expect("there").erased_at, Some(HOLD));
        let log = store.audit(None, Some(&order.id), 50).await.expect("the log");
        assert_eq!(log.iter().filter(|entry| entry.action == "erased").count(), 1);
        assert!(log.iter().any(|entry| entry.action == "note" && entry.operator == "eve" && entry.detail == "erased"), "{log:?}");
    });
    // The bytes of the file and of what lies beside it, whatever page they were on.
    if let Place::File(folder) = &place {
        assert!(run(store.empty_log()).expect("a checkpoint"));
        for file in std::fs::read_dir(folder.path()).expect("a folder") {
            let path = file.expect("a file").path();
            let bytes = std::fs::read(&path).expect("bytes");
            for name in NAMES {
                let is_there = bytes.windows(name.len()).any(|window| window == name.as_bytes());
                assert!(!is_there, "`{name}` stands in {}", path.display());
            }
        }
    }
}

#[test]
fn what_is_under_way_has_to_be_over_first() {
    let (_place, store) = new_store();
    run(async {
        let under_way = async |checkout: &CheckoutId, expected: Option<Obstacle>| {
            let looked = store.check_erasable(checkout, HOLD).await;
            match expected {
                None => looked.expect("nothing is under way"),
                Some(obstacle) => {
                    assert_eq!(refused(looked), Refusal::UnderWay { obstacle });
                    assert_eq!(refused(store.act("eve", None, erase(checkout), HOLD).await), Refusal::UnderWay { obstacle });
                    assert!(all_values(&store).await.contains("Lovelace"), "nothing is erased by halves");
                }
            }
        };
        let (opened, frozen) = named(1);
        store.open_checkout(opened.clone(), Some(frozen.clone())).await.expect("a checkout");
        let taken = begun(&store, payment(&frozen, 1, 100)).await.expect("a payment");
        under_way(&opened.id, Some(Obstacle::Payment)).await;
        let (lease, attempt) = (taken.lease.expect("free"), taken.checkout.attempt.expect("one").id);
        store
            .record_opened(&lease, &attempt, Opened { reference: "pi_1".into(), redirect_url: None }, NOW)
            .await
            .expect("opened");
        store.cancel_attempt(&Lease { is_last: true, ..lease }, &attempt, LATER).await.expect("called off");
        told(&store).await;
        under_way(&opened.id, None).await;
        let order = bought(&store, 2).await;
        under_way(&order.checkout, Some(Obstacle::Letter)).await;
        told(&store).await;
        let declared = Withdrawal {
            id: "w".into(),
            order: order.id.clone(),
            lines: Vec::new(),
            wanted: String::new(),
            reason: String::new(),
            is_late: false,
            created_at: LATER,
            handled_at: None,
            note: None,
        };
        store.withdraw(declared, crate::commerce::withdrawal::Proof::Name).await.expect("kept");
        under_way(&order.checkout, Some(Obstacle::Withdrawal)).await;
        store.resolve("w", "done", LATER).await.expect("dealt with");
        told(&store).await;
        let event = NewEvent {
            gateway: "sandbox".into(),
            event: "evt".into(),
            kind: "paid".into(),
            checkout: Some(order.checkout.clone()),
            attempt: Some(1),
            reference: None,
            body: Vec::new(),
            created_at: NOW,
            result: None,
        };
        store.keep_events(vec![event], LATER).await.expect("kept");
        under_way(&order.checkout, Some(Obstacle::Event)).await;
        let row = store.claim_events(1, LATER, HOLD).await.expect("events").pop().expect("one");
        store.finish_event(row.id, EventResult::Applied, LATER).await.expect("crossed off");
        store.ask_refund(fulfillments::refunding(&order, "r")).await.expect("promised");
        under_way(&order.checkout, Some(Obstacle::Refund)).await;
        let refund = store.claim_refunds("edge", 1, LATER, HOLD).await.expect("refunds").pop().expect("one");
        store.settle_refund(&refund, RefundAnswer::Failed("no".into()), LATER).await.expect("it failed");
        under_way(&order.checkout, Some(Obstacle::RefundFailed)).await;
        store.resolve("r", "paid by hand", LATER).await.expect("dealt with");
        told(&store).await;
        under_way(&order.checkout, None).await;
        store.act("eve", None, erase(&order.checkout), HOLD).await.expect("erased");
        // What would be sent to nobody is refused; money can still go back, and nobody is written to.
        assert_eq!(refused(store.act("eve", None, Act::Confirm(order.id.clone()), HOLD).await), Refusal::Erased);
        assert_eq!(refused(store.act("eve", None, erase(&"nobody".into()), HOLD).await), Refusal::NotFound);
    });
}

#[test]
fn a_person_is_found_whatever_the_case_and_told_all_and_a_checkout_without_order_goes_as_well() {
    let (_place, store) = new_store();
    run(async {
        let order = bought(&store, 1).await;
        lived_through(&store, &order).await;
        let (opened, _) = named(2);
        store.open_checkout(opened.clone(), None).await.expect("a checkout");
        store.open_checkout(opening(3), None).await.expect("somebody else's");
        let found = store.checkouts_of(" ADA.lovelace@example.COM ").await.expect("a look");
        assert_eq!(found, [order.checkout.clone(), opened.id.clone()]);
        assert!(store.checkouts_of("lovelace@example.com").await.expect("a look").is_empty(), "a part is another");
        assert!(store.checkouts_of(" ").await.expect("a look").is_empty(), "those that name nobody are nobody's");
        let kept = store.kept(&order.checkout).await.expect("a look").expect("it is there");
        let text = serde_json::to_string(&kept).expect("JSON");
        for name in [
            "Ada.Lovelace@Example.com",
            "Lindenweg 4",
            "For Byron",
            "visa 4242",
            "JJD-ADA-1",
            "too bright",
            "moved",
            "confirmation",
        ] {
            assert!(text.contains(name), "{name} in {text}");
        }
        for secret in ["call for ada", "page-of-ada", "cart-of-ada", "hash-of-ada"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        for checkout in &found {
            store.act("eve", None, erase(checkout), HOLD).await.expect("erased");
        }
        assert!(store.checkouts_of("ada.lovelace@example.com").await.expect("a look").is_empty());
        let values = all_values(&store).await;
        assert!(NAMES.iter().all(|name| !values.contains(name)));
        let left = store.checkout(&opened.id).await.expect("a look").expect("until it is forgotten");
        assert!(left.canceled && left.cart_token.is_empty());
        let log = store.audit(None, None, 50).await.expect("the log");
        assert_eq!(log.iter().filter(|entry| entry.action == "erased").count(), 2);
    });
}

#[test]
fn the_log_lets_nothing_be_changed_but_words_about_who_was_erased() {
    let (_place, store) = new_store();
    run(async {
        let order = bought(&store, 1).await;
        told(&store).await;
        let note = Act::Note { order: order.id.clone(), text: "ada wrote".into() };
        store.act("eve", None, note, LATER).await.expect("kept");
        for change in ["UPDATE audit SET detail = 'erased'", "UPDATE audit SET operator = 'nobody'", "DELETE FROM audit"] {
            let tried = store.step(move |tx| tx.execute(change, params![])).await;
            assert!(tried.is_err(), "{change}: {tried:?}");
        }
        store.act("eve", None, erase(&order.checkout), HOLD).await.expect("erased");
        for change in [
            "UPDATE audit SET detail = 'something else'",
            "UPDATE audit SET detail = 'erased', operator = 'nobody'",
            "DELETE FROM audit",
        ] {
            let tried = store.step(move |tx| tx.execute(change, params![])).await;
            assert!(tried.is_err(), "{change}: {tried:?}");
        }
    });
}

#[test]
fn an_address_that_takes_no_mail_keeps_nobody_from_being_erased() {
    let (_place, store) = new_store();
    run(async {
        let order = bought(&store, 1).await;
        for row in store.claim_outbox("edge", Share::Payments, 10, LATER, HOLD).await.expect("work") {
            store.finish_outbox(row.id, LATER).await.expect("crossed off");
        }
        let mails = store.claim_outbox("edge", Share::Mails, 10, LATER, HOLD).await.expect("work");
        assert_eq!(mails.len(), 1);
        store.retry_outbox(mails[0].id, "550 nobody of that name", LATER).await.expect("put back");
        store.act("eve", None, erase(&order.checkout), HOLD).await.expect("erased");
        store.retry_outbox(mails[0].id, "550 <ada.lovelace@example.com>", HOLD).await.expect("it was on its way");
        let later = HOLD.plus_seconds(24 * 3600);
        assert_eq!(store.claim_outbox("edge", Share::Mails, 10, later, later.plus_seconds(60)).await.expect("work").len(), 0);
        assert!(!all_values(&store).await.contains("ada.lovelace"), "{}", all_values(&store).await);
    });
}

#[test]
fn money_that_is_owed_is_settled_before_anybody_is_erased() {
    let (_place, store) = new_store();
    run(async {
        let order = bought(&store, 1).await;
        told(&store).await;
        let paid = store.attempt_by_reference("sandbox", "pi_1").await.expect("a look").expect("it is paid");
        store.keep_difference(&paid.id, orphans::DifferenceKind::Amount, "it was taken twice", LATER).await.expect("kept");
        told(&store).await;
        let refused = refused(store.act("eve", None, erase(&order.checkout), HOLD).await);
        assert_eq!(refused, Refusal::UnderWay { obstacle: Obstacle::Review });
        store.resolve(paid.id.as_str(), "it went back", HOLD).await.expect("dealt with");
        store.act("eve", None, erase(&order.checkout), HOLD).await.expect("erased");
    });
}
