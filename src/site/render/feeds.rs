//! Feeds: what crawlers and readers ask for by name: sitemaps, robots.txt, the Atom feed, redirects.
//!
//! Source  sitemaps.org protocol 0.9; RFC 9309 (robots.txt); RFC 4287 (Atom).

use std::io::Write;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::Printer;
use super::structured::absolute;
use crate::site::plan::{Page, PageKind};

/// Addresses one sitemap file holds (sitemaps.org: 50,000).
const SITEMAP_ADDRESSES: usize = 50_000;

/// Every such file: (path below the output folder, bytes).
///
/// Errors: what a product's page shows cannot be read back.
pub fn all(printer: &Printer<'_>) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let base_url = &printer.shop.base_url;
    let mut files = sitemaps(&printer.plan.pages, base_url, SITEMAP_ADDRESSES);
    files.push(("robots.txt".to_owned(), robots(base_url).into_bytes()));
    files.push(("feed.xml".to_owned(), atom(printer)?));
    files.push(("_redirects".to_owned(), redirects(&printer.plan.pages).into_bytes()));
    files.push(("_headers".to_owned(), HEADERS.as_bytes().to_vec()));
    Ok(files)
}

const HEADERS: &str = "/*\n  X-Content-Type-Options: nosniff\n  Referrer-Policy: strict-origin-when-cross-origin\n\
    \n/a/*\n  Cache-Control: public, max-age=31536000, immutable\n";

fn robots(base_url: &str) -> String {
    // Lists that a shopper sorts and filters are the same products again.
    format!(
        "User-agent: *\nDisallow: /api/\nDisallow: /cart\nDisallow: /checkout\nDisallow: /orders\n\
         Disallow: /search?\nDisallow: /*/search?\nDisallow: /*?*sort=\n\nSitemap: {base_url}/sitemap.xml\n"
    )
}

fn sitemaps(pages: &[Page], base_url: &str, limit: usize) -> Vec<(String, Vec<u8>)> {
    let listed = |page: &&Page| !matches!(page.kind, PageKind::NotFound | PageKind::Search | PageKind::Redirect { .. });
    let addresses: Vec<String> = pages.iter().filter(listed).map(|page| absolute(base_url, &page.url)).collect();
    if addresses.len() <= limit {
        return vec![("sitemap.xml".to_owned(), list("urlset", "url", &addresses))];
    }
    let mut files = Vec::new();
    let mut parts = Vec::new();
    for (chunk, number) in addresses.chunks(limit).zip(1..) {
        let name = format!("sitemap-{number}.xml");
        parts.push(format!("{base_url}/{name}"));
        files.push((name, list("urlset", "url", chunk)));
    }
    files.push(("sitemap.xml".to_owned(), list("sitemapindex", "sitemap", &parts)));
    files
}

