//! Translations: `lamp.de.md` beside `lamp.md` says in German what the original says; what is not text stands in the original alone.
//!
//! Owns    which file translates which, and what a translation may hold. content/words.LANGUAGE.toml: short texts of the whole shop.
//! Always  a translation of nothing, and one into a language that no market speaks, are errors at their file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::products::{WrittenImage, WrittenSeo};
use super::written::{Place, parse};
use super::{Loaded, MAX_TITLE_LETTERS, PageSource, Source, front_matter, one_line, paths, shown_path, source_file};
use crate::commerce::catalog::ProductOption;
use crate::commerce::language::{Translation, Words, chain};
use crate::commerce::rules::Rules;
use crate::site::facets::Facet;
use crate::site::problem::{Problem, Problems, SourceFile, nearest};
use crate::site::render::feeds::is_for_the_feed;
use crate::site::render::shortcode;

/// What only a page shows of a translation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranslatedDetails {
    /// BCP 47.
    pub language: String,
    /// Where it was written.
    pub source: Source,
    /// Its text, Markdown; `None`: as in the original.
    pub body: Option<String>,
    /// (picture as the original names it, what it shows).
    pub alts: Vec<(String, String)>,
    /// Instead of its title.
    pub seo_title: Option<String>,
    /// Instead of its first words.
    pub seo_description: Option<String>,
}

impl TranslatedDetails {
    /// Its text with the place it was written at.
    pub fn text(&self) -> Option<(&Source, &str)> {
        self.body.as_deref().map(|text| (&self.source, text))
    }
}

/// The nearest of a thing's translations that says something.
pub fn said<'a, T>(all: &'a [TranslatedDetails], language: &str, give: impl Fn(&'a TranslatedDetails) -> Option<T>) -> Option<T> {
    if all.is_empty() {
        return None;
    }
    chain(language).find_map(|tag| all.iter().find(|one| one.language == tag).and_then(&give))
}

/// A file that translates another.
#[derive(Clone, Debug)]
pub(super) struct Sibling {
    pub(super) language: String,
    pub(super) path: PathBuf,
    /// As problems name it.
    pub(super) name: String,
}

/// Takes the files that translate others out of `paths`, which are sorted, and gives each original with its own.
pub(super) fn split(root: &Path, all: Vec<PathBuf>, rules: &Rules, problems: &mut Problems) -> Vec<(PathBuf, Vec<Sibling>)> {
    let is_sibling = |path: &PathBuf| {
        let name = path.as_os_str().as_encoded_bytes().rsplit(|byte| *byte == b'/').next();
        name.unwrap_or_default().iter().filter(|byte| **byte == b'.').nth(1).is_some()
    };
    let (siblings, originals): (Vec<PathBuf>, Vec<PathBuf>) = all.into_iter().partition(is_sibling);
    let mut found: Vec<(PathBuf, Vec<Sibling>)> = originals.into_iter().map(|path| (path, Vec::new())).collect();
    if siblings.is_empty() {
        return found;
    }
    let places: HashMap<PathBuf, usize> =
        found.iter().enumerate().map(|(place, (path, _))| (path.with_extension(""), place)).collect();
    for path in siblings {
        let name = shown_path(root, &path);
        let stem = path.with_extension("");
        let language = stem.extension().map(|tag| tag.to_string_lossy().into_owned()).unwrap_or_default();
        let original = stem.with_extension("");
        match (places.get(&original), wrong_language(&language, rules)) {
            (_, Some(wrong)) => problems.push(Problem::about(&name, wrong.message).hint(wrong.hint)),
            (Some(place), None) => found[*place].1.push(Sibling { language, path, name }),
            (None, None) => {
                let wanted = format!("{}.md", shown_path(root, &original));
                let near: Vec<String> = places.keys().map(|path| format!("{}.md", shown_path(root, path))).collect();
                let problem = Problem::about(&name, format!("this translates {wanted}, which is not there"));
                problems.push(match nearest(&wanted, near.iter().map(String::as_str)) {
                    Some(near) => problem.hint(format!("did you mean to translate {near}?")),
                    None => problem.hint("write the original, or take the translation out"),
                });
            }
        }
    }
    found
}

/// What is wrong with a part of a translation, wherever it is written.
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: String,
}

