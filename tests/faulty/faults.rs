//! Faults: what goes wrong with a call.

use std::collections::VecDeque;

/// One way for a call to go wrong; numbers are those of CHECKOUT.md 5.10. F13, F16, F17 and F23 are the shopper's and the webhooks'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// F1: the connection is refused; nothing is done.
    Refuse,
    /// F2: nothing is done, and nothing is ever said.
    BlackHole,
    /// F3: it is done, and the connection is cut before the answer.
    ActThenCut,
    /// F4: 500, and nothing is done.
    Fail,
    /// F5: 500, and it is done.
    FailActed,
    /// F6: 500, kept under the key; it is done later.
    FailThenRoll,
    /// 500, kept under the key, and it is never done.
    FailKept,
    /// F7: 409, the key is in use.
    InUse,
    /// F8: 429 for too many calls.
    TooMany,
    /// F8: 429 for a lock, to be sent again.
    Locked,
    /// F9: it is cut off now and done later.
    Late,
    /// F10: the webhook is there before the answer.
    HookFirst,
    /// F14: the payment is of another amount.
    WrongAmount,
    /// F14: the payment is in another currency.
    WrongCurrency,
    /// F15: the payment is of the other mode.
    WrongMode,
    /// F18: the shopper pays in the instant before.
    Race,
    /// F19: the key was forgotten.
    ForgetKey,
    /// F20: the answer ends in the middle.
    Truncated,
    /// F20: the answer comes in single bytes, and stops.
    Drip,
    /// F20: a page of some machine in between.
    Html,
    /// F20: a redirect.
    Redirect,
    /// F20: 503 of some machine in between.
    Unavailable,
    /// F21: a refund is taken on and fails later.
    RefundPends,
    /// F24: what is read is older than what was changed.
    Stale,
    /// The key is not good any more.
    Unauthorized,
}

impl Fault {
    /// Those that any call may meet by chance.
    pub const BY_CHANCE: [Self; 15] = [
        Self::Refuse,
        Self::ActThenCut,
        Self::Fail,
        Self::FailActed,
        Self::FailThenRoll,
        Self::InUse,
        Self::TooMany,
        Self::Locked,
        Self::Late,
        Self::HookFirst,
        Self::Truncated,
        Self::Html,
        Self::Redirect,
        Self::Unavailable,
        Self::Stale,
    ];

    /// A fault by its name in lower case without blanks, such as `actthencut`.
    pub fn named(name: &str) -> Option<Self> {
        let all =
            [Self::BlackHole, Self::Drip, Self::WrongAmount, Self::WrongCurrency, Self::WrongMode, Self::Race, Self::ForgetKey];
        let all = Self::BY_CHANCE.into_iter().chain(all).chain([Self::RefundPends, Self::Unauthorized, Self::FailKept]);
        all.into_iter().find(|fault| format!("{fault:?}").to_lowercase() == name)
    }
}

/// Which calls go wrong.
#[derive(Debug, Default)]
pub struct Plan {
    script: VecDeque<(String, Fault)>,
    chance: Option<(u64, u64)>,
    calls: u64,
}

impl Plan {
    pub fn script(&mut self, operation: &str, fault: Fault) {
        self.script.push_back((operation.to_owned(), fault));
    }

    pub fn seed(&mut self, seed: u64, percent: u64) {
        self.chance = Some((seed, percent));
    }

    /// What befalls the next call.
    pub fn next(&mut self, operation: &str) -> Option<Fault> {
        if let Some(at) = self.script.iter().position(|(of, _)| of == operation) {
            return self.script.remove(at).map(|(_, fault)| fault);
        }
        let (seed, percent) = self.chance?;
        self.calls += 1;
        let drawn = mixed(seed ^ self.calls.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let of = Fault::BY_CHANCE.len() as u64;
        (drawn % 100 < percent).then(|| Fault::BY_CHANCE[usize::try_from((drawn >> 32) % of).expect("it is small")])
    }
}

// SplitMix64's mixing step: the same seed draws the same faults.
fn mixed(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
