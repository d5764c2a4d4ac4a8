//! Input: bodies and queries → values, strictly.
//!
//! Always  an unknown JSON field is refused with its name; a body of another type is a 415; a number is whole or refused.
//! Limits  the router's body limits; serde_json's 128 levels; `MAX_FORM_FIELDS`; `MAX_FIELD_BYTES`.

use std::fmt;

use http::{HeaderMap, header};
use serde::de::{self, DeserializeOwned, Deserializer, Visitor};

use super::error::Failure;
use super::http::Call;
use crate::commerce::address::{Address, Contact};

/// Fields of one form; a checkout has fewer than 20.
const MAX_FORM_FIELDS: usize = 100;
/// Longest text of one field that is looked at; what is longer than its own limit is told, what is longer than this is refused.
const MAX_FIELD_BYTES: usize = 1_000;
/// Longest part of a parser's complaint that is given back.
const MAX_COMPLAINT_BYTES: usize = 200;

/// The JSON body.
pub fn json<T: DeserializeOwned>(call: &Call) -> Result<T, Failure> {
    if media_type(&call.headers) != "application/json" {
        return Err(Failure::MediaType { expected: "application/json" });
    }
    serde_json::from_slice(&call.body).map_err(|error| {
        let complaint = shortened(&error.to_string());
        match error.classify() {
            serde_json::error::Category::Data if complaint.starts_with("unknown field") => {
                Failure::malformed("unknown_field", complaint)
            }
            serde_json::error::Category::Data => Failure::malformed("invalid_field", complaint),
            _ => Failure::malformed("malformed_json", format!("the body is not JSON: {complaint}")),
        }
    })
}

/// Refuses a body where the address says it all; `{}` is none.
pub fn nothing(call: &Call) -> Result<(), Failure> {
    let is_empty = call.body.is_empty() || call.body.trim_ascii() == b"{}";
    if is_empty { Ok(()) } else { Err(Failure::malformed("unexpected_body", "this request takes no body")) }
}

/// A form as browsers send it. Unknown fields are left alone: a theme may send more than the edge reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// The form in the body.
    pub fn of(call: &Call) -> Result<Self, Failure> {
        let expected = "application/x-www-form-urlencoded";
        if media_type(&call.headers) != expected {
            return Err(Failure::MediaType { expected });
        }
        let text = std::str::from_utf8(&call.body).map_err(|_| Failure::malformed("malformed_form", "the form is not UTF-8"))?;
        Self::parse(text)
    }

    /// The fields of a query string or urlencoded body.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let malformed = |detail: &str| Failure::malformed("malformed_form", detail);
        let decoded = |part: &str| {
            let spaced = part.replace('+', " ");
            let text = percent_encoding::percent_decode_str(&spaced).decode_utf8();
            text.map(|text| text.into_owned()).map_err(|_| malformed("the form is not UTF-8"))
        };
        let mut fields = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            if fields.len() == MAX_FORM_FIELDS {
                return Err(malformed("the form has too many fields"));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.push((decoded(name)?, decoded(value)?));
        }
        Ok(Self(fields))
    }

    /// The first field of that name; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(held, _)| held == name).map_or("", |(_, value)| value.as_str())
    }

    /// The first field of that name, unless it is missing or blank.
    pub fn filled(&self, name: &str) -> Option<&str> {
        Some(self.get(name).trim()).filter(|text| !text.is_empty())
    }

    /// All fields, in their order.
    pub fn fields(&self) -> &[(String, String)] {
        &self.0
    }
}

/// The query's parameters; any but the known ones are refused, so that a cache holds one copy of an answer.
pub fn query(call: &Call, known: &[&str]) -> Result<Form, Failure> {
    let form = Form::parse(call.uri.query().unwrap_or(""))?;
    match form.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => Err(Failure::malformed("unknown_parameter", format!("unknown parameter `{}`", shortened(name)))),
        None => Ok(form),
    }
}

