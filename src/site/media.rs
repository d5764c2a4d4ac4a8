//! Media: what a file is by its name, and how large a picture is by its first bytes.

/// The content type of a published path; pages have no ending when they are served, but have `.html` on disk.
pub fn content_type(path: &str) -> &'static str {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    TYPES.iter().find(|(endings, _)| endings.contains(&ending)).map_or(OTHER, |(_, name)| name)
}

/// Every ending with its content type, for hosts that have a list of their own.
pub fn types() -> impl Iterator<Item = (&'static [&'static str], &'static str)> {
    TYPES.iter().copied()
}

/// The same content type as `content_type` gives it; `None`: it gives no such one.
pub fn known_type(name: &str) -> Option<&'static str> {
    TYPES.iter().map(|(_, known)| *known).chain([OTHER]).find(|known| *known == name)
}

/// By the ending of a file's name; most files of a shop are the first.
const TYPES: [(&[&str], &str); 16] = [
    (&["html"], "text/html; charset=utf-8"),
    (&["css"], "text/css; charset=utf-8"),
    (&["js", "mjs"], "text/javascript; charset=utf-8"),
    (&["json"], "application/json"),
    (&["webmanifest"], "application/manifest+json"),
    (&["svg"], "image/svg+xml"),
    (&["png"], "image/png"),
    (&["jpg", "jpeg"], "image/jpeg"),
    (&["webp"], "image/webp"),
    (&["avif"], "image/avif"),
    (&["gif"], "image/gif"),
    (&["ico"], "image/x-icon"),
    (&["woff2"], "font/woff2"),
    (&["xml"], "application/xml"),
    (&["txt"], "text/plain; charset=utf-8"),
    (&["pdf"], "application/pdf"),
];
const OTHER: &str = "application/octet-stream";

/// Width and height in pixels of an SVG, PNG, JPEG, GIF, WebP or AVIF; `None` where they cannot be read.
pub fn pixel_size(name: &str, bytes: &[u8]) -> Option<(u32, u32)> {
    let size = match name.rsplit_once('.')?.1 {
        "svg" => svg(bytes),
        "png" => png(bytes),
        "jpg" | "jpeg" => jpeg(bytes),
        "gif" if bytes.starts_with(b"GIF8") => Some((little(bytes, 6, 2)?, little(bytes, 8, 2)?)),
        "webp" => webp(bytes),
        "avif" => avif(bytes),
        _ => None,
    };
    size.filter(|(width, height)| *width > 0 && *height > 0)
}

// The view box is what a page needs: only the ratio counts, and SVGs rarely carry pixels. One that carries nothing else has those.
fn svg(bytes: &[u8]) -> Option<(u32, u32)> {
    let text = String::from_utf8_lossy(bytes.get(..bytes.len().min(4096))?);
    let tag = text[text.find("<svg")?..].split('>').next()?;
    let value = |name: &str| {
        let start = tag.find(&format!(" {name}="))? + name.len() + 2;
        let quote = tag[start..].chars().next()?;
        tag[start + 1..].split_once(quote).map(|(value, _)| value)
    };
    let rounded = |number: f32| number.round() as u32;
    if let Some(inner) = value("viewBox") {
        let mut numbers = inner.split([' ', ',']).filter(|part| !part.is_empty()).map(|part| part.parse::<f32>().ok());
        return Some((rounded(numbers.nth(2)??), rounded(numbers.next()??)));
    }
    let pixels = |name| value(name)?.trim_end_matches("px").parse::<f32>().ok();
    Some((rounded(pixels("width")?), rounded(pixels("height")?)))
}

fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    bytes.starts_with(b"\x89PNG").then(|| Some((big(bytes, 16, 4)?, big(bytes, 20, 4)?)))?
}

fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xFF {
            return None;
        }
        let marker = *bytes.get(at + 1)?;
        // Start of frame, of any coding but the three that are tables.
        if (0xC0..=0xCF).contains(&marker) && !matches!(marker, 0xC4 | 0xC8 | 0xCC) {
            return Some((big(bytes, at + 7, 2)?, big(bytes, at + 5, 2)?));
        }
        at += 2 + big(bytes, at + 2, 2)?.max(2) as usize;
    }
}

fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(12..16)? {
        b"VP8X" => Some((little(bytes, 24, 3)? + 1, little(bytes, 27, 3)? + 1)),
        b"VP8 " => Some((little(bytes, 26, 2)? & 0x3FFF, little(bytes, 28, 2)? & 0x3FFF)),
        b"VP8L" => {
            let bits = little(bytes, 21, 4)?;
            Some(((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1))
        }
        _ => None,
    }
}

// The box that says how large the picture is in space (ISO/IEC 23008-12, 6.5.3); the first is that of the whole in files of one picture.
fn avif(bytes: &[u8]) -> Option<(u32, u32)> {
    let head = bytes.get(..bytes.len().min(4096))?;
    let at = head.windows(4).position(|name| name == b"ispe")?;
    Some((big(bytes, at + 8, 4)?, big(bytes, at + 12, 4)?))
}

fn big(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    Some(bytes.get(at..at + length)?.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte)))
}

fn little(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    Some(bytes.get(at..at + length)?.iter().rev().fold(0, |sum, byte| (sum << 8) | u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_the_first_bytes() {
        assert_eq!(pixel_size("a.svg", b"<svg xmlns='x' viewBox=\"0 0 400 500\">"), Some((400, 500)));
        assert_eq!(pixel_size("a.svg", b"<svg width='40px'\nheight=\"50\">"), None, "a name stands behind a blank");
        assert_eq!(pixel_size("a.svg", b"<svg width='40px' height=\"50\">"), Some((40, 50)));
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x90\0\0\x01\xf4\x08";
        assert_eq!(pixel_size("a.png", png), Some((400, 500)));
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08\x01\xf4\x01\x90\x03";
        assert_eq!(pixel_size("a.jpg", jpeg), Some((400, 500)));
        let avif = b"\0\0\0\x14ispe\0\0\0\0\0\0\x01\x90\0\0\x01\xf4";
        assert_eq!(pixel_size("a.avif", avif), Some((400, 500)));
        assert_eq!(pixel_size("a.gif", b"GIF89a\x90\x01\xf4\x01"), Some((400, 500)));
    }

    #[test]
    fn stumps_have_no_size() {
        for name in ["a.svg", "a.png", "a.jpg", "a.gif", "a.webp", "a.avif", "a"] {
            for bytes in [&b""[..], b"\xff\xd8\xff", b"RIFF", b"\x89PNG", b"<svg viewBox='0 0'"] {
                assert_eq!(pixel_size(name, bytes), None, "{name} {bytes:?}");
            }
        }
    }
}
