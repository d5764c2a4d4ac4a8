//! Expand: a text with its shortcodes printed, each by its template `shortcodes/NAME.html`.
//!
//! Owns    what a shortcode's template is given (its arguments, `body`, `nth`, `page`, `site`), and where its output is put.
//! Always  Markdown never sees the output: a mark stands for it until the text is HTML. A text that a shortcode holds is Markdown of its
//!         own. Nothing that was printed is expanded again.

use std::collections::BTreeMap;
use std::ops::Range;

use tera::Value;

use super::markdown::{self, Marks, Names};
use super::shortcode::{Call, CallBody, Fault, calls, may_hold_calls};
use super::{PrintError, Printer, reads};
use crate::site::load::{Body, Source};
use crate::site::plan::Page;
use crate::site::problem::nearest;
use crate::theme::engine::{Engine, TemplateError, Values};

/// Folder of shortcodes among templates.
const FOLDER: &str = "shortcodes/";
/// What every shortcode is given without being asked.
const GIVEN: [&str; 4] = ["body", "nth", "page", "site"];

/// Mistakes in a text, with what is needed to find their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFaults {
    /// Where the text was written.
    pub source: Source,
    /// The text itself.
    pub text: String,
    /// At least one.
    pub faults: Vec<Fault>,
}

/// The page that a text stands on, as its shortcodes know it: `page`.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(super) struct Place<'a> {
    #[serde(skip)]
    pub(super) market: usize,
    pub(super) url: &'a str,
    pub(super) title: &'a str,
}

impl<'a> Place<'a> {
    pub(super) fn of(page: &'a Page, title: &'a str) -> Self {
        Self { market: page.market, url: &page.url, title }
    }
}

/// A text that was printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Html {
    pub(super) html: String,
    /// Without what its shortcodes print; `None`: it has none.
    plain: Option<String>,
}

impl Html {
    /// HTML without what shortcodes print: for descriptions.
    pub(super) fn plain(&self) -> &str {
        self.plain.as_ref().unwrap_or(&self.html)
    }

    /// Of a text that a page describes itself with and does not show.
    pub(super) fn plain_only(text: &str) -> Self {
        Self { html: String::new(), plain: Some(without_shortcodes(text)) }
    }
}

impl Printer<'_> {
    /// HTML of a text that was written at `source`, its shortcodes printed for a page.
    pub(super) fn html(&self, place: Place<'_>, source: &Source, text: &str) -> Result<Html, PrintError> {
        if !may_hold_calls(text) {
            return Ok(Html { html: markdown::to_html(text), plain: None });
        }
        let wrong = |faults| {
            let mut found = TextFaults { source: source.clone(), text: text.to_owned(), faults };
            found.faults.sort_by_key(|fault| fault.range.start);
            PrintError::Text(Box::new(found))
        };
        let calls = calls(text).map_err(&wrong)?;
        let mut expansion = Expansion {
            engine: self.engine,
            values: Values::new().with_value("site", self.site_values[place.market].clone()).with("page", &place),
            text,
            marks: Marks::of(text),
            names: Names::default(),
            outputs: Vec::new(),
            counts: BTreeMap::new(),
            faults: Vec::new(),
        };
        let html = expansion.html(0..text.len(), &calls, "");
        if !expansion.faults.is_empty() {
            return Err(wrong(expansion.faults));
        }
        Ok(Html { html, plain: Some(without_shortcodes(text)) })
    }

    /// The same of a body; one from outside is HTML already and is never expanded.
    pub(super) fn body_html(&self, place: Place<'_>, source: &Source, body: Body) -> Result<Html, PrintError> {
        match body {
            Body::Markdown(text) => self.html(place, source, &text),
            Body::Html(html) => Ok(Html { html, plain: None }),
        }
    }
}

