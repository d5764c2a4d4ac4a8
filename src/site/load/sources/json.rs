//! Json: values of a document, each with the byte it begins at.
//!
//! Owns    finding a value by its path, and reading a scalar as the text it was written with, so that no amount passes through a float.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::table::{At, Cell, trimmed};

/// A value as it stands in a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    raw: &'a str,
    /// Byte of the text.
    at: usize,
}

/// A scalar's text with its place.
#[derive(Clone, Debug)]
pub(super) struct Scalar<'a> {
    text: Cow<'a, str>,
    at: usize,
}

impl Scalar<'_> {
    pub(super) fn cell(&self) -> Cell<'_> {
        Cell { text: trimmed(&self.text), at: At::Byte(self.at) }
    }
}

/// Where `part` begins in `text`, of which it is a slice.
pub(super) fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

impl<'a> Node<'a> {
    /// A value that is a slice of `text`.
    pub(super) fn within(text: &'a str, value: &'a RawValue) -> Self {
        Self { raw: value.get(), at: offset(text, value.get()) }
    }

    /// The values of a document: one, or several one after the other. Errors: where it is no JSON.
    pub(super) fn stream(text: &'a str) -> Result<Vec<Self>, serde_json::Error> {
        let values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
        values.map(|value| value.map(|value| Self::within(text, value))).collect()
    }

    /// As it was written, to say something of it.
    pub(super) fn cell(self) -> Cell<'a> {
        Cell { text: self.raw, at: At::Byte(self.at) }
    }

    fn inner(self, value: &'a RawValue) -> Self {
        Self { raw: value.get(), at: self.at + offset(self.raw, value.get()) }
    }

    /// The value at a path such as `meta.barcode` or `images.0`.
    pub(super) fn find(self, path: &str) -> Option<Self> {
        path.split('.').try_fold(self, |node, key| match node.raw.as_bytes().first()? {
            b'{' => node.get(key),
            b'[' => node.list()?.get(key.parse::<usize>().ok()?).copied(),
            _ => None,
        })
    }

    fn get(self, key: &str) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_str(self.raw);
        let found = reader.deserialize_map(Entry(key)).ok()??;
        Some(self.inner(found))
    }

    /// The names of an object's values.
    pub(super) fn keys(self) -> Vec<String> {
        let read: Result<std::collections::BTreeMap<String, &RawValue>, _> = serde_json::from_str(self.raw);
        read.map(|entries| entries.into_keys().collect()).unwrap_or_default()
    }

    /// The values of a list; `None` where it is none.
    pub(super) fn list(self) -> Option<Vec<Self>> {
        if !self.raw.starts_with('[') {
            return None;
        }
        let values: Vec<&RawValue> = serde_json::from_str(self.raw).ok()?;
        Some(values.into_iter().map(|value| self.inner(value)).collect())
    }

    /// A scalar's text; `null` and objects have none, the parts of a list are joined by commas.
    pub(super) fn scalar(self) -> Option<Scalar<'a>> {
        let text = match self.raw.as_bytes().first()? {
            b'"' => match self.raw.get(1..self.raw.len() - 1) {
                Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
                _ => Cow::Owned(serde_json::from_str::<String>(self.raw).ok()?),
            },
            b't' => Cow::Borrowed("yes"),
            b'f' => Cow::Borrowed("no"),
            b'n' | b'{' => return None,
            b'[' => {
                let parts: Vec<Scalar<'_>> = self.scalars();
                Cow::Owned(parts.iter().map(|part| part.cell().text).collect::<Vec<_>>().join(", "))
            }
            _ => Cow::Borrowed(self.raw),
        };
        Some(Scalar { text, at: self.at })
    }

    /// The scalars of a list, or the only one.
    pub(super) fn scalars(self) -> Vec<Scalar<'a>> {
        match self.list() {
            Some(values) => values.into_iter().filter(|value| !value.raw.starts_with('[')).filter_map(Self::scalar).collect(),
            None => self.scalar().into_iter().collect(),
        }
    }
}

/// Looks one entry of an object up; the first of that name counts.
struct Entry<'k>(&'k str);

impl<'de> Visitor<'de> for Entry<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_meant) = map.next_key_seed(IsKey(self.0))? {
            if is_meant && found.is_none() {
                found = Some(map.next_value::<&RawValue>()?);
            } else {
                map.next_value::<serde::de::IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Compares a key without keeping it.
struct IsKey<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for IsKey<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsKey<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_path_with_their_bytes() {
        let text = r#" {"a": {"b\u0041": [1.50, "x\ny", null, {"c": true}]}, "a": 2}"#;
        let node = Node::stream(text).expect("it is JSON")[0];
        for (path, expected) in
            [("a.bA.0", Some("1.50")), ("a.bA.1", Some("x\ny")), ("a.bA.3.c", Some("yes")), ("a.bA", Some("1.50, x\ny"))]
        {
            let found = node.find(path).and_then(Node::scalar).map(|scalar| scalar.cell().text.to_owned());
            assert_eq!(found.as_deref(), expected, "{path}");
        }
        for path in ["b", "a.bA.2.x", "a.bA.9", "a.bA.x", ""] {
            assert!(node.find(path).is_none(), "{path}");
        }
        assert!(node.find("a.bA.2").and_then(Node::scalar).is_none(), "null has no text");
        let found = node.find("a.bA.0").expect("it is there");
        assert_eq!(&text[found.at..found.at + 4], "1.50");
        assert!(Node::stream("{\"a\": }").is_err());
        assert_eq!(Node::stream("{} [] 3").expect("three values").len(), 3);
    }
}
