//! Pages: content/pages/*.md; the file's name is the address, `index` fills the home page.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::translations::{self, OfPage, Sibling};
use super::{PageSource, RESERVED, Source, front_matter, paths, shown_path, source_file};
use crate::commerce::ids::Slug;
use crate::commerce::rules::Rules;
use crate::site::problem::{Problem, Problems, SourceFile};
use crate::site::render::shortcode;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: String,
    #[serde(default)]
    order: i64,
    #[serde(default = "yes")]
    footer: bool,
    #[serde(default = "empty_table")]
    extra: serde_json::Value,
    #[serde(default)]
    seo: super::products::WrittenSeo,
}

fn yes() -> bool {
    true
}

fn empty_table() -> serde_json::Value {
    serde_json::json!({})
}

const FOLDER: &str = "content/pages";

pub(super) fn read(root: &Path, rules: &Rules, problems: &mut Problems) -> Vec<PageSource> {
    let files = translations::split(root, paths(root, FOLDER, "md", problems), rules, problems);
    let read = |(path, siblings): (PathBuf, Vec<Sibling>)| {
        let (file, found) = source_file(&shown_path(root, &path), &path);
        problems.extend(found);
        page(&file?, &siblings, rules, problems)
    };
    let mut pages: Vec<PageSource> = files.into_iter().filter_map(read).collect();
    pages.sort_by(|one, other| one.slug.cmp(&other.slug));
    pages
}

fn page(file: &SourceFile, siblings: &[Sibling], rules: &Rules, problems: &mut Problems) -> Option<PageSource> {
    let slug = file.path.strip_prefix(FOLDER)?.trim_start_matches('/').strip_suffix(".md")?;
    if slug != slug::slugify(slug) {
        let problem = Problem::about(&file.path, format!("`{slug}` cannot be an address"));
        problems.push(problem.hint("name the file with a–z, 0–9 and hyphens, directly in content/pages/"));
        return None;
    }
    let is_market = rules.markets.iter().any(|market| market.prefix == slug);
    if RESERVED.contains(&slug) || is_market {
        let problem = Problem::about(&file.path, format!("`/{slug}` is an address of the shop itself"));
        problems.push(problem.hint("give the file another name"));
        return None;
    }
    let (written, body, _): (Written, _, _) = front_matter::read(file, problems)?;
    shortcode::check(file, file.text.len() - body.len(), body, problems);
    let translations = siblings
        .iter()
        .filter_map(|sibling| Some(translations::read::<OfPage>(sibling, &file.path, problems)?.page(problems)))
        .collect();
    Some(PageSource {
        translations,
        source: Source { file: file.path.to_string(), line: 1 },
        slug: Slug::from(slug.to_owned()),
        title: written.title,
        body_markdown: body.to_owned(),
        order: written.order,
        footer: written.footer,
        extra: written.extra,
        seo_title: written.seo.title,
        seo_description: written.seo.description,
    })
}
