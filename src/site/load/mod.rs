//! Load: files → what the shop sells and says, with everything that is wrong told at its place.
//!
//! Owns    `Loaded` and the reading of content/ and of bulk sources.
//! Always  all problems of a run, sorted by file and line; one broken product does not hide the next.

mod bulk;
mod categories;
pub mod data;
pub mod details;
mod files;
mod front_matter;
pub mod history;
pub mod html;
pub mod marks;
mod pages;
mod parsed;
mod plain;
mod prices;
mod products;
mod promotions;
mod references;
pub mod sources;
mod stamp;
pub mod texts;
pub mod translations;
pub mod written;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

pub use self::files::{is_folder, text};
pub(super) use self::stamp::{Stamp, now_ns};

use self::data::DataFiles;
use self::details::{Details, Part, Place, pack};
use self::files::{files, no_text, paths, shown_path, source_file, too_large};
use self::marks::Marks;
use self::references::SlugHash;
use self::translations::{TranslatedDetails, TranslatedPage, WrittenWord};
use super::makers::Assurance;
use super::problem::{Problem, Problems};
use super::render::TextFaults;
use super::render::shortcode::Fault;
use crate::commerce::catalog::{Catalog, Category, Image, Product, SkuPlace};
use crate::commerce::ids::{CategoryPath, Sku, Slug, Timestamp};
use crate::commerce::language::Words;
use crate::commerce::problems::RulesProblem;
use crate::commerce::promotion::Promotion;
use crate::commerce::rules::Rules;

/// What the shop sells and says.
#[derive(Debug, Default)]
pub struct Loaded {
    /// What is sold.
    pub catalog: Arc<Catalog>,
    /// What is held of each product beside; same order as `catalog.products()`.
    pub products: Vec<ProductNotes>,
    /// What only a product's page shows: see `Loaded::details`.
    pub details: Details,
    /// What only a category's page shows; same order as `catalog.categories()`.
    pub categories: Vec<CategoryDetails>,
    /// Content pages, sorted by slug.
    pub pages: Vec<PageSource>,
    /// Coupons, sorted by id.
    pub promotions: Vec<Promotion>,
    /// Short texts in other languages.
    pub words: Words,
    /// Where these were written.
    pub written_words: Vec<WrittenWord>,
    /// SKUs that the source did not give.
    pub derived_skus: Vec<Sku>,
    /// Files of content/data.
    pub data: Arc<DataFiles>,
}

/// Where something was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Source {
    /// Path below the shop's folder.
    pub file: String,
    /// From 1.
    pub line: usize,
}

/// A text that becomes HTML.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Body {
    /// The merchant's own.
    Markdown(String),
    /// From outside, sanitised and balanced.
    Html(String),
}

/// What only a product's page shows.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct ProductDetails {
    /// Where it was written.
    pub source: Source,
    /// Its text.
    pub body: Body,
    /// All pictures; `url` is the path below static/ or an absolute URL.
    pub images: Vec<Image>,
    /// Words.
    pub tags: Vec<String>,
    /// Rows of facts.
    pub attributes: Vec<(String, String)>,
    /// Products that go with it.
    pub related: Vec<Slug>,
    /// Old addresses, each with a leading slash.
    pub redirects: Vec<String>,
    /// Instead of its title.
    pub seo_title: Option<String>,
    /// Instead of its first words.
    pub seo_description: Option<String>,
    /// When its text last changed, where the source says so.
    pub updated_at: Option<Timestamp>,
    /// Who answers for it, where it says so.
    pub assurance: Option<Box<Assurance>>,
    /// The same in other languages.
    pub translations: Vec<TranslatedDetails>,
}

/// What only a category's page shows.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct CategoryDetails {
    /// Where it was written.
    pub source: Source,
    /// Its text.
    pub body_markdown: String,
    /// A picture of it; `url` as in `ProductDetails`.
    pub image: Option<Image>,
    /// Instead of its title.
    pub seo_title: Option<String>,
    /// Instead of its first words.
    pub seo_description: Option<String>,
    /// The same in other languages.
    pub translations: Vec<TranslatedDetails>,
}

