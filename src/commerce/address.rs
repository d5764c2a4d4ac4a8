//! Address: who to write to and where the parcel goes, as checked values.
//!
//! Owns    the limits of every field and the messages a shopper can act on.
//! Always  all problems are told at once, each with the JSON pointer of its field; no field holds a control character, so none can
//!         end a header of a mail or a line of a label.

use serde::{Deserialize, Serialize};

use super::cart::{Destination, MAX_POSTAL_CODE_BYTES};
use super::rules::Market;

/// RFC 5321 4.5.3.1.3, less the angle brackets.
pub const MAX_EMAIL_BYTES: usize = 254;
/// E.164 has 15 digits; the rest is how people write them.
pub const MAX_PHONE_BYTES: usize = 32;
/// What fits a line of a label, in any script.
pub const MAX_ADDRESS_LINE_BYTES: usize = 200;

/// Countries that have no postal codes, or none that people know (Universal Postal Union, addressing guides).
const WITHOUT_POSTAL_CODE: &[&str] = &[
    "AE", "AG", "AO", "AW", "BB", "BF", "BI", "BJ", "BO", "BS", "BW", "BZ", "CD", "CF", "CG", "CI", "CK", "CM", "DJ", "DM", "ER",
    "FJ", "GA", "GD", "GH", "GM", "GQ", "GY", "HK", "IE", "JM", "KI", "KM", "KN", "KP", "LY", "ML", "MO", "MR", "MW", "NR", "NU",
    "PA", "QA", "RW", "SB", "SC", "SL", "SR", "ST", "SY", "TD", "TG", "TK", "TL", "TO", "TV", "UG", "VU", "WS", "YE", "ZW",
];

/// Whether addresses of a country (ISO 3166-1 alpha-2) have a postal code.
pub fn has_postal_code(country: &str) -> bool {
    !WITHOUT_POSTAL_CODE.contains(&country)
}

/// Who to write to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Where the confirmation goes.
    pub email: String,
    /// For the carrier; may be empty.
    pub phone: String,
}

/// A postal address. Fields that were not given are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Who opens the door.
    pub name: String,
    /// Street and number.
    pub line1: String,
    /// Flat, floor.
    pub line2: String,
    /// Town.
    pub city: String,
    /// ISO 3166-2 without the country.
    pub region: String,
    /// As written.
    pub postal_code: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// JSON pointer, such as `/address/postal_code`.
    pub path: String,
    /// What is wrong.
    pub fault: FieldFault,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldFault {
    /// Nobody could be written to.
    EmailMissing,
    /// It is not written as addresses of mail are.
    NotAnEmail,
    /// It holds other signs than a number does.
    NotAPhone,
    /// It is empty.
    Missing,
    /// It has more bytes than a label takes.
    TooLong {
        /// The most.
        max_bytes: usize,
    },
    /// It holds a line break or another sign that no label takes.
    SeveralLines,
    /// It is no short code.
    NotARegion,
    /// The market does not sell there.
    CountryUnserved,
    /// There is nothing to buy.
    CartEmpty,
    /// Some lines are not sold any more.
    LinesUnserved,
    /// Some quantities are not sold any more.
    WrongQuantity,
    /// The chosen rate is not offered there.
    RateNotOffered,
    /// No rate takes this parcel there.
    Unsendable,
    /// The totals are not whole.
    NotPayable,
}

impl FieldFault {
    /// Stable, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::EmailMissing | Self::Missing | Self::CartEmpty => "missing",
            Self::TooLong { .. } => "too_long",
            Self::CountryUnserved | Self::LinesUnserved | Self::Unsendable => "unserved",
            Self::NotAnEmail | Self::NotAPhone | Self::SeveralLines | Self::NotARegion => "invalid",
            Self::WrongQuantity | Self::RateNotOffered | Self::NotPayable => "invalid",
        }
    }
}

impl FieldProblem {
    /// A problem of the field at `path`.
    pub fn new(path: &str, fault: FieldFault) -> Self {
        Self { path: path.to_owned(), fault }
    }
}

impl Contact {
    /// Without white space at the ends.
    pub fn tidied(self) -> Self {
        Self { email: self.email.trim().to_owned(), phone: self.phone.trim().to_owned() }
    }

    /// Under which name this customer's orders are counted: the e-mail address in lower case, without what follows a `+` before its
    /// `@`, which leads to the same mailbox. `None`: nobody is named yet.
    pub fn customer(&self) -> Option<String> {
        let (user, host) = self.email.trim().rsplit_once('@').filter(|_| is_email(self.email.trim()))?;
        let user = user.split_once('+').map_or(user, |(user, _)| user);
        Some(format!("{user}@{host}").to_lowercase())
    }

    /// What keeps this contact from being written to.
    pub fn problems(&self) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        if self.email.is_empty() {
            problems.push(FieldProblem::new("/contact/email", FieldFault::EmailMissing));
        } else if !is_email(&self.email) {
            problems.push(FieldProblem::new("/contact/email", FieldFault::NotAnEmail));
        }
        let is_dialled = |letter: char| letter.is_ascii_digit() || " +-()./".contains(letter);
        if self.phone.len() > MAX_PHONE_BYTES || !self.phone.chars().all(is_dialled) {
            problems.push(FieldProblem::new("/contact/phone", FieldFault::NotAPhone));
        }
        problems
    }
}

impl Address {
    /// What taxes are told by, and nobody else: country and region.
    pub fn erased(self) -> Self {
        Self { country: self.country, region: self.region, ..Self::default() }
    }

