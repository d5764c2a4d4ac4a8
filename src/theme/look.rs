//! Look: a shop's own colours, fonts and corners, as the theme's style sheet and its mails take them.
//!
//! Owns    the built-in palettes, what is derived where a merchant names only some colours, and which pairs have to be told apart.
//! Always  text on its ground has a contrast of at least `LEAST_CONTRAST`, in light and in dark.
//! Source  WCAG 2.2, 1.4.3 and its definitions of contrast ratio and relative luminance.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// What text needs to be read by nearly everybody (WCAG 2.2, level AA).
pub const LEAST_CONTRAST: f64 = 4.5;

/// The most pages say of how they look: `site.theme` in templates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Custom properties for the style sheet, ready for a style element.
    pub css: String,
    /// Value of the `color-scheme` meta element: `light dark`, `light` or `dark`.
    pub scheme: String,
    /// The colours of mails, which know one scheme: by name, as `#rrggbb`.
    pub colors: BTreeMap<String, String>,
    /// Font family of mails' headings, ready for a style attribute.
    pub mail_headings: String,
    /// Own font files below static/, each with the family it is.
    pub fonts: Vec<FontFile>,
    /// Picture below static/ in place of the mark and the shop's name.
    pub logo: Option<Logo>,
    /// Picture below static/ shown where a link is shared.
    pub preview: Option<String>,
    /// Colours of option values, by the value in any language.
    pub swatches: BTreeMap<String, String>,
    /// Free values for a shop's own templates.
    pub own: serde_json::Value,
}

impl Look {
    /// The ground of pages, in the first of their schemes; white where there is none.
    pub fn ground(&self) -> [u8; 3] {
        self.colors.get("paper").and_then(|color| Color::parse(color)).map_or(WHITE.0, |color| color.0)
    }

    /// The same for pages in another language: swatches are found by the words that `say` gives for theirs.
    #[must_use]
    pub fn speaking(&self, say: impl Fn(&str) -> String) -> Self {
        let mut look = self.clone();
        look.swatches.extend(self.swatches.iter().map(|(value, color)| (say(value), color.clone())));
        look
    }
}

/// A font of the shop's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FontFile {
    /// Its name in the style sheet.
    pub family: String,
    /// Path below static/.
    pub path: String,
}

/// A picture that stands for the shop's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logo {
    /// Path below static/.
    pub path: String,
    /// CSS pixels; its height is the header's.
    pub width: u32,
    /// CSS pixels.
    pub height: u32,
}

/// Which of the two palettes a shop has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Both: the shopper's device says which.
    #[default]
    Auto,
    /// Only light.
    Light,
    /// Only dark.
    Dark,
}

/// How round things are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corners {
    /// Right angles.
    Square,
    /// A little.
    #[default]
    Soft,
    /// Much; buttons are pills either way but for square ones.
    Round,
}

impl Corners {
    // (pictures and panels, fields, buttons)
    fn radii(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Square => ("0", "0", "0"),
            Self::Soft => ("14px", "10px", "99px"),
            Self::Round => ("28px", "22px", "99px"),
        }
    }
}

/// Families that are on people's devices already: a name, and what is tried in turn.
pub const FONT_STACKS: [(&str, &str); 8] = [
    ("serif", "\"Iowan Old Style\",\"Palatino Linotype\",Palatino,\"URW Palladio L\",P052,Georgia,serif"),
    ("sans", "system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif"),
    ("transitional", "Charter,\"Bitstream Charter\",\"Sitka Text\",Cambria,Georgia,serif"),
    ("humanist", "Seravek,\"Gill Sans Nova\",Ubuntu,Calibri,\"DejaVu Sans\",sans-serif"),
    ("geometric", "Avenir,\"Avenir Next\",Montserrat,Corbel,\"URW Gothic\",sans-serif"),
    ("didone", "Didot,\"Bodoni MT\",\"Noto Serif Display\",\"URW Palladio L\",P052,Sylfaen,serif"),
    ("slab", "Rockwell,\"Rockwell Nova\",\"Roboto Slab\",\"DejaVu Serif\",\"Sitka Small\",serif"),
    ("mono", "ui-monospace,\"Cascadia Code\",Menlo,Consolas,\"DejaVu Sans Mono\",monospace"),
];

