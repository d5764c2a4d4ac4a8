//! Index: which word stands where.

use std::collections::HashMap;

use super::documents::Documents;
use super::files::{Postings, Words as WordsFile, steps};
use super::words::{is_code, words};
use crate::commerce::language::Words;
use crate::site::load::Loaded;

/// Bytes of words in one file: the words of most shops are one.
const VOCABULARY_BYTES: usize = 32 * 1024;
/// Entries (a word stands in a product) in one file: about 5 kB on the wire where words are common.
const POSTINGS: usize = 12_000;
/// Words in one file of postings: rare ones, such as codes, are about 9 kB on the wire.
const POSTED_WORDS: usize = 2_500;

/// Where a word stands in a product. The first is the best.
#[derive(Clone, Copy, Debug)]
enum Place {
    Title,
    Brand,
    /// Categories, tags, attributes, options.
    Other,
}

/// Words and where they stand.
#[derive(Debug)]
pub(super) struct Index {
    /// In order: without a digit first, then codes.
    words: Vec<String>,
    /// Place among `words` of the first code.
    pub(super) first_code: usize,
    /// Word, product and place in one number, sorted; one per word and product.
    entries: Vec<u64>,
    /// Where the entries of each word begin.
    starts: Vec<usize>,
}

// Enough for any catalogue: 2^28 words in 2^34 products.
const PLACE_BITS: u32 = 2;
const NUMBER_BITS: u32 = 34;

impl Index {
    pub(super) fn new(loaded: &Loaded, documents: &Documents, said: &Words, language: &str) -> Self {
        let mut gathered = Gathered::default();
        let mut shelves: HashMap<&str, Vec<u32>> = HashMap::new();
        for category in loaded.catalog.categories() {
            let mut all = gathered.words_of(category.title_in(language));
            let above = category.path.parent().and_then(|path| shelves.get(path.as_str()).cloned());
            all.extend(above.unwrap_or_default());
            shelves.insert(category.path.as_str(), all);
        }
        // Brands, tags and values repeat: the words of each are found once.
        let mut known: HashMap<&str, Vec<u32>> = HashMap::new();
        let mut entries: Vec<u64> = Vec::new();
        for (number, index) in (0_u64..).zip(&documents.order) {
            let (product, notes) = (&loaded.catalog.products()[*index], &loaded.products[*index]);
            let mut enter = |word: u32, place: Place| {
                entries.push((u64::from(word) << (NUMBER_BITS + PLACE_BITS)) | (number << PLACE_BITS) | place as u64);
            };
            gathered.each(product.title_in(language), true, &mut |word| enter(word, Place::Title));
            let mut repeated = |text, place| {
                let all: &Vec<u32> = known.entry(text).or_insert_with(|| gathered.words_of(text));
                all.iter().for_each(|word| enter(*word, place));
            };
            product.brand.iter().for_each(|brand| repeated(brand, Place::Brand));
            let said = |value| product.word_in(said, language, value);
            notes.marks.all().for_each(|(_, value)| repeated(said(value), Place::Other));
            product.options.iter().flat_map(|option| &option.values).for_each(|value| repeated(said(value), Place::Other));
            let shelves = product.categories.iter().filter_map(|path| shelves.get(path.as_str()));
            shelves.flatten().for_each(|word| enter(*word, Place::Other));
        }
        gathered.sorted(entries)
    }

    /// The words of each file, with the first's place and itself.
    pub(super) fn vocabulary(&self) -> Vec<((usize, String), WordsFile)> {
        let mut files = Vec::new();
        let mut start = 0;
        while start < self.words.len() {
            let section = if start < self.first_code { self.first_code } else { self.words.len() };
            let mut bytes = 0;
            let fits = |word: &&String| {
                bytes += word.len() + 1;
                bytes <= VOCABULARY_BYTES
            };
            let count = self.words[start..section].iter().take_while(fits).count();
            let words = &self.words[start..start + count];
            files.push(((start, words[0].clone()), WordsFile { words: words.join(" ") }));
            start += count;
        }
        files
    }

    /// The postings of each file, with the place of the first word.
    pub(super) fn postings(&self) -> Vec<(usize, Postings)> {
        let mut files = Vec::new();
        let mut start = 0;
        while start < self.words.len() {
            let limit = self.starts[start] + POSTINGS;
            let more = self.starts[start + 1..].iter().take_while(|end| **end <= limit).count();
            let count = more.clamp(1, POSTED_WORDS).min(self.words.len() - start);
            files.push((start, self.posted(start, count)));
            start += count;
        }
        files
    }

    fn posted(&self, start: usize, count: usize) -> Postings {
        let mut postings = Postings::default();
        for word in start..start + count {
            let entries = &self.entries[self.starts[word]..self.starts[word + 1]];
            let at = |place: Place| {
                let here = entries.iter().filter(move |entry| *entry & 3 == place as u64);
                steps(here.map(|entry| (entry >> PLACE_BITS) as u32))
            };
            postings.title.push(at(Place::Title));
            postings.brand.push(at(Place::Brand));
            postings.other.push(at(Place::Other));
        }
        postings
    }
}

/// Words as they are met.
#[derive(Default)]
struct Gathered {
    ids: HashMap<String, u32>,
}

impl Gathered {
    // A sign alone says something in a title (`iPhone 5`), not among attributes.
    fn each(&mut self, text: &str, with_single: bool, take: &mut impl FnMut(u32)) {
        words(text, &mut |word| {
            if with_single || word.len() > 1 {
                let next = self.ids.len() as u32;
                // A word is copied when it is new.
                let id = match self.ids.get(word) {
                    Some(id) => *id,
                    None => *self.ids.entry(word.to_owned()).or_insert(next),
                };
                take(id);
            }
        });
    }

    fn words_of(&mut self, text: &str) -> Vec<u32> {
        let mut all = Vec::new();
        self.each(text, false, &mut |word| all.push(word));
        all
    }

    /// Gives words the numbers of their order.
    fn sorted(self, mut entries: Vec<u64>) -> Index {
        let mut words: Vec<(bool, String, u32)> = self.ids.into_iter().map(|(word, id)| (is_code(&word), word, id)).collect();
        words.sort_unstable();
        let mut ranks = vec![0_u64; words.len()];
        for (rank, (_, _, id)) in (0..).zip(&words) {
            ranks[*id as usize] = rank;
        }
        let shift = NUMBER_BITS + PLACE_BITS;
        for entry in &mut entries {
            *entry = (ranks[(*entry >> shift) as usize] << shift) | (*entry & ((1 << shift) - 1));
        }
        rayon::slice::ParallelSliceMut::par_sort_unstable(entries.as_mut_slice());
        // The best place of a word in a product is the first.
        entries.dedup_by_key(|entry| *entry >> PLACE_BITS);
        let first_code = words.partition_point(|(is_code, _, _)| !is_code);
        let starts = (0..=words.len() as u64).map(|word| entries.partition_point(|entry| entry >> shift < word)).collect();
        Index { words: words.into_iter().map(|(_, word, _)| word).collect(), first_code, entries, starts }
    }
}
