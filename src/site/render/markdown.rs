//! Markdown: a merchant's own text → HTML. Raw HTML in it is the merchant's and passes; foreign texts never come this way unsanitised.

use std::collections::BTreeMap;

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// HTML of a text. Headings get ids to be linked to; a `#` heading becomes `##`, since the page has its own first heading.
pub(super) fn to_html(markdown: &str) -> String {
    print(events(markdown), markdown.len(), &mut Names::default(), None)
}

fn events(markdown: &str) -> Vec<Event<'_>> {
    // About one for every eight bytes of prose: the list grows once and not from four on.
    let mut events = Vec::with_capacity(markdown.len() / 8);
    events.extend(Parser::new_ext(markdown, options()));
    events
}

/// What Markdown is here.
pub(super) fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES | Options::ENABLE_SMART_PUNCTUATION
}

/// Ids of headings that a page has given, with how often.
pub(super) type Names = BTreeMap<String, usize>;

/// HTML of a text in which marks stand for what is put there later; gives the numbers of the marks that stand within a sentence, too.
/// A paragraph of marks alone is none: what they stand for is put between paragraphs.
pub(super) fn to_html_with_marks(markdown: &str, names: &mut Names, marks: &Marks) -> (String, Vec<usize>) {
    let mut events = events(markdown);
    let within = lift(&mut events, marks);
    (print(events, markdown.len(), names, Some(marks)), within)
}

/// Words that stand for something: letters and digits which no text of the page has in it, so that Markdown leaves them as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    prefix: String,
}

impl Marks {
    /// Of a text.
    pub(super) fn of(text: &str) -> Self {
        let mut prefix = "vitrineshortcode".to_owned();
        while text.contains(&prefix) {
            prefix.push('x');
        }
        Self { prefix }
    }

    /// The mark of a number.
    pub(super) fn mark(&self, number: usize) -> String {
        format!("{}{number}z", self.prefix)
    }

    /// The text with each mark replaced by what `replace` gives.
    pub(super) fn fill<'t>(&self, text: &str, mut replace: impl FnMut(usize) -> &'t str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, number, after)) = self.next(rest) {
            filled.push_str(before);
            filled.push_str(replace(number));
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    fn next<'t>(&self, text: &'t str) -> Option<(&'t str, usize, &'t str)> {
        let (before, after) = text.split_once(&self.prefix)?;
        let (number, after) = after.split_once('z')?;
        Some((before, number.parse().ok()?, after))
    }

    fn numbers(&self, text: &str) -> Vec<usize> {
        let mut numbers = Vec::new();
        self.fill(text, |number| {
            numbers.push(number);
            ""
        });
        numbers
    }

    fn is_all(&self, text: &str) -> bool {
        self.fill(text, |_| "").trim().is_empty()
    }
}

// Takes paragraphs away from around marks that stand alone; gives those that stand among words.
fn lift(events: &mut [Event<'_>], marks: &Marks) -> Vec<usize> {
    let mut within = Vec::new();
    let mut start = 0;
    while start < events.len() {
        let is_paragraph = match &events[start] {
            Event::Start(Tag::Paragraph) => true,
            Event::Start(Tag::Heading { .. }) => false,
            _ => {
                start += 1;
                continue;
            }
        };
        let is_end = |event: &Event<'_>| matches!(event, Event::End(TagEnd::Paragraph | TagEnd::Heading(_)));
        let end = start + events[start..].iter().position(is_end).expect("what begins ends");
        let inner = &mut events[start..=end];
        let is_mark = |event: &Event<'_>| match event {
            Event::Text(text) => marks.is_all(text),
            event => matches!(event, Event::SoftBreak | Event::HardBreak),
        };
        let words = inner.len() - 1;
        if is_paragraph && inner[1..words].iter().all(is_mark) {
            for event in inner {
                *event = match event {
                    Event::Text(text) => Event::Html(std::mem::replace(text, CowStr::Borrowed(""))),
                    _ => Event::Html(CowStr::Borrowed("\n")),
                };
            }
        } else {
            for event in inner.iter() {
                if let Event::Text(text) = event {
                    within.extend(marks.numbers(text));
                }
            }
        }
        start = end + 1;
    }
    within
}

fn print(mut events: Vec<Event<'_>>, length: usize, names: &mut Names, marks: Option<&Marks>) -> String {
    name_headings(&mut events, names, marks);
    let mut page = String::with_capacity(length * 3 / 2);
    html::push_html(&mut page, events.into_iter());
    page
}

