//! Marks: tags and attributes of a product, which facets, search and related products are made of.
//!
//! Why     they are held of every product while a build runs: one text takes a tenth of the memory that lists of texts take.

use serde::{Deserialize, Serialize};

// Control characters that no text holds: `new` takes them out.
const RECORD: char = '\u{1e}';
const FIELD: char = '\u{1f}';

/// Tags and attributes, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks(Box<str>);

impl Marks {
    /// Of a product.
    pub fn new(tags: &[String], attributes: &[(String, String)]) -> Self {
        let mut text = String::new();
        let mut add = |name: &str, value: &str| {
            text.extend(name.chars().filter(is_plain));
            text.push(FIELD);
            text.extend(value.chars().filter(is_plain));
            text.push(RECORD);
        };
        // A tag is a value without a name.
        tags.iter().for_each(|tag| add("", tag));
        attributes.iter().for_each(|(name, value)| add(name, value));
        Self(text.into())
    }

    /// (name, value) of tags, whose name is empty, and of attributes.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.split_terminator(RECORD).filter_map(|record| record.split_once(FIELD))
    }

    /// (name, value) of attributes.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all().filter(|(name, _)| !name.is_empty())
    }
}

fn is_plain(letter: &char) -> bool {
    !matches!(*letter, RECORD | FIELD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let text = |text: &str| text.to_owned();
        let marks = Marks::new(&[text("new"), text("a\u{1e}b")], &[(text("Size"), text("8 cm")), (text("Note"), String::new())]);
        assert_eq!(marks.all().collect::<Vec<_>>(), [("", "new"), ("", "ab"), ("Size", "8 cm"), ("Note", "")]);
        assert_eq!(marks.attributes().count(), 2);
        assert_eq!(Marks::default().all().count(), 0);
    }
}
