//! Translated: what `translations` of a JSON line says of its product in other languages.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::jsonl::{LineReader, Raw};
use super::table::Cell;
use crate::commerce::language::Translation;
use crate::site::load::LoadedProduct;
use crate::site::load::products::{WrittenImage, WrittenSeo, translatable};
use crate::site::load::translations::{TranslatedDetails, Wrong, no_picture, no_word, title_of, wrong_language};

// What a translation's own file could say, its text beside the rest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineTranslation<'a> {
    #[serde(borrow, default)]
    title: Raw<'a>,
    body: Option<String>,
    #[serde(borrow, default)]
    images: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    words: BTreeMap<String, &'a RawValue>,
    #[serde(default)]
    seo: WrittenSeo,
}

impl<'a> LineReader<'a, '_, '_> {
    /// A product in a language; problems where a part of it is wrong.
    pub(super) fn translation(
        &mut self,
        original: &LoadedProduct,
        language: &str,
        written: &'a RawValue,
    ) -> Option<(Translation, TranslatedDetails)> {
        if let Some(wrong) = wrong_language(language, self.intake.terms.rules) {
            self.tell(self.node(written).cell(), wrong);
            return None;
        }
        let read = self.parse::<LineTranslation<'a>>(written.get())?;
        let (pictures, known) = translatable(original);
        let mut title = None;
        if let Some(written) = self.scalar(read.title) {
            match title_of(written.cell().text) {
                Ok(said) => title = Some(said),
                Err(wrong) => self.tell(written.cell(), wrong),
            }
        }
        let mut alts = Vec::new();
        for written in read.images {
            let Some(image) = self.parse::<WrittenImage>(written.get()) else { continue };
            match no_picture(image.src(), &pictures) {
                Some(wrong) => self.tell(self.node(written).cell(), wrong),
                None => alts.push((image.src().clone(), image.alt().to_owned())),
            }
        }
        let mut words = Vec::new();
        for (word, written) in read.words {
            let Some(said) = self.scalar(Some(written)) else { continue };
            match no_word(&word, &known) {
                Some(wrong) => self.tell(said.cell(), wrong),
                None => words.push((word, said.cell().text.to_owned())),
            }
        }
        let body = read.body.map(|body| body.replace('\0', "")).filter(|body| !body.trim().is_empty());
        let details = TranslatedDetails {
            language: language.to_owned(),
            source: original.details.source.clone(),
            body: body.map(|body| format!("{}\n", body.trim())),
            alts,
            seo_title: read.seo.title,
            seo_description: read.seo.description,
        };
        Some((Translation { language: language.to_owned(), title, words }, details))
    }

    fn tell(&mut self, cell: Cell<'_>, wrong: Wrong) {
        let problem = self.intake.problem(cell, wrong.message);
        self.intake.problems.push(problem.hint(wrong.hint));
    }
}
