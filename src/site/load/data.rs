//! Data: the files of content/data, as `data(path="…")` gives them to templates.
//!
//! Owns    which files are there, and their values. TOML and JSON are as they are written; of a CSV each row is a table of texts, named
//!         by the first row.
//! Limits  a file of MAX_DATA_BYTES, MAX_ALL_BYTES together: their values are held while pages are printed.
//! Always  nothing outside of content/data can be read: a path is looked up among the files that were found there, and a link that
//!         leads out is an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tera::Value;
use walkdir::WalkDir;

use super::{shown_path, source_file};
use crate::site::problem::{Problem, Problems, SourceFile, nearest};

/// Where they lie.
const FOLDER: &str = "content/data";
/// A table that pages show is far smaller; what is larger is a catalogue, and those are read as `[[sources]]`.
const MAX_DATA_BYTES: u64 = 4 * 1024 * 1024;
/// Values take several times the bytes of their files.
const MAX_ALL_BYTES: u64 = 32 * 1024 * 1024;

/// The files of content/data, by their path there.
#[derive(Debug, Default)]
pub struct DataFiles(BTreeMap<String, DataFile>);

#[derive(Debug)]
struct DataFile {
    hash: blake3::Hash,
    value: Value,
}

impl DataFiles {
    /// The value of a file.
    ///
    /// Errors: there is no such file; says which is meant.
    pub fn get(&self, path: &str) -> Result<&Value, String> {
        self.0.get(path).map(|file| &file.value).ok_or_else(|| self.missing(path))
    }

    /// Hash of a file's bytes; `None` where there is none.
    pub fn hash(&self, path: &str) -> Option<&[u8; 32]> {
        self.0.get(path).map(|file| file.hash.as_bytes())
    }

    fn missing(&self, path: &str) -> String {
        let plain = path.trim_start_matches("./").trim_start_matches('/');
        let plain = plain.strip_prefix(FOLDER).map_or(plain, |below| below.trim_start_matches('/'));
        let meant = self.0.contains_key(plain).then_some(plain).or_else(|| nearest(plain, self.0.keys().map(String::as_str)));
        let hint = match meant {
            _ if path.split('/').any(|part| part == "..") => "; a path begins in content/data and stays there".to_owned(),
            Some(meant) => format!("; did you mean `{meant}`?"),
            None if kind(Path::new(path)).is_none() => "; data files end with .toml, .json or .csv".to_owned(),
            None if self.0.is_empty() => "; the folder holds no data files".to_owned(),
            None => format!("; there are {}", self.0.keys().map(String::as_str).take(5).collect::<Vec<_>>().join(", ")),
        };
        format!("there is no file `{path}` in content/data{hint}")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Toml,
    Json,
    Csv,
}

fn kind(path: &Path) -> Option<Kind> {
    match path.extension()?.to_str()? {
        "toml" => Some(Kind::Toml),
        "json" => Some(Kind::Json),
        "csv" => Some(Kind::Csv),
        _ => None,
    }
}

pub(super) fn read(root: &Path, problems: &mut Problems) -> DataFiles {
    let mut files = Vec::new();
    let mut all_bytes = 0;
    for (path, bytes) in found(root, problems) {
        let name = shown_path(root, &path);
        all_bytes += bytes;
        if bytes > MAX_DATA_BYTES {
            let problem = Problem::about(&name, format!("this data file has {bytes} bytes, more than {MAX_DATA_BYTES}"));
            problems.push(problem.hint("cut it into several files, or read a catalogue as [[sources]]"));
        } else {
            files.push((name, path));
        }
    }
    if all_bytes > MAX_ALL_BYTES {
        let message = format!("the data files have {all_bytes} bytes together, more than {MAX_ALL_BYTES}");
        problems.push(Problem::about(FOLDER, message).hint("take out what no page shows"));
        return DataFiles::default();
    }
    let read = |(name, path): (String, PathBuf)| -> (Option<(String, DataFile)>, Problems) {
        let (file, mut problems) = source_file(&name, &path);
        let value = file.and_then(|file| {
            let value = value(&file, kind(&path)?).map_err(|problem| problems.push(problem)).ok()?;
            Some(DataFile { hash: blake3::hash(file.text.as_bytes()), value })
        });
        let below = name.strip_prefix(FOLDER).map_or(name.as_str(), |below| below.trim_start_matches('/'));
        (value.map(|file| (below.to_owned(), file)), problems)
    };
    let mut data = DataFiles::default();
    for (file, told) in files.into_par_iter().map(read).collect::<Vec<_>>() {
        data.0.extend(file);
        problems.extend(told);
    }
    data
}

// Files with a known ending and their sizes, sorted.
fn found(root: &Path, problems: &mut Problems) -> Vec<(PathBuf, u64)> {
    let start = root.join(FOLDER);
    // Most shops have none.
    let Ok(own) = start.canonicalize() else { return Vec::new() };
    let mut files = Vec::new();
    for entry in listed!(WalkDir::new(&start).follow_links(true)).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.path_is_symlink() && !leads_into(&own, entry.path()) => {
                let problem = Problem::about(&shown_path(root, entry.path()), "this link leads out of content/data");
                problems.push(problem.hint("put the file itself here"));
            }
            Ok(entry) if entry.file_type().is_file() && kind(entry.path()).is_some() => {
                // A link to a folder has brought us here.
                if leads_into(&own, entry.path()) {
                    let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
                    files.push((entry.into_path(), bytes));
                }
            }
            Ok(_) => {}
            Err(error) => problems.push(Problem::about(FOLDER, error.to_string())),
        }
    }
    files
}

fn leads_into(own: &Path, path: &Path) -> bool {
    path.canonicalize().is_ok_and(|path| path.starts_with(own))
}

