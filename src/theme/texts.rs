//! Texts: what the theme says, in the language of whoever reads it.
//!
//! Owns    the theme's own texts (templates/texts/LANGUAGE.toml, embedded), those of a shop over them, which language stands in for
//!         which, gaps and plurals. Templates read them as `site.texts.GROUP.KEY`, Rust says them by `Say`.
//! Always  a text that a language lacks is there in the next one: `de-AT`, `de`, English, the shop's first language.
//! Source  plural rules: CLDR, by icu_plurals.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use icu_locale_core::Locale;
use icu_plurals::{PluralCategory, PluralRules};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::countries;
use super::engine;
use super::locale;
use super::view::{Country, SiteView};
use crate::commerce::language::chain;
use crate::commerce::money::Money;

/// The language in which every text of the theme is there.
pub const ENGLISH: &str = "en";
/// The group of names of countries, by their code: told apart from texts, since a market prints only its own.
pub const COUNTRIES: &str = "countries";
/// The gap that chooses the plural form.
pub const COUNT: &str = "count";

/// Texts by group and key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Texts(BTreeMap<String, BTreeMap<String, Text>>);

/// One text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// The same for every count.
    Plain(String),
    /// A form for each plural category.
    Plural(Plural),
}

/// The forms of a text with the language whose rules choose among them: that of the text, which may stand in for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plural {
    /// BCP 47.
    pub language: String,
    /// By CLDR's names of categories; `other` is always there.
    #[serde(flatten)]
    pub forms: BTreeMap<String, String>,
}

impl Texts {
    /// A text by `GROUP.KEY`.
    pub fn find(&self, key: &str) -> Option<&Text> {
        let (group, key) = key.split_once('.')?;
        self.0.get(group)?.get(key)
    }

    /// A text without gaps; a key that nobody has written says itself.
    pub fn plain<'a>(&'a self, key: &'a str) -> &'a str {
        match self.find(key) {
            Some(Text::Plain(text)) => text,
            Some(Text::Plural(plural)) => plural.forms.get("other").map_or(key, String::as_str),
            None => key,
        }
    }

    /// A group, for scripts.
    pub fn group(&self, group: &str) -> Option<&BTreeMap<String, Text>> {
        self.0.get(group)
    }
}

/// A text that Rust says, before its language is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say {
    key: Cow<'static, str>,
    gaps: Vec<(&'static str, Gap)>,
    is_free: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Gap {
    Text(String),
    Money(Money),
    Count(u64),
    Say(Say),
}

impl Say {
    /// The text of that key.
    pub fn of(key: &'static str) -> Self {
        Self { key: Cow::Borrowed(key), gaps: Vec::new(), is_free: false }
    }

    /// What programs read: the same in every language.
    pub fn to_programs(text: impl Into<String>) -> Self {
        Self { key: Cow::Owned(text.into()), gaps: Vec::new(), is_free: true }
    }

    /// With a gap filled.
    #[must_use]
    pub fn with(self, gap: &'static str, value: impl ToString) -> Self {
        self.filled(gap, Gap::Text(value.to_string()))
    }

    /// With an amount in a gap.
    #[must_use]
    pub fn with_money(self, gap: &'static str, amount: Money) -> Self {
        self.filled(gap, Gap::Money(amount))
    }

    /// With another text in a gap.
    #[must_use]
    pub fn with_text(self, gap: &'static str, text: Say) -> Self {
        self.filled(gap, Gap::Say(text))
    }

    /// With the count that chooses the plural form.
    #[must_use]
    pub fn counting(self, count: u64) -> Self {
        self.filled(COUNT, Gap::Count(count))
    }

    fn filled(mut self, gap: &'static str, value: Gap) -> Self {
        self.gaps.push((gap, value));
        self
    }

    /// The text as `site` says it.
    pub fn text(&self, site: &SiteView) -> String {
        let count = self.gaps.iter().find_map(|(_, value)| if let Gap::Count(count) = value { Some(*count) } else { None });
        let Some(text) = site.texts.find(&self.key).filter(|_| !self.is_free) else { return self.key.to_string() };
        let (text, language) = match text {
            Text::Plain(text) => (text.as_str(), site.language.as_str()),
            Text::Plural(plural) => (form(plural, count.unwrap_or(0)), plural.language.as_str()),
        };
        let mut printed = String::with_capacity(text.len() + 32);
        fill(text, &mut printed, |gap| {
            let (_, value) = self.gaps.iter().find(|(name, _)| *name == gap)?;
            Some(match value {
                Gap::Text(text) => Cow::Borrowed(text.as_str()),
                Gap::Money(amount) => locale::money(*amount, &site.language).into(),
                Gap::Count(count) => locale::count(*count, language).into(),
                Gap::Say(say) => say.text(site).into(),
            })
        });
        printed
    }
}

/// The form of a plural for a count.
pub fn form(plural: &Plural, count: u64) -> &str {
    let form = plural.forms.get(category(&plural.language, count)).or_else(|| plural.forms.get("other"));
    form.map_or("", String::as_str)
}

/// CLDR's plural category of a count in a language; one that is not known has `other` alone.
pub fn category(language: &str, count: u64) -> &'static str {
    rules(language).map_or("other", |rules| name(rules.category_for(count)))
}