/// What is held of a product beside the catalogue's facts: enough to plan pages and to tell which are stale.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProductNotes {
    /// Where it was written.
    pub source: Source,
    /// Old addresses, each with a leading slash.
    pub redirects: Vec<String>,
    /// Whether the home page shows it.
    pub is_featured: bool,
    /// When its text last changed, where the source says so.
    pub updated_at: Option<Timestamp>,
    /// Places in the catalogue of products that the merchant named as going with it.
    pub related: Box<[u32]>,
    /// Tags and attributes.
    pub marks: Marks,
    /// Who answers for it, where it says so.
    pub assurance: Option<Box<Assurance>>,
    /// Whether its page has a text.
    pub has_text: bool,
    /// Languages that have a translation of it without a text.
    pub untranslated: Vec<String>,
    /// Hash of all that was read of it.
    pub hash: [u8; 16],
    place: Place,
}

/// A product while it is joined with the others. Boxed, since lists of a hundred thousand are made of it, and sorted.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Held {
    product: Product,
    notes: ProductNotes,
    derived_skus: Vec<Sku>,
    variant_lines: Vec<usize>,
    related: Vec<SlugHash>,
    /// Pictures that have to lie in static/.
    pictures: Vec<String>,
}

impl Held {
    /// Packs a product's details at the end of `records`.
    fn new(loaded: LoadedProduct, records: &mut Vec<u8>) -> Box<Self> {
        let LoadedProduct { product, details, derived_skus, variant_lines } = loaded;
        let (place, packed) = pack(&details, std::mem::take(records));
        // The product lies behind its details only to be hashed with them in one piece, which is faster.
        *records = postcard::to_extend(&product, packed).expect("plain data always serialises");
        let hash = blake3::hash(&records[place.offset as usize..]);
        records.truncate(place.offset as usize + place.length as usize);
        let own = product.variants.iter().filter_map(|variant| variant.image.as_deref());
        let pictures = details.images.iter().chain(own).map(|image| &image.url).filter(|url| !is_remote(url));
        let (Body::Markdown(text) | Body::Html(text)) = &details.body;
        let bare = details.translations.iter().filter(|one| one.body.is_none());
        let notes = ProductNotes {
            has_text: !text.trim().is_empty(),
            untranslated: bare.map(|one| one.language.clone()).collect(),
            marks: Marks::new(&details.tags, &details.attributes),
            redirects: details.redirects,
            is_featured: details.tags.iter().any(|tag| tag == "featured"),
            updated_at: details.updated_at,
            assurance: details.assurance,
            related: Box::default(),
            hash: hash.as_bytes()[..16].try_into().expect("a hash is longer"),
            place,
            source: details.source,
        };
        let pictures = pictures.cloned().collect();
        let related = details.related.iter().map(SlugHash::of).collect();
        Box::new(Self { notes, derived_skus, variant_lines, related, pictures, product })
    }
}

impl Held {
    /// Hashes anew what was settled after it was packed.
    fn rehash(&mut self) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.notes.hash);
        let changed = (&self.product, &self.related);
        hasher.update(&postcard::to_extend(&changed, Vec::with_capacity(1024)).expect("plain data always serialises"));
        self.notes.hash = hasher.finalize().as_bytes()[..16].try_into().expect("a hash is longer");
    }
}

impl Loaded {
    /// Of products and categories that were read, in any order, with what is wrong with them as a whole but their pictures.
    pub fn of(products: Vec<LoadedProduct>, categories: Vec<LoadedCategory>, problems: &mut Problems) -> Self {
        let mut details = Details::default();
        let products = hold(products, &mut details);
        join(None, products, details, categories, problems)
    }

    /// What only the page of a product shows; `index` is that of `catalog.products()`.
    ///
    /// Errors: it cannot be read back from where the build keeps it.
    pub fn details(&self, index: usize) -> std::io::Result<ProductDetails> {
        self.details.read(self.products[index].place)
    }
}

