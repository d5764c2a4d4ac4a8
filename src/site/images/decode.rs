//! Decode: bytes of a picture → upright pixels in sRGB, or why there are none.
//!
//! Owns    what kinds are read (JPEG, PNG, WebP, GIF, by their first bytes and not by their names), colour profiles, CMYK, the turn that
//!         EXIF asks for.
//! Limits  `max_megapixels`, known from the head: a larger picture is refused before a pixel of it is held.
//! Always  metadata ends here: what comes out is pixels. A picture that breaks off is refused, though its decoder would paint the rest grey.

use std::io::Cursor;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::Note;

/// Bytes that a decoder may hold for a pixel beside the pixel itself, and for its tables.
const BYTES_OF_A_PIXEL: u64 = 16;
const BYTES_OF_TABLES: u64 = 64 * 1024 * 1024;
/// More colours than that are a photograph.
const DRAWING_COLORS: usize = 256;

/// What a picture turns out to be.
#[derive(Debug)]
pub(super) enum Kind {
    /// One still picture.
    Still(Head),
    /// One that moves: it is published as it is.
    Moving { width: u32, height: u32, ending: &'static str },
}

/// What is known of a still picture from its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    format: ImageFormat,
    pub(super) megapixels: u32,
    is_cmyk: bool,
}

/// Pixels, upright and in sRGB: `ImageRgb8`, or `ImageRgba8` where some of them can be seen through.
#[derive(Debug)]
pub(super) struct Pixels {
    pub(super) image: DynamicImage,
    /// Whether it has few colours and hard edges, which lossy coding would blur.
    pub(super) is_drawing: bool,
}

/// Reads the head of a picture.
///
/// Errors: it is of no kind that is read, is broken, or has more than `max_megapixels`.
pub(super) fn look(bytes: &[u8], max_megapixels: u32) -> Result<Kind, Note> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP | ImageFormat::Gif)) => format,
        Ok(ImageFormat::Avif) => return Err(unread("an AVIF picture")),
        _ => return Err(unread("no picture of a kind that is read here")),
    };
    let is_cmyk = format == ImageFormat::Jpeg && is_cmyk(bytes);
    let (width, height) = reader(bytes, format).into_decoder().map_err(|error| broken(&error))?.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > u64::from(max_megapixels) * 1_000_000 {
        let note = Note::new(format!(
            "it has {width} × {height} pixels, {} megapixels; {max_megapixels} are read at most",
            pixels.div_ceil(1_000_000)
        ));
        return Err(note.hint("save it smaller, or raise `max_megapixels` under [images]: a pixel takes some 10 bytes of memory"));
    }
    let ending = match format {
        ImageFormat::Gif if moves_gif(bytes)? => "gif",
        ImageFormat::WebP if WebPDecoder::new(Cursor::new(bytes)).map_err(|error| broken(&error))?.has_animation() => "webp",
        ImageFormat::Png if moves_png(bytes)? => "png",
        _ => return Ok(Kind::Still(Head { format, megapixels: pixels.div_ceil(1_000_000) as u32, is_cmyk })),
    };
    Ok(Kind::Moving { width, height, ending })
}

