//! Costs: what each template has cost in a build, and which one asks for more than a page can use.
//!
//! Owns    the sums per template of pages and shortcodes, and the advice that follows from them.
//! Limits  of pages that were printed; one that is kept costs nothing. Times are wall time of one thread and differ from run to run;
//!         bytes, rows and lists do not.

use std::collections::BTreeMap;

use serde::Serialize;

use super::render::reads::{Reads, Work};

/// Rows that a page asks for at most without a word: what a shelf shows on one page.
const ROWS_OF_A_PAGE: u64 = 200;

/// What one page has cost.
#[derive(Clone, Debug, Default)]
pub(super) struct PageCost {
    /// The template of its kind.
    pub(super) template: &'static str,
    pub(super) work: Work,
    /// What its shortcodes have cost, by their templates; not in `work`, save their time.
    pub(super) shortcodes: BTreeMap<String, Work>,
}

impl PageCost {
    /// Of a page that was printed in so many nanoseconds to so many bytes.
    pub(super) fn new(template: &'static str, nanoseconds: u64, bytes: usize, reads: Reads) -> Self {
        let Reads { work, shortcodes, .. } = reads;
        Self { template, work: Work { calls: 1, nanoseconds, bytes: bytes as u64, ..work }, shortcodes }
    }
}

/// What a template has cost.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TemplateCost {
    /// Its name below templates/.
    pub template: String,
    /// Pages that were printed with it.
    pub pages: u64,
    /// How often it was printed: once a page, save shortcodes.
    pub calls: u64,
    /// Bytes that it has printed.
    pub bytes: u64,
    /// Rows that `products()` and `data()` have handed to it.
    pub rows: u64,
    /// How often it asked for all products of the shop.
    pub whole_lists: u64,
    /// All its time, that of the shortcodes of its pages included.
    pub seconds: f64,
    /// The time of the page it took longest for.
    pub max_seconds: f64,
    /// Address of that page.
    pub slowest_page: String,
    /// What to write instead, where it asks for more than a page can use.
    pub hint: Option<String>,
}

/// Sums over pages, each with its address; the dearest template first.
pub(super) fn sum<'a>(pages: impl Iterator<Item = (&'a str, &'a PageCost)>) -> Vec<TemplateCost> {
    let mut sums: BTreeMap<&str, TemplateCost> = BTreeMap::new();
    for (url, page) in pages {
        let shortcodes = page.shortcodes.iter().map(|(name, work)| (name.as_str(), work));
        for (template, work) in shortcodes.chain([(page.template, &page.work)]) {
            sums.entry(template).or_default().add(url, work);
        }
    }
    let finish =
        |(template, cost): (&str, TemplateCost)| TemplateCost { hint: cost.advice(), template: template.to_owned(), ..cost };
    let mut costs: Vec<TemplateCost> = sums.into_iter().map(finish).collect();
    costs.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    costs
}

impl TemplateCost {
    fn add(&mut self, url: &str, work: &Work) {
        let seconds = work.nanoseconds as f64 / 1e9;
        self.pages += 1;
        self.calls += work.calls;
        self.bytes += work.bytes;
        self.rows += work.rows;
        self.whole_lists += work.whole_lists;
        self.seconds += seconds;
        if self.slowest_page.is_empty() || seconds > self.max_seconds {
            self.max_seconds = seconds;
            url.clone_into(&mut self.slowest_page);
        }
    }

    fn advice(&self) -> Option<String> {
        let (pages, rows) = (self.pages, self.rows);
        if self.whole_lists > 1 {
            return Some(format!(
                "it asks for all products on {pages} pages, {rows} rows together, and the more products there are the more on every page: \
                 ask for what the page shows, as in `products(category=\"…\", limit=8)`, or use `page.related` or `page.cards`"
            ));
        }
        let rows_a_page = rows / pages.max(1);
        (pages > 1 && rows_a_page > ROWS_OF_A_PAGE)
            .then(|| format!("it asks for {rows_a_page} rows a page: say `limit=` to ask for what the page shows"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(template: &'static str, nanoseconds: u64, rows: u64, whole_lists: u64) -> PageCost {
        PageCost { template, work: Work { calls: 1, nanoseconds, bytes: 10, rows, whole_lists }, ..PageCost::default() }
    }

    #[test]
    fn templates_are_summed_and_the_dearest_is_first() {
        let mut noted = page("page.html", 5_000, 0, 0);
        noted.shortcodes.insert("shortcodes/note.html".to_owned(), Work { calls: 2, bytes: 7, ..Work::default() });
        let pages = [("/a", page("product.html", 10_000, 0, 0)), ("/b", page("product.html", 30_000, 1, 0)), ("/c", noted)];
        let costs = sum(pages.iter().map(|(url, cost)| (*url, cost)));
        let brief: Vec<_> = costs
            .iter()
            .map(|cost| (cost.template.as_str(), cost.pages, cost.calls, cost.bytes, cost.rows, cost.slowest_page.as_str()))
            .collect();
        let expected =
            [("product.html", 2, 2, 20, 1, "/b"), ("page.html", 1, 1, 10, 0, "/c"), ("shortcodes/note.html", 1, 2, 7, 0, "/c")];
        assert_eq!(brief, expected);
        assert!(costs.iter().all(|cost| cost.hint.is_none()));
    }

    #[test]
    fn asking_for_everything_on_every_page_is_advised_against() {
        let hint = |pages: &[PageCost]| sum(pages.iter().map(|cost| ("/x", cost))).remove(0).hint.unwrap_or_default();
        assert_eq!(hint(&[page("page.html", 1, 9_000, 1)]), "", "one list of everything is a page that somebody wanted");
        let found = hint(&[page("product.html", 1, 40, 1), page("product.html", 1, 40, 1)]);
        assert!(found.contains("all products on 2 pages, 80 rows"), "{found}");
        let found = hint(&[page("product.html", 1, 401, 0), page("product.html", 1, 1, 0)]);
        assert!(found.contains("201 rows a page"), "{found}");
    }
}
