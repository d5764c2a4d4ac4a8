//! SVG: drawings → the same drawings without what could run, load or tell.
//!
//! Owns    the elements and attributes that a drawing may have.
//! Always  no script, no handler of events, no HTML within, no address but `#part` and pictures within the file. A drawing that has none of
//!         these keeps its bytes. Comments and what editors note for themselves go without a word, all else is told with its line.
//! Why     such a file can be opened by its own address, where it is a document of the shop's own origin.

use std::ops::Range;

use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, Writer};

use crate::site::problem::{Kind, Problem, SourceFile};

/// Elements that only draw. Those that move something may not move an address, see `is_safe`.
#[rustfmt::skip]
const ELEMENTS: [&str; 66] = [
    "a", "animate", "animateMotion", "animateTransform", "circle", "clipPath", "defs", "desc", "ellipse", "feBlend", "feColorMatrix",
    "feComponentTransfer", "feComposite", "feConvolveMatrix", "feDiffuseLighting", "feDisplacementMap", "feDistantLight", "feDropShadow",
    "feFlood", "feFuncA", "feFuncB", "feFuncG", "feFuncR", "feGaussianBlur", "feImage", "feMerge", "feMergeNode", "feMorphology",
    "feOffset", "fePointLight", "feSpecularLighting", "feSpotLight", "feTile", "feTurbulence", "filter", "font", "font-face", "g", "glyph",
    "image", "line", "linearGradient", "marker", "mask", "missing-glyph", "mpath", "path", "pattern", "polygon", "polyline",
    "radialGradient", "rect", "set", "solidcolor", "stop", "style", "svg", "switch", "symbol", "text", "textPath", "title", "tref", "tspan",
    "use", "view",
];

/// What editors write for themselves: it goes without a word, as comments do.
const NOTED: [&str; 1] = ["metadata"];

/// What an embedded picture may be.
const EMBEDDED: [&str; 4] = ["data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;"];

/// A drawing that can be published, and what was taken out of it.
#[derive(Debug)]
pub(in crate::site) struct Clean {
    pub(in crate::site) text: String,
    pub(in crate::site) problems: Vec<Problem>,
}

/// Takes out of a drawing what does not draw. `name` is how problems call the file.
///
/// Errors: it cannot be read as XML.
pub(in crate::site) fn clean(name: &str, text: &str) -> Result<Clean, Problem> {
    let file = SourceFile::new(name, text);
    let mut reader = Reader::from_str(text);
    let mut cleaner = Cleaner {
        file: &file,
        writer: Writer::new(Vec::with_capacity(text.len())),
        depth: None,
        problems: Vec::new(),
        is_changed: false,
    };
    loop {
        let start = reader.buffer_position() as usize;
        let event = match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => event,
            Err(error) => {
                let at = (reader.error_position() as usize).min(text.len());
                return Err(
                    told(&file, at..at + 1, format!("this drawing cannot be read: {error}")).hint("save it anew as plain SVG")
                );
            }
        };
        cleaner.take(event, start..reader.buffer_position() as usize)?;
    }
    let Cleaner { writer, problems, is_changed, .. } = cleaner;
    let text = if is_changed { String::from_utf8(writer.into_inner()).expect("made of texts") } else { text.to_owned() };
    Ok(Clean { text, problems })
}

fn told(file: &SourceFile, range: Range<usize>, message: String) -> Problem {
    let line_end = file.text[range.start..].find('\n').map_or(file.text.len(), |length| range.start + length);
    Problem::at(file, range.start..range.end.min(line_end), message).of(Kind::Image).warning()
}

struct Cleaner<'a> {
    file: &'a SourceFile,
    writer: Writer<Vec<u8>>,
    /// Elements open within one that is taken out, itself counted.
    depth: Option<usize>,
    problems: Vec<Problem>,
    is_changed: bool,
}

