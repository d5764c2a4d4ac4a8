//! Ask: an attempt's next call to the gateway, and its answer as a command for the rules.
//!
//! Always  a call that changes something carries the attempt's own key and stored bytes; a key that the gateway may have forgotten is
//!         looked up instead of used again; a refused call is looked up before it is believed; a cancel is sent by whoever holds the
//!         lease at that moment, and is never taken back. No outcome is passed over: each match names all four, and none is dropped.
#![deny(clippy::wildcard_enum_match_arm, clippy::let_underscore_must_use)]

use super::line::{Created, Pass};
use super::{INTERRUPTED, NOTHING_TO_PAY, Till, Wish};
use crate::commerce::checkout::Command;
use crate::commerce::ids::Timestamp;
use crate::commerce::payment::{Attempt, AttemptState, Operation, Report, ReportedState, idempotency_key};
use crate::edge::app::Clock;
use crate::gateway::capabilities::Idempotency;
use crate::gateway::{Outcome, RemotePayment, RemoteState, Span};
use crate::store::{Lease, Refusal, StoreError};

/// For so long a cancel is sent under one key.
const CANCEL_KEY_SECONDS: i64 = 3600;

/// What a gateway said.
pub(super) struct Answer {
    /// For the rules.
    pub(super) command: Command,
    /// Whether this attempt's money is real.
    pub(super) live: bool,
    /// The gateway's page, while it waits for the shopper.
    pub(super) redirect_url: Option<String>,
    /// Brand and last four digits.
    pub(super) card: Option<String>,
}

impl Answer {
    /// Takes the agreed amount for the gateway's, for the proof that it would be seen.
    pub(super) fn believe(&mut self, attempt: &Attempt) {
        if let Command::GatewayOpened(report) | Command::GatewayReported(report) = &mut self.command {
            report.amount = attempt.amount;
        }
    }

    /// The gateway's name for the payment; empty where it told none.
    pub(super) fn reference(&self) -> &str {
        match &self.command {
            Command::GatewayOpened(report) | Command::GatewayReported(report) => &report.reference,
            Command::Pay { .. } | Command::GatewayRejected { .. } | Command::GatewayUnknown | Command::Deadline => "",
        }
    }
}

/// What is asked, and by whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// The right to act.
    pub(super) lease: &'a Lease,
    /// The shop's name in keys.
    pub(super) shop: &'a str,
    /// About what.
    pub(super) attempt: &'a Attempt,
    /// What for.
    pub(super) wish: Wish,
    /// Now.
    pub(super) now: Timestamp,
    /// The right to open it, where it begins just now.
    pub(super) pass: Option<&'a Pass>,
    /// Times the sends.
    pub(super) clock: &'a Clock,
}

/// A call's outcome before it is a command.
enum Said {
    Opened(RemotePayment),
    Stands(RemotePayment),
    No(String),
    Unknown,
}

impl Said {
    /// Whether the payment stands there.
    fn is(&self, state: RemoteState) -> bool {
        matches!(self, Self::Stands(payment) if payment.state == state)
    }

    /// Whether its card was refused and there is no page to try another one on.
    fn is_refused(&self) -> bool {
        matches!(self, Self::Stands(payment) if is_refused(payment))
    }
}

impl Till {
    /// Makes the call that the attempt's state asks for; `None`: there is nothing to ask.
    ///
    /// Errors: the lease was lost before anything was called off.
    pub(super) async fn ask(&self, question: &Question<'_>) -> Result<Option<Answer>, StoreError> {
        let Question { shop, attempt, wish, now, .. } = *question;
        if attempt.gateway == NOTHING_TO_PAY {
            return Ok((attempt.state == AttemptState::IntentPending).then(|| nothing_to_pay(attempt)));
        }
        let key = |operation| idempotency_key(shop, &attempt.checkout, operation, attempt.number);
        let said = match (attempt.state, wish) {
            (AttemptState::IntentPending, wish) if wish == Wish::CallOff || attempt.cancel_sent_at.is_some() => {
                self.give_up(question, &key(Operation::Cancel)).await?
            }
            (AttemptState::IntentPending, _) => self.open(question).await,
            (AttemptState::Paid, _) => return Ok(None),
            (AttemptState::Capturing | AttemptState::Review, _) if attempt.void_asked_at.is_some() => {
                self.cancel(question, &key(Operation::Cancel)).await?
            }
            (AttemptState::Capturing, _) => self.capture(attempt, key(Operation::Capture), now).await,
            // What is over for us may not be over for the gateway: who says so is heard.
            (AttemptState::Declined | AttemptState::Canceled | AttemptState::Review, Wish::Hear) => {
                match self.look(attempt).await {
                    Said::Stands(found) if is_back(&found) => Said::Stands(canceled(found)),
                    said @ (Said::Opened(_) | Said::Stands(_) | Said::No(_) | Said::Unknown) => said,
                }
            }
            (AttemptState::Declined | AttemptState::Canceled | AttemptState::Review, Wish::GoOn) => return Ok(None),
            (AttemptState::AwaitingShopper | AttemptState::Authorized, Wish::GoOn | Wish::Hear)
                if attempt.cancel_sent_at.is_none() =>
            {
                let said = self.look(attempt).await;
                // The next try is another payment, and this one is called off before that may begin.
                if said.is_refused() { self.cancel(question, &key(Operation::Cancel)).await? } else { said }
            }
            (AttemptState::AwaitingShopper | AttemptState::Authorized, _) | (_, Wish::CallOff) => {
                self.cancel(question, &key(Operation::Cancel)).await?
            }
        };
        Ok(Some(self.answer(said)))
    }

