//! Checkout: every step between states, and what must not happen on the way.

use super::*;
use crate::commerce::fixture::{NOW, Shop, cart, euro, flat, sent_to};
use crate::commerce::money::Money;
use crate::commerce::payment::Mismatch;
use crate::commerce::quote::QuoteParts;

const FACTS: Facts = Facts { now: NOW, live: false };

fn quote() -> Quote {
    let priced = Shop::of(&[1999]).sends_by(flat("post", 490)).price(&sent_to(cart(&[(0, 2)], &[]), "DE")).expect("it is priced");
    Quote::freeze(QuoteParts {
        id: "q1".into(),
        checkout: "c1".into(),
        cart_id: CartId([7; 16]),
        cart_revision: 3,
        market: "eu".into(),
        language: "en".into(),
        contact: Contact::default(),
        address: Address::default(),
        priced,
        created_at: NOW,
        expires_at: NOW.plus_seconds(900),
    })
}

fn quoted() -> Checkout {
    Checkout {
        id: "c1".into(),
        cart_id: CartId([7; 16]),
        cart_revision: 3,
        cart_token: String::new(),
        vitals_bucket: 0,
        market: "eu".into(),
        language: "en".into(),
        contact: Contact::default(),
        address: Address::default(),
        shipping_rate: None,
        quote: Some(quote()),
        attempt: None,
        order: None,
        canceled: false,
        created_at: NOW,
    }
}

fn attempt(number: u32, state: AttemptState) -> Attempt {
    let quote = quote();
    Attempt {
        id: format!("a{number}").as_str().into(),
        checkout: "c1".into(),
        number,
        quote: quote.id.clone(),
        quote_hash: quote.hash.clone(),
        amount: quote.total(),
        gateway: "sandbox".into(),
        key: format!("shop:c1:create:{number}"),
        body: Vec::new(),
        state,
        reference: Some(format!("p{number}")),
        redirect_url: None,
        reason: None,
        card: None,
        created_at: NOW,
        changed_at: NOW,
        deadline_at: NOW.plus_seconds(1800),
        cancel_sent_at: None,
        void_asked_at: None,
    }
}

fn order(state: OrderState) -> Order {
    let number = (state == OrderState::Placed).then(|| "100001".to_owned());
    Order {
        id: "o1".into(),
        checkout: "c1".into(),
        number,
        state,
        quote: quote(),
        created_at: NOW,
        placed_at: None,
        paid_at: None,
        erased_at: None,
    }
}

fn at(state: AttemptState, order_state: OrderState) -> Checkout {
    Checkout { attempt: Some(attempt(1, state)), order: Some(order(order_state)), ..quoted() }
}

fn report(state: ReportedState) -> Report {
    let quote = quote();
    Report { reference: "p1".into(), state, amount: quote.total(), live: false, quote_hash: quote.hash, decline_code: None }
}

fn hear(checkout: &Checkout, report: Report) -> Decision {
    decide(checkout, &Command::GatewayReported(report), &FACTS).expect("the report is about this attempt")
}

fn pay() -> Command {
    Command::Pay { quote_hash: quote().hash, cart_revision: 3 }
}

#[test]
fn paying_begins_with_order_and_attempt_before_any_call() {
    let decision = decide(&quoted(), &pay(), &FACTS).expect("it can be paid");
    assert_eq!((decision.step, decision.effects), (Step::BeginPayment, vec![Effect::OpenPayment]));
    assert_eq!(decision.next.order, Some(OrderState::PendingPayment));
}

#[test]
fn what_is_paid_is_what_was_shown() {
    let check = |checkout: &Checkout, command: &Command, now, expected| {
        assert_eq!(decide(checkout, command, &Facts { now, live: false }), Err(expected));
    };
    let pay_for = |hash: &str, cart_revision| Command::Pay { quote_hash: hash.to_owned(), cart_revision };
    check(&Checkout { quote: None, ..quoted() }, &pay(), NOW, Rejection::NotReady);
    check(&quoted(), &pay_for("00", 3), NOW, Rejection::QuoteChanged);
    check(&quoted(), &pay_for(&quote().hash, 4), NOW, Rejection::CartChanged);
    check(&quoted(), &pay(), NOW.plus_seconds(900), Rejection::QuoteExpired);
    check(&Checkout { canceled: true, ..quoted() }, &pay(), NOW, Rejection::Canceled);
    check(&at(AttemptState::Paid, OrderState::Placed), &pay(), NOW, Rejection::AlreadyPlaced);
    for state in AttemptState::ALL.into_iter().filter(|state| state.is_live()) {
        check(&at(state, OrderState::PendingPayment), &pay(), NOW, Rejection::PaymentInProgress);
    }
    let mut forged = quoted();
    forged.quote.as_mut().expect("it is quoted").priced.totals.total.minor = 1;
    check(&forged, &pay(), NOW, Rejection::QuoteChanged);
}

