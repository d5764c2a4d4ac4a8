//! Feeds: what crawlers and readers ask for by name: sitemaps, robots.txt, the Atom feed, product feeds, redirects.
//!
//! Source  RFC 9309 (robots.txt); `_redirects` as Netlify and Cloudflare Pages read it.

mod atom;
pub mod google;
mod google_attributes;
mod google_price;
pub mod sitemap;
mod xml;

pub use self::atom::FILE as ATOM;
pub use self::google_attributes::{Claims, Condition, is_for_the_feed, wrong_value};

use super::Printer;
use crate::commerce::ids::Timestamp;
use crate::site::load::Loaded;
use crate::site::plan::{Page, PageKind};

/// Those that are short: (path below the output folder, bytes).
///
/// Errors: what a product's page shows cannot be read back.
pub fn few(printer: &Printer<'_>) -> std::io::Result<impl Iterator<Item = (String, Vec<u8>)>> {
    let few = [
        ("robots.txt", robots(&printer.shop.base_url, printer.settings.is_hidden).into_bytes()),
        ("_redirects", redirects(&printer.plan.pages).into_bytes()),
    ];
    let few = few.into_iter().map(|(path, bytes)| (path.to_owned(), bytes));
    let atom = atom::feed(printer)?.map(|bytes| (atom::FILE.to_owned(), bytes));
    Ok(few.chain(atom))
}

/// What crawlers are told that are to list nothing: they may read every page, or else they would never read its `noindex`.
const KEEP_AWAY: &str = "# No page is to be listed: each says `noindex`.\nUser-agent: *\nDisallow:\n";

/// Whether a robots.txt is that of a build whose pages are not to be listed.
pub fn keeps_away(robots: &str) -> bool {
    robots == KEEP_AWAY
}

fn robots(base_url: &str, is_hidden: bool) -> String {
    if is_hidden {
        return KEEP_AWAY.to_owned();
    }
    // Lists that a shopper sorts and filters are the same products again.
    format!(
        "User-agent: *\nDisallow: /api/\nDisallow: /cart\nDisallow: /checkout\nDisallow: /orders\n\
         Disallow: /search?\nDisallow: /*/search?\nDisallow: /*?*sort=\n\nSitemap: {base_url}/sitemap.xml\n"
    )
}

/// When a product last changed or appeared, where it says so: no other instant is true.
fn changed_at(loaded: &Loaded, index: usize) -> Option<Timestamp> {
    loaded.products[index].updated_at.max(loaded.catalog.products()[index].publish_at)
}

/// An instant as feeds write it.
pub fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0).unwrap_or(jiff::Timestamp::MAX).to_string()
}

fn redirects(pages: &[Page]) -> String {
    let line = |page: &Page| match &page.kind {
        PageKind::Redirect { to } => Some(format!("{} {to} 301\n", page.url)),
        _ => None,
    };
    pages.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(url: &str, kind: PageKind) -> Page {
        Page { market: 0, kind, url: url.to_owned() }
    }

    #[test]
    fn old_addresses_are_told_to_hosts() {
        let to = "/products/lamp".to_owned();
        let pages = [page("/", PageKind::Home), page("/404", PageKind::NotFound), page("/old", PageKind::Redirect { to })];
        assert_eq!(redirects(&pages), "/old /products/lamp 301\n");
    }
}