/// Reads the pixels of a picture whose head is known.
///
/// Errors: it is broken.
pub(super) fn read(bytes: &[u8], head: Head) -> Result<Pixels, Note> {
    if head.format == ImageFormat::Jpeg && !is_whole_jpeg(bytes) {
        return Err(Note::new("it breaks off in the midst").hint("copy the file anew"));
    }
    let mut reader = reader(bytes, head.format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(u64::from(head.megapixels) * 1_000_000 * BYTES_OF_A_PIXEL + BYTES_OF_TABLES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| broken(&error))?;
    // Before the pixels: the decoder is gone then.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten().and_then(|bytes| ColorProfile::new_from_slice(&bytes).ok());
    let mut image = match &profile {
        Some(profile) if head.is_cmyk && profile.color_space == DataColorSpace::Cmyk => {
            drop(decoder);
            DynamicImage::ImageRgb8(from_cmyk(bytes, profile)?)
        }
        _ => {
            let image = DynamicImage::from_decoder(decoder).map_err(|error| broken(&error))?;
            in_srgb(image, profile.filter(|_| !head.is_cmyk))
        }
    };
    image.apply_orientation(orientation);
    let is_drawing = matches!(head.format, ImageFormat::Png | ImageFormat::Gif | ImageFormat::WebP) && has_few_colors(&image);
    Ok(Pixels { image, is_drawing })
}

fn reader(bytes: &[u8], format: ImageFormat) -> ImageReader<Cursor<&[u8]>> {
    ImageReader::with_format(Cursor::new(bytes), format)
}

fn unread(what: &str) -> Note {
    Note::new(format!("this is {what}")).hint("save it as JPEG, PNG, WebP, GIF or SVG")
}

fn broken(error: &image::ImageError) -> Note {
    Note::new(format!("this picture is broken: {error}")).hint("open it in a program for pictures and save it anew")
}

// Two frames are enough to know; one alone is a still.
fn moves_gif(bytes: &[u8]) -> Result<bool, Note> {
    let frames = GifDecoder::new(Cursor::new(bytes)).map_err(|error| broken(&error))?.into_frames();
    Ok(frames.take(2).filter(Result::is_ok).count() > 1)
}

fn moves_png(bytes: &[u8]) -> Result<bool, Note> {
    PngDecoder::new(Cursor::new(bytes)).and_then(|decoder| decoder.is_apng()).map_err(|error| broken(&error))
}

fn jpeg_options() -> DecoderOptions {
    DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX)
}

fn is_cmyk(bytes: &[u8]) -> bool {
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), jpeg_options());
    let is_read = decoder.decode_headers().is_ok();
    is_read && matches!(decoder.input_colorspace(), Some(ColorSpace::CMYK | ColorSpace::YCCK))
}

/// Whether a JPEG ends as it should: its data run to the mark of the end. A decoder paints what is missing grey, and says nothing.
fn is_whole_jpeg(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some([0xFF, marker, rest @ ..]) = bytes.get(at..) {
        match marker {
            0xD9 => return true,
            // Padding; marks without a length.
            0xFF => at += 1,
            0x01 | 0xD0..=0xD8 => at += 2,
            _ => {
                let Some(length) = rest.first_chunk() else { return false };
                at += 2 + usize::from(u16::from_be_bytes(*length)).max(2);
                if *marker == 0xDA {
                    // Coded data: up to the next mark that is none of a restart.
                    let is_mark = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xD0..=0xD7);
                    let Some(length) = bytes.get(at..).and_then(|data| data.windows(2).position(is_mark)) else { return false };
                    at += length;
                }
            }
        }
    }
    false
}

// Adobe's programs write inks the other way round, 255 for none, and whoever else writes CMYK does as they do.
fn from_cmyk(bytes: &[u8], profile: &ColorProfile) -> Result<RgbImage, Note> {
    let wrong =
        |error: &dyn std::fmt::Display| Note::new(format!("this CMYK picture cannot be read: {error}")).hint("save it as RGB");
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), jpeg_options());
    decoder.decode_headers().map_err(|error| wrong(&error))?;
    let space = decoder.input_colorspace().unwrap_or(ColorSpace::CMYK);
    decoder.set_options(jpeg_options().jpeg_set_out_colorspace(space));
    let mut inks = decoder.decode().map_err(|error| wrong(&error))?;
    let (width, height) = decoder.dimensions().expect("its head was read");
    for pixel in inks.as_chunks_mut::<4>().0 {
        if space == ColorSpace::YCCK {
            *pixel = from_ycck(*pixel);
        }
        *pixel = pixel.map(|ink| 255 - ink);
    }
    let transform = profile
        .create_transform_8bit(Layout::Rgba, &ColorProfile::new_srgb(), Layout::Rgb, TransformOptions::default())
        .map_err(|error| wrong(&error))?;
    let mut pixels = vec![0; width * height * 3];
    transform.transform(&inks, &mut pixels).map_err(|error| wrong(&error))?;
    Ok(RgbImage::from_raw(width as u32, height as u32, pixels).expect("it has three bytes for each pixel"))
}