// Products of one source, packed in memory.
fn hold(products: Vec<LoadedProduct>, details: &mut Details) -> Vec<Box<Held>> {
    let mut records = Vec::new();
    let mut held: Vec<Box<Held>> = products.into_iter().map(|product| Held::new(product, &mut records)).collect();
    let part = details.add(Part::Held(records));
    held.iter_mut().for_each(|held| held.notes.place.part = part);
    held
}

/// A content page.
#[derive(Clone, Debug)]
pub struct PageSource {
    /// Where it was written.
    pub source: Source,
    /// Its address; `index` fills the home page.
    pub slug: Slug,
    /// Plain text.
    pub title: String,
    /// Its text.
    pub body_markdown: String,
    /// Among the links at the foot: lower first.
    pub order: i64,
    /// Whether it is linked at the foot of every page.
    pub footer: bool,
    /// Free values for templates.
    pub extra: serde_json::Value,
    /// Instead of its title.
    pub seo_title: Option<String>,
    /// Instead of its first words.
    pub seo_description: Option<String>,
    /// The same in other languages.
    pub translations: Vec<TranslatedPage>,
}

/// Addresses the shop itself needs.
pub const RESERVED: [&str; 9] = ["api", "cart", "checkout", "orders", "search", "products", "categories", "a", "404"];
/// Largest bulk file that is held at once: a catalogue of 100,000 rows has about 100 MiB.
const MAX_BULK_BYTES: u64 = 512 * 1024 * 1024;
/// Longest part of an address: a file's name has 255 bytes, and a mark and an ending belong to it.
pub const MAX_SLUG_BYTES: usize = 200;
/// Longest address of a category: buckets take keys of 1,024 bytes, and the names of facets and pages come after it.
const MAX_PATH_BYTES: usize = 700;
/// Categories above one another: what shoppers find through has less than ten, and each page names all above it.
const MAX_DEPTH: usize = 16;
/// Letters of a name that is shown in one line.
const MAX_TITLE_LETTERS: usize = 1000;

/// One product with what only its page shows, before slugs are known to be unique.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct LoadedProduct {
    /// What is sold.
    pub product: Product,
    /// What is shown.
    pub details: ProductDetails,
    /// Whether SKUs were derived.
    pub derived_skus: Vec<Sku>,
    /// The line of each variant, where each has its own; else empty.
    pub variant_lines: Vec<usize>,
}

/// One category with what only its page shows.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct LoadedCategory {
    /// The shelf.
    pub category: Category,
    /// What is shown.
    pub details: CategoryDetails,
}

/// Reads content/ and bulk sources of the shop in `root`. `cache`: a folder that remembers what did not change since the last time.
pub fn load(
    root: &Path,
    rules: &Rules,
    sources: &[sources::BulkSource],
    cache: Option<&Path>,
    problems: &mut Problems,
) -> Loaded {
    let mut details = Details::default();
    let mut of_categories = Problems::new();
    let (mut products, mut categories) = rayon::join(
        || products::read(root, rules, cache, &mut details, problems),
        || categories::read(root, rules, &mut of_categories),
    );
    problems.extend(of_categories);
    // Where there is no file, site.toml was told of it; and what is no file, such as a pipe, cannot be read at every build.
    let sources: Vec<sources::BulkSource> = sources.iter().filter(|source| source.path.is_file()).cloned().collect();
    let found = bulk::read(&sources, rules, cache, &mut details, problems);
    let known: BTreeSet<CategoryPath> = categories.iter().map(|loaded| loaded.category.path.clone()).collect();
    categories.extend(found.categories.into_iter().filter(|loaded| !known.contains(&loaded.category.path)));
    products.extend(found.products);
    let promotions = promotions::read(root, rules, problems);
    let pages = pages::read(root, rules, problems);
    let (words, written_words) = translations::words(root, rules, problems);
    let mut loaded = join(Some(root), products, details, categories, problems);
    (loaded.pages, loaded.promotions) = (pages, promotions);
    loaded.data = Arc::new(data::read(root, problems));
    (loaded.words, loaded.written_words) = (words, written_words);
    check_as_a_whole(&loaded, rules, problems);
    problems.sort();
    loaded
}

