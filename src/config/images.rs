//! Images: `[images]` of site.toml.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use crate::site::images::ImageSettings;
use crate::site::images::remote::RemoteSettings;
use crate::site::load::written::Place;
use crate::site::problem::{Problem, Problems};

/// No screen asks for more.
const WIDTHS: std::ops::RangeInclusive<u32> = 16..=4096;
/// More make pages longer and choices no better.
const MAX_WIDTHS: usize = 12;
/// A larger picture takes more memory than a machine of CI has.
const MAX_MEGAPIXELS: u64 = 400;
/// A picture of a megabyte a megapixel is one that nobody has compressed.
const MAX_REMOTE_BYTES: u64 = 64 * 1024 * 1024;
const MAX_SECONDS: u64 = 600;

/// `[images]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenImages {
    widths: Option<Spanned<Vec<u32>>>,
    webp_quality: Option<Spanned<u64>>,
    jpeg_quality: Option<Spanned<u64>>,
    max_megapixels: Option<Spanned<u64>>,
    remote: Remote,
    remote_max_bytes: Option<Spanned<u64>>,
    remote_timeout_seconds: Option<Spanned<u64>>,
    remote_checksums: Option<Spanned<String>>,
}

/// What is done with pictures that lie elsewhere.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Remote {
    /// Pages show them from there.
    #[default]
    Link,
    /// The build takes them in.
    Fetch,
}

impl WrittenImages {
    /// `root`: the shop's folder.
    pub(super) fn checked(self, place: Place<'_>, root: &Path, problems: &mut Problems) -> ImageSettings {
        let default = ImageSettings::default();
        let mut number = |written: Option<Spanned<u64>>, usual: u64, most: u64| match written {
            Some(number) if !(1..=most).contains(number.get_ref()) => {
                problems.push(place.problem(&number, format!("write a number from 1 to {most}")));
                usual
            }
            number => number.map_or(usual, Spanned::into_inner),
        };
        let webp_quality = number(self.webp_quality, default.webp_quality.into(), 100) as u8;
        let jpeg_quality = number(self.jpeg_quality, default.jpeg_quality.into(), 100) as u8;
        let max_megapixels = number(self.max_megapixels, default.max_megapixels.into(), MAX_MEGAPIXELS) as u32;
        let remote = RemoteSettings::default();
        let max_bytes = number(self.remote_max_bytes, remote.max_bytes, MAX_REMOTE_BYTES);
        let timeout_seconds = number(self.remote_timeout_seconds, remote.timeout_seconds, MAX_SECONDS);
        let checksums = self.remote_checksums.and_then(|file| checksums(&file, place, root, problems));
        let mut widths = match self.widths {
            Some(widths)
                if !(1..=MAX_WIDTHS).contains(&widths.get_ref().len())
                    || widths.get_ref().iter().any(|width| !WIDTHS.contains(width)) =>
            {
                let message = format!("write 1 to {MAX_WIDTHS} widths from {} to {} pixels", WIDTHS.start(), WIDTHS.end());
                problems.push(place.problem(&widths, message));
                default.widths
            }
            widths => widths.map_or(default.widths, Spanned::into_inner),
        };
        widths.sort_unstable();
        widths.dedup();
        let remote = (self.remote == Remote::Fetch).then_some(RemoteSettings { max_bytes, timeout_seconds, checksums });
        ImageSettings { widths, webp_quality, jpeg_quality, max_megapixels, remote }
    }
}

/// A file of checksums as `sha256sum` writes it, addresses in place of files.
fn checksums(
    written: &Spanned<String>,
    place: Place<'_>,
    root: &Path,
    problems: &mut Problems,
) -> Option<BTreeMap<String, String>> {
    let name = written.get_ref();
    let text = match std::fs::read_to_string(root.join(name)) {
        Ok(text) => text,
        Err(error) => {
            let problem = place.problem(written, format!("{name} cannot be read: {error}"));
            problems.push(problem.hint("paths are relative to the shop's folder; an empty file will do to begin with"));
            return None;
        }
    };
    let mut checksums = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let parts = line.split_once(char::is_whitespace).map(|(sum, url)| (sum.to_ascii_lowercase(), url.trim()));
        match parts {
            Some((sum, url)) if sum.len() == 64 && sum.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
                checksums.insert(url.to_owned(), sum);
            }
            _ => {
                let problem = Problem::about(name, "this line is no checksum with an address").on_line(number + 1, 1, line);
                problems.push(problem.hint("write 64 hex digits (SHA-256), two blanks, and the address"));
            }
        }
    }
    Some(checksums)
}
