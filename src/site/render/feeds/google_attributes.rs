//! Google's attributes: which rows of a product's facts the product feed says under a name of its own, and what may stand in them.
//!
//! Always  a row that is named as Google names it, in small letters, is for the feed alone and not shown on the page.

use std::borrow::Cow;

use super::google_price::instant;
use crate::commerce::ids::Timestamp;
use crate::site::render::structured::known_axis;
use crate::theme::view::Availability;

/// What a row means to Google.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Category,
    AvailabilityDate,
    Mpn,
    Condition,
    Gender,
    AgeGroup,
    /// `size`, `color`, `material` or `pattern`.
    Axis(&'static str),
}

/// Names of rows that are for the feed alone, with what may stand in them; none: anything.
const OWN: [(&str, Named, &[&str]); 6] = [
    ("google_product_category", Named::Category, &[]),
    ("availability_date", Named::AvailabilityDate, &[]),
    ("mpn", Named::Mpn, &[]),
    ("condition", Named::Condition, &["new", "refurbished", "used"]),
    ("gender", Named::Gender, &["male", "female", "unisex"]),
    ("age_group", Named::AgeGroup, &["newborn", "infant", "toddler", "kids", "adult"]),
];

/// Characters of a value (Google: 100 for sizes and colours, 70 for a maker's number, 750 for a category; the rest are words).
const MAX_VALUE: usize = 100;
const MAX_MPN: usize = 70;
const MAX_CATEGORY: usize = 750;

impl Named {
    /// Its name in the feed, for those that are written as they are.
    pub(super) fn plain(self) -> Option<&'static str> {
        match self {
            Self::Category => Some("google_product_category"),
            Self::Gender => Some("gender"),
            Self::AgeGroup => Some("age_group"),
            Self::Axis(name) => Some(name),
            Self::AvailabilityDate | Self::Mpn | Self::Condition => None,
        }
    }

    fn limit(self) -> usize {
        match self {
            Self::Category => MAX_CATEGORY,
            Self::Mpn => MAX_MPN,
            _ => MAX_VALUE,
        }
    }
}

/// What a product's rows say of its offers, to all programs that compare them: the feed, and the structured data of its page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Whether it is new.
    pub condition: Condition,
    /// When a back-order leaves, as Google writes instants.
    pub leaves_at: Option<String>,
}

/// Whether a product is new. Source: Google's `condition`, schema.org's OfferItemCondition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Never used.
    #[default]
    New,
    /// Mended or checked by somebody who answers for it.
    Refurbished,
    /// Used before.
    Used,
}

impl Condition {
    /// Google's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Refurbished => "refurbished",
            Self::Used => "used",
        }
    }
}

impl Claims {
    /// Of a product's rows.
    pub fn of(attributes: &[(String, String)]) -> Self {
        let mut claims = Self::default();
        // The first of several counts.
        let rows: Vec<_> = named_attributes(attributes).collect();
        for (named, value) in rows.into_iter().rev() {
            match named {
                Named::AvailabilityDate => claims.leaves_at = Some(value.into_owned()),
                Named::Condition => {
                    let all = [Condition::New, Condition::Refurbished, Condition::Used];
                    claims.condition = all.into_iter().find(|condition| condition.word() == value).unwrap_or_default();
                }
                _ => {}
            }
        }
        claims
    }

    /// What programs are told of a variant's stock. Google takes a back-order with its day alone: without one it is told as sold out,
    /// on the page as in the feed, since an offer that says two things is refused.
    pub fn told(&self, of: Availability) -> Availability {
        match of {
            Availability::Backorder if self.leaves_at.is_none() => Availability::SoldOut,
            other => other,
        }
    }
}

/// Whether a row is for the feed alone.
pub fn is_for_the_feed(name: &str) -> bool {
    OWN.iter().any(|(own, ..)| *own == name)
}