/// A name that is shown in one line: without controls and marks that turn the direction of what follows.
fn one_line(text: &str) -> String {
    let ends_line = |sign: char| sign.is_control() || matches!(sign, '\u{2028}' | '\u{2029}');
    let is_odd = |sign: char| ends_line(sign) || matches!(sign, '\u{200b}' | '\u{202a}'..='\u{202e}');
    let text = text.trim();
    if !text.contains(is_odd) {
        return text.to_owned();
    }
    let plain = text.chars().map(|sign| if ends_line(sign) { ' ' } else { sign }).filter(|sign| !is_odd(*sign));
    plain.collect::<String>().trim().to_owned()
}

/// What is wrong with the path of a category, if anything.
fn wrong_path(path: &str) -> Option<String> {
    if path.split('/').count() > MAX_DEPTH {
        Some(format!("more than {MAX_DEPTH} categories above one another"))
    } else if path.len() > MAX_PATH_BYTES {
        Some(format!("the address of this category has more than {MAX_PATH_BYTES} bytes"))
    } else {
        None
    }
}

// Puts everything in order, gives each problem between two files both places, and checks what only the whole can tell.
fn join(
    root: Option<&Path>,
    mut products: Vec<Box<Held>>,
    details: Details,
    mut categories: Vec<LoadedCategory>,
    problems: &mut Problems,
) -> Loaded {
    products.par_sort_by(|one, other| (&one.product.slug, place(&one.notes)).cmp(&(&other.product.slug, place(&other.notes))));
    categories.sort_by(|one, other| one.category.path.cmp(&other.category.path));
    check_slugs(&mut products, problems);
    // A product that could not be read is not missing.
    let all_were_read = !problems.has_errors();
    let shop = references::Shop { root, products: &products, details: &details, categories: &categories, all_were_read };
    let (mut by_sku, (related, others)) = rayon::join(|| sku_places(&products), || references::check(&shop));
    // Of equal SKUs or of different ones with one hash.
    if by_sku.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        let named = products.iter().map(|found| (&found.product, &found.notes.source, &found.variant_lines[..]));
        let (repeated, told) = repeated_skus(named);
        problems.extend(told);
        for (index, variant) in repeated.into_iter().rev() {
            products[index].product.variants.remove(variant);
        }
        by_sku = sku_places(&products);
    }
    problems.extend(others);
    let mut loaded = Loaded { details, ..Loaded::default() };
    loaded.derived_skus = products.iter().flat_map(|found| &found.derived_skus).cloned().collect();
    let part = |(found, related): (Box<Held>, Box<[u32]>)| {
        let Held { product, notes, .. } = *found;
        (product, ProductNotes { related, ..notes })
    };
    let (sold, notes) = products.into_par_iter().zip(related).map(part).unzip();
    loaded.products = notes;
    let mut shelves = Vec::new();
    for found in categories {
        shelves.push(found.category);
        loaded.categories.push(found.details);
    }
    match Catalog::indexed(sold, shelves, by_sku) {
        Ok(catalog) => loaded.catalog = Arc::new(catalog),
        Err(errors) => errors.iter().for_each(|error| problems.push(Problem::about("", error.to_string()))),
    }
    loaded
}

fn sku_places(products: &[Box<Held>]) -> Vec<SkuPlace> {
    let places = products.par_iter().enumerate().flat_map_iter(|(row, found)| found.product.sku_places(row as u32));
    let mut places: Vec<SkuPlace> = places.collect();
    places.par_sort_unstable();
    places
}

fn place(notes: &ProductNotes) -> (&str, usize) {
    (&notes.source.file, notes.source.line)
}

fn check_slugs(products: &mut Vec<Box<Held>>, problems: &mut Problems) {
    let are_one = |pair: &[Box<Held>]| pair[0].product.slug == pair[1].product.slug;
    // Looked for by all threads: in a hundred thousand products there is most often none.
    if !products.par_windows(2).any(are_one) {
        return;
    }
    for pair in products.windows(2).filter(|pair| are_one(pair)) {
        let (first, second) = (&pair[0].notes.source, &pair[1].notes.source);
        let message = format!("the address `{}` is already that of {}:{}", pair[1].product.slug, first.file, first.line);
        problems.push(Problem::about(&second.file, message).on_line(second.line, 0, "").hint("rename one of the two"));
    }
    products.dedup_by(|second, first| second.product.slug == first.product.slug);
}

