//! Reads: what the functions of templates have given a page while it was printed.
//!
//! Owns    what can be read, and the page that each thread prints just now.
//! Why     a function of a template is told its arguments and no more: a part (`component`) does not even know `site`. So what a page
//!         reads is noted beside the page that its thread prints. Printing one page never waits for another to be printed; where a
//!         thread takes up another page in the midst of one, the first is put back after it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// Something a page asked for. What it was given is told by a hash: see `Printer::read_key`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Read {
    /// A file of content/data, by its path there.
    Data(String),
    /// A product's card, by its slug.
    Product(String),
    /// Cards of a category (all products where there is none), so many at most.
    Products {
        /// Path of the category.
        category: Option<String>,
        /// How many; `None`: all.
        limit: Option<usize>,
    },
    /// A category, by its path.
    Category(String),
}

/// What one page asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Each once, sorted.
    pub all: BTreeSet<Read>,
    /// What was handed out to the page's own template.
    pub work: Work,
    /// What the page's shortcodes have cost, by their templates.
    pub shortcodes: BTreeMap<String, Work>,
}

/// What a template has done for a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// How often it was printed.
    pub calls: u64,
    /// Bytes that it printed.
    pub bytes: u64,
    /// Rows that were handed to it: cards of lists and entries of data files, each time it asked for them.
    pub rows: u64,
    /// How often it asked for all products.
    pub whole_lists: u64,
    /// Wall time.
    pub nanoseconds: u64,
}

impl Reads {
    /// Whether the page or one of its shortcodes asked for all products.
    pub fn asked_for_all(&self) -> bool {
        self.all.contains(&Read::Products { category: None, limit: None })
    }
}

#[derive(Default)]
struct Page {
    market: usize,
    reads: Reads,
}

thread_local! {
    static PAGE: RefCell<Option<Page>> = const { RefCell::new(None) };
}

/// Prints a page of a market; gives what it read, too.
pub fn reading<T>(market: usize, print: impl FnOnce() -> T) -> (T, Reads) {
    let before = PAGE.replace(Some(Page { market, reads: Reads::default() }));
    let printed = print();
    let page = PAGE.replace(before).expect("it was put there above");
    (printed, page.reads)
}

/// The market of the page that is printed on this thread; `None`: none is.
pub(super) fn market() -> Option<usize> {
    PAGE.with_borrow(|page| page.as_ref().map(|page| page.market))
}

/// Notes that the page read something, with so many rows.
pub(super) fn note(read: Read, rows: usize) {
    PAGE.with_borrow_mut(|page| {
        let Some(Page { reads, .. }) = page else { return };
        reads.work.rows += rows as u64;
        reads.work.whole_lists += u64::from(read == Read::Products { category: None, limit: None });
        reads.all.insert(read);
    });
}

/// Prints a shortcode's template; what it does is told of it and not of the page's own.
pub(super) fn of_shortcode<E>(template: &str, print: impl FnOnce() -> Result<String, E>) -> Result<String, E> {
    let take = |work: Work| PAGE.with_borrow_mut(|page| page.as_mut().map(|page| std::mem::replace(&mut page.reads.work, work)));
    let before = take(Work::default()).unwrap_or_default();
    let started = Instant::now();
    let printed = print();
    let nanoseconds = started.elapsed().as_nanos() as u64;
    let done = take(before).unwrap_or_default();
    PAGE.with_borrow_mut(|page| {
        let Some(Page { reads, .. }) = page else { return };
        let work = match reads.shortcodes.get_mut(template) {
            Some(work) => work,
            None => reads.shortcodes.entry(template.to_owned()).or_default(),
        };
        work.calls += 1;
        work.bytes += printed.as_ref().map_or(0, String::len) as u64;
        work.rows += done.rows;
        work.whole_lists += done.whole_lists;
        work.nanoseconds += nanoseconds;
    });
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_the_midst_of_another_has_reads_of_its_own() {
        let read = |slug: &str| Read::Product(slug.to_owned());
        let (inner, outer) = reading(0, || {
            note(read("lamp"), 1);
            let ((), inner) = reading(1, || {
                assert_eq!(market(), Some(1));
                note(read("mug"), 1);
            });
            note(read("lamp"), 1);
            inner
        });
        assert_eq!((inner.all, inner.work.rows), (BTreeSet::from([read("mug")]), 1));
        assert_eq!((outer.all, outer.work.rows), (BTreeSet::from([read("lamp")]), 2));
        assert_eq!(market(), None);
    }
}
