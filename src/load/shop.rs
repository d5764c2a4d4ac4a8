//! Shop: what there is to buy, found out as a stranger would.
//!
//! Owns    the look at the sitemap, at availability and into a first cart; products that cannot simply be bought are left out and counted.
//! Limits  `MAX_PARTS` files of a sitemap index; four times as many products are looked at as are wanted.
//! Always  the same seed and the same shop give the same products.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::client::{Answer, Client, Lost};
use super::draw::Draw;
use super::scenario::Person;

/// Files of one sitemap index that are read: a million addresses.
const MAX_PARTS: usize = 20;
/// Products that are looked at for each that is wanted: some are sold out or want a text.
const LOOKS: usize = 4;
/// Where products are, in every shop (`url_prefix` is of categories and moved shops' old addresses).
const PRODUCTS: &str = "/products/";

/// Something that can be bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// Last part of the product's address.
    pub product: String,
    /// Its page.
    pub page: String,
    /// The variant.
    pub sku: String,
    /// What its page says it costs.
    pub unit_minor: i64,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Text of a sitemap; `None`: it is asked of the pages.
    pub sitemap: Option<&'a str>,
    /// Market; `None`: the root market.
    pub market: Option<&'a str>,
    /// Most products.
    pub products: usize,
    /// Variants that were named.
    pub skus: &'a [String],
    /// Whether any other product is wanted.
    pub any: bool,
    /// Who shops, where a checkout is wanted.
    pub person: Option<&'a Person>,
    /// What decides which products.
    pub seed: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What was named, then the others.
    pub goods: Vec<Good>,
    /// Products of the sitemap.
    pub listed: usize,
    /// Products that were left out, by why.
    pub left_out: BTreeMap<String, usize>,
}

/// Why nothing can be bought.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ShopError {
    /// Nobody answers.
    #[error("{origin} does not answer ({reason}); start the shop, with `vitrine serve` or `vitrine edge`")]
    Silent {
        /// Where.
        origin: String,
        /// Why.
        reason: String,
    },
    /// There is no sitemap to know products from.
    #[error(
        "{origin}/sitemap.xml answers {status}: products are known from the sitemap; an edge has no pages, so name their host with \
         --pages http://127.0.0.1:8080, or the file with --sitemap public/sitemap.xml"
    )]
    NoSitemap {
        /// Where.
        origin: String,
        /// With what.
        status: u16,
    },
    /// The sitemap names no product.
    #[error("the sitemap names no page below /products/: publish a product first")]
    NoProducts,
    /// None of them can be bought.
    #[error("none of {looked} products can be bought: {reasons}")]
    NothingToBuy {
        /// How many were looked at.
        looked: usize,
        /// Why, with counts.
        reasons: String,
    },
    /// A named variant cannot be bought.
    #[error("{sku} cannot be put into a cart ({reason}); name a variant that is for sale")]
    NotForSale {
        /// Which.
        sku: String,
        /// Why.
        reason: String,
    },
    /// The address is none that the shop delivers to.
    #[error(
        "the shop does not deliver to {country} ({reason}); write country, postal_code, region and city of an address that it \
         delivers to under [shopper] in a scenario file"
    )]
    NoDelivery {
        /// Where to.
        country: String,
        /// Why.
        reason: String,
    },
}

#[derive(Deserialize)]
struct AvailabilitySeen {
    variants: Vec<VariantSeen>,
}

#[derive(Deserialize)]
struct VariantSeen {
    sku: String,
    price: Option<MoneySeen>,
    availability: String,
}

#[derive(Deserialize)]
struct MoneySeen {
    amount: i64,
}

#[derive(Deserialize)]
struct CartSeen {
    lines: Vec<LineSeen>,
    #[serde(default)]
    messages: Vec<MessageSeen>,
}

#[derive(Deserialize)]
struct LineSeen {
    sku: String,
    product: String,
    url: String,
    unit_price: MoneySeen,
}

#[derive(Deserialize)]
struct MessageSeen {
    code: String,
    severity: String,
    text: String,
}