impl Cleaner<'_> {
    fn take(&mut self, event: Event<'_>, range: Range<usize>) -> Result<(), Problem> {
        match (&event, self.depth) {
            (Event::Start(_), Some(depth)) => self.depth = Some(depth + 1),
            (Event::End(_), Some(depth)) => self.depth = Some(depth - 1).filter(|depth| *depth > 0),
            (_, Some(_)) => {}
            (Event::Start(start), None) => match self.element(start, &range)? {
                Some(start) => self.write(Event::Start(start)),
                None => self.depth = Some(1),
            },
            (Event::Empty(start), None) => {
                if let Some(start) = self.element(start, &range)? {
                    self.write(Event::Empty(start));
                }
            }
            // Whoever wants entities wants more than a drawing; and one that nobody resolves breaks it.
            (Event::GeneralRef(name), None) if !is_known(name) => return Err(self.entity(range)),
            (Event::Comment(_) | Event::DocType(_), None) => self.is_changed = true,
            (Event::PI(_), None) => self.takes_out("an instruction to a program", &range),
            (Event::Text(text), None) if loads(text) => self.takes_out("a style that loads a file", &range),
            (Event::CData(text), None) if loads(text) => self.takes_out("a style that loads a file", &range),
            (_, None) => self.write(event),
        }
        Ok(())
    }

    // The element as it may stand; `None`: it may not.
    fn element<'e>(&mut self, start: &BytesStart<'e>, range: &Range<usize>) -> Result<Option<BytesStart<'e>>, Problem> {
        let name = start.name().as_ref().to_owned();
        if !ELEMENTS.contains(&name.as_str()) {
            if NOTED.contains(&name.as_str()) || name.contains(':') {
                self.is_changed = true;
            } else {
                self.takes_out(&format!("`<{name}>`"), range);
            }
            return Ok(None);
        }
        let mut kept = BytesStart::new(name.clone());
        let mut is_whole = true;
        for attribute in start.attributes().with_checks(false) {
            let Ok(attribute) = attribute else {
                let message = format!("an attribute of `<{name}>` cannot be read");
                return Err(told(self.file, range.clone(), message).hint("save it anew as plain SVG"));
            };
            let key = attribute.key.as_ref().to_owned();
            if is_of_an_editor(&key) {
                is_whole = false;
                continue;
            }
            let Ok(value) = value(&attribute) else { return Err(self.entity(range.clone())) };
            if is_safe(&name, &key, &value) {
                kept.push_attribute(attribute);
            } else {
                self.takes_out(&format!("`{key}` of `<{name}>`"), range);
            }
        }
        self.is_changed |= !is_whole;
        Ok(Some(kept))
    }

    fn takes_out(&mut self, what: &str, range: &Range<usize>) {
        self.is_changed = true;
        let message = format!("{what} is taken out of this drawing: it could run or load something in a visitor's browser");
        self.problems.push(told(self.file, range.clone(), message).hint("save the drawing without it"));
    }

    fn entity(&self, range: Range<usize>) -> Problem {
        told(self.file, range, "this drawing uses entities of its own".to_owned()).hint("save it anew as plain SVG")
    }

    fn write(&mut self, event: Event<'_>) {
        self.writer.write_event(event).expect("a list of bytes takes all");
    }
}

// Those of XML itself, and numbers.
fn is_known(name: &str) -> bool {
    name.starts_with('#') || matches!(name, "amp" | "lt" | "gt" | "quot" | "apos")
}

fn value(attribute: &Attribute<'_>) -> Result<String, ()> {
    quick_xml::escape::unescape(&attribute.value).map(|value| value.into_owned()).map_err(|_| ())
}

// `inkscape:label`, and the names of such spaces; those that drawings need stay.
fn is_of_an_editor(key: &str) -> bool {
    key.split_once(':').is_some_and(|(space, rest)| match space {
        "xmlns" => rest != "xlink",
        space => !matches!(space, "xlink" | "xml"),
    })
}

fn is_safe(element: &str, key: &str, value: &str) -> bool {
    let name = key.rsplit_once(':').map_or(key, |(_, name)| name).to_ascii_lowercase();
    let value = value.trim();
    let folded: String =
        value.chars().filter(|letter| !letter.is_whitespace() && !letter.is_control()).collect::<String>().to_lowercase();
    match name.as_str() {
        // What runs when something happens.
        _ if name.starts_with("on") => false,
        // The names of spaces are addresses that nobody fetches.
        _ if key == "xmlns" || key.starts_with("xmlns:") => folded.starts_with("http://www.w3.org/"),
        "href" | "src" => {
            let is_embedded = matches!(element, "image" | "feImage") && EMBEDDED.iter().any(|kind| folded.starts_with(kind));
            value.starts_with('#') || is_embedded
        }
        "base" => false,
        // An animation may change what is drawn, not where something leads.
        "attributename" => !folded.ends_with("href") && !folded.starts_with("on"),
        _ => !folded.contains("javascript:") && !loads(value),
    }
}