fn name_headings(events: &mut [Event<'_>], seen: &mut Names, marks: Option<&Marks>) {
    for index in 0..events.len() {
        if !matches!(events[index], Event::Start(Tag::Heading { .. })) {
            continue;
        }
        let mut text = String::new();
        let mut end = index;
        while !matches!(events[end], Event::End(TagEnd::Heading(_))) {
            if let Event::Text(part) | Event::Code(part) = &events[end] {
                text.push_str(part);
            }
            end += 1;
        }
        if let Some(marks) = marks {
            text = marks.fill(&text, |_| "");
        }
        let base = slug::slugify(&text);
        let times = seen.entry(base.clone()).and_modify(|times| *times += 1).or_insert(1);
        let name = if *times > 1 { format!("{base}-{times}") } else { base };
        if let Event::Start(Tag::Heading { level, id, .. }) = &mut events[index] {
            *level = below_first(*level);
            if id.is_none() && !name.is_empty() {
                *id = Some(CowStr::from(name));
            }
        }
        if let Event::End(TagEnd::Heading(level)) = &mut events[end] {
            *level = below_first(*level);
        }
    }
}

fn below_first(level: HeadingLevel) -> HeadingLevel {
    if level == HeadingLevel::H1 { HeadingLevel::H2 } else { level }
}

/// The first words of HTML as plain text, at most `limit` characters, cut at a word: for descriptions. Reads no further than it needs.
pub(super) fn summary(html: &str, limit: usize) -> String {
    let mut text = String::with_capacity(2 * limit.min(html.len()) + 8);
    let mut length = 0;
    let mut is_apart = false;
    let mut rest = html;
    while let Some(first) = rest.bytes().next() {
        if first == b'<'
            && let Some(end) = rest.find('>')
        {
            is_apart = true;
            rest = &rest[end + 1..];
            continue;
        }
        let plain = words(&rest.as_bytes()[..rest.len().min(limit + 1 - length)]);
        let mut sign = [0; 4];
        let (part, bytes): (&str, usize) = match plain {
            0 if first == b'&' => {
                let (named, bytes) = entity(rest);
                (named.encode_utf8(&mut sign), bytes)
            }
            0 => {
                let bytes = rest.chars().next().map_or(1, char::len_utf8);
                (&rest[..bytes], bytes)
            }
            plain => (&rest[..plain], plain),
        };
        rest = &rest[bytes..];
        if part.starts_with(char::is_whitespace) {
            is_apart = true;
            continue;
        }
        // A tag that ends before a full stop is no gap.
        if is_apart && !text.is_empty() && !part.starts_with(['.', ',']) {
            text.push(' ');
            length += 1;
        }
        is_apart = false;
        text.push_str(part);
        length += plain.max(1);
        if length > limit {
            return cut_at_word(&text, limit);
        }
    }
    text
}

// How many bytes are words of ASCII with one space between them, which are taken whole: most of a text is.
fn words(bytes: &[u8]) -> usize {
    let mut before = b' ';
    let mut is_word = |byte: &u8| {
        // A space goes before a full stop, and before another space.
        let is_plain = match byte {
            b' ' | b'.' | b',' => before != b' ',
            b'<' | b'&' => false,
            byte => byte.is_ascii_graphic(),
        };
        before = *byte;
        is_plain
    };
    let count = bytes.iter().take_while(|byte| is_word(byte)).count();
    if count > 0 && bytes[count - 1] == b' ' { count - 1 } else { count }
}

/// A plain text, cut at a word where it has more than `limit` characters.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() { text.to_owned() } else { cut_at_word(text, limit) }
}

/// The words of a longer text that fit into `limit` characters, with a sign that it goes on.
pub(super) fn cut_at_word(text: &str, limit: usize) -> String {
    let mut rest = text.chars();
    // One less, for the sign. Characters that are passed over are counted many at a time; their places are not.
    limit.checked_sub(2).and_then(|last| rest.nth(last));
    let cut = &text[..text.len() - rest.as_str().len()];
    let words = cut.rfind(' ').map_or(cut, |end| &cut[..end]);
    format!("{}…", words.trim_end_matches([',', ';', ':', '.', ' ']))
}

// Only what our own printer and sanitiser write: the sign and the bytes it takes.
fn entity(text: &str) -> (char, usize) {
    let known = [("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#39;", '\''), ("&nbsp;", ' '), ("&amp;", '&')];
    let found = known.iter().find(|(name, _)| text.starts_with(name));
    found.map_or(('&', 1), |(name, sign)| (*sign, name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_named_once_each_and_start_below_the_pages_own() {
        let html = to_html("# Größe\n\ntext\n\n## Größe\n");
        assert_eq!(html, "<h2 id=\"grosse\">Größe</h2>\n<p>text</p>\n<h2 id=\"grosse-2\">Größe</h2>\n");
    }

    #[test]
    fn tables_and_quotes_are_printed() {
        let html = to_html("| a | b |\n|---|---|\n| 1 | 2 |\n\nIt's \"fine\"");
        assert!(html.contains("<table>") && html.contains("It’s “fine”"), "{html}");
    }

    #[test]
    fn a_summary_is_plain_and_ends_at_a_word() {
        assert_eq!(summary("<p>Salt &amp; <b>pepper</b></p>", 40), "Salt & pepper");
        assert_eq!(summary("<p>one two three four</p>", 12), "one two…");
        assert_eq!(
            summary("<p>one <b>two</b>, three.</p>\n<p>Four &lt; five & six</p>", 80),
            "one two, three. Four < five & six"
        );
        assert_eq!(summary("", 10), "");
    }

    proptest::proptest! {
        /// The same, one sign after the other.
        #[test]
        fn a_summary_is_its_words_with_one_space_between_them(html in "([a-z]{1,3}|[ .,\\n]|<b>|&amp;|ö){0,60}", limit in 3_usize..40) {
            let (mut text, mut is_apart) = (String::new(), false);
            let mut rest = html.as_str();
            while let Some(sign) = rest.chars().next() {
                let (is_gap, sign, length) = match rest {
                    _ if rest.starts_with("<b>") => (true, sign, 3),
                    _ if rest.starts_with("&amp;") => (false, '&', 5),
                    _ => (sign.is_whitespace(), sign, sign.len_utf8()),
                };
                if !is_gap && is_apart && !text.is_empty() && !matches!(sign, '.' | ',') {
                    text.push(' ');
                }
                if !is_gap {
                    text.push(sign);
                }
                is_apart = is_gap;
                rest = &rest[length..];
            }
            let expected = shortened(&text, limit);
            proptest::prop_assert_eq!(summary(&html, limit), expected);
        }
    }
}
