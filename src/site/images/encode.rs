//! Encode: pixels → the files of a set, one per width and kind.
//!
//! Owns    which widths there are, which kinds a picture is written in, and how.
//! Always  never wider than the picture is; WebP first and beside it what every browser reads: JPEG, or PNG where something can be seen
//!         through or edges are hard. Same pixels and settings, same bytes on every machine of one target triple.
//! Why     WebP of quality 65, measured on ten photographs of products in 600 pixels: 22.5 kB in the mean at a DSSIM of 0.0026; 75 has 25.3 kB
//!         at 0.0021, 55 has 20.3 kB at 0.0031. A JPEG of the same DSSIM has half as much again. Chroma kept sharp costs 4 % of the bytes
//!         and twice the time for as much as two points of quality give.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x4;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{self, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageEncoder, RgbaImage, imageops};
use webp::{Encoder, WebPConfig};

use super::decode::Pixels;
use super::{ImageSettings, Note};

/// How hard WebP tries, of 6, and up to which width it tries its hardest: for twice the time of 4 that saves 5 % of what phones fetch.
const WEBP_METHOD: i32 = 4;
const PHONE_METHOD: i32 = 6;
const PHONE_WIDTH: u32 = 600;
/// How finely WebP keeps what can be seen through: at 70 a photograph cut out of its ground is a quarter smaller, and no pixel is off by more
/// than 11 of 255.
const ALPHA_QUALITY: i32 = 70;

/// One file of a set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Encoded {
    /// Of its name.
    pub(super) ending: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bytes: Vec<u8>,
}

/// The files of a set, and the colour that stands in for the picture until it is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EncodedSet {
    /// The widest first, WebP before the other kind of its width.
    pub(super) files: Vec<Encoded>,
    /// `None`: something can be seen through it.
    pub(super) color: Option<[u8; 3]>,
    /// Shown where a link to its product is shared.
    pub(super) preview: Option<Encoded>,
}

/// Pixels of a preview: the shape that Open Graph's readers show in full.
pub const PREVIEW: (u32, u32) = (1200, 630);

/// Writes the set of a picture, with a preview on a ground where one is wanted.
///
/// Errors: a kind cannot hold a picture so high.
pub(super) fn encode(pixels: Pixels, settings: &ImageSettings, ground: Option<[u8; 3]>) -> Result<EncodedSet, Note> {
    let Pixels { image, is_drawing } = pixels;
    let is_opaque = !image.color().has_alpha();
    let mut files = Vec::new();
    let mut made: Vec<DynamicImage> = Vec::new();
    let mut resizer = Resizer::new();
    for width in widths(image.width(), &settings.widths) {
        // From one that is twice as wide: no sharper picture would come of the whole one, and it takes a multiple of the time.
        let from = made.iter().rev().find(|other| other.width() >= 2 * width).unwrap_or(&image);
        let image = resized(&mut resizer, from, width)?;
        let mut add = |ending, bytes| files.push(Encoded { ending, width, height: image.height(), bytes });
        add("webp", webp(&image, is_drawing, settings.webp_quality)?);
        if is_opaque && !is_drawing {
            add("jpg", jpeg(&image, settings.jpeg_quality)?);
        } else {
            add("png", png(&image)?);
        }
        made.push(image);
    }
    let least = made.last().unwrap_or(&image);
    let color = is_opaque.then(|| mean(least));
    let preview = ground.map(|ground| preview(&mut resizer, made.first().unwrap_or(&image), ground, settings.jpeg_quality));
    Ok(EncodedSet { files, color, preview: preview.transpose()? })
}

// The whole picture amid the ground, and never larger than it is.
fn preview(resizer: &mut Resizer, image: &DynamicImage, ground: [u8; 3], quality: u8) -> Result<Encoded, Note> {
    let (width, height) = PREVIEW;
    let as_high = u64::from(image.width()) * u64::from(height) / u64::from(image.height());
    let fitted = resized(resizer, image, (as_high as u32).min(width).min(image.width()).max(1))?.into_rgba8();
    let [red, green, blue] = ground;
    let mut sheet = RgbaImage::from_pixel(width, height, image::Rgba([red, green, blue, 255]));
    let margin = |all: u32, part: u32| (i64::from(all) - i64::from(part)) / 2;
    imageops::overlay(&mut sheet, &fitted, margin(width, fitted.width()), margin(height, fitted.height()));
    let bytes = jpeg(&DynamicImage::ImageRgba8(sheet).into_rgb8().into(), quality)?;
    Ok(Encoded { ending: "jpg", width, height, bytes })
}