/// A whole number of any size as a client wrote it; `1.0` is 1, as JSON Schema has it, and `1.5` is `Fraction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// A whole number; beyond an `i64` the nearest one.
    Number(i64),
    /// Not whole.
    Fraction,
}

impl Whole {
    /// Reads a form's field: an optional sign and digits.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(decimals) {
            return None;
        }
        if decimals.bytes().any(|digit| digit != b'0') {
            return Some(Self::Fraction);
        }
        let size = whole.parse::<i64>().unwrap_or(i64::MAX);
        Some(Self::Number(if text.starts_with('-') { -size } else { size }))
    }

    /// As an unsigned 32-bit number: `None` for fractions and what is negative or beyond.
    pub fn as_u32(self) -> Option<u32> {
        match self {
            Self::Number(number) => u32::try_from(number).ok(),
            Self::Fraction => None,
        }
    }

    /// As an amount: `None` for fractions.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Fraction => None,
        }
    }
}

impl<'de> de::Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl Visitor<'_> for Numbers {
            type Value = Whole;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_i64<E>(self, number: i64) -> Result<Whole, E> {
                Ok(Whole::Number(number))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Whole, E> {
                Ok(Whole::Number(i64::try_from(number).unwrap_or(i64::MAX)))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Whole, E> {
                Ok(if number.fract() == 0.0 { Whole::Number(number as i64) } else { Whole::Fraction })
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

fn shortened(text: &str) -> String {
    let end = (0..=MAX_COMPLAINT_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].to_owned()
}

/// Whether every text that a shopper tells is short enough to be looked at.
///
/// Errors: 400 for one that is longer than `MAX_FIELD_BYTES`.
pub fn check_lengths(contact: &Contact, address: &Address) -> Result<(), Failure> {
    match texts(contact, address).iter().all(|text| text.len() <= MAX_FIELD_BYTES) {
        true => Ok(()),
        false => Err(Failure::malformed("field_too_long", format!("a field has at most {MAX_FIELD_BYTES} bytes"))),
    }
}

fn texts<'a>(contact: &'a Contact, address: &'a Address) -> [&'a str; 9] {
    let Address { name, line1, line2, city, region, postal_code, country } = address;
    [&contact.email, &contact.phone, name, line1, line2, city, region, postal_code, country]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_forms_are_whole_or_told_apart() {
        for (text, expected) in [
            ("1", Some(Whole::Number(1))),
            (" 12 ", Some(Whole::Number(12))),
            ("-3", Some(Whole::Number(-3))),
            ("2.0", Some(Whole::Number(2))),
            ("2.5", Some(Whole::Fraction)),
            ("99999999999999999999", Some(Whole::Number(i64::MAX))),
            ("", None),
            ("1e3", None),
            ("1.", None),
            (".5", None),
            ("one", None),
            ("0x10", None),
        ] {
            assert_eq!(Whole::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_of_json_are_whole_or_told_apart() {
        for (text, expected) in [
            ("1", Whole::Number(1)),
            ("1.0", Whole::Number(1)),
            ("-1", Whole::Number(-1)),
            ("1.5", Whole::Fraction),
            ("1e300", Whole::Number(i64::MAX)),
            ("18446744073709551615", Whole::Number(i64::MAX)),
        ] {
            assert_eq!(serde_json::from_str::<Whole>(text).expect(text), expected, "{text}");
        }
        for text in ["\"1\"", "true", "null", "[]", "1e999"] {
            assert!(serde_json::from_str::<Whole>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn forms_are_decoded() {
        let form = Form::parse("a=1+2&b=%C3%A4&&c&a=second").expect("a form");
        assert_eq!((form.get("a"), form.get("b"), form.get("c"), form.get("d")), ("1 2", "ä", "", ""));
        assert!(Form::parse("a=%ff").is_err());
        assert!(Form::parse(&"a&".repeat(MAX_FORM_FIELDS + 1)).is_err());
    }
}
