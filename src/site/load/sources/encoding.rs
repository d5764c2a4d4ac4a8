//! Encoding: the bytes of a file in a declared encoding → UTF-8.
//!
//! Owns    the names that may be written for an encoding, and what is no text in each.
//! Always  a byte that means nothing in the encoding is handed on as it is, and nothing after it: in UTF-8 it is no text, so that every
//!         reader tells it at its place. A byte order mark is dropped, and believed before the setting.
//! Source  the WHATWG's Encoding Standard; that bytes without a sign are errors is ours.

use std::fmt;
use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult};

/// What may be written. (`iso-8859-1` is read as browsers read it: as windows-1252, which most files that say so are.)
const NAMES: [&str; 24] = [
    "utf-8",
    "utf-16",
    "utf-16le",
    "utf-16be",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-15",
    "macintosh",
    "ibm866",
    "koi8-r",
    "shift_jis",
    "euc-jp",
    "euc-kr",
    "gb18030",
    "big5",
];
/// Read at once.
const CHUNK_BYTES: usize = 16 * 1024;
/// Bytes of the last piece that are kept: a sign that breaks off may have begun there.
const KEPT_BYTES: usize = 8;

/// How the letters of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(&'static str);

impl Encoding {
    /// The encoding of that name, in any case. Errors: what may be written.
    pub fn named(word: &str) -> Result<Self, String> {
        let found = NAMES.into_iter().find(|name| name.eq_ignore_ascii_case(word));
        found.map(Self).ok_or_else(|| format!("write one of {}", NAMES.join(", ")))
    }

    fn table(self) -> &'static encoding_rs::Encoding {
        encoding_rs::Encoding::for_label(self.0.as_bytes()).expect("every name is one of the standard")
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// What is said of a byte that is no text, and what to do about it.
pub(super) fn refusal(byte: u8, encoding: Option<Encoding>) -> (String, String) {
    let message = match (byte, encoding) {
        (0, _) => "the byte 0x00 is no text".to_owned(),
        (byte, None) => format!("the byte 0x{byte:02X} is not UTF-8"),
        (byte, Some(encoding)) => format!("the byte 0x{byte:02X} is not {encoding}"),
    };
    let hint = match encoding {
        None => declare(if byte == 0 { "utf-16le" } else { "windows-1252" }),
        Some(_) => {
            format!("the file is written in something else than its `encoding` says, or damaged; known: {}", NAMES.join(", "))
        }
    };
    (message, hint)
}

/// How to say that a file is not UTF-8.
pub(super) fn declare(example: &str) -> String {
    format!(
        "save the file as UTF-8, or say what it is written in: `encoding = \"{example}\"` under this [[sources]] \
         (`--encoding` for an import)"
    )
}

/// Reads a file as UTF-8; without a declared encoding as it is.
pub(super) struct Decoded<R> {
    input: R,
    decoder: Option<Decoder>,
    /// The end of the piece before, and the last piece.
    raw: Vec<u8>,
    text: Vec<u8>,
    /// Of the text, what was given.
    given: usize,
    filled: usize,
    has_ended: bool,
}

impl<R: Read> Decoded<R> {
    pub(super) fn new(input: R, encoding: Option<Encoding>) -> Self {
        let decoder = encoding.map(|encoding| encoding.table().new_decoder());
        let raw = if decoder.is_some() { vec![0; KEPT_BYTES + CHUNK_BYTES] } else { Vec::new() };
        Self { input, decoder, raw, text: Vec::new(), given: 0, filled: 0, has_ended: false }
    }

