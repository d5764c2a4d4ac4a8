//! Feed: addresses and prices in files for machines: sitemaps, Atom, and product feeds in Google's vocabulary.
//!
//! Limits  read as a stream; an entry's texts are held one at a time, a longer one than MAX_TEXT_BYTES is cut.
//! Source  sitemaps.org 0.9 with image and hreflang extensions; RFC 4287; RSS 2.0 with the namespace g of Google Merchant.

use std::io::BufRead;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::page::Role;
use super::price::{Ends, Stated};
use crate::commerce::ids::Timestamp;

/// Longer than any address or price; descriptions are not looked at.
const MAX_TEXT_BYTES: usize = 4096;

/// Something that a feed says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Address(String, Role),
    Price(Stated),
}

/// An item of a product feed.
#[derive(Default)]
struct Item {
    id: String,
    price: String,
    sale_price: String,
    sale_dates: String,
}

/// Reads a file, telling what it says at the instant `at`.
///
/// Errors: where and why it is no XML.
pub(super) fn read(input: impl BufRead, at: Timestamp, mut tell: impl FnMut(Fact)) -> Result<(), String> {
    let mut reader = Reader::from_reader(input);
    let mut buffer = Vec::new();
    let mut text = String::new();
    let mut item = Item::default();
    // Shipping has a price of its own within an item.
    let mut is_shipping = false;
    loop {
        buffer.clear();
        let event = match reader.read_event_into(&mut buffer) {
            Ok(event) => event,
            Err(error) => return Err(format!("byte {}: {error}", reader.error_position())),
        };
        match event {
            Event::Eof => return Ok(()),
            Event::Start(tag) | Event::Empty(tag) => {
                text.clear();
                is_shipping |= tag.name().as_ref() == "g:shipping";
                if let Some(url) = link(&tag) {
                    tell(Fact::Address(url, Role::Link));
                }
            }
            Event::Text(part) => append(&mut text, &part.xml10_content()),
            Event::CData(part) => append(&mut text, &part.xml10_content()),
            Event::GeneralRef(reference) => {
                let sign = reference.resolve_char_ref().ok().flatten();
                append(&mut text, sign.or_else(|| named_sign(&reference)).unwrap_or_default().encode_utf8(&mut [0; 4]));
            }
            Event::End(tag) => {
                let name = tag.name();
                let value = text.trim();
                match name.as_ref() {
                    "loc" | "link" | "g:link" if !value.is_empty() => tell(Fact::Address(value.to_owned(), Role::Link)),
                    "image:loc" | "g:image_link" | "g:additional_image_link" => {
                        tell(Fact::Address(value.to_owned(), Role::Picture));
                    }
                    "g:id" => value.clone_into(&mut item.id),
                    "g:price" if !is_shipping => value.clone_into(&mut item.price),
                    "g:sale_price" => value.clone_into(&mut item.sale_price),
                    "g:sale_price_effective_date" => value.clone_into(&mut item.sale_dates),
                    "g:shipping" => is_shipping = false,
                    "item" | "entry" => {
                        std::mem::take(&mut item).stated(at).into_iter().for_each(|price| tell(Fact::Price(price)));
                    }
                    _ => {}
                }
                text.clear();
            }
            _ => {}
        }
    }
}

// The address of an empty element: Atom's `link` and a sitemap's `xhtml:link`.
fn link(tag: &BytesStart<'_>) -> Option<String> {
    if !matches!(tag.name().as_ref(), "link" | "xhtml:link") {
        return None;
    }
    let href = tag.try_get_attribute("href").ok().flatten()?;
    href.normalized_value(XmlVersion::Explicit1_0).ok().map(|value| value.into_owned())
}

fn append(text: &mut String, part: &str) {
    if text.len() + part.len() <= MAX_TEXT_BYTES {
        text.push_str(part);
    }
}

// The five that XML knows.
fn named_sign(reference: &str) -> Option<char> {
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

impl Item {
    // The price that a reader of the feed would show at an instant: the sale's while it holds.
    fn stated(self, at: Timestamp) -> Option<Stated> {
        let is_sale = !self.sale_price.is_empty() && holds(&self.sale_dates, at);
        let written = if is_sale { &self.sale_price } else { &self.price };
        let (price, currency) = written.split_once(char::is_whitespace).unwrap_or((written, ""));
        if self.id.is_empty() || written.is_empty() {
            return None;
        }
        let (price, currency) = (price.to_owned(), currency.trim().to_owned());
        Some(Stated { sku: self.id, place: "the product feed", price, currency, struck: None, ends: Ends::default() })
    }
}

// Two instants with a slash between them, the second not counted; without any, always.
fn holds(dates: &str, at: Timestamp) -> bool {
    let Some((from, until)) = dates.split_once('/') else { return true };
    let second = |text: &str| text.trim().parse::<jiff::Timestamp>().ok().map(|instant| instant.as_second());
    second(from).is_none_or(|from| from <= at.0) && second(until).is_none_or(|until| at.0 < until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn facts(xml: &str, at: i64) -> Vec<Fact> {
        let mut facts = Vec::new();
        read(xml.as_bytes(), Timestamp(at), |fact| facts.push(fact)).expect("XML");
        facts
    }

    #[test]
    fn addresses_of_sitemaps_and_atom_are_read() {
        let sitemap = "<urlset><url><loc>https://s.example/a?b&amp;c</loc><image:image><image:loc>/p.png</image:loc></image:image>\
                       <xhtml:link rel='alternate' href='/us?a&#38;b'/></url></urlset>";
        let link = |url: &str| Fact::Address(url.to_owned(), Role::Link);
        assert_eq!(
            facts(sitemap, 0),
            [link("https://s.example/a?b&c"), Fact::Address("/p.png".to_owned(), Role::Picture), link("/us?a&b")]
        );
        assert_eq!(facts("<feed><entry><link href=\"/x\"/><id>tag:1</id></entry></feed>", 0), [link("/x")]);
        assert!(read(&b"<a></b>"[..], Timestamp(0), |_| {}).is_err());
    }

    #[test]
    fn a_sale_is_the_price_while_it_holds() {
        let item = "<rss><item><g:id>A&amp;B</g:id><g:price>19.90 EUR</g:price><g:shipping><g:price>4.90 EUR</g:price></g:shipping>\
                    <g:sale_price>14.90 EUR</g:sale_price>\
                    <g:sale_price_effective_date>1970-01-01T00:01:40Z/1970-01-01T00:03:20+00:00</g:sale_price_effective_date></item></rss>";
        let price = |at: i64| match &facts(item, at)[..] {
            [Fact::Price(stated)] => format!("{} {} {}", stated.sku, stated.price, stated.currency),
            other => panic!("{other:?}"),
        };
        assert_eq!((price(99).as_str(), price(100).as_str()), ("A&B 19.90 EUR", "A&B 14.90 EUR"));
        assert_eq!((price(199).as_str(), price(200).as_str()), ("A&B 14.90 EUR", "A&B 19.90 EUR"));
    }
}
