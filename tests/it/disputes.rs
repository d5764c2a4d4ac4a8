//! Disputes: what customers dispute at their banks is told to the shop and its systems once, and shown until it is answered.

use serde_json::Value;
use vitrine::edge::perform::reconcile;

use crate::faulty::faults::Fault;
use crate::faulty::hooks::HookFault;
use crate::orders_cli::orders;
use crate::refunds::{hears, sold, sold_either_way};
use crate::support::stripe::StripeShop;

fn intent(shop: &StripeShop) -> String {
    shop.faulty.objects("payment_intent")[0]["id"].as_str().expect("a name").to_owned()
}

/// What is shown of the order: its disputes, and what happens next.
fn shown(shop: &StripeShop) -> (Vec<(String, i64)>, String) {
    let (code, out, told) = orders(&shop.counter, &["show", "T-100001", "--json"]);
    assert_eq!(code, 0, "{told}");
    let order: Value = serde_json::from_str(&out).expect("JSON");
    let one = |dispute: &Value| {
        (dispute["state"].as_str().expect("a state").to_owned(), dispute["amount"]["amount"].as_i64().expect("an amount"))
    };
    let disputes = order["disputes"].as_array().expect("a list").iter().map(one).collect();
    (disputes, order["next"].as_str().expect("words").to_owned())
}

fn alarms(shop: &StripeShop, words: &str) -> usize {
    shop.counter.mails().iter().map(|mail| mail.replace("=\r\n", "")).filter(|mail| mail.contains(words)).count()
}

#[test]
fn a_dispute_is_told_once_and_listed_until_it_is_answered() {
    for fault in [HookFault::Fine, HookFault::Doubled, HookFault::Backwards] {
        for shop in sold_either_way() {
            hears(&shop, HookFault::Fine);
            assert_eq!(shown(&shop).0, []);
            shop.faulty.dispute(&intent(&shop), "needs_response");
            let results = hears(&shop, fault);
            assert!(results.iter().all(|result| result.as_deref() == Some("applied")), "{results:?}");
            shop.counter.round();
            shop.catch_up();
            shop.counter.round();
            assert_eq!(alarms(&shop, "it has to be answered at the gateway, or it is lost: 24.80 EUR"), 1);
            let (disputes, next) = shown(&shop);
            assert_eq!(disputes, [("needs_response".to_owned(), 2480)]);
            assert!(next.contains("answer du_") && next.contains("at the gateway by 20"), "{next}");
            let (code, told, _) = orders(&shop.counter, &["stuck"]);
            assert!(
                code == 1 && told.contains("dispute du_") && told.contains("24.80 EUR, product_not_received, to be"),
                "{told}"
            );
            assert!(told.contains("answered by 20") && told.contains("answer it at the gateway's pages"), "{told}");
            // Answered, and lost all the same: the payment stays one that was taken.
            shop.faulty.dispute(&intent(&shop), "under_review");
            hears(&shop, fault);
            assert_eq!(orders(&shop.counter, &["stuck"]).0, 0);
            shop.faulty.dispute(&intent(&shop), "lost");
            hears(&shop, fault);
            shop.counter.round();
            assert_eq!(alarms(&shop, "a dispute was lost"), 1);
            let (disputes, next) = shown(&shop);
            assert_eq!(
                (disputes, next.as_str()),
                (vec![("lost".to_owned(), 2480)], "nothing: its money is the customer's again, as a dispute was lost")
            );
            let (_, out, _) = orders(&shop.counter, &["show", "T-100001"]);
            assert!(
                out.contains("begun over 24.80 EUR, product_not_received") && out.contains("payment.disputed, told to"),
                "{out}"
            );
        }
    }
}

#[test]
fn a_dispute_nobody_can_tell_of_is_asked_for_again_and_one_that_may_not_be_read_is_told_all_the_same() {
    let shop = sold();
    hears(&shop, HookFault::Fine);
    shop.faulty.dispute(&intent(&shop), "needs_response");
    shop.faulty.script("disputes", Fault::Refuse);
    assert_eq!(hears(&shop, HookFault::Fine), [None], "it waits in the inbox");
    assert_eq!(shown(&shop).0, []);
    shop.counter.pass(120);
    while shop.work_inbox() > 0 {}
    assert_eq!(shown(&shop).0, [("needs_response".to_owned(), 2480)]);

    let shop = sold();
    hears(&shop, HookFault::Fine);
    shop.faulty.dispute(&intent(&shop), "needs_response");
    shop.faulty.script("disputes", Fault::Unauthorized);
    hears(&shop, HookFault::Fine);
    shop.counter.round();
    assert_eq!(alarms(&shop, "does not let the shop read how"), 1);
}

#[test]
fn a_dispute_of_another_shop_on_the_same_account_changes_nothing() {
    let shop = sold();
    hears(&shop, HookFault::Fine);
    let mut other = shop.faulty.objects("payment_intent")[0].clone();
    other["id"] = "pi_other".into();
    other["metadata"]["shop"] = "other".into();
    shop.faulty.put(&other);
    shop.faulty.dispute("pi_other", "needs_response");
    assert_eq!(hears(&shop, HookFault::Fine), [Some("foreign".to_owned())]);
    assert_eq!((shown(&shop).0, orders(&shop.counter, &["stuck"]).0), (vec![], 0));
}

#[test]
fn a_dispute_of_which_no_event_ever_told_is_found_by_the_daily_comparison() {
    for shop in sold_either_way() {
        hears(&shop, HookFault::Fine);
        let compares = || {
            let (app, till) = (shop.counter.app.clone(), shop.counter.till());
            assert!(shop.counter.run(reconcile::reconcile(&app, &till)).expect("a store").is_some());
            while shop.work_inbox() > 0 {}
            shop.counter.round();
        };
        let happens_unheard = |status| {
            shop.faulty.dispute(&intent(&shop), status);
            let event = shop.faulty.objects("event").pop().expect("it was told");
            shop.faulty.forget(event["id"].as_str().expect("a name"));
            shop.faulty.hooks_go(HookFault::Lost);
            shop.deliver();
        };
        compares();
        assert_eq!(shown(&shop).0, []);
        happens_unheard("needs_response");
        for _ in 0..2 {
            compares();
            assert_eq!(shown(&shop).0, [("needs_response".to_owned(), 2480)]);
        }
        assert_eq!(alarms(&shop, "it has to be answered at the gateway, or it is lost: 24.80 EUR"), 1);
        // Weeks later it is lost.
        shop.counter.pass(40 * 24 * 3600);
        happens_unheard("lost");
        compares();
        assert_eq!((shown(&shop).0, alarms(&shop, "a dispute was lost")), (vec![("lost".to_owned(), 2480)], 1));
        // A key that may not list them stops nothing else.
        shop.faulty.script("disputes", Fault::Unauthorized);
        compares();
    }
}
