//! Source: the shop's folder as commands read it: settings, content and templates, with every problem told.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use super::CommandError;
use crate::commerce::ids::{Sku, Timestamp};
use crate::config::{self, Config, NamedCategory};
use crate::site::load::{self, Loaded, history};
use crate::site::makers::{self, Coverage};
use crate::site::problem::{Problem, Problems, SourceFile};
use crate::site::translations::Said;
use crate::site::{accessibility, facets};
use crate::theme::engine::TemplateError;
use crate::theme::texts::Dictionary;

/// A shop that was read without an error.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) root: PathBuf,
    pub(super) config: Config,
    pub(super) loaded: Loaded,
    /// The site's own templates: (name, source), sorted.
    pub(super) templates: Vec<(String, String)>,
    /// What the theme says, in every language.
    pub(super) texts: Dictionary,
    /// How many products say who made them.
    pub(super) makers: Coverage,
}

/// Folder of what builds remember; it may be deleted at any time.
pub(super) fn cache(root: &Path) -> PathBuf {
    state(root).join("cache")
}

/// Folder for keys, database and mails.
pub(super) fn state(root: &Path) -> PathBuf {
    root.join(".vitrine")
}

/// The price history: the file that was named, else the one in the shop's folder.
pub(super) fn price_history(root: &Path, given: Option<&Path>) -> PathBuf {
    given.map_or_else(|| root.join(history::FILE), Path::to_owned)
}

/// Reads site.toml; `base_url` takes the place of the one in it.
pub(super) fn settings(root: &Path, base_url: Option<&str>, problems: &mut Problems) -> Option<Config> {
    let mut config = config::read(root, problems)?;
    if let Some(base_url) = base_url {
        match config::check_origin(base_url) {
            Ok(()) => config.shop.base_url = base_url.to_owned(),
            Err(reason) => {
                problems.push(Problem::about("--base-url", reason).hint("write an origin such as https://shop.example"))
            }
        }
    }
    Some(config)
}

impl Source {
    /// Reads a shop. `base_url` takes the place of the one in site.toml; `cache` is a folder that remembers between builds. `None` where there are errors; the problems say which.
    pub(super) fn read(root: &Path, base_url: Option<&str>, cache: Option<&Path>, problems: &mut Problems) -> Option<Self> {
        let mut config = settings(root, base_url, problems)?;
        let mut loaded = load::load(root, &config.rules, &config.sources, cache, problems);
        facets::check(&config.build.facets, &loaded, problems);
        let is_missing = |named: &&NamedCategory| loaded.catalog.category_index(&named.path).is_none();
        // A shop that is begun has settings first.
        if !loaded.products.is_empty() {
            config.named_categories.iter().filter(is_missing).for_each(|named| problems.push(named.problem.clone()));
        }
        config.rules.promotions = loaded.promotions.clone();
        config.rules.words = loaded.words.clone();
        let makers = makers::check(&config.build.makers, &loaded, &config.rules, problems);
        loaded.check_words(&config.rules, &config.build.facets, &config.shop.tagline, problems);
        let templates = templates(root, problems);
        let texts = load::texts::read(root, &config.rules, &templates, problems);
        accessibility::add(&mut loaded, &config.shop, &config.rules, &texts);
        problems.sort();
        (!problems.has_errors()).then(|| Self { root: root.to_owned(), config, loaded, templates, texts, makers })
    }

    /// Takes the price history into account, as it is at an instant. `None` where there are errors.
    pub(super) fn with_history(mut self, given: Option<&Path>, at: Timestamp, problems: &mut Problems) -> Option<Self> {
        let path = price_history(&self.root, given);
        if given.is_some() && !path.is_file() {
            problems.push(Problem::about(&path.display().to_string(), "there is no such file"));
        }
        let steps = history::read(&path, problems);
        history::apply(&mut self.loaded, &self.config.rules, steps, &self.root, at, problems);
        problems.sort();
        (!problems.has_errors()).then_some(self)
    }