/// `None` where a market speaks it and it is not that of the originals, which are in the language of the first market.
pub(super) fn wrong_language(language: &str, rules: &Rules) -> Option<Wrong> {
    let root = &rules.root_market().language;
    if chain(root).any(|tag| tag == language) {
        return Some(Wrong {
            message: format!("`{language}` is the language that originals are in"),
            hint: "write it into the original itself".to_owned(),
        });
    }
    let spoken = || rules.markets.iter().flat_map(|market| chain(&market.language));
    if spoken().any(|tag| tag == language) {
        return None;
    }
    let mut others: Vec<&str> = spoken().filter(|tag| chain(root).all(|own| own != *tag)).collect();
    others.sort_unstable();
    others.dedup();
    let hint = match others.is_empty() {
        true => "every market speaks the language of the originals: give one of them another `language` in site.toml".to_owned(),
        false => format!("languages to translate into: {}", others.join(", ")),
    };
    Some(Wrong { message: format!("no market speaks `{language}`"), hint })
}

/// A translation as it was read, with what it is held against later.
pub(super) struct Read<W> {
    pub(super) language: String,
    pub(super) file: SourceFile,
    pub(super) written: W,
    pub(super) body: Option<String>,
    offset: usize,
}

impl<W> Read<W> {
    // A title is shown in one line, as that of the original is.
    fn title(&self, written: &Option<Spanned<String>>, problems: &mut Problems) -> Option<String> {
        let written = written.as_ref()?;
        match title_of(written.get_ref()) {
            Ok(title) => Some(title),
            Err(wrong) => {
                problems.push(self.place().problem(written, wrong.message).hint(wrong.hint));
                None
            }
        }
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place { file: &self.file, offset: self.offset }
    }

    pub(super) fn source(&self) -> Source {
        Source { file: self.file.path.to_string(), line: 1 }
    }
}

/// A title in one line.
///
/// Errors: it is empty or too long.
pub(super) fn title_of(written: &str) -> Result<String, Wrong> {
    let title = one_line(written);
    if (1..=MAX_TITLE_LETTERS).contains(&title.chars().count()) {
        return Ok(title);
    }
    let message = format!("a title has 1 to {MAX_TITLE_LETTERS} letters");
    Err(Wrong { message, hint: "take it out to show that of the original".to_owned() })
}

/// Reads a translation. `original`: the file that holds all else.
pub(super) fn read<W: DeserializeOwned>(sibling: &Sibling, original: &str, problems: &mut Problems) -> Option<Read<W>> {
    let (file, found) = source_file(&sibling.name, &sibling.path);
    problems.extend(found);
    let file = file?;
    let read = front_matter::cut(&file).and_then(|cut| {
        let written = parse(&file, cut.toml, cut.offset).map_err(|problem| untranslated(problem, original))?;
        shortcode::check(&file, file.text.len() - cut.body.len(), cut.body, problems);
        Ok((written, cut.body.to_owned(), cut.offset))
    });
    let (written, body, offset) = read.map_err(|problem| problems.push(problem)).ok()?;
    let body = Some(body).filter(|body| !body.trim().is_empty());
    Some(Read { language: sibling.language.clone(), file, written, body, offset })
}

// A key that translations do not have is most often one of the original.
fn untranslated(mut problem: Problem, original: &str) -> Problem {
    let key = problem.message.strip_prefix("unknown key `").and_then(|rest| rest.strip_suffix('`'));
    let Some(key) = key.map(str::to_owned) else { return problem };
    problem.message = format!("`{key}` is not translated: a translation holds texts alone");
    let known = problem.hint.as_deref().unwrap_or("").to_owned();
    problem.hint(format!("take it out; it stands in {original} for every language ({known})"))
}

/// What a product's translation may hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfProduct {
    title: Option<Spanned<String>>,
    #[serde(default)]
    images: Vec<Spanned<WrittenImage>>,
    #[serde(default)]
    words: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    seo: WrittenSeo,
}