// ITU-T T.871 for the first three, whose complement is ink; in integers, so that it is the same on every machine.
pub(super) fn from_ycck([luma, blue, red, black]: [u8; 4]) -> [u8; 4] {
    let (luma, blue, red) = (i32::from(luma) << 16, i32::from(blue) - 128, i32::from(red) - 128);
    let rounded = |value: i32| ((value + (1 << 15)) >> 16).clamp(0, 255) as u8;
    let light = [luma + 91_881 * red, luma - 22_554 * blue - 46_802 * red, luma + 116_130 * blue].map(rounded);
    [255 - light[0], 255 - light[1], 255 - light[2], black]
}

/// Eight bits a channel, in sRGB; a profile that cannot be followed is taken for sRGB, as browsers do.
fn in_srgb(image: DynamicImage, profile: Option<ColorProfile>) -> DynamicImage {
    let is_gray = !image.color().has_color();
    let gray = profile.as_ref().filter(|profile| is_gray && profile.color_space == DataColorSpace::Gray);
    if let Some(gray) = gray.filter(|_| !image.color().has_alpha()) {
        return from_gray(image, gray);
    }
    let mut image = eight_bits(image);
    let Some(profile) = profile.filter(|profile| profile.color_space == DataColorSpace::Rgb) else { return image };
    let layout = if image.color().has_alpha() { Layout::Rgba } else { Layout::Rgb };
    let transform = profile.create_transform_8bit(layout, &ColorProfile::new_srgb(), layout, TransformOptions::default());
    let Ok(transform) = transform else { return image };
    let row = image.width() as usize * usize::from(image.color().bytes_per_pixel());
    let pixels: &mut [u8] = match &mut image {
        DynamicImage::ImageRgb8(pixels) => pixels,
        DynamicImage::ImageRgba8(pixels) => pixels,
        _ => unreachable!("it was made one of these above"),
    };
    // Row by row: a second picture of the whole is not held.
    let mut before = Vec::with_capacity(row);
    for line in pixels.chunks_exact_mut(row.max(1)) {
        before.clear();
        before.extend_from_slice(line);
        if transform.transform(&before, line).is_err() {
            line.copy_from_slice(&before);
        }
    }
    image
}

fn from_gray(image: DynamicImage, profile: &ColorProfile) -> DynamicImage {
    let gray = image.into_luma8();
    let transform =
        profile.create_transform_8bit(Layout::Gray, &ColorProfile::new_srgb(), Layout::Rgb, TransformOptions::default());
    let mut pixels = RgbImage::new(gray.width(), gray.height());
    match transform.map(|transform| transform.transform(&gray, &mut pixels)) {
        Ok(Ok(())) => DynamicImage::ImageRgb8(pixels),
        _ => DynamicImage::ImageRgb8(DynamicImage::ImageLuma8(gray).into_rgb8()),
    }
}

fn eight_bits(image: DynamicImage) -> DynamicImage {
    if !image.color().has_alpha() {
        return DynamicImage::ImageRgb8(image.into_rgb8());
    }
    let pixels = image.into_rgba8();
    let is_opaque = pixels.as_chunks::<4>().0.iter().all(|pixel| pixel[3] == 255);
    let image = DynamicImage::ImageRgba8(pixels);
    if is_opaque { DynamicImage::ImageRgb8(image.into_rgb8()) } else { image }
}

fn has_few_colors(image: &DynamicImage) -> bool {
    let size = usize::from(image.color().bytes_per_pixel());
    let mut seen: Vec<&[u8]> = Vec::with_capacity(DRAWING_COLORS);
    let mut last: &[u8] = &[];
    for pixel in image.as_bytes().chunks_exact(size) {
        if pixel == last {
            continue;
        }
        last = pixel;
        if let Err(place) = seen.binary_search(&pixel) {
            if seen.len() == DRAWING_COLORS {
                return false;
            }
            seen.insert(place, pixel);
        }
    }
    true
}
