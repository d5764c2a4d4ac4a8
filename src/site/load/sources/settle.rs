//! Settle: drafts of all sources → products with addresses, SKUs and shelves.
//!
//! Owns    which address a product gets where the source gives none, and the categories that sources name by their titles.
//! Always  an address depends on the products alone, never on their order: where several share a title, each of them gets a mark made
//!         of what it is. Two that claim the same address of their own are an error; the same product twice is one.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::Intake;
use super::draft::{Kept, slug_of};
use super::intake::{Note, Notes};
use super::table::{At, Cell};
use super::terms::Terms;
use crate::commerce::catalog::Category;
use crate::commerce::ids::CategoryPath;
use crate::site::load::bulk::Bulk;
use crate::site::load::products::derived_sku;
use crate::site::load::references::SlugHash;
use crate::site::load::{CategoryDetails, LoadedCategory, MAX_TITLE_LETTERS, Source, wrong_path};
use crate::site::problem::{Problem, Problems};

/// What was read of one source.
#[derive(Debug)]
pub(super) struct Drafts<'a> {
    pub(super) terms: &'a Terms<'a>,
    pub(super) drafts: Vec<Kept>,
    pub(super) notes: Notes,
}

/// Settles the drafts of all sources together.
pub(super) fn settle(read: Vec<Drafts<'_>>, problems: &mut Problems) -> Bulk {
    let mut drafts: Vec<(usize, Kept)> = Vec::new();
    let mut files: Vec<(&Terms<'_>, Notes)> = Vec::new();
    for (index, file) in read.into_iter().enumerate() {
        files.push((file.terms, file.notes));
        drafts.extend(file.drafts.into_iter().map(|draft| (index, draft)));
    }
    let is_kept = settle_slugs(&mut drafts, &mut files, problems);
    let mut kept = is_kept.into_iter();
    drafts.retain(|_| kept.next().unwrap_or(true));
    let categories = settle_categories(&mut drafts, problems);
    settle_related(&mut drafts, problems);
    for (terms, notes) in files {
        notes.tell(terms, problems);
    }
    let product = |(_, draft): (usize, Kept)| {
        let mut held = draft.held;
        let product = &mut held.product;
        for variant in product.variants.iter_mut().filter(|variant| variant.sku.as_str().is_empty()) {
            variant.sku = derived_sku(product.slug.as_str(), &variant.option_values);
            held.derived_skus.push(variant.sku.clone());
        }
        held.rehash();
        held
    };
    Bulk { products: drafts.into_par_iter().map(product).collect(), categories }
}

// Gives each draft an address of its own; says which drafts stay.
fn settle_slugs(drafts: &mut [(usize, Kept)], files: &mut [(&Terms<'_>, Notes)], problems: &mut Problems) -> Vec<bool> {
    let mut is_kept = vec![true; drafts.len()];
    let mut order: Vec<usize> = (0..drafts.len()).collect();
    order.par_sort_unstable_by(|one, other| (slug(&drafts[*one]), one).cmp(&(slug(&drafts[*other]), other)));
    let groups: Vec<Vec<usize>> = order
        .chunk_by(|one, other| slug(&drafts[*one]) == slug(&drafts[*other]))
        .filter(|group| group.len() > 1)
        .map(<[usize]>::to_vec)
        .collect();
    for group in groups {
        let (own, derived): (Vec<usize>, Vec<usize>) = group.into_iter().partition(|index| drafts[*index].1.has_own_slug);
        for index in own.iter().skip(1) {
            is_kept[*index] = false;
            let (first, second) = (&drafts[own[0]].1, &drafts[*index].1);
            let message = format!("the address `{}` is already that of {}", second.held.product.slug, place(first));
            problems.push(at(second, message, second.held.product.slug.as_str()).hint("rename one of the two"));
        }
        // Marks: of what a product is called and chosen by, so that they outlive a change of price; where that is the same, of all it says.
        let mut marks: BTreeMap<[u8; 32], Vec<([u8; 32], usize)>> = BTreeMap::new();
        for index in derived {
            let draft = &drafts[index].1;
            marks.entry(*draft.identity.as_bytes()).or_default().push((*draft.content.as_bytes(), index));
        }
        let mut distinct: Vec<(String, usize)> = Vec::new();
        for (identity, mut alike) in marks {
            alike.sort();
            let mut first: Option<usize> = None;
            let differ = alike.windows(2).any(|pair| pair[0].0 != pair[1].0);
            let mut last = [0; 32];
            for (content, index) in alike {
                if let Some(first) = first.filter(|_| content == last) {
                    is_kept[index] = false;
                    let (first, second) = (&drafts[first].1, &drafts[index].1);
                    let message = format!("this is the same product as that of {}; it is left out", place(first));
                    problems.push(at(second, message, &second.held.product.title).left_out());
                    continue;
                }
                first = Some(index);
                distinct.push((mark(&if differ { content } else { identity }.into()), index));
                last = content;
            }
        }
        if distinct.len() + own.len() > 1 {
            for (mark, index) in distinct {
                let (file, draft) = &mut drafts[index];
                let source = &draft.held.notes.source;
                let at = At::Cell { line: source.line, column: 0 };
                let (terms, notes) = &mut files[*file];
                let mut intake = Intake::new(terms);
                intake.note(Note::SharedTitle, Cell { text: &draft.held.product.title, at });
                notes.extend(intake.notes);
                let slug = &mut draft.held.product.slug;
                *slug = format!("{slug}-{mark}").into();
            }
        }
    }
    is_kept
}

fn slug((_, draft): &(usize, Kept)) -> &str {
    draft.held.product.slug.as_str()
}

fn place(draft: &Kept) -> String {
    format!("{}:{}", draft.held.notes.source.file, draft.held.notes.source.line)
}

fn at(draft: &Kept, message: String, text: &str) -> Problem {
    let source = &draft.held.notes.source;
    Problem::about(&source.file, message).on_line(source.line, 0, text)
}

fn mark(hash: &blake3::Hash) -> String {
    hash.to_hex()[..8].to_owned()
}

// Titles from the root → paths; every shelf on the way is there.
fn settle_categories(drafts: &mut [(usize, Kept)], problems: &mut Problems) -> Vec<LoadedCategory> {
    let mut paths: HashMap<Vec<String>, Option<CategoryPath>> = HashMap::new();
    let mut categories: BTreeMap<CategoryPath, LoadedCategory> = BTreeMap::new();
    for (_, draft) in drafts {
        for titles in std::mem::take(&mut draft.categories) {
            let path = match paths.get(&titles) {
                Some(path) => path.clone(),
                None => {
                    let path = shelve(&titles, &draft.held.notes.source, &mut categories, problems);
                    paths.insert(titles, path.clone());
                    path
                }
            };
            let Some(path) = path else { continue };
            if !draft.held.product.categories.contains(&path) {
                draft.held.product.categories.push(path);
            }
        }
    }
    categories.into_values().collect()
}

fn shelve(
    titles: &[String],
    source: &Source,
    categories: &mut BTreeMap<CategoryPath, LoadedCategory>,
    problems: &mut Problems,
) -> Option<CategoryPath> {
    let slug = |title: &String| {
        let slug = slug_of(title, "category");
        // A number alone is the address of a second page.
        if slug.bytes().all(|byte| byte.is_ascii_digit()) { format!("category-{slug}") } else { slug }
    };
    let slugs: Vec<String> = titles.iter().map(slug).collect();
    let longest = titles.iter().map(|title| title.chars().count()).max().unwrap_or(0);
    let too_long =
        || (longest > MAX_TITLE_LETTERS).then(|| format!("a category's title has more than {MAX_TITLE_LETTERS} letters"));
    if let Some(reason) = wrong_path(&slugs.join("/")).or_else(too_long) {
        let shown = titles.join(" > ");
        problems.push(
            Problem::about(&source.file, format!("{reason}; the category is left out"))
                .on_line(source.line, 0, &shown)
                .left_out(),
        );
        return None;
    }
    let mut path = CategoryPath::from(String::new());
    for (title, slug) in titles.iter().zip(slugs) {
        path = CategoryPath::from(if path.as_str().is_empty() { slug } else { format!("{path}/{slug}") });
        let details = CategoryDetails { source: source.clone(), ..CategoryDetails::default() };
        let category = Category { path: path.clone(), title: title.clone(), translations: Vec::new(), order: 0 };
        let known = categories.entry(path.clone()).or_insert(LoadedCategory { category, details });
        if known.category.title.to_lowercase() != title.to_lowercase() {
            let message =
                format!("the categories `{}` and `{title}` have the same address `{path}`: they are one", known.category.title);
            problems.push(Problem::about(&source.file, message).on_line(source.line, 0, title).warning());
        }
        // Whichever row comes first, it is called the same.
        if *title < known.category.title {
            known.category.title.clone_from(title);
        }
    }
    Some(path)
}

fn settle_related(drafts: &mut [(usize, Kept)], problems: &mut Problems) {
    if drafts.iter().all(|(_, draft)| draft.related.is_empty()) {
        return;
    }
    let by_name: HashMap<(usize, String), SlugHash> = drafts
        .iter_mut()
        .flat_map(|(file, draft)| {
            let slug = SlugHash::of(&draft.held.product.slug);
            std::mem::take(&mut draft.names).into_iter().map(move |name| ((*file, name), slug))
        })
        .collect();
    for (file, draft) in drafts {
        let own = SlugHash::of(&draft.held.product.slug);
        for name in std::mem::take(&mut draft.related) {
            match by_name.get(&(*file, name.clone())) {
                Some(slug) if draft.held.related.contains(slug) || *slug == own => {}
                Some(slug) => draft.held.related.push(*slug),
                None => {
                    let message = format!("there is no product `{name}` to go with this one; it is left out");
                    problems.push(at(draft, message, &name).warning());
                }
            }
        }
    }
}