/// A family for one kind of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Font {
    /// One of `FONT_STACKS`, by its place.
    Stack(usize),
    /// A file below static/.
    File(String),
}

impl Font {
    /// By the name of a stack.
    pub fn named(name: &str) -> Option<Self> {
        FONT_STACKS.iter().position(|(known, _)| *known == name).map(Self::Stack)
    }

    fn families(&self, own: &str, fallback: &str) -> String {
        match self {
            Self::Stack(index) => FONT_STACKS[*index].1.to_owned(),
            Self::File(_) => format!("\"{own}\",{fallback}"),
        }
    }
}

/// Red, green and blue of sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color([u8; 3]);

const WHITE: Color = Color([255; 3]);
const BLACK: Color = Color([0; 3]);

impl Color {
    /// `#8f4419` or `#fff`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        let digit = |at: usize| u8::try_from(digits.as_bytes().get(at).map(|byte| char::from(*byte))?.to_digit(16)?).ok();
        match digits.len() {
            3 => Some(Self([digit(0)? * 17, digit(1)? * 17, digit(2)? * 17])),
            6 => {
                let pair = |at: usize| Some(digit(at)? * 16 + digit(at + 1)?);
                Some(Self([pair(0)?, pair(2)?, pair(4)?]))
            }
            _ => None,
        }
    }

    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let share = f64::from(part) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// From 1 (the same) to 21 (black on white).
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// On the way to another color: `hundredths` of it.
    fn toward(self, other: Self, hundredths: u32) -> Self {
        let mix = |at: usize| {
            let (from, to) = (u32::from(self.0[at]), u32::from(other.0[at]));
            u8::try_from((from * (100 - hundredths) + to * hundredths + 50) / 100).expect("it lies between two bytes")
        };
        Self([mix(0), mix(1), mix(2)])
    }

    /// The nearest shade of it that can be read on every ground: darker or lighter, whichever is less far.
    pub fn readable_on(self, grounds: &[Self]) -> Option<Self> {
        let is_readable = |color: Self| grounds.iter().all(|ground| color.contrast(*ground) >= LEAST_CONTRAST);
        (0..=100).find_map(|hundredths| {
            [BLACK, WHITE].into_iter().map(|end| self.toward(end, hundredths)).find(|shade| is_readable(*shade))
        })
    }
}

impl std::fmt::Display for Color {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// The colors of one scheme, as a merchant names them; what is not named is derived or built in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Ground of pages.
    pub paper: Option<Color>,
    /// Ground of panels and fields.
    pub card: Option<Color>,
    /// Text.
    pub ink: Option<Color>,
    /// Text of less weight.
    pub soft: Option<Color>,
    /// Lines between things.
    pub line: Option<Color>,
    /// Buttons, links, what is chosen.
    pub accent: Option<Color>,
    /// Text on the accent.
    pub on_accent: Option<Color>,
    /// Reduced prices, and what went wrong.
    pub sale: Option<Color>,
}

/// All colors of one scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    paper: Color,
    card: Color,
    ink: Color,
    soft: Color,
    line: Color,
    accent: Color,
    on_accent: Color,
    sale: Color,
    good: Color,
    sun: Color,
}

const fn rgb(hex: u32) -> Color {
    let [_, red, green, blue] = hex.to_be_bytes();
    Color([red, green, blue])
}

const LIGHT: Palette = Palette {
    paper: rgb(0xfa_f6_ee),
    card: rgb(0xff_fd_f8),
    ink: rgb(0x26_20_19),
    soft: rgb(0x66_5c_4f),
    line: rgb(0xe2_d9_c8),
    accent: rgb(0x8f_44_19),
    on_accent: WHITE,
    sale: rgb(0xa3_2a_21),
    good: rgb(0x3d_61_33),
    sun: rgb(0xe0_a3_3c),
};

