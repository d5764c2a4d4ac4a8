//! Sources: `[[sources]]` of site.toml.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::commerce::ids::TaxClass;
use crate::commerce::rules::Rules;
use crate::site::load::sources::{self, BodyFormat, BulkFormat, BulkSource, Encoding, Mapping, WeightUnit};
use crate::site::load::written::Place;
use crate::site::problem::Problems;

/// `[[sources]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenSource {
    format: BulkFormat,
    path: Spanned<String>,
    encoding: Option<Spanned<String>>,
    delimiter: Option<Spanned<String>>,
    columns: Option<Spanned<Vec<String>>>,
    tax_class: Option<Spanned<String>>,
    #[serde(default)]
    allow_free: bool,
    language: Option<String>,
    images: Option<String>,
    weight_unit: Option<WeightUnit>,
    body_format: Option<BodyFormat>,
    map: Option<Spanned<Mapping>>,
}

impl WrittenSource {
    /// `root`: the shop's folder.
    pub(super) fn checked(self, rules: &Rules, place: Place<'_>, root: &Path, problems: &mut Problems) -> BulkSource {
        let path: PathBuf = root.join(self.path.get_ref());
        if !path.is_file() {
            let message = format!("there is no file `{}`", self.path.get_ref());
            problems.push(place.problem(&self.path, message).hint("paths are relative to the shop's folder"));
        }
        let class = self.tax_class.as_ref().map(|class| TaxClass::from(class.get_ref().clone()));
        if let (Some(written), Some(class)) = (&self.tax_class, &class)
            && !rules.tax.classes.contains(class)
        {
            problems.push(place.problem(written, format!("there is no tax class `{class}`")));
        }
        match (&self.map, self.format) {
            (None, BulkFormat::Json) => {
                let problem = place.problem(&self.path, "nobody says where the values of this document are");
                problems.push(problem.hint("write map = { title = \"…\", price = \"…\" }"));
            }
            (Some(map), format) if format != BulkFormat::Json => {
                problems.push(place.problem(map, "only `format = \"json\"` is read by a map").hint("take `map` out"));
            }
            _ => {}
        }
        let encoding = self.encoding.as_ref().and_then(|written| match Encoding::named(written.get_ref()) {
            Ok(encoding) => Some(encoding),
            Err(hint) => {
                let message = format!("nobody here knows the encoding `{}`", written.get_ref());
                problems.push(place.problem(written, message).hint(hint));
                None
            }
        });
        let (delimiter, columns) = self.table(place, problems);
        BulkSource {
            format: self.format,
            name: self.path.into_inner(),
            path,
            encoding,
            delimiter,
            columns,
            tax_class: class,
            allow_free: self.allow_free,
            language: self.language,
            images: self.images,
            weight_unit: self.weight_unit,
            body_format: self.body_format,
            map: self.map.map(Spanned::into_inner),
        }
    }

    // What is said of a table.
    fn table(&self, place: Place<'_>, problems: &mut Problems) -> (Option<u8>, Option<Vec<String>>) {
        let mut refused = Vec::new();
        if !self.format.is_table() {
            let problem = |what: &str| format!("only a table has {what}, and this format is none");
            refused.extend(self.delimiter.as_ref().map(|written| place.problem(written, problem("a delimiter"))));
            refused.extend(self.columns.as_ref().map(|written| place.problem(written, problem("columns"))));
        }
        refused.into_iter().for_each(|problem| problems.push(problem.hint("take it out")));
        let delimiter = self.delimiter.as_ref().and_then(|written| match sources::delimiter(written.get_ref()) {
            Ok(delimiter) => Some(delimiter),
            Err(hint) => {
                problems.push(place.problem(written, "this cannot stand between columns").hint(hint));
                None
            }
        });
        if let Some(written) = self.columns.as_ref().filter(|written| written.get_ref().is_empty()) {
            let problem = place.problem(written, "a table has at least one column");
            problems.push(problem.hint("name them in the order of the file: columns = [\"Handle\", \"Title\", …]"));
        }
        (delimiter, self.columns.as_ref().map(|written| written.get_ref().clone()))
    }
}
