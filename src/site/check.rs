//! Check: the written pages read again, and their prices held against the rule that makes them.
//!
//! Owns    the one-price gate: what a shopper reads, what the form sends back, what machines read and what a cart would charge agree.
//! Knows   the bytes on disk, not the views they were printed from, so that a site's own template is judged too.
//! Limits  reads start tags as templates write them: attributes in double quotes. A price counts as read when it stands in the page's
//!         text anywhere outside of script and style elements.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;

use super::plan::{Page, PageKind, Plan};
use crate::commerce::catalog::{Catalog, Variant};
use crate::commerce::ids::{Sku, Timestamp};
use crate::commerce::money::Money;
use crate::commerce::rules::{Market, Rules};
use crate::theme::texts;

/// A finished build and what it was made from.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// Where the pages lie.
    pub folder: &'a Path,
    /// Which pages there are.
    pub plan: &'a Plan,
    /// What is sold.
    pub catalog: &'a Catalog,
    /// In which markets.
    pub rules: &'a Rules,
    /// The instant that the build was made for.
    pub at: Timestamp,
}

/// A price that is not the one a cart would charge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceFault {
    /// The page is not there or is no text.
    #[error("{path} cannot be read; build again")]
    Unreadable {
        /// Path below the output folder.
        path: String,
    },
    /// A shopper without script cannot read it.
    #[error("{path}: the price {expected} of {sku} is nowhere to be read; print it with the `money` filter")]
    NotShown {
        /// Path below the output folder.
        path: String,
        /// Of which variant.
        sku: Sku,
        /// As the `money` filter prints it.
        expected: String,
    },
    /// Another price where a program reads it.
    #[error("{path}: {place} says {found} for {sku}, a cart would say {expected}")]
    Differs {
        /// Path below the output folder.
        path: String,
        /// Of which variant.
        sku: Sku,
        /// `JSON-LD` or the name of the attribute or field.
        place: &'static str,
        /// What it says; `nothing` where the price is missing.
        found: String,
        /// What it should say; `nothing` where the variant is not for sale.
        expected: String,
    },
}

/// Reads every product's page in every market. Gives all faults, in the order of the pages; none: there is one price.
pub fn one_price(written: &Written<'_>) -> Vec<PriceFault> {
    let faults = |page: &Page| match page.kind {
        PageKind::Product(index) => page_faults(written, page, &written.catalog.products()[index].variants),
        _ => Vec::new(),
    };
    written.plan.pages.par_iter().flat_map_iter(faults).collect()
}

fn page_faults(written: &Written<'_>, page: &Page, variants: &[Variant]) -> Vec<PriceFault> {
    let file: PathBuf = written.folder.join(&page.path);
    let Ok(html) = std::fs::read_to_string(file) else {
        return vec![PriceFault::Unreadable { path: page.path.clone() }];
    };
    let shown = Shown::read(&html);
    let market = &written.rules.markets[page.market];
    let fault = |variant: &Variant| variant_faults(&shown, &page.path, market, variant, written.at);
    variants.iter().flat_map(fault).collect()
}

fn variant_faults(shown: &Shown, path: &str, market: &Market, variant: &Variant, at: Timestamp) -> Vec<PriceFault> {
    let sku = &variant.sku;
    let price: Option<Money> = variant.current_price(market.currency, at).map(|current| current.unit);
    let mut faults = Vec::new();
    if let Some(price) = price {
        let expected = texts::money(price, &market.language);
        if !holds_price(&shown.text, &expected) {
            faults.push(PriceFault::NotShown { path: path.to_owned(), sku: sku.clone(), expected });
        }
    }
    let decimal = price.map(|price| format!("{} {}", price.to_decimal_string(), price.currency.code()));
    let minor = price.map(|price| price.minor.to_string());
    let mut compare = |place: &'static str, found: Option<String>, expected: &Option<String>| {
        if found != *expected {
            let [found, expected] = [found, expected.clone()].map(|text| text.unwrap_or_else(|| "nothing".to_owned()));
            faults.push(PriceFault::Differs { path: path.to_owned(), sku: sku.clone(), place, found, expected });
        }
    };
    compare("JSON-LD", shown.offers.iter().find(|(of, _)| of == sku.as_str()).map(|(_, price)| price.clone()), &decimal);
    if let Some((_, found)) = shown.choices.iter().find(|(of, _)| of == sku.as_str()) {
        compare("data-minor", Some(found.clone()), &minor);
    }
    if let (Some(seen), Some(_)) = (&shown.seen_minor, &minor) {
        compare("seen_price_minor", Some(seen.clone()), &minor);
    }
    faults
}

/// What a page says of prices.
#[derive(Debug, Default)]
struct Shown {
    /// What people read, elements apart from each other.
    text: String,
    /// (SKU, `12.90 EUR`) of each offer in JSON-LD.
    offers: Vec<(String, String)>,
    /// (SKU, `data-minor`) of each field that chooses a variant.
    choices: Vec<(String, String)>,
    /// The hidden field that tells the cart which price was seen.
    seen_minor: Option<String>,
}

