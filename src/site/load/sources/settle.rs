//! Settle: drafts of all sources → products with addresses, SKUs and shelves.
//!
//! Owns    which address a product gets where the source gives none, and the categories that sources name by their titles.
//! Always  an address depends on the products alone, never on their order: where several share a title, each of them gets a mark made
//!         of what it is. Two that claim the same address of their own are an error; the same product twice is one.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::draft::{Draft, slug_of};
use super::intake::{Note, Notes};
use super::table::{At, Cell};
use super::terms::Terms;
use super::{Found, Intake};
use crate::commerce::catalog::Category;
use crate::commerce::ids::CategoryPath;
use crate::site::load::products::derived_sku;
use crate::site::load::{CategoryDetails, LoadedCategory, MAX_TITLE_LETTERS, Source, wrong_path};
use crate::site::problem::{Problem, Problems};

/// What was read of one source.
#[derive(Debug)]
pub(super) struct Drafts<'a> {
    pub(super) terms: &'a Terms<'a>,
    pub(super) drafts: Vec<Draft>,
    pub(super) notes: Notes,
}

/// Settles the drafts of all sources together.
pub(super) fn settle(read: Vec<Drafts<'_>>, problems: &mut Problems) -> Found {
    let mut drafts: Vec<(usize, Draft)> = Vec::new();
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
    let product = |(_, mut draft): (usize, Draft)| {
        let product = &mut draft.loaded.product;
        for variant in product.variants.iter_mut().filter(|variant| variant.sku.as_str().is_empty()) {
            variant.sku = derived_sku(product.slug.as_str(), &variant.option_values);
            draft.loaded.derived_skus.push(variant.sku.clone());
        }
        draft.loaded
    };
    Found { products: drafts.into_par_iter().map(product).collect(), categories, columns_left_out: BTreeMap::new() }
}

// Gives each draft an address of its own; says which drafts stay.
fn settle_slugs(drafts: &mut [(usize, Draft)], files: &mut [(&Terms<'_>, Notes)], problems: &mut Problems) -> Vec<bool> {
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
            let message = format!("the address `{}` is already that of {}", second.loaded.product.slug, place(first));
            problems.push(at(second, message, second.loaded.product.slug.as_str()).hint("rename one of the two"));
        }
        // Marks: of what a product is called and chosen by, so that they outlive a change of price; where that is the same, of all it says.
        let mut marks: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
        for index in derived {
            let draft = &drafts[index].1;
            marks.entry(mark(&identity(draft))).or_default().push((mark(&content(draft)), index));
        }
        let mut distinct: Vec<(String, usize)> = Vec::new();
        for (identity, mut alike) in marks {
            alike.sort();
            let mut first: Option<usize> = None;
            let differ = alike.windows(2).any(|pair| pair[0].0 != pair[1].0);
            let mut last = String::new();
            for (content, index) in alike {
                if let Some(first) = first.filter(|_| content == last) {
                    is_kept[index] = false;
                    let (first, second) = (&drafts[first].1, &drafts[index].1);
                    let message = format!("this is the same product as that of {}; it is left out", place(first));
                    problems.push(at(second, message, &second.loaded.product.title).left_out());
                    continue;
                }
                first = Some(index);
                distinct.push((if differ { content.clone() } else { identity.clone() }, index));
                last = content;
            }
        }
        if distinct.len() + own.len() > 1 {
            for (mark, index) in distinct {
                let (file, draft) = &mut drafts[index];
                let source = &draft.loaded.details.source;
                let at = At::Cell { line: source.line, column: 0 };
                let (terms, notes) = &mut files[*file];
                let mut intake = Intake::new(terms);
                intake.note(Note::SharedTitle, Cell { text: &draft.loaded.product.title, at });
                notes.extend(intake.notes);
                draft.loaded.product.slug.0 += &format!("-{mark}");
            }
        }
    }
    is_kept
}