    async fn open(&self, question: &Question<'_>) -> Said {
        let Question { attempt, now, pass, clock, .. } = *question;
        let known = self.gateway.capabilities();
        let is_keyed = known.idempotency != Idempotency::None;
        // Nothing is sent once its time is over: the shopper may have gone, what was agreed is old, and a page would be over at once. So a
        // failure that the gateway keeps under the key holds nobody's units and cart for as long as the gateway keeps it.
        let is_over = attempt.deadline_at <= now;
        if is_over || now.0 - attempt.created_at.0 > known.usable_key_seconds() {
            match self.find(attempt).await {
                Outcome::Done(Some(payment)) => return Said::Opened(payment),
                // The last send may still be on its way, and whoever is told that nothing was charged pays again.
                Outcome::Done(None) if is_over && now.0 < attempt.deadline_at.0 + known.late_seconds => return Said::Unknown,
                // Without keys every call is a new one: it is made where the last one provably did nothing.
                Outcome::Done(None) if is_keyed || is_over => return Said::No("it was never opened".to_owned()),
                Outcome::Done(None) => {}
                Outcome::Rejected(_) | Outcome::Accepted | Outcome::Unknown(_) => return Said::Unknown,
            }
        }
        let key = if planted!("key_with_counter") { format!("{}:{}", attempt.key, now.0) } else { attempt.key.clone() };
        let is_found_by_look = match self.gateway.create(&key, &attempt.body, pass, clock).await {
            Created::Said(Outcome::Done(payment)) => return Said::Opened(payment),
            Created::Said(Outcome::Rejected(reason)) => return Said::No(reason),
            Created::Shut => return Said::No(INTERRUPTED.to_owned()),
            Created::Said(Outcome::Unknown(reason)) if planted!("timeout_is_decline") => return Said::No(reason),
            // The gateway may have kept a failure under the key, and done the work all the same: then only a look-up tells.
            Created::Said(Outcome::Unknown(_)) => keeps_errors(known.idempotency),
            // An earlier send may have arrived.
            Created::NotSent => true,
            Created::Said(Outcome::Accepted) => false,
        };
        if !is_found_by_look {
            return Said::Unknown;
        }
        match self.find(attempt).await {
            Outcome::Done(Some(payment)) => Said::Opened(payment),
            Outcome::Done(None) | Outcome::Rejected(_) | Outcome::Accepted | Outcome::Unknown(_) => Said::Unknown,
        }
    }

    // Who gives up before the payment is open: that is noted, so that nobody goes on with it later. A page is opened to be closed. What
    // moves money by itself is not sent any more; where an earlier send has arrived, it counts as any payment that is called off.
    async fn give_up(&self, question: &Question<'_>, key: &str) -> Result<Said, StoreError> {
        let Question { lease, attempt, now, .. } = *question;
        let confirms = self.gateway.confirms(&attempt.body);
        let last_send = attempt.cancel_sent_at.unwrap_or(now).min(attempt.deadline_at);
        let found = if confirms { self.find_until(attempt, last_send).await } else { Outcome::Done(None) };
        if let Outcome::Done(Some(_)) = found {
            return self.cancel(question, key).await;
        }
        self.store.note_cancel(lease, &attempt.id, now).await?;
        match found {
            Outcome::Done(_) if !confirms => Ok(self.open(question).await),
            // Nothing was sent since it was given up.
            Outcome::Done(_) if now >= last_send.plus_seconds(self.gateway.capabilities().late_seconds) => {
                Ok(Said::No("it was never opened".to_owned()))
            }
            // The last send may still be on its way.
            Outcome::Done(_) | Outcome::Rejected(_) | Outcome::Accepted | Outcome::Unknown(_) => Ok(Said::Unknown),
        }
    }