impl Shown {
    fn read(html: &str) -> Self {
        let mut shown = Self::default();
        let mut rest = html;
        while let Some(start) = rest.find('<') {
            shown.text.push_str(&unescaped(&rest[..start]));
            shown.text.push('\n');
            let end = start + tag_length(&rest[start..]);
            let tag = &rest[start..end];
            rest = &rest[end..];
            match tag.trim_start_matches('<').split([' ', '\n', '>']).next() {
                Some("script") => rest = shown.take_script(tag, rest),
                Some("style") => rest = past(rest, "</style").1,
                Some("input") => shown.take_field(tag),
                _ => {}
            }
        }
        shown.text.push_str(&unescaped(rest));
        shown
    }

    fn take_script<'a>(&mut self, tag: &str, rest: &'a str) -> &'a str {
        let (inner, rest) = past(rest, "</script");
        if attribute(tag, "type").as_deref() == Some("application/ld+json")
            && let Ok(document) = serde_json::from_str::<Value>(inner)
        {
            self.take_offers(&document);
        }
        rest
    }

    fn take_offers(&mut self, document: &Value) {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let offer = &document["offers"];
        if let (Some(sku), Some(price), Some(currency)) =
            (text(&document["sku"]), text(&offer["price"]), text(&offer["priceCurrency"]))
        {
            self.offers.push((sku, format!("{price} {currency}")));
        }
        document["hasVariant"].as_array().into_iter().flatten().for_each(|variant| self.take_offers(variant));
    }

    fn take_field(&mut self, tag: &str) {
        let value = attribute(tag, "value");
        match (attribute(tag, "name").as_deref(), value, attribute(tag, "data-minor")) {
            (Some("sku"), Some(sku), Some(minor)) => self.choices.push((sku, minor)),
            (Some("seen_price_minor"), value, _) => self.seen_minor = value,
            _ => {}
        }
    }
}

// What stands before a closing tag, and what follows from it on.
fn past<'a>(text: &'a str, closing: &str) -> (&'a str, &'a str) {
    text.split_at(text.find(closing).unwrap_or(text.len()))
}

// Bytes from `<` to its `>`, both counted; a `>` within quotes does not end a tag.
fn tag_length(text: &str) -> usize {
    let mut quoted = false;
    let is_end = |(_, byte): &(usize, u8)| {
        quoted ^= *byte == b'"';
        *byte == b'>' && !quoted
    };
    text.bytes().enumerate().find(is_end).map_or(text.len(), |(index, _)| index + 1)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = &tag[start..];
    Some(unescaped(&value[..value.find('"')?]))
}

// `&amp;` last, so that what it uncovers stays as it is.
fn unescaped(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let signs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2F;", "/"), ("&nbsp;", "\u{a0}")];
    signs.iter().fold(text.to_owned(), |text, (entity, sign)| text.replace(entity, sign)).replace("&amp;", "&")
}

// `12,90 €` is not to be found in `112,90 €`, nor `¥12` in `¥120` or in `¥12,000`.
fn holds_price(text: &str, price: &str) -> bool {
    text.match_indices(price).any(|(start, _)| {
        let mut before = text[..start].chars().rev();
        let mut after = text[start + price.len()..].chars();
        !continues(&mut before) && !continues(&mut after)
    })
}

// A digit, or a separator that a digit follows.
fn continues(signs: &mut impl Iterator<Item = char>) -> bool {
    match signs.next() {
        Some('.' | ',' | '’' | '\u{a0}' | '\u{202f}') => signs.next().is_some_and(|sign| sign.is_ascii_digit()),
        Some(sign) => sign.is_ascii_digit(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_not_read_out_of_a_longer_one() {
        for (text, price, expected) in [
            ("now 12,90\u{a0}€.", "12,90\u{a0}€", true),
            ("112,90\u{a0}€", "12,90\u{a0}€", false),
            ("1.012,90\u{a0}€", "012,90\u{a0}€", false),
            ("¥120", "¥12", false),
            ("¥12,000", "¥12", false),
            ("from ¥12, or ¥13", "¥12", true),
        ] {
            assert_eq!(holds_price(text, price), expected, "{price} in {text}");
        }
    }

    #[test]
    fn scripts_and_styles_are_not_read_by_people() {
        let shown =
            Shown::read("<p title=\"a > b\">€1.00</p><script>\"€2.00\"</script><style>a{content:'€3.00'}</style><b>€4.00");
        let words: Vec<&str> = shown.text.split_whitespace().collect();
        assert_eq!(words, ["€1.00", "€4.00"]);
    }

    #[test]
    fn fields_and_offers_are_found_by_their_sku() {
        let shown = Shown::read(
            "<input type=\"radio\" name=\"sku\" value=\"A&amp;B\" data-minor=\"1990\">\
             <input type=\"hidden\" name=\"seen_price_minor\" value=\"1990\">\
             <script type=\"application/ld+json\">{\"hasVariant\":[{\"sku\":\"A&B\",\"offers\":{\"price\":\"19.90\",\"priceCurrency\":\"EUR\"}}]}</script>",
        );
        assert_eq!(shown.choices, [("A&B".to_owned(), "1990".to_owned())]);
        assert_eq!(shown.offers, [("A&B".to_owned(), "19.90 EUR".to_owned())]);
        assert_eq!(shown.seen_minor.as_deref(), Some("1990"));
    }
}
