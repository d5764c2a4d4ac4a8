//! Views: the values of each page kind, from the loaded shop.

use smol_str::SmolStr;

use super::cards::Cards;
use super::expand::{Html, Place};
use super::{PrintError, Printer, feeds, markdown, organization, structured};
use crate::commerce::catalog::{CurrentPrice, Image, Product, ProductOption, PropertyRule, Variant};
use crate::site::load::translations::{TranslatedDetails, said};
use crate::site::load::{Body, PageSource, ProductDetails, Source};
use crate::site::makers;
use crate::site::plan::Page;
use crate::site::related::Traits;
use crate::site::{Shown, final_image};
use crate::theme::texts::Say;
use crate::theme::view::{
    Availability, Card, CategoryCard, CategoryView, ContentView, HeadView, HomeView, Link, MeasureView, PerMeasureView,
    PictureView, ProductView, VariantView,
};

/// Characters of a description: what result pages show.
const DESCRIPTION_LENGTH: usize = 160;
/// Characters of a description in structured data: the page itself holds the whole text.
const STRUCTURED_DESCRIPTION_LENGTH: usize = 500;
/// Products named as going with another: two rows of the theme's widest grid.
const RELATED: usize = 8;
/// Products of one such row.
const ROW: usize = 4;
/// Products on the home page.
const FEATURED: usize = 8;