fn list(root: &str, element: &str, addresses: &[String]) -> Vec<u8> {
    xml(|writer| {
        let namespace = [("xmlns", "http://www.sitemaps.org/schemas/sitemap/0.9")];
        writer.create_element(root).with_attributes(namespace).write_inner_content(|writer| {
            for address in addresses {
                writer.create_element(element).write_inner_content(|writer| {
                    writer.create_element("loc").write_text_content(BytesText::new(address))?;
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        Ok(())
    })
}

// A product without a date of its own has none that is true; a reader needs one, so it gets the oldest there is.
const NO_DATE: &str = "1970-01-01T00:00:00Z";

fn atom(printer: &Printer<'_>) -> std::io::Result<Vec<u8>> {
    let base_url = &printer.shop.base_url;
    let mut entries: Vec<(String, &Page, usize)> = Vec::new();
    for page in printer.plan.pages.iter().filter(|page| page.market == 0) {
        if let PageKind::Product(index) = page.kind {
            let published = printer.loaded.catalog.products()[index].publish_at.map(|at| at.0);
            let updated = printer.loaded.products[index].updated_at.map(|at| at.0).or(published);
            let text = updated.and_then(|at| jiff::Timestamp::from_second(at).ok()).map(|at| at.to_string());
            entries.push((text.unwrap_or_else(|| NO_DATE.to_owned()), page, index));
        }
    }
    entries.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.url.cmp(&other.1.url)));
    entries.truncate(printer.settings.feed_size);
    let mut summaries = Vec::with_capacity(entries.len());
    for (_, _, index) in &entries {
        summaries.push(printer.description(printer.loaded.details(*index)?));
    }
    let newest = entries.first().map_or(NO_DATE, |entry| entry.0.as_str()).to_owned();
    Ok(xml(|writer| {
        writer.create_element("feed").with_attributes([("xmlns", "http://www.w3.org/2005/Atom")]).write_inner_content(
            |writer| {
                text(writer, "title", &printer.shop.name)?;
                text(writer, "subtitle", &printer.shop.tagline)?;
                text(writer, "id", &format!("{base_url}/"))?;
                text(writer, "updated", &newest)?;
                writer
                    .create_element("link")
                    .with_attributes([("rel", "self"), ("href", format!("{base_url}/feed.xml").as_str())])
                    .write_empty()?;
                writer.create_element("link").with_attributes([("href", format!("{base_url}/").as_str())]).write_empty()?;
                writer.create_element("author").write_inner_content(|writer| text(writer, "name", &printer.shop.name))?;
                for ((updated, page, index), summary) in entries.iter().zip(&summaries) {
                    entry(writer, printer, updated, page, *index, summary)?;
                }
                Ok(())
            },
        )?;
        Ok(())
    }))
}

fn entry<W: Write>(
    writer: &mut Writer<W>,
    printer: &Printer<'_>,
    updated: &str,
    page: &Page,
    index: usize,
    summary: &str,
) -> std::io::Result<()> {
    let address = absolute(&printer.shop.base_url, &page.url);
    let title = &printer.loaded.catalog.products()[index].title;
    writer.create_element("entry").write_inner_content(|writer| {
        text(writer, "title", title)?;
        text(writer, "id", &address)?;
        text(writer, "updated", updated)?;
        writer.create_element("link").with_attributes([("href", address.as_str())]).write_empty()?;
        text(writer, "summary", summary)
    })?;
    Ok(())
}

fn text<W: Write>(writer: &mut Writer<W>, name: &str, content: &str) -> std::io::Result<()> {
    writer.create_element(name).write_text_content(BytesText::new(content))?;
    Ok(())
}

fn xml(fill: impl FnOnce(&mut Writer<Vec<u8>>) -> std::io::Result<()>) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let declaration = Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None));
    writer.write_event(declaration).and_then(|()| fill(&mut writer)).expect("writing to memory does not fail");
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    bytes
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
        Page { market: 0, kind, url: url.to_owned(), path: String::new() }
    }

    #[test]
    fn a_long_sitemap_is_cut_into_files_under_one_index() {
        let pages: Vec<Page> = (0..5).map(|number| page(&format!("/p{number}?a&b"), PageKind::Home)).collect();
        let files = sitemaps(&pages, "https://shop.example", 2);
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["sitemap-1.xml", "sitemap-2.xml", "sitemap-3.xml", "sitemap.xml"]);
        let first = String::from_utf8(files[0].1.clone()).expect("text");
        assert!(first.contains("<loc>https://shop.example/p0?a&amp;b</loc>"), "{first}");
    }

    #[test]
    fn redirects_and_the_error_page_are_in_no_sitemap() {
        let to = "/products/lamp".to_owned();
        let pages = [page("/", PageKind::Home), page("/404", PageKind::NotFound), page("/old", PageKind::Redirect { to })];
        let (_, bytes) = &sitemaps(&pages, "https://shop.example", 9)[0];
        assert_eq!(String::from_utf8_lossy(bytes).matches("<loc>").count(), 1);
        assert_eq!(redirects(&pages), "/old /products/lamp 301\n");
    }
}
