//! Findings: what a check has found, each said once however many pages show it, and told at the place where somebody wrote it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::site::load::{Loaded, Source};
use crate::site::plan::{Page, PageKind};
use crate::site::problem::{Kind, Problem, Problems, Severity, SourceFile};

/// Something that is wrong with what was written.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    kind: Kind,
    message: String,
    details: Details,
}

#[derive(Clone, Debug)]
struct Details {
    severity: Severity,
    hint: Option<String>,
    /// What stands in the content where this was written.
    needle: Option<String>,
    /// Where it was written, where that is not the page's own source.
    source: Option<Source>,
    /// Place of the first page that shows it.
    page: Option<usize>,
    pages: usize,
}

impl Finding {
    /// An error. Findings of one kind and message are one.
    pub(super) fn new(kind: Kind, message: String) -> Self {
        let severity = Severity::Error;
        Self { kind, message, details: Details { severity, hint: None, needle: None, source: None, page: None, pages: 0 } }
    }

    pub(super) fn warning(mut self) -> Self {
        self.details.severity = Severity::Warning;
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.details.hint = Some(hint.into());
        self
    }

    pub(super) fn needle(mut self, needle: &str) -> Self {
        self.details.needle = Some(needle.to_owned()).filter(|needle| !needle.is_empty());
        self
    }

    pub(super) fn source(mut self, source: &Source) -> Self {
        self.details.source = Some(source.clone());
        self
    }

    pub(super) fn on_page(mut self, page: usize) -> Self {
        (self.details.page, self.details.pages) = (Some(page), 1);
        self
    }
}

/// All findings of a check.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    by_message: BTreeMap<(Kind, String), Details>,
    /// The page that findings are about until the next one.
    page: Option<usize>,
}

impl Findings {
    /// What is added from now on is on that page.
    pub(super) fn turn_to(&mut self, page: usize) {
        self.page = Some(page);
    }

    pub(super) fn add(&mut self, finding: Finding) {
        let finding = match self.page {
            Some(page) => finding.on_page(page),
            None => finding,
        };
        self.put(finding.kind, finding.message, finding.details);
    }

    fn put(&mut self, kind: Kind, message: String, details: Details) {
        match self.by_message.entry((kind, message)) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(details);
            }
            std::collections::btree_map::Entry::Occupied(mut known) => {
                let known = known.get_mut();
                let is_same_page = details.pages == 1 && details.page == known.page;
                known.pages += if is_same_page { 0 } else { details.pages };
                // The first page, on any number of threads.
                if details.page < known.page {
                    (known.page, known.source) = (details.page, details.source);
                }
            }
        }
    }

    /// Both together.
    pub(super) fn and(mut self, other: Self) -> Self {
        for ((kind, message), details) in other.by_message {
            self.put(kind, message, details);
        }
        self
    }

    #[cfg(test)]
    pub(super) fn messages(&self) -> impl Iterator<Item = &str> {
        self.by_message.keys().map(|(_, message)| message.as_str())
    }
}

/// The files in which somebody may have written what a page shows.
pub(super) struct Sources<'a> {
    pub(super) root: &'a Path,
    pub(super) loaded: &'a Loaded,
    /// The site's own templates: (name, source).
    pub(super) templates: &'a [(String, String)],
    /// By the places that findings name.
    pub(super) pages: &'a [Option<&'a Page>],
    /// Addresses of the same pages.
    pub(super) urls: &'a [String],
}

impl Sources<'_> {
    /// Every finding at its place: in the page's content where its text stands there, else in a template, else the page alone.
    pub(super) fn problems(&self, findings: Findings) -> Problems {
        let mut problems = Problems::new();
        let mut last: Option<SourceFile> = None;
        for ((kind, message), details) in findings.by_message {
            // A file that somebody changed afterwards was not written wrongly.
            let page = details.page.filter(|_| kind != Kind::File);
            let source = details.source.as_ref().or_else(|| self.source_of(page?));
            let mut problem = self.placed(message, source, &details, &mut last).of(kind);
            problem.severity = details.severity;
            problem.hint = details.hint;
            problem.page = details.page.map(|page| self.urls[page].clone());
            problem.more_pages = details.pages.saturating_sub(1);
            problems.push(problem);
        }
        problems
    }

    fn placed(&self, message: String, source: Option<&Source>, details: &Details, last: &mut Option<SourceFile>) -> Problem {
        let needle = details.needle.as_deref();
        if let Some(source) = source.filter(|source| !source.file.is_empty()) {
            let is_one_thing = source.file.ends_with(".md") || source.file.ends_with(".toml");
            if !is_one_thing {
                // A table: one line is one product, and what only its page shows is its own.
                return match details.pages {
                    0 | 1 => Problem::about(&source.file, message).on_line(source.line, 0, needle.unwrap_or_default()),
                    _ => Problem::about("", message),
                };
            }
            if last.as_ref().is_none_or(|file| *file.path != *source.file) {
                let text = std::fs::read_to_string(self.root.join(&source.file)).unwrap_or_default();
                *last = Some(SourceFile::new(&source.file, &text));
            }
            let file = last.as_ref().expect("it was read");
            match needle.map(|needle| file.text.find(needle).map(|at| at..at + needle.len())) {
                Some(Some(range)) => return Problem::at(file, range, message),
                Some(None) => {}
                None => return Problem::about(&source.file, message).on_line(source.line, 0, ""),
            }
        }
        let in_template = |(name, text): &(String, String)| {
            let at = text.find(needle?)?;
            Some(Problem::at(&SourceFile::new(&format!("templates/{name}"), text), at..at + needle?.len(), message.as_str()))
        };
        self.templates.iter().find_map(in_template).unwrap_or_else(|| Problem::about("", message.as_str()))
    }

    fn source_of(&self, page: usize) -> Option<&Source> {
        match self.pages[page]?.kind {
            PageKind::Product(index) => Some(&self.loaded.products[index].source),
            PageKind::Category { index, .. } => Some(&self.loaded.categories[index].source),
            PageKind::Content(index) => Some(&self.loaded.pages[index].source),
            PageKind::Home => {
                let index = self.loaded.pages.iter().find(|source| source.slug.as_str() == "index");
                index.map(|index| &index.source)
            }
            PageKind::Facet { .. } | PageKind::Search | PageKind::NotFound | PageKind::Redirect { .. } => None,
        }
    }
}
