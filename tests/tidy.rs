//! Tidy: the rules of the house that a compiler does not know, checked on every file.
//!
//! Owns    the import table, file sizes, headers, names, and what may not stand in source text. STYLE.md says why.
//! Always  all breaches are told at once, each with what to do; each check is proved on made-up text below.

use std::fmt;
use std::fs;
use std::path::Path;

/// Which rooms a room may import. `cli` wires everything; `config` reads the section types of every room.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("commerce", &[]),
    ("telemetry", &[]),
    ("store", &["commerce"]),
    ("gateway", &["commerce"]),
    ("theme", &["commerce"]),
    ("site", &["commerce", "theme", "telemetry"]),
    ("publish", &["commerce", "theme", "site"]),
    ("edge", &["commerce", "theme", "store", "telemetry"]),
    ("recipe", &["telemetry", "theme", "site", "publish", "edge"]),
    ("load", &["site"]),
    ("config", &["commerce", "telemetry", "store", "gateway", "theme", "site", "publish", "edge", "recipe"]),
    ("cli", &["commerce", "telemetry", "store", "gateway", "theme", "site", "publish", "edge", "recipe", "load", "config"]),
];

/// Where the edge may talk to a gateway: it performs what was committed, and hears what the gateway says.
const EDGE_MEETS_GATEWAY: &[&str] = &["src/edge/perform.rs", "src/edge/perform/", "src/edge/routes/webhook.rs"];

/// Crates of others that the core may use.
const CORE_CRATES: &[&str] = &["std", "serde", "sha2", "smol_str", "iso_currency", "thiserror"];
/// Parts of `std` that reach out of the core.
const CORE_NEVER: &[&str] =
    &["std::io", "std::fs", "std::net", "std::time", "std::env", "std::thread", "std::process", "async fn"];

/// Lines a file may have without giving a reason in its header.
const MAX_LINES: usize = 600;
/// How a header gives that reason.
const LONG_REASON: &str = "//! Long    ";

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "shared"];

/// A file of the house, its path relative to the root, with `/` everywhere.
struct Source {
    path: String,
    text: String,
}

/// A rule that is broken, and what to do about it.
#[derive(Debug, PartialEq)]
struct Breach {
    path: String,
    line: usize,
    advice: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.advice)
    }
}

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests", "benches"] {
        read_into(&mut sources, root, Path::new(folder));
    }
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "the sources are found");
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    let breaches: Vec<String> = sources.iter().flat_map(breaches).map(|breach| breach.to_string()).collect();
    assert!(breaches.is_empty(), "{} breaches of STYLE.md:\n{}", breaches.len(), breaches.join("\n"));
}

fn read_into(sources: &mut Vec<Source>, root: &Path, folder: &Path) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return };
    for entry in entries {
        let name = folder.join(entry.expect("the folder can be listed").file_name());
        if root.join(&name).is_dir() && !name.ends_with("node_modules") {
            read_into(sources, root, &name);
        } else if name.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(root.join(&name)).expect("sources are UTF-8 and readable");
            sources.push(Source { path: name.to_string_lossy().replace('\\', "/"), text });
        }
    }
}

fn breaches(source: &Source) -> Vec<Breach> {
    let code = code_only(&source.text);
    let mut found = Vec::new();
    let mut tell = |line: usize, advice: String| found.push(Breach { path: source.path.clone(), line, advice });
    check_name(source, &mut tell);
    check_header_and_size(source, &mut tell);
    check_text(source, &mut tell);
    check_code(source, &code, &mut tell);
    if let Some(room) = room_of(&source.path) {
        check_imports(source, room, &code, &mut tell);
    }
    if source.path.starts_with("src/commerce/") {
        check_core(source, &code, &mut tell);
    }
    found
}

/// `src/edge/http.rs` and `src/config.rs` are in rooms; `src/main.rs`, `src/lib.rs` and tests are not.
fn room_of(path: &str) -> Option<&'static str> {
    let first = path.strip_prefix("src/")?.split('/').next()?.trim_end_matches(".rs");
    MAY_IMPORT.iter().map(|(room, _)| *room).find(|room| *room == first)
}

fn check_name(source: &Source, tell: &mut impl FnMut(usize, String)) {
    let parts = source.path.split('/').map(|part| part.trim_end_matches(".rs"));
    for part in parts.filter(|part| EMPTY_NAMES.contains(part)) {
        tell(1, format!("`{part}` says nothing; put each function with the noun it serves"));
    }
    if source.path.starts_with("src/") && source.path.split('/').count() > 5 {
        tell(1, "a room is at most two folders deep; flatten it".to_owned());
    }
}

