//! Shortcode: how calls stand in a Markdown text: `{{ name(key="value") }}`, or `{% name(key="value") %} text {% end %}`. Pure.
//!
//! Owns    the syntax, and everything that can be wrong with it, at its place.
//! Always  what lies in a code span or a code block is no call; `\{{` and `\{%` are the signs themselves, as Markdown has it.
//! Limits  NESTING_MAX blocks inside each other.

use std::ops::Range;

use pulldown_cmark::{Event, Parser, Tag};
use tera::Value;

use super::markdown;
use crate::site::problem::{Problem, Problems, SourceFile};

/// Blocks inside each other: more is a mistake, and printing goes as deep as they do.
const NESTING_MAX: usize = 8;

/// A call. Ranges are bytes of the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    /// All of it, its text and `{% end %}` included.
    pub(super) whole: Range<usize>,
    /// Between its signs alone: what a mistake is drawn at.
    pub(super) tag: Range<usize>,
    pub(super) name: String,
    pub(super) arguments: Vec<Argument>,
    /// The text of a block.
    pub(super) body: Option<CallBody>,
}

/// A value with its name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) range: Range<usize>,
    pub(super) value: Value,
}

/// What stands between a block's first tag and its end.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CallBody {
    pub(super) range: Range<usize>,
    pub(super) calls: Vec<Call>,
}

