//! Wire: the values that a bundle's payload is made of, taken off it one after the other.
//!
//! Owns    numbers, texts, lists and choices as they lie in bytes, and where it was that they did not.
//! Limits  nothing is set aside before it was read: a length that promises more than there is costs nothing.
//! Source  the postcard wire format 1.0: unsigned numbers of more than a byte are LEB128, signed ones zigzag before that; texts and lists
//!         are led by their length, a choice by its place; fields follow each other without names.

use std::fmt;

/// Bytes that a number of 64 bits can take: seven bits each.
const MAX_NUMBER_BYTES: u32 = 10;

/// What is left of a payload.
pub(super) struct Wire<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A value that nobody needs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Byte,
    Number,
    Signed,
    Text,
    Flag,
    /// One of so many.
    Choice(u64),
    MaybeNumber,
    MaybeSigned,
    MaybeText,
}

/// Why a value could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    reason: String,
    /// Byte of the payload.
    at: usize,
    /// Names of what it stands in, innermost first.
    within: Vec<String>,
}

/// A value, or why there is none.
pub(super) type Taken<T> = Result<T, Fault>;

impl<'a> Wire<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// One byte.
    pub(super) fn byte(&mut self) -> Taken<u8> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| self.fault("the bundle ends here"))?;
        self.at += 1;
        Ok(byte)
    }

    /// A number without a sign.
    pub(super) fn number(&mut self) -> Taken<u64> {
        let start = self.at;
        let mut number: u64 = 0;
        for place in 0..MAX_NUMBER_BYTES {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // Of the last byte only one bit has a place in the 64.
            if place + 1 == MAX_NUMBER_BYTES && bits > 1 {
                break;
            }
            number |= bits << (7 * place);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        self.at = start;
        Err(self.fault("a number has more than 64 bits"))
    }

    /// A number with a sign: 0, −1, 1, −2 … are 0, 1, 2, 3 …
    pub(super) fn signed(&mut self) -> Taken<i64> {
        let folded = self.number()?;
        let half = (folded >> 1).cast_signed();
        Ok(if folded & 1 == 0 { half } else { !half })
    }

    /// A text.
    pub(super) fn text(&mut self) -> Taken<&'a str> {
        let start = self.at;
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        let bytes = self.at.checked_add(length).and_then(|end| self.bytes.get(self.at..end));
        let Some(bytes) = bytes else {
            let left = self.bytes.len() - self.at;
            self.at = start;
            return Err(self.fault(&format!("a text of {length} bytes begins, and {left} are left")));
        };
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.at = start;
            return Err(self.fault("a text is not UTF-8"));
        };
        self.at += length;
        Ok(text)
    }

    /// Yes or no.
    pub(super) fn flag(&mut self) -> Taken<bool> {
        Ok(self.choice(2)? == 1)
    }

    /// Which of so many, from 0 on.
    pub(super) fn choice(&mut self, of: u64) -> Taken<u64> {
        let start = self.at;
        let choice = self.number()?;
        if choice < of {
            return Ok(choice);
        }
        self.at = start;
        Err(self.fault(&format!("{choice} is none of {of} choices")))
    }

    /// What may be missing.
    pub(super) fn optional<T>(&mut self, take: impl FnOnce(&mut Self) -> Taken<T>) -> Taken<Option<T>> {
        if self.flag()? { take(self).map(Some) } else { Ok(None) }
    }

    /// Several of a kind.
    pub(super) fn list<T>(&mut self, name: &str, mut take: impl FnMut(&mut Self) -> Taken<T>) -> Taken<Vec<T>> {
        let count = self.number().map_err(|fault| fault.within(name))?;
        let mut taken = Vec::new();
        for index in 0..count {
            taken.push(take(self).map_err(|fault| fault.within(&format!("{name}[{index}]")))?);
        }
        Ok(taken)
    }

    /// Several of a kind that nobody needs.
    pub(super) fn pass<T>(&mut self, name: &str, mut take: impl FnMut(&mut Self) -> Taken<T>) -> Taken<()> {
        let count = self.number().map_err(|fault| fault.within(name))?;
        (0..count).try_for_each(|index| match take(self) {
            Ok(_) => Ok(()),
            Err(fault) => Err(fault.within(&format!("{name}[{index}]"))),
        })
    }

    /// Values in a row that nobody needs.
    pub(super) fn skip(&mut self, shapes: &[Shape]) -> Taken<()> {
        shapes.iter().try_for_each(|shape| match shape {
            Shape::Byte => self.byte().map(drop),
            Shape::Number => self.number().map(drop),
            Shape::Signed => self.signed().map(drop),
            Shape::Text => self.text().map(drop),
            Shape::Flag => self.flag().map(drop),
            Shape::Choice(of) => self.choice(*of).map(drop),
            Shape::MaybeNumber => self.optional(Self::number).map(drop),
            Shape::MaybeSigned => self.optional(Self::signed).map(drop),
            Shape::MaybeText => self.optional(Self::text).map(drop),
        })
    }

    /// Nothing is left.
    pub(super) fn end(&self) -> Taken<()> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(self.fault(&format!("{left} bytes are left over"))),
        }
    }

    fn fault(&self, reason: &str) -> Fault {
        Fault { reason: reason.to_owned(), at: self.at, within: Vec::new() }
    }
}

