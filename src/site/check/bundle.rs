//! Bundle: what the edge would sell by, read out of the written bytes.
//!
//! Owns    the shape of a bundle's payload a second time, field after field, and the price that holds at an instant, reckoned from what
//!         stands there.
//! Knows   shares no code with `theme::bundle`, which writes and opens bundles, nor with `commerce`: what both agree on is right in the file,
//!         not only in one program. Signatures are proven where a bundle is opened.
//! Always  the whole payload is gone through: a field that came, went or moved is a fault here until this says so too.

mod wire;

use self::wire::Shape::{Byte, Choice, Flag, MaybeNumber, MaybeSigned, MaybeText, Number, Signed, Text};
use self::wire::{Taken, Wire};

/// Format that this reads.
const FORMAT: u32 = 11;
/// Before the payload: magic, format, length, key, hash and signature.
const HEAD_BYTES: usize = 8 + 4 + 8 + 8 + 32 + 64;

/// What is sold and where, as it lies in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sealed<'a> {
    /// In the order of the bundle.
    pub(super) markets: Vec<Market<'a>>,
    /// By slug.
    pub(super) products: Vec<Product<'a>>,
}

/// Where one currency is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Market<'a> {
    pub(super) id: &'a str,
    /// ISO 4217.
    pub(super) currency: &'a str,
}

/// What is shown on one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Product<'a> {
    pub(super) slug: &'a str,
    pub(super) variants: Vec<Variant<'a>>,
    /// Neither draft nor archived.
    is_active: bool,
    publish_at: Option<i64>,
    expires_at: Option<i64>,
}

/// What is bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variant<'a> {
    pub(super) sku: &'a str,
    pub(super) prices: Vec<Price<'a>>,
}

/// What it costs in one currency. Amounts are minor units, instants seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Price<'a> {
    pub(super) currency: &'a str,
    unit_minor: i64,
    compare_at_minor: Option<i64>,
    sales: Vec<Sale>,
    /// Since when which price is the lowest of the days before.
    prior: Vec<(Option<i64>, i64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sale {
    price_minor: i64,
    from: Option<i64>,
    until: Option<i64>,
}

impl<'a> Sealed<'a> {
    /// Reads the bytes of a bundle.
    ///
    /// Errors: what is wrong and where.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let Some((head, payload)) = bytes.split_at_checked(HEAD_BYTES).filter(|_| bytes.starts_with(b"vitrine\0")) else {
            return Err(format!("{} bytes do not begin as a bundle does", bytes.len()));
        };
        let format = u32::from_le_bytes(part(head, 8));
        if format != FORMAT {
            return Err(format!("it has the format {format}, and this check reads {FORMAT}"));
        }
        let length = u64::from_le_bytes(part(head, 12));
        if payload.len() as u64 != length {
            return Err(format!("its head promises a payload of {length} bytes, and {} follow", payload.len()));
        }
        if blake3::hash(payload).as_bytes() != &part::<32>(head, 28) {
            return Err("its payload is not the one that its head names".to_owned());
        }
        take_all(&mut Wire::new(payload)).map_err(|fault| fault.to_string())
    }
}

impl Product<'_> {
    /// Whether it is sold at an instant.
    pub(super) fn is_sold(&self, at: i64) -> bool {
        self.is_active && holds(self.publish_at, self.expires_at, at)
    }
}

impl Variant<'_> {
    /// Its price at an instant in a currency, and what is struck out beside it.
    pub(super) fn asked(&self, currency: &str, at: i64) -> Option<(i64, Option<i64>)> {
        self.prices.iter().find(|price| price.currency == currency).map(|price| price.asked(at))
    }
}

impl Price<'_> {
    fn asked(&self, at: i64) -> (i64, Option<i64>) {
        let sale = self.sales.iter().find(|sale| holds(sale.from, sale.until, at));
        let unit = sale.map_or(self.unit_minor, |sale| sale.price_minor);
        let regular = sale.map(|_| self.unit_minor);
        let struck = self.compare_at_minor.or(regular).filter(|struck| *struck > unit);
        // Where it is known what was lowest before a reduction, that is struck out in its place.
        let prior = self.prior.iter().rfind(|(from, _)| holds(*from, None, at));
        (unit, struck.and_then(|struck| prior.map_or(Some(struck), |(_, lowest)| Some(*lowest).filter(|lowest| *lowest > unit))))
    }
}

// The second of both is the first instant after.
fn holds(from: Option<i64>, until: Option<i64>, at: i64) -> bool {
    from.is_none_or(|from| from <= at) && until.is_none_or(|until| at < until)
}

