//! Vitals: what a page tells of itself, in words of closed sets and numbers within limits.
//!
//! Owns    the beacon's fields and limits, the bands of waiting, and the bucket that goes along with a cart.
//! Knows   no person, no cart, no address: what is not in these sets cannot be told.
//! Limits  numbers beyond `MS_MAX` and `SHIFT_MAX` are no page's that anybody waited for; they are refused, as unknown words are.
//! Source  WEB.md 5; thresholds of web vitals: web.dev/articles/vitals.

use serde::{Deserialize, Serialize};

/// A page that took two minutes was asleep.
pub const MS_MAX: u32 = 120_000;
/// Thousandths of a layout shift. A page that moves by its whole height each second for a minute has less.
pub const SHIFT_MAX: u32 = 100_000;

/// A closed set of words, each with its place.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$told:meta])* $variant:ident => $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$told])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// All of them, in their order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its word in beacons, metrics and reports.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The one of a word.
            pub fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.word() == word)
            }
        }
    };
}

words! {
    /// What kind of page it is: also the step of the way to an order that it stands for.
    Page {
        /// The first page.
        Home => "home",
        /// A shelf.
        Category => "category",
        /// A product.
        Product => "product",
        /// What was searched for.
        Search => "search",
        /// The cart.
        Cart => "cart",
        /// Address, shipping, the button that buys.
        Checkout => "checkout",
        /// An order.
        Placed => "placed",
        /// Anything else.
        Other => "other",
    }
}

words! {
    /// What it is looked at with.
    Device {
        /// Fits a hand.
        Phone => "phone",
        /// Touched, and larger.
        Tablet => "tablet",
        /// Has a pointer.
        Desktop => "desktop",
    }
}

words! {
    /// How fast the way to it is, where the browser says so (Network Information API: Chromium alone).
    Connection {
        /// Not told.
        Unknown => "unknown",
        /// `slow-2g` and `2g`.
        Slow => "slow",
        /// `3g`.
        Medium => "medium",
        /// `4g`.
        Fast => "fast",
    }
}

words! {
    /// How long the largest part of a page was waited for.
    Band {
        /// Not told: a browser without the measure, or a page left before it.
        Unknown => "unknown",
        /// Less than a second.
        Under1s => "under_1s",
        /// Less than two seconds.
        Under2s => "under_2s",
        /// Less than four seconds.
        Under4s => "under_4s",
        /// Four seconds and more.
        Over4s => "over_4s",
    }
}

words! {
    /// The page a cart was begun on.
    Origin {
        /// A product.
        Product => "product",
        /// A shelf.
        Category => "category",
        /// The first page.
        Home => "home",
        /// Anything else.
        Other => "other",
    }
}

words! {
    /// What is measured of a page.
    Measure {
        /// Largest contentful paint, milliseconds.
        Lcp => "lcp",
        /// Interaction to next paint, milliseconds.
        Inp => "inp",
        /// Cumulative layout shift, thousandths.
        Cls => "cls",
        /// Time to the first byte, milliseconds.
        Ttfb => "ttfb",
        /// Until the first product is seen, milliseconds.
        FirstProduct => "first_product",
    }
}

/// What a shopper's page was like, rounded so far that it is of many: it goes along with the first change of a cart and is counted again
/// where the cart becomes an order. One byte: 0 is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    /// How long was waited.
    pub band: Band,
    /// With what.
    pub device: Device,
    /// Over what.
    pub connection: Connection,
    /// On which kind of page.
    pub origin: Origin,
}

/// Buckets there are, beside that of whoever told none.
pub const BUCKETS: u8 = 5 * 3 * 4 * 4;

