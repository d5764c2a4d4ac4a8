//! Capabilities: what a gateway can do, so that the checkout asks no more of it.
//!
//! Owns    the shape of every gateway's promises: keys, events, how changes are answered, holds, pages, amounts.
//! Source  CHECKOUT.md 2.2: made so that a gateway with one-hour keys and pings, and one that answers everything later, fit as well.

use crate::commerce::money::{Currency, Money};

/// A key is used no later than this before the gateway forgets it, in seconds; with keys of less than twice that a sixth of their life.
const KEY_MARGIN_SECONDS: i64 = 3600;

/// What a gateway can do.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// Name on the wire and in the ledger.
    pub name: &'static str,
    /// What the shopper reads.
    pub label: &'static str,
    /// What it does with the key of a call that it has seen.
    pub idempotency: Idempotency,
    /// What its webhooks are.
    pub webhook: Webhook,
    /// Whether capture, cancel and refund are answered with the result, or taken on.
    pub modification: Modification,
    /// How long it holds money by a method such as `card` before it has to be taken; `None`: the money is taken at once.
    pub auth_window_seconds: fn(method: &str) -> Option<i64>,
    /// Whether a payment that the shopper has not paid can be called off.
    pub can_cancel_open: bool,
    /// Whether a payment is found by the key it was opened with. A gateway without is not taken: nothing lost could be found again.
    pub lookup_by_reference: bool,
    /// Whether it lists the payments that were opened since an instant. Without, money that nobody here knows of is found by its events
    /// alone.
    pub lists_payments: bool,
    /// The shortest and the longest time for which its page can be open.
    pub page_seconds: (i64, i64),
    /// Decimals of its amounts in a currency, which need not be those of ISO 4217; `None`: it does not take the currency.
    pub exponent: fn(Currency) -> Option<u32>,
    /// The least it charges, in the currency's ISO 4217 minor unit.
    pub min_amount_minor: fn(Currency) -> i64,
    /// The last digits that an amount must not use: an amount is a multiple of this, in the currency's ISO 4217 minor unit.
    pub step_minor: fn(Currency) -> i64,
    /// For so long after a call was given up it may still arrive there, in seconds; 0: the gateway is in this process and ends with it.
    pub late_seconds: i64,
    /// Whether it moves real money.
    pub live: bool,
}

/// What a gateway does with a key that it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// It knows no keys: a call is sent again only after a look-up.
    None,
    /// It does the work once per key.
    Keyed {
        /// How long a key is remembered; afterwards the same call is a new one.
        ttl_seconds: i64,
        /// Whether a failed call's answer is given again as well, so that the key is of no more use.
        saves_errors: bool,
        /// Whether the answer is the payment as it is now, not as it was.
        replays_latest: bool,
    },
}

/// What a gateway's webhooks are. Whatever they are, an event is a hint and the state is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Webhook {
    /// It has none.
    None,
    /// One signed event that names its object.
    SignedState,
    /// Only a name, unsigned.
    Ping,
    /// Several signed items at once.
    Batch,
}

/// How capture, cancel and refund are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modification {
    /// With the result.
    Sync,
    /// With "received"; the result is fetched, or heard of, later.
    Async,
}

/// Why a gateway does not take an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountProblem {
    /// The currency is not one of its own.
    #[error("{0} cannot be paid this way")]
    Currency(Currency),
    /// Too little.
    #[error("at least {0} has to be paid this way")]
    TooSmall(Money),
    /// It has digits the gateway does not charge.
    #[error("only multiples of {0} can be paid this way")]
    Step(Money),
}

impl Capabilities {
    /// Whether it holds money by that method first, to be taken once the order is placed.
    pub fn manual_capture(&self, method: &str) -> bool {
        (self.auth_window_seconds)(method).is_some()
    }

    /// For how long after a key was first used a call may be sent again under it; 0: never without a look-up.
    pub fn usable_key_seconds(&self) -> i64 {
        match self.idempotency {
            Idempotency::None => 0,
            Idempotency::Keyed { ttl_seconds, .. } if ttl_seconds < 2 * KEY_MARGIN_SECONDS => ttl_seconds - ttl_seconds / 6,
            Idempotency::Keyed { ttl_seconds, .. } => ttl_seconds - KEY_MARGIN_SECONDS,
        }
    }

    /// How long a payment may be open: as long as units are held, where the gateway can do that.
    pub fn open_seconds(&self, reservation_seconds: i64) -> i64 {
        reservation_seconds.clamp(self.page_seconds.0, self.page_seconds.1)
    }

    /// Whether it takes an amount.
    ///
    /// Errors: why not, for people.
    pub fn check_amount(&self, amount: Money) -> Result<(), AmountProblem> {
        let currency = amount.currency;
        (self.exponent)(currency).ok_or(AmountProblem::Currency(currency))?;
        let step = (self.step_minor)(currency);
        let least = (self.min_amount_minor)(currency);
        if amount.minor < least {
            return Err(AmountProblem::TooSmall(Money::new(least, currency)));
        }
        if amount.minor % step != 0 {
            return Err(AmountProblem::Step(Money::new(step, currency)));
        }
        Ok(())
    }
}

/// The decimals of ISO 4217, for gateways that count as everybody else.
pub(super) fn iso_exponent(currency: Currency) -> Option<u32> {
    Some(currency.exponent())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_given_up_before_the_gateway_forgets_it() {
        for (ttl_seconds, usable) in [(24 * 3600, 23 * 3600), (3600, 50 * 60), (3 * 3600, 2 * 3600)] {
            let idempotency = Idempotency::Keyed { ttl_seconds, saves_errors: true, replays_latest: false };
            let known = Capabilities { idempotency, ..crate::gateway::sandbox::CAPABILITIES };
            assert_eq!(known.usable_key_seconds(), usable);
        }
        let keyless = Capabilities { idempotency: Idempotency::None, ..crate::gateway::sandbox::CAPABILITIES };
        assert_eq!(keyless.usable_key_seconds(), 0);
    }
}
