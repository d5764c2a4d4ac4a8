//! References: what products and categories name of each other, of static/, and is not there.
//!
//! Limits  of very many wrong names at once MAX_SUGGESTIONS are compared with all right ones, to say what was meant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use foldhash::{HashMap, HashSet};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::details::Details;
use super::{Held, LoadedCategory, Source};
use crate::commerce::ids::Slug;
use crate::site::problem::{Problem, Problems, nearest};

/// A slug by which a product names one that goes with it: a large shop names nearly a million, and as texts they would be a fifth of
/// what it remembers. Of 64 bits, as a SKU in a cart: that two of a million agree is one chance in thirty million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct SlugHash(u64);

impl SlugHash {
    /// Of a slug.
    pub(super) fn of(slug: &Slug) -> Self {
        let hash = blake3::hash(slug.as_str().as_bytes());
        Self(u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash is longer")))
    }
}

/// What is checked.
pub(super) struct Shop<'a> {
    /// Its folder; `None`: pictures are not looked for.
    pub(super) root: Option<&'a Path>,
    pub(super) products: &'a [Box<Held>],
    pub(super) details: &'a Details,
    pub(super) categories: &'a [LoadedCategory],
    /// Whether no product is missing for its mistakes.
    pub(super) all_were_read: bool,
}

/// The places of products that each names as going with it; what is named and is not there is told.
pub(super) fn check(shop: &Shop<'_>) -> (Vec<Box<[u32]>>, Problems) {
    let Shop { root, products, details, categories, all_were_read } = *shop;
    let mut problems = Problems::new();
    let paths: HashSet<&str> = categories.iter().map(|found| found.category.path.as_str()).collect();
    for found in categories {
        let source = &found.details.source;
        if let Some(parent) = found.category.path.parent().filter(|parent| !paths.contains(parent.as_str())) {
            let message = format!("`{}` lies in `{parent}`, which is no category", found.category.path);
            let hint = format!("write content/categories/{parent}/_index.md");
            problems.push(Problem::about(&source.file, message).on_line(source.line, 0, "").hint(hint));
        }
    }
    let hashes: Vec<SlugHash> = products.par_iter().map(|found| SlugHash::of(&found.product.slug)).collect();
    let places: HashMap<SlugHash, u32> = hashes.into_iter().zip(0..).collect();
    let of_product = |found: &Held| {
        let mut unknown = Vec::new();
        let unknown_paths = found.product.categories.iter().map(|path| path.as_str()).filter(|path| !paths.contains(path));
        unknown.extend(unknown_paths.map(|path| Unknown::Category(path.to_owned())));
        let mut related = Vec::with_capacity(found.related.len());
        related.extend(found.related.iter().filter_map(|hash| places.get(hash)));
        if all_were_read && related.len() < found.related.len() {
            // What cannot be read back now is told when its page is printed.
            let named = details.read(found.notes.place).map(|details| details.related).unwrap_or_default();
            let missing = named.into_iter().filter(|slug| !places.contains_key(&SlugHash::of(slug)));
            unknown.extend(missing.map(|slug| Unknown::Product(slug.to_string())));
        }
        let is_there = |path: &str| root.is_none_or(|root| root.join("static").join(path).is_file());
        let missing = found.pictures.iter().filter(|url| !is_there(url.trim_start_matches('/')));
        unknown.extend(missing.map(|url| Unknown::Picture(url.clone())));
        (related.into_boxed_slice(), unknown)
    };
    let (related, unknown): (Vec<_>, Vec<Vec<Unknown>>) = products.par_iter().map(|found| of_product(found)).unzip();
    let near = suggestions(unknown.iter().flatten(), &paths, products);
    for (found, unknown) in products.iter().zip(&unknown) {
        unknown.iter().for_each(|unknown| problems.push(unknown.problem(&found.notes.source, near.get(unknown).copied())));
    }
    (related, problems)
}

/// What a product names and the shop does not have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unknown {
    Category(String),
    Product(String),
    Picture(String),
}

/// Wrong names that are compared with all right ones: as many as a terminal shows. More at once are one slip, not many.
const MAX_SUGGESTIONS: usize = 50;

// The right names nearest to the first wrong ones.
fn suggestions<'a>(
    unknown: impl Iterator<Item = &'a Unknown>,
    paths: &HashSet<&'a str>,
    products: &'a [Box<Held>],
) -> BTreeMap<&'a Unknown, &'a str> {
    let mut wrong: BTreeSet<&Unknown> = BTreeSet::new();
    for unknown in unknown.filter(|unknown| !matches!(unknown, Unknown::Picture(_))) {
        wrong.insert(unknown);
        if wrong.len() == MAX_SUGGESTIONS {
            break;
        }
    }
    let near = |unknown: &'a Unknown| match unknown {
        Unknown::Category(path) => nearest(path, paths.iter().copied()),
        Unknown::Product(slug) => nearest(slug, products.iter().map(|found| found.product.slug.as_str())),
        Unknown::Picture(_) => None,
    };
    wrong.into_par_iter().filter_map(|unknown| Some((unknown, near(unknown)?))).collect()
}

impl Unknown {
    fn problem(&self, source: &Source, near: Option<&str>) -> Problem {
        let about = |message: String, text: &str| Problem::about(&source.file, message).on_line(source.line, 0, text);
        let meant = near.map(|near| format!("did you mean `{near}`?"));
        match self {
            Self::Category(path) => {
                let hint = meant.unwrap_or_else(|| format!("write content/categories/{path}/_index.md, or take it out"));
                about(format!("there is no category `{path}`"), path).hint(hint)
            }
            Self::Product(slug) => {
                let problem = about(format!("there is no product `{slug}` to go with this one"), slug).warning();
                match meant {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                }
            }
            Self::Picture(url) => {
                let hint = "put the picture into static/, or write its path as it lies there";
                about(format!("there is no picture static/{}", url.trim_start_matches('/')), url).hint(hint)
            }
        }
    }
}