impl Printer<'_> {
    /// A product's page.
    pub(super) fn product(
        &self,
        page: &Page,
        index: usize,
        details: ProductDetails,
        cards: &mut Cards,
    ) -> Result<ProductView, PrintError> {
        let product = &self.loaded.catalog.products()[index];
        let ProductDetails { mut source, body, images, tags, mut attributes, seo_title, seo_description, translations, .. } =
            details;
        let claims = feeds::Claims::of(&attributes);
        attributes.retain(|(name, _)| !feeds::is_for_the_feed(name));
        let language = self.language(page.market);
        let word = |text: &mut String| {
            let said = product.word_in(&self.rules.words, language, text);
            if said != text.as_str() {
                *text = said.to_owned();
            }
        };
        attributes.iter_mut().for_each(|(name, value)| [name, value].map(&word).into_iter().collect());
        let mut body = body;
        if let Some((translated_at, text)) = said(&translations, language, TranslatedDetails::text) {
            (source, body) = (translated_at.clone(), Body::Markdown(text.to_owned()));
        }
        let seo_title = said(&translations, language, |one| one.seo_title.clone())
            .or(seo_title.filter(|_| product.title_in(language) == product.title));
        let seo_description = own_description(&translations, language, seo_description);
        let title = product.title_in(language);
        let offer = &self.offers[page.market][index];
        let assurance = self.loaded.products[index].assurance.as_deref();
        let say = |text: &String| product.word_in(&self.rules.words, language, text).to_owned();
        let warnings = |assurance: &makers::Assurance| assurance.warnings.iter().map(say).collect();
        let text = self.body_html(Place::of(page, title), &source, body)?;
        let plain = markdown::summary(text.plain(), STRUCTURED_DESCRIPTION_LENGTH);
        let description = seo_description.unwrap_or_else(|| markdown::shortened(&plain, DESCRIPTION_LENGTH));
        let images: Vec<PictureView> = images.iter().filter_map(|image| self.image_in(&translations, language, image)).collect();
        let mut head = self.head(page, seo_title.as_deref().unwrap_or(title), description, images.first());
        head.og_type = "product";
        let mut view = ProductView {
            head,
            breadcrumbs: self.product_breadcrumbs(page, index),
            slug: product.slug.to_string(),
            url: page.url.clone(),
            title: title.to_owned(),
            brand: product.brand.clone(),
            description_html: text.html,
            images,
            options: self.options(product, language),
            price: offer.cheapest.map(|current| current.unit),
            price_varies: offer.varies,
            is_lowest: self.is_lowest(page.market, product),
            per_measure_varies: self.per_measure_varies(page.market, product),
            availability: offer.availability,
            variants: product.variants.iter().map(|variant| self.variant(page.market, product, variant, &translations)).collect(),
            quantity: product.quantity,
            properties: self.properties(product, language),
            attributes,
            maker: makers::of(&self.settings.makers, product, &self.loaded.products[index]).cloned(),
            warnings: assurance.map_or_else(Vec::new, warnings),
            guarantee_years: assurance.and_then(|assurance| assurance.guarantee_years),
            tags,
            related: self.related(index).into_iter().map(|other| self.card(page.market, other, cards)).collect(),
            tax_name: self.tax_name(page.market),
        };
        let base_url = &self.shop.base_url;
        let product = structured::product(&view, &claims, base_url, &plain);
        view.head.json_ld = [product, structured::breadcrumbs(&view.breadcrumbs, base_url)].into_iter().flatten().collect();
        Ok(view)
    }

    // Names and values are copied as they are where nobody has translated any.
    fn options(&self, product: &Product, language: &str) -> Vec<ProductOption> {
        let say = |text: &SmolStr| SmolStr::from(product.word_in(&self.rules.words, language, text));
        let option =
            |option: &ProductOption| ProductOption { name: say(&option.name), values: option.values.iter().map(say).collect() };
        product.options.iter().map(option).collect()
    }

    fn properties(&self, product: &Product, language: &str) -> Vec<PropertyRule> {
        let say = |text: &String| product.word_in(&self.rules.words, language, text).to_owned();
        product.properties.iter().map(|rule| PropertyRule { label: say(&rule.label), ..rule.clone() }).collect()
    }

    fn image_in(&self, translations: &[TranslatedDetails], language: &str, image: &Image) -> Option<PictureView> {
        let alt = |one: &TranslatedDetails| one.alts.iter().find(|(src, _)| *src == image.url).map(|(_, alt)| alt.clone());
        let found = final_image(self.assets, image, Shown::Page)?;
        Some(match said(translations, language, alt) {
            Some(alt) => PictureView { alt, ..found },
            None => found,
        })
    }

    /// What a product's page says of itself in a line, in a market's language.
    pub(super) fn description(&self, market: usize, details: ProductDetails) -> String {
        let language = self.language(market);
        let own = own_description(&details.translations, language, details.seo_description.clone());
        own.unwrap_or_else(|| markdown::summary(&self.plain_body_in(language, &details), DESCRIPTION_LENGTH))
    }

    /// The products of a part of a shelf.
    pub(super) fn shelf_part<'s>(&self, shelf: &'s [usize], number: usize) -> impl Iterator<Item = &'s usize> + use<'s> {
        let size = self.settings.page_size;
        shelf.iter().skip((number - 1) * size).take(size)
    }

    /// A part of a category.
    pub(super) fn category(
        &self,
        page: &Page,
        index: usize,
        number: usize,
        count: usize,
        cards: &mut Cards,
    ) -> Result<CategoryView, PrintError> {
        let category = &self.loaded.catalog.categories()[index];
        let details = &self.loaded.categories[index];
        let total = self.plan.shelves[index].len();
        let language = self.language(page.market);
        let title_here = category.title_in(language);
        let (source, body) =
            said(&details.translations, language, TranslatedDetails::text).unwrap_or((&details.source, &details.body_markdown));
        let text = match number {
            1 => self.html(Place::of(page, title_here), source, body)?,
            _ => Html::plain_only(body),
        };
        let mut description = own_description(&details.translations, language, details.seo_description.clone())
            .unwrap_or_else(|| markdown::summary(text.plain(), DESCRIPTION_LENGTH));
        if description.is_empty() {
            let say = Say::of("category.summary").with("title", title_here).with("shop", &self.shop.name);
            description = say.counting(total as u64).text(&self.sites[page.market]);
        }
        let cards: Vec<Card> =
            self.shelf_part(&self.plan.shelves[index], number).map(|product| self.card(page.market, *product, cards)).collect();
        let seo_title = said(&details.translations, language, |one| one.seo_title.as_deref());
        let seo_title = seo_title.or(details.seo_title.as_deref().filter(|_| title_here == category.title));
        let title = format!("{}{}", seo_title.unwrap_or(title_here), self.part(page.market, number));
        let image = cards.first().and_then(|card| card.image.clone());
        let mut head = self.head(page, &title, description + &self.part(page.market, number), image.as_ref());
        let ways = &self.ways[page.market];
        let base_url = &self.shop.base_url;
        head.json_ld = [structured::item_list(&cards, base_url), structured::breadcrumbs(&ways.trails[index], base_url)]
            .into_iter()
            .flatten()
            .collect();
        Ok(self.with_addresses(page.market, |addresses| CategoryView {
            head,
            title: title_here.to_owned(),
            url: addresses.category(&category.path, 1),
            description_html: text.html,
            path: category.path.to_string(),
            children: ways.children[index].clone(),
            facets: self.facet_links(page.market, index, None),
            facet: None,
            total,
            number,
            count,
            previous_url: (number > 1).then(|| addresses.category(&category.path, number - 1)),
            next_url: (number < count).then(|| addresses.category(&category.path, number + 1)),
            cards,
            breadcrumbs: ways.trails[index].clone(),
        }))
    }

    pub(super) fn home(&self, page: &Page, cards: &mut Cards) -> Result<HomeView, PrintError> {
        let index = self.loaded.pages.iter().find(|source| source.slug.as_str() == "index");
        let text = index.map(|source| self.page_text(page.market, source));
        let description =
            text.as_ref().and_then(|text| text.seo_description).unwrap_or(&self.sites[page.market].tagline).to_owned();
        let shown = || (0..self.plan.shown.len()).filter(|index| self.plan.shown[*index]);
        let is_featured = |index: &usize| self.loaded.products[*index].is_featured;
        let mut featured: Vec<usize> = shown().filter(is_featured).take(FEATURED).collect();
        if featured.is_empty() {
            featured = shown().take(FEATURED).collect();
        }
        let mut card = |index: usize| self.card(page.market, index, cards);
        let featured: Vec<Card> = featured.into_iter().map(&mut card).collect();
        let reduced = shown().filter(|index| self.is_reduced(page.market, *index)).take(self.settings.reduced_on_home);
        let reduced: Vec<Card> = reduced.map(&mut card).collect();
        let image = featured.first().and_then(|card| card.image.clone());
        let title = text.as_ref().and_then(|text| text.seo_title).unwrap_or(&self.shop.name);
        let html = text.as_ref().map(|text| self.html(Place::of(page, title), text.source, text.body)).transpose()?;
        let mut head = self.head(page, title, description, image.as_ref());
        head.json_ld = organization::documents(self, page.market);
        Ok(HomeView {
            head,
            url: page.url.clone(),
            body_html: html.map_or_else(String::new, |html| html.html),
            extra: text.map_or_else(|| serde_json::json!({}), |text| text.extra),
            featured,
            reduced,
            categories: self.category_cards(page.market),
        })
    }

    pub(super) fn content(&self, page: &Page, index: usize) -> Result<ContentView, PrintError> {
        let source = &self.loaded.pages[index];
        let text = self.page_text(page.market, source);
        let html = self.html(Place::of(page, text.title), text.source, text.body)?;
        let summary = || markdown::summary(html.plain(), DESCRIPTION_LENGTH);
        let description = text.seo_description.map_or_else(summary, str::to_owned);
        let home = self.ways[page.market].home.clone();
        let breadcrumbs = vec![home, Link { title: text.title.to_owned(), url: page.url.clone() }];
        let mut head = self.head(page, text.seo_title.unwrap_or(text.title), description, None);
        head.json_ld = structured::breadcrumbs(&breadcrumbs, &self.shop.base_url).into_iter().collect();
        let title = text.title.to_owned();
        Ok(ContentView { head, url: page.url.clone(), breadcrumbs, title, body_html: html.html, extra: text.extra })
    }

    fn page_text<'s>(&self, market: usize, source: &'s PageSource) -> PageText<'s> {
        let language = self.language(market);
        let details = |give: fn(&'s TranslatedDetails) -> Option<&'s str>| source.said(language, |page| give(&page.details));
        let mut extra = source.extra.clone();
        if let Some(own) = source.said(language, |page| Some(&page.extra)) {
            laid_over(&mut extra, own);
        }
        let translated = source.said(language, |page| page.details.text());
        let (written_at, body) = translated.unwrap_or((&source.source, &source.body_markdown));
        PageText {
            title: source.title_in(language),
            source: written_at,
            body,
            extra,
            seo_title: details(|one| one.seo_title.as_deref())
                .or(source.seo_title.as_deref().filter(|_| source.title_in(language) == source.title)),
            seo_description: details(|one| one.seo_description.as_deref())
                .or(source.seo_description.as_deref().filter(|_| translated.is_none())),
        }
    }

    pub(super) fn not_found(&self) -> ContentView {
        let title = self.sites[0].texts.plain("missing.title").to_owned();
        let head = HeadView {
            title: format!("{title} – {}", self.shop.name),
            description: String::new(),
            canonical: None,
            og_type: "website",
            image: None,
            image_size: None,
            image_alt: String::new(),
            json_ld: Vec::new(),
            alternates: Vec::new(),
            editions: Vec::new(),
            index: false,
        };
        let extra = serde_json::json!({});
        ContentView { head, url: "/404".to_owned(), breadcrumbs: Vec::new(), title, body_html: String::new(), extra }
    }

    fn per_measure_varies(&self, market: usize, product: &Product) -> bool {
        let currency = self.rules.markets[market].currency;
        let told = |variant: &Variant| variant.per_measure(variant.current_price(currency, self.at)?.unit);
        product.variants.windows(2).any(|pair| told(&pair[0]) != told(&pair[1]))
    }

    // Of a product that is not reduced nothing is said.
    fn is_lowest(&self, market: usize, product: &Product) -> bool {
        let currency = self.rules.markets[market].currency;
        let current = product.variants.iter().filter_map(|variant| variant.current_price(currency, self.at));
        let mut struck = current.filter(|price| price.compare_at.is_some()).peekable();
        struck.peek().is_some() && struck.all(|price| price.is_lowest)
    }

    /// Whether a product's card shows a struck-out price.
    fn is_reduced(&self, market: usize, index: usize) -> bool {
        self.offers[market][index].cheapest.is_some_and(|current| current.compare_at.is_some())
    }

    fn variant(&self, market: usize, product: &Product, variant: &Variant, translations: &[TranslatedDetails]) -> VariantView {
        let language = self.language(market);
        let words = &self.rules.words;
        let currency = self.rules.markets[market].currency;
        let current = variant.current_price(currency, self.at);
        let until = current.and_then(|price| price.until);
        let after = until.and_then(|until| variant.current_price(currency, until));
        let per_measure = |price: Option<CurrentPrice>| Some(PerMeasureView::new(variant.per_measure(price?.unit)?, language));
        VariantView {
            sku: variant.sku.clone(),
            title: product.variant_title_in(variant, words, language),
            option_values: variant.option_values.iter().map(|value| product.word_in(words, language, value).to_owned()).collect(),
            price: current.map(|price| price.unit),
            compare_at: current.and_then(|price| price.compare_at),
            sale_until: until.map(|until| last_day(until, current.map_or(0, |price| price.until_offset_minutes))),
            sale_ends_at: until.map(feeds::rfc3339),
            price_after: after.map(|price| price.unit),
            compare_at_after: after.and_then(|price| price.compare_at),
            availability: if current.is_some() { self.availability(variant) } else { Availability::NotForSale },
            image: variant.image.as_ref().and_then(|image| self.image_in(translations, language, image)),
            gtin: variant.gtin.clone(),
            content: variant.content.as_ref().map(|content| MeasureView::new(content.amount, language)),
            per_measure: per_measure(current),
            per_measure_after: per_measure(after),
            measured: variant.content.as_deref().copied(),
        }
    }

    // Named ones first, then what is most alike beside it on its shelf, as far as it fills whole rows.
    pub(super) fn related(&self, index: usize) -> Vec<usize> {
        let catalog = &self.loaded.catalog;
        let named = self.loaded.products[index].related.iter().map(|other| *other as usize);
        let mut chosen: Vec<usize> = named.filter(|other| self.plan.shown[*other] && *other != index).collect();
        if chosen.len() >= RELATED {
            chosen.truncate(RELATED);
            return chosen;
        }
        let product = &catalog.products()[index];
        if let Some(shelf) = self.plan.home_shelves[index].map(|category| &self.plan.shelves[category]) {
            // Shelves are sorted by title.
            let place = shelf.binary_search_by(|other| {
                (catalog.products()[*other].title.as_str(), *other).cmp(&(product.title.as_str(), index))
            });
            let traits = self.traits.get_or_init(|| Traits::new(self.loaded));
            if let Ok(place) = place {
                let named = chosen.len();
                chosen.extend(traits.neighbors(shelf, place, RELATED - named, &chosen));
                chosen.truncate(named.max(chosen.len() - chosen.len() % ROW).max(ROW));
            }
        }
        chosen
    }

    /// The final address of a picture, by the one it was written with. `None`: it cannot be read.
    pub(super) fn picture_url(&self, written: &str) -> Option<String> {
        match self.assets.find(written.trim_start_matches('/')) {
            Some(file) => (!file.is_nothing()).then(|| file.url()),
            None => Some(written.to_owned()),
        }
    }

    fn product_breadcrumbs(&self, page: &Page, index: usize) -> Vec<Link> {
        let ways = &self.ways[page.market];
        let trail = self.plan.home_shelves[index].map_or(std::slice::from_ref(&ways.home), |shelf| &ways.trails[shelf]);
        let mut links = Vec::with_capacity(trail.len() + 1);
        links.extend_from_slice(trail);
        links.push(Link { title: self.title(page.market, index).to_owned(), url: page.url.clone() });
        links
    }

    fn category_cards(&self, market: usize) -> Vec<CategoryCard> {
        let categories = self.loaded.catalog.categories();
        let language = self.language(market);
        let mut top: Vec<usize> = (0..categories.len()).filter(|index| categories[*index].path.parent().is_none()).collect();
        top.sort_by_key(|index| (categories[*index].order, categories[*index].title_in(language)));
        let card = |index: usize| {
            let shelf = &self.plan.shelves[index];
            let own = self.loaded.categories[index].image.as_ref();
            let products = self.loaded.catalog.products();
            let image = own.or_else(|| shelf.iter().find_map(|product| products[*product].image.as_ref()));
            CategoryCard {
                title: categories[index].title_in(language).to_owned(),
                url: self.with_addresses(market, |addresses| addresses.category(&categories[index].path, 1)),
                image: image.and_then(|image| final_image(self.assets, image, Shown::Card)),
                total: shelf.len(),
            }
        };
        top.into_iter().map(card).collect()
    }

    /// What tells the later parts of a category from the first.
    pub(super) fn part(&self, market: usize, number: usize) -> String {
        if number == 1 {
            return String::new();
        }
        format!(" – {}", Say::of("category.part").with("number", number).text(&self.sites[market]))
    }

    fn tax_name(&self, market: usize) -> String {
        let country = self.rules.markets[market].countries.first();
        let rates = self.rules.tax.rates.iter().find(|rates| Some(&rates.country) == country);
        rates.map_or_else(
            || self.sites[market].texts.plain("product.tax").to_owned(),
            |rates| self.word(market, &rates.name).to_owned(),
        )
    }
}