fn part<const LENGTH: usize>(head: &[u8], start: usize) -> [u8; LENGTH] {
    head[start..start + LENGTH].try_into().expect("the head has a fixed length")
}

fn take_all<'a>(wire: &mut Wire<'a>) -> Taken<Sealed<'a>> {
    wire.text().map_err(|fault| fault.within("shop_id"))?;
    wire.pass("sites_json", Wire::text)?;
    let markets = take_rules(wire).map_err(|fault| fault.within("rules"))?;
    let products = take_catalog(wire).map_err(|fault| fault.within("catalog"))?;
    wire.pass("templates", |template| template.skip(&[Text, Text]))?;
    wire.pass("assets", |asset| asset.skip(&[Text, Text, Text]))?;
    wire.pass("origins", Wire::text)?;
    wire.text().map_err(|fault| fault.within("order_prefix"))?;
    pass_terms(wire)?;
    wire.end()?;
    Ok(Sealed { markets, products })
}

fn take_rules<'a>(wire: &mut Wire<'a>) -> Taken<Vec<Market<'a>>> {
    let markets = wire.list("markets", take_market)?;
    wire.pass("tax.classes", Wire::text)?;
    wire.optional(Wire::text)?;
    wire.pass("tax.rates", |rate| {
        rate.text()?;
        rate.optional(Wire::text)?;
        rate.text()?;
        rate.pass("percent", |percent| percent.skip(&[Text, Text]))
    })?;
    wire.pass("shipping", |zone| {
        zone.skip(&[Text, Text, Text])?;
        zone.pass("countries", Wire::text)?;
        zone.pass("rates", pass_shipping_rate)
    })?;
    wire.pass("promotions", pass_promotion)?;
    wire.pass("words", |language| {
        language.text()?;
        language.pass("words", |word| word.skip(&[Text, Text]))
    })?;
    wire.skip(&[Signed, Signed])?;
    Ok(markets)
}

fn take_market<'a>(wire: &mut Wire<'a>) -> Taken<Market<'a>> {
    let id = wire.text()?;
    wire.skip(&[Text, Text])?;
    wire.pass("countries", Wire::text)?;
    let currency = wire.text()?;
    wire.text()?;
    // Tax mode, rounding, its scope, consumer law.
    wire.skip(&[Choice(2), Choice(4), Choice(2), Choice(3)])?;
    Ok(Market { id, currency })
}

fn pass_shipping_rate(wire: &mut Wire<'_>) -> Taken<()> {
    wire.skip(&[Text, Text, MaybeText])?;
    wire.optional(|days| days.skip(&[Byte, Byte]))?;
    match wire.choice(3)? {
        0 => drop(wire.signed()?),
        1 => wire.pass("weight", |tier| tier.skip(&[Number, Signed]))?,
        _ => wire.pass("value", |tier| tier.skip(&[Signed, Signed]))?,
    }
    wire.optional(Wire::signed).map(drop)
}

fn pass_promotion(wire: &mut Wire<'_>) -> Taken<()> {
    wire.skip(&[Text, Text])?;
    // By itself, or by a code.
    if wire.choice(2)? == 1 {
        wire.text()?;
    }
    match wire.choice(5)? {
        0 => drop(wire.text()?),
        1 => pass_amounts(wire)?,
        2 => {}
        3 => {
            wire.skip(&[Number, Number, Text])?;
            wire.pass("products", Wire::text)?;
            wire.pass("categories", Wire::text)?;
            wire.optional(Wire::number)?;
        }
        _ => wire.pass("tiers", |tier| {
            if tier.choice(2)? == 0 { tier.number().map(drop) } else { pass_amounts(tier) }?;
            if tier.choice(2)? == 0 { tier.text().map(drop) } else { pass_amounts(tier) }
        })?,
    }
    pass_amounts(wire)?;
    wire.number()?;
    wire.pass("markets", Wire::text)?;
    wire.pass("products", Wire::text)?;
    wire.pass("categories", Wire::text)?;
    wire.skip(&[MaybeSigned, MaybeSigned])?;
    wire.skip(&[MaybeNumber, MaybeNumber])?;
    wire.skip(&[Flag, Text])?;
    wire.pass("combines_with", Wire::text)
}

fn pass_amounts(wire: &mut Wire<'_>) -> Taken<()> {
    wire.pass("amounts", |amount| amount.skip(&[Text, Signed]))
}