impl Fault {
    /// Says what it stands in.
    pub(super) fn within(mut self, name: &str) -> Self {
        self.within.push(name.to_owned());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {} of its payload", self.at)?;
        for (index, name) in self.within.iter().rev().enumerate() {
            write!(f, "{}{name}", if index == 0 { ", in " } else { "." })?;
        }
        write!(f, ": {}", self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_to_their_last_bit() {
        for (bytes, number) in [
            (&[0][..], 0),
            (&[0x7f], 127),
            (&[0x80, 0x01], 128),
            (&[0xac, 0x02], 300),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], u64::MAX),
        ] {
            assert_eq!(Wire::new(bytes).number(), Ok(number), "{bytes:x?}");
        }
        for (bytes, number) in [(&[0][..], 0), (&[1], -1), (&[2], 1), (&[0xa4, 0x17], 1490), (&[0xa3, 0x17], -1490)] {
            assert_eq!(Wire::new(bytes).signed(), Ok(number), "{bytes:x?}");
        }
        let limit = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Wire::new(&limit).signed(), Ok(i64::MIN));
    }

    #[test]
    fn what_is_not_whole_is_told_with_its_place() {
        let told =
            |bytes: &[u8], take: fn(&mut Wire<'_>) -> Taken<()>| take(&mut Wire::new(bytes)).expect_err("refused").to_string();
        let text = |wire: &mut Wire<'_>| wire.text().map(drop);
        let number = |wire: &mut Wire<'_>| wire.number().map(drop);
        assert_eq!(told(&[0x80], number), "byte 1 of its payload: the bundle ends here");
        assert_eq!(told(&[0xff; 11], number), "byte 0 of its payload: a number has more than 64 bits");
        let above = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(told(&above, number), "byte 0 of its payload: a number has more than 64 bits");
        assert_eq!(told(&[3, b'a'], text), "byte 0 of its payload: a text of 3 bytes begins, and 1 are left");
        assert_eq!(told(&[1, 0xff], text), "byte 0 of its payload: a text is not UTF-8");
        assert_eq!(told(&[2], |wire| wire.flag().map(drop)), "byte 0 of its payload: 2 is none of 2 choices");
        let lists = |wire: &mut Wire<'_>| wire.list("rows", |row| row.list("cells", Wire::byte)).map(drop);
        assert_eq!(told(&[2, 0, 2, 9], lists), "byte 4 of its payload, in rows[1].cells[1]: the bundle ends here");
        assert_eq!(told(&[7], |wire| wire.end()), "byte 0 of its payload: 1 bytes are left over");
        let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert!(told(&huge, text).contains("a text of 18446744073709551615 bytes begins, and 0 are left"));
        assert!(told(&huge, |wire| wire.pass("all", Wire::byte)).contains("in all[0]: the bundle ends here"));
    }
}
