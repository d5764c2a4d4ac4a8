//! Problem: something wrong in what a person wrote, at its place, with what to write instead.
//!
//! Owns    `Problem`, the collection of a whole run, and their picture on a terminal.
//! Limits  a terminal shows SHOWN_PROBLEMS of a run, some of every sort, and counts the rest; the report for machines holds them all.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::{Deserialize, Serialize};

/// A file as it was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path below the shop's folder.
    pub path: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
}

impl SourceFile {
    /// A file with its text.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// The line (from 1) and column (from 1, in characters) of a byte.
    pub fn place(&self, byte: usize) -> (usize, usize) {
        let mut end = byte.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |index| index + 1);
        (self.line(end), before[line_start..].chars().count() + 1)
    }

    /// The line (from 1) of a byte.
    pub fn line(&self, byte: usize) -> usize {
        let before = &self.text.as_bytes()[..byte.min(self.text.len())];
        // Counted in bytes, which many are added of at once; a piece has no more than a byte can count.
        let ends = |piece: &[u8]| usize::from(piece.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>());
        before.chunks(u8::MAX.into()).map(ends).sum::<usize>() + 1
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is built.
    Error,
    /// Built, but probably not as meant.
    Warning,
}

/// What a problem is about: the headings of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What a person wrote: content, settings, templates.
    #[default]
    Content,
    /// Tax rates and shipping, country by country.
    Coverage,
    /// A file of the output that is not what the build wrote.
    File,
    /// An address that leads nowhere.
    Link,
    /// A `#part` that the page does not have.
    Anchor,
    /// A picture that is not there.
    Image,
    /// A picture that says nothing to those who do not see it.
    AltText,
    /// An old address.
    Redirect,
    /// Titles and descriptions of result pages.
    Title,
    /// A price that is not the one a cart would charge.
    Price,
    /// A text that a language of the shop has not.
    Translation,
    /// What the law of a market wants said of an offer.
    Law,
    /// A script that must not run beside a card, or that a page's policy lets not run.
    Script,
}

impl Kind {
    /// Its heading.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Coverage => "tax and shipping",
            Self::File => "files",
            Self::Link => "links",
            Self::Anchor => "anchors",
            Self::Image => "images",
            Self::AltText => "texts for images",
            Self::Redirect => "redirects",
            Self::Title => "titles and descriptions",
            Self::Price => "prices",
            Self::Translation => "translations",
            Self::Law => "consumer law",
            Self::Script => "scripts",
        }
    }
}

/// Something wrong at a place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// What it is about.
    pub kind: Kind,
    /// Path below the shop's folder; empty where it is about no file.
    pub file: String,
    /// From 1; 0: the whole file.
    pub line: usize,
    /// From 1; 0: the whole line.
    pub column: usize,
    /// The offending text.
    pub text: String,
    /// One sentence.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// Address of the page that shows it, the first one where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// How many other pages show it too.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_pages: usize,
    /// Whether what stands there is left out of the shop.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_out: bool,
    #[serde(skip)]
    picture: Option<(Arc<str>, Range<usize>)>,
}

impl Problem {
    /// An error somewhere in a file.
    pub fn at(file: &SourceFile, range: Range<usize>, message: impl Into<String>) -> Self {
        // A fault may be told by one byte of a letter: the whole letter is meant.
        let range = file.text.floor_char_boundary(range.start)..file.text.ceil_char_boundary(range.end);
        let (line, column) = file.place(range.start);
        let text = file.text.get(range.clone()).unwrap_or("").chars().take(200).collect();
        Self {
            severity: Severity::Error,
            kind: Kind::Content,
            file: file.path.to_string(),
            line,
            column,
            text,
            message: message.into(),
            hint: None,
            page: None,
            more_pages: 0,
            left_out: false,
            picture: Some((file.text.clone(), range)),
        }
    }