fn take_catalog<'a>(wire: &mut Wire<'a>) -> Taken<Vec<Product<'a>>> {
    let products = wire.list("products", take_product)?;
    wire.pass("categories", |category| {
        category.skip(&[Text, Text])?;
        pass_translations(category)?;
        category.signed()
    })?;
    wire.pass("by_sku", |place| place.skip(&[Number, Number, Number]))?;
    Ok(products)
}

fn take_product<'a>(wire: &mut Wire<'a>) -> Taken<Product<'a>> {
    let slug = wire.text()?;
    wire.text()?;
    pass_translations(wire)?;
    wire.optional(Wire::text)?;
    wire.pass("categories", Wire::text)?;
    wire.optional(pass_image)?;
    wire.pass("options", |option| {
        option.text()?;
        option.pass("values", Wire::text)
    })?;
    let variants = wire.list("variants", take_variant)?;
    wire.text()?;
    wire.skip(&[Number, Number, Number])?;
    wire.pass("properties", |rule| rule.skip(&[Text, Text, Flag, Number]))?;
    let is_active = wire.choice(3)? == 0;
    let (publish_at, expires_at) = (wire.optional(Wire::signed)?, wire.optional(Wire::signed)?);
    Ok(Product { slug, variants, is_active, publish_at, expires_at })
}

fn take_variant<'a>(wire: &mut Wire<'a>) -> Taken<Variant<'a>> {
    let sku = wire.text()?;
    wire.pass("option_values", Wire::text)?;
    let prices = wire.list("prices", take_price)?;
    // Weight, parcel, opening stock, what happens at zero.
    wire.skip(&[Number, Flag, Number, Choice(3)])?;
    wire.optional(pass_image)?;
    wire.optional(Wire::text)?;
    // Two measures: thousandths of a unit.
    wire.optional(|content| content.skip(&[Number, Number, Number, Number]))?;
    Ok(Variant { sku, prices })
}

fn take_price<'a>(wire: &mut Wire<'a>) -> Taken<Price<'a>> {
    Ok(Price {
        currency: wire.text()?,
        unit_minor: wire.signed()?,
        compare_at_minor: wire.optional(Wire::signed)?,
        sales: wire.list("sales", |sale| {
            let taken =
                Sale { price_minor: sale.signed()?, from: sale.optional(Wire::signed)?, until: sale.optional(Wire::signed)? };
            // By which clock its end was written.
            sale.signed()?;
            Ok(taken)
        })?,
        prior: wire.list("prior", |prior| Ok((prior.optional(Wire::signed)?, prior.signed()?)))?,
    })
}

fn pass_translations(wire: &mut Wire<'_>) -> Taken<()> {
    wire.pass("translations", |translation| {
        translation.skip(&[Text, MaybeText])?;
        translation.pass("words", |word| word.skip(&[Text, Text]))
    })
}

fn pass_image(wire: &mut Wire<'_>) -> Taken<()> {
    wire.skip(&[Text, Text, MaybeNumber, MaybeNumber])
}

// How it is paid and mailed, who is told, what stands before the edge and beside it.
fn pass_terms(wire: &mut Wire<'_>) -> Taken<()> {
    let list_of_texts = |wire: &mut Wire<'_>| wire.pass("texts", Wire::text);
    wire.skip(&[Text, Flag])?;
    wire.pass("payment.methods", Wire::text)?;
    wire.skip(&[MaybeText, Flag])?;
    wire.skip(&[Text, MaybeText])?;
    wire.pass("webhooks", |webhook| {
        webhook.skip(&[Text, Text])?;
        list_of_texts(webhook)
    })?;
    wire.optional(list_of_texts)?;
    wire.skip(&[MaybeText, MaybeText])?;
    wire.optional(|pricing| {
        pricing.skip(&[Text, Number, Number])?;
        pass_price_class(pricing)?;
        pricing.pass("pricing.classes", pass_price_class)
    })?;
    wire.optional(|inventory| {
        inventory.skip(&[Text, Number])?;
        pass_inventory_class(inventory)?;
        inventory.pass("inventory.classes", pass_inventory_class)
    })?;
    wire.optional(|keeper| keeper.choice(2)).map(drop)
}

fn pass_price_class(wire: &mut Wire<'_>) -> Taken<()> {
    wire.pass("categories", Wire::text)?;
    wire.skip(&[Number, Choice(2), Number])
}

fn pass_inventory_class(wire: &mut Wire<'_>) -> Taken<()> {
    wire.pass("categories", Wire::text)?;
    wire.skip(&[Choice(2), Choice(2)])
}

#[cfg(test)]
mod tests;