#[test]
fn a_payment_that_opens_with_a_refused_card_is_looked_at_at_once() {
    let opens = |decline_code: Option<&str>| {
        let report = Report { decline_code: decline_code.map(str::to_owned), ..report(ReportedState::Open) };
        let decision = hear(&at(AttemptState::IntentPending, OrderState::PendingPayment), report);
        assert_eq!((decision.step, decision.next.attempt), (Step::RecordOpened, Some(AttemptState::AwaitingShopper)));
        decision.effects
    };
    assert_eq!((opens(None), opens(Some("expired_card"))), (vec![], vec![Effect::LookUp]));
}

#[test]
fn a_declined_attempt_makes_room_for_the_next() {
    let waiting = at(AttemptState::AwaitingShopper, OrderState::PendingPayment);
    let decision = hear(&waiting, Report { decline_code: Some("card_declined".into()), ..report(ReportedState::Declined) });
    assert_eq!((decision.step, decision.reason.as_deref()), (Step::Decline, Some("card_declined")));
    let again = decide(&at(AttemptState::Declined, OrderState::PendingPayment), &pay(), &FACTS).expect("another try is free");
    assert_eq!(again.step, Step::BeginPayment);
}

#[test]
fn the_money_is_compared_before_anything_is_placed() {
    let waiting = at(AttemptState::AwaitingShopper, OrderState::PendingPayment);
    let pound = "GBP".parse().expect("GBP is a currency");
    let agreed = quote().total();
    let cases = [
        (Report { amount: Money::new(agreed.minor - 1, euro()), ..report(ReportedState::Authorized) }, Mismatch::Amount),
        (Report { amount: Money::new(agreed.minor, pound), ..report(ReportedState::Authorized) }, Mismatch::Currency),
        (Report { quote_hash: "00".into(), ..report(ReportedState::Authorized) }, Mismatch::Quote),
    ];
    for (report, mismatch) in cases {
        let decision = hear(&waiting, report.clone());
        assert_eq!((decision.step, decision.reason), (Step::Review, Some(mismatch.to_string())));
        assert_eq!(decision.effects, [Effect::Alarm, Effect::CancelPayment]);
        let taken = hear(&waiting, Report { state: ReportedState::Captured, ..report });
        assert_eq!((taken.step, taken.effects), (Step::Review, vec![Effect::Alarm]));
    }
    let placed = hear(&waiting, report(ReportedState::Authorized));
    assert_eq!((placed.step, placed.effects), (Step::Place, vec![Effect::Capture]));
}

#[test]
fn play_money_changes_nothing_in_a_real_shop() {
    let waiting = at(AttemptState::AwaitingShopper, OrderState::PendingPayment);
    let real = Facts { live: true, ..FACTS };
    let command = Command::GatewayReported(report(ReportedState::Captured));
    assert_eq!(decide(&waiting, &command, &real), Err(Rejection::ForeignPayment));
    let other = Command::GatewayReported(Report { reference: "p9".into(), ..report(ReportedState::Captured) });
    assert_eq!(decide(&waiting, &other, &FACTS), Err(Rejection::ForeignPayment));
}

#[test]
fn what_is_paid_is_never_anything_else_again() {
    let paid = at(AttemptState::Paid, OrderState::Placed);
    for state in [
        ReportedState::Declined,
        ReportedState::Canceled,
        ReportedState::Open,
        ReportedState::Authorized,
        ReportedState::Captured,
    ] {
        assert_eq!(hear(&paid, report(state)), Decision::stay(), "{state:?}");
    }
    for command in [Command::Deadline, Command::GatewayUnknown, Command::GatewayRejected { reason: "late".into() }] {
        assert_eq!(decide(&paid, &command, &FACTS), Ok(Decision::stay()), "{command:?}");
    }
}