/// HTML of a text without what its shortcodes would print: for descriptions, which are read far from the page and later.
pub(super) fn without_shortcodes(text: &str) -> String {
    if !may_hold_calls(text) {
        return markdown::to_html(text);
    }
    let calls = calls(text).unwrap_or_default();
    let mut plain = String::with_capacity(text.len());
    let mut at = 0;
    for call in &calls {
        plain.push_str(&text[at..call.whole.start]);
        at = call.whole.end;
    }
    plain.push_str(&text[at..]);
    markdown::to_html(&plain)
}

struct Expansion<'a> {
    engine: &'a Engine,
    values: Values,
    text: &'a str,
    marks: Marks,
    names: Names,
    /// What was printed, by the number of its mark, and for which tag.
    outputs: Vec<(String, Range<usize>)>,
    /// How often each shortcode was called.
    counts: BTreeMap<String, usize>,
    faults: Vec<Fault>,
}

impl Expansion<'_> {
    /// HTML of a part of the text with these calls in it. `indent`: what its lines after the first may begin with.
    fn html(&mut self, range: Range<usize>, calls: &[Call], indent: &str) -> String {
        let mut marked = String::with_capacity(range.len());
        let mut at = range.start;
        for call in calls {
            marked.push_str(&self.text[at..call.whole.start]);
            at = call.whole.end;
            let output = self.print(call);
            marked.push_str(&self.marks.mark(self.outputs.len()));
            self.outputs.push((output, call.tag.clone()));
        }
        marked.push_str(&self.text[at..range.end]);
        let (html, within) = markdown::to_html_with_marks(&outdented(&marked, indent), &mut self.names, &self.marks);
        for (output, tag) in within.into_iter().map(|number| &self.outputs[number]).filter(|(output, _)| is_block(output)) {
            let element = output[1..].split(|sign: char| !sign.is_ascii_alphanumeric()).next().unwrap_or_default();
            let fault = Fault::new(tag.clone(), format!("this shortcode prints a block, `<{element}>`, within a sentence"));
            self.faults.push(fault.hint("put it on a line of its own, with an empty line before and after it"));
        }
        self.marks.fill(&html, |number| &self.outputs[number].0)
    }

    fn print(&mut self, call: &Call) -> String {
        let template = format!("{FOLDER}{}.html", call.name);
        if !self.engine.has(&template) {
            self.faults.push(unknown(self.engine, call));
            return String::new();
        }
        let engine = self.engine;
        let takes = engine.variables(&template);
        if let Some(fault) = misused(call, &takes) {
            self.faults.push(fault);
            return String::new();
        }
        let count = self.counts.entry(call.name.clone()).or_insert(0);
        *count += 1;
        let mut values = self.values.clone().with("nth", count);
        for argument in &call.arguments {
            values.set(&argument.name, argument.value.clone());
        }
        if let Some(body) = &call.body {
            let html = self.body(call, body);
            values.set("body", Value::safe_string(html.trim()));
        }
        match reads::of_shortcode(&template, || engine.render(&template, values.context())) {
            Ok(output) => output.trim().to_owned(),
            Err(error) => {
                self.faults.push(failed(call, &takes, &error));
                String::new()
            }
        }
    }

    // A text in one line stands within a sentence, and is none of its own.
    fn body(&mut self, call: &Call, body: &CallBody) -> String {
        let line_start = self.text[..call.whole.start].rfind('\n').map_or(0, |at| at + 1);
        let indent = &self.text[line_start..call.whole.start];
        let html = self.html(body.range.clone(), &body.calls, indent);
        let is_line = !self.text[body.range.clone()].contains('\n');
        let inner = html.trim().strip_prefix("<p>").and_then(|inner| inner.strip_suffix("</p>"));
        inner.filter(|_| is_line).map(str::to_owned).unwrap_or(html)
    }
}

fn unknown(engine: &Engine, call: &Call) -> Fault {
    let mut known: Vec<&str> = engine
        .names()
        .filter_map(|name| name.strip_prefix(FOLDER)?.strip_suffix(".html"))
        .filter(|name| !name.contains('/'))
        .collect();
    known.sort_unstable();
    let hint = match nearest(&call.name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write templates/shortcodes/{}.html, or call one of {}", call.name, known.join(", ")),
    };
    Fault::new(call.tag.clone(), format!("there is no shortcode `{}`", call.name)).hint(hint)
}

