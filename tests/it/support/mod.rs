//! What several integration tests need: where real catalogues lie, a shop in a temporary folder, and a plain HTTP client.

pub mod client;
pub mod counter;
pub mod edge;
pub mod shop;

use std::path::{Path, PathBuf};

/// The folder of real catalogues, or `None` where they are not at hand: then the test says by name that it was skipped, and passes.
pub fn data(test: &str, folder: &str) -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let given = std::env::var_os("VITRINE_DATA").map(PathBuf::from);
    let places = [given, Some(manifest.join("../shared/data")), Some(manifest.join("../../shared/data"))];
    let found = places.into_iter().flatten().map(|place| place.join(folder)).find(|place| place.is_dir());
    if found.is_none() {
        println!("skipped: {test} (the real catalogue {folder} is not at hand)");
    }
    found
}
