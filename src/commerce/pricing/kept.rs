//! Kept: what a code did, as quotes keep it.
//!
//! Always  a program that knows fewer reasons to refuse a code reads it too: for that it stands as refused for another discount, and the
//!         reason stands beside.

use serde::{Deserialize, Serialize};

use super::CouponOutcome;
use crate::commerce::ids::CouponCode;
use crate::commerce::money::Money;
use crate::commerce::promotion::CouponRefusal;

/// A `CouponOutcome` in a quote's document.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    code: CouponCode,
    title: Option<String>,
    #[serde(default)]
    promotion: Option<String>,
    #[serde(default)]
    on_shipping: bool,
    /// In words that every release knows.
    result: Result<Money, CouponRefusal>,
    /// Why not, where `result` has no word for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refusal: Option<CouponRefusal>,
}

impl From<CouponOutcome> for Kept {
    fn from(outcome: CouponOutcome) -> Self {
        let CouponOutcome { code, title, promotion, on_shipping, result } = outcome;
        let (result, refusal) = match result {
            Err(refusal) if is_new(&refusal) => (Err(CouponRefusal::NotCombinable), Some(refusal)),
            result => (result, None),
        };
        Self { code, title, promotion, on_shipping, result, refusal }
    }
}

impl From<Kept> for CouponOutcome {
    fn from(kept: Kept) -> Self {
        let Kept { code, title, promotion, on_shipping, result, refusal } = kept;
        Self { code, title, promotion, on_shipping, result: refusal.map_or(result, Err) }
    }
}

/// Whether the first release had no such reason.
fn is_new(refusal: &CouponRefusal) -> bool {
    match refusal {
        CouponRefusal::NotForCustomer
        | CouponRefusal::TooFew { .. }
        | CouponRefusal::NoReward { .. }
        | CouponRefusal::CostsMore => true,
        CouponRefusal::Unknown
        | CouponRefusal::NotYet
        | CouponRefusal::Expired
        | CouponRefusal::UsedUp
        | CouponRefusal::OtherMarket
        | CouponRefusal::BelowMinimum { .. }
        | CouponRefusal::NothingCovered
        | CouponRefusal::NotCombinable => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::fixture::euro;

    /// As the first release reads it.
    #[derive(Deserialize)]
    struct First {
        result: Result<Money, FirstRefusal>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum FirstRefusal {
        Unknown,
        NotYet,
        Expired,
        UsedUp,
        OtherMarket,
        BelowMinimum { minimum: Money },
        NothingCovered,
        NotCombinable,
    }

    #[track_caller]
    fn check(result: Result<Money, CouponRefusal>, first: Result<Money, FirstRefusal>) {
        let outcome = CouponOutcome { code: "A".into(), title: None, promotion: None, on_shipping: false, result };
        let document = serde_json::to_string(&outcome).expect("text");
        assert_eq!(serde_json::from_str::<First>(&document).expect("the first release reads it").result, first, "{document}");
        assert_eq!(serde_json::from_str::<CouponOutcome>(&document).expect("it is read again"), outcome);
    }

    #[test]
    fn the_first_release_reads_every_outcome_and_this_one_reads_it_to_the_letter() {
        let minimum = Money::new(500, euro());
        check(Ok(minimum), Ok(minimum));
        for (refusal, first) in [
            (CouponRefusal::Unknown, FirstRefusal::Unknown),
            (CouponRefusal::NotYet, FirstRefusal::NotYet),
            (CouponRefusal::Expired, FirstRefusal::Expired),
            (CouponRefusal::UsedUp, FirstRefusal::UsedUp),
            (CouponRefusal::NotForCustomer, FirstRefusal::NotCombinable),
            (CouponRefusal::OtherMarket, FirstRefusal::OtherMarket),
            (CouponRefusal::BelowMinimum { minimum }, FirstRefusal::BelowMinimum { minimum }),
            (CouponRefusal::NothingCovered, FirstRefusal::NothingCovered),
            (CouponRefusal::TooFew { more: 2 }, FirstRefusal::NotCombinable),
            (CouponRefusal::NoReward { more: 1 }, FirstRefusal::NotCombinable),
            (CouponRefusal::NotCombinable, FirstRefusal::NotCombinable),
            (CouponRefusal::CostsMore, FirstRefusal::NotCombinable),
        ] {
            check(Err(refusal), Err(first));
        }
    }

    #[test]
    fn what_the_first_release_wrote_is_read() {
        let written = r#"{"code":"A","title":"A","result":{"Err":"expired"}}"#;
        let read: CouponOutcome = serde_json::from_str(written).expect("an outcome");
        assert_eq!((read.promotion, read.result), (None, Err(CouponRefusal::Expired)));
    }
}