/// The plural categories that a language has.
pub fn categories(language: &str) -> Vec<&'static str> {
    rules(language).map_or_else(|| vec!["other"], |rules| rules.categories().map(name).collect())
}

fn rules(language: &str) -> Option<PluralRules> {
    let locale: Locale = language.parse().ok()?;
    PluralRules::try_new_cardinal((&locale).into()).ok()
}

fn name(category: PluralCategory) -> &'static str {
    match category {
        PluralCategory::Zero => "zero",
        PluralCategory::One => "one",
        PluralCategory::Two => "two",
        PluralCategory::Few => "few",
        PluralCategory::Many => "many",
        PluralCategory::Other => "other",
    }
}

/// Whether a text is a tag of a language (BCP 47), written as tags are: `de`, `de-AT`, `zh-Hant`.
pub fn is_language(tag: &str) -> bool {
    tag.parse::<Locale>().is_ok_and(|locale| locale.to_string() == tag && tag != "und")
}

/// Writes a text at the end of `printed`, each gap by what `value` gives for its name; a gap without a value stays as it is written.
pub fn fill<'v>(text: &str, printed: &mut String, mut value: impl FnMut(&str) -> Option<Cow<'v, str>>) {
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once('{') {
        printed.push_str(before);
        match tail.split_once('}').and_then(|(gap, tail)| Some((value(gap)?, tail))) {
            Some((value, tail)) => {
                printed.push_str(&value);
                rest = tail;
            }
            None => {
                printed.push('{');
                rest = tail;
            }
        }
    }
    printed.push_str(rest);
}

/// The names of the gaps of a text. `Err`: braces that make none.
pub fn gaps(text: &str) -> Result<BTreeSet<&str>, &str> {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let mut found = BTreeSet::new();
    let mut rest = text;
    while let Some((_, tail)) = rest.split_once('{') {
        let (gap, after) = tail.split_once('}').ok_or(tail)?;
        if !is_name(gap) {
            return Err(gap);
        }
        found.insert(gap);
        rest = after;
    }
    Ok(found)
}

/// A file of texts as it was written.
#[derive(Clone, Debug, Default)]
pub struct Written {
    groups: BTreeMap<String, BTreeMap<String, Spanned<WrittenText>>>,
}

/// A text of a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum WrittenText {
    /// `"…"`
    Plain(String),
    /// `{ one = "…", other = "…" }`
    Plural(BTreeMap<String, String>),
}

impl WrittenText {
    /// All that it may print, each with its plural category where it has one.
    pub fn forms(&self) -> Vec<(Option<&str>, &str)> {
        match self {
            Self::Plain(text) => vec![(None, text)],
            Self::Plural(forms) => forms.iter().map(|(form, text)| (Some(form.as_str()), text.as_str())).collect(),
        }
    }
}