    /// An error about a whole file, or about none (`path` empty).
    pub fn about(path: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            kind: Kind::Content,
            file: path.to_owned(),
            line: 0,
            column: 0,
            text: String::new(),
            message: message.into(),
            hint: None,
            page: None,
            more_pages: 0,
            left_out: false,
            picture: None,
        }
    }

    /// The same without what was written: a secret stands there, and what is told lies in the logs of CI.
    #[must_use]
    pub fn unshown(mut self) -> Self {
        (self.text, self.picture) = (String::new(), None);
        self
    }

    /// An error at a line and column that are known without a byte, such as those of a table's cell.
    #[must_use]
    pub fn on_line(mut self, line: usize, column: usize, text: &str) -> Self {
        (self.line, self.column) = (line, column);
        self.text = text.chars().take(200).collect();
        self
    }

    /// With what to write instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Under another heading.
    #[must_use]
    pub fn of(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// As a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// As a warning: what stands there is left out, and the rest goes on.
    #[must_use]
    pub fn left_out(self) -> Self {
        Self { left_out: true, ..self.warning() }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.message.as_str());
        let mut group = match &self.picture {
            Some((source, range)) => group_with_picture(title, self, source, range.clone()),
            None => Group::with_title(title),
        };
        let page = self.page.as_ref().map(|page| match self.more_pages {
            0 => format!("on the page {page}"),
            1 => format!("on the page {page} and one more"),
            more => format!("on the page {page} and {more} more"),
        });
        if let Some(page) = &page {
            group = group.element(Level::NOTE.message(page.as_str()));
        }
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        let picture = renderer.render(&[group]);
        if self.picture.is_some() || self.file.is_empty() {
            return picture;
        }
        let place = match (self.line, self.column) {
            (0, _) => self.file.clone(),
            (line, 0) => format!("{}:{line}", self.file),
            (line, column) => format!("{}:{line}:{column}", self.file),
        };
        let text = if self.text.is_empty() { String::new() } else { format!("  `{}`", self.text) };
        let (first, rest) = picture.split_once('\n').unwrap_or((&picture, ""));
        format!("{first}\n  --> {place}{text}{}{rest}", if rest.is_empty() { "" } else { "\n" })
    }
}

fn group_with_picture<'a>(
    title: annotate_snippets::Title<'a>,
    problem: &'a Problem,
    source: &'a str,
    range: Range<usize>,
) -> Group<'a> {
    let start = range.start.min(source.len());
    let end = range.end.clamp(start, source.len());
    let snippet = Snippet::source(source).path(problem.file.as_str()).annotation(AnnotationKind::Primary.span(start..end));
    title.element(snippet)
}

/// All problems of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Without those of that message, which turned out to be none.
    pub fn take_back(&mut self, message: &str) {
        self.0.retain(|problem| problem.message != message);
    }

    /// All of another collection.
    pub fn extend(&mut self, others: Problems) {
        self.0.extend(others.0);
    }

    /// All of them, in the order of `sort` once that was called.
    pub fn all(&self) -> &[Problem] {
        &self.0
    }

    /// Whether nothing can be built.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// How many errors.
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// How many warnings.
    pub fn warnings(&self) -> usize {
        self.0.len() - self.errors()
    }

    /// By file, line and column, each once, so that a run on any machine tells the same.
    pub fn sort(&mut self) {
        self.0.sort_by(|one, other| {
            (&one.file, one.line, one.column, &one.message).cmp(&(&other.file, other.line, other.column, &other.message))
        });
        // What a product says for all its variants is wrong once.
        self.0.dedup_by(|one, other| {
            (&one.file, one.line, one.column, &one.message) == (&other.file, other.line, other.column, &other.message)
        });
    }

    /// As people read them, with the places drawn, under headings where there are several; ends with a count. At most SHOWN_PROBLEMS,
    /// errors before warnings and some of every sort, then how many there are of each. Empty where there are none.
    pub fn render(&self, colors: bool) -> String {
        let renderer = if colors { Renderer::styled() } else { Renderer::plain() };
        let mut page = String::new();
        let sorts = self.sorts();
        let shown = self.shown(&sorts);
        let has_headings = self.0.iter().any(|problem| problem.kind != Kind::Content);
        let mut heading = None;
        for problem in shown.iter().map(|index| &self.0[*index]) {
            if has_headings && heading.replace(problem.kind) != Some(problem.kind) {
                let of_kind = || self.0.iter().filter(|other| other.kind == problem.kind);
                let errors = of_kind().filter(|other| other.severity == Severity::Error).count();
                let count = count(errors, of_kind().count() - errors);
                page.push_str(&format!("{}: {count}\n\n", problem.kind.heading()));
            }
            page.push_str(&problem.render(&renderer));
            page.push_str("\n\n");
        }
        if shown.len() < self.0.len() {
            page.push_str(&self.rest(&sorts, shown.len()));
        }
        if !self.0.is_empty() {
            page.push_str(&format!("{}\n", self.count()));
        }
        page
    }

    // Problems that differ only in names and numbers, errors first, the most frequent first.
    fn sorts(&self) -> Vec<Sort> {
        if self.0.len() <= SHOWN_PROBLEMS {
            return Vec::new();
        }
        let mut by_sentence: BTreeMap<(Severity, Kind, String), Vec<usize>> = BTreeMap::new();
        for (index, problem) in self.0.iter().enumerate() {
            by_sentence.entry((problem.severity, problem.kind, sentence(&problem.message))).or_default().push(index);
        }
        let sort = |((severity, _, sentence), problems)| Sort { severity, sentence, problems };
        let mut sorts: Vec<Sort> = by_sentence.into_iter().map(sort).collect();
        sorts.sort_by_key(|sort| (sort.severity, std::cmp::Reverse(sort.problems.len())));
        sorts
    }

    // By heading and then in their own order; where there are too many, each sort gives one in turn until there are enough.
    fn shown(&self, sorts: &[Sort]) -> Vec<usize> {
        let mut shown: Vec<usize> = Vec::new();
        if sorts.is_empty() {
            shown.extend(0..self.0.len());
        }
        for severity in [Severity::Error, Severity::Warning] {
            let of_it: Vec<&Sort> = sorts.iter().filter(|sort| sort.severity == severity).collect();
            let longest = of_it.iter().map(|sort| sort.problems.len()).max().unwrap_or(0);
            let in_turn = (0..longest).flat_map(|turn| of_it.iter().filter_map(move |sort| sort.problems.get(turn)));
            shown.extend(in_turn.take(SHOWN_PROBLEMS - shown.len().min(SHOWN_PROBLEMS)));
        }
        shown.sort_by_key(|index| (self.0[*index].kind, *index));
        shown
    }

    fn rest(&self, sorts: &[Sort], shown: usize) -> String {
        let mut page = format!("{shown} of {} problems are shown; `--report json` gives all of them. In short:\n", self.0.len());
        for sort in sorts.iter().take(SHOWN_SORTS) {
            page.push_str(&format!("{:>8} × {}\n", sort.problems.len(), sort.sentence));
        }
        if let Some(others) = sorts.get(SHOWN_SORTS..).filter(|others| !others.is_empty()) {
            let problems: usize = others.iter().map(|sort| sort.problems.len()).sum();
            page.push_str(&format!("{problems:>8} × others\n"));
        }
        page.push('\n');
        page
    }

    /// `3 errors, 1 warning`.
    pub fn count(&self) -> String {
        count(self.errors(), self.warnings())
    }
}

