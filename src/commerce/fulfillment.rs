//! Fulfillment: what left the house, for which lines of an order.
//!
//! Owns    how far an order is sent, which follows from units alone, and what may be written about a parcel.
//! Limits  `MAX_CARRIER_BYTES`, `MAX_TRACKING_BYTES`, `MAX_URL_BYTES`: what stands on a label, and an address that people can copy.
//! Always  an address for following a parcel is https, names a host and hides nobody's name in front of it.

use serde::{Deserialize, Serialize};

use super::ids::{OrderId, Sku, Timestamp};
use super::order::Order;

/// A carrier is called by its name.
pub const MAX_CARRIER_BYTES: usize = 60;
/// The longest numbers of carriers have 40 signs.
pub const MAX_TRACKING_BYTES: usize = 100;
/// Longer ones are broken by mail programs.
pub const MAX_URL_BYTES: usize = 500;

/// How far an order is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FulfillmentState {
    /// Nothing left the house.
    Unfulfilled,
    /// Some units did.
    PartlyFulfilled,
    /// Every unit did.
    Fulfilled,
}

impl FulfillmentState {
    /// Its name on the wire and in exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unfulfilled => "unfulfilled",
            Self::PartlyFulfilled => "partly_fulfilled",
            Self::Fulfilled => "fulfilled",
        }
    }

    /// Of an order of which so much was sent.
    pub fn of(order: &Order, sent: &[Fulfillment]) -> Self {
        let ordered: u64 = order.quote.priced.lines.iter().map(|line| u64::from(line.quantity)).sum();
        match sent.iter().filter(|one| one.undone_at.is_none()).map(Fulfillment::units).sum::<u64>() {
            0 => Self::Unfulfilled,
            units if units < ordered => Self::PartlyFulfilled,
            _ => Self::Fulfilled,
        }
    }
}

/// Something that left the house.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fulfillment {
    /// Its name.
    pub id: String,
    /// Of which order.
    #[serde(skip)]
    pub order: OrderId,
    /// By whom, and how it is followed.
    #[serde(flatten)]
    pub parcel: Parcel,
    /// What is in it, in the order of the order's lines.
    pub lines: Vec<FulfilledLine>,
    /// Whether nothing of the order was left to send after it.
    pub completes: bool,
    /// When it left.
    pub created_at: Timestamp,
    /// When it was taken back, as it had not left after all.
    pub undone_at: Option<Timestamp>,
}

impl Fulfillment {
    /// Units in it.
    pub fn units(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.quantity)).sum()
    }
}

/// Units of a line that were sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FulfilledLine {
    /// Which line of the order, from 0.
    pub line: u32,
    /// The variant's code.
    pub sku: Sku,
    /// Units.
    pub quantity: u32,
}

/// By whom something is sent, and how it is followed; each may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// The carrier's name.
    pub carrier: String,
    /// Its number for the parcel.
    pub tracking: String,
    /// Where the customer can follow it.
    pub url: String,
}

/// What of a parcel cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParcelFault {
    /// More than fits.
    #[error("at most {max_bytes} bytes")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Bytes that fit.
        max_bytes: usize,
    },
    /// A sign that is not printed.
    #[error("one line of printed letters")]
    SeveralLines {
        /// Which field.
        field: &'static str,
    },
    /// An address that nobody should be sent to.
    #[error("an address that begins with https:// and names a host, such as https://carrier.example/track?id=123")]
    NotHttps,
}

impl ParcelFault {
    /// The field it is about.
    pub fn field(self) -> &'static str {
        match self {
            Self::TooLong { field, .. } | Self::SeveralLines { field } => field,
            Self::NotHttps => "url",
        }
    }
}

impl Parcel {
    /// Whether it can be taken as it is written.
    ///
    /// Errors: the first field that cannot.
    pub fn check(&self) -> Result<(), ParcelFault> {
        let fields = [
            ("carrier", &self.carrier, MAX_CARRIER_BYTES),
            ("tracking", &self.tracking, MAX_TRACKING_BYTES),
            ("url", &self.url, MAX_URL_BYTES),
        ];
        for (field, text, max_bytes) in fields {
            if text.len() > max_bytes {
                return Err(ParcelFault::TooLong { field, max_bytes });
            }
            if text.chars().any(is_unprinted) {
                return Err(ParcelFault::SeveralLines { field });
            }
        }
        if self.url.is_empty() || is_https(&self.url) { Ok(()) } else { Err(ParcelFault::NotHttps) }
    }
}

/// Controls, and what turns the direction of the letters after it: a name could pass for another.
fn is_unprinted(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Stricter than RFC 3986: no name in front of the host, nothing that a program would quietly mend.
fn is_https(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    let (name, port) = host.split_once(':').unwrap_or((host, "443"));
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    url.bytes().all(is_plain) && name.split('.').all(is_label) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_https_addresses_are_shown_to_customers() {
        let fault = |url: &str| Parcel { url: url.to_owned(), ..Parcel::default() }.check();
        for good in
            ["", "https://carrier.example/track?id=JJD0001", "https://carrier.example:8443/a#b", "https://xn--bcher-kva.example"]
        {
            assert_eq!(fault(good), Ok(()), "{good}");
        }
        for bad in [
            "http://carrier.example/1",
            "javascript:alert(1)",
            "data:text/html,x",
            "//carrier.example",
            "HTTPS://carrier.example",
            "https://",
            "https:///track",
            "https://post@evil.example/",
            "https://carrier.example\\@evil.example",
            "https://carrier.example/a b",
            "https://carrier.example/\"><script>",
            "https://carrier..example",
            "https://carrier.example:0/",
            "https://carrier.example:http/",
            "https://c\u{e4}rrier.example",
        ] {
            assert_eq!(fault(bad), Err(ParcelFault::NotHttps), "{bad}");
        }
        assert_eq!(fault("https://carrier.example/\n"), Err(ParcelFault::SeveralLines { field: "url" }));
        let long = format!("https://carrier.example/{}", "1".repeat(MAX_URL_BYTES));
        assert_eq!(fault(&long), Err(ParcelFault::TooLong { field: "url", max_bytes: MAX_URL_BYTES }));
    }

    #[test]
    fn carrier_and_number_are_one_line_of_printed_letters() {
        let of =
            |carrier: &str, tracking: &str| Parcel { carrier: carrier.into(), tracking: tracking.into(), url: String::new() };
        assert_eq!(of("Póst & Söhne", "JJD 0001-2").check(), Ok(()));
        assert_eq!(of("Post\r\nBcc: x", "").check(), Err(ParcelFault::SeveralLines { field: "carrier" }));
        assert_eq!(of("", "12\u{202e}34").check(), Err(ParcelFault::SeveralLines { field: "tracking" }));
        assert_eq!(of(&"x".repeat(61), "").check().map_err(ParcelFault::field), Err("carrier"));
    }
}