/// What to write instead, where a row for the feed holds what Google does not take.
pub fn wrong_value(name: &str, value: &str) -> Option<String> {
    let (_, named, words) = OWN.iter().find(|(own, ..)| *own == name)?;
    if *named == Named::AvailabilityDate {
        return date(value)
            .is_none()
            .then(|| "write a day such as \"2026-12-24\" or an instant such as \"2026-12-24T18:00:00Z\"".to_owned());
    }
    let is_right = words.is_empty() && !value.is_empty() && value.chars().count() <= named.limit() || words.contains(&value);
    let hint = match words {
        [] => format!("write 1 to {} characters", named.limit()),
        words => format!("write one of: {}", words.join(", ")),
    };
    (!is_right).then_some(hint)
}

/// The rows that mean something to Google, values as it wants them; what it would not take is passed over.
pub(super) fn named_attributes(attributes: &[(String, String)]) -> impl Iterator<Item = (Named, Cow<'_, str>)> {
    attributes.iter().filter_map(|(name, value)| {
        let own = OWN.iter().find(|(own, ..)| same_word(own, name));
        let named = own.map(|(_, named, _)| *named).or_else(|| known_axis(name).map(Named::Axis))?;
        if named == Named::AvailabilityDate {
            return Some((named, date(value)?.into()));
        }
        let is_right = own.is_none_or(|(own, ..)| wrong_value(own, value).is_none());
        (is_right && !value.is_empty() && value.chars().count() <= named.limit()).then_some((named, value.as_str().into()))
    })
}

// `Age group` is `age_group`.
fn same_word(own: &str, name: &str) -> bool {
    let plain = |byte: u8| if matches!(byte, b' ' | b'-') { b'_' } else { byte.to_ascii_lowercase() };
    own.len() == name.len() && own.bytes().eq(name.bytes().map(plain))
}

// A day or an instant, as Google writes it.
fn date(value: &str) -> Option<String> {
    let day = || value.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let at = value.parse::<jiff::Timestamp>().ok().or_else(day)?;
    Some(instant(Timestamp(at.as_second())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_known_by_google_s_names_and_by_people_s() {
        let rows = [
            ("google_product_category", "Home & Garden > Lighting"),
            ("Age group", "kids"),
            ("Colour", "Moss"),
            ("Farbe", "Moos"),
            ("Height", "31 cm"),
            ("condition", "as new"),
            ("availability_date", "2027-01-31"),
            ("Material", ""),
        ];
        let rows = rows.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found: Vec<(Named, String)> = named_attributes(&rows).map(|(name, value)| (name, value.into_owned())).collect();
        let expected = [
            (Named::Category, "Home & Garden > Lighting"),
            (Named::AgeGroup, "kids"),
            (Named::Axis("color"), "Moss"),
            (Named::Axis("color"), "Moos"),
            (Named::AvailabilityDate, "2027-01-31T00:00Z"),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name, value.to_owned())));
        let claims = Claims::of(&rows);
        assert_eq!(claims, Claims { condition: Condition::New, leaves_at: Some("2027-01-31T00:00Z".to_owned()) });
        assert_eq!(claims.told(Availability::Backorder), Availability::Backorder);
        let used = Claims::of(&[("Condition".to_owned(), "used".to_owned())]);
        assert_eq!((used.condition, used.told(Availability::Backorder)), (Condition::Used, Availability::SoldOut));
        assert_eq!(used.told(Availability::LowStock), Availability::LowStock);
    }

    #[test]
    fn only_what_is_written_as_google_writes_it_is_hidden_and_checked() {
        assert!(is_for_the_feed("age_group") && !is_for_the_feed("Age group") && !is_for_the_feed("MPN"));
        for (name, value, is_wrong) in [
            ("condition", "used", false),
            ("condition", "Used", true),
            ("availability_date", "soon", true),
            ("availability_date", "2026-12-24T18:00:00Z", false),
            ("mpn", "", true),
            ("mpn", "A-1", false),
            ("Condition", "worn", false),
        ] {
            assert_eq!(wrong_value(name, value).is_some(), is_wrong, "{name} {value}");
        }
        assert!(wrong_value("gender", "men").is_some_and(|hint| hint.contains("male, female, unisex")));
    }
}
