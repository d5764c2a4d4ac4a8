//! Shown: pictures as pages, carts and the output folder have them, by what they were written as.
//!
//! Owns    which file of a set is shown where.
//! Always  a picture that cannot be read is shown nowhere.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;

use super::BuildSettings;
use super::assets::{AssetFile, AssetSet, Content};
use super::images::Workshop;
use super::load::{Loaded, is_remote};
use super::write::{Output, Put, WriteError};
use crate::commerce::catalog::{Image, Product};
use crate::theme::view::PictureView;

/// Pixels of a card's picture where the browser knows of no sets: twice its size on a phone.
pub const CARD_WIDTH: u32 = 360;
/// Widest picture that a card is shown with: twice its size on a desk.
const MAX_CARD_WIDTH: u32 = 600;
/// Pixels of a picture in a cart: thrice what it is shown with.
const CART_WIDTH: u32 = 192;

/// Where a picture is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// On its product's own page, or in a text.
    Page,
    /// On a card among others: there are many on a page, and none is shown large.
    Card,
}

/// A picture as a page shows it: at its final address, with its set and its size. `None`: it cannot be read, and nothing shows it.
pub fn final_image(assets: &AssetSet, image: &Image, shown: Shown) -> Option<PictureView> {
    let mut view = PictureView {
        url: image.url.clone(),
        alt: image.alt.clone(),
        width: image.width,
        height: image.height,
        ..PictureView::default()
    };
    let Some(file) = assets.find(image.url.trim_start_matches('/')) else { return Some(view) };
    (view.url, view.width, view.height) = (file.url(), file.size.map(|size| size.0), file.size.map(|size| size.1));
    let picture = match &file.content {
        Content::Bytes(_) => return Some(view),
        Content::Nothing => return None,
        Content::Picture(picture) => picture,
    };
    let most = match shown {
        Shown::Page => u32::MAX,
        Shown::Card => MAX_CARD_WIDTH,
    };
    view.webp = picture.srcset(true, most);
    view.srcset = picture.srcset(false, most);
    view.preview = picture.preview.as_ref().map(|file| format!("/{}", file.path));
    view.color = picture.color.map(|[red, green, blue]| format!("#{red:02x}{green:02x}{blue:02x}"));
    if shown == Shown::Card && !view.srcset.is_empty() {
        let file = picture.at_least(CARD_WIDTH, false);
        (view.url, view.width, view.height) = (format!("/{}", file.path), Some(file.width), Some(file.height));
    }
    Some(view)
}

/// The name of the picture that a product's page is shared with.
pub(super) fn shared_picture(product: &Product) -> Option<&str> {
    product.image.as_ref().map(|image| image.url.trim_start_matches('/'))
}

/// Puts what is published of a file. A file of a set whose bytes are there already is not read.
pub(super) fn put(file: &AssetFile, output: &Output, workshop: &Workshop<'_>) -> Result<Vec<Put>, WriteError> {
    let picture = match &file.content {
        Content::Bytes(bytes) => return Ok(vec![output.put(&file.path, bytes)?]),
        Content::Nothing => return Ok(Vec::new()),
        Content::Picture(picture) => picture,
    };
    let files = || picture.files.iter().chain(&picture.preview);
    let kept = files().map(|file| output.keep(&file.path, |hash| file.is(hash)));
    if let Some(kept) = kept.collect() {
        return Ok(kept);
    }
    let bytes = workshop.bytes(picture).map_err(|source| WriteError::Io { path: file.name.clone().into(), source })?;
    files().zip(bytes).map(|(file, bytes)| output.put(&file.path, &bytes)).collect()
}

/// Every picture that a product or category names by an address elsewhere, where they are fetched.
pub(super) fn pictures_elsewhere(loaded: &Loaded, settings: &BuildSettings) -> io::Result<Vec<String>> {
    let mut urls = BTreeSet::new();
    if settings.images.remote.is_none() {
        return Ok(Vec::new());
    }
    let mut add = |image: &Image| {
        if is_remote(&image.url) {
            urls.insert(image.url.clone());
        }
    };
    for (index, product) in loaded.catalog.products().iter().enumerate() {
        product.image.iter().chain(product.variants.iter().filter_map(|variant| variant.image.as_deref())).for_each(&mut add);
        loaded.details(index)?.images.iter().for_each(&mut add);
    }
    loaded.categories.iter().filter_map(|category| category.image.as_ref()).for_each(&mut add);
    Ok(urls.into_iter().collect())
}

/// A product as the edge knows it: its pictures small, since carts show them so, and of a kind that mails show.
pub(super) fn with_final_images<'a>(product: &'a Product, assets: &AssetSet) -> Cow<'a, Product> {
    let mut images = product.variants.iter().filter_map(|variant| variant.image.as_deref()).chain(&product.image);
    if images.all(|image| assets.find(image.url.trim_start_matches('/')).is_none()) {
        return Cow::Borrowed(product);
    }
    let small = |image: &Image| {
        let url = assets.small_url(&image.url, CART_WIDTH, false)?;
        Some(Image { url, alt: image.alt.clone(), width: None, height: None })
    };
    let mut product = product.clone();
    product.image = product.image.as_ref().and_then(small);
    for variant in &mut product.variants {
        variant.image = variant.image.as_deref().and_then(small).map(Box::new);
    }
    Cow::Owned(product)
}