const DARK: Palette = Palette {
    paper: rgb(0x19_16_12),
    card: rgb(0x23_1f_1a),
    ink: rgb(0xf2_ea_dd),
    soft: rgb(0xb6_ab_9b),
    line: rgb(0x3c_35_2c),
    accent: rgb(0xed_a3_6e),
    on_accent: rgb(0x22_15_0b),
    sale: rgb(0xff_9a_8d),
    good: rgb(0x9c_c4_8d),
    sun: rgb(0xe0_a3_3c),
};

/// Two colors of a palette that cannot be told apart well enough.
#[derive(Clone, Debug, PartialEq)]
pub struct TooClose {
    /// The text's name.
    pub text: &'static str,
    /// The ground's name.
    pub ground: &'static str,
    /// What they have.
    pub contrast: f64,
    /// A shade of the text's color that would do; `None`: no shade of it does.
    pub instead: Option<Color>,
}

impl Palette {
    /// The light colors: those that are named, the rest derived from them or built in.
    pub fn light(named: &Named) -> Self {
        Self::derived(named, &LIGHT)
    }

    /// The dark colors. An accent that is only named for light is taken in a shade that can be read on dark.
    pub fn dark(named: &Named, light: &Named) -> Self {
        let grounds = Self::derived(named, &DARK);
        let lighter = |color: Option<Color>| color.and_then(|color| color.readable_on(&[grounds.paper, grounds.card]));
        let accent = named.accent.or_else(|| lighter(light.accent));
        let sale = named.sale.or_else(|| lighter(light.sale));
        Self::derived(&Named { accent, sale, ..*named }, &DARK)
    }

    fn derived(named: &Named, usual: &Self) -> Self {
        // Grounds of the shop's own have their own shades between ground and text; the built-in ones would not go with them.
        let is_own = named.paper.is_some() || named.ink.is_some();
        let paper = named.paper.unwrap_or(usual.paper);
        let is_light = paper.contrast(BLACK) > paper.contrast(WHITE);
        let ink = named.ink.unwrap_or(if is_light { LIGHT.ink } else { DARK.ink });
        let or = |own: Color, built_in: Color| if is_own { own } else { built_in };
        let card = named.card.unwrap_or_else(|| or(paper.toward(WHITE, if is_light { 60 } else { 5 }), usual.card));
        let readable = |color: Color| color.readable_on(&[paper, card]).unwrap_or(color);
        let accent = named.accent.unwrap_or_else(|| or(readable(usual.accent), usual.accent));
        let on_accent = named.on_accent.unwrap_or_else(|| {
            if named.accent.is_none() && !is_own {
                return usual.on_accent;
            }
            if accent.contrast(WHITE) >= LEAST_CONTRAST {
                WHITE
            } else {
                accent.toward(BLACK, 85).readable_on(&[accent]).unwrap_or(BLACK)
            }
        });
        Self {
            paper,
            card,
            ink,
            soft: named.soft.unwrap_or_else(|| or(readable(ink.toward(paper, 35)), usual.soft)),
            line: named.line.unwrap_or_else(|| or(paper.toward(ink, 14), usual.line)),
            accent,
            on_accent,
            sale: named.sale.unwrap_or_else(|| or(readable(usual.sale), usual.sale)),
            good: or(readable(usual.good), usual.good),
            sun: usual.sun,
        }
    }

    /// Text that cannot be read on a ground on which the theme writes it.
    pub fn too_close(&self) -> Vec<TooClose> {
        let grounds = [("paper", self.paper), ("card", self.card)];
        let texts = [("ink", self.ink), ("soft", self.soft), ("accent", self.accent), ("sale", self.sale)];
        let on_grounds = texts.into_iter().flat_map(|text| grounds.map(|ground| (text, ground)));
        let on_accent = (("on_accent", self.on_accent), ("accent", self.accent));
        on_grounds
            .chain([on_accent])
            .filter_map(|((text, color), (ground, below))| {
                let contrast = color.contrast(below);
                let of = if text == "on_accent" { vec![self.accent] } else { grounds.map(|(_, ground)| ground).to_vec() };
                (contrast < LEAST_CONTRAST).then(|| TooClose { text, ground, contrast, instead: color.readable_on(&of) })
            })
            .collect()
    }

