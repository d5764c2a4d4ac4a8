//! Policy: what the pages of a build may run, known before they are printed.
//!
//! Owns    the hashes of what stands in pages, and `_headers` that holds them.
//! Always  a block that a page holds is one that the policy names, or the build stops: what a host would forbid is told before it is
//!         published. Blocks come from templates, so that the first page of a kind has those of all; one that differs from page to
//!         page belongs into a file.
//! Source  `_headers` as Netlify and Cloudflare Pages read it.

use std::mem::discriminant;
use std::sync::OnceLock;

use super::Printer;
use super::cards::Cards;
use super::reads::reading;
use crate::site::keys::{Keys, Remembered, path_key};
use crate::site::write::{Output, Put, WriteError};
use crate::theme::engine::TemplateError;
use crate::theme::policy::{
    Block, Hashes, Kind, SAME_FOR_ALL, STRICT_TRANSPORT_SECURITY, Sources, blocks, content_security_policy,
};

/// Path below the output folder.
pub const FILE: &str = "_headers";

/// Letters of a block that are told.
const TOLD: usize = 60;

/// The blocks that pages may hold.
#[derive(Debug)]
pub struct Policy {
    known: Vec<(Kind, Vec<u8>)>,
    // Whether the first page of every kind could be printed.
    is_whole: bool,
}

/// Writes `_headers`. What pages are sent with follows from templates and `site`: where no page was printed, no policy was needed.
pub fn write(
    printer: &Printer<'_>,
    output: &Output,
    keys: &Keys,
    policy: OnceLock<Policy>,
) -> Result<(Put, Remembered), WriteError> {
    let key = keys.hasher().text(FILE).finish();
    let page = |hash: &blake3::Hash| Remembered::new(path_key(FILE), key, hash);
    let kept = policy.get().is_none().then(|| output.keep(FILE, |hash| keys.knows(&page(hash)))).flatten();
    let put = match kept {
        Some(put) => put,
        None => {
            let policy = policy.into_inner().unwrap_or_else(|| Policy::of(printer));
            output.put(FILE, &policy.headers(&printer.shop.base_url, printer.settings.is_hidden))?
        }
    };
    let remembered = page(put.hash());
    Ok((put, remembered))
}

impl Policy {
    /// Of the first page of each kind in each market. A page that cannot be printed has none: printing it in its turn says why.
    pub fn of(printer: &Printer<'_>) -> Self {
        let mut seen = Vec::new();
        let mut known: Vec<(Kind, Vec<u8>)> = Vec::new();
        let mut is_whole = true;
        let mut bytes = Vec::new();
        for page in &printer.plan.pages {
            let kind = (page.market, discriminant(&page.kind));
            if seen.contains(&kind) {
                continue;
            }
            seen.push(kind);
            bytes.clear();
            let (printed, _) = reading(page.market, || printer.print(page, &mut Cards::default(), &mut bytes));
            if printed.is_err() {
                is_whole = false;
                continue;
            }
            for block in blocks(&bytes) {
                if !known.iter().any(|(kind, text)| (*kind, text.as_slice()) == (block.kind, block.text)) {
                    known.push((block.kind, block.text.to_vec()));
                }
            }
        }
        Self { known, is_whole }
    }

    /// Checks that a printed page holds nothing else. Where a first page could not be printed, which stops the build by itself, nothing
    /// is told of blocks that others of its kind hold as well.
    ///
    /// Errors: the block that no policy can name, as a fault of the template.
    pub fn check(&self, template: &str, page: &[u8]) -> Result<(), TemplateError> {
        let is_known = |block: &Block<'_>| self.known.iter().any(|(kind, text)| *kind == block.kind && text == block.text);
        let strange = self.is_whole.then(|| blocks(page).find(|block| !is_known(block))).flatten();
        let Some(strange) = strange else { return Ok(()) };
        let (what, file) = match strange.kind {
            Kind::Style => ("style", "a style sheet"),
            Kind::Script | Kind::Rules => ("script", "a script"),
        };
        let text = String::from_utf8_lossy(strange.text);
        let start: String = text.trim().chars().take(TOLD).collect();
        let message = format!(
            "the {what} element `{start}` differs from page to page, so that no Content-Security-Policy can allow it; \
             write it into {file} below static/, and what differs into a data attribute"
        );
        Err(TemplateError { template: template.to_owned(), line: 0, column: 0, range: 0..0, message })
    }

    /// `_headers`: what every page is sent with, and that files with a fingerprint never change.
    pub fn headers(&self, base_url: &str, is_hidden: bool) -> Vec<u8> {
        let mut hashes = Hashes::default();
        self.known.iter().for_each(|(kind, text)| hashes.allow(Block { kind: *kind, text }));
        let policy = content_security_policy(Sources::default(), &hashes);
        let secure = base_url.starts_with("https://").then_some(("Strict-Transport-Security", STRICT_TRANSPORT_SECURITY));
        let hidden = is_hidden.then_some(("X-Robots-Tag", "noindex"));
        let mut text = "/*\n".to_owned();
        for (name, value) in
            SAME_FOR_ALL.into_iter().chain(secure).chain(hidden).chain([("Content-Security-Policy", policy.as_str())])
        {
            text.push_str(&format!("  {name}: {value}\n"));
        }
        for folder in ["a", "i"] {
            text.push_str(&format!("\n/{folder}/*\n  Cache-Control: public, max-age=31536000, immutable\n"));
        }
        text.into_bytes()
    }
}
