//! Floor: what the disk and the kernel cost, and nothing else: every input read, as many files of the same sizes written, in parallel.
//!
//! Run     cargo bench --bench floor -- INPUT TREE DEST (benches/build/run does)
//! Prints  seconds of reading INPUT and of writing to DEST, which must not exist yet, the files of TREE with other bytes.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use walkdir::WalkDir;

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench").map(PathBuf::from);
    let (Some(input), Some(tree), Some(dest)) = (words.next(), words.next(), words.next()) else {
        // `cargo bench` runs every benchmark; this one is a part of another.
        println!("floor: run by benches/build/run");
        return;
    };
    let written = files(&tree);
    let longest = written.iter().map(|(_, length)| *length).max().unwrap_or(0);
    let bytes: Vec<u8> = b"<p>a page</p>\n".iter().copied().cycle().take(longest).collect();

    let started = Instant::now();
    let inputs = files(&input);
    let read: usize = inputs.par_iter().map_init(Vec::new, |buffer, (path, _)| read_into(buffer, &input.join(path))).sum();
    let reading = started.elapsed();

    let started = Instant::now();
    let mut folders: Vec<PathBuf> = written.iter().filter_map(|(path, _)| path.parent()).map(|path| dest.join(path)).collect();
    folders.sort_unstable();
    folders.dedup();
    folders.iter().for_each(|folder| fs::create_dir_all(folder).expect("a folder"));
    written.par_iter().for_each(|(path, length)| {
        let file = fs::OpenOptions::new().write(true).create_new(true).open(dest.join(path));
        file.and_then(|mut file| file.write_all(&bytes[..*length])).expect("a file");
    });
    let writing = started.elapsed();
    let sum: usize = written.iter().map(|(_, length)| length).sum();
    println!(
        "{{\"inputs\": {}, \"read_bytes\": {read}, \"files\": {}, \"bytes\": {sum}, \"read_s\": {:.3}, \"write_s\": {:.3}}}",
        inputs.len(),
        written.len(),
        reading.as_secs_f64(),
        writing.as_secs_f64()
    );
}

fn read_into(buffer: &mut Vec<u8>, path: &Path) -> usize {
    buffer.clear();
    fs::File::open(path).and_then(|mut file| file.read_to_end(buffer)).expect("an input")
}

/// Files below a folder with their lengths.
fn files(root: &Path) -> Vec<(PathBuf, usize)> {
    let entries = WalkDir::new(root).into_iter().map(|entry| entry.expect("a readable folder"));
    let is_file = |entry: &walkdir::DirEntry| entry.file_type().is_file();
    let one = |entry: walkdir::DirEntry| {
        let length = usize::try_from(entry.metadata().expect("its length").len()).expect("it fits");
        (entry.path().strip_prefix(root).expect("below it").to_owned(), length)
    };
    entries.filter(is_file).map(one).collect()
}
