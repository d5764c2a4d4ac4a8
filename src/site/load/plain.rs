//! Plain: front matter as most of it is written, read in one pass over its bytes.
//!
//! Owns    the part of TOML that content is made of: keys without dots and quotes, texts of one line without escapes, whole numbers,
//!         truths, lists, and tables in braces or under `[name]` and `[[name]]`.
//! Always  what it reads is what the library would read, at the same places. What it does not know, be it other TOML or a mistake, it
//!         leaves to the library, which also tells what is wrong.
//! Limits  `MAX_DEPTH` lists and tables within one another, `MAX_KEYS` keys of a table: beyond, the library.
//! Why     the library makes tokens, events and a tree, one out of the other; that was a sixth of a whole build.
//! Source  TOML 1.1.

use std::ops::Range;

use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_spanned::de::{SpannedDeserializer, is_spanned};

const MAX_DEPTH: usize = 8;
/// They are compared with one another, to find one that is there twice.
const MAX_KEYS: usize = 64;

/// Reads values; `None`: this is more than plain, or not right, and is to be read by the library.
pub(super) fn parse<'de, T: Deserialize<'de>>(text: &'de str) -> Option<T> {
    let root = Reader { text, bytes: text.as_bytes(), at: 0 }.document()?;
    T::deserialize(Item { value: Value::Table(root), start: 0, end: text.len() }).ok()
}

/// A value and the bytes at which it stands.
#[derive(Debug)]
struct Item<'a> {
    value: Value<'a>,
    start: usize,
    end: usize,
}

