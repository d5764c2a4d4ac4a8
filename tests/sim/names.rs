//! Names: every failpoint of CHECKOUT.md 5.8 stands in the source exactly once, or is known not to apply yet.

use std::collections::BTreeMap;
use std::path::Path;

/// Failpoints that stand nowhere in the source, and why.
pub const ABSENT: &[(&str, &str)] =
    &[("K7", "the HTTP client writes a request in one piece; the wire ends it half-way in tests/kills/stripe.rs")];

/// Beside those: where what a backup lacks is made good. R1 compared, before anybody may pay; R2 found, before anything is done; R3
/// adopted, before its turn; R4 promised to go back, before it is sent; R5 answered, before that is written.
const RESTORING: [&str; 5] = ["R1", "R2", "R3", "R4", "R5"];

/// And where a publication may end: the intent is told, the bundle, the pointer, some of the files are put, it is written what caches have
/// to be told, the record is put, the caches were told. tests/it/publish.rs and tests/it/purge.rs end the program at each.
const PUBLISHING: [&str; 7] = ["INTENT", "BUNDLE", "POINTER", "PUT", "OWED", "RECORD", "PURGED"];

/// How often each text in quotation marks follows `before` in the source.
pub fn named(before: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    read(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").as_path(), before, &mut found);
    found
}

fn read(folder: &Path, before: &str, found: &mut BTreeMap<String, usize>) {
    for entry in std::fs::read_dir(folder).expect("the sources are readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read(&path, before, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).expect("sources are text");
            for rest in text.split(before).skip(1) {
                *found.entry(rest.split('"').next().unwrap_or("").to_owned()).or_default() += 1;
            }
        }
    }
}

/// And where the shop's inventory service holds units for a payment of which nothing is written yet. tests/it/stock.rs ends the edge there.
const SERVICES: [&str; 1] = ["HELD"];

#[test]
fn every_failpoint_is_in_one_place() {
    let found = named("failpoint!(\"");
    for number in 1..=40 {
        let name = format!("K{number}");
        let expected = usize::from(ABSENT.iter().all(|(absent, _)| *absent != name));
        assert_eq!(found.get(&name).copied().unwrap_or(0), expected, "{name}");
    }
    for name in RESTORING.into_iter().chain(PUBLISHING).chain(SERVICES) {
        assert_eq!(found.get(name), Some(&1), "{name}");
    }
    assert_eq!(found.len(), 40 - ABSENT.len() + RESTORING.len() + PUBLISHING.len() + SERVICES.len(), "no other names: {found:?}");
}