/// Looks what there is.
pub async fn explore(shop: &Client, pages: Option<&Client>, wish: &Wish<'_>) -> Result<Found, ShopError> {
    let mut found = Found::default();
    for sku in wish.skus {
        let good = buyable(shop, sku, wish).await?;
        let good = good.map_err(|reason| ShopError::NotForSale { sku: sku.clone(), reason })?;
        found.goods.push(good);
    }
    if wish.any {
        let slugs = listed(pages.unwrap_or(shop), wish).await?;
        found.listed = slugs.len();
        let wanted = found.goods.len() + wish.products;
        let mut looked = 0;
        for slug in slugs.iter().take(wish.products * LOOKS) {
            if found.goods.len() == wanted {
                break;
            }
            looked += 1;
            match offered(shop, slug, wish).await? {
                Ok(good) => found.goods.push(good),
                Err(reason) => *found.left_out.entry(reason).or_default() += 1,
            }
        }
        if found.goods.is_empty() {
            let reasons: Vec<String> = found.left_out.iter().map(|(reason, count)| format!("{count} × {reason}")).collect();
            return Err(ShopError::NothingToBuy { looked, reasons: reasons.join(", ") });
        }
    }
    if let (Some(person), Some(good)) = (wish.person, found.goods.first()) {
        delivered(shop, &good.sku, person, wish).await?;
    }
    Ok(found)
}

/// Products of the sitemap, in the seed's order.
async fn listed(pages: &Client, wish: &Wish<'_>) -> Result<Vec<String>, ShopError> {
    let mut slugs = BTreeSet::new();
    match wish.sitemap {
        Some(text) => slugs.extend(products_of(text)),
        None => {
            let text = fetched(pages, "/sitemap.xml").await?;
            if text.contains("<sitemapindex") {
                for address in locations(&text).take(MAX_PARTS) {
                    let path = path_of(address).unwrap_or(address);
                    slugs.extend(products_of(&fetched(pages, path).await?));
                }
            } else {
                slugs.extend(products_of(&text));
            }
        }
    }
    if slugs.is_empty() {
        return Err(ShopError::NoProducts);
    }
    let mut slugs: Vec<String> = slugs.into_iter().collect();
    Draw::of(wish.seed, u64::MAX).shuffle(&mut slugs);
    Ok(slugs)
}