impl Written {
    /// Reads a file.
    ///
    /// Errors: those of TOML, with the bytes that are meant.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        Ok(Self { groups: toml::from_str(text)? })
    }

    /// Its texts: `GROUP.KEY`, the text, the bytes it stands at.
    pub fn all(&self) -> impl Iterator<Item = (String, &WrittenText, Range<usize>)> {
        self.groups.iter().flat_map(|(group, texts)| {
            texts.iter().map(move |(key, text)| (format!("{group}.{key}"), text.get_ref(), text.span()))
        })
    }

    /// A text by `GROUP.KEY`.
    pub fn find(&self, key: &str) -> Option<&WrittenText> {
        let (group, key) = key.split_once('.')?;
        self.groups.get(group)?.get(key).map(Spanned::get_ref)
    }
}

/// All files of texts that a shop can print from.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    /// Language and file, that of a shop before that of the theme.
    files: Vec<(String, Written)>,
    /// Every key that there is.
    keys: BTreeSet<String>,
    root: String,
}

impl Dictionary {
    /// Of the shop's own files by language, for a shop whose first market speaks `root` and whose others speak `languages`.
    pub fn new(own: Vec<(String, Written)>, root: &str, languages: &[&str]) -> Self {
        let mut files = own;
        let spoken: BTreeSet<&str> = languages.iter().flat_map(|language| chain(language)).chain([ENGLISH, root]).collect();
        for language in spoken {
            files.extend(built_in(language).map(|written| (language.to_owned(), written)));
        }
        let texts = files.iter().flat_map(|(_, written)| written.all()).map(|(key, ..)| key);
        let keys = texts.filter(|key| !is_country(key)).collect();
        Self { files, keys, root: root.to_owned() }
    }

    /// Whether a text is written somewhere.
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// Every key that there is.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    /// What a language says: every key that there is.
    pub fn texts(&self, language: &str) -> Texts {
        let mut texts = Texts::default();
        for key in &self.keys {
            let Some((written, language)) = self.find(key, language) else { continue };
            let text = match written {
                WrittenText::Plain(text) => Text::Plain(text.clone()),
                WrittenText::Plural(forms) => Text::Plural(Plural { language: language.to_owned(), forms: forms.clone() }),
            };
            let (group, key) = key.split_once('.').expect("keys are made with a dot");
            texts.0.entry(group.to_owned()).or_default().insert(key.to_owned(), text);
        }
        texts
    }

    /// A country by its code, as a language calls it.
    pub fn country(&self, language: &str, code: &str) -> Country {
        match self.find_in(chain(language), &format!("{COUNTRIES}.{code}")) {
            Some((WrittenText::Plain(name), _)) => Country { name: name.clone(), ..countries::country(code) },
            _ => countries::country(code),
        }
    }

    /// Keys that a language and those beside it lack; `codes` are those of the countries that it has to name.
    pub fn missing(&self, language: &str, codes: &[String]) -> Vec<String> {
        let is_english = chain(language).any(|tag| tag == ENGLISH);
        let countries = codes.iter().filter(|_| !is_english).map(|code| format!("{COUNTRIES}.{code}"));
        let all = self.keys.iter().cloned().chain(countries);
        all.filter(|key| self.find_in(chain(language), key).is_none()).collect()
    }

    fn find<'a>(&'a self, key: &str, language: &'a str) -> Option<(&'a WrittenText, &'a str)> {
        self.find_in(chain(language).chain([ENGLISH]).chain(chain(&self.root)), key)
    }

    fn find_in<'a>(&'a self, languages: impl Iterator<Item = &'a str>, key: &str) -> Option<(&'a WrittenText, &'a str)> {
        let mut languages = languages;
        languages.find_map(|language| {
            let files = self.files.iter().filter(|(other, _)| other == language);
            files.filter_map(|(_, written)| written.find(key)).next().map(|text| (text, language))
        })
    }
}

