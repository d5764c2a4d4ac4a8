//! Plan: what goes wrong in a world, and how often. Values alone; `world` makes them happen.

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// The store is busy or its disk is full.
    StoreFails,
    /// F1, F2, F4, F7: the call does nothing and nobody knows.
    CallLost,
    /// F3, F5: the call is done and nobody knows.
    AnswerLost,
    /// The mail is not taken.
    MailLost,
    /// The mail is taken and nobody knows.
    MailAnswerLost,
    /// The process ends.
    Crash,
}

/// What happens to one certain call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twist {
    /// It is lost.
    Lost,
    /// It is lost, and arrives after so many seconds.
    Late(i64),
    /// It takes so many seconds to be answered.
    Slow(i64),
}

/// What else is odd about one call.
#[derive(Clone, Copy, Debug)]
pub struct Oddities {
    /// It takes its time; a lease may run out meanwhile.
    pub is_slow: bool,
    /// F9: it was lost for us, and arrives later.
    pub is_late: bool,
    /// F18: the shopper pays while we call off.
    pub is_race: bool,
    /// F24: a look shows what was two seconds ago.
    pub is_stale: bool,
    /// F14: the payment is opened over another amount.
    pub is_wrong: bool,
}

/// How much goes wrong: cases in a thousand moments, or one harm at the n-th moment of its kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    pub store: u64,
    pub gateway: u64,
    pub mail: u64,
    /// Calls to the merchant's own services; 0: the shop names none.
    pub services: u64,
    /// Webhooks that never come; 0: none are sent at all.
    pub hooks: u64,
    /// Whether banks take now and then what they declined before.
    pub is_fickle: bool,
    /// In a hundred thousand.
    pub crash: u64,
    pub nth: Option<(Harm, u64)>,
    /// What happens to certain calls, by name and number: how a breach that was found once is tried again.
    pub twists: &'static [(&'static str, u64, Twist)],
    /// A judgement after every so many commits; all are judged at the end.
    pub judged: u64,
}
