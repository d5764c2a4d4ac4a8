//! Scripts: what the shop's own templates load on the pages of cart and checkout.
//!
//! Owns    the inventory of scripts of the templates that those pages are printed from: parents, parts and components among them.
//! Knows   the text of templates, not what they print: an address that a template works out is judged by what it is worked out of.
//! Always  nothing of others is run beside a card but the gateway's own script; what stands in the page itself is not run either, as
//!         the edge's Content Security Policy says.
//! Source  CHECKOUT.md 2.1; PCI DSS 4.0.1, 6.4.3.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::site::problem::{Kind, Problem, Problems, SourceFile};
use crate::theme::engine::built_in;

/// Where the pages of cart and checkout are.
const EDGE: &str = "edge/";
/// Stands for a byte of what a template prints.
const PRINTED: u8 = 1;
/// What a script's address may be worked out of: files of the shop, the gateway's form, the shop's own address.
const OWN: [&str; 4] = ["asset(", "element.script", "site.base_url", "site.prefix"];

/// What scripts are held against.
pub(super) struct Allowed<'a> {
    /// Origin of the shop.
    pub(super) base_url: &'a str,
    /// Whether Stripe's form stands on the page of the checkout.
    pub(super) is_paid_by_stripes_form: bool,
}

/// Tells every script of the site's own templates that the pages of cart and checkout must not hold.
pub(super) fn examine(own: &[(String, String)], allowed: &Allowed<'_>) -> Problems {
    let mut problems = Problems::new();
    let used = of_the_edge(own);
    for (name, source) in own.iter().filter(|(name, _)| used.contains(name.as_str())) {
        let file = SourceFile::new(&format!("templates/{name}"), source);
        for (range, message, hint) in found(source, allowed) {
            problems.push(Problem::at(&file, range, message).of(Kind::Script).hint(hint));
        }
    }
    problems
}

/// The site's own templates by which the edge prints pages.
fn of_the_edge(own: &[(String, String)]) -> BTreeSet<&str> {
    let mut sources: BTreeMap<&str, &str> = built_in().into_iter().collect();
    let shadowed = sources.clone();
    sources.extend(own.iter().map(|(name, source)| (name.as_str(), source.as_str())));
    let mut left: Vec<&str> = sources.keys().copied().filter(|name| name.starts_with(EDGE)).collect();
    let mut used = BTreeSet::new();
    while let Some(name) = left.pop() {
        let source = match name.strip_prefix("theme/") {
            Some(name) => shadowed.get(name),
            None => sources.get(name),
        };
        let Some(source) = source.filter(|_| used.insert(name)) else { continue };
        left.extend(named(source));
        let has_part = |defines: &str| components(defines).any(|part| calls(source, part));
        left.extend(sources.iter().filter(|(_, defines)| has_part(defines)).map(|(name, _)| *name));
    }
    used
}

/// Templates that one extends or includes.
fn named(source: &str) -> impl Iterator<Item = &str> {
    ["extends", "include"].into_iter().flat_map(|word| source.split(word).skip(1)).filter_map(|rest| {
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|letter| matches!(letter, '"' | '\''))?;
        rest[1..].split(quote).next()
    })
}

/// Components that a template defines.
fn components(source: &str) -> impl Iterator<Item = &str> {
    source.split("{% component ").skip(1).map(|rest| rest.split(|letter| !is_of_name(letter)).next().unwrap_or_default())
}