fn slug((_, draft): &(usize, Draft)) -> &str {
    draft.loaded.product.slug.as_str()
}

fn place(draft: &Draft) -> String {
    format!("{}:{}", draft.loaded.details.source.file, draft.loaded.details.source.line)
}

fn at(draft: &Draft, message: String, text: &str) -> Problem {
    let source = &draft.loaded.details.source;
    Problem::about(&source.file, message).on_line(source.line, 0, text)
}

fn mark(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..8].to_owned()
}

// The SKU where there is one; else what tells it from its namesakes for a shopper.
fn identity(draft: &Draft) -> Vec<u8> {
    let (product, details) = (&draft.loaded.product, &draft.loaded.details);
    let skus: Vec<&str> = product.variants.iter().map(|variant| variant.sku.as_str()).filter(|sku| !sku.is_empty()).collect();
    if !skus.is_empty() {
        return postcard::to_allocvec(&skus).expect("plain data always serialises");
    }
    let variants: Vec<_> = product.variants.iter().map(|variant| (&variant.option_values, &variant.gtin)).collect();
    postcard::to_allocvec(&(&product.title, &product.brand, &draft.categories, &details.attributes, variants))
        .expect("plain data always serialises")
}

fn content(draft: &Draft) -> Vec<u8> {
    let (product, details) = (&draft.loaded.product, &draft.loaded.details);
    let texts =
        (&details.body, &details.images, &details.tags, &details.attributes, &details.seo_title, &details.seo_description);
    postcard::to_allocvec(&(product, texts, &draft.categories, &draft.related)).expect("plain data always serialises")
}

// Titles from the root → paths; every shelf on the way is there.
fn settle_categories(drafts: &mut [(usize, Draft)], problems: &mut Problems) -> Vec<LoadedCategory> {
    let mut paths: HashMap<Vec<String>, Option<CategoryPath>> = HashMap::new();
    let mut categories: BTreeMap<CategoryPath, LoadedCategory> = BTreeMap::new();
    for (_, draft) in drafts {
        for titles in std::mem::take(&mut draft.categories) {
            let path = match paths.get(&titles) {
                Some(path) => path.clone(),
                None => {
                    let path = shelve(&titles, &draft.loaded.details.source, &mut categories, problems);
                    paths.insert(titles, path.clone());
                    path
                }
            };
            let Some(path) = path else { continue };
            if !draft.loaded.product.categories.contains(&path) {
                draft.loaded.product.categories.push(path);
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
    let mut path = CategoryPath(String::new());
    for (title, slug) in titles.iter().zip(slugs) {
        path = CategoryPath(if path.as_str().is_empty() { slug } else { format!("{path}/{slug}") });
        let details = CategoryDetails { source: source.clone(), ..CategoryDetails::default() };
        let category = Category { path: path.clone(), title: title.clone(), order: 0 };
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

fn settle_related(drafts: &mut [(usize, Draft)], problems: &mut Problems) {
    if drafts.iter().all(|(_, draft)| draft.related.is_empty()) {
        return;
    }
    let by_name: HashMap<(usize, String), crate::commerce::ids::Slug> = drafts
        .iter_mut()
        .flat_map(|(file, draft)| {
            let slug = draft.loaded.product.slug.clone();
            std::mem::take(&mut draft.names).into_iter().map(move |name| ((*file, name), slug.clone()))
        })
        .collect();
    for (file, draft) in drafts {
        for name in std::mem::take(&mut draft.related) {
            match by_name.get(&(*file, name.clone())) {
                Some(slug) if draft.loaded.details.related.contains(slug) || *slug == draft.loaded.product.slug => {}
                Some(slug) => draft.loaded.details.related.push(slug.clone()),
                None => {
                    let message = format!("there is no product `{name}` to go with this one; it is left out");
                    problems.push(at(draft, message, &name).warning());
                }
            }
        }
    }
}
