//! Categories: content/categories/**/_index.md; folders are the hierarchy.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::translations::{self, OfCategory, Sibling, TranslatedDetails};
use super::{CategoryDetails, LoadedCategory, Source, front_matter, paths, shown_path, source_file};
use crate::commerce::catalog::{Category, Image};
use crate::commerce::ids::CategoryPath;
use crate::commerce::language::Translation;
use crate::commerce::rules::Rules;
use crate::site::problem::{Problem, Problems, SourceFile};
use crate::site::render::shortcode;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: Spanned<String>,
    #[serde(default)]
    order: i64,
    image: Option<super::products::WrittenImage>,
    #[serde(default)]
    seo: super::products::WrittenSeo,
}

const FOLDER: &str = "content/categories";

pub(super) fn read(root: &Path, rules: &Rules, problems: &mut Problems) -> Vec<LoadedCategory> {
    let files = translations::split(root, paths(root, FOLDER, "md", problems), rules, problems);
    let read = |(path, siblings): (PathBuf, Vec<Sibling>)| {
        let (file, found) = source_file(&shown_path(root, &path), &path);
        problems.extend(found);
        category(&file?, &siblings, problems)
    };
    files.into_iter().filter_map(read).collect()
}

fn category(file: &SourceFile, siblings: &[Sibling], problems: &mut Problems) -> Option<LoadedCategory> {
    let inside = file.path.strip_prefix(FOLDER)?.trim_start_matches('/');
    let Some(path) = inside.strip_suffix("/_index.md") else {
        let problem = Problem::about(&file.path, "a category is a folder with a file `_index.md`");
        problems.push(problem.hint("move this file to a folder of that name, as `_index.md`"));
        return None;
    };
    for slug in path.split('/') {
        let is_slug = !slug.is_empty() && slug == slug::slugify(slug);
        if !is_slug || slug.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = format!("`{slug}` cannot be an address");
            let hint = "name the folder with a–z, 0–9 and hyphens; a number alone is the address of a second page";
            problems.push(Problem::about(&file.path, message).hint(hint));
            return None;
        }
    }
    if let Some(reason) = super::wrong_path(path) {
        problems.push(Problem::about(&file.path, reason).hint("let it stand higher, or give its folders shorter names"));
        return None;
    }
    let (written, body, place): (Written, _, _) = front_matter::read(file, problems)?;
    shortcode::check(file, file.text.len() - body.len(), body, problems);
    let title = super::one_line(written.title.get_ref());
    if title.is_empty() || title.chars().count() > super::MAX_TITLE_LETTERS {
        let message = format!("a category needs a title of at most {} letters", super::MAX_TITLE_LETTERS);
        problems.push(place.problem(&written.title, message));
        return None;
    }
    let source = Source { file: file.path.to_string(), line: 1 };
    let (translations, translated): (Vec<Translation>, Vec<TranslatedDetails>) = siblings
        .iter()
        .filter_map(|sibling| Some(translations::read::<OfCategory>(sibling, &file.path, problems)?.parts(problems)))
        .unzip();
    Some(LoadedCategory {
        category: Category { path: CategoryPath::from(path.to_owned()), title, translations, order: written.order },
        details: CategoryDetails {
            source,
            body_markdown: body.to_owned(),
            image: written.image.map(Image::from),
            seo_title: written.seo.title,
            seo_description: written.seo.description,
            translations: translated,
        },
    })
}