impl Read<OfProduct> {
    /// Its parts. `images`: the pictures that the original names; `words`: its names and values.
    pub(super) fn parts(self, images: &[&str], words: &[&str], problems: &mut Problems) -> (Translation, TranslatedDetails) {
        let place = self.place();
        for image in &self.written.images {
            let src = image.get_ref().src();
            if let Some(wrong) = no_picture(src, images) {
                problems.push(place.problem(image, wrong.message).hint(wrong.hint));
            }
        }
        for (word, said) in &self.written.words {
            if let Some(wrong) = no_word(word, words) {
                problems.push(place.problem(said, wrong.message).hint(wrong.hint));
            }
        }
        let (source, title) = (self.source(), self.title(&self.written.title, problems));
        let OfProduct { images, words, seo, .. } = self.written;
        let words = words.into_iter().map(|(word, said)| (word, said.into_inner())).collect();
        let alts = images.into_iter().map(Spanned::into_inner).map(|image| (image.src().clone(), image.alt().to_owned()));
        let details = TranslatedDetails {
            language: self.language.clone(),
            source,
            body: self.body,
            alts: alts.collect(),
            seo_title: seo.title,
            seo_description: seo.description,
        };
        (Translation { language: self.language, title, words }, details)
    }
}

/// Of a picture that is not among those of the original.
pub(super) fn no_picture(src: &str, images: &[&str]) -> Option<Wrong> {
    let message = || format!("the original has no picture `{src}`");
    (!images.contains(&src)).then(|| Wrong { message: message(), hint: near(src, images, "its pictures") })
}

/// Of a word that is not among those of the original.
pub(super) fn no_word(word: &str, words: &[&str]) -> Option<Wrong> {
    let message = || format!("`{word}` is no name or value of the original");
    (!words.contains(&word)).then(|| Wrong { message: message(), hint: near(word, words, "its words") })
}

fn near(text: &str, known: &[&str], what: &str) -> String {
    match nearest(text, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "take it out".to_owned(),
        None => format!("{what}: {}", known.join(", ")),
    }
}

/// What a category's translation may hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfCategory {
    title: Option<Spanned<String>>,
    image: Option<WrittenImage>,
    #[serde(default)]
    seo: WrittenSeo,
}

impl Read<OfCategory> {
    /// Its parts.
    pub(super) fn parts(self, problems: &mut Problems) -> (Translation, TranslatedDetails) {
        let (source, title) = (self.source(), self.title(&self.written.title, problems));
        let OfCategory { image, seo, .. } = self.written;
        let details = TranslatedDetails {
            language: self.language.clone(),
            source,
            body: self.body,
            alts: image.into_iter().map(|image| (image.src().clone(), image.alt().to_owned())).collect(),
            seo_title: seo.title,
            seo_description: seo.description,
        };
        (Translation { language: self.language, title, words: Vec::new() }, details)
    }
}

/// What a content page's translation may hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfPage {
    title: Option<Spanned<String>>,
    extra: Option<serde_json::Value>,
    #[serde(default)]
    seo: WrittenSeo,
}

/// A content page in another language.
#[derive(Clone, Debug)]
pub struct TranslatedPage {
    /// Its text.
    pub details: TranslatedDetails,
    /// Plain text; `None`: as in the original.
    pub title: Option<String>,
    /// Laid over the original's, key by key.
    pub extra: serde_json::Value,
}

impl PageSource {
    /// Its title as a language says it.
    pub fn title_in(&self, language: &str) -> &str {
        self.said(language, |page| page.title.as_deref()).unwrap_or(&self.title)
    }

    /// What the nearest of its translations says.
    pub fn said<'a, T>(&'a self, language: &str, give: impl Fn(&'a TranslatedPage) -> Option<T>) -> Option<T> {
        let find = |tag: &str| self.translations.iter().find(|page| page.details.language == tag);
        chain(language).find_map(|tag| find(tag).and_then(&give))
    }
}

impl Read<OfPage> {
    /// Its parts.
    pub(super) fn page(self, problems: &mut Problems) -> TranslatedPage {
        let (source, title) = (self.source(), self.title(&self.written.title, problems));
        let OfPage { extra, seo, .. } = self.written;
        let details = TranslatedDetails {
            language: self.language,
            source,
            body: self.body,
            alts: Vec::new(),
            seo_title: seo.title,
            seo_description: seo.description,
        };
        TranslatedPage { details, title, extra: extra.unwrap_or_else(|| serde_json::json!({})) }
    }
}

