//! Cards: products on a grid, each made once for the many pages that show it.

use foldhash::HashMap;
use rayon::prelude::*;

use super::{Printer, feeds, views};
use crate::commerce::catalog::{CurrentPrice, Product, Variant};
use crate::commerce::ids::Timestamp;
use crate::commerce::measure::PerMeasure;
use crate::commerce::money::Currency;
use crate::site::assets::AssetSet;
use crate::site::plan::Addresses;
use crate::site::{Shown, final_image};
use crate::theme::view::{Availability, Card, CardSaleView, CardView, PerMeasureView};

/// Cards that one thread remembers: some shelves of them.
const REMEMBERED: usize = 4096;

/// What a product is offered at in one market.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Lowest price of its variants; `None`: not for sale here.
    pub cheapest: Option<CurrentPrice>,
    /// What one measure of the variant with that price costs.
    pub per_measure: Option<PerMeasure>,
    /// Whether variants differ in price.
    pub varies: bool,
    /// Best of its variants.
    pub availability: Availability,
    /// Of a sale that ends: the first instant from which another price is shown, and the offer from then on.
    pub after: Option<(Timestamp, Box<Offer>)>,
}

/// Changes of prices that are looked at for one that a card shows: further ones are seen by a later build.
const CHANGES_MAX: usize = 16;

/// The cards that one thread has made, by market and product.
#[derive(Debug, Default)]
pub struct Cards(HashMap<(usize, usize), Card>);

impl Printer<'_> {
    /// What all products are offered at in a market.
    pub fn offers(&self, market: usize) -> Vec<Offer> {
        let currency = self.rules.markets[market].currency;
        self.loaded.catalog.products().par_iter().map(|product| self.offer(product, currency)).collect()
    }

    fn offer(&self, product: &Product, currency: Currency) -> Offer {
        let mut offer = self.offer_at(product, currency, self.at);
        let shown = |offer: &Offer| offer.cheapest.map(|current| (current.unit, current.compare_at));
        let looks = if offer.cheapest.is_some_and(|current| current.until.is_some()) { CHANGES_MAX } else { 0 };
        let mut at = self.at;
        // Where several variants have the lowest price, another one may hold it for a while.
        for _ in 0..looks {
            let Some(next) = product.next_price_change_at(&[currency], at) else { break };
            let then = self.offer_at(product, currency, next);
            if shown(&then) != shown(&offer) {
                offer.after = Some((next, Box::new(then)));
                break;
            }
            at = next;
        }
        offer
    }

    fn offer_at(&self, product: &Product, currency: Currency, at: Timestamp) -> Offer {
        let mut offer =
            Offer { cheapest: None, per_measure: None, varies: false, availability: Availability::NotForSale, after: None };
        for (variant, number) in product.variants.iter().zip(0..) {
            let Some(current) = variant.current_price(currency, at) else { continue };
            let availability = self.availability(variant);
            if number == 0 || availability.rank() < offer.availability.rank() {
                offer.availability = availability;
            }
            offer.varies |= offer.cheapest.is_some_and(|cheapest| cheapest.unit != current.unit);
            if offer.cheapest.is_none_or(|cheapest| current.unit < cheapest.unit) {
                (offer.cheapest, offer.per_measure) = (Some(current), variant.per_measure(current.unit));
            }
        }
        offer
    }

    /// Whether a variant can be bought, by the snapshot or its opening stock.
    pub(super) fn availability(&self, variant: &Variant) -> Availability {
        // Most shops build without a snapshot.
        let counted = if self.stock.is_empty() { None } else { self.stock.get(&variant.sku).copied() };
        Availability::of(variant.stock_policy, counted.unwrap_or(variant.opening_stock))
    }

    /// A product on a grid.
    pub(super) fn card(&self, market: usize, index: usize, cards: &mut Cards) -> Card {
        if let Some(card) = cards.0.get(&(market, index)) {
            return card.clone();
        }
        if cards.0.len() >= REMEMBERED {
            cards.0.clear();
        }
        let product = &self.loaded.catalog.products()[index];
        let offer = &self.offers[market][index];
        let language = self.language(market);
        let card =
            Card::new(self.with_addresses(market, |addresses| card_view(product, offer, self.assets, addresses, language)));
        cards.0.insert((market, index), card.clone());
        card
    }
}

/// What a card says of a product.
pub(super) fn card_view(
    product: &Product,
    offer: &Offer,
    assets: &AssetSet,
    addresses: Addresses<'_>,
    language: &str,
) -> CardView {
    CardView {
        url: addresses.product(product.slug.as_str()),
        title: product.title_in(language).to_owned(),
        brand: product.brand.clone(),
        image: product.image.as_ref().and_then(|image| final_image(assets, image, Shown::Card)),
        price: offer.cheapest.map(|current| current.unit),
        price_varies: offer.varies,
        compare_at: offer.cheapest.and_then(|current| current.compare_at),
        is_lowest: offer.cheapest.is_some_and(|current| current.is_lowest),
        per_measure: offer.per_measure.map(|per| PerMeasureView::new(per, language)),
        sale: offer.sale(language),
        availability: offer.availability,
        variant_count: product.variants.len(),
    }
}

impl Offer {
    /// The end of the sale that it shows, and what is shown from then on; `None`: it shows none, or none that ends.
    pub fn sale(&self, language: &str) -> Option<CardSaleView> {
        let (ends_at, then) = self.after.as_ref()?;
        let current = then.cheapest?;
        Some(CardSaleView {
            until: views::last_day(*ends_at, self.cheapest?.until_offset_minutes),
            ends_at: feeds::rfc3339(*ends_at),
            price_after: current.unit,
            price_after_varies: then.varies,
            compare_at_after: current.compare_at,
            is_lowest_after: current.is_lowest,
            per_measure_after: then.per_measure.map(|per| PerMeasureView::new(per, language)),
        })
    }
}