/// Whether a style loads a file: `url()` of anything but a part of the drawing, `@import`, or signs that hide one.
fn loads(style: &str) -> bool {
    let folded: String = style.chars().filter(|letter| !letter.is_whitespace()).collect::<String>().to_lowercase();
    let is_outside = |part: &str| !part.trim_start_matches(['"', '\'']).starts_with('#');
    let hides = folded.contains('\\') && (folded.contains('{') || folded.contains(':'));
    folded.split("url(").skip(1).any(is_outside) || folded.contains("@import") || folded.contains("image-set(") || hides
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(inner: &str, expected: &str, told: &[usize]) {
        let text = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 4 5\">\n{inner}\n</svg>");
        let clean = clean("static/a.svg", &text).unwrap_or_else(|problem| panic!("{inner}: {problem:?}"));
        let wanted = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 4 5\">\n{expected}\n</svg>");
        assert_eq!(clean.text, wanted);
        assert_eq!(clean.problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), told, "{:?}", clean.problems);
    }

    #[test]
    fn a_drawing_that_only_draws_keeps_its_bytes() {
        for drawing in [
            "<path d='M0 0h4'/>",
            "<defs><linearGradient id=\"a\"><stop stop-color=\"#fff\"/></linearGradient></defs><rect fill=\"url(#a)\"/>",
            "<style>.a{fill:url(#b);stroke:red}</style><text>R&amp;D &#8211; 5 &lt; 6</text>",
            "<use href=\"#a\"/><image href=\"data:image/png;base64,AAAA\"/>",
            "<animate attributeName=\"r\" values=\"1;2\"/>",
        ] {
            check(drawing, drawing, &[]);
        }
    }

    #[test]
    fn what_runs_or_loads_is_taken_out_and_told_with_its_line() {
        check("<script>alert(1)</script>\n<g/>", "\n<g/>", &[2]);
        check("<g/>\n<foreignObject><p xmlns='x'><b/>x</p></foreignObject>", "<g/>\n", &[3]);
        check("<g onload=\"x()\" fill=\"red\"/>", "<g fill=\"red\"/>", &[2]);
        check("<g ONCLICK='x()'/>", "<g/>", &[2]);
        check("<a href=\"javascript:x()\"><g/></a>", "<a><g/></a>", &[2]);
        check("<a xlink:href=\"https://else.example/\"/>", "<a/>", &[2]);
        check("<image href=\"https://else.example/a.png\"/>", "<image/>", &[2]);
        check("<image href=\"data:image/svg+xml;base64,AAAA\"/>", "<image/>", &[2]);
        check("<use href=\"other.svg#a\"/>", "<use/>", &[2]);
        check("<rect style=\"fill:url( 'https://else.example/a')\"/>", "<rect/>", &[2]);
        check("<style>@import 'https://else.example/a.css';</style>", "<style></style>", &[2]);
        check("<style><![CDATA[a{background:u\\72l(//else.example)}]]></style>", "<style></style>", &[2]);
        check("<set attributeName=\"xlink:href\" to=\"javascript:x()\"/>", "<set/>", &[2, 2]);
        check("<iframe src=\"https://else.example\"/>", "", &[2]);
        check("<?xml-stylesheet href=\"https://else.example\"?>", "", &[2]);
        check("<g fill=\"&#106;avascript:x()\"/>", "<g/>", &[2]);
    }

    #[test]
    fn notes_of_editors_go_without_a_word() {
        check("<!-- by an editor --><g inkscape:label=\"x\"/><metadata><a:b xmlns:a='x'/></metadata><sodipodi:x/>", "<g/>", &[]);
    }

    #[test]
    fn what_is_no_xml_is_refused_with_its_line() {
        let line = |text: &str| clean("static/a.svg", text).expect_err("it is broken").line;
        assert_eq!(line("<svg>\n<g>\n</svg>"), 3);
        assert_eq!(line("<svg>\n&evil;</svg>"), 2);
        assert_eq!(line("<svg>\n<g fill=\"&evil;\"/></svg>"), 2);
    }
}