fn check_header_and_size(source: &Source, tell: &mut impl FnMut(usize, String)) {
    if !source.text.starts_with("//! ") {
        tell(1, "begin with a `//! Name: what for?` header that says what the module owns".to_owned());
    }
    let lines = source.text.lines().count();
    if lines > MAX_LINES && !source.text.lines().any(|line| line.starts_with(LONG_REASON)) {
        tell(MAX_LINES, format!("{lines} lines: find the seam and cut, or give the reason in the header as `{LONG_REASON}…`"));
    }
}

/// What may not stand anywhere, comments and texts included.
fn check_text(source: &Source, tell: &mut impl FnMut(usize, String)) {
    // Put together here, so that this file does not break its own rules.
    let leftovers = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let machine_paths = [concat!("\"/ho", "me/"), concat!("\"/wo", "rk/"), concat!("\"/Us", "ers/"), concat!("\"/ro", "ot/")];
    for (number, line) in (1..).zip(source.text.lines()) {
        if let Some(word) = leftovers.iter().find(|word| line.contains(*word)) {
            tell(number, format!("`{word}`: do it now, or say in a sentence what holds today"));
        }
        if let Some(path) = machine_paths.iter().find(|path| line.contains(*path)) {
            tell(
                number,
                format!("{path}…\" exists on one machine; start from CARGO_MANIFEST_DIR, a setting or a temporary folder"),
            );
        }
    }
}

fn check_code(source: &Source, code: &str, tell: &mut impl FnMut(usize, String)) {
    let tests_from = test_code_from(source, code);
    for (number, line) in (1..).zip(code.lines()) {
        let is_test = number >= tests_from;
        if !is_test && line.contains(".unwrap()") {
            tell(number, "`unwrap` outside tests: return the error, or `expect` with the reason why it holds".to_owned());
        }
        if is_test && (line.contains("thread::sleep") || line.contains("time::sleep")) {
            tell(number, "a test never sleeps: pass the time in, or wait for the thing itself with a limit".to_owned());
        }
    }
}

