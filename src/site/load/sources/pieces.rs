//! Pieces: a file of lines → whole lines, as many at once as are read on all cores.
//!
//! Limits  a piece and a line hold `MAX_LINE_BYTES`; what is longer is passed over without being kept.
//! Always  lines are counted from the bytes; a byte order mark is dropped.

use std::io::{self, Read};

/// Longest line: a product with all its texts; as large as a row of a table.
pub(super) const MAX_LINE_BYTES: usize = 8 * 1024 * 1024;

/// What comes next of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Whole lines.
    Lines { text: &'a str, first_line: usize },
    /// A line that is not kept.
    TooLong { line: usize },
    /// The byte `at` is no text: the file is not to be read further.
    NoText { bytes: &'a [u8], at: usize, first_line: usize },
}

/// Cuts a file into pieces.
pub(super) struct Pieces<R> {
    input: R,
    bytes: Vec<u8>,
    /// Of them, what was given last.
    given: usize,
    filled: usize,
    /// Number of the line at which the rest begins.
    line: usize,
    has_begun: bool,
    has_ended: bool,
}

impl<R: Read> Pieces<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, bytes: Vec::new(), given: 0, filled: 0, line: 1, has_begun: false, has_ended: false }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        self.line += self.bytes[..self.given].iter().filter(|byte| **byte == b'\n').count();
        self.drop_first(self.given);
        self.fill()?;
        if !self.has_begun {
            self.has_begun = true;
            if self.bytes[..self.filled].starts_with(b"\xef\xbb\xbf") {
                self.drop_first(3);
            }
        }
        let end = match self.bytes[..self.filled].iter().rposition(|byte| *byte == b'\n') {
            _ if self.has_ended => self.filled,
            Some(end) => end + 1,
            None => return self.pass_over().map(Some),
        };
        if end == 0 {
            return Ok(None);
        }
        self.given = end;
        let (bytes, first_line) = (&self.bytes[..end], self.line);
        let wrong = std::str::from_utf8(bytes).map_err(|error| error.valid_up_to());
        Ok(Some(match (wrong, bytes.iter().position(|byte| *byte == 0)) {
            (Ok(text), None) => Piece::Lines { text, first_line },
            (Ok(_), Some(at)) => Piece::NoText { bytes, at, first_line },
            (Err(at), zero) => Piece::NoText { bytes, at: zero.map_or(at, |zero| zero.min(at)), first_line },
        }))
    }

    fn drop_first(&mut self, count: usize) {
        self.bytes.copy_within(count..self.filled, 0);
        self.filled -= count;
        self.given = 0;
    }

    fn fill(&mut self) -> io::Result<()> {
        self.bytes.resize(MAX_LINE_BYTES, 0);
        while !self.has_ended && self.filled < self.bytes.len() {
            match self.input.read(&mut self.bytes[self.filled..]) {
                Ok(0) => self.has_ended = true,
                Ok(more) => self.filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    // To the end of a line that is too long.
    fn pass_over(&mut self) -> io::Result<Piece<'static>> {
        let line = self.line;
        while !self.has_ended {
            self.filled = 0;
            self.fill()?;
            if let Some(end) = self.bytes[..self.filled].iter().position(|byte| *byte == b'\n') {
                self.drop_first(end + 1);
                self.line += 1;
                return Ok(Piece::TooLong { line });
            }
        }
        self.filled = 0;
        Ok(Piece::TooLong { line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What comes of a file, a piece of lines as (first line, lines in it).
    fn all(input: impl Read) -> Vec<(usize, usize)> {
        let mut pieces = Pieces::new(input);
        let mut seen = Vec::new();
        while let Some(piece) = pieces.next().expect("it is readable") {
            seen.push(match piece {
                Piece::Lines { text, first_line } => (first_line, text.lines().count()),
                Piece::TooLong { line } => (line, usize::MAX),
                Piece::NoText { at, first_line, .. } => (first_line + at, 0),
            });
        }
        assert!(pieces.bytes.capacity() <= 2 * MAX_LINE_BYTES, "{} bytes were kept", pieces.bytes.capacity());
        seen
    }

    #[test]
    fn lines_are_whole_and_counted_wherever_a_piece_ends() {
        assert_eq!(all(&b"\xef\xbb\xbfa\n\nb"[..]), [(1, 3)]);
        assert_eq!(all(&b""[..]), []);
        assert_eq!(all(&b"a\xe9\n"[..]), [(2, 0)]);
        assert_eq!(all(&b"a\0\xe9\n"[..]), [(2, 0)]);
        let line = "x".repeat(999) + "\n";
        let text = line.repeat(20_000);
        let seen = all(text.as_bytes());
        assert_eq!((seen.len(), seen.iter().map(|(_, lines)| lines).sum::<usize>()), (3, 20_000));
        assert!(seen.windows(2).all(|pair| pair[1].0 == pair[0].0 + pair[0].1), "{seen:?}");
    }

    #[test]
    fn a_line_of_a_hundred_megabytes_is_not_kept() {
        let long = || io::repeat(b'x').take(100_000_000);
        let text = "1\n".as_bytes().chain(long()).chain("\n3\n".as_bytes()).chain(long());
        assert_eq!(all(text), [(1, 1), (2, usize::MAX), (3, 1), (4, usize::MAX)]);
    }
}