/// A word of content/words.LANGUAGE.toml with its place.
#[derive(Clone, Debug)]
pub struct WrittenWord {
    file: SourceFile,
    range: std::ops::Range<usize>,
    word: String,
}

const FOLDER: &str = "content";
const WORDS: &str = "words";

/// Reads content/words.LANGUAGE.toml.
pub(super) fn words(root: &Path, rules: &Rules, problems: &mut Problems) -> (Words, Vec<WrittenWord>) {
    let mut all = BTreeMap::new();
    let mut places = Vec::new();
    let is_ours = |path: &PathBuf| path.parent() == Some(&root.join(FOLDER));
    for path in paths(root, FOLDER, "toml", problems).into_iter().filter(is_ours) {
        let name = shown_path(root, &path);
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(language) = stem.strip_prefix(WORDS).and_then(|rest| rest.strip_prefix('.')) else {
            let problem = Problem::about(&name, "nothing reads this file");
            problems.push(problem.hint("words of the shop in another language stand in content/words.LANGUAGE.toml"));
            continue;
        };
        if let Some(wrong) = wrong_language(language, rules) {
            problems.push(Problem::about(&name, wrong.message).hint(wrong.hint));
            continue;
        }
        let (file, found) = source_file(&name, &path);
        problems.extend(found);
        let Some(file) = file else { continue };
        match parse::<BTreeMap<String, Spanned<String>>>(&file, &file.text, 0) {
            Ok(written) => {
                let place = |(word, said): (&String, &Spanned<String>)| WrittenWord {
                    file: file.clone(),
                    range: said.span(),
                    word: word.clone(),
                };
                places.extend(written.iter().map(place));
                all.insert(language.to_owned(), written.into_iter().map(|(word, said)| (word, said.into_inner())).collect());
            }
            Err(problem) => problems.push(problem.hint("write a line for each word: \"Size\" = \"Größe\"")),
        }
    }
    (Words::new(all), places)
}

impl Loaded {
    /// Tells of words in other languages that nothing in the shop says.
    pub fn check_words(&self, rules: &Rules, facets: &[Facet], tagline: &str, problems: &mut Problems) {
        if !self.written_words.is_empty() {
            check_words(&self.written_words, &self.words_said(rules, facets, tagline), problems);
        }
    }

    /// Every short text of the shop that people read: its tagline, names and values of options, attributes and facets, warnings,
    /// rates, promotions, taxes.
    pub fn words_said<'a>(&'a self, rules: &'a Rules, facets: &'a [Facet], tagline: &'a str) -> BTreeSet<&'a str> {
        let mut said = BTreeSet::from([tagline]);
        for product in self.catalog.products() {
            said.extend(product.options.iter().flat_map(ProductOption::words));
            said.extend(product.properties.iter().map(|property| property.label.as_str()));
        }
        let assurances = self.products.iter().filter_map(|notes| notes.assurance.as_deref());
        said.extend(assurances.flat_map(|assurance| &assurance.warnings).map(String::as_str));
        let marks = self.products.iter().flat_map(|notes| notes.marks.all()).filter(|(name, _)| !is_for_the_feed(name));
        said.extend(marks.flat_map(|(name, value)| [name, value]));
        let rates = rules.shipping.iter().flat_map(|zone| &zone.rates);
        said.extend(rates.flat_map(|rate| [Some(&rate.name), rate.delivery.as_ref()]).flatten().map(String::as_str));
        said.extend(self.promotions.iter().map(|promotion| promotion.title.as_str()));
        said.extend(rules.tax.rates.iter().map(|rates| rates.name.as_str()));
        said.extend(facets.iter().map(|facet| facet.label.as_str()));
        said.remove("");
        said
    }
}

/// Words that nothing in the shop says; `said`: all that it says.
fn check_words(written: &[WrittenWord], said: &BTreeSet<&str>, problems: &mut Problems) {
    for WrittenWord { file, range, word } in written.iter().filter(|written| !said.contains(written.word.as_str())) {
        let problem = Problem::at(file, range.clone(), format!("nothing in the shop says `{word}`"));
        problems.push(match nearest(word, said.iter().copied()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem
                .hint("take it out; words are the tagline, names and values of options, attributes, warnings, rates, promotions, taxes and facets"),
        });
    }
}
