//! Statements: what the store asks of its tables, and how SQLite finds it. A table that only grows is never walked for a few of its rows.

use std::path::Path;

use rusqlite::Connection;

/// Tables that grow with every order, for as long as the shop lives.
const GROWING: &[&str] = &[
    "checkouts",
    "quotes",
    "orders",
    "attempts",
    "ledger",
    "reservations",
    "coupon_uses",
    "order_customers",
    "stock_movements",
    "outbox",
    "refunds",
    "fulfillments",
    "fulfillment_units",
    "fulfilled_lines",
    "letters",
    "withdrawals",
    "audit",
];

/// Partial indices that hold what is under way, and nothing of what is over.
const OPEN: &[&str] = &[
    "attempts_open",
    "attempts_to_sweep",
    "attempts_one_live",
    "orders_to_search",
    "outbox_due",
    "refunds_open",
    "refunds_to_tell",
    "letters_due",
    "withdrawals_open",
];

/// What may walk all the same: a piece of the statement, and why.
const MAY_WALK: &[(&str, &str)] = &[
    ("SET lease_owner = NULL", "once, at the start"),
    ("FROM checkouts WHERE created_at <= ?1", "once an hour, and at the start of a file that does not say when it was born"),
    ("'payment' AS kind", "what waits for a person, for a person"),
    ("FROM coupon_uses GROUP BY code", "all uses of all codes, for a person"),
    ("done_at IS NULL GROUP BY kind", "words for PostgreSQL, which takes the index of what is due"),
];

fn statements(path: &Path) -> Vec<String> {
    let source = std::fs::read_to_string(path).expect("a source file");
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut rest = source;
    while let Some((_, after)) = rest.split_once('"') {
        let Some((text, behind)) = after.split_once('"') else { break };
        rest = behind;
        let words = ["SELECT ", "UPDATE ", "DELETE FROM ", "INSERT INTO "];
        if words.iter().any(|word| text.trim_start().starts_with(word)) && !text.contains(['{', '\\']) {
            found.push(text.to_owned());
        }
    }
    found
}

// Parameters as values: what they are changes no plan.
fn bound(statement: &str) -> String {
    let mut parts = statement.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("'x'");
        text.push_str(part.trim_start_matches(|letter: char| letter.is_ascii_digit()));
    }
    let mut words = text.split(':');
    let mut named = words.next().unwrap_or_default().to_owned();
    for word in words {
        named.push_str("'x'");
        named.push_str(word.trim_start_matches(|letter: char| letter.is_ascii_lowercase() || letter == '_'));
    }
    named
}

#[test]
fn no_table_that_only_grows_is_walked_for_a_few_of_its_rows() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let listed = |folder: &str, ending: &str| {
        let entries = std::fs::read_dir(store.join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path());
        let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
        paths.sort();
        paths
    };
    let schema = Connection::open_in_memory().expect("memory");
    for migration in listed("migrations", "sql") {
        schema.execute_batch(&std::fs::read_to_string(migration).expect("text")).expect("a migration");
    }
    let (mut asked, mut walked, mut excused) = (0, Vec::new(), vec![false; MAY_WALK.len()]);
    // `promises` asks about everything there is, for a person.
    for path in listed("steps", "rs").iter().filter(|path| !path.ends_with("promises.rs")) {
        for statement in statements(path) {
            let Ok(mut explain) = schema.prepare(&format!("EXPLAIN QUERY PLAN {}", bound(&statement))) else { continue };
            asked += 1;
            let steps = explain.query_map([], |row| row.get::<_, String>(3)).expect("a plan");
            let steps: Vec<String> = steps.map(|step| step.expect("a step")).collect();
            let walks = |step: &&String| {
                let mut words = step.split(' ');
                words.next() == Some("SCAN")
                    && words.next().is_some_and(|table| GROWING.contains(&table))
                    && !step.split(' ').any(|word| OPEN.contains(&word))
            };
            let Some(step) = steps.iter().find(walks) else { continue };
            match MAY_WALK.iter().position(|(piece, _)| statement.contains(piece)) {
                Some(index) => excused[index] = true,
                None => walked.push(format!(
                    "{}: {step}: {}",
                    path.display(),
                    statement.split_whitespace().collect::<Vec<_>>().join(" ")
                )),
            }
        }
    }
    assert!(walked.is_empty(), "an index is missing:\n{}", walked.join("\n"));
    assert!(asked > 150, "only {asked} statements were found");
    let idle: Vec<_> = MAY_WALK.iter().zip(&excused).filter(|(_, used)| !**used).map(|((piece, _), _)| piece).collect();
    assert!(idle.is_empty(), "these walk no more: {idle:?}");
}
