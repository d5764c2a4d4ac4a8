//! Theme: `[theme]` of site.toml.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::site::load::written::Place;
use crate::site::media;
use crate::site::problem::Problems;
use crate::theme::look::{Chosen, Color, Corners, FONT_STACKS, Font, LEAST_CONTRAST, Logo, Look, Named, Scheme};

/// Height of a logo in the header, in CSS pixels.
const LOGO_HEIGHT: u32 = 36;
/// Largest font file: a subset of a language's letters has a twentieth of it, and a page waits for it.
const MAX_FONT_BYTES: u64 = 512 * 1024;

/// `[theme]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenTheme {
    scheme: Scheme,
    corners: Corners,
    headings: Option<Spanned<String>>,
    text: Option<Spanned<String>>,
    logo: Option<Spanned<String>>,
    preview: Option<Spanned<String>>,
    colors: WrittenColors,
    dark_colors: WrittenColors,
    swatches: BTreeMap<String, Spanned<String>>,
    own: Option<serde_json::Value>,
}

/// `[theme.colors]` and `[theme.dark_colors]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenColors {
    paper: Option<Spanned<String>>,
    card: Option<Spanned<String>>,
    ink: Option<Spanned<String>>,
    soft: Option<Spanned<String>>,
    line: Option<Spanned<String>>,
    accent: Option<Spanned<String>>,
    on_accent: Option<Spanned<String>>,
    sale: Option<Spanned<String>>,
}

impl WrittenTheme {
    /// `root`: the shop's folder.
    pub(super) fn checked(self, place: Place<'_>, root: &Path, problems: &mut Problems) -> Look {
        let default = Chosen::default();
        let mut font = |written: &Option<Spanned<String>>, usual: Font| match written {
            None => usual,
            Some(written) => font(written, place, root, problems).unwrap_or(usual),
        };
        let (headings, text) = (font(&self.headings, default.headings), font(&self.text, default.text));
        let chosen = Chosen {
            light: self.colors.named(place, problems),
            dark: self.dark_colors.named(place, problems),
            scheme: self.scheme,
            corners: self.corners,
            headings,
            text,
        };
        self.tell_close(&chosen, place, problems);
        let mut picture = |written: &Option<Spanned<String>>| {
            let written = written.as_ref()?;
            let found = below_static(root, written.get_ref()).and_then(|path| std::fs::read(path).ok());
            found.or_else(|| {
                no_file(written, place, problems);
                None
            })
        };
        let (logo, preview) = (picture(&self.logo), picture(&self.preview));
        let logo = self.logo.as_ref().zip(logo).map(|(written, bytes)| {
            let (width, height) =
                media::pixel_size(written.get_ref(), &bytes).filter(|(_, height)| *height > 0).unwrap_or((4, 1));
            Logo { path: written.get_ref().clone(), width: (width * LOGO_HEIGHT).div_ceil(height), height: LOGO_HEIGHT }
        });
        let swatches =
            self.swatches.into_iter().filter_map(|(value, written)| Some((value, color(&written, place, problems)?.to_string())));
        Look {
            logo,
            swatches: swatches.collect(),
            preview: self.preview.filter(|_| preview.is_some()).map(Spanned::into_inner),
            own: self.own.unwrap_or_else(|| serde_json::json!({})),
            ..chosen.look()
        }
    }

    // Text that cannot be read, told at the color that the merchant wrote.
    fn tell_close(&self, chosen: &Chosen, place: Place<'_>, problems: &mut Problems) {
        for (table, palette) in chosen.palettes() {
            let other = if table == "colors" { &self.dark_colors } else { &self.colors };
            let colors = if table == "colors" { &self.colors } else { &self.dark_colors };
            for close in palette.too_close() {
                let written =
                    [colors, other].into_iter().find_map(|colors| colors.of(close.text).or_else(|| colors.of(close.ground)));
                let Some(written) = written else { continue };
                let message = format!(
                    "`{}` on `{}` has a contrast of {:.1} in [theme.{table}]; text needs {LEAST_CONTRAST}",
                    close.text, close.ground, close.contrast
                );
                let hint = match close.instead {
                    Some(color) => format!("write {} = \"{color}\", the nearest shade that can be read", close.text),
                    None => {
                        format!("no shade of `{}` can be read there: choose grounds that are nearer to each other", close.text)
                    }
                };
                problems.push(place.problem(written, message).hint(hint));
            }
        }
    }
}

impl WrittenColors {
    fn of(&self, name: &str) -> Option<&Spanned<String>> {
        let written = match name {
            "paper" => &self.paper,
            "card" => &self.card,
            "ink" => &self.ink,
            "soft" => &self.soft,
            "accent" => &self.accent,
            "on_accent" => &self.on_accent,
            "sale" => &self.sale,
            _ => return None,
        };
        written.as_ref()
    }

    fn named(&self, place: Place<'_>, problems: &mut Problems) -> Named {
        let mut read = |written: &Option<Spanned<String>>| written.as_ref().and_then(|written| color(written, place, problems));
        Named {
            paper: read(&self.paper),
            card: read(&self.card),
            ink: read(&self.ink),
            soft: read(&self.soft),
            line: read(&self.line),
            accent: read(&self.accent),
            on_accent: read(&self.on_accent),
            sale: read(&self.sale),
        }
    }
}

fn color(written: &Spanned<String>, place: Place<'_>, problems: &mut Problems) -> Option<Color> {
    let color = Color::parse(written.get_ref());
    if color.is_none() {
        let message = format!("`{}` is not a color", written.get_ref());
        problems.push(place.problem(written, message).hint("write red, green and blue in six digits, such as \"#8f4419\""));
    }
    color
}

fn font(written: &Spanned<String>, place: Place<'_>, root: &Path, problems: &mut Problems) -> Option<Font> {
    let name = written.get_ref();
    if let Some(known) = Font::named(name) {
        return Some(known);
    }
    if !name.ends_with(".woff2") {
        let names: Vec<&str> = FONT_STACKS.iter().map(|(name, _)| *name).collect();
        let hint = format!("write one of {}, or a file below static/ that ends in .woff2", names.join(", "));
        problems.push(place.problem(written, format!("`{name}` is not a font that is known here")).hint(hint));
        return None;
    }
    match below_static(root, name).and_then(|path| std::fs::metadata(path).ok()) {
        Some(file) if file.len() > MAX_FONT_BYTES => {
            let message = format!(
                "`{name}` has {} KiB; a font that a page waits for has at most {}",
                file.len() / 1024,
                MAX_FONT_BYTES / 1024
            );
            problems.push(place.problem(written, message).hint("keep the letters of your languages only (a subset)"));
            None
        }
        Some(_) => Some(Font::File(name.clone())),
        None => {
            no_file(written, place, problems);
            None
        }
    }
}

// A path that leaves static/ is none: what lies elsewhere is not published.
fn below_static(root: &Path, path: &str) -> Option<PathBuf> {
    let is_below = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    is_below.then(|| root.join("static").join(path))
}

fn no_file(written: &Spanned<String>, place: Place<'_>, problems: &mut Problems) {
    let message = format!("there is no file static/{}", written.get_ref());
    problems.push(place.problem(written, message).hint("paths are relative to static/"));
}
