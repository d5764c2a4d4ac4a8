//! Problems of the catalogue: products, variants, prices and shelves that cannot be meant.

use std::collections::BTreeMap;

use crate::commerce::cart::{MAX_PROPERTIES, MAX_PROPERTY_BYTES, MAX_PROPERTY_KEY_BYTES, MAX_QUANTITY};
use crate::commerce::catalog::{Catalog, Price, Product};
use crate::commerce::ids::{CategoryPath, Sku, Slug, TaxClass};
use crate::commerce::money::Currency;
use crate::commerce::rules::Rules;

use super::is_amount;

/// Something in the products or categories.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogProblem {
    /// Nothing to buy.
    #[error("the product `{product}` has no variant")]
    NoVariant {
        /// Its slug.
        product: Slug,
    },
    /// Not one value per option, or a value that the option does not have.
    #[error("`{sku}` does not choose one value of every option of `{product}`")]
    WrongOptions {
        /// Its product.
        product: Slug,
        /// The variant.
        sku: Sku,
    },
    /// The shopper could not tell them apart.
    #[error("`{first}` and `{second}` have the same option values")]
    SameOptions {
        /// One.
        first: Sku,
        /// The other.
        second: Sku,
    },
    /// It could not be priced.
    #[error("the product `{product}` has the tax class `{class}`, which is not in [tax] classes")]
    UnknownTaxClass {
        /// Its slug.
        product: Slug,
        /// As written.
        class: TaxClass,
    },
    /// Its shelf does not exist.
    #[error("the product `{product}` is in the category `{category}`, which does not exist")]
    UnknownCategory {
        /// Its slug.
        product: Slug,
        /// As written.
        category: CategoryPath,
    },
    /// The shelf above does not exist.
    #[error("the category `{category}` stands below `{parent}`, which does not exist")]
    OrphanCategory {
        /// Its path.
        category: CategoryPath,
        /// The missing one.
        parent: CategoryPath,
    },
    /// No quantity fits the rule.
    #[error("the quantities of `{product}` must have 1 ≤ min ≤ max ≤ {MAX_QUANTITY} and a step of at least 1")]
    ImpossibleQuantity {
        /// Its slug.
        product: Slug,
    },
    /// A property has no limit a cart could hold, a key that is long or taken, or comes after `MAX_PROPERTIES` others.
    #[error(
        "the field `{key}` of `{product}` needs a key of its own of at most {MAX_PROPERTY_KEY_BYTES} bytes, a limit of 1 to \
         {MAX_PROPERTY_BYTES} bytes, and at most {MAX_PROPERTIES} fields beside it"
    )]
    BadProperty {
        /// Its slug.
        product: Slug,
        /// The property's key.
        key: String,
    },
    /// Outside 0 to `MAX_MINOR`, or two prices in one currency.
    #[error("`{sku}` needs one price in {currency}, zero or more and not larger than any price this shop can hold")]
    BadPrice {
        /// The variant.
        sku: Sku,
        /// The currency.
        currency: Currency,
    },
    /// Two prices would hold at once.
    #[error("two sales of `{sku}` in {currency} hold at the same time; let one end where the other begins")]
    OverlappingSales {
        /// The variant.
        sku: Sku,
        /// The currency.
        currency: Currency,
    },
    /// Warning: it never holds.
    #[error("a sale of `{sku}` in {currency} ends before it starts")]
    EmptySale {
        /// The variant.
        sku: Sku,
        /// The currency.
        currency: Currency,
    },
    /// Warning: a sale that is not cheaper.
    #[error("a sale of `{sku}` in {currency} is not below the regular price")]
    DearSale {
        /// The variant.
        sku: Sku,
        /// The currency.
        currency: Currency,
    },
    /// Warning: it is never shown.
    #[error("the product `{product}` expires before it is published")]
    NeverActive {
        /// Its slug.
        product: Slug,
    },
}

impl CatalogProblem {
    /// Whether the shop can still be built.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::EmptySale { .. } | Self::DearSale { .. } | Self::NeverActive { .. })
    }
}

impl Catalog {
    /// Everything that cannot be meant, in a catalogue whose names are unique.
    pub fn problems(&self, rules: &Rules) -> Vec<CatalogProblem> {
        let mut found = self.problems_of_categories();
        found.extend(self.products().iter().flat_map(|product| self.problems_of(product, rules)));
        found
    }

