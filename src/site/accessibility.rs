//! Accessibility: the page that says how a shop can be used by everyone (Directive (EU) 2019/882), where the shop has written none.
//!
//! Always  a page like those of content/pages, in the language of each market; content/pages/accessibility.md takes its place.

use super::Shop;
use super::load::translations::{TranslatedDetails, TranslatedPage};
use super::load::{Loaded, PageSource, Source};
use crate::commerce::ids::Slug;
use crate::commerce::rules::Rules;
use crate::theme::texts::{Dictionary, fill};

/// Its address.
const SLUG: &str = "accessibility";
/// After the shop's own pages at the foot.
const LAST: i64 = 1_000;

/// Adds the page, for shops that sell where the law wants it.
pub fn add(loaded: &mut Loaded, shop: &Shop, rules: &Rules, texts: &Dictionary) {
    let is_own = loaded.pages.iter().any(|page| page.slug.as_str() == SLUG);
    if is_own || !rules.markets.iter().any(|market| market.consumer_law.is_eu()) {
        return;
    }
    let root = &rules.root_market().language;
    let mut languages: Vec<&String> = rules.markets.iter().map(|market| &market.language).filter(|one| *one != root).collect();
    languages.sort();
    languages.dedup();
    let no_values = serde_json::json!({});
    let translation = |language: &String| {
        let (title, body) = said(language, shop, texts);
        let source = source(language);
        let details = TranslatedDetails { language: language.clone(), source, body: Some(body), ..TranslatedDetails::default() };
        TranslatedPage { details, title: Some(title), extra: no_values.clone() }
    };
    let (title, body_markdown) = said(root, shop, texts);
    let page = PageSource {
        translations: languages.into_iter().map(translation).collect(),
        source: source(root),
        slug: Slug::from(SLUG),
        title,
        body_markdown,
        order: LAST,
        footer: true,
        extra: serde_json::json!({}),
        seo_title: None,
        seo_description: None,
    };
    loaded.pages.push(page);
    loaded.pages.sort_by(|one, other| one.slug.cmp(&other.slug));
}

fn source(language: &str) -> Source {
    Source { file: format!("templates/texts/{language}.toml"), line: 1 }
}

fn said(language: &str, shop: &Shop, texts: &Dictionary) -> (String, String) {
    let texts = texts.texts(language);
    let mut body = String::new();
    let value = |gap: &str| match gap {
        "shop" => Some(shop.name.as_str().into()),
        "email" => Some(format!("<{}>", shop.email).into()),
        _ => None,
    };
    // Without an address nobody can be written to.
    let contact = Some("accessibility.contact").filter(|_| !shop.email.is_empty());
    for key in [Some("accessibility.text"), contact, Some("accessibility.complaint")].into_iter().flatten() {
        fill(texts.plain(key), &mut body, value);
        body.push_str("\n\n");
    }
    (texts.plain("accessibility.title").to_owned(), body)
}
