//! Redirects: where old addresses lead, by what was written and by what products claim.
//!
//! Owns    the rules of `_redirects` and of pages that send their visitors on: every old address leads to a page in one step.
//! Limits  a chain is followed for MAX_STEPS, as browsers do; what has not ended then is endless.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::addresses::{Addresses, Target};
use super::page::Role;
use super::{Finding, Findings};
use crate::site::load::Loaded;
use crate::site::plan::{Addresses as Pages, PageKind, Plan};
use crate::site::problem::Kind;

/// Browsers give up after so many.
const MAX_STEPS: usize = 20;

/// Old address → where it leads, as written, with the lines of `_redirects` that say another thing of the same address.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Redirects {
    /// The first line of each old address.
    pub to: BTreeMap<String, String>,
    pub(super) twice: BTreeSet<String>,
}

impl Redirects {
    /// Reads `_redirects`: `FROM TO [STATUS]` a line; other lines are comments or empty.
    pub fn read(text: &str) -> Self {
        let mut redirects = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut words = line.split_ascii_whitespace();
            if let (Some(from), Some(to)) = (words.next(), words.next()) {
                redirects.add(from, to);
            }
        }
        redirects
    }

    /// One more; the first one of an address counts.
    pub(super) fn add(&mut self, from: &str, to: &str) {
        match self.to.get(from) {
            Some(known) if known != to => {
                self.twice.insert(from.to_owned());
            }
            Some(_) => {}
            None => {
                self.to.insert(from.to_owned(), to.to_owned());
            }
        }
    }

    /// What is wrong with them. `is_page` says whether a page that moves nobody stands at an address.
    pub(super) fn examine(&self, addresses: &Addresses<'_>, is_page: impl Fn(&str) -> bool, found: &mut Findings) {
        for from in &self.twice {
            let message = format!("the old address `{from}` leads to two places");
            found.add(Finding::new(Kind::Redirect, message).needle(from).hint("keep one of them"));
        }
        for (from, to) in &self.to {
            let mut add = |message: String, hint: String| {
                found.add(Finding::new(Kind::Redirect, message).needle(from).hint(hint));
            };
            if is_page(from) {
                let message = format!("the old address `{from}` is that of a page, which is shown instead");
                add(message, "take the old address out, or rename the page".to_owned());
                continue;
            }
            match self.follow(from, addresses) {
                End::Outside | End::Page { steps: 1 } => {}
                End::Page { steps } => {
                    let message = format!("the old address `{from}` leads to `{to}`, which leads on: {steps} steps");
                    add(message, "lead it to the last one at once".to_owned());
                }
                End::Endless => {
                    let message = format!("the old address `{from}` leads to `{to}` and on without an end");
                    add(message, "lead one of the addresses on the way to a page".to_owned());
                }
                End::Nowhere { at } => {
                    let message = format!("the old address `{from}` leads to `{at}`, where nothing is");
                    add(message, "lead it to an address that exists".to_owned());
                }
            }
        }
    }

    fn follow(&self, from: &str, addresses: &Addresses<'_>) -> End {
        let mut at = from.to_owned();
        for steps in 0..=MAX_STEPS {
            let Some(to) = self.to.get(&at) else {
                return if addresses.answers(&at, Role::Link) { End::Page { steps } } else { End::Nowhere { at } };
            };
            match addresses.target(&at, to) {
                Target::Here { path, .. } => at = path,
                Target::Outside => return End::Outside,
            }
        }
        End::Endless
    }
}

/// Where following ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Page { steps: usize },
    Outside,
    Endless,
    Nowhere { at: String },
}

/// What products claim and a build passes over in silence: an address that is a page's, or another product's old one.
pub(super) fn claims(loaded: &Loaded, plan: &Plan, found: &mut Findings) {
    let is_claimed = |index: &usize| plan.shown[*index] && !loaded.products[*index].redirects.is_empty();
    let claiming: Vec<usize> = (0..loaded.products.len()).filter(is_claimed).collect();
    if claiming.is_empty() {
        return;
    }
    let is_page = |kind: &PageKind| !matches!(kind, PageKind::Redirect { .. });
    let pages: HashMap<&str, &PageKind> =
        plan.pages.iter().filter(|page| is_page(&page.kind)).map(|page| (page.url.as_str(), &page.kind)).collect();
    let mut first_claims: HashMap<&str, usize> = HashMap::new();
    for index in claiming {
        let (details, slug) = (&loaded.products[index], &loaded.catalog.products()[index].slug);
        for from in &details.redirects {
            let about = |message: String| Finding::new(Kind::Redirect, message).needle(from).source(&details.source);
            let own = Pages { prefix: "" }.product(slug.as_str());
            if pages.contains_key(from.as_str()) {
                let of = if *from == own { "its own".to_owned() } else { "a page that is shown".to_owned() };
                let message = format!("the old address `{from}` of `{slug}` is {of}");
                found.add(about(message).hint("take it out, or rename the page that stands there"));
                continue;
            }
            match first_claims.get(from.as_str()) {
                Some(first) if *first == index => {
                    found.add(
                        about(format!("the old address `{from}` of `{slug}` stands there twice")).warning().hint("keep one"),
                    );
                }
                Some(first) => {
                    let other = &loaded.products[*first].source;
                    let first = &loaded.catalog.products()[*first].slug;
                    let message = format!("the old address `{from}` of `{slug}` is claimed by `{first}` too ({})", other.file);
                    found.add(about(message).hint(format!("only `{first}` gets it; take it out of one of them")));
                }
                None => {
                    first_claims.insert(from, index);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::site::manifest::{Entry, Manifest};

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let files = ["index.html", "products/lamp.html"].map(|path| (path.to_owned(), Entry::of(path, b"")));
        let manifest = Manifest { files: files.into(), ..Manifest::default() };
        let redirects = Redirects::read(text);
        let old: HashSet<String> = redirects.to.keys().cloned().collect();
        let addresses = Addresses::new(&manifest, "https://s.example", old, &|_, path| path == "/cart");
        let mut found = Findings::default();
        redirects.examine(&addresses, |path| path == "/products/lamp", &mut found);
        let told: Vec<&str> = found.messages().collect();
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, part) in told.iter().zip(expected) {
            assert!(told.contains(part), "`{told}` should say `{part}`");
        }
    }

    #[test]
    fn an_old_address_leads_to_a_page_in_one_step() {
        check("# comment\n\n/old /products/lamp 301\n/bag /cart\n/far https://other.example/x\n/home https://s.example\n", &[]);
        check("/a /b\n/b /products/lamp\n", &["`/a` leads to `/b`, which leads on: 2 steps"]);
        check("/old /products/gone\n", &["leads to `/products/gone`, where nothing is"]);
        check("/a /products/lamp\n/a /\n", &["`/a` leads to two places"]);
        check("/products/lamp /\n", &["`/products/lamp` is that of a page"]);
    }

    #[test]
    fn an_endless_chain_ends() {
        check("/a /a\n", &["`/a` leads to `/a` and on without an end"]);
        check("/a /b\n/b /a\n", &["`/a` leads to `/b` and on without an end", "`/b` leads to `/a` and on without an end"]);
        let ring = |length: usize| (0..length).map(|step| format!("/{step} /{}\n", (step + 1) % length)).collect::<String>();
        check(&ring(10_000), &["and on without an end"; 10_000]);
    }
}