/// Number of the line from which on everything is a test; tests stand at a file's end.
fn test_code_from(source: &Source, code: &str) -> usize {
    let stem = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    if !source.path.starts_with("src/") || ["tests", "properties", "fixture"].contains(&stem) {
        return 1;
    }
    let lines: Vec<&str> = code.lines().collect();
    let begins = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{');
    lines.windows(2).position(begins).map_or(usize::MAX, |index| index + 1)
}

fn check_imports(source: &Source, room: &str, code: &str, tell: &mut impl FnMut(usize, String)) {
    let (_, allowed) = MAY_IMPORT.iter().find(|(name, _)| *name == room).expect("room_of knows only these");
    let tests_from = test_code_from(source, code);
    for (number, imported) in imported_rooms(&source.path, code) {
        let is_performing = EDGE_MEETS_GATEWAY.iter().any(|place| source.path.starts_with(place));
        let is_excepted =
            room == "edge" && imported == "gateway" && is_performing || imported == "config" && number >= tests_from;
        if imported == room || allowed.contains(&imported.as_str()) || is_excepted {
            continue;
        }
        let rooms = if allowed.is_empty() { "nothing of ours".to_owned() } else { format!("`{}`", allowed.join("`, `")) };
        tell(number, format!("`{room}` must not import `{imported}`; it may import {rooms}. Pass a value, or move the noun"));
    }
}

/// Rooms named by `crate::…` paths (groups too) and by `super::…` paths that reach the crate's root, with their lines.
fn imported_rooms(path: &str, code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let depth = module_depth(path);
    let mut inline_depth = 0;
    let mut offset = 0;
    for (number, line) in (1..).zip(code.split_inclusive('\n')) {
        let is_inline_start = line.trim_start_matches("pub ").starts_with("mod ") && line.trim_end().ends_with('{');
        inline_depth = if is_inline_start {
            1
        } else if line.starts_with('}') {
            0
        } else {
            inline_depth
        };
        for (at, _) in line.match_indices("crate::") {
            found.extend(heads(&code[offset + at + "crate::".len()..]).into_iter().map(|room| (number, room)));
        }
        let to_root = "super::".repeat(depth + inline_depth);
        for (at, _) in line.match_indices(&to_root) {
            let after = &code[offset + at + to_root.len()..];
            if !line[..at].ends_with("super::") && !after.starts_with("super") {
                found.extend(heads(after).into_iter().map(|room| (number, room)));
            }
        }
        offset += line.len();
    }
    found.retain(|(_, name)| MAY_IMPORT.iter().any(|(room, _)| room == name));
    found
}

/// How many `super` lead from a file's module to the crate's root.
fn module_depth(path: &str) -> usize {
    path.trim_start_matches("src/").trim_end_matches("/mod.rs").split('/').count()
}

/// The first names of a path's rest: `edge` of `edge::app`, and both of `{edge::app, theme}`.
fn heads(rest: &str) -> Vec<String> {
    let name =
        |text: &str| text.trim_start().chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let mut names = vec![name(group)];
    let mut depth = 0;
    for (at, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    names
}

/// The core: values in, values out.
fn check_core(source: &Source, code: &str, tell: &mut impl FnMut(usize, String)) {
    let tests_from = test_code_from(source, code);
    for (number, line) in (1..).zip(code.lines()).take_while(|(number, _)| *number < tests_from) {
        if let Some(reach) = CORE_NEVER.iter().find(|reach| line.contains(*reach)) {
            tell(number, format!("`{reach}` reaches out of `commerce`; let the caller pass the value in"));
        }
        if line.contains("f64") || line.contains("f32") {
            tell(number, "`commerce` counts in integers; a float cannot hold a price".to_owned());
        }
        let Some(used) = line.trim_start_matches("pub ").strip_prefix("use ") else { continue };
        let first = heads(used).remove(0);
        let is_ours = ["super", "self", "crate"].contains(&first.as_str()) || !used.contains("::");
        let is_local = code.lines().any(|line| line.trim_start_matches("pub ") == format!("mod {first};"));
        if !is_ours && !is_local && !CORE_CRATES.contains(&first.as_str()) {
            tell(number, format!("`commerce` uses only {}; not `{first}`", CORE_CRATES.join(", ")));
        }
    }
}

/// The text with comments and the insides of strings blanked out, line by line as it was.
fn code_only(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = comment_length(rest).or_else(|| string_length(rest, kept.chars().last())).or_else(|| char_length(rest));
        let length = skipped.unwrap_or(first.len_utf8());
        let piece = &rest[..length];
        if skipped.is_some() {
            kept.extend(piece.chars().map(|char| if char == '\n' { '\n' } else { ' ' }));
        } else {
            kept.push_str(piece);
        }
        rest = &rest[length..];
    }
    kept
}

fn comment_length(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    rest.starts_with("/*").then(|| rest.find("*/").map_or(rest.len(), |end| end + 2))
}

fn string_length(rest: &str, before: Option<char>) -> Option<usize> {
    let is_in_name = before.is_some_and(|char| char.is_alphanumeric() || char == '_');
    if let Some(raw) = rest.strip_prefix('r').filter(|_| !is_in_name || before == Some('b')) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = &raw[hashes + 1..];
            return Some(1 + hashes + 1 + inside.find(&end).map_or(inside.len(), |at| at + end.len()));
        }
    }
    let inside = rest.strip_prefix('"')?;
    let mut escaped = false;
    for (at, char) in inside.char_indices() {
        match char {
            '"' if !escaped => return Some(1 + at + 1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Some(rest.len())
}

/// `'"'` and `'\''` are characters; `'a` is a lifetime.
fn char_length(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    let end = if first == '\\' { inside[2..].find('\'')? + 2 } else { first.len_utf8() };
    inside[end..].starts_with('\'').then_some(end + 2)
}

mod proofs {
    use super::*;

    /// Advice given for made-up text, each by a part of it.
    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        let found: Vec<String> = breaches(&source).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (breach, part) in found.iter().zip(expected) {
            assert!(breach.contains(part), "`{breach}` should say `{part}`");
        }
    }

    fn with_header(code: &str) -> String {
        format!("//! Made up: for a proof.\n{code}\n")
    }

    #[test]
    fn rooms_import_only_what_the_table_says() {
        let breach = |path: &str, code: &str, expected: &[&str]| check(path, &with_header(code), expected);
        breach("src/store/mod.rs", "use crate::commerce::ids::Sku;", &[]);
        breach("src/store/mod.rs", "use crate::gateway::Gateway;", &["src/store/mod.rs:2: `store` must not import `gateway`"]);
        breach("src/commerce/cart.rs", "fn f() -> crate::edge::App {}", &["may import nothing of ours"]);
        breach("src/site/plan.rs", "use crate::{commerce::{ids, cart}, edge::app, store};", &["`edge`", "`store`"]);
        breach("src/site/plan.rs", "use crate::{\n    theme,\n    edge,\n};", &["`edge`"]);
        breach("src/theme/mod.rs", "// crate::edge is not meant\nconst A: &str = \"crate::edge\";", &[]);
        breach("src/config.rs", "use crate::edge::Settings;", &[]);
        breach("src/edge/app.rs", "use crate::config::Config;", &["`config`"]);
        breach("src/edge/app.rs", "#[cfg(test)]\nmod tests {\n    use crate::config::Config;\n}", &[]);
        breach("src/main.rs", "use vitrine::cli;", &[]);
        breach("src/edge/app.rs", "use crate::edge::reply::Reply;", &[]);
    }

    #[test]
    fn super_is_followed_to_the_root() {
        let breach = |path: &str, code: &str, expected: &[&str]| check(path, &with_header(code), expected);
        breach("src/edge/app.rs", "use super::super::site::plan;", &["`site`"]);
        breach("src/edge/mod.rs", "use super::site::plan;", &["`site`"]);
        breach("src/edge/app.rs", "use super::site;", &[]);
        breach("src/edge/app.rs", "mod tests {\n    use super::super::site;\n}\nuse super::super::site;", &["5: `edge`"]);
        breach("src/edge/routes/cart.rs", "use super::super::super::{site, theme};", &["`site`"]);
    }

    #[test]
    fn the_edge_meets_the_gateway_where_it_performs() {
        let code = with_header("use crate::gateway::Gateway;");
        check("src/edge/routes/checkout.rs", &code, &["`edge` must not import `gateway`"]);
        check("src/edge/perform/outbox.rs", &code, &[]);
        check("src/edge/routes/webhook.rs", &code, &[]);
    }

    #[test]
    fn the_core_reaches_nowhere() {
        let breach = |code: &str, expected: &[&str]| check("src/commerce/cart.rs", &with_header(code), expected);
        breach("use std::collections::BTreeMap;\nuse serde::Serialize;", &[]);
        breach("use std::time::Duration;", &["`std::time` reaches out"]);
        breach("use tokio::sync::Mutex;", &["not `tokio`"]);
        breach("pub async fn pay() {}", &["`async fn`"]);
        breach("fn price() -> f64 {}", &["a float cannot"]);
        breach("#[cfg(test)]\nmod tests {\n    use proptest::prelude::*;\n}", &[]);
        breach("mod deal;\nuse deal::Deal;", &[]);
    }

    #[test]
    fn files_begin_with_a_header_and_end_before_600_lines() {
        check("src/edge/app.rs", "use std::fmt;\n", &["begin with a `//! Name"]);
        check("src/edge/app.rs", &with_header(&"\n".repeat(598)), &[]);
        check("src/edge/app.rs", &with_header(&"\n".repeat(600)), &["602 lines"]);
        check("src/edge/app.rs", &format!("//! A: b.\n//! Long    it is a table.\n{}", "\n".repeat(600)), &[]);
    }

    #[test]
    fn names_say_what_is_inside() {
        check("src/edge/utils.rs", &with_header(""), &["`utils` says nothing"]);
        check("tests/it/common/mod.rs", &with_header(""), &["`common` says nothing"]);
        check("src/site/render/a/b/c.rs", &with_header(""), &["two folders deep"]);
    }

    #[test]
    fn unwrap_is_for_tests() {
        let code = "fn f() { g().unwrap() }";
        check("src/edge/app.rs", &with_header(code), &["`unwrap` outside tests"]);
        check("src/edge/app.rs", &with_header(&format!("#[cfg(test)]\nmod tests {{\n{code}\n}}")), &[]);
        check("src/edge/app/tests.rs", &with_header(code), &[]);
        check("tests/it/cart.rs", &with_header(code), &[]);
        check("src/edge/app.rs", &with_header("// never .unwrap()\nconst A: &str = \".unwrap()\";"), &[]);
    }

    #[test]
    fn tests_do_not_sleep() {
        let code = with_header("fn f() { std::thread::sleep(A); tokio::time::sleep(A).await; }");
        check("tests/it/cart.rs", &code, &["never sleeps"]);
        check("src/edge/server.rs", &code, &[]);
    }

    #[test]
    fn leftovers_and_machine_paths_are_told() {
        check("src/edge/app.rs", &with_header(concat!("// TO", "DO later")), &["do it now"]);
        check("src/edge/app.rs", &with_header(concat!("const A: &str = \"/ho", "me/me/shop\";")), &["exists on one machine"]);
        check("src/edge/app.rs", &with_header("const A: &str = \"/categories/home/lamps\";"), &[]);
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let blank = |text: &str| code_only(text).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(blank("a /* b */ c // d\ne"), "a c e");
        assert_eq!(blank(r#"a("b\"c", d)"#), "a( , d)");
        assert_eq!(blank("a(r#\"b\"c\"#, d)"), "a( , d)");
        assert_eq!(blank("a('\"', '\\'', b)"), "a( , , b)");
        assert_eq!(blank("fn a<'b>(c: &'b str)"), "fn a<'b>(c: &'b str)");
        assert_eq!(code_only("\"ä\nö\"\n").matches('\n').count(), 2);
    }
}