#[derive(Debug)]
enum Value<'a> {
    Text(&'a str),
    Whole(i64),
    Truth(bool),
    List(Vec<Item<'a>>),
    Table(Table<'a>),
}

type Table<'a> = Vec<(&'a str, Item<'a>)>;

/// Which table keys belong to.
#[derive(Clone, Copy)]
enum Under {
    Root,
    /// `[name]`, by its place in the root.
    Table(usize),
    /// The last one of `[[name]]`.
    Last(usize),
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn document(mut self) -> Option<Table<'a>> {
        let mut root: Table<'a> = Vec::with_capacity(16);
        // Lists that `[[name]]` has made; others cannot grow.
        let mut growing: Vec<usize> = Vec::new();
        let mut under = Under::Root;
        loop {
            self.blanks();
            match self.peek() {
                None => return Some(root),
                Some(b'\n' | b'\r' | b'#') => self.line_end()?,
                Some(b'[') => {
                    let start = self.at;
                    let is_list = self.bytes.get(self.at + 1) == Some(&b'[');
                    self.at += if is_list { 2 } else { 1 };
                    let name = self.key()?;
                    self.expect(b']')?;
                    if is_list {
                        self.expect(b']')?;
                    }
                    let (place, end) = (place(&root, name), self.at);
                    let fresh = |value| Item { value, start, end };
                    under = match (is_list, place) {
                        (true, Some(place)) if growing.contains(&place) => {
                            let Value::List(list) = &mut root[place].1.value else { return None };
                            list.push(fresh(Value::Table(Vec::with_capacity(8))));
                            Under::Last(place)
                        }
                        (true, None) => {
                            growing.push(root.len());
                            let first = fresh(Value::Table(Vec::with_capacity(8)));
                            add(&mut root, name, fresh(Value::List(vec![first])))?;
                            Under::Last(root.len() - 1)
                        }
                        (false, None) => {
                            add(&mut root, name, fresh(Value::Table(Vec::with_capacity(8))))?;
                            Under::Table(root.len() - 1)
                        }
                        _ => return None,
                    };
                    self.line_end()?;
                }
                Some(_) => {
                    let (key, item) = self.entry(MAX_DEPTH)?;
                    self.line_end()?;
                    let table = match under {
                        Under::Root => &mut root,
                        Under::Table(place) => root[place].1.value.table()?,
                        Under::Last(place) => match &mut root[place].1.value {
                            Value::List(list) => list.last_mut()?.value.table()?,
                            _ => return None,
                        },
                    };
                    if place(table, key).is_some() {
                        return None;
                    }
                    add(table, key, item)?;
                }
            }
        }
    }

    // `key = value`
    fn entry(&mut self, depth: usize) -> Option<(&'a str, Item<'a>)> {
        let key = self.key()?;
        self.blanks();
        self.expect(b'=')?;
        self.blanks();
        Some((key, self.item(depth)?))
    }

    fn item(&mut self, depth: usize) -> Option<Item<'a>> {
        let start = self.at;
        let value = match self.peek()? {
            quote @ (b'"' | b'\'') => Value::Text(self.quoted(quote)?),
            b'[' => Value::List(self.list(depth.checked_sub(1)?)?),
            b'{' => Value::Table(self.table(depth.checked_sub(1)?)?),
            b't' => self.word("true", Value::Truth(true))?,
            b'f' => self.word("false", Value::Truth(false))?,
            b'-' | b'0'..=b'9' => self.whole()?,
            _ => return None,
        };
        Some(Item { value, start, end: self.at })
    }

    fn quoted(&mut self, quote: u8) -> Option<&'a str> {
        let start = self.at + 1;
        let is_plain = |byte: &u8| *byte != quote && !(*byte == b'\\' && quote == b'"') && is_printed(*byte);
        let length = self.bytes[start..].iter().take_while(|byte| is_plain(byte)).count();
        let end = start + length;
        // Three of them open a text of several lines.
        if self.bytes.get(end) != Some(&quote) || (length == 0 && self.bytes.get(end + 1) == Some(&quote)) {
            return None;
        }
        self.at = end + 1;
        self.text.get(start..end)
    }

    fn list(&mut self, depth: usize) -> Option<Vec<Item<'a>>> {
        self.at += 1;
        let mut list = Vec::with_capacity(4);
        loop {
            self.gap();
            if self.peek()? == b']' {
                self.at += 1;
                return Some(list);
            }
            list.push(self.item(depth)?);
            self.gap();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {}
                _ => return None,
            }
        }
    }

    fn table(&mut self, depth: usize) -> Option<Table<'a>> {
        self.at += 1;
        let mut table = Vec::with_capacity(4);
        self.blanks();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(table);
        }
        loop {
            self.blanks();
            let (key, item) = self.entry(depth)?;
            if place(&table, key).is_some() {
                return None;
            }
            add(&mut table, key, item)?;
            self.blanks();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(table);
                }
                _ => return None,
            }
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Option<Value<'a>> {
        let end = self.at + word.len();
        (self.bytes.get(self.at..end)? == word.as_bytes()).then_some(())?;
        self.at = end;
        self.is_over().then_some(value)
    }

    // Digits, perhaps after a minus; 07 is none.
    fn whole(&mut self) -> Option<Value<'a>> {
        let start = self.at;
        let sign = usize::from(self.bytes[start] == b'-');
        let digits = self.bytes[start + sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at = start + sign + digits;
        let is_odd = digits == 0 || (digits > 1 && self.bytes[start + sign] == b'0');
        if is_odd || !self.is_over() {
            return None;
        }
        self.text.get(start..self.at)?.parse().ok().map(Value::Whole)
    }

    // Whether a word or a number ends here: a date, a fraction and the like go on.
    fn is_over(&self) -> bool {
        matches!(self.peek(), None | Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b']' | b'}' | b'#'))
    }

    fn key(&mut self) -> Option<&'a str> {
        let is_bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let length = self.bytes[self.at..].iter().take_while(|byte| is_bare(byte)).count();
        let key = self.text.get(self.at..self.at + length).filter(|key| !key.is_empty())?;
        self.at += length;
        Some(key)
    }

    // What may stand behind a value, and the end of its line.
    fn line_end(&mut self) -> Option<()> {
        self.blanks();
        if self.peek() == Some(b'#') {
            self.at += self.bytes[self.at..].iter().take_while(|byte| is_printed(**byte)).count();
        }
        match &self.bytes[self.at..] {
            [] => {}
            [b'\n', ..] => self.at += 1,
            [b'\r', b'\n', ..] => self.at += 2,
            _ => return None,
        }
        Some(())
    }

    fn blanks(&mut self) {
        self.at += self.bytes[self.at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    }

    // Within a list lines may end.
    fn gap(&mut self) {
        loop {
            self.blanks();
            match &self.bytes[self.at..] {
                [b'\n', ..] => self.at += 1,
                [b'\r', b'\n', ..] => self.at += 2,
                _ => return,
            }
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

// A control ends a line or is wrong. All bytes of signs beyond ASCII are printed.
fn is_printed(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7F)
}

fn place(table: &Table<'_>, key: &str) -> Option<usize> {
    table.iter().position(|(known, _)| *known == key)
}

fn add<'a>(table: &mut Table<'a>, key: &'a str, item: Item<'a>) -> Option<()> {
    (table.len() < MAX_KEYS).then(|| table.push((key, item)))
}

impl<'a> Value<'a> {
    fn table(&mut self) -> Option<&mut Table<'a>> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }
}

impl Item<'_> {
    fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

impl<'de> IntoDeserializer<'de, Error> for Item<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Item<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Whole(number) => visitor.visit_i64(number),
            Value::Truth(truth) => visitor.visit_bool(truth),
            Value::List(list) => SeqDeserializer::new(list.into_iter()).deserialize_any(visitor),
            Value::Table(table) => MapDeserializer::new(table.into_iter()).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if is_spanned(name) {
            let span = self.span();
            return visitor.visit_map(SpannedDeserializer::new(self, span));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::Text(text) => visitor.visit_enum(text.into_deserializer()),
            // Content has none that holds anything.
            _ => Err(Error::custom("not plain")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct
        map identifier ignored_any
    }
}

#[cfg(test)]
mod tests;
