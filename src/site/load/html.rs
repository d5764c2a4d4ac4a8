//! Html: texts from outside → markup that is safe on our pages.

use std::collections::HashSet;

use super::one_line;
use crate::theme::filters::html_safe;

/// Elements within one another, as deep as browsers go; a parser needs a time that grows with their square.
const MAX_NESTING: usize = 512;

/// HTML from another shop: balanced, and nothing in it but text, structure, links and pictures. Inline styles, scripts, frames and
/// forms go; a heading of the first level becomes one of the second, since the page has its own.
///
/// What is nested deeper than `MAX_NESTING` is taken as text.
pub fn sanitized(html: &str) -> String {
    if nesting(html) > MAX_NESTING {
        let parts = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
        return paragraphs(&decoded(&parts.collect::<Vec<_>>().join(" ")));
    }
    let mut builder = ammonia::Builder::default();
    builder
        .rm_tags(["h1"])
        .add_tags(["section"])
        .link_rel(Some("nofollow noopener"))
        .url_schemes(HashSet::from(["https", "http", "mailto", "tel"]));
    let lowered = html.replace("<h1", "<h2").replace("</h1", "</h2").replace("<H1", "<h2").replace("</H1", "</h2");
    builder.clean(&lowered).to_string().trim().to_owned()
}

// Elements that are open at once at most, of those that have to be closed.
fn nesting(html: &str) -> usize {
    const CLOSED_BY_THEMSELVES: [&str; 18] = [
        "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "br", "img", "hr", "wbr", "input", "meta",
        "link",
    ];
    let (mut open, mut most) = (0usize, 0);
    for part in html.split('<').skip(1) {
        let (is_end, rest) = part.strip_prefix('/').map_or((false, part), |rest| (true, rest));
        let name = rest.split(|sign: char| !sign.is_ascii_alphanumeric()).next().unwrap_or("").to_ascii_lowercase();
        if !name.starts_with(|sign: char| sign.is_ascii_alphabetic()) || CLOSED_BY_THEMSELVES.contains(&name.as_str()) {
            continue;
        }
        open = if is_end { open.saturating_sub(1) } else { open + 1 };
        most = most.max(open);
    }
    most
}

/// A plain text as paragraphs.
pub fn paragraphs(text: &str) -> String {
    let normal = text.replace("\r\n", "\n").replace('\u{a0}', " ");
    let paragraph = |part: &str| format!("<p>{}</p>", html_safe(part.trim()).replace('\n', "<br>"));
    normal.split("\n\n").filter(|part| !part.trim().is_empty()).map(paragraph).collect::<Vec<_>>().join("\n")
}

/// Whether a text was written as HTML: it holds a tag that a text editor writes. `#include <setjmp.h>` is none.
pub fn is_html(text: &str) -> bool {
    const TAGS: [&str; 24] = [
        "p", "div", "span", "br", "ul", "ol", "li", "b", "i", "u", "em", "strong", "sub", "sup", "h1", "h2", "h3", "h4", "h5",
        "h6", "table", "pre", "img", "a",
    ];
    let lower = text.to_ascii_lowercase();
    lower.match_indices('<').any(|(start, _)| {
        let rest = lower[start + 1..].trim_start_matches('/');
        let name: &str = rest.split(|sign: char| !sign.is_ascii_alphanumeric()).next().unwrap_or("");
        let after = rest[name.len()..].chars().next();
        TAGS.contains(&name) && matches!(after, Some('>' | '/' | ' ' | '\n' | '\t'))
    })
}

/// A name in which entities stand for signs (`Men&#39;s`, `&trade;`): decoded exactly once, without tags.
pub fn decoded_name(text: &str) -> String {
    one_line(&decoded(text.trim())).replace('\u{a0}', " ").trim().to_owned()
}

/// A text in which entities stand for signs, decoded exactly once.
pub fn decoded(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        decoded.push_str(&rest[..start]);
        let tail = &rest[start..];
        match tail.find(';').filter(|end| *end <= 10).and_then(|end| entity(&tail[1..end]).map(|sign| (sign, end))) {
            Some((sign, end)) => {
                decoded.push_str(&sign);
                rest = &tail[end + 1..];
            }
            None => {
                decoded.push('&');
                rest = &tail[1..];
            }
        }
    }
    decoded + rest
}

// What browsers show for the numbers 0x80 to 0x9F, which are control characters and never meant as such. Source: HTML, numeric character
// reference end state.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”',
    '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

// The entities that shop exports hold in names.
fn entity(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        let code = code.checked_sub(0x80).and_then(|index| WINDOWS_1252.get(index as usize)).copied().or(char::from_u32(code));
        return code.filter(|sign| !sign.is_control()).map(String::from);
    }
    let sign = match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        "nbsp" => " ",
        "trade" => "™",
        "reg" => "®",
        "copy" => "©",
        "deg" => "°",
        "eacute" => "é",
        "egrave" => "è",
        "ouml" => "ö",
        "uuml" => "ü",
        "auml" => "ä",
        "szlig" => "ß",
        "ndash" => "–",
        "mdash" => "—",
        "rsquo" => "’",
        "lsquo" => "‘",
        "rdquo" => "”",
        "ldquo" => "“",
        "hellip" => "…",
        "frac12" => "½",
        "times" => "×",
        _ => return None,
    };
    Some(sign.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_styles_and_handlers_go_and_tags_are_closed() {
        let dirty = "<h1>Lamp</h1><p style='color:red' onclick='x()'>Nice<script>alert(1)</script><ul><li>one<li>two<a href='javascript:x'>y</a>";
        let clean = sanitized(dirty);
        for bad in ["script", "style", "onclick", "javascript", "<h1"] {
            assert!(!clean.contains(bad), "{bad} in {clean}");
        }
        assert!(clean.contains("<h2>Lamp</h2>") && clean.contains("<li>one</li>") && clean.ends_with("</ul>"), "{clean}");
    }

    #[test]
    fn text_is_told_from_html() {
        for html in ["<p>x</p>", "a<br>b", "<SPAN class=x>", "x</div>"] {
            assert!(is_html(html), "{html}");
        }
        for text in ["#include <setjmp.h>", "a < b", "1 <2> 3", "plain", "<brand>"] {
            assert!(!is_html(text), "{text}");
        }
        assert_eq!(paragraphs("a <b>\nc\u{a0}\n\n d "), "<p>a &lt;b&gt;<br>c</p>\n<p>d</p>");
    }

    #[test]
    fn names_are_decoded_exactly_once() {
        for (written, expected) in [
            ("Men&#39;s &amp;amp; Co", "Men's &amp; Co"),
            ("Lamp&trade; &unknown; & more", "Lamp™ &unknown; & more"),
            ("Lamp&#153; &#x80;9 &#129; &#1;", "Lamp™ €9 &#129; &#1;"),
            ("  x\u{a0}y\u{200b} ", "x yZ".trim_end_matches('Z')),
        ] {
            assert_eq!(decoded_name(written), expected);
        }
    }
}
