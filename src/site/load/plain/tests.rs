//! Tests: what is read is held against the library.

use proptest::prelude::*;
use toml::de::{DeTable, DeValue};

use super::*;

fn read(text: &str) -> Option<Table<'_>> {
    Reader { text, bytes: text.as_bytes(), at: 0 }.document()
}

/// What the library reads, at its places.
fn same(ours: &Item<'_>, theirs: &DeValue<'_>, span: Range<usize>) -> Result<(), String> {
    let different = || Err(format!("{ours:?} is not {theirs:?} at {span:?}"));
    match (&ours.value, theirs) {
        (Value::Text(text), DeValue::String(expected)) if text == expected => {}
        (Value::Whole(number), DeValue::Integer(expected)) if number.to_string() == expected.as_str() => {}
        (Value::Truth(truth), DeValue::Boolean(expected)) if truth == expected => {}
        (Value::List(list), DeValue::Array(expected)) if list.len() == expected.len() => {
            for (one, other) in list.iter().zip(expected.iter()) {
                same(one, other.get_ref(), other.span())?;
            }
        }
        (Value::Table(table), DeValue::Table(expected)) => same_table(table, expected)?,
        _ => return different(),
    }
    if ours.span() == span { Ok(()) } else { different() }
}

fn same_table(table: &Table<'_>, expected: &DeTable<'_>) -> Result<(), String> {
    if table.len() != expected.len() {
        return Err(format!("{table:?} is not {expected:?}"));
    }
    for (key, value) in expected.iter() {
        let place = place(table, key.get_ref()).ok_or_else(|| format!("{key:?} is missing in {table:?}"))?;
        same(&table[place].1, value.get_ref(), value.span())?;
    }
    Ok(())
}

/// Where we read something, the library reads the same. Says whether we do.
fn check(text: &str) -> Result<bool, String> {
    let Some(ours) = read(text) else { return Ok(false) };
    let theirs = DeTable::parse(text).map_err(|error| format!("{ours:?} out of {text:?}: {error}"))?;
    same_table(&ours, theirs.get_ref()).map(|()| true)
}

#[track_caller]
fn is_plain(text: &str) {
    assert_eq!(check(text), Ok(true), "{text}");
}

#[track_caller]
fn is_left(text: &str) {
    assert_eq!(check(text), Ok(false), "{text}");
}

#[test]
fn what_content_is_made_of_is_plain() {
    is_plain("");
    is_plain("title = \"Größe\"\nbrand='x'\n");
    is_plain("  a = 1 # why\n\n# a line\nb =\t-20\r\nc=0\nd = true\ne=false");
    is_plain("a = [\"x\", 'y', 3, [true], { k = \"v\", n = -1 }, {}]\nb = []\nc = [\n  1,\n  2,\n]\n");
    is_plain(
        "title = \"x\"\n[[variants]]\nsku = \"A-1\"\nprices = { USD = \"1\" }\n\n[[variants]]\n[seo]\ntitle = \"t\"\n[[variants]]\nsku = \"B\"\n",
    );
    is_plain("empty = \"\"\nalso = ''\ntab = \"a\tb\"");
}

#[test]
fn the_rest_is_the_librarys() {
    for more in [
        "a.b = 1",
        "\"a\" = 1",
        "a = \"x\\n\"",
        "a = \"\"\"x\"\"\"",
        "a = '''x'''",
        "a = 1.5",
        "a = 1e3",
        "a = +1",
        "a = 1_000",
        "a = 0x1f",
        "a = inf",
        "a = 2026-01-01",
        "[a.b]",
        "[ a ]",
        "a = [ # why\n1]",
        "a = {\nb = 1 }",
        "a = { b = 1, }",
    ] {
        assert!(DeTable::parse(more).is_ok(), "{more}");
        is_left(more);
    }
}

#[test]
fn mistakes_are_the_librarys() {
    for wrong in [
        "a",
        "a = ",
        "a = x",
        "a = truely",
        "a = 1 2",
        "a = 07",
        "a = -",
        "a = \"x",
        "a = \"x\u{1}\"",
        "# \u{7f}",
        "a = 1\na = 2",
        "a = { b = 1, b = 2 }",
        "[a]\n[a]",
        "a = 1\n[a]",
        "a = []\n[[a]]",
        "[a]\n[[a]]",
        "[[a]]\n[a]",
        "[a]]",
        "[[a]",
        "[a] b = 1",
        "[]",
        "a = [1 2]",
        "a = [,]",
        "a = {,}",
        "a = 99999999999999999999",
        "a = 1\rb = 2",
        "\u{feff}a = 1\n\r",
    ] {
        is_left(wrong);
        let library: Result<toml::Table, _> = toml::from_str(wrong);
        assert!(library.is_err(), "{wrong}");
    }
}

#[test]
fn depth_and_keys_are_bounded() {
    let nested = |depth: usize| format!("a = {}{}", "[".repeat(depth), "]".repeat(depth));
    is_plain(&nested(MAX_DEPTH));
    is_left(&nested(MAX_DEPTH + 1));
    let keys = |count: usize| (0..count).map(|key| format!("k{key} = 1\n")).collect::<String>();
    is_plain(&keys(MAX_KEYS));
    is_left(&keys(MAX_KEYS + 1));
}

#[test]
fn values_are_read_with_their_places() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        title: toml::Spanned<String>,
        stock: Option<u32>,
        #[serde(default)]
        list: Vec<toml::Spanned<Inner>>,
        more: Option<toml::Table>,
    }
    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Inner {
        OutOf,
    }
    let text = "title = \"x\"\nstock = 3\nlist = [\"out_of\"]\n[more]\na = { b = [1, true] }\n";
    let expected: Written = toml::from_str(text).expect("it is right");
    assert_eq!(parse::<Written>(text), Some(expected));
    for wrong in ["title = 1", "title = \"x\"\nstock = -1", "title = \"x\"\nother = 1", "title = \"x\"\nlist = [\"in\"]"] {
        assert_eq!(parse::<Written>(wrong), None, "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_read_is_what_the_library_reads(text in "([a-c]|=| |\\n|\\r\\n|\"|'|\\[|\\]|\\{|\\}|,|#|-|[0-3]|true|\\.|\\\\|\\t|ö|\\[\\[a\\]\\]\\n|a = 1\\n|b = \"x\"\\n){0,24}") {
        prop_assert!(check(&text).is_ok(), "{:?}", check(&text));
    }
}