/// Whether every variant of what a source holds has its own SKU.
pub fn check_skus_of(products: &[LoadedProduct], problems: &mut Problems) {
    let named = products.iter().map(|found| (&found.product, &found.details.source, &found.variant_lines[..]));
    problems.extend(repeated_skus(named).1);
}

// The variants whose SKU another has too, as (product, variant), each told with both places.
fn repeated_skus<'a>(products: impl Iterator<Item = (&'a Product, &'a Source, &'a [usize])>) -> (Vec<(usize, usize)>, Problems) {
    let mut problems = Problems::new();
    let mut seen: HashMap<&Sku, (&Source, usize)> = HashMap::with_capacity(products.size_hint().0);
    let mut repeated = Vec::new();
    for (index, (product, source, lines)) in products.enumerate() {
        for (number, variant) in product.variants.iter().enumerate() {
            let line = lines.get(number).copied().unwrap_or(source.line);
            let Some((first, first_line)) = seen.get(&variant.sku) else {
                seen.insert(&variant.sku, (source, line));
                continue;
            };
            let message = format!("the SKU `{}` is already used at {}:{first_line}", variant.sku, first.file);
            let problem = Problem::about(&source.file, message).on_line(line, 0, variant.sku.as_str());
            problems.push(problem.hint("give every variant of the shop its own SKU"));
            repeated.push((index, number));
        }
    }
    (repeated, problems)
}

/// Mistakes in a text that was read before, as problems at their place in the file; on the line of the source where the text stands in
/// a bulk file, or where its file is another by now.
pub fn problems_of_text(root: &Path, found: TextFaults) -> Vec<Problem> {
    let TextFaults { source, text, faults } = found;
    let (file, _) = source_file(&source.file, &root.join(&source.file));
    let place = |fault: Fault| {
        let in_file =
            file.as_ref().and_then(|file| front_matter::in_body(file, &text, |offset| fault.clone().in_file(file, offset)));
        in_file.unwrap_or_else(|| fault.on_line(&source.file, source.line, &text))
    };
    faults.into_iter().map(place).collect()
}

/// Whether a picture lies elsewhere.
pub fn is_remote(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn check_as_a_whole(loaded: &Loaded, rules: &Rules, problems: &mut Problems) {
    let rules = Rules { promotions: loaded.promotions.clone(), ..rules.clone() };
    // Told already, with their places.
    let told: BTreeSet<String> = problems.all().iter().map(|problem| problem.message.clone()).collect();
    let is_shipped = |product: &Product| product.variants.iter().any(|variant| variant.requires_shipping);
    let products = loaded.catalog.products();
    let nothing_is_shipped = !problems.has_errors() && !products.is_empty() && !products.iter().any(is_shipped);
    for found in rules.problems() {
        let problem = match &found {
            RulesProblem::Promotion(of_one) => promotions::told(of_one),
            _ => Problem::about("site.toml", found.to_string()),
        };
        if nothing_is_shipped && matches!(found, RulesProblem::NoShippingZone { .. }) {
            // Whoever sells nothing that needs a parcel needs no zone.
            problems.take_back(&problem.message);
            continue;
        }
        if !told.contains(&problem.message) {
            problems.push(if found.is_warning() { problem.warning() } else { problem });
        }
    }
    if problems.has_errors() {
        return;
    }
    let catalog = &loaded.catalog;
    catalog.problems_of_promotions(&rules).iter().for_each(|found| problems.push(promotions::told(found)));
    let of_products = catalog.products().par_iter().flat_map_iter(|product| catalog.problems_of(product, &rules));
    let of_products: Vec<_> = of_products.collect();
    for found in catalog.problems_of_categories().into_iter().chain(of_products) {
        let problem = Problem::about("content", found.to_string());
        problems.push(if found.is_warning() { problem.warning() } else { problem });
    }
}
