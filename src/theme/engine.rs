//! Engine: the templates of a shop, ready to print.
//!
//! Owns    the built-in templates (embedded at compile time), the site's own that shadow them, and what every template may call.
//! Always  made whole or not at all: parents, parts, filters and syntax of every template are checked when it is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use serde::Serialize;
use tera::{Context, Kwargs, State, Tera, TeraResult, Value};

use super::filters;

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Before a shadowed built-in template's name: `{% extends "theme/product.html" %}` in a site's own product.html.
const SHADOWED: &str = "theme/";

/// Functions that pages of a build can call and the edge's cannot: a build registers them. See `site::render::functions`.
pub const PAGE_FUNCTIONS: [&str; 5] = ["category", "data", "image", "product", "products"];

/// Where files of texts lie among templates.
pub const TEXTS: &str = "texts/";

/// Where operators' pages lie among templates: no shop shadows or prints them.
const DESK: &str = "desk/";

/// A file of static/ as pages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its final address from the root.
    pub url: String,
    /// Subresource integrity (`sha384-…`); empty for pictures.
    pub integrity: String,
}

/// Files of static/ by their path in it, such as `theme.js`.
pub type Assets = BTreeMap<String, Asset>;

/// Templates that print. Shared by all threads.
#[derive(Clone, Debug)]
pub struct Engine {
    tera: Tera,
}

/// What is wrong with a template, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// The template's name; empty where the fault is not in one.
    pub template: String,
    /// From 1; 0: unknown.
    pub line: usize,
    /// From 1; 0: unknown.
    pub column: usize,
    /// Bytes of the template that are meant.
    pub range: std::ops::Range<usize>,
    /// One sentence.
    pub message: String,
}

impl Engine {
    /// Checks and takes the built-in templates and the site's own, (name, source); a site's template shadows the built-in one of its
    /// name, which stays reachable as `theme/NAME`.
    ///
    /// Errors: the first template that cannot be understood.
    pub fn new(own: &[(String, String)], assets: Arc<Assets>) -> Result<Self, TemplateError> {
        let mut tera = Tera::new();
        filters::register(&mut tera);
        register_assets(&mut tera, assets);
        for name in PAGE_FUNCTIONS {
            let refusal = format!("`{name}()` can be called on pages of a build only, not on those of cart and checkout");
            tera.register_function(name, move |_: Kwargs, _: &State| -> TeraResult<Value> {
                Err(tera::Error::message(&refusal))
            });
        }
        let mut templates: BTreeMap<String, String> = BTreeMap::new();
        for (name, source) in built_in() {
            templates.insert(name.to_owned(), source.to_owned());
        }
        for (name, source) in own {
            if let Some(shadowed) = templates.insert(name.clone(), source.clone())
                // Parts have one name in the whole set; two definitions of one would clash.
                && !shadowed.contains("{% component ")
            {
                templates.insert(format!("{SHADOWED}{name}"), shadowed);
            }
        }
        tera.add_raw_templates(templates).map_err(|error| explain(&error))?;
        Ok(Self { tera })
    }

    /// The templates of operators' pages, which are the program's own and no shop's.
    pub fn desk() -> Self {
        let mut found = Vec::new();
        collect(&BUILT_IN, &mut found);
        found.retain(|(name, _)| name.starts_with(DESK) && name.ends_with(".html"));
        let mut tera = Tera::new();
        tera.add_raw_templates(found).expect("the program's own templates are right; a test prints them");
        Self { tera }
    }

    /// Puts a function of `PAGE_FUNCTIONS` in its place.
    pub fn register(&mut self, name: &'static str, call: impl Fn(&Kwargs) -> TeraResult<Value> + Send + Sync + 'static) {
        debug_assert!(PAGE_FUNCTIONS.contains(&name), "another name would be unknown at the edge");
        self.tera.register_function(name, move |kwargs: Kwargs, _: &State| call(&kwargs));
    }

    /// The names of all templates, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tera.get_template_names()
    }

    /// The values that a template takes from outside, sorted; empty where there is no such template.
    pub fn variables(&self, template: &str) -> Vec<&str> {
        let found = self.tera.get_template_variables(template);
        let mut names: Vec<&str> = found.map(|names| names.into_iter().collect()).unwrap_or_default();
        names.sort_unstable();
        names
    }

    /// Whether there is such a template.
    pub fn has(&self, template: &str) -> bool {
        self.tera.contains_template(template)
    }

    /// Prints a template.
    ///
    /// Errors: a value that the template uses and the page has not, with its place.
    pub fn render(&self, template: &str, context: &Context) -> Result<String, TemplateError> {
        self.tera.render(template, context).map_err(|error| explain(&error))
    }

    /// The same, at the end of `page`: for many pages one after the other.
    pub fn render_into(&self, template: &str, context: &Context, page: &mut Vec<u8>) -> Result<(), TemplateError> {
        self.tera.render_to(template, context, page).map_err(|error| explain(&error))
    }
}

