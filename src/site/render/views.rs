//! Views: the values of each page kind, from the loaded shop.

use super::cards::Cards;
use super::expand::{Html, Place};
use super::{PrintError, Printer, feeds, markdown, structured};
use crate::commerce::catalog::{Image, Variant};
use crate::site::assets::AssetFile;
use crate::site::load::ProductDetails;
use crate::site::plan::Page;
use crate::site::related::Traits;
use crate::theme::texts::Say;
use crate::theme::view::{
    Availability, Card, CategoryCard, CategoryView, ContentView, HeadView, HomeView, Link, ProductView, VariantView,
};

/// Characters of a description: what result pages show.
const DESCRIPTION_LENGTH: usize = 160;
/// Characters of a description in structured data: the page itself holds the whole text.
const STRUCTURED_DESCRIPTION_LENGTH: usize = 500;
/// Products named as going with another.
const RELATED: usize = 8;
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
        let ProductDetails { source, body, images, tags, mut attributes, seo_title, seo_description, .. } = details;
        attributes.retain(|(name, _)| !feeds::is_for_the_feed(name));
        let offer = &self.offers[page.market][index];
        let text = self.body_html(Place::of(page, &product.title), &source, body)?;
        let plain = markdown::summary(text.plain(), STRUCTURED_DESCRIPTION_LENGTH);
        let description = seo_description.unwrap_or_else(|| markdown::shortened(&plain, DESCRIPTION_LENGTH));
        let images: Vec<Image> = images.into_iter().map(|image| self.image(&image)).collect();
        let mut head = self.head(page, seo_title.as_deref().unwrap_or(&product.title), description, images.first());
        head.og_type = "product";
        let mut view = ProductView {
            head,
            breadcrumbs: self.product_breadcrumbs(page, index),
            slug: product.slug.to_string(),
            url: page.url.clone(),
            title: product.title.clone(),
            brand: product.brand.clone(),
            description_html: text.html,
            images,
            options: product.options.clone(),
            price: offer.cheapest.map(|current| current.unit),
            price_varies: offer.varies,
            availability: offer.availability,
            variants: product.variants.iter().map(|variant| self.variant(page.market, variant)).collect(),
            quantity: product.quantity,
            properties: product.properties.clone(),
            attributes,
            tags,
            related: self.related(index).into_iter().map(|other| self.card(page.market, other, cards)).collect(),
            tax_name: self.tax_name(page.market),
        };
        let base_url = &self.shop.base_url;
        view.head.json_ld = [structured::product(&view, base_url, &plain), structured::breadcrumbs(&view.breadcrumbs, base_url)]
            .into_iter()
            .flatten()
            .collect();
        Ok(view)
    }

    /// What a product's page says of itself in a line.
    pub(super) fn description(&self, details: ProductDetails) -> String {
        let ProductDetails { body, seo_description, .. } = details;
        seo_description.unwrap_or_else(|| markdown::summary(&self.plain_body(body), DESCRIPTION_LENGTH))
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
        let place = Place::of(page, &category.title);
        let text = match number {
            1 => self.html(place, &details.source, &details.body_markdown)?,
            _ => Html::plain_only(&details.body_markdown),
        };
        let mut description =
            details.seo_description.clone().unwrap_or_else(|| markdown::summary(text.plain(), DESCRIPTION_LENGTH));
        if description.is_empty() {
            let say = Say::of("category.summary").with("title", &category.title).with("shop", &self.shop.name);
            description = say.counting(total as u64).text(&self.sites[page.market]);
        }
        let cards: Vec<Card> =
            self.shelf_part(&self.plan.shelves[index], number).map(|product| self.card(page.market, *product, cards)).collect();
        let title = format!("{}{}", details.seo_title.as_deref().unwrap_or(&category.title), self.part(page.market, number));
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
            title: category.title.clone(),
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
        let description = index.and_then(|source| source.seo_description.clone()).unwrap_or_else(|| self.shop.tagline.clone());
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
        let title = index.map_or(self.shop.name.as_str(), |source| source.seo_title.as_deref().unwrap_or(&self.shop.name));
        let text = index.map(|source| self.html(Place::of(page, title), &source.source, &source.body_markdown)).transpose()?;
        Ok(HomeView {
            head: self.head(page, title, description, image.as_ref()),
            url: page.url.clone(),
            body_html: text.map_or_else(String::new, |text| text.html),
            extra: index.map_or_else(|| serde_json::json!({}), |source| source.extra.clone()),
            featured,
            reduced,
            categories: self.category_cards(page.market),
        })
    }

    pub(super) fn content(&self, page: &Page, index: usize) -> Result<ContentView, PrintError> {
        let source = &self.loaded.pages[index];
        let text = self.html(Place::of(page, &source.title), &source.source, &source.body_markdown)?;
        let description = source.seo_description.clone().unwrap_or_else(|| markdown::summary(text.plain(), DESCRIPTION_LENGTH));
        let home = self.ways[page.market].home.clone();
        let breadcrumbs = vec![home, Link { title: source.title.clone(), url: page.url.clone() }];
        let mut head = self.head(page, source.seo_title.as_deref().unwrap_or(&source.title), description, None);
        head.json_ld = structured::breadcrumbs(&breadcrumbs, &self.shop.base_url).into_iter().collect();
        Ok(ContentView {
            head,
            url: page.url.clone(),
            breadcrumbs,
            title: source.title.clone(),
            body_html: text.html,
            extra: source.extra.clone(),
        })
    }

    pub(super) fn not_found(&self) -> ContentView {
        let title = self.sites[0].texts.plain("missing.title").to_owned();
        let head = HeadView {
            title: format!("{title} – {}", self.shop.name),
            description: String::new(),
            canonical: None,
            og_type: "website",
            image: None,
            json_ld: Vec::new(),
            alternates: Vec::new(),
            index: false,
        };
        let extra = serde_json::json!({});
        ContentView { head, url: "/404".to_owned(), breadcrumbs: Vec::new(), title, body_html: String::new(), extra }
    }

    /// Whether a product's card shows a struck-out price.
    fn is_reduced(&self, market: usize, index: usize) -> bool {
        self.offers[market][index].cheapest.is_some_and(|current| current.compare_at.is_some())
    }

    fn variant(&self, market: usize, variant: &Variant) -> VariantView {
        let currency = self.rules.markets[market].currency;
        let current = variant.current_price(currency, self.at);
        let until = current.and_then(|price| price.until);
        let after = until.and_then(|until| variant.current_price(currency, until));
        VariantView {
            sku: variant.sku.clone(),
            title: variant.title(),
            option_values: variant.option_values.clone(),
            price: current.map(|price| price.unit),
            compare_at: current.and_then(|price| price.compare_at),
            sale_until: until.map(last_day),
            sale_ends_at: until.map(feeds::rfc3339),
            price_after: after.map(|price| price.unit),
            compare_at_after: after.and_then(|price| price.compare_at),
            availability: if current.is_some() { self.availability(variant) } else { Availability::NotForSale },
            image: variant.image.as_ref().map(|image| self.image(image)),
            gtin: variant.gtin.clone(),
        }
    }

    // Named ones first, then what is most alike beside it on its shelf.
    pub(super) fn related(&self, index: usize) -> Vec<usize> {
        let catalog = &self.loaded.catalog;
        let named = self.loaded.products[index].related.iter().copied();
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
                chosen.extend(traits.neighbors(shelf, place, RELATED - chosen.len(), &chosen));
            }
        }
        chosen
    }

    /// A picture with its final address and its size.
    pub(super) fn image(&self, image: &Image) -> Image {
        crate::site::final_image(self.assets, image)
    }

    /// The final address of a picture, by the one it was written with.
    pub(super) fn picture_url(&self, written: &str) -> String {
        self.assets.find(written.trim_start_matches('/')).map_or_else(|| written.to_owned(), AssetFile::url)
    }

    fn product_breadcrumbs(&self, page: &Page, index: usize) -> Vec<Link> {
        let ways = &self.ways[page.market];
        let trail = self.plan.home_shelves[index].map_or(std::slice::from_ref(&ways.home), |shelf| &ways.trails[shelf]);
        let mut links = Vec::with_capacity(trail.len() + 1);
        links.extend_from_slice(trail);
        links.push(Link { title: self.loaded.catalog.products()[index].title.clone(), url: page.url.clone() });
        links
    }

    fn category_cards(&self, market: usize) -> Vec<CategoryCard> {
        let categories = self.loaded.catalog.categories();
        let mut top: Vec<usize> = (0..categories.len()).filter(|index| categories[*index].path.parent().is_none()).collect();
        top.sort_by_key(|index| (categories[*index].order, &categories[*index].title));
        let card = |index: usize| {
            let shelf = &self.plan.shelves[index];
            let own = self.loaded.categories[index].image.as_ref();
            let products = self.loaded.catalog.products();
            let image = own.or_else(|| shelf.iter().find_map(|product| products[*product].image.as_ref()));
            CategoryCard {
                title: categories[index].title.clone(),
                url: self.with_addresses(market, |addresses| addresses.category(&categories[index].path, 1)),
                image: image.map(|image| self.image(image)),
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
        rates.map_or_else(|| self.sites[market].texts.plain("product.tax").to_owned(), |rates| rates.name.clone())
    }
}

// A sale ends at an instant; the last day on which it still holds is the one before, unless it ends within a day.
fn last_day(until: crate::commerce::ids::Timestamp) -> String {
    let last = jiff::Timestamp::from_second(until.0 - 1).unwrap_or(jiff::Timestamp::MAX);
    last.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}