// A translation's own; an original's only where its text is not translated, since it would be in the other language.
fn own_description(translations: &[TranslatedDetails], language: &str, original: Option<String>) -> Option<String> {
    let own = said(translations, language, |one| one.seo_description.clone());
    own.or_else(|| original.filter(|_| said(translations, language, |one| one.body.as_ref()).is_none()))
}

/// What a content page says in one language.
struct PageText<'a> {
    title: &'a str,
    source: &'a Source,
    body: &'a str,
    extra: serde_json::Value,
    seo_title: Option<&'a str>,
    seo_description: Option<&'a str>,
}

// Keys of a translation over those of the original, tables within tables too.
fn laid_over(original: &mut serde_json::Value, translation: &serde_json::Value) {
    match (original, translation) {
        (serde_json::Value::Object(original), serde_json::Value::Object(translation)) => {
            for (key, value) in translation {
                laid_over(original.entry(key.clone()).or_insert(serde_json::Value::Null), value);
            }
        }
        (original, translation) => *original = translation.clone(),
    }
}

// A sale ends at an instant; the last day on which it still holds is the one before, unless it ends within a day. Days are those of the
// clock by which the merchant wrote the end: midnight in New York is the end of a day there, and the small hours of the next in UTC.
pub(super) fn last_day(until: crate::commerce::ids::Timestamp, offset_minutes: i16) -> String {
    let last = jiff::Timestamp::from_second(until.0 - 1).unwrap_or(jiff::Timestamp::MAX);
    let offset = jiff::tz::Offset::from_seconds(i32::from(offset_minutes) * 60).unwrap_or(jiff::tz::Offset::UTC);
    offset.to_datetime(last).date().to_string()
}
