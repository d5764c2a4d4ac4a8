//! Texts: templates/texts/LANGUAGE.toml of a shop, which take the place of the theme's own texts, one by one, or add a language.
//!
//! Always  a text that nobody prints, a gap that nobody fills and a plural form that the language has not are told at their place.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use super::{paths, shown_path, source_file};
use crate::commerce::language::chain;
use crate::commerce::rules::Rules;
use crate::site::problem::{Problem, Problems, SourceFile, nearest};
use crate::theme::engine::{TEXTS, built_in_texts};
use crate::theme::texts::{
    COUNT, Dictionary, ENGLISH, Written, WrittenText, built_in, categories, gaps, is_country, is_language,
};

const FOLDER: &str = "templates/texts";
/// How templates name a text.
const USE: &str = "site.texts.";

/// Reads the shop's texts. `templates`: its own, (name, source), which may print texts of their own.
pub fn read(root: &Path, rules: &Rules, templates: &[(String, String)], problems: &mut Problems) -> Dictionary {
    let spoken: Vec<&str> = rules.markets.iter().map(|market| market.language.as_str()).collect();
    let mut own = Vec::new();
    for path in paths(root, FOLDER, "toml", problems) {
        let language = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let (file, found) = source_file(&shown_path(root, &path), &path);
        problems.extend(found);
        // In the sample shop these are the theme's own.
        let Some(file) = file.filter(|file| built_in_texts(&language) != Some(&*file.text)) else { continue };
        if let Some(problem) = wrong_language(&file.path, &language, &spoken) {
            problems.push(problem);
            continue;
        }
        match Written::parse(&file.text) {
            Ok(written) => own.push((language, written, file)),
            Err(error) => {
                let problem = Problem::at(&file, error.span().unwrap_or(0..0), error.message());
                problems.push(problem.hint("write groups such as `[cart]` with lines such as `title = \"…\"`"));
            }
        }
    }
    let used = uses(templates);
    let mut known: BTreeSet<String> = used.iter().map(|used| used.key.clone()).collect();
    known.extend(theme_texts().all().map(|(key, ..)| key));
    let of_shop: Vec<(String, Written)> = own.iter().map(|(language, written, _)| (language.clone(), written.clone())).collect();
    for (language, written, file) in &own {
        for (key, text, range) in written.all() {
            let others = of_shop.iter().filter(|(other, _)| other != language).find_map(|(_, written)| written.find(&key));
            let checked = Checked { key: &key, text, range, language, file };
            checked.tell(&known, theme_texts().find(&key).or(others), problems);
        }
    }
    let dictionary = Dictionary::new(of_shop, &rules.root_market().language, &spoken);
    for used in used.iter().filter(|used| !dictionary.has(&used.key)) {
        let file = SourceFile::new(&format!("templates/{}", used.template), used.source);
        let problem = Problem::at(&file, used.range.clone(), format!("there is no text `{}`", used.key));
        let hint = match nearest(&used.key, dictionary.keys()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write it into {FOLDER}/{}.toml", rules.root_market().language),
        };
        problems.push(problem.hint(hint));
    }
    dictionary
}

fn theme_texts() -> Written {
    built_in(ENGLISH).expect("the theme speaks English")
}

fn wrong_language(file: &str, language: &str, spoken: &[&str]) -> Option<Problem> {
    let about = |message: String| Problem::about(file, message);
    if !is_language(language) {
        let hint = "name the file by the language's tag (BCP 47), such as de.toml or pt-BR.toml";
        return Some(about(format!("`{language}` is not a language")).hint(hint));
    }
    let is_spoken = spoken.iter().any(|other| chain(other).any(|tag| tag == language)) || language == ENGLISH;
    (!is_spoken)
        .then(|| about(format!("no market speaks `{language}`")).hint(format!("languages in site.toml: {}", spoken.join(", "))))
}

/// A text of a shop where it is written.
struct Checked<'a> {
    key: &'a str,
    text: &'a WrittenText,
    range: Range<usize>,
    language: &'a str,
    file: &'a SourceFile,
}

impl Checked<'_> {
    fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(self.file, self.range.clone(), message)
    }

    // `original`: what it is a translation of.
    fn tell(&self, known: &BTreeSet<String>, original: Option<&WrittenText>, problems: &mut Problems) {
        let Self { key, text, language, .. } = self;
        if !known.contains(*key) && !is_country(key) {
            let problem = self.problem(format!("nothing prints the text `{key}`"));
            problems.push(match nearest(key, known.iter().map(String::as_str)) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint("take it out, or print it in a template of templates/ with `{{ site.texts.GROUP.KEY }}`"),
            });
            return;
        }
        let forms = text.forms();
        if let WrittenText::Plural(_) = text {
            let wanted = categories(language);
            for (form, _) in forms.iter().filter(|(form, _)| form.is_none_or(|form| !wanted.contains(&form))) {
                let problem = self.problem(format!("`{language}` has no plural form `{}`", form.unwrap_or("")));
                problems.push(problem.hint(format!("forms of this language: {}", wanted.join(", "))));
            }
            if forms.iter().all(|(form, _)| *form != Some("other")) {
                problems
                    .push(self.problem(format!("`{key}` has no form `other`")).hint("write other = \"…\", for all other counts"));
            }
        }
        let expected = original.map(names);
        for (form, text) in forms {
            let found = match gaps(text) {
                Ok(found) => found,
                Err(brace) => {
                    let problem = self.problem(format!("`{{{brace}` is no gap"));
                    problems.push(problem.hint("a gap is a name of small letters in braces, such as {count}"));
                    continue;
                }
            };
            let Some(expected) = &expected else { continue };
            for gap in found.iter().filter(|gap| !expected.contains(**gap)) {
                let problem = self.problem(format!("`{key}` has no gap `{{{gap}}}`: nobody fills it"));
                problems.push(match expected.is_empty() {
                    true => problem.hint("this text has no gaps: take it out"),
                    false => problem.hint(format!("its gaps are {}", braced(expected))),
                });
            }
            // A form for one thing may spell its number out, or leave it to the word.
            let may_lack = |gap: &str| gap == COUNT && form.is_some();
            for gap in expected.iter().filter(|gap| !found.contains(gap.as_str()) && !may_lack(gap)) {
                let problem = self.problem(format!("`{key}` leaves out the gap `{{{gap}}}`"));
                problems.push(problem.hint(format!("write it where its value belongs; the gaps are {}", braced(expected))));
            }
        }
    }
}

fn names(text: &WrittenText) -> BTreeSet<String> {
    text.forms().iter().filter_map(|(_, form)| gaps(form).ok()).flatten().map(str::to_owned).collect()
}

fn braced(gaps: &BTreeSet<String>) -> String {
    gaps.iter().map(|gap| format!("{{{gap}}}")).collect::<Vec<_>>().join(", ")
}

/// A text that a template of the shop prints.
struct Use<'a> {
    key: String,
    template: &'a str,
    source: &'a str,
    range: Range<usize>,
}

fn uses(templates: &[(String, String)]) -> Vec<Use<'_>> {
    let mut uses = Vec::new();
    for (template, source) in templates.iter().filter(|(name, _)| !name.starts_with(TEXTS)) {
        for (at, _) in source.match_indices(USE) {
            let start = at + USE.len();
            let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
            let length = source[start..].find(|letter| !is_word(letter)).unwrap_or(source.len() - start);
            let key = source[start..start + length].trim_end_matches('.');
            // A group as a whole is for scripts.
            if key.contains('.') {
                uses.push(Use { key: key.to_owned(), template, source, range: start..start + key.len() });
            }
        }
    }
    uses
}