    /// Without white space at the ends, codes in upper case.
    pub fn tidied(self) -> Self {
        let tidy = |text: String| text.trim().to_owned();
        Self {
            name: tidy(self.name),
            line1: tidy(self.line1),
            line2: tidy(self.line2),
            city: tidy(self.city),
            region: tidy(self.region).to_ascii_uppercase(),
            postal_code: tidy(self.postal_code),
            country: tidy(self.country).to_ascii_uppercase(),
        }
    }

    /// What keeps an order of this market from going there. Without a parcel only name and country (for the tax) have to be known.
    pub fn problems(&self, market: &Market, needs_shipping: bool) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        let has_code = has_postal_code(&self.country);
        let fields = [
            ("name", &self.name, MAX_ADDRESS_LINE_BYTES, true),
            ("line1", &self.line1, MAX_ADDRESS_LINE_BYTES, needs_shipping),
            ("line2", &self.line2, MAX_ADDRESS_LINE_BYTES, false),
            ("city", &self.city, MAX_ADDRESS_LINE_BYTES, needs_shipping),
            ("region", &self.region, 3, false),
            ("postal_code", &self.postal_code, MAX_POSTAL_CODE_BYTES, needs_shipping && has_code),
            ("country", &self.country, 2, true),
        ];
        for (field, text, max_bytes, is_required) in fields {
            let path = format!("/address/{field}");
            if text.is_empty() && is_required {
                problems.push(FieldProblem::new(&path, FieldFault::Missing));
            } else if text.len() > max_bytes {
                problems.push(FieldProblem::new(&path, FieldFault::TooLong { max_bytes }));
            } else if text.chars().any(char::is_control) {
                problems.push(FieldProblem::new(&path, FieldFault::SeveralLines));
            }
        }
        if !self.region.chars().all(|letter| letter.is_ascii_alphanumeric()) {
            problems.push(FieldProblem::new("/address/region", FieldFault::NotARegion));
        }
        if !self.country.is_empty() && !market.countries.contains(&self.country) {
            problems.push(FieldProblem::new("/address/country", FieldFault::CountryUnserved));
        }
        problems
    }

    /// The part of the address that prices depend on; `None` while the country is not known.
    pub fn destination(&self) -> Option<Destination> {
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let place =
            Destination { country: self.country.clone(), region: given(&self.region), postal_code: given(&self.postal_code) };
        place.checked().ok()
    }
}

/// Whether mail can be tried: one `@`, something before it, a domain with a dot after it. More is only known by writing to it.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_plain = |letter: char| !letter.is_control() && !letter.is_whitespace() && !"<>()[],;:\\\"".contains(letter);
    let labels: Vec<&str> = domain.split('.').collect();
    text.len() <= MAX_EMAIL_BYTES
        && (1..=64).contains(&local.len())
        && local.split('.').all(|part| !part.is_empty())
        && text.chars().all(is_plain)
        && labels.len() >= 2
        && labels
            .iter()
            .all(|label| !label.is_empty() && !label.contains('@') && !label.starts_with('-') && !label.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::fixture::Shop;

    fn home() -> Address {
        Address {
            name: "Ada Byron".into(),
            line1: "Elm Street 1".into(),
            city: "Bonn".into(),
            postal_code: "53111".into(),
            country: "DE".into(),
            ..Address::default()
        }
    }

    #[track_caller]
    fn check(address: &Address, needs_shipping: bool, expected: &[(&str, &str)]) {
        let problems = address.problems(Shop::of(&[100]).market(), needs_shipping);
        let found: Vec<_> = problems.iter().map(|problem| (problem.path.as_str(), problem.fault.code())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_wrong_field_is_told_by_its_pointer() {
        check(&home(), true, &[]);
        let missing = [("/address/name", "missing"), ("/address/line1", "missing"), ("/address/city", "missing")];
        let last = [("/address/postal_code", "missing"), ("/address/country", "missing")];
        check(&Address::default(), true, &[&missing[..], &last[..]].concat());
        check(&Address { country: "FR".into(), ..home() }, true, &[("/address/country", "unserved")]);
        check(&Address { city: "Bo\nnn".into(), ..home() }, true, &[("/address/city", "invalid")]);
        check(&Address { region: "N-W".into(), ..home() }, true, &[("/address/region", "invalid")]);
        check(&Address { line2: "x".repeat(MAX_ADDRESS_LINE_BYTES + 1), ..home() }, true, &[("/address/line2", "too_long")]);
    }

    #[test]
    fn a_download_needs_no_street() {
        let address = Address { name: "Ada".into(), country: "AT".into(), ..Address::default() };
        check(&address, false, &[]);
    }

    #[test]
    fn an_address_can_be_told_from_a_slip() {
        for email in ["ada@example.com", "a.b+c@sub.example.co", "ädä@bücher.example"] {
            assert!(is_email(email), "{email}");
        }
        for email in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "a@b@c.de",
            "a b@c.de",
            "a@c..de",
            "a@c.de\r\nBcc: x@y.z",
            "<a@b.cd>",
        ] {
            assert!(!is_email(email), "{email}");
        }
        let contact = Contact { email: " ada@example.com ".into(), phone: "+49 (228) 1-2".into() }.tidied();
        assert_eq!(contact.problems(), []);
        assert_eq!(Contact { phone: "call me".into(), ..contact }.problems().len(), 1);
    }
}