/// Widths to write, the widest first: those of the settings that the picture has, and its own where it is less than the widest.
fn widths(own: u32, wanted: &[u32]) -> Vec<u32> {
    let most = wanted.iter().copied().max().unwrap_or(own).min(own);
    let mut widths: Vec<u32> = wanted.iter().copied().filter(|width| *width < most).chain([most]).collect();
    widths.sort_unstable_by(|one, other| other.cmp(one));
    widths.dedup();
    widths
}

fn resized(resizer: &mut Resizer, image: &DynamicImage, width: u32) -> Result<DynamicImage, Note> {
    if width == image.width() {
        return Ok(image.clone());
    }
    let height = u64::from(image.height()) * u64::from(width) + u64::from(image.width()) / 2;
    let height = (height / u64::from(image.width())).max(1) as u32;
    let has_alpha = image.color().has_alpha();
    let smaller = match image {
        DynamicImage::ImageRgba8(image) => scaled(resizer, image, (width, height), has_alpha),
        other => scaled(resizer, &other.to_rgba8(), (width, height), has_alpha),
    }?;
    Ok(if has_alpha { smaller.into() } else { DynamicImage::from(smaller).into_rgb8().into() })
}

// For one kind of pixel alone: its code is there once for each of 30 precisions, and again for every further kind.
fn scaled(resizer: &mut Resizer, image: &RgbaImage, (width, height): (u32, u32), has_alpha: bool) -> Result<RgbaImage, Note> {
    let mut smaller = RgbaImage::new(width, height);
    let from = TypedImageRef::<U8x4>::from_buffer(image.width(), image.height(), image).map_err(|error| failed(&error))?;
    let mut to = TypedImage::<U8x4>::from_buffer(width, height, &mut smaller).map_err(|error| failed(&error))?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).use_alpha(has_alpha);
    resizer.resize_typed(&from, &mut to, &options).map_err(|error| failed(&error))?;
    Ok(smaller)
}

fn mean(image: &DynamicImage) -> [u8; 3] {
    let pixels = image.as_bytes().as_chunks::<3>().0;
    let count = pixels.len().max(1) as u64;
    [0, 1, 2].map(|channel| (pixels.iter().map(|pixel| u64::from(pixel[channel])).sum::<u64>() / count) as u8)
}

fn webp(image: &DynamicImage, is_drawing: bool, quality: u8) -> Result<Vec<u8>, Note> {
    let mut config = WebPConfig::new().map_err(|()| Note::new("WebP cannot be written here"))?;
    config.quality = f32::from(quality);
    config.method = if image.width() <= PHONE_WIDTH { PHONE_METHOD } else { WEBP_METHOD };
    config.alpha_quality = ALPHA_QUALITY;
    if is_drawing {
        (config.lossless, config.quality) = (1, 75.0);
    }
    let (width, height) = (image.width(), image.height());
    let encoder = match image.color().has_alpha() {
        true => Encoder::from_rgba(image.as_bytes(), width, height),
        false => Encoder::from_rgb(image.as_bytes(), width, height),
    };
    match encoder.encode_advanced(&config) {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(error) => Err(Note::new(format!("{width} × {height} pixels cannot be written as WebP: {error:?}"))
            .hint("a picture of a set is at most 16,383 pixels high: cut it into parts")),
    }
}

fn jpeg(image: &DynamicImage, quality: u8) -> Result<Vec<u8>, Note> {
    let mut bytes = Vec::new();
    let written = JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(image);
    written.map_err(|error| failed(&error))?;
    Ok(bytes)
}

fn png(image: &DynamicImage) -> Result<Vec<u8>, Note> {
    let mut bytes = Vec::new();
    let color = ExtendedColorType::from(image.color());
    PngEncoder::new_with_quality(&mut bytes, png::CompressionType::Default, png::FilterType::Adaptive)
        .write_image(image.as_bytes(), image.width(), image.height(), color)
        .map_err(|error| failed(&error))?;
    Ok(bytes)
}

fn failed(error: &dyn std::fmt::Display) -> Note {
    Note::new(format!("a smaller picture of it cannot be made: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_that_the_picture_has() {
        assert_eq!(widths(1000, &[240, 480, 960, 1920]), [1000, 960, 480, 240]);
        assert_eq!(widths(3000, &[240, 480, 960, 1920]), [1920, 960, 480, 240]);
        assert_eq!(widths(480, &[240, 480, 960]), [480, 240]);
        assert_eq!(widths(16, &[240, 480]), [16]);
    }
}