    /// All that the shop says, for what its languages lack.
    pub(super) fn said(&self) -> Said<'_> {
        let Config { rules, build, shop, .. } = &self.config;
        Said { loaded: &self.loaded, rules, facets: &build.facets, tagline: &shop.tagline, texts: &self.texts }
    }

    /// A template's fault as a problem at its place; `page` is the address of a page that met it.
    pub(super) fn template_problem(&self, error: &TemplateError, page: Option<&str>) -> Problem {
        let own = self.templates.iter().find(|(name, _)| *name == error.template);
        let problem = match own {
            Some((name, source)) if error.line > 0 => {
                Problem::at(&SourceFile::new(&format!("templates/{name}"), source), error.range.clone(), &error.message)
            }
            _ if error.template.is_empty() => Problem::about("templates", &error.message),
            _ => {
                let name = format!("{} (built in)", error.template);
                Problem::about(&name, &error.message).on_line(error.line, error.column, "")
            }
        };
        match page {
            Some(page) => problem.hint(format!("met while printing {page}")),
            None => problem,
        }
    }
}

// Built-in names end so; other files in templates/ are none.
fn templates(root: &Path, problems: &mut Problems) -> Vec<(String, String)> {
    let folder = root.join("templates");
    let mut found = Vec::new();
    if !load::is_folder(root, "templates", problems) {
        return found;
    }
    for entry in listed!(walkdir::WalkDir::new(&folder).follow_links(true)).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                problems.push(Problem::about("templates", error.to_string()));
                continue;
            }
        };
        let ending = entry.path().extension().and_then(|ending| ending.to_str()).unwrap_or("");
        if !entry.file_type().is_file() || !matches!(ending, "html" | "txt" | "xml" | "css") {
            continue;
        }
        let relative = entry.path().strip_prefix(&folder).unwrap_or(entry.path());
        let name = relative.to_string_lossy().replace('\\', "/");
        let shown = format!("templates/{name}");
        match std::fs::read(entry.path()) {
            Ok(bytes) => found.extend(load::text(&shown, bytes, problems).map(|text| (name, text))),
            Err(error) => problems.push(Problem::about(&shown, format!("this file cannot be read: {error}"))),
        }
    }
    // The sample shop's templates are the built-in ones: equal files are no shadows.
    let built_in: BTreeMap<&str, &str> = crate::theme::engine::built_in().into_iter().collect();
    found.retain(|(name, source)| built_in.get(name.as_str()) != Some(&source.as_str()));
    found
}

/// Prints problems for people and gives the failure they mean, if any.
pub(super) fn tell(problems: &Problems) -> Result<(), CommandError> {
    eprint!("{}", problems.render(colors()));
    if problems.has_errors() { Err(CommandError::Content) } else { Ok(()) }
}

/// Whether stderr shows colours.
pub(super) fn colors() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// The instant a build is made for: given, else SOURCE_DATE_EPOCH, else now.
pub(super) fn as_of(given: Option<&str>) -> Result<Timestamp, CommandError> {
    let usage = |text: &str| CommandError::Usage(format!("`{text}` is not a time; write 2026-12-24 or 2026-12-24T18:00:00Z"));
    if let Some(text) = given {
        return load::written::instant(text).ok_or_else(|| usage(text));
    }
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text
            .parse()
            .map(Timestamp)
            .map_err(|_| CommandError::Usage(format!("SOURCE_DATE_EPOCH: `{text}` is no number of seconds"))),
        Err(_) => Ok(Timestamp(jiff::Timestamp::now().as_second())),
    }
}

/// A row of a stock snapshot.
#[derive(serde::Deserialize)]
struct StockRow {
    sku: String,
    on_hand: i64,
    #[serde(default)]
    reserved: i64,
}

/// A stock snapshot: the CSV that `vitrine stock export` writes. Gives the units that can be sold.
pub(super) fn stock(path: Option<&Path>) -> Result<BTreeMap<Sku, u32>, CommandError> {
    let Some(path) = path else { return Ok(BTreeMap::new()) };
    let mut reader = csv::Reader::from_path(path).map_err(|error| CommandError::World(format!("{}: {error}", path.display())))?;
    let rows = reader.deserialize().map(|row: Result<StockRow, csv::Error>| {
        let StockRow { sku, on_hand, reserved } = row?;
        Ok((Sku::from(sku), u32::try_from(on_hand.saturating_sub(reserved).max(0)).unwrap_or(u32::MAX)))
    });
    rows.collect::<Result<_, csv::Error>>().map_err(|error| {
        let shape = "a snapshot is a CSV with the columns sku, on_hand and reserved, as `vitrine stock export` prints it";
        CommandError::Usage(format!("{}: {error}; {shape}", path.display()))
    })
}