fn calls(source: &str, part: &str) -> bool {
    source.match_indices(&format!("<{part}")).any(|(at, found)| !source[at + found.len()..].starts_with(is_of_name))
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

type Found = (Range<usize>, String, &'static str);

fn found(source: &str, allowed: &Allowed<'_>) -> Vec<Found> {
    const OTHERS: &str = "take it out, or put it into the templates of the pages that need it, such as product.html";
    const INLINE: &str = "put it into a file of static/ and write <script src=\"{{ asset(path=\"NAME.js\") }}\"></script>";
    let mut found = Vec::new();
    let text = masked(source);
    for element in elements(&text) {
        let attribute = |name: &str| element.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let value = |name: &str| attribute(name).map_or("", |range| source[range].trim());
        let is_data = element.name == "script"
            && !matches!(
                value("type").to_ascii_lowercase().as_str(),
                "" | "module" | "text/javascript" | "application/javascript"
            );
        let loads = match element.name.as_str() {
            "script" if is_data => continue,
            "script" => attribute("src"),
            "link" if value("rel").contains("modulepreload") || value("as") == "script" => attribute("href"),
            _ => None,
        };
        match loads {
            Some(range) => match judge(source[range.clone()].trim(), allowed) {
                Origin::Own => {}
                Origin::Other => {
                    let message = format!(
                        "`{}` is loaded on pages of cart and checkout, where no script of others may run but the gateway's",
                        &source[range.clone()]
                    );
                    found.push((range, message, OTHERS));
                }
                Origin::Unclear => {
                    let message = "nobody can see whose script is loaded here on pages of cart and checkout".to_owned();
                    found.push((range, message, "write {{ asset(path=\"NAME.js\") }}, a path of the shop, or the whole address"));
                }
            },
            None if element.name == "script" => {
                let message = "a script that stands in a page of cart or checkout itself is not run".to_owned();
                found.push((element.at.clone(), message, INLINE));
            }
            None => {}
        }
        for (name, range) in &element.attributes {
            let is_handler = name.len() > 2 && name.starts_with("on");
            let is_script_url = source[range.clone()].trim_start().to_ascii_lowercase().starts_with("javascript:");
            if is_handler || is_script_url {
                let message = format!("the script in `{name}` is not run on pages of cart and checkout");
                found.push((range.clone(), message, INLINE));
            }
        }
    }
    found
}

enum Origin {
    Own,
    Other,
    Unclear,
}

fn judge(address: &str, allowed: &Allowed<'_>) -> Origin {
    if let Some(printed) = address.strip_prefix("{{") {
        let is_own = printed.split("}}").next().is_some_and(|printed| OWN.iter().any(|own| printed.contains(own)));
        return if is_own { Origin::Own } else { Origin::Unclear };
    }
    let lower = address.to_ascii_lowercase().replace('\\', "/");
    let Some((scheme, rest)) = lower.split_once("//").filter(|(scheme, _)| scheme.is_empty() || scheme.ends_with(':')) else {
        // A path, unless it is a document of its own.
        return if lower.starts_with("data:") || lower.starts_with("blob:") { Origin::Other } else { Origin::Own };
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let own = allowed.base_url.split_once("//").map_or("", |(_, rest)| rest).trim_end_matches('/').to_ascii_lowercase();
    let is_gateways =
        allowed.is_paid_by_stripes_form && scheme != "http:" && (host == "js.stripe.com" || host.ends_with(".js.stripe.com"));
    if host == own || is_gateways { Origin::Own } else { Origin::Other }
}

/// The source without what is not printed, and with what is worked out made unreadable; every byte stays in its place.
fn masked(source: &str) -> Vec<u8> {
    let mut text = source.as_bytes().to_vec();
    for (begins, ends, with) in [("{#", "#}", b' '), ("{%", "%}", b' '), ("{{", "}}", PRINTED), ("<!--", "-->", b' ')] {
        let mut from = 0;
        while let Some(at) = find(&text, begins, from) {
            let to = find(&text, ends, at + begins.len()).map_or(text.len(), |end| end + ends.len());
            text[at..to].fill(with);
            from = to;
        }
    }
    text
}

fn find(text: &[u8], needle: &str, from: usize) -> Option<usize> {
    text.get(from..)?.windows(needle.len()).position(|window| window == needle.as_bytes()).map(|at| from + at)
}

/// A start tag.
struct Element {
    name: String,
    at: Range<usize>,
    /// Name, and where the value stands.
    attributes: Vec<(String, Range<usize>)>,
}

fn elements(text: &[u8]) -> Vec<Element> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(begin) = find(text, "<", at) {
        at = begin + 1;
        if !text.get(at).is_some_and(u8::is_ascii_alphabetic) {
            continue;
        }
        let name = word(text, &mut at, |byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        let attributes = attributes(text, &mut at);
        // What stands in these is no element.
        if matches!(name.as_str(), "script" | "style") {
            let end = format!("</{name}");
            let is_end = |window: &[u8]| window.eq_ignore_ascii_case(end.as_bytes());
            at = text[at..].windows(end.len()).position(is_end).map_or(text.len(), |length| at + length);
        }
        found.push(Element { at: begin..begin + 1 + name.len(), name, attributes });
    }
    found
}

fn attributes(text: &[u8], at: &mut usize) -> Vec<(String, Range<usize>)> {
    let mut found = Vec::new();
    loop {
        while text.get(*at).is_some_and(|byte| byte.is_ascii_whitespace() || matches!(*byte, b'/' | PRINTED)) {
            *at += 1;
        }
        match text.get(*at) {
            None => return found,
            Some(b'>') => {
                *at += 1;
                return found;
            }
            Some(_) => {}
        }
        let name = word(text, at, |byte| !byte.is_ascii_whitespace() && !matches!(*byte, b'=' | b'>' | b'/'));
        if name.is_empty() {
            *at += 1;
            continue;
        }
        while text.get(*at).is_some_and(u8::is_ascii_whitespace) {
            *at += 1;
        }
        if text.get(*at) != Some(&b'=') {
            found.push((name, *at..*at));
            continue;
        }
        *at += 1;
        while text.get(*at).is_some_and(u8::is_ascii_whitespace) {
            *at += 1;
        }
        let range = match text.get(*at) {
            Some(quote @ (b'"' | b'\'')) => {
                let begin = *at + 1;
                let end = text[begin..].iter().position(|byte| byte == quote).map_or(text.len(), |length| begin + length);
                *at = end + 1;
                begin..end
            }
            _ => {
                let begin = *at;
                word(text, at, |byte| !byte.is_ascii_whitespace() && *byte != b'>');
                begin..*at
            }
        };
        found.push((name, range));
    }
}

fn word(text: &[u8], at: &mut usize, is_part: impl Fn(&u8) -> bool) -> String {
    let begin = *at;
    *at += text.get(begin..).unwrap_or_default().iter().take_while(|byte| is_part(byte)).count();
    String::from_utf8_lossy(&text[begin.min(text.len())..(*at).min(text.len())]).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, expected: &[&str]) {
        let allowed = Allowed { base_url: "https://shop.example", is_paid_by_stripes_form: true };
        let found = found(template, &allowed);
        let texts: Vec<&str> = found.iter().map(|(range, ..)| &template[range.clone()]).collect();
        assert_eq!(texts, expected, "{template}");
    }

    #[test]
    fn scripts_of_the_shop_and_of_its_gateway_are_let_by() {
        check(
            "<script type=\"module\" src=\"{{ asset(path=\"pay.js\") }}\" integrity=\"{{ integrity(path=\"pay.js\") }}\"></script>",
            &[],
        );
        check("<script src=\"{{ element.script }}\" defer></script><script src=/own.js></script>", &[]);
        check("<script src='https://js.stripe.com/endive/stripe.js'></script>", &[]);
        check("<script src=\"https://shop.example/a.js\"></script><script src=\"a/b.js\"></script>", &[]);
        check("<script type=\"application/ld+json\">{\"url\": \"https://other.example\"}</script>", &[]);
        check("<a href=\"https://other.example/x.js\">x</a><link rel=\"stylesheet\" href=\"https://other.example/x.css\">", &[]);
        check("<!-- <script src=\"https://other.example/x.js\"></script> -->{# <script>a</script> #}", &[]);
        check("{{ <lines lines={checkout.cart.lines} /> }}<p{% if x %} data-on=\"1\"{% endif %}>a < b</p>", &[]);
    }

    #[test]
    fn scripts_of_others_are_found_however_they_are_written() {
        for address in [
            "https://other.example/x.js",
            "HTTPS://OTHER.EXAMPLE/x.js",
            "//other.example/x.js",
            "\\\\other.example/x.js",
            "http://js.stripe.com/x.js",
            "https://js.stripe.com.other.example/x.js",
            "https://evil-js.stripe.com/x.js",
            "https://shop.example.other.example/x.js",
            "https://shop.example@other.example/x.js",
            "data:text/javascript,alert(1)",
            "{{ other }}",
        ] {
            check(&format!("<p>\n<SCRIPT async\n src=\"{address}\"></script>"), &[address]);
            check(&format!("<script src='{address}'></script>"), &[address]);
        }
        check("<script defer src=https://other.example/x.js></script>", &["https://other.example/x.js"]);
        check("<link rel=\"modulepreload\" href=\"https://other.example/x.js\">", &["https://other.example/x.js"]);
        check("<link rel=preload as=script href=\"//other.example\">", &["//other.example"]);
        check("<script{% if x %} src=\"https://other.example/{{ x }}\"{% endif %}></script>", &["https://other.example/{{ x }}"]);
    }

    #[test]
    fn scripts_in_the_page_itself_are_found() {
        check("<script>if (a < b) { x('<script src=\"https://other.example\">') }</script>", &["<script"]);
        check("<script type=module>import 'https://other.example/x.js'</script>", &["<script"]);
        check("<button onclick=\"buy()\">Buy</button><a href=\" JavaScript:buy()\">x</a>", &["buy()", " JavaScript:buy()"]);
    }

    #[test]
    fn another_gateways_script_is_a_strangers() {
        let allowed = Allowed { base_url: "https://shop.example", is_paid_by_stripes_form: false };
        assert_eq!(found("<script src=\"https://js.stripe.com/endive/stripe.js\"></script>", &allowed).len(), 1);
    }

    #[test]
    fn only_templates_that_the_edge_prints_with_are_read() {
        let script = "<script src=\"https://other.example/x.js\"></script>";
        let template = |name: &str, source: &str| (name.to_owned(), source.to_owned());
        let own = [
            template("base.html", "{% extends \"theme/base.html\" %}{% include 'parts/foot.html' %}"),
            template("parts/foot.html", &format!("{{{{ <badge site={{site}} /> }}}}{script}")),
            template("parts/badge.html", &format!("{{% component badge(@site) %}}{script}{{% endcomponent badge %}}")),
            template("product.html", &format!("{{% extends \"theme/product.html\" %}}{script}")),
            template("edge/checkout.html", &format!("{{% extends \"theme/edge/checkout.html\" %}}\n{script}")),
        ];
        let allowed = Allowed { base_url: "https://shop.example", is_paid_by_stripes_form: true };
        let problems = examine(&own, &allowed);
        let mut places: Vec<String> =
            problems.all().iter().map(|one| format!("{}:{}:{} {}", one.file, one.line, one.column, one.text)).collect();
        places.sort();
        assert_eq!(
            places,
            [
                "templates/edge/checkout.html:2:14 https://other.example/x.js",
                "templates/parts/badge.html:1:42 https://other.example/x.js",
                "templates/parts/foot.html:1:41 https://other.example/x.js",
            ]
        );
    }
}