    /// Finds it by its key, in the time in which its call can have arrived.
    async fn find(&self, attempt: &Attempt) -> Outcome<Option<RemotePayment>> {
        let known = self.gateway.capabilities();
        let key_until = attempt.created_at.plus_seconds(known.usable_key_seconds());
        self.find_until(attempt, attempt.deadline_at.min(key_until)).await
    }

    /// The same, where it was not sent after an instant.
    async fn find_until(&self, attempt: &Attempt, sent_until: Timestamp) -> Outcome<Option<RemotePayment>> {
        let until = sent_until.plus_seconds(self.gateway.capabilities().late_seconds);
        self.gateway.lookup(&attempt.key, Span { since: attempt.created_at, until: Some(until) }).await
    }

    /// Finds it by its key, however late it was opened: a failure that the gateway kept may be made good by it at any time.
    async fn find_ever(&self, attempt: &Attempt) -> Outcome<Option<RemotePayment>> {
        self.gateway.lookup(&attempt.key, Span::from(attempt.created_at)).await
    }

    async fn look(&self, attempt: &Attempt) -> Said {
        let found = match &attempt.reference {
            Some(reference) => self.gateway.fetch(reference).await,
            None => match self.find_ever(attempt).await {
                Outcome::Done(Some(payment)) => Outcome::Done(payment),
                Outcome::Done(None) => Outcome::Rejected("the gateway knows no such payment".to_owned()),
                Outcome::Rejected(reason) => Outcome::Rejected(reason),
                Outcome::Accepted => Outcome::Accepted,
                Outcome::Unknown(reason) => Outcome::Unknown(reason),
            },
        };
        match found {
            Outcome::Done(payment) if planted!("return_is_believed") && payment.state == RemoteState::Open => {
                Said::Stands(RemotePayment { state: RemoteState::Authorized, ..payment })
            }
            Outcome::Done(payment) => Said::Stands(payment),
            Outcome::Rejected(reason) => Said::No(reason),
            Outcome::Accepted | Outcome::Unknown(_) => Said::Unknown,
        }
    }

    // A capture that is refused may have been made already, and one that was taken on may be done by now: where the payment stands
    // decides. A key that the gateway may have forgotten is left behind for the next one, after a look.
    async fn capture(&self, attempt: &Attempt, mut key: String, now: Timestamp) -> Said {
        let age = now.0 - attempt.changed_at.0;
        let usable = self.gateway.capabilities().usable_key_seconds();
        if age > usable {
            let said = self.look(attempt).await;
            if !said.is(RemoteState::Authorized) {
                return said;
            }
            if usable > 0 {
                key = format!("{key}:{}", age / usable);
            }
        }
        let reference = attempt.reference.as_deref().unwrap_or("");
        match self.gateway.capture(&key, reference).await {
            Outcome::Done(payment) => Said::Stands(payment),
            Outcome::Rejected(reason) => {
                let said = self.look(attempt).await;
                if said.is(RemoteState::Authorized) { Said::No(reason) } else { said }
            }
            Outcome::Accepted => {
                let said = self.look(attempt).await;
                if said.is(RemoteState::Captured) { said } else { Said::Unknown }
            }
            Outcome::Unknown(_) => Said::Unknown,
        }
    }

