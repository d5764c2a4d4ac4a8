//! Xml: text → XML, straight into a buffer: feeds hold a line for every variant of the shop, so nothing is built before it is written.
//!
//! Always  what is written is well-formed XML 1.0 whatever the texts hold: signs are escaped, and characters that XML cannot hold at all
//!         (a stray control character of an export) are left out.
//! Source  W3C XML 1.0, 2.2 (characters) and 2.4 (escapes).

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What an address cannot hold as it is (RFC 3986). `%` stays: what is written in an address is encoded already.
const NOT_IN_ADDRESSES: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// A document, or a piece of one.
#[derive(Debug, Default)]
pub(super) struct Xml {
    text: String,
}

impl Xml {
    /// A document that begins with its declaration.
    pub(super) fn document() -> Self {
        Self { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned() }
    }

    /// Markup as it stands: names and attributes that are the program's own words.
    pub(super) fn raw(&mut self, markup: &str) -> &mut Self {
        self.text.push_str(markup);
        self
    }

    /// A text, escaped for content and for attributes in double quotes.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        let mut rest = text;
        while let Some(at) = rest.bytes().position(is_special) {
            let (before, from) = rest.split_at(at);
            self.text.push_str(before);
            let sign = from.chars().next().expect("a position is that of a character");
            match sign {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\t' | '\n' | '\r' => self.text.push(sign),
                _ if sign < ' ' || matches!(sign, '\u{fffe}' | '\u{ffff}') => {}
                _ => self.text.push(sign),
            }
            rest = &from[sign.len_utf8()..];
        }
        self.text.push_str(rest);
        self
    }

    /// An element that holds a text.
    pub(super) fn element(&mut self, name: &str, text: &str) -> &mut Self {
        self.open(name).text(text).close(name)
    }

    /// An element that holds an address, made absolute and encoded.
    pub(super) fn address(&mut self, name: &str, base_url: &str, url: &str) -> &mut Self {
        self.open(name).in_address(base_url, url).close(name)
    }

    /// An address as content or attribute.
    pub(super) fn in_address(&mut self, base_url: &str, url: &str) -> &mut Self {
        if url.starts_with('/') {
            self.text(base_url);
        }
        for part in utf8_percent_encode(url, NOT_IN_ADDRESSES) {
            self.text(part);
        }
        self
    }

    /// The start tag of an element.
    pub(super) fn open(&mut self, name: &str) -> &mut Self {
        self.raw("<").raw(name).raw(">")
    }

    /// The end tag of an element.
    pub(super) fn close(&mut self, name: &str) -> &mut Self {
        self.raw("</").raw(name).raw(">")
    }

    /// Bytes written so far.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// What was written.
    pub(super) fn into_string(self) -> String {
        self.text
    }

    /// What was written, as a file that ends with a line's end.
    pub(super) fn into_file(mut self) -> Vec<u8> {
        self.text.push('\n');
        self.text.into_bytes()
    }
}

// 0xEF begins U+FFFE and U+FFFF, and other characters that pass.
fn is_special(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'&' | b'<' | b'>' | b'"' | 0xEF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fill: impl FnOnce(&mut Xml)) -> String {
        let mut xml = Xml::default();
        fill(&mut xml);
        xml.into_string()
    }

    #[test]
    fn signs_are_escaped_and_what_xml_cannot_hold_is_left_out() {
        for (text, expected) in [
            ("Salt & <b>\"pepper\"</b>", "Salt &amp; &lt;b&gt;&quot;pepper&quot;&lt;/b&gt;"),
            ("one\u{0}\u{8}\u{1b}two\u{fffe}\u{ffff}", "onetwo"),
            ("line\n\ttab", "line\n\ttab"),
            ("ｆｕｌｌ 😀 &", "ｆｕｌｌ 😀 &amp;"),
            ("", ""),
        ] {
            assert_eq!(written(|xml| _ = xml.text(text)), expected, "{text:?}");
        }
    }

    #[test]
    fn addresses_are_whole_and_encoded_once() {
        let written = |url: &str| written(|xml| _ = xml.address("loc", "https://shop.example", url));
        assert_eq!(written("/a/grüne lampe.jpg"), "<loc>https://shop.example/a/gr%C3%BCne%20lampe.jpg</loc>");
        assert_eq!(written("https://cdn.example/a%20b.jpg?v=1&w=2"), "<loc>https://cdn.example/a%20b.jpg?v=1&amp;w=2</loc>");
    }
}