/// More than a person reads at once is told by its sorts.
const SHOWN_PROBLEMS: usize = 50;
/// Lines that say how many problems of each sort there are.
const SHOWN_SORTS: usize = 12;

/// Problems that say the same of different things.
struct Sort {
    severity: Severity,
    sentence: String,
    problems: Vec<usize>,
}

fn count(errors: usize, warnings: usize) -> String {
    let word = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match (errors, warnings) {
        (errors, 0) => word(errors, "error"),
        (0, warnings) => word(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", word(errors, "error"), word(warnings, "warning")),
    }
}

// What a message says when names in backticks and numbers are left out.
fn sentence(message: &str) -> String {
    let mut sentence = String::with_capacity(message.len());
    for (index, part) in message.split('`').enumerate() {
        if index % 2 == 1 {
            sentence.push_str("`…`");
            continue;
        }
        let mut rest = part;
        while let Some(start) = rest.find(|sign: char| sign.is_ascii_digit()) {
            sentence.push_str(&rest[..start]);
            sentence.push('…');
            rest = rest[start..].trim_start_matches(|sign: char| sign.is_ascii_digit());
        }
        sentence.push_str(rest);
    }
    sentence
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The known word nearest to a mistyped one, when it is near enough to be meant; of several the first by letters.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed: Vec<char> = typed.chars().collect();
    let mut limit = (typed.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    let mut ruler = Ruler::default();
    for word in known {
        // What is farther than the best so far is not looked at to its end.
        if let Some(far) = ruler.distance(&typed, word, limit) {
            limit = far;
            best = Some(best.map_or((far, word), |best| best.min((far, word))));
        }
    }
    best.map(|(_, word)| word)
}

/// Measures how far two words are apart; its rows are used again.
#[derive(Default)]
struct Ruler {
    word: Vec<char>,
    /// The row two before, the one before, and the one in work.
    rows: [Vec<usize>; 3],
}

impl Ruler {
    // Optimal string alignment: letters added, left out, changed, or two neighbours swapped. `None`: more than `limit`.
    fn distance(&mut self, typed: &[char], word: &str, limit: usize) -> Option<usize> {
        self.word.clear();
        self.word.extend(word.chars().take(typed.len() + limit + 1));
        let (word, rows) = (&self.word, &mut self.rows);
        if word.len().abs_diff(typed.len()) > limit {
            return None;
        }
        rows.iter_mut().for_each(|row| row.resize(word.len() + 1, 0));
        (0..=word.len()).for_each(|j| rows[1][j] = j);
        let mut least_before = 0;
        for i in 1..=typed.len() {
            let [before, last, row] = rows;
            row[0] = i;
            let mut least = i;
            for j in 1..=word.len() {
                let changed = last[j - 1] + usize::from(typed[i - 1] != word[j - 1]);
                let plain = changed.min(last[j] + 1).min(row[j - 1] + 1);
                let is_swap = i > 1 && j > 1 && typed[i - 1] == word[j - 2] && typed[i - 2] == word[j - 1];
                row[j] = if is_swap { plain.min(before[j - 2] + 1) } else { plain };
                least = least.min(row[j]);
            }
            // A swap reaches back over one row, nothing over two.
            if least > limit && least_before > limit {
                return None;
            }
            least_before = least;
            rows.rotate_left(1);
        }
        Some(rows[1][word.len()]).filter(|far| *far <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_drawn_at_its_place() {
        let file = SourceFile::new("site.toml", "a = 1\npreis = 2\n");
        let mut problems = Problems::new();
        problems.push(Problem::at(&file, 6..11, "unknown key `preis`").hint("did you mean `price`?"));
        let drawn = problems.render(false);
        assert!(drawn.starts_with("error: unknown key `preis`"), "{drawn}");
        assert!(drawn.contains("site.toml:2:1") && drawn.contains("^^^^^") && drawn.contains("did you mean `price`?"), "{drawn}");
        assert!(drawn.ends_with("1 error\n"), "{drawn}");
    }

    #[test]
    fn a_cell_of_a_table_is_named_by_line_and_column() {
        let mut problems = Problems::new();
        problems.push(Problem::about("p.csv", "no price").on_line(7, 3, "x").warning());
        let drawn = problems.render(false);
        assert!(drawn.contains("warning: no price") && drawn.contains("--> p.csv:7:3  `x`"), "{drawn}");
        assert!(drawn.ends_with("1 warning\n"));
    }

    #[test]
    fn of_very_many_some_of_every_sort_are_shown_and_all_are_counted() {
        let mut problems = Problems::new();
        for number in 0..980 {
            problems.push(Problem::about(&format!("content/{number}.md"), format!("`{number}` is no price of {number} cents")));
        }
        for number in 0..20 {
            problems.push(Problem::about("late.md", format!("there is no shelf `{number}`")).of(Kind::Link));
        }
        problems.push(Problem::about("late.md", "odd").warning());
        let drawn = problems.render(false);
        assert_eq!(drawn.matches("error: ").count(), SHOWN_PROBLEMS, "{drawn}");
        assert!(drawn.matches("there is no shelf `").count() > 15, "the rarer sort is shown too: {drawn}");
        assert!(drawn.contains("content: 980 errors, 1 warning\n") && drawn.contains("links: 20 errors\n"), "{drawn}");
        assert!(drawn.contains("50 of 1001 problems are shown; `--report json` gives all"), "{drawn}");
        assert!(drawn.contains("     980 × `…` is no price of … cents\n      20 × there is no shelf `…`\n"), "{drawn}");
        assert!(drawn.ends_with("1000 errors, 1 warning\n"), "{drawn}");
        assert_eq!(serde_json::to_value(&problems).expect("plain data").as_array().map(Vec::len), Some(1001));
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        assert_eq!(nearest("lmaps", ["lamps", "pots"]), Some("lamps"));
        assert_eq!(nearest("zebra", ["lamps", "pots"]), None);
        assert_eq!(nearest("lamps", ["lampe", "lamp", "lampa"]), Some("lamp"), "of equals the first by letters");
        assert_eq!(nearest("", ["a", "bc"]), Some("a"));
    }

    #[test]
    fn the_nearest_of_many_is_that_of_measuring_each_to_its_end() {
        let letters = ['a', 'b', 'c'];
        let word = |mut number: usize| {
            let mut word = String::new();
            while number > 0 {
                word.push(letters[number % 3]);
                number /= 3;
            }
            word
        };
        let words: Vec<String> = (0..243).map(word).collect();
        for typed in &words {
            let letters: Vec<char> = typed.chars().collect();
            let limit = (letters.len() / 3).max(1);
            let far = |word: &str| Ruler::default().distance(&letters, word, usize::MAX / 2);
            let measured = words.iter().map(|word| (far(word), word.as_str())).min();
            let expected = measured.filter(|(far, _)| far.is_some_and(|far| far <= limit)).map(|(_, word)| word);
            assert_eq!(nearest(typed, words.iter().map(String::as_str)), expected, "{typed}");
        }
    }
}