/// What a template is printed with. `site` once per market is dear: keep it as a `Value` and hand out cheap copies.
#[derive(Clone, Debug, Default)]
pub struct Values(Context);

impl Values {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With another value under a name.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &impl Serialize) -> Self {
        self.0.insert(name, value);
        self
    }

    /// With a value that is ready.
    #[must_use]
    pub fn with_value(mut self, name: &'static str, value: Value) -> Self {
        self.0.insert_value(name, value);
        self
    }

    /// Puts a value under a name that is known only now.
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert_value(name.to_owned(), value);
    }

    /// For `Engine::render`.
    pub fn context(&self) -> &Context {
        &self.0
    }
}

/// The built-in templates: (name, source), sorted.
pub fn built_in() -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    collect(&BUILT_IN, &mut found);
    found.retain(|(name, _)| !name.starts_with(TEXTS) && !name.starts_with(DESK));
    found.sort_unstable();
    found
}

/// The theme's file of texts in a language.
pub fn built_in_texts(language: &str) -> Option<&'static str> {
    BUILT_IN.get_file(format!("{TEXTS}{language}.toml"))?.contents_utf8()
}

fn collect(folder: &'static Dir<'static>, found: &mut Vec<(&'static str, &'static str)>) {
    for file in folder.files() {
        let name = file.path().to_str().expect("the theme's own names are ASCII");
        found.push((name, file.contents_utf8().expect("the theme's own templates are UTF-8")));
    }
    folder.dirs().for_each(|inner| collect(inner, found));
}

fn register_assets(tera: &mut Tera, assets: Arc<Assets>) {
    let find = move |kwargs: &Kwargs| -> TeraResult<Asset> {
        let path: &str = kwargs.must_get("path")?;
        let missing = || tera::Error::message(format!("there is no file static/{path}"));
        assets.get(path).cloned().ok_or_else(missing)
    };
    let urls = find.clone();
    tera.register_function("asset", move |kwargs: Kwargs, _: &State| urls(&kwargs).map(|asset| asset.url));
    tera.register_function("integrity", move |kwargs: Kwargs, _: &State| find(&kwargs).map(|asset| asset.integrity));
}

fn explain(error: &tera::Error) -> TemplateError {
    use tera::ErrorKind;
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => TemplateError {
            template: report.filename().to_owned(),
            line: report.span().start_line,
            column: report.span().start_col + 1,
            range: report.span().range.clone(),
            message: report.message().to_owned(),
        },
        _ => TemplateError { template: String::new(), line: 0, column: 0, range: 0..0, message: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assets() -> Arc<Assets> {
        let asset = |url: &str| Asset { url: url.to_owned(), integrity: "sha384-x".to_owned() };
        Arc::new(Assets::from([
            ("theme.js".to_owned(), asset("/a/theme.1.js")),
            ("favicon.svg".to_owned(), asset("/a/favicon.2.svg")),
            ("search.js".to_owned(), asset("/a/search.3.js")),
        ]))
    }

    fn engine(own: &[(&str, &str)]) -> Result<Engine, TemplateError> {
        let own: Vec<_> = own.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned())).collect();
        Engine::new(&own, assets())
    }

    #[test]
    fn the_built_in_theme_is_whole() {
        let engine = engine(&[]).expect("the theme's own templates are right");
        for name in ["base.html", "home.html", "product.html", "category.html", "page.html", "404.html", "edge/cart.html"] {
            assert!(engine.has(name), "{name}");
        }
    }

    #[test]
    fn a_sites_template_shadows_and_may_extend_the_built_in_one() {
        let own = [
            ("404.html", "{% extends \"theme/404.html\" %}{% block main %}Gone{% endblock %}"),
            ("x.html", "own {{ asset(path=\"theme.js\") }}"),
        ];
        let engine = engine(&own).expect("both are right");
        assert!(engine.has("theme/404.html"));
        assert_eq!(engine.render("x.html", Values::new().context()).as_deref(), Ok("own /a/theme.1.js"));
    }

    #[test]
    fn a_fault_names_template_line_and_column() {
        let error = engine(&[("broken.html", "fine\n{{ oops")]).expect_err("it does not end");
        assert_eq!((error.template.as_str(), error.line), ("broken.html", 2));
        let engine = engine(&[("missing.html", "a\nb {{ page.nothing.here }}")]).expect("the syntax is right");
        let error = engine.render("missing.html", Values::new().with("page", &BTreeMap::from([("x", 1)])).context());
        let error = error.expect_err("there is no such value");
        assert_eq!((error.template.as_str(), error.line), ("missing.html", 2));
        assert!(error.column > 1 && !error.message.is_empty());
        let error = engine.render("x.html", Values::new().context()).expect_err("no such template");
        assert!(error.message.contains("x.html"));
    }

    #[test]
    fn an_unknown_file_is_named() {
        let engine = engine(&[("x.html", "{{ asset(path=\"nope.css\") }}")]).expect("the syntax is right");
        let error = engine.render("x.html", Values::new().context()).expect_err("no such file");
        assert!(error.message.contains("static/nope.css"), "{error:?}");
    }
}
