//! Atom: the products that changed last, for readers.
//!
//! Always  an entry says when it changed only because its product does (`updated_at`, `publish_at`); one that does not say is left out,
//!         since Atom wants an instant and any other would be made up. Where no product says it there is no feed.
//! Source  RFC 4287.

use super::xml::Xml;
use super::{changed_at, rfc3339};
use crate::commerce::ids::Timestamp;
use crate::site::plan::{Page, PageKind};
use crate::site::render::Printer;

/// Its path below the output folder.
pub const FILE: &str = "feed.xml";

/// The feed of the root market's products, newest first; `None` where no product says when it changed.
///
/// Errors: what a product's page shows cannot be read back.
pub(super) fn feed(printer: &Printer<'_>) -> std::io::Result<Option<Vec<u8>>> {
    let mut entries: Vec<(Timestamp, &Page, usize)> = Vec::new();
    for page in printer.plan.pages.iter().filter(|page| page.market == 0) {
        if let PageKind::Product(index) = page.kind {
            entries.extend(changed_at(printer.loaded, index).map(|at| (at, page, index)));
        }
    }
    entries.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.url.cmp(&other.1.url)));
    entries.truncate(printer.settings.feed_size);
    let Some(&(newest, ..)) = entries.first() else { return Ok(None) };
    let base_url = &printer.shop.base_url;
    let mut xml = Xml::document();
    xml.raw("<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"").text(&printer.rules.markets[0].language).raw("\">\n");
    xml.element("title", &printer.shop.name);
    if !printer.shop.tagline.is_empty() {
        xml.element("subtitle", &printer.shop.tagline);
    }
    xml.address("id", base_url, "/").element("updated", &rfc3339(newest));
    xml.raw("<link rel=\"self\" type=\"application/atom+xml\" href=\"").in_address(base_url, &format!("/{FILE}")).raw("\"/>");
    xml.raw("<link rel=\"alternate\" type=\"text/html\" href=\"").in_address(base_url, "/").raw("\"/>");
    xml.open("author").element("name", &printer.shop.name).close("author").raw("\n");
    for (changed, page, index) in entries {
        entry(&mut xml, printer, changed, page, index)?;
    }
    xml.raw("</feed>");
    Ok(Some(xml.into_file()))
}

fn entry(xml: &mut Xml, printer: &Printer<'_>, changed: Timestamp, page: &Page, index: usize) -> std::io::Result<()> {
    let base_url = &printer.shop.base_url;
    let product = &printer.loaded.catalog.products()[index];
    xml.open("entry").element("title", printer.title(0, index)).address("id", base_url, &page.url);
    if let Some(published) = product.publish_at {
        xml.element("published", &rfc3339(published));
    }
    xml.element("updated", &rfc3339(changed));
    xml.raw("<link rel=\"alternate\" type=\"text/html\" href=\"").in_address(base_url, &page.url).raw("\"/>");
    xml.element("summary", &printer.description(0, printer.loaded.details(index)?)).close("entry").raw("\n");
    Ok(())
}