    // Turns the next piece into text, of which there may be none.
    fn fill(&mut self) -> io::Result<()> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let read = self.input.read(&mut self.raw[KEPT_BYTES..])?;
        let piece = &self.raw[KEPT_BYTES..KEPT_BYTES + read];
        // One more for a byte that is handed on as it is.
        let most = decoder.max_utf8_buffer_length_without_replacement(read).unwrap_or(usize::MAX) + 1;
        self.text.resize(self.text.len().max(most), 0);
        let (result, consumed, written) = decoder.decode_to_utf8_without_replacement(piece, &mut self.text, read == 0);
        assert!(result != DecoderResult::OutputFull, "there is room for all of a piece");
        (self.given, self.filled, self.has_ended) = (0, written, read == 0);
        if let DecoderResult::Malformed(length, after) = result {
            let end = KEPT_BYTES + consumed - usize::from(after);
            // Half of a sign may be a byte that is a letter by itself: then it is the end that is wrong.
            let wrong = self.raw[end - usize::from(length)..end].iter().find(|byte| !byte.is_ascii());
            self.text[written] = wrong.copied().unwrap_or(0xff);
            (self.filled, self.has_ended) = (written + 1, true);
        }
        // The standard gives a control character for a byte without a sign; no catalogue means one.
        let is_control = |pair: &[u8]| pair[0] == 0xc2 && (0x80..=0x9f).contains(&pair[1]);
        if decoder.encoding().is_single_byte()
            && let Some(at) = self.text[..written].windows(2).position(is_control)
        {
            self.text[at] = self.text[at + 1];
            (self.filled, self.has_ended) = (at + 1, true);
        }
        self.raw.copy_within(read..read + KEPT_BYTES, 0);
        Ok(())
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.decoder.is_none() {
            return self.input.read(into);
        }
        while self.given == self.filled && !self.has_ended {
            self.fill()?;
        }
        let mut rest = &self.text[self.given..self.filled];
        let read = rest.read(into)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is read a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = into.len().min(self.1);
            self.0.read(&mut into[..most])
        }
    }

    #[track_caller]
    fn decoded(bytes: &[u8], encoding: &str) -> Vec<u8> {
        let encoding = Encoding::named(encoding).expect("it is known");
        let read = |at_once: usize| {
            let mut text = Vec::new();
            Decoded::new(Slow(bytes, at_once), Some(encoding)).read_to_end(&mut text).expect("it is readable");
            text
        };
        let whole = read(CHUNK_BYTES);
        assert!([1, 2, 3, 7].iter().all(|at_once| read(*at_once) == whole), "{encoding}: wherever a piece ends");
        whole
    }

    #[test]
    fn every_name_is_an_encoding_and_no_other_is() {
        for name in NAMES {
            assert_eq!(decoded(b"", name), b"", "{name}");
        }
        assert_eq!(Encoding::named("Windows-1252"), Ok(Encoding("windows-1252")));
        let refused = Encoding::named("latin-9").expect_err("nobody knows it");
        assert!(refused.contains("utf-16le") && refused.contains("shift_jis"), "{refused}");
    }

    #[test]
    fn letters_are_what_they_were() {
        for (bytes, encoding, expected) in [
            (&b"caf\xe9 5 \x80"[..], "windows-1252", "café 5 €"),
            (b"caf\xe9 5 \x80", "iso-8859-1", "café 5 €"),
            (b"caf\xe9 5 \xa4", "iso-8859-15", "café 5 €"),
            (b"\xcf\xf0\xe8\xe2\xe5\xf2", "windows-1251", "Привет"),
            (b"\x83\x89\x83\x93\x83v", "shift_jis", "ランプ"),
            (b"\xff\xfeL\0\xe9\0", "utf-16", "Lé"),
            (b"\xfe\xff\0L\0\xe9", "utf-16", "Lé"),
            (b"\0L\0\xe9", "utf-16be", "Lé"),
            (b"L\0=\xd8\xa1\xdc", "utf-16le", "L💡"),
            ("\u{feff}Lé".as_bytes(), "utf-8", "Lé"),
            ("\u{feff}Lé".as_bytes(), "windows-1252", "Lé"),
        ] {
            assert_eq!(String::from_utf8_lossy(&decoded(bytes, encoding)), expected, "{encoding}");
        }
        let long = "é,x\n".repeat(3 * CHUNK_BYTES);
        let bytes: Vec<u8> = long.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decoded(&bytes, "utf-16le"), long.as_bytes());
    }

    #[test]
    fn what_is_no_text_ends_the_file_with_a_byte_that_is_none() {
        for (bytes, encoding, expected) in [
            (&b"a\xe9\x81b\n"[..], "windows-1252", &b"a\xc3\xa9\x81"[..]),
            (b"a\x80b", "iso-8859-15", b"a\x80"),
            (b"a\xc3\xa9\xe9b", "utf-8", b"a\xc3\xa9\xe9"),
            (b"a\x83\x89\x83 b", "shift_jis", b"a\xe3\x83\xa9\x83"),
            (b"a\0\0\xd8b\0", "utf-16le", b"a\xd8"),
            (b"a\0b", "utf-16le", b"a\xff"),
        ] {
            let found = decoded(bytes, encoding);
            assert_eq!(found, expected, "{encoding}");
            assert_eq!(std::str::from_utf8(&found).expect_err("no text").valid_up_to(), expected.len() - 1);
        }
    }
}
