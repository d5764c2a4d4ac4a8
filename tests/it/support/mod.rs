//! What several integration tests need: where real catalogues lie, a shop in a temporary folder, and a plain HTTP client.

#[cfg(feature = "faults")]
pub mod altered;
pub mod cdn;
pub mod client;
pub mod counter;
pub mod desk;
pub mod edge;
pub mod place;
pub mod receiver;
pub mod request;
pub mod rig;
pub mod service;
pub mod shop;
pub mod stripe;

use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::test_runner::Config;

/// How many random cases a property is tried on: `usual`, and so many times more as `PROPTEST_CASES` is above what proptest itself would
/// take. A number of its own would hide what `tests/run --long` asks for.
pub fn cases(usual: u32) -> Config {
    /// What proptest takes where nobody says otherwise.
    const UNASKED: u64 = 256;
    let config = Config::default();
    let cases = u64::from(usual) * u64::from(config.cases) / UNASKED;
    Config { cases: u32::try_from(cases).unwrap_or(u32::MAX).max(1), ..config }
}

/// The folder of real catalogues, or `None` where they are not at hand: then the test says by name that it was skipped, and passes.
/// `VITRINE_DATA` names another place for them.
pub fn data(test: &str, folder: &str) -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = match std::env::var_os("VITRINE_DATA") {
        Some(given) => vec![PathBuf::from(given)],
        None => vec![manifest.join("../shared/data"), manifest.join("../../shared/data")],
    };
    let found = places.into_iter().map(|place| place.join(folder)).find(|place| place.is_dir());
    if found.is_none() {
        // Not by a macro: what those print is kept back of tests that pass.
        let _ = writeln!(std::io::stderr(), "skipped: {test} (the real catalogue {folder} is not at hand)");
    }
    found
}

/// The file that a compressed one holds. (The tool for it is on every machine that tests run on.)
pub fn unpacked(file: &Path, folder: &Path) -> PathBuf {
    let output = std::process::Command::new("gzip").arg("-dc").arg(file).output().expect("gzip runs");
    let path = folder.join(file.file_stem().expect("a name"));
    std::fs::write(&path, output.stdout).expect("written");
    path
}
