//! Problem: something wrong in what a person wrote, at its place, with what to write instead.
//!
//! Owns    `Problem`, the collection of a whole run, and their picture on a terminal.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

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
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is built.
    Error,
    /// Built, but probably not as meant.
    Warning,
}

/// Something wrong at a place.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
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
            file: file.path.to_string(),
            line,
            column,
            text,
            message: message.into(),
            hint: None,
            picture: Some((file.text.clone(), range)),
        }
    }

    /// An error about a whole file, or about none (`path` empty).
    pub fn about(path: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: path.to_owned(),
            line: 0,
            column: 0,
            text: String::new(),
            message: message.into(),
            hint: None,
            picture: None,
        }
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

    /// As a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
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
#[derive(Clone, Debug, Default, Serialize)]
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

    /// As people read them, with the places drawn; ends with a count. Empty where there are none.
    pub fn render(&self, colors: bool) -> String {
        let renderer = if colors { Renderer::styled() } else { Renderer::plain() };
        let mut page = String::new();
        for problem in &self.0 {
            page.push_str(&problem.render(&renderer));
            page.push_str("\n\n");
        }
        if !self.0.is_empty() {
            page.push_str(&format!("{}\n", self.count()));
        }
        page
    }

    /// `3 errors, 1 warning`.
    pub fn count(&self) -> String {
        let word = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        match (self.errors(), self.warnings()) {
            (errors, 0) => word(errors, "error"),
            (0, warnings) => word(warnings, "warning"),
            (errors, warnings) => format!("{}, {}", word(errors, "error"), word(warnings, "warning")),
        }
    }
}

/// The known word nearest to a mistyped one, when it is near enough to be meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (typed.chars().count() / 3).max(1);
    known.into_iter().map(|word| (distance(typed, word), word)).filter(|(far, _)| *far <= limit).min().map(|(_, word)| word)
}

// Optimal string alignment: letters added, left out, changed, or two neighbours swapped.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut table = vec![vec![0; other.len() + 1]; one.len() + 1];
    for i in 0..=one.len() {
        for j in 0..=other.len() {
            table[i][j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let changed = table[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
                    let plain = changed.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                    let is_swap = i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1];
                    if is_swap { plain.min(table[i - 2][j - 2] + 1) } else { plain }
                }
            };
        }
    }
    table[one.len()][other.len()]
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
    fn only_a_near_word_is_suggested() {
        assert_eq!(nearest("lmaps", ["lamps", "pots"]), Some("lamps"));
        assert_eq!(nearest("zebra", ["lamps", "pots"]), None);
    }
}