// What can be told from the values that the template names.
fn misused(call: &Call, takes: &[&str]) -> Option<Fault> {
    let name = &call.name;
    for argument in &call.arguments {
        let word = argument.name.as_str();
        if GIVEN.contains(&word) {
            let fault =
                Fault::new(argument.range.clone(), format!("`{word}` is given to every shortcode and cannot be an argument"));
            return Some(fault.hint("call it by another name"));
        }
        if !takes.contains(&word) {
            let own = takes.iter().copied().filter(|known| !GIVEN.contains(known));
            let near = nearest(word, own).map(|near| format!("did you mean `{near}`?"));
            let fault = Fault::new(argument.range.clone(), format!("the shortcode `{name}` has no argument `{word}`"));
            return Some(fault.hint(near.unwrap_or_else(|| arguments_of(takes))));
        }
    }
    let holds_text = takes.contains(&"body");
    match (&call.body, holds_text) {
        (None, true) => {
            let fault = Fault::new(call.tag.clone(), format!("the shortcode `{name}` holds a text"));
            Some(fault.hint(format!("write `{{% {name}(…) %}} text {{% end %}}`")))
        }
        (Some(_), false) => {
            let fault = Fault::new(call.tag.clone(), format!("the shortcode `{name}` holds no text"));
            Some(fault.hint(format!("write `{{{{ {name}(…) }}}}`, without `{{% end %}}`")))
        }
        _ => None,
    }
}

fn arguments_of(takes: &[&str]) -> String {
    let own: Vec<&str> = takes.iter().copied().filter(|known| !GIVEN.contains(known)).collect();
    if own.is_empty() { "it has none".to_owned() } else { format!("its arguments are {}", own.join(", ")) }
}

fn failed(call: &Call, takes: &[&str], error: &TemplateError) -> Fault {
    let place = if error.template.is_empty() { String::new() } else { format!(" (templates/{}:{})", error.template, error.line) };
    // What else the page holds is no help to whoever wrote the text.
    let message = error.message.split(" Available variables").next().unwrap_or_default();
    let fault = Fault::new(call.tag.clone(), format!("the shortcode `{}` cannot be printed: {message}{place}", call.name));
    let is_given = |name: &&str| call.arguments.iter().any(|argument| argument.name == *name) || GIVEN.contains(name);
    let open: Vec<&str> = takes.iter().copied().filter(|name| !is_given(name)).collect();
    match message.contains("ndefined") || message.contains("not defined") {
        true if !open.is_empty() => fault.hint(format!("not given: {}", open.join(", "))),
        _ => fault,
    }
}

// Lines within a list or a quote begin as the first one does, with signs or with as many spaces; what is left is the text itself.
fn outdented(text: &str, indent: &str) -> String {
    let width = indent.chars().count();
    let is_indent =
        indent.chars().all(|sign| sign.is_whitespace() || matches!(sign, '>' | '-' | '*' | '+' | '.' | ')' | '0'..='9'));
    if width == 0 || !is_indent {
        return text.to_owned();
    }
    let mut lines = text.split_inclusive('\n');
    let mut outdented = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        let spaces = line.chars().take(width).take_while(|sign| matches!(sign, ' ' | '\t' | '>')).count();
        outdented.push_str(&line[spaces..]);
    }
    outdented
}

/// Elements that no paragraph can hold. Source: HTML Standard, elements that close a `p`.
const BLOCKS: [&str; 30] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "details",
    "dialog",
    "div",
    "dl",
    "fieldset",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "ul",
];

fn is_block(html: &str) -> bool {
    let element = html.strip_prefix('<').and_then(|rest| rest.split(|sign: char| !sign.is_ascii_alphanumeric()).next());
    element.is_some_and(|element| BLOCKS.contains(&element))
}
