//! Records: the bytes of a CSV file of any dialect → one row after the other.
//!
//! Owns    separators (judged, where none is declared), padding, line counting and limits.
//! Limits  a file is read in pieces of `CHUNK_BYTES`; a cell holds `MAX_CELL_BYTES`, a row `MAX_ROW_BYTES` and `MAX_COLUMNS`, and what is
//!         larger is passed over without being kept.
//! Always  lines are counted from the bytes, whatever ends them.
//! Source  RFC 4180, and the ways in which real exports depart from it.

use std::io::{self, Read};

use csv_core::ReadRecordResult;

/// Read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Longest cell: no description has a mebibyte; more is a quote that was never closed.
pub(super) const MAX_CELL_BYTES: usize = 1024 * 1024;
/// Longest row: several long texts fit, a file without line ends does not.
pub(super) const MAX_ROW_BYTES: usize = 8 * 1024 * 1024;
/// Most columns: large exports have a few hundred.
pub(super) const MAX_COLUMNS: usize = 4096;

/// The unescaped bytes of a row.
pub(super) struct Record<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) ends: &'a [usize],
    pub(super) line: usize,
    /// The column at which it grew too large.
    pub(super) too_large: Option<usize>,
}

/// Cuts a file into records.
pub(super) struct Records<R> {
    input: R,
    core: csv_core::Reader,
    padding: Option<Padding>,
    chunk: Vec<u8>,
    at: usize,
    filled: usize,
    line: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl<R: Read> Records<R> {
    /// Begins a file. Its columns are parted by `delimiter`; `None`: judged by the first line.
    pub(super) fn open(mut input: R, delimiter: Option<u8>) -> io::Result<Self> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut filled = 0;
        while filled < chunk.len() {
            match input.read(&mut chunk[filled..])? {
                0 => break,
                more => filled += more,
            }
        }
        let at = if chunk[..filled].starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let (separator, is_padded) = dialect(&chunk[at..filled], delimiter);
        let mut records = Self {
            input,
            core: csv_core::ReaderBuilder::new().delimiter(separator).build(),
            padding: is_padded.then_some(Padding { separator, state: PaddingState::Start }),
            chunk,
            at,
            filled,
            line: 1,
            bytes: vec![0; CHUNK_BYTES],
            ends: vec![0; 64],
        };
        if let Some(padding) = &mut records.padding {
            records.filled = at + padding.drop_from(&mut records.chunk[at..filled]);
        }
        Ok(records)
    }

    pub(super) fn is_utf_16(&self) -> bool {
        matches!(self.chunk.first_chunk(), Some([0xff, 0xfe] | [0xfe, 0xff]))
    }

    /// Whether there is more. (An empty rest tells the parser that the file ends.)
    fn fill(&mut self) -> io::Result<bool> {
        (self.at, self.filled) = (0, 0);
        while self.filled == 0 {
            let read = self.input.read(&mut self.chunk)?;
            if read == 0 {
                return Ok(false);
            }
            self.filled = match &mut self.padding {
                Some(padding) => padding.drop_from(&mut self.chunk[..read]),
                None => read,
            };
        }
        Ok(true)
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        // Line ends before a record are counted here: the parser takes a CR as the end and leaves its LF to the next record.
        loop {
            if self.at == self.filled && !self.fill()? {
                return Ok(None);
            }
            match self.chunk[self.at] {
                b'\n' => self.line += 1,
                b'\r' => {}
                _ => break,
            }
            self.at += 1;
        }
        let line = self.line;
        let (mut length, mut count) = (0, 0);
        let mut too_large = None;
        loop {
            let rest = &self.chunk[self.at..self.filled];
            let (result, read, written, ended) = self.core.read_record(rest, &mut self.bytes[length..], &mut self.ends[count..]);
            self.line += rest[..read].iter().filter(|byte| **byte == b'\n').count();
            self.at += read;
            (length, count) = (length + written, count + ended);
            match result {
                ReadRecordResult::InputEmpty => {
                    self.fill()?;
                }
                ReadRecordResult::OutputFull => {
                    let cell = length - self.ends[..count].last().copied().filter(|_| too_large.is_none()).unwrap_or(0);
                    if too_large.is_some() || cell > MAX_CELL_BYTES || length >= MAX_ROW_BYTES {
                        // What is too large is read on and not kept.
                        too_large = too_large.or(Some(count + 1));
                        (length, count) = (0, 0);
                    } else {
                        self.bytes.resize(self.bytes.len() * 2, 0);
                    }
                }
                ReadRecordResult::OutputEndsFull if count >= MAX_COLUMNS => {
                    too_large = too_large.or(Some(count));
                    (length, count) = (0, 0);
                }
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(None),
            }
        }
        // Ends are counted from the record's beginning, also of what was not kept.
        let ends = if too_large.is_some() { &[][..] } else { &self.ends[..count] };
        Ok(Some(Record { bytes: &self.bytes[..length], ends, line, too_large }))
    }
}

/// What separates the columns of a file and whether its cells are padded with blanks, judged by its first line.
fn dialect(start: &[u8], delimiter: Option<u8>) -> (u8, bool) {
    let mut is_quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut end = start.len();
    for (index, byte) in start.iter().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' | b'\r' if !is_quoted => {
                end = index;
                break;
            }
            _ if is_quoted => {}
            _ => counts.iter_mut().filter(|(sign, _)| sign == byte).for_each(|(_, count)| *count += 1),
        }
    }
    // Of two as frequent, the one that is listed first.
    let judged = counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(sign, _)| *sign);
    let separator = delimiter.unwrap_or(judged);
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' '));
    let is_padded = start[..end].split(|byte| *byte == separator).any(|cell| {
        let says_something = cell.iter().any(|byte| !byte.is_ascii_whitespace());
        says_something && (is_blank(cell.first()) || is_blank(cell.last()))
    });
    (separator, is_padded)
}

/// Drops the blanks before a cell, so that a quote after them opens the cell.
struct Padding {
    separator: u8,
    state: PaddingState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PaddingState {
    Start,
    Plain,
    Quoted,
    AfterQuote,
}

impl Padding {
    /// Moves what is kept to the front; gives its length.
    fn drop_from(&mut self, bytes: &mut [u8]) -> usize {
        use PaddingState::{AfterQuote, Plain, Quoted, Start};
        let mut kept = 0;
        for index in 0..bytes.len() {
            let byte = bytes[index];
            let ends_cell = byte == self.separator || matches!(byte, b'\n' | b'\r');
            let next = match (self.state, byte) {
                (Start, b' ') => continue,
                (Start | AfterQuote, b'"') => Quoted,
                (Quoted, b'"') => AfterQuote,
                (Quoted, _) => Quoted,
                _ if ends_cell => Start,
                _ => Plain,
            };
            bytes[kept] = byte;
            kept += 1;
            self.state = next;
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_of_a_hundred_megabytes_is_not_kept() {
        let start = "a,b\n1,2\n3,\"".as_bytes();
        let cell = io::repeat(b'x').take(100_000_000);
        let mut records = Records::open(start.chain(cell).chain("\"\n5,6\n".as_bytes()), None).expect("it is readable");
        let mut seen = Vec::new();
        while let Some(record) = records.next().expect("it is readable") {
            seen.push((record.line, record.too_large));
        }
        assert_eq!(seen, [(1, None), (2, None), (3, Some(2)), (4, None)]);
        assert!(records.bytes.capacity() <= 4 * MAX_CELL_BYTES, "{} bytes were kept", records.bytes.capacity());
    }
}