    fn all(&self) -> [(&'static str, Color); 10] {
        [
            ("paper", self.paper),
            ("card", self.card),
            ("ink", self.ink),
            ("soft", self.soft),
            ("line", self.line),
            ("accent", self.accent),
            ("on-accent", self.on_accent),
            ("bad", self.sale),
            ("good", self.good),
            ("sun", self.sun),
        ]
    }

    fn css(&self) -> String {
        self.all().into_iter().fold(String::new(), |mut css, (name, color)| {
            write!(css, "--{name}:{color};").expect("a text takes all");
            css
        })
    }
}

/// What a merchant chose.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// Light colors.
    pub light: Named,
    /// Dark colors.
    pub dark: Named,
    /// One palette or both.
    pub scheme: Scheme,
    /// How round things are.
    pub corners: Corners,
    /// Of headings.
    pub headings: Font,
    /// Of all else.
    pub text: Font,
}

impl Default for Chosen {
    fn default() -> Self {
        let font = |name| Font::named(name).expect("it is in the list");
        Self {
            light: Named::default(),
            dark: Named::default(),
            scheme: Scheme::default(),
            corners: Corners::default(),
            headings: font("serif"),
            text: font("sans"),
        }
    }
}

/// Pictures on a dark ground are a little less bright, so that they do not glare beside it.
const DIMMED: &str = "img{filter:brightness(.92)}";

/// Families of a shop's own fonts in its style sheet.
const OWN_HEADINGS: &str = "shop headings";
const OWN_TEXT: &str = "shop text";

impl Chosen {
    /// The palettes that pages show: by the word under which site.toml names their colors.
    pub fn palettes(&self) -> Vec<(&'static str, Palette)> {
        let light = || ("colors", Palette::light(&self.light));
        let dark = || ("dark_colors", Palette::dark(&self.dark, &self.light));
        match self.scheme {
            Scheme::Auto => vec![light(), dark()],
            Scheme::Light => vec![light()],
            Scheme::Dark => vec![dark()],
        }
    }