    /// Those of the shelves.
    pub fn problems_of_categories(&self) -> Vec<CatalogProblem> {
        let mut found = Vec::new();
        for category in self.categories() {
            if let Some(parent) = category.path.parent().filter(|parent| self.category_index(parent).is_none()) {
                found.push(CatalogProblem::OrphanCategory { category: category.path.clone(), parent });
            }
        }
        found
    }

    /// Those of one of its products.
    pub fn problems_of(&self, product: &Product, rules: &Rules) -> Vec<CatalogProblem> {
        let mut found = Vec::new();
        let slug = || product.slug.clone();
        for category in product.categories.iter().filter(|path| self.category_index(path).is_none()) {
            found.push(CatalogProblem::UnknownCategory { product: slug(), category: category.clone() });
        }
        if !rules.tax.classes.contains(&product.tax_class) {
            found.push(CatalogProblem::UnknownTaxClass { product: slug(), class: product.tax_class.clone() });
        }
        product_problems(product, &mut found);
        variant_problems(product, &mut found);
        found
    }
}

fn product_problems(product: &Product, found: &mut Vec<CatalogProblem>) {
    let slug = || product.slug.clone();
    if product.variants.is_empty() {
        found.push(CatalogProblem::NoVariant { product: slug() });
    }
    let rule = product.quantity;
    if rule.min < 1 || rule.min > rule.max || rule.max > MAX_QUANTITY || rule.step < 1 {
        found.push(CatalogProblem::ImpossibleQuantity { product: slug() });
    }
    for (index, property) in product.properties.iter().enumerate() {
        let is_repeated = product.properties[..index].iter().any(|other| other.key == property.key);
        let has_key = (1..=MAX_PROPERTY_KEY_BYTES).contains(&property.key.len());
        let has_limit = (1..=MAX_PROPERTY_BYTES).contains(&(property.max_bytes as usize));
        if is_repeated || !has_key || !has_limit || index >= MAX_PROPERTIES {
            found.push(CatalogProblem::BadProperty { product: slug(), key: property.key.clone() });
        }
    }
    if matches!((product.publish_at, product.expires_at), (Some(from), Some(until)) if until <= from) {
        found.push(CatalogProblem::NeverActive { product: slug() });
    }
}

fn variant_problems(product: &Product, found: &mut Vec<CatalogProblem>) {
    let mut by_options = BTreeMap::new();
    for variant in &product.variants {
        let chosen = &variant.option_values;
        let fits = product.options.iter().zip(chosen).all(|(option, value)| option.values.contains(value));
        if chosen.len() != product.options.len() || !fits {
            found.push(CatalogProblem::WrongOptions { product: product.slug.clone(), sku: variant.sku.clone() });
        }
        if let Some(first) = by_options.insert(chosen, &variant.sku) {
            found.push(CatalogProblem::SameOptions { first: first.clone(), second: variant.sku.clone() });
        }
        for (index, price) in variant.prices.iter().enumerate() {
            let is_repeated = variant.prices[..index].iter().any(|other| other.currency == price.currency);
            price_problems(&variant.sku, price, is_repeated, found);
        }
    }
}

fn price_problems(sku: &Sku, price: &Price, is_repeated: bool, found: &mut Vec<CatalogProblem>) {
    let (sku, currency) = (|| sku.clone(), price.currency);
    let amounts = price.sales.iter().map(|sale| sale.price_minor).chain(price.compare_at_minor).chain([price.unit_minor]);
    if is_repeated || !amounts.into_iter().all(is_amount) {
        found.push(CatalogProblem::BadPrice { sku: sku(), currency });
    }
    for (index, sale) in price.sales.iter().enumerate() {
        if matches!((sale.from, sale.until), (Some(from), Some(until)) if until <= from) {
            found.push(CatalogProblem::EmptySale { sku: sku(), currency });
        } else if price.sales[..index].iter().any(|earlier| earlier.overlaps(sale)) {
            found.push(CatalogProblem::OverlappingSales { sku: sku(), currency });
        }
        if sale.price_minor >= price.unit_minor {
            found.push(CatalogProblem::DearSale { sku: sku(), currency });
        }
    }
}