fn value(file: &SourceFile, kind: Kind) -> Result<Value, Problem> {
    match kind {
        Kind::Toml => super::written::parse(file, &file.text, 0).map(of_toml),
        Kind::Json => {
            let json = serde_json::from_str::<serde_json::Value>(&file.text);
            json.map(|json| Value::from_serializable(&json)).map_err(|error| json_problem(file, &error))
        }
        Kind::Csv => of_csv(file),
    }
}

// A date is a text; `date` prints it.
fn of_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(is_so) => Value::from(is_so),
        toml::Value::Datetime(date) => Value::from(date.to_string()),
        toml::Value::Array(values) => Value::from(values.into_iter().map(of_toml).collect::<Vec<Value>>()),
        toml::Value::Table(table) => {
            table.into_iter().map(|(name, value)| (name, of_toml(value))).collect::<BTreeMap<_, _>>().into()
        }
    }
}

fn json_problem(file: &SourceFile, error: &serde_json::Error) -> Problem {
    let before: usize = file.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = (before + error.column().saturating_sub(1)).min(file.text.len());
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    Problem::at(file, at..(at + 1).min(file.text.len()), format!("this is no JSON: {message}"))
}

fn of_csv(file: &SourceFile) -> Result<Value, Problem> {
    let first = file.text.lines().next().unwrap_or("");
    let is_semicolon = first.contains(';') && !first.contains(',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(if is_semicolon { b';' } else { b',' })
        .trim(csv::Trim::All)
        .from_reader(file.text.as_bytes());
    let names = reader.headers().map_err(|error| csv_problem(file, &error))?.clone();
    for (index, name) in names.iter().enumerate() {
        let is_twice = names.iter().take(index).any(|other| other == name);
        if name.is_empty() || is_twice {
            let message =
                if is_twice { format!("two columns are called `{name}`") } else { format!("column {} has no name", index + 1) };
            return Err(Problem::at(file, 0..first.len(), message).hint("give every column in the first row a name of its own"));
        }
    }
    let mut rows: Vec<Value> = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| csv_problem(file, &error))?;
        let cells = names.iter().zip(&row).map(|(name, cell)| (name.to_owned().into(), Value::from(cell)));
        rows.push(Value::from(cells.collect::<Row>()));
    }
    Ok(Value::from(rows))
}

/// Cells in the order of their columns.
type Row = tera::Map;

fn csv_problem(file: &SourceFile, error: &csv::Error) -> Problem {
    let line = error.position().map_or(0, csv::Position::line);
    let start = error.position().map_or(0, |position| position.byte() as usize).min(file.text.len());
    let row = file.text[file.text.floor_char_boundary(start)..].lines().next().unwrap_or("").len();
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let message = format!("row {line} has {len} cells, the first row names {expected_len} columns");
            Problem::at(file, start..start + row, message).hint("quote cells that hold commas, and leave none out")
        }
        _ => Problem::at(file, start..start + row, format!("this is no CSV: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, text: &str, expected: &str) {
        let found = match value(&SourceFile::new("content/data/x", text), kind) {
            Ok(value) => serde_json::to_string(&value).expect("plain data"),
            Err(problem) => format!("{}:{}: {} [{}]", problem.line, problem.column, problem.message, problem.text),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn each_format_becomes_values() {
        check(
            Kind::Toml,
            "a = 1\nb = [true, \"x\", 1.5]\n[c]\nday = 2026-12-24\n",
            r#"{"a":1,"b":[true,"x",1.5],"c":{"day":"2026-12-24"}}"#,
        );
        check(Kind::Json, r#"{"z": 1, "a": [null, {"b": "c"}]}"#, r#"{"z":1,"a":[null,{"b":"c"}]}"#);
        check(Kind::Csv, "Size,Chest\nS, 88\n\"M, L\",92\n", r#"[{"Size":"S","Chest":"88"},{"Size":"M, L","Chest":"92"}]"#);
        check(Kind::Csv, "a;b\n1,5;2\n", r#"[{"a":"1,5","b":"2"}]"#);
        check(Kind::Csv, "", "[]");
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place() {
        check(Kind::Toml, "a = 1\nb = \n", "2:5: string values must be quoted, expected literal string []");
        check(Kind::Json, "{\n  \"a\": 1,\n}", "3:1: this is no JSON: trailing comma [}]");
        check(Kind::Json, "", "1:1: this is no JSON: EOF while parsing a value []");
        check(Kind::Csv, "a,b\n1,2\n3\n", "3:1: row 3 has 1 cells, the first row names 2 columns [3]");
        check(Kind::Csv, "a,a\n", "1:1: two columns are called `a` [a,a]");
        check(Kind::Csv, "a,\n", "1:1: column 2 has no name [a,]");
    }

    #[test]
    fn a_file_that_is_not_there_is_told_with_what_is_meant() {
        let file = || DataFile { hash: blake3::hash(b""), value: Value::none() };
        let data = DataFiles(BTreeMap::from([("sizes.toml".to_owned(), file()), ("more/care.csv".to_owned(), file())]));
        for (path, expected) in [
            ("size.toml", "did you mean `sizes.toml`?"),
            ("content/data/more/care.csv", "did you mean `more/care.csv`?"),
            ("../site.toml", "stays there"),
            ("sizes.yaml", "did you mean `sizes.toml`?"),
            ("notes.txt", "end with .toml, .json or .csv"),
            ("opening-hours.json", "there are more/care.csv, sizes.toml"),
        ] {
            let told = data.get(path).expect_err("there is none");
            assert!(told.contains(expected) && told.contains(path), "{told}");
        }
    }
}