    // Who has paid a moment ago wins over who gave up; a payment that is under review is called off even so. Once a cancel was sent it
    // may arrive at any time, so money that is held then is no promise: the same cancel is sent until its fate is known. A cancel that
    // is refused may mean that it was paid in between.
    async fn cancel(&self, question: &Question<'_>, key: &str) -> Result<Said, StoreError> {
        let attempt = question.attempt;
        let said = self.look(attempt).await;
        let Said::Stands(found) = &said else { return Ok(said) };
        if is_back(found) && attempt.state == AttemptState::Review && attempt.void_asked_at.is_some() {
            return Ok(Said::Stands(canceled(found.clone())));
        }
        let is_sent =
            attempt.cancel_sent_at.is_some() || attempt.state == AttemptState::Review || attempt.void_asked_at.is_some();
        let stays = match found.state {
            RemoteState::Captured | RemoteState::Canceled => true,
            RemoteState::Authorized => !is_sent,
            // It stays payable until its own time is over, and is looked at until then.
            RemoteState::Open => !self.gateway.capabilities().can_cancel_open,
            // The shopper has paid, and how that ends is not known yet.
            RemoteState::Processing => true,
            RemoteState::Declined => false,
        };
        if stays {
            return Ok(said);
        }
        match self.store.note_cancel(question.lease, &attempt.id, question.now).await {
            Ok(()) => {}
            // An order that is placed is not called off; a lost lease is somebody else's.
            Err(StoreError::Refused(Refusal::WrongState)) => return Ok(said),
            Err(error) => return Err(error),
        }
        // Called off twice is called off once: a failure that the gateway keeps under a key is left behind with it.
        let age = attempt.cancel_sent_at.map_or(0, |sent| question.now.0 - sent.0);
        let key = if age < CANCEL_KEY_SECONDS { key.to_owned() } else { format!("{key}:{}", age / CANCEL_KEY_SECONDS) };
        Ok(match self.gateway.cancel(&key, &found.reference).await {
            Outcome::Done(payment) if payment.state == RemoteState::Canceled && is_refused(found) => {
                Said::Stands(RemotePayment { state: RemoteState::Declined, decline_code: found.decline_code.clone(), ..payment })
            }
            Outcome::Done(payment) => Said::Stands(payment),
            Outcome::Rejected(_) => self.look(attempt).await,
            Outcome::Unknown(_) if planted!("lost_cancel_is_done") => Said::Stands(canceled(found.clone())),
            Outcome::Accepted | Outcome::Unknown(_) => Said::Unknown,
        })
    }

    fn answer(&self, said: Said) -> Answer {
        let live = self.gateway.capabilities().live;
        let plain = |command| Answer { command, live, redirect_url: None, card: None };
        match said {
            Said::Opened(payment) => Answer {
                command: Command::GatewayOpened(report(&payment)),
                live,
                redirect_url: payment.redirect_url,
                card: payment.card,
            },
            // How it ends is not known yet; the hold stays, and nobody is told that it waits for a card.
            Said::Stands(payment) if payment.state == RemoteState::Processing => plain(Command::GatewayUnknown),
            Said::Stands(payment) => Answer {
                command: Command::GatewayReported(report(&payment)),
                live,
                redirect_url: payment.redirect_url,
                card: payment.card,
            },
            Said::No(reason) => plain(Command::GatewayRejected { reason }),
            Said::Unknown => plain(Command::GatewayUnknown),
        }
    }
}

/// Whether all of it was given back, be it at the gateway's own pages: it is held by nobody.
fn is_back(payment: &RemotePayment) -> bool {
    payment.state == RemoteState::Captured && payment.refunded_minor >= payment.amount.minor
}

fn canceled(payment: RemotePayment) -> RemotePayment {
    RemotePayment { state: RemoteState::Canceled, ..payment }
}

fn is_refused(payment: &RemotePayment) -> bool {
    payment.state == RemoteState::Open && payment.redirect_url.is_none() && payment.decline_code.is_some()
}

fn keeps_errors(idempotency: Idempotency) -> bool {
    match idempotency {
        Idempotency::None => false,
        Idempotency::Keyed { saves_errors, .. } => saves_errors,
    }
}

/// The gateway's word in the rules' terms.
fn report(payment: &RemotePayment) -> Report {
    Report {
        reference: payment.reference.clone(),
        state: match payment.state {
            RemoteState::Open | RemoteState::Processing => ReportedState::Open,
            RemoteState::Declined => ReportedState::Declined,
            RemoteState::Authorized => ReportedState::Authorized,
            RemoteState::Captured => ReportedState::Captured,
            RemoteState::Canceled => ReportedState::Canceled,
        },
        amount: payment.amount,
        live: payment.live,
        quote_hash: payment.metadata.get("quote_hash").cloned().unwrap_or_default(),
        decline_code: payment.decline_code.clone(),
    }
}

// An order over nothing is as good as paid once it is committed; no gateway takes a payment of 0.
fn nothing_to_pay(attempt: &Attempt) -> Answer {
    let report = Report {
        reference: attempt.id.0.clone(),
        state: ReportedState::Captured,
        amount: attempt.amount,
        live: false,
        quote_hash: attempt.quote_hash.clone(),
        decline_code: None,
    };
    Answer { command: Command::GatewayReported(report), live: false, redirect_url: None, card: None }
}
