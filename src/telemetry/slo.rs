//! Slo: what a shop promises itself of its edge, and when the promise is being broken.
//!
//! Owns    the areas of the edge, what is usually promised of each, the windows in which a budget of errors is watched.
//! Knows   only what is counted: times are known by the edges of `requests::SECONDS`.
//! Source  multi-window, multi-burn-rate alerts: Google, The Site Reliability Workbook, chapter 5.

use super::requests::SECONDS;

/// A part of the edge that fails, and is promised, as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Price and stock of a product, for pages that stand already.
    Availability,
    /// Looking at a cart and changing it.
    Cart,
    /// From the cart to the total that is to be paid.
    Checkout,
    /// Paying and coming back from the gateway: its time is in it.
    Payment,
    /// Looking at an order.
    Orders,
    /// What the gateway tells.
    Webhooks,
}

/// A share of the whole in millionths: 99.9 % is 999,000.
pub type Millionths = u32;

/// What is promised of an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// How many requests are answered by something else than a failure of ours (5xx).
    pub availability: Millionths,
    /// How many are answered within `within_ms`.
    pub latency: Millionths,
    /// Milliseconds; one of `counted_ms`.
    pub within_ms: u32,
}

/// What a shop promises itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objectives {
    /// Days over which errors are counted against the budget.
    pub days: u16,
    /// Promises by area, sorted.
    pub promises: Vec<(Area, Promise)>,
    /// Minutes after which a confirmation that has not left is somebody's business.
    pub confirmation_minutes: u16,
}

impl Default for Objectives {
    fn default() -> Self {
        Self { days: 30, promises: Area::ALL.map(|area| (area, area.usual())).to_vec(), confirmation_minutes: 5 }
    }
}

impl Area {
    /// All of them, sorted.
    pub const ALL: [Self; 6] = [Self::Availability, Self::Cart, Self::Checkout, Self::Payment, Self::Orders, Self::Webhooks];

    /// Its name in site.toml and in what watches.
    pub fn name(self) -> &'static str {
        match self {
            Self::Availability => "availability",
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Payment => "payment",
            Self::Orders => "orders",
            Self::Webhooks => "webhooks",
        }
    }

    /// What is promised where the shop says nothing.
    pub fn usual(self) -> Promise {
        let (availability, latency, within_ms) = match self {
            // A page that cannot ask shows what it was built with.
            Self::Availability => (990_000, 990_000, 50),
            Self::Cart => (999_000, 990_000, 50),
            Self::Checkout => (999_500, 990_000, 500),
            Self::Payment => (999_500, 950_000, 5_000),
            Self::Orders => (999_000, 990_000, 500),
            // Gateways wait seconds, and call again for days.
            Self::Webhooks => (999_000, 990_000, 1_000),
        };
        Promise { availability, latency, within_ms }
    }
}

/// Milliseconds that answers are counted by, where they are whole: others cannot be promised.
pub fn counted_ms() -> impl Iterator<Item = u32> {
    SECONDS.iter().map(|seconds| seconds * 1000.0).filter(|ms| ms.fract() == 0.0).map(|ms| ms as u32)
}

/// How fast a budget of errors is spent, and who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burn {
    /// Seen over this window …
    pub long: &'static str,
    /// … and over this one: the alert ends soon after its cause.
    pub short: &'static str,
    /// How many times as fast as the budget lasts, in tenths.
    pub tenths: u32,
    /// Whether somebody is woken; else it is work for the day.
    pub pages: bool,
}

/// The windows in which budgets are watched. Over 30 days they tell of 2, 5, 10 and 10 % of the budget being spent.
pub const BURNS: [Burn; 4] = [
    Burn { long: "1h", short: "5m", tenths: 144, pages: true },
    Burn { long: "6h", short: "30m", tenths: 60, pages: true },
    Burn { long: "1d", short: "2h", tenths: 30, pages: false },
    Burn { long: "3d", short: "6h", tenths: 10, pages: false },
];

/// Every window of `BURNS`, shortest first.
pub const WINDOWS: [&str; 7] = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usually_promised_can_be_counted() {
        for area in Area::ALL {
            let promise = area.usual();
            assert!(counted_ms().any(|ms| ms == promise.within_ms), "{area:?}");
            assert!(promise.availability < 1_000_000 && promise.latency < 1_000_000, "{area:?}: nothing is always");
        }
        assert_eq!(counted_ms().collect::<Vec<_>>(), [1, 5, 10, 50, 100, 500, 1_000, 5_000]);
    }

    #[test]
    fn every_window_is_recorded() {
        for burn in BURNS {
            assert!(WINDOWS.contains(&burn.long) && WINDOWS.contains(&burn.short), "{burn:?}");
        }
    }
}