impl Bucket {
    /// Of its number; `None`: not told, or made up.
    pub fn of(number: u8) -> Option<Self> {
        let rest = usize::from(number.checked_sub(1)?);
        let (rest, origin) = (rest / 4, rest % 4);
        let (rest, connection) = (rest / 4, rest % 4);
        Some(Self {
            band: *Band::ALL.get(rest / 3)?,
            device: Device::ALL[rest % 3],
            connection: Connection::ALL[connection],
            origin: Origin::ALL[origin],
        })
    }

    /// Its number, from 1 to `BUCKETS`. static/beacon.js counts in the same way.
    pub fn number(self) -> u8 {
        1 + ((self.band as u8 * 3 + self.device as u8) * 4 + self.connection as u8) * 4 + self.origin as u8
    }
}

/// What one view of a page tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beacon<'a> {
    /// Which kind of page.
    pub page: Page,
    /// With what it was looked at.
    pub device: Device,
    /// Over what.
    pub connection: Connection,
    /// The market's name.
    pub market: &'a str,
    /// Milliseconds.
    #[serde(default)]
    pub lcp: Option<u32>,
    /// Milliseconds.
    #[serde(default)]
    pub inp: Option<u32>,
    /// Thousandths.
    #[serde(default)]
    pub cls: Option<u32>,
    /// Milliseconds.
    #[serde(default)]
    pub ttfb: Option<u32>,
    /// Milliseconds.
    #[serde(default)]
    pub first_product: Option<u32>,
}

impl<'a> Beacon<'a> {
    /// Reads a body; nothing is copied.
    ///
    /// Errors: `None` for anything that no page of ours sends: unknown words or fields, numbers beyond their limit.
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let beacon: Self = serde_json::from_slice(body).ok()?;
        let fits = |measure: Measure| {
            let most = if measure == Measure::Cls { SHIFT_MAX } else { MS_MAX };
            beacon.value(measure).is_none_or(|value| value <= most)
        };
        Measure::ALL.iter().all(|measure| fits(*measure)).then_some(beacon)
    }

    /// What it says of a measure.
    pub fn value(&self, measure: Measure) -> Option<u32> {
        match measure {
            Measure::Lcp => self.lcp,
            Measure::Inp => self.inp,
            Measure::Cls => self.cls,
            Measure::Ttfb => self.ttfb,
            Measure::FirstProduct => self.first_product,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_one_bucket_and_back() {
        let all: Vec<Bucket> = (0..=u8::MAX).filter_map(Bucket::of).collect();
        assert_eq!(all.len(), usize::from(BUCKETS));
        for number in 1..=BUCKETS {
            assert_eq!(Bucket::of(number).expect("a bucket").number(), number);
        }
        assert_eq!([Bucket::of(0), Bucket::of(BUCKETS + 1), Bucket::of(255)], [None; 3]);
    }

    #[test]
    fn only_what_a_page_says_is_read() {
        let whole = r#"{"page":"product","device":"phone","connection":"fast","market":"eu","lcp":1234,"cls":12}"#;
        let beacon = Beacon::parse(whole.as_bytes()).expect("a beacon");
        assert_eq!((beacon.page, beacon.lcp, beacon.inp, beacon.market), (Page::Product, Some(1234), None, "eu"));
        let changed = |from: &str, to: &str| Beacon::parse(whole.replace(from, to).as_bytes()).is_some();
        assert!(changed("1234", "120000") && changed("1234", "null") && changed("12}", "100000}"));
        for (from, to) in [
            ("product", "pay"),
            ("phone", "watch"),
            ("fast", "5g"),
            ("1234", "120001"),
            ("1234", "-1"),
            ("1234", "1.5"),
            ("1234", "\"1\""),
            ("12}", "100001}"),
            ("\"lcp\"", "\"id\""),
            ("\"market\":\"eu\",", ""),
            ("}", ",\"lcp\":1}"),
            ("}", ""),
        ] {
            assert!(!changed(from, to), "{from} → {to}");
        }
        assert_eq!(Beacon::parse(b""), None);
        assert_eq!(Beacon::parse(b"[]"), None);
    }
}
