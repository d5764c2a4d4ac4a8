//! Sealed: the bundle of a build, for the edge.
//!
//! Owns    what goes into it, and the key by which one that would be the same again is left as it is.

use std::io::{self, Seek, Write};

use super::assets::AssetSet;
use super::build::Order;
use super::disk::WriteError;
use super::draft::Draft;
use super::keys::{Key, Keys, Remembered, path_key};
use super::shown::with_final_images;
use crate::theme::bundle::Bundle;
use crate::theme::view::SiteView;

/// The bundle's name among remembered pages; no path of a page is so.
pub(super) const BUNDLE: &str = "/bundle";

// The bundle of a large shop is large: it is sealed only where something of it changed, and waits on the disk for the pages.
pub(super) fn bundle(order: &Order<'_>, sites: &[SiteView], assets: &AssetSet, keys: &Keys) -> Result<(Draft, Key), WriteError> {
    let mut key = keys.hasher();
    key.text(BUNDLE).text(&order.shop.id).text(&order.shop.order_prefix);
    key.text(&format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        order.key.verifying_key(),
        order.rules,
        order.payment,
        order.mail,
        order.webhooks,
        order.front,
        order.pricing,
        order.inventory,
        order.keeper
    ));
    for category in order.loaded.catalog.categories() {
        key.text(&format!("{category:?}"));
    }
    for (product, notes) in order.loaded.catalog.products().iter().zip(&order.loaded.products) {
        key.key(&notes.hash);
        // What was lowest before comes from the history, after the product was read.
        let prices = product.variants.iter().flat_map(|variant| &variant.prices);
        for price in prices.filter(|price| !price.prior.is_empty()) {
            key.text(&format!("{:?}", price.prior));
        }
    }
    let key = key.finish();
    let page = |hash: &blake3::Hash| Remembered::new(path_key(BUNDLE), key, hash);
    let bundle = match Draft::keep(order.bundle, |hash| keys.knows(&page(hash))) {
        Some(bundle) => bundle,
        None => Draft::new(order.bundle, |file| seal(order, sites, assets, file))?,
    };
    Ok((bundle, key))
}

// Drafts, archived and expired products travel too: whether one is sold at an instant is the edge's question then.
fn seal(order: &Order<'_>, sites: &[SiteView], assets: &AssetSet, file: &mut (impl Write + Seek)) -> io::Result<()> {
    let catalog = order.loaded.catalog.changed(|product| with_final_images(product, assets));
    let asset = |(name, asset): (String, crate::theme::engine::Asset)| (name, asset.url, asset.integrity);
    let bundle = Bundle {
        shop_id: order.shop.id.clone(),
        sites_json: sites.iter().map(|site| serde_json::to_string(site).expect("views are plain data")).collect(),
        rules: order.rules.clone(),
        catalog,
        templates: order.templates.to_vec(),
        assets: assets.for_templates().into_iter().map(asset).collect(),
        origins: vec![order.shop.base_url.clone()],
        order_prefix: order.shop.order_prefix.clone(),
        payment: order.payment.clone(),
        mail: order.mail.clone(),
        webhooks: order.webhooks.to_vec(),
        front: order.front.clone(),
        pricing: order.pricing.cloned(),
        inventory: order.inventory.cloned(),
        keeper: order.keeper,
    };
    bundle.seal_to(file, order.key)
}
