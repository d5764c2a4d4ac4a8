//! Details: what only a product's page shows, kept out of memory until the page is printed.
//!
//! Owns    the packed form of `ProductDetails`, and where each lies: in a file of the cache, or in memory where there is none.
//! Always  an open file goes on being read after another build has replaced it.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};

use super::ProductDetails;

/// Where one product's details lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub(super) part: u32,
    /// From the first record of the part on.
    pub(super) offset: u64,
    pub(super) length: u32,
}

impl Place {
    /// The same in the part of that number.
    pub(super) fn in_part(self, part: u32) -> Self {
        Self { part, ..self }
    }

    /// The same where its batch begins at `start`.
    pub(super) fn after(self, start: Self) -> Self {
        Self { part: start.part, offset: start.offset + self.offset, ..self }
    }
}

/// The details of all products, in parts.
#[derive(Debug, Default)]
pub struct Details {
    parts: Vec<Part>,
}

/// Records one after the other.
#[derive(Debug)]
pub(super) enum Part {
    /// In a file, from the byte `start` on.
    Filed { file: fs::File, start: u64 },
    /// In memory.
    Held(Vec<u8>),
}

impl Details {
    /// One more part; gives its number.
    pub(super) fn add(&mut self, part: Part) -> u32 {
        self.parts.push(part);
        self.parts.len() as u32 - 1
    }

    /// The details at a place.
    ///
    /// Errors: the cache cannot be read, or is not as it was written.
    pub fn read(&self, place: Place) -> io::Result<ProductDetails> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "what a build remembers is damaged; delete .vitrine/cache");
        let length = place.length as usize;
        let record = match self.parts.get(place.part as usize).ok_or_else(damaged)? {
            Part::Held(records) => {
                let start = place.offset as usize;
                postcard::from_bytes(records.get(start..start + length).ok_or_else(damaged)?)
            }
            Part::Filed { file, start } => {
                let mut record = vec![0; length];
                file.read_exact_at(&mut record, start + place.offset)?;
                postcard::from_bytes(&record)
            }
        };
        record.map_err(|_| damaged())
    }
}

/// Records that come in one batch after the other: in a file as long as one can be written, then in memory.
#[derive(Debug, Default)]
pub(super) struct Heap {
    file: Option<fs::File>,
    /// Byte of the file at which records begin.
    start: u64,
    filed: u64,
    held: Vec<u8>,
}

impl Heap {
    /// With a file whose records begin at the byte `start`; `None`: all is held in memory.
    pub(super) fn new(file: Option<fs::File>, start: u64) -> Self {
        Self { file, start, ..Self::default() }
    }

    /// Takes records; gives the place of the first byte. Part 0 is the file, part 1 memory: see `settle`.
    pub(super) fn take(&mut self, records: &[u8]) -> Place {
        if let Some(file) = self.file.as_ref().filter(|_| self.held.is_empty())
            && file.write_all_at(records, self.start + self.filed).is_ok()
        {
            let offset = self.filed;
            self.filed += records.len() as u64;
            return Place { part: 0, offset, length: 0 };
        }
        let offset = self.held.len() as u64;
        self.held.extend_from_slice(records);
        Place { part: 1, offset, length: 0 }
    }

    /// The end of the records in the file, where all of them are there.
    pub(super) fn end(&self) -> Option<u64> {
        (self.file.is_some() && self.held.is_empty()).then_some(self.start + self.filed)
    }

    /// Adds its parts to `details`; gives the numbers of part 0 and part 1.
    pub(super) fn settle(self, details: &mut Details) -> [u32; 2] {
        let file = match self.file {
            Some(file) => details.add(Part::Filed { file, start: self.start }),
            None => 0,
        };
        [file, details.add(Part::Held(self.held))]
    }
}

/// Packs details at the end of `records`; the place is within this part, whose number is not known yet.
pub(super) fn pack(details: &ProductDetails, records: Vec<u8>) -> (Place, Vec<u8>) {
    let offset = records.len();
    let records = postcard::to_extend(details, records).expect("plain data always serialises");
    let length = u32::try_from(records.len() - offset).expect("a product's text is far below 4 GiB");
    (Place { part: 0, offset: offset as u64, length }, records)
}
