//! Policy: what a page may run and load, as the headers that are sent with it.
//!
//! Owns    the Content Security Policy of both wings, how what stands in a page itself is found in it, and the headers that are the same
//!         for all pages.
//! Source  W3C Content Security Policy Level 3, 6.7.3 (hashes of inline blocks); HTML, 4.12.1 (which script elements are data blocks).

use std::collections::BTreeSet;
use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use memchr::memchr_iter;
use sha2::{Digest, Sha256};

use super::scan::tags_with_s;

/// Headers that say the same for every page of a shop, whoever sends it.
pub const SAME_FOR_ALL: [(&str, &str); 4] = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
];

/// A shop on https stays there, for a year.
pub const STRICT_TRANSPORT_SECURITY: &str = "max-age=31536000";

/// What kind of block stands in a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `<style>`.
    Style,
    /// A script that is run.
    Script,
    /// Speculation rules: nothing of them is run, but a policy has to name them like a script.
    Rules,
}

/// A block that stands in a page itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// What it is.
    pub kind: Kind,
    /// What stands between its tags.
    pub text: &'a [u8],
}

/// The blocks of a page that a policy has to name: styles, and scripts that are neither files nor data.
pub fn blocks(page: &[u8]) -> impl Iterator<Item = Block<'_>> {
    let mut tags = tags_with_s(page);
    let mut over = 0;
    std::iter::from_fn(move || {
        loop {
            let at = tags.find(|at| *at >= over)?;
            let tag = &page[at + 1..];
            let Some(name) = block_name(tag) else { continue };
            let end = tag_end(tag)?;
            let rest = &tag[end + 1..];
            let closes = |at: &usize| rest.get(at + 1) == Some(&b'/') && begins_with(&rest[at + 2..], name);
            let text = &rest[..memchr_iter(b'<', rest).find(closes).unwrap_or(rest.len())];
            over = page.len() - rest.len() + text.len();
            if let Some(kind) = kind(name, &tag[name.len()..end]) {
                return Some(Block { kind, text });
            }
        }
    })
}

// The name of a tag that may open a block; `None`: it opens something else.
fn block_name(tag: &[u8]) -> Option<&'static [u8]> {
    let name = [&b"style"[..], b"script"].into_iter().find(|name| begins_with(tag, name))?;
    tag.get(name.len()).is_none_or(|byte| !byte.is_ascii_alphanumeric()).then_some(name)
}

fn begins_with(bytes: &[u8], name: &[u8]) -> bool {
    bytes.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

// Where a tag ends: signs in quotes do not count.
fn tag_end(tag: &[u8]) -> Option<usize> {
    let mut quote = None;
    tag.iter().position(|byte| {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
        quote.is_none() && *byte == b'>'
    })
}

// `None`: a file, or data that nobody runs.
fn kind(name: &[u8], attributes: &[u8]) -> Option<Kind> {
    if name == b"style" {
        return Some(Kind::Style);
    }
    let text = String::from_utf8_lossy(attributes).to_ascii_lowercase();
    let value = |attribute: &str| {
        let (_, after) = text.split_once(&format!(" {attribute}"))?;
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=') else { return after.is_empty().then(String::new) };
        let value = value.trim_start();
        let end = |quote: char| value[1..].find(quote).map_or(value.len(), |at| at + 1);
        Some(match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..end(quote)].to_owned(),
            _ => value.split_ascii_whitespace().next().unwrap_or("").to_owned(),
        })
    };
    if value("src").is_some() {
        return None;
    }
    match value("type").as_deref().map(str::trim) {
        None | Some("" | "module" | "importmap" | "text/javascript" | "application/javascript") => Some(Kind::Script),
        Some("speculationrules") => Some(Kind::Rules),
        Some(other) if other.ends_with("ecmascript") || other.ends_with("javascript") => Some(Kind::Script),
        Some(_) => None,
    }
}

/// Files of others that a page may load, beside the shop's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources {
    /// Origins of scripts, each with a space before it.
    pub script: &'static str,
    /// Origins that scripts may ask, each with a space before it.
    pub connect: &'static str,
    /// What it may frame, as a directive of its own.
    pub frame: &'static str,
}

/// The names by which a policy lets blocks be: of styles, and of scripts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hashes {
    styles: BTreeSet<String>,
    scripts: BTreeSet<String>,
}

impl Hashes {
    /// Lets a block be.
    pub fn allow(&mut self, block: Block<'_>) {
        let set = if block.kind == Kind::Style { &mut self.styles } else { &mut self.scripts };
        set.insert(BASE64.encode(Sha256::digest(block.text)));
    }
}

/// The policy of a page: the shop's own files, pictures over https, blocks by their hashes. Forms may lead to a gateway over https.
pub fn content_security_policy(sources: Sources, hashes: &Hashes) -> String {
    let Sources { script, connect, frame } = sources;
    let mut policy = format!("default-src 'none'; script-src 'self'{script}");
    let name = |policy: &mut String, hash: &String| write!(policy, " 'sha256-{hash}'").expect("a text takes all");
    hashes.scripts.iter().for_each(|hash| name(&mut policy, hash));
    policy.push_str("; style-src 'self'");
    hashes.styles.iter().for_each(|hash| name(&mut policy, hash));
    policy.push_str(&format!(
        "; connect-src 'self'{connect};{frame} img-src 'self' https: data:; font-src 'self'; manifest-src 'self'; \
         form-action 'self' https:; base-uri 'none'; frame-ancestors 'none'"
    ));
    policy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &str, expected: &[(Kind, &str)]) {
        let found: Vec<_> =
            blocks(page.as_bytes()).map(|block| (block.kind, std::str::from_utf8(block.text).expect("text"))).collect();
        assert_eq!(found, expected, "{page}");
    }

    #[test]
    fn what_stands_in_a_page_is_found_however_it_is_written() {
        check("<style>a{}</style><p>x</p>", &[(Kind::Style, "a{}")]);
        check("<STYLE media=\"a>b\">a{}</Style>", &[(Kind::Style, "a{}")]);
        check("<script>go()</script ><script\ntype=module>x</script>", &[(Kind::Script, "go()"), (Kind::Script, "x")]);
        check("<script src=x></script><script async src='y'>z</script>", &[]);
        check("<script type=\"application/ld+json\">{}</script><script type=text/template>x</script>", &[]);
        check("<script type='speculationrules'>{}</script>", &[(Kind::Rules, "{}")]);
        check("<script type=\"text/javascript\">a<b</script>", &[(Kind::Script, "a<b")]);
        check("<script data-src=x>y</script>", &[(Kind::Script, "y")]);
        check("<script>never closed", &[(Kind::Script, "never closed")]);
        check("<styles>no</styles><scripted>no</scripted>a < b", &[]);
    }

    #[test]
    fn a_policy_names_each_block_once_and_in_order() {
        let mut hashes = Hashes::default();
        for page in ["<style>b</style><style>a</style>", "<style>a</style><script type=speculationrules>{}</script>"] {
            blocks(page.as_bytes()).for_each(|block| hashes.allow(block));
        }
        let policy = content_security_policy(Sources::default(), &hashes);
        assert_eq!(policy.matches("'sha256-").count(), 3, "{policy}");
        // The hash of `a`, as RFC 6234 has it.
        assert!(policy.contains("style-src 'self' 'sha256-PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0='"), "{policy}");
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'sha256-") && !policy.contains("unsafe"));
    }
}