    /// As pages and mails take it.
    pub fn look(&self) -> Look {
        let stack = |name: &str| FONT_STACKS.iter().find(|(known, _)| *known == name).map_or("", |(_, families)| families);
        let headings = self.headings.families(OWN_HEADINGS, stack("serif"));
        let text = self.text.families(OWN_TEXT, stack("sans"));
        let (round, field, button) = self.corners.radii();
        let palettes = self.palettes();
        let (_, first) = palettes[0];
        let mut css =
            format!(":root{{{}--display:{headings};--text:{text};--round:{round};--field:{field};--pill:{button}}}", first.css());
        if let Some((_, dark)) = palettes.get(1) {
            write!(css, "@media(prefers-color-scheme:dark){{:root{{{}}}{DIMMED}}}", dark.css().trim_end_matches(';'))
                .expect("a text takes all");
        } else if self.scheme == Scheme::Dark {
            css.push_str(DIMMED);
        }
        let scheme = match self.scheme {
            Scheme::Auto => "light dark",
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let own = [(OWN_HEADINGS, &self.headings), (OWN_TEXT, &self.text)];
        Look {
            css,
            scheme: scheme.to_owned(),
            colors: first.all().map(|(name, color)| (name.replace('-', "_"), color.to_string())).into(),
            mail_headings: headings.replace('"', "'"),
            fonts: own
                .into_iter()
                .filter_map(|(family, font)| match font {
                    Font::Stack(_) => None,
                    Font::File(path) => Some(FontFile { family: family.to_owned(), path: path.clone() }),
                })
                .collect(),
            own: serde_json::json!({}),
            ..Look::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(text: &str) -> Color {
        Color::parse(text).unwrap_or_else(|| panic!("{text} is a color"))
    }

    #[test]
    fn colors_are_read_and_written() {
        assert_eq!(color("#8f4419").to_string(), "#8f4419");
        assert_eq!(color("#FA0").to_string(), "#ffaa00");
        for wrong in ["", "8f4419", "#8f44", "#8f441g", "red", "#ÄÖÜ", "#8f44199"] {
            assert_eq!(Color::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 1e-9);
        assert!((color("#777777").contrast(WHITE) - 4.478).abs() < 1e-3);
        assert!((color("#767676").contrast(WHITE) - 4.542).abs() < 1e-3);
    }

    #[test]
    fn the_built_in_palettes_can_be_read() {
        for (name, palette) in Chosen::default().palettes() {
            assert_eq!(palette.too_close(), [], "{name}");
            // `good` on panels; the sale's tag is written in the panel's color on that of the sale.
            let marks = [palette.good, palette.sale];
            assert!(marks.iter().all(|mark| mark.contrast(palette.card) >= LEAST_CONTRAST), "{name}");
        }
    }

    #[test]
    fn one_accent_is_enough_for_both_schemes() {
        for accent in ["#0b5cad", "#0d7a3d", "#7a1fa2", "#111111", "#b3261e"] {
            let chosen = Chosen { light: Named { accent: Some(color(accent)), ..Named::default() }, ..Chosen::default() };
            for (name, palette) in chosen.palettes() {
                assert_eq!(palette.too_close(), [], "{accent} {name}");
            }
        }
    }

    #[test]
    fn grounds_of_ones_own_bring_their_own_shades() {
        let named = Named { paper: Some(color("#f0f4ff")), ink: Some(color("#101840")), ..Named::default() };
        let palette = Palette::light(&named);
        assert_eq!(palette.too_close(), []);
        assert_ne!(palette.line, LIGHT.line);
        for paper in ["#000000", "#0b1020", "#ffffff", "#ffe9b0"] {
            let named = Named { paper: Some(color(paper)), ..Named::default() };
            assert_eq!(Palette::light(&named).too_close(), [], "{paper} alone is enough");
        }
    }

    #[test]
    fn a_shade_that_cannot_be_read_is_told_with_one_that_can() {
        let named = Named { accent: Some(color("#f2b8a0")), ..Named::default() };
        let found = Palette::light(&named).too_close();
        let first = found.first().expect("pale on pale");
        assert_eq!((first.text, first.ground), ("accent", "paper"));
        let instead = first.instead.expect("a darker one");
        assert!(instead.contrast(LIGHT.paper) >= LEAST_CONTRAST && instead.contrast(LIGHT.card) >= LEAST_CONTRAST);
    }

    #[test]
    fn a_tag_in_the_color_of_sales_can_be_read() {
        let named = Named { sale: Some(color("#ff9a8d")), ..Named::default() };
        let found = Palette::light(&named).too_close();
        assert!(found.iter().any(|pair| (pair.text, pair.ground) == ("sale", "card")), "{found:?}");
    }

    #[test]
    fn a_style_sheet_holds_what_was_chosen() {
        let look = Chosen {
            scheme: Scheme::Dark,
            corners: Corners::Square,
            headings: Font::File("fonts/own.woff2".to_owned()),
            ..Chosen::default()
        }
        .look();
        assert!(look.css.contains("--round:0;") && !look.css.contains("@media"), "{}", look.css);
        assert!(look.css.contains("--display:\"shop headings\",") && look.css.contains("--paper:#191612"));
        assert_eq!(look.fonts, [FontFile { family: "shop headings".to_owned(), path: "fonts/own.woff2".to_owned() }]);
        assert_eq!(look.scheme, "dark");
        assert!(look.css.ends_with(DIMMED));
        let of = |scheme| Chosen { scheme, ..Chosen::default() }.look().css;
        assert!(of(Scheme::Auto).ends_with(&format!("}}{DIMMED}}}")), "on dark grounds alone: {}", of(Scheme::Auto));
        assert!(!of(Scheme::Light).contains(DIMMED));
    }
}