/// A mistake in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self { range, message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As a problem of a file of which the line alone is known.
    pub(in crate::site) fn on_line(self, file: &str, line: usize, text: &str) -> Problem {
        let written = text.get(self.range).unwrap_or_default();
        let problem = Problem::about(file, self.message).on_line(line, 0, written);
        match self.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }

    /// As a problem of the file in which the text begins at byte `offset`.
    pub(in crate::site) fn in_file(self, file: &SourceFile, offset: usize) -> Problem {
        let problem = Problem::at(file, self.range.start + offset..self.range.end + offset, self.message);
        match self.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

/// Whether a text may hold calls. All that a text without any costs.
pub(super) fn may_hold_calls(text: &str) -> bool {
    opening(text, 0).is_some()
}

/// Tells what is wrong with the calls of a text that begins in `file` at byte `offset`.
pub fn check(file: &SourceFile, offset: usize, text: &str, problems: &mut Problems) {
    if may_hold_calls(text)
        && let Err(faults) = calls(text)
    {
        faults.into_iter().for_each(|fault| problems.push(fault.in_file(file, offset)));
    }
}

/// The calls of a text, in their order.
///
/// Errors: all that is wrong with them.
pub(super) fn calls(text: &str) -> Result<Vec<Call>, Vec<Fault>> {
    let code = code(text);
    let mut reading = Reading { text, open: Vec::new(), calls: Vec::new(), faults: Vec::new() };
    let mut at = 0;
    while let Some(start) = opening(text, at) {
        // A code span that seems to begin within a call's own text is none.
        if let Some(code) = code.iter().find(|code| code.start >= at && code.contains(&start)) {
            at = code.end;
        } else if is_escaped(text, start) {
            at = start + 2;
        } else {
            at = reading.tag(start);
        }
    }
    reading.finish()
}

// Where the next `{{` or `{%` stands. Looks for one sign, which compiles to a scan of many bytes at once.
fn opening(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = text[at..].find('{') {
        at += found;
        match text.as_bytes().get(at + 1) {
            Some(b'{' | b'%') => return Some(at),
            _ => at += 1,
        }
    }
    None
}

fn is_escaped(text: &str, at: usize) -> bool {
    text[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

// Code spans and blocks.
fn code(text: &str) -> Vec<Range<usize>> {
    let is_code = |event: &Event<'_>| matches!(event, Event::Code(_) | Event::Start(Tag::CodeBlock(_)));
    let events = Parser::new_ext(text, markdown::options()).into_offset_iter();
    events.filter(|(event, _)| is_code(event)).map(|(_, range)| range).collect()
}

struct Reading<'a> {
    text: &'a str,
    /// Blocks that have not ended; `None`: one whose tag is wrong.
    open: Vec<Option<Call>>,
    calls: Vec<Call>,
    faults: Vec<Fault>,
}

impl Reading<'_> {
    /// Reads the tag at `start`; gives where to go on.
    fn tag(&mut self, start: usize) -> usize {
        let is_block = self.text.as_bytes()[start + 1] == b'%';
        let mut cursor = Cursor { text: self.text, at: start + 2 };
        if is_block && cursor.is_end() {
            return match cursor.close("%}") {
                Ok(()) => {
                    self.end(start..cursor.at);
                    cursor.at
                }
                Err(fault) => {
                    self.faults.push(fault);
                    start + 2
                }
            };
        }
        let (close, read) = (if is_block { "%}" } else { "}}" }, cursor.call(start));
        match read.and_then(|call| cursor.close(close).map(|()| call)) {
            Ok((name, arguments)) => {
                let tag = start..cursor.at;
                let call = Call { whole: tag.clone(), tag, name, arguments, body: None };
                if is_block {
                    self.open(call)
                } else {
                    self.add(call)
                }
                cursor.at
            }
            Err(fault) => {
                self.faults.push(fault);
                if is_block {
                    self.open.push(None);
                }
                start + 2
            }
        }
    }

    fn add(&mut self, call: Call) {
        match self.open.iter_mut().rev().flatten().next() {
            Some(Call { body: Some(body), .. }) => body.calls.push(call),
            _ => self.calls.push(call),
        }
    }

    fn open(&mut self, mut call: Call) {
        if self.open.len() == NESTING_MAX {
            let message = format!("`{}` is a block in {NESTING_MAX} others", call.name);
            self.faults.push(Fault::new(call.tag.clone(), message).hint("end one of them before it"));
        }
        call.body = Some(CallBody { range: call.tag.end..call.tag.end, calls: Vec::new() });
        self.open.push(Some(call));
    }

    fn end(&mut self, tag: Range<usize>) {
        match self.open.pop() {
            None => {
                let fault = Fault::new(tag, "no block is open that this could end");
                self.faults.push(fault.hint("take it out, or write a first tag such as `{% note(kind=\"tip\") %}` before it"));
            }
            Some(None) => {}
            Some(Some(mut call)) => {
                call.whole.end = tag.end;
                if let Some(body) = &mut call.body {
                    body.range.end = tag.start;
                }
                self.add(call);
            }
        }
    }

    fn finish(mut self) -> Result<Vec<Call>, Vec<Fault>> {
        for call in self.open.into_iter().flatten() {
            let message = format!("the block `{}` does not end", call.name);
            self.faults.push(Fault::new(call.tag, message).hint("write `{% end %}` after its text"));
        }
        self.faults.sort_by_key(|fault| fault.range.start);
        if self.faults.is_empty() { Ok(self.calls) } else { Err(self.faults) }
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, word: &str) -> bool {
        self.skip_space();
        let is_there = self.rest().starts_with(word);
        if is_there {
            self.at += word.len();
        }
        is_there
    }

    fn name(&mut self) -> Option<&'a str> {
        self.skip_space();
        let rest = self.rest();
        let end = rest.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_').unwrap_or(rest.len());
        let name = &rest[..end];
        let is_name = name.starts_with(|sign: char| sign.is_ascii_alphabetic() || sign == '_');
        self.at += if is_name { end } else { 0 };
        is_name.then_some(name)
    }

    // `end` before a sign that closes; a block may still be called `end_of_line`.
    fn is_end(&mut self) -> bool {
        let before = self.at;
        let is_end = self.name() == Some("end");
        if !is_end {
            self.at = before;
        }
        is_end
    }

    /// What stands here, for a mistake.
    fn here(&self) -> Range<usize> {
        let sign = self.rest().chars().next().map_or(0, char::len_utf8);
        self.at..self.at + sign
    }

    fn close(&mut self, sign: &str) -> Result<(), Fault> {
        if self.take(sign) {
            return Ok(());
        }
        Err(Fault::new(self.here(), format!("a shortcode's tag ends with `{sign}`")).hint(format!("write `{sign}` here")))
    }

    fn call(&mut self, start: usize) -> Result<(String, Vec<Argument>), Fault> {
        let signs = &self.text[start..start + 2];
        let themselves = format!("or `\\{signs}` where the two signs themselves are meant");
        let Some(name) = self.name() else {
            let close = if signs == "{%" { "%}" } else { "}}" };
            let fault = Fault::new(start..start + 2, format!("`{signs}` begins a shortcode, and no name follows"));
            return Err(fault.hint(format!("write a call such as `{signs} name(key=\"value\") {close}`, {themselves}")));
        };
        let range = self.at - name.len()..self.at;
        if !self.take("(") {
            let fault = Fault::new(range, format!("the shortcode `{name}` is not called"));
            let is_end = signs == "{%" && name.starts_with("end");
            let instead = if is_end { "end %}`, which ends every block".to_owned() } else { format!("{name}()`") };
            return Err(fault.hint(format!("write `{}{instead}, {themselves}", if is_end { "{% " } else { "" })));
        }
        let mut arguments: Vec<Argument> = Vec::new();
        while !self.take(")") {
            let argument = self.argument()?;
            if let Some(first) = arguments.iter().find(|other| other.name == argument.name) {
                let message = format!("`{}` is given twice", first.name);
                return Err(Fault::new(argument.range, message).hint("take one of the two out"));
            }
            arguments.push(argument);
            self.skip_space();
            if !self.take(",") && !self.rest().starts_with(')') {
                let fault = Fault::new(self.here(), format!("the arguments of `{name}` do not go on like this"));
                return Err(fault.hint("part arguments with `,` and end them with `)`"));
            }
        }
        Ok((name.to_owned(), arguments))
    }

    fn argument(&mut self) -> Result<Argument, Fault> {
        let has_name = |name: Option<&'a str>| name.map(str::to_owned);
        let name = has_name(self.name());
        let start = self.at - name.as_ref().map_or(0, String::len);
        match name {
            Some(name) if self.take("=") => Ok(Argument { value: self.value()?, name, range: start..self.at }),
            _ => {
                self.skip_space();
                let range = if self.at > start { start..self.at } else { self.here() };
                Err(Fault::new(range, "every argument has a name").hint("write `name=value`, such as `kind=\"tip\"`"))
            }
        }
    }

    fn value(&mut self) -> Result<Value, Fault> {
        self.skip_space();
        let start = self.at;
        match self.rest().chars().next() {
            Some(quote @ ('"' | '\'' | '`')) => self.string(quote),
            Some('[') => self.list(),
            Some('-' | '0'..='9') => {
                let length = self.rest()[1..].find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '.').map(|end| end + 1);
                self.at += length.unwrap_or(self.rest().len());
                let written = &self.text[start..self.at];
                written.parse::<i64>().map(Value::from).map_err(|_| {
                    Fault::new(start..self.at, format!("`{written}` is no whole number")).hint(format!("write \"{written}\""))
                })
            }
            _ => match self.name() {
                Some("true") => Ok(Value::from(true)),
                Some("false") => Ok(Value::from(false)),
                word => {
                    let range = if word.is_some() { start..self.at } else { self.here() };
                    let hint = "write a text in quotes, a whole number, true, false, or a list of these: [\"a\", \"b\"]";
                    Err(Fault::new(range, "this is no value").hint(hint))
                }
            },
        }
    }

    fn string(&mut self, quote: char) -> Result<Value, Fault> {
        let start = self.at;
        let mut value = String::new();
        let mut signs = self.rest().char_indices().skip(1);
        while let Some((index, sign)) = signs.next() {
            match sign {
                '\\' => match signs.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, escaped @ ('\\' | '"' | '\'' | '`'))) => value.push(escaped),
                    other => {
                        value.push('\\');
                        value.extend(other.map(|(_, sign)| sign));
                    }
                },
                _ if sign == quote => {
                    self.at += index + sign.len_utf8();
                    return Ok(Value::normal_string(&value));
                }
                _ => value.push(sign),
            }
        }
        let line = self.rest().find('\n').unwrap_or(self.rest().len());
        Err(Fault::new(start..start + line, "this text does not end").hint(format!("close it with {quote}")))
    }

    fn list(&mut self) -> Result<Value, Fault> {
        let start = self.at;
        self.at += 1;
        let mut values = Vec::new();
        while !self.take("]") {
            if self.rest().is_empty() {
                return Err(Fault::new(start..start + 1, "this list does not end").hint("close it with `]`"));
            }
            if self.rest().starts_with('[') {
                return Err(Fault::new(self.here(), "a list holds no lists").hint("write its values one after the other"));
            }
            values.push(self.value()?);
            if !self.take(",") && !self.rest().starts_with(']') {
                return Err(Fault::new(self.here(), "this list does not go on like this").hint("part its values with `,`"));
            }
        }
        Ok(Value::from(values))
    }
}
