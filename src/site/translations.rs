//! Translations: what a language of the shop still lacks.
//!
//! Always  a market is spoken to in the language of the originals where its own has no text; nothing is left empty. So what is missing
//!         is a warning of `vitrine check` and a count of `vitrine build`.

use std::collections::BTreeSet;

use super::facets::Facet;
use super::load::Loaded;
use super::problem::{Kind, Problem, Problems};
use crate::commerce::catalog::ProductStatus;
use crate::commerce::language::{Translation, chain};
use crate::commerce::rules::Rules;
use crate::theme::texts::Dictionary;

/// A shop with all that it says.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Content.
    pub loaded: &'a Loaded,
    /// Markets, rates, promotions and words.
    pub rules: &'a Rules,
    /// What shelves are cut by.
    pub facets: &'a [Facet],
    /// The shop's one line about itself.
    pub tagline: &'a str,
    /// What the theme says.
    pub texts: &'a Dictionary,
}

/// How much a language lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Lacking {
    /// BCP 47.
    pub language: String,
    /// Products without a title or text.
    pub products: usize,
    /// Categories without a title or text.
    pub categories: usize,
    /// Pages without a title or text.
    pub pages: usize,
    /// Names and values.
    pub words: usize,
    /// Texts of the theme and of the shop's own templates.
    pub texts: usize,
}

impl Lacking {
    /// All together.
    pub fn all(&self) -> usize {
        self.products + self.categories + self.pages + self.words + self.texts
    }
}

impl Said<'_> {
    /// What each language of the markets lacks, sorted by language; those that lack nothing are left out. `tell` hears of each by itself.
    pub fn lacking(&self, tell: &mut dyn FnMut(Problem)) -> Vec<Lacking> {
        let languages: BTreeSet<&str> = self.rules.markets.iter().map(|market| market.language.as_str()).collect();
        let all = languages.into_iter().map(|language| self.lacking_in(language, tell));
        all.filter(|lacking| lacking.all() > 0).collect()
    }

    /// The same as warnings.
    pub fn problems(&self) -> Problems {
        let mut problems = Problems::new();
        self.lacking(&mut |problem| problems.push(problem.warning().of(Kind::Translation)));
        problems
    }

    fn lacking_in(&self, language: &str, tell: &mut dyn FnMut(Problem)) -> Lacking {
        let mut lacking = Lacking { language: language.to_owned(), ..Lacking::default() };
        let root = &self.rules.root_market().language;
        // Originals are read wherever people speak their language, with a country or without.
        if base(language) != base(root) {
            self.content(language, &mut lacking, tell);
            let by_products = self.said_by_products(language);
            for word in self.loaded.words_said(self.rules, self.facets, self.tagline) {
                // Numbers and codes are the same everywhere.
                let is_word = !word.contains(|letter: char| letter.is_ascii_digit()) && word.contains(char::is_alphabetic);
                if is_word && self.rules.words.find(language, word).is_none() && !by_products.contains(word) {
                    lacking.words += 1;
                    let file = format!("content/words.{language}.toml");
                    let hint = format!("write a line there: {word:?} = \"…\"");
                    tell(Problem::about(&file, format!("`{word}` has no translation into `{language}`")).hint(hint));
                }
            }
        }
        let markets = self.rules.markets.iter().filter(|market| market.language == language);
        let countries: BTreeSet<String> = markets.flat_map(|market| market.countries.iter().cloned()).collect();
        for key in self.texts.missing(language, &countries.into_iter().collect::<Vec<_>>()) {
            lacking.texts += 1;
            let file = format!("templates/texts/{language}.toml");
            let problem = Problem::about(&file, format!("the text `{key}` is not there in `{language}`"));
            tell(problem.hint("write it there; until then another language is shown"));
        }
        lacking
    }

    fn content(&self, language: &str, lacking: &mut Lacking, tell: &mut dyn FnMut(Problem)) {
        let mut miss = |file: &str, line: usize, has_title: bool, has_text: bool| {
            let what = match (has_title, has_text) {
                (true, true) => return 0,
                (false, false) => "title and text have",
                (false, true) => "the title has",
                (true, false) => "the text has",
            };
            let sibling = format!("{}.{language}.md", file.strip_suffix(".md").unwrap_or(file));
            let problem = Problem::about(file, format!("{what} no translation into `{language}`")).on_line(line, 0, "");
            tell(problem.hint(if file.ends_with(".md") {
                format!("write it into {sibling}")
            } else {
                format!(
                    "JSON Lines have it under `translations` of the line; other bulk files are read in one language: make files of \
                     it by `vitrine import`, and write SLUG.{language}.md beside them"
                )
            }));
            1
        };
        let has_title = |all: &[Translation]| any(all, language, |one| one.language.as_str(), |one| one.title.is_some());
        for (product, notes) in self.loaded.catalog.products().iter().zip(&self.loaded.products) {
            if product.status == ProductStatus::Active {
                let is_told = |one: &Translation| !notes.untranslated.contains(&one.language);
                let has_text = !notes.has_text || any(&product.translations, language, |one| &one.language, is_told);
                lacking.products += miss(&notes.source.file, notes.source.line, has_title(&product.translations), has_text);
            }
        }
        for (category, details) in self.loaded.catalog.categories().iter().zip(&self.loaded.categories) {
            let is_empty = details.body_markdown.trim().is_empty();
            let has_text = is_empty || any(&details.translations, language, |one| &one.language, |one| one.body.is_some());
            lacking.categories += miss(&details.source.file, details.source.line, has_title(&category.translations), has_text);
        }
        for page in &self.loaded.pages {
            let is_empty = page.body_markdown.trim().is_empty();
            let own = |has: fn(&super::load::translations::TranslatedPage) -> bool| {
                any(&page.translations, language, |one| &one.details.language, has)
            };
            let has_text = is_empty || own(|one| one.details.body.is_some());
            lacking.pages += miss(&page.source.file, page.source.line, own(|one| one.title.is_some()), has_text);
        }
    }

    // Words that products translate by themselves.
    fn said_by_products(&self, language: &str) -> BTreeSet<&str> {
        let translations = self.loaded.catalog.products().iter().flat_map(|product| &product.translations);
        let own = translations.filter(|one| chain(language).any(|tag| tag == one.language));
        own.flat_map(|one| &one.words).map(|(word, _)| word.as_str()).collect()
    }
}

fn base(language: &str) -> &str {
    language.split('-').next().unwrap_or("")
}

fn any<'a, T>(all: &'a [T], language: &str, of: impl Fn(&'a T) -> &'a str, has: impl Fn(&'a T) -> bool) -> bool {
    chain(language).any(|tag| all.iter().any(|one| of(one) == tag && has(one)))
}
