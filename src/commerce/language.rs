//! Language: what things are called in other languages than the one they were written in, and which language stands in for which.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a product or category is called in another language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Translation {
    /// BCP 47.
    pub language: String,
    /// Plain text; `None`: as in the original.
    pub title: Option<String>,
    /// (original, translation) of its names and values alone.
    pub words: Vec<(String, String)>,
}

/// Short texts of the whole shop: names and values of options and attributes, of facets, shipping rates, promotions, taxes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words(BTreeMap<String, BTreeMap<String, String>>);

impl Words {
    /// Of (language, original → translation).
    pub fn new(words: BTreeMap<String, BTreeMap<String, String>>) -> Self {
        Self(words)
    }

    /// A text as a language says it; the text itself where nobody has translated it.
    pub fn say<'a>(&'a self, language: &str, text: &'a str) -> &'a str {
        self.find(language, text).unwrap_or(text)
    }

    /// The translation of a text.
    pub fn find(&self, language: &str, text: &str) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        chain(language).find_map(|tag| self.0.get(tag)?.get(text)).map(String::as_str)
    }
}

/// The title of what has these translations, as a language says it.
pub fn title_in<'a>(translations: &'a [Translation], language: &str, title: &'a str) -> &'a str {
    nearest(translations, language, |translation| translation.title.as_deref()).unwrap_or(title)
}

/// A word of what has these translations: its own, else the shop's, else as it was written.
pub fn word_in<'a>(translations: &'a [Translation], words: &'a Words, language: &str, word: &'a str) -> &'a str {
    let own = |translation: &'a Translation| translation.words.iter().find(|(original, _)| original == word);
    let own = nearest(translations, language, |translation| own(translation).map(|(_, said)| said.as_str()));
    own.unwrap_or_else(|| words.say(language, word))
}

fn nearest<'a, T>(translations: &'a [Translation], language: &str, give: impl Fn(&'a Translation) -> Option<T>) -> Option<T> {
    if translations.is_empty() {
        return None;
    }
    chain(language).find_map(|tag| translations.iter().find(|translation| translation.language == tag).and_then(&give))
}

/// A language and those that stand in for it, nearest first: `de-AT`, `de`.
pub fn chain(language: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(language), |tag| tag.rsplit_once('-').map(|(wider, _)| wider)).filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_language_stands_in() {
        assert_eq!(chain("zh-Hant-TW").collect::<Vec<_>>(), ["zh-Hant-TW", "zh-Hant", "zh"]);
        assert_eq!(chain("de").collect::<Vec<_>>(), ["de"]);
        assert_eq!(chain("").count(), 0);
    }

    #[test]
    fn what_is_nearest_is_said() {
        let text = |text: &str| text.to_owned();
        let of = |language: &str, title: Option<&str>, words: &[(&str, &str)]| Translation {
            language: text(language),
            title: title.map(text),
            words: words.iter().map(|(original, said)| (text(original), text(said))).collect(),
        };
        let own = [of("de", Some("Lampe"), &[("Large", "Riesig")]), of("de-AT", None, &[])];
        let words = |pairs: &[(&str, &str)]| pairs.iter().map(|(original, said)| (text(original), text(said))).collect();
        let words = Words::new([(text("de"), words(&[("Large", "Groß"), ("Small", "Klein")]))].into());
        assert_eq!(title_in(&own, "de-AT", "Lamp"), "Lampe");
        assert_eq!(title_in(&own, "fr", "Lamp"), "Lamp");
        assert_eq!(word_in(&own, &words, "de-AT", "Large"), "Riesig");
        assert_eq!(word_in(&own, &words, "de-AT", "Small"), "Klein");
        assert_eq!(word_in(&own, &words, "fr", "Small"), "Small");
        assert_eq!(word_in(&own, &words, "de", "Tiny"), "Tiny");
    }
}