/// Whether a key is the name of a country.
pub fn is_country(key: &str) -> bool {
    key.split_once('.').is_some_and(|(group, _)| group == COUNTRIES)
}

/// The theme's own texts in a language.
pub fn built_in(language: &str) -> Option<Written> {
    engine::built_in_texts(language).map(|text| Written::parse(text).expect("the theme's own texts are right"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary() -> Dictionary {
        let file = |text: &str| Written::parse(text).expect("right");
        let austrian = file("[cart]\ntitle = \"Sackerl\"\n[countries]\nDE = \"Piefkonien\"\n");
        let polish = file(
            "[home]\nthings = { one = \"{count} rzecz\", few = \"{count} rzeczy\", many = \"{count} rzeczy!\", other = \"?\" }\n",
        );
        let own = vec![("de-AT".to_owned(), austrian), ("pl".to_owned(), polish)];
        Dictionary::new(own, "de-AT", &["de-AT", "pl"])
    }

    #[test]
    fn a_language_without_a_text_says_that_of_the_next_one() {
        let (dictionary, codes) = (dictionary(), ["DE".to_owned()]);
        let austrian = dictionary.texts("de-AT");
        assert_eq!(austrian.plain("cart.title"), "Sackerl");
        assert_eq!(austrian.plain("cart.update"), "Ändern");
        assert_eq!(dictionary.texts("de").plain("cart.title"), "Ihr Warenkorb");
        assert_eq!(dictionary.texts("pl").plain("cart.title"), "Your cart");
        assert_eq!(dictionary.texts("nl").plain("cart.title"), "Your cart");
        assert_eq!(dictionary.country("de-AT", "DE").name, "Piefkonien");
        assert_eq!(dictionary.country("de-AT", "FR").name, "Frankreich");
        assert_eq!(dictionary.country("pl", "FR").name, "France");
        assert_eq!(dictionary.missing("de-AT", &codes), [""; 0]);
        let missing = dictionary.missing("pl", &codes);
        assert!(missing.contains(&"cart.title".to_owned()) && missing.contains(&"countries.DE".to_owned()));
        assert!(!missing.contains(&"home.things".to_owned()));
    }

    #[test]
    fn plurals_follow_the_rules_of_the_language_that_a_text_is_in() {
        let texts = dictionary().texts("pl");
        let say = |key: &str, count| match texts.find(key) {
            Some(Text::Plural(plural)) => form(plural, count).to_owned(),
            other => panic!("{other:?}"),
        };
        for (count, expected) in [(1, "{count} rzecz"), (3, "{count} rzeczy"), (5, "{count} rzeczy!"), (22, "{count} rzeczy")] {
            assert_eq!(say("home.things", count), expected, "{count}");
        }
        // English stands in, with English rules.
        assert_eq!(
            (say("finder.products", 1).as_str(), say("finder.products", 2).as_str()),
            ("{count} product", "{count} products")
        );
        assert_eq!(BTreeSet::from_iter(categories("pl")), BTreeSet::from(["one", "few", "many", "other"]));
        assert_eq!(categories("ja"), ["other"]);
    }

    #[test]
    fn gaps_are_filled_and_told() {
        let filled = |text: &str| {
            let mut printed = String::new();
            fill(text, &mut printed, |gap| (gap == "name").then_some(Cow::Borrowed("{x}")));
            printed
        };
        assert_eq!(filled("a {name} b {other} c {"), "a {x} b {other} c {");
        assert_eq!(gaps("{a} and {b_c}"), Ok(BTreeSet::from(["a", "b_c"])));
        assert_eq!(gaps("{A}"), Err("A"));
        assert_eq!(gaps("open {"), Err(""));
    }

    #[test]
    fn tags_of_languages_are_told_from_words() {
        for (tag, expected) in
            [("de", true), ("de-AT", true), ("zh-Hant", true), ("deutsch", false), ("DE", false), ("de_AT", false)]
        {
            assert_eq!(is_language(tag), expected, "{tag}");
        }
    }
}