#[test]
fn an_unknown_answer_is_asked_about_and_changes_nothing() {
    let decision = decide(&at(AttemptState::IntentPending, OrderState::PendingPayment), &Command::GatewayUnknown, &FACTS);
    let decision = decision.expect("there is an attempt");
    assert_eq!((decision.step, decision.next, decision.effects), (Step::Stay, Next::default(), vec![Effect::LookUp]));
}

#[test]
fn a_success_after_a_decline_is_honored_while_the_order_waits() {
    let decision = hear(&at(AttemptState::Declined, OrderState::PendingPayment), report(ReportedState::Captured));
    assert_eq!(decision.step, Step::MarkPaid);
    let too_late = hear(&at(AttemptState::Canceled, OrderState::Canceled), report(ReportedState::Authorized));
    assert_eq!((too_late.step, too_late.effects), (Step::Review, vec![Effect::Alarm, Effect::CancelPayment]));
}

#[test]
fn money_that_was_taken_for_an_order_that_waits_no_more_is_not_kept() {
    let taken = report(ReportedState::Captured);
    for state in [AttemptState::Declined, AttemptState::Canceled] {
        let late = hear(&at(state, OrderState::Canceled), taken.clone());
        assert_eq!(
            (late.step, late.next.attempt, late.effects),
            (Step::Disown, Some(AttemptState::Canceled), vec![]),
            "{state:?}"
        );
        // The agreed money alone: what does not fit is a person's.
        let other = Report { amount: Money::new(taken.amount.minor + 1, euro()), ..taken.clone() };
        assert_eq!(hear(&at(state, OrderState::Canceled), other).step, Step::Review);
    }
    let twice = hear(&at(AttemptState::Declined, OrderState::Placed), taken.clone());
    assert_eq!((twice.step, twice.next.order), (Step::Disown, None), "another payment placed it: that order stays");
    let mut doubtful = at(AttemptState::Review, OrderState::PendingPayment);
    assert_eq!(hear(&doubtful, taken.clone()), Decision::stay());
    doubtful.attempt.as_mut().expect("an attempt").void_asked_at = Some(NOW);
    assert_eq!(hear(&doubtful, taken.clone()).step, Step::Disown, "a person wants it back");
    let mut placed = at(AttemptState::Review, OrderState::Placed);
    placed.attempt.as_mut().expect("an attempt").void_asked_at = Some(NOW);
    assert_eq!(hear(&placed, taken), Decision::stay(), "an order is a promise");
}

#[test]
fn time_calls_off_what_the_shopper_left() {
    let look = |checkout: &Checkout, now| decide(checkout, &Command::Deadline, &Facts { now, live: false }).expect("time passes");
    let waiting = at(AttemptState::AwaitingShopper, OrderState::PendingPayment);
    assert_eq!(look(&waiting, NOW).effects, [Effect::LookUp]);
    assert_eq!(look(&waiting, NOW.plus_seconds(1800)).effects, [Effect::CancelPayment]);
    let declined = at(AttemptState::Declined, OrderState::PendingPayment);
    assert_eq!(look(&declined, NOW).step, Step::Stay);
    assert_eq!(look(&declined, NOW.plus_seconds(1800)).step, Step::Release);
    assert_eq!(look(&quoted(), NOW).step, Step::Stay);
}

#[test]
fn wire_words_follow_from_what_is_stored() {
    let state = |checkout: &Checkout| checkout.state(NOW).name();
    assert_eq!(state(&Checkout { quote: None, ..quoted() }), "incomplete");
    assert_eq!(state(&quoted()), "ready_for_complete");
    assert_eq!(state(&Checkout { cart_revision: 4, ..quoted() }), "incomplete");
    assert_eq!(state(&at(AttemptState::AwaitingShopper, OrderState::PendingPayment)), "complete_in_progress");
    assert_eq!(state(&at(AttemptState::Capturing, OrderState::Placed)), "completed");
    assert_eq!(state(&Checkout { canceled: true, ..quoted() }), "canceled");
    assert_eq!(quoted().state(NOW.plus_seconds(900)).name(), "incomplete");
}
