//! Built: what a build says to hosts: what is sent with pages, where old addresses lead, how many files there are.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::RecipeError;
use crate::site::check::redirects::Redirects;
use crate::site::manifest::{Entry, Manifest};

/// What a finished build says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// Rules of `_headers`: a pattern, and what is sent.
    pub rules: Vec<Rule>,
    /// Old address → where it leads.
    pub redirects: Vec<(String, String)>,
    /// `_headers` as it stands.
    pub headers_text: String,
    /// `_redirects` as it stands.
    pub redirects_text: String,
    /// Files, the manifest aside.
    pub files: usize,
    /// The largest of them: its path and bytes.
    pub largest: Option<(String, u64)>,
    /// Whether the shop has a page of its own for when the edge is down.
    pub has_down_page: bool,
}

/// A rule of `_headers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// For which paths.
    pub pattern: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
}

/// Folders whose files have a fingerprint in their names: `_headers` says of them what cache classes say anyway.
const IMMUTABLE: [&str; 2] = ["/a/*", "/i/*"];

impl Built {
    /// Reads a build's folder; `None` where no finished build lies there.
    ///
    /// Errors: a file that cannot be read.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        let Some(manifest) = Manifest::<BTreeMap<String, Entry>>::read(folder) else {
            return Ok(None);
        };
        let text = |name: &str| std::fs::read_to_string(folder.join(name));
        let (headers_text, redirects_text) = (text("_headers")?, text("_redirects")?);
        let largest = manifest.files.iter().max_by_key(|(_, entry)| entry.size);
        Ok(Some(Self {
            rules: rules(&headers_text),
            redirects: Redirects::read(&redirects_text).to.into_iter().collect(),
            files: manifest.files.len(),
            largest: largest.map(|(path, entry)| (path.clone(), entry.size)),
            has_down_page: ["503.html", "503/index.html"].iter().any(|path| manifest.files.contains_key(*path)),
            headers_text,
            redirects_text,
        }))
    }

    /// What is sent with every page.
    ///
    /// Errors: a rule for other paths that says more than how long something is kept.
    pub fn headers(&self) -> Result<Vec<(String, String)>, RecipeError> {
        let mut sent = Vec::new();
        for rule in &self.rules {
            let is_cache = |(name, _): &(String, String)| name.eq_ignore_ascii_case("cache-control");
            match rule.pattern.as_str() {
                "/*" => sent.extend(rule.headers.iter().cloned()),
                pattern if IMMUTABLE.contains(&pattern) && rule.headers.iter().all(is_cache) => {}
                pattern => return Err(RecipeError::UnknownRule { pattern: pattern.to_owned() }),
            }
        }
        Ok(sent)
    }
}

// A pattern at the line's begin, its headers indented below.
fn rules(text: &str) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if !line.starts_with([' ', '\t']) {
            rules.push(Rule { pattern: line.trim().to_owned(), headers: Vec::new() });
        } else if let (Some(rule), Some((name, value))) = (rules.last_mut(), line.trim().split_once(':')) {
            rule.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    rules
}