async fn fetched(pages: &Client, path: &str) -> Result<String, ShopError> {
    let answer = ask(pages, Method::GET, path, None, None).await?;
    if answer.status != StatusCode::OK {
        return Err(ShopError::NoSitemap { origin: pages.target().to_string(), status: answer.status.as_u16() });
    }
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

fn locations(sitemap: &str) -> impl Iterator<Item = &str> {
    sitemap.split("<loc>").skip(1).filter_map(|rest| rest.split_once("</loc>")).map(|(address, _)| address.trim())
}

fn path_of(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    rest.find('/').map(|slash| &rest[slash..])
}

/// Last parts of the root market's product pages.
fn products_of(sitemap: &str) -> impl Iterator<Item = String> {
    let slugs = locations(sitemap).filter_map(|address| path_of(address)?.strip_prefix(PRODUCTS));
    slugs.map(|slug| slug.trim_end_matches('/').to_owned()).filter(|slug| !slug.is_empty() && !slug.contains('/'))
}

/// A product's first variant that can be bought; else why there is none.
async fn offered(shop: &Client, slug: &str, wish: &Wish<'_>) -> Result<Result<Good, String>, ShopError> {
    let answer = ask(shop, Method::GET, &availability(slug, wish.market), None, None).await?;
    if answer.status != StatusCode::OK {
        return Ok(Err(reason(&answer)));
    }
    let Ok(seen) = serde_json::from_slice::<AvailabilitySeen>(&answer.body) else {
        return Ok(Err("an availability that cannot be read".to_owned()));
    };
    let is_sold = |variant: &&VariantSeen| {
        variant.price.is_some() && !matches!(variant.availability.as_str(), "out_of_stock" | "not_for_sale")
    };
    match seen.variants.iter().find(is_sold) {
        Some(variant) => buyable(shop, &variant.sku, wish).await,
        None => Ok(Err("sold out".to_owned())),
    }
}

/// Address of a product's price and stock.
pub(super) fn availability(slug: &str, market: Option<&str>) -> String {
    let market = market.map_or(String::new(), |market| format!("?market={market}"));
    format!("/api/v1/availability/{slug}{market}")
}

/// What a cart says of a variant; else why it takes none.
async fn buyable(shop: &Client, sku: &str, wish: &Wish<'_>) -> Result<Result<Good, String>, ShopError> {
    let answer = ask(shop, Method::POST, "/api/v1/cart/lines", Some(&line(sku, 1, None, wish.market)), None).await?;
    if answer.status != StatusCode::OK {
        return Ok(Err(reason(&answer)));
    }
    let cart: Option<CartSeen> = serde_json::from_slice(&answer.body).ok();
    let line = cart.and_then(|cart| cart.lines.into_iter().find(|line| line.sku == sku));
    Ok(line.ok_or_else(|| "a cart that cannot be read".to_owned()).map(|line| {
        let page = path_of(&line.url).unwrap_or(&line.url).to_owned();
        Good { product: line.product, page, sku: line.sku, unit_minor: line.unit_price.amount }
    }))
}

/// Body of a line that is added.
pub(super) fn line(sku: &str, quantity: u32, seen_price_minor: Option<i64>, market: Option<&str>) -> serde_json::Value {
    let mut line = json!({"sku": sku, "quantity": quantity});
    if let Some(seen) = seen_price_minor {
        line["seen_price_minor"] = seen.into();
    }
    if let Some(market) = market {
        line["market"] = market.into();
    }
    line
}

/// Whether the shop takes the address.
async fn delivered(shop: &Client, sku: &str, person: &Person, wish: &Wish<'_>) -> Result<(), ShopError> {
    let not = |reason| ShopError::NoDelivery { country: person.country.clone(), reason };
    let first = ask(shop, Method::POST, "/api/v1/cart/lines", Some(&line(sku, 1, None, wish.market)), None).await?;
    let token = first.headers.get("cart-token").cloned();
    let mut place = json!({"country": person.country, "postal_code": person.postal_code});
    if !person.region.is_empty() {
        place["region"] = person.region.clone().into();
    }
    let answer = ask(shop, Method::PUT, "/api/v1/cart/destination", Some(&place), token).await?;
    if answer.status != StatusCode::OK {
        return Err(not(reason(&answer)));
    }
    let cart: Option<CartSeen> = serde_json::from_slice(&answer.body).ok();
    let wrong = cart.and_then(|cart| cart.messages.into_iter().find(|message| message.severity == "error"));
    wrong.map_or(Ok(()), |message| Err(not(format!("{}: {}", message.code, message.text))))
}

fn reason(answer: &Answer) -> String {
    let code = problem_code(answer);
    code.unwrap_or_else(|| format!("status {}", answer.status.as_u16()))
}

/// The code of a problem document.
pub(super) fn problem_code(answer: &Answer) -> Option<String> {
    #[derive(Deserialize)]
    struct ProblemSeen {
        code: String,
    }
    let kind = answer.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    if !kind.starts_with("application/problem+json") {
        return None;
    }
    serde_json::from_slice::<ProblemSeen>(&answer.body).ok().map(|problem| problem.code)
}

// A first look is no shopper: it carries its cart in a header, and nothing of it is counted.
async fn ask(
    client: &Client,
    method: Method,
    path: &str,
    body: Option<&serde_json::Value>,
    token: Option<http::HeaderValue>,
) -> Result<Answer, ShopError> {
    let silent = |reason: String| ShopError::Silent { origin: client.target().to_string(), reason };
    let mut request = Request::builder().method(method).uri(path).header(header::ACCEPT, "application/json");
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    if let Some(token) = token {
        request = request.header("cart-token", token);
    }
    let bytes = body.map_or_else(Bytes::new, |body| body.to_string().into());
    let request = request.body(Full::new(bytes)).map_err(|error| silent(error.to_string()))?;
    let (_, answer) = client.ask(request, Instant::now()).await;
    answer.map_err(|lost: Lost| silent(lost.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_the_root_market() {
        let sitemap = "<urlset><url><loc>https://shop.example/</loc></url><url><loc>https://shop.example/products/lamp</loc></url>\
             <url><loc>https://shop.example/de/products/lamp</loc></url><url><loc> https://shop.example/products/cup/ </loc></url>\
             <url><loc>https://shop.example/categories/products/lamp</loc></url></urlset>";
        assert_eq!(products_of(sitemap).collect::<Vec<_>>(), ["lamp", "cup"]);
        assert_eq!(path_of("https://shop.example"), None);
    }
}
