//! Table: a CSV file of any dialect → rows of cells, each with its line and column.
//!
//! Owns    columns by name or as declared, and which rows are kept; what all CSV exports share and none of their meanings.
//! Always  a wrong row stops that row, not the run.

use std::io::Read;

use super::encoding::{Encoding, declare, refusal};
use super::records::{MAX_CELL_BYTES, MAX_ROW_BYTES, Record, Records};
use super::terms::BulkSource;
use crate::site::problem::{Problem, Problems};

/// A value as it was written, with its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    /// Without the blanks around it; empty where there is no such column.
    pub(super) text: &'a str,
    /// Where it stands.
    pub(super) at: At,
}

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// In a table: line and column of cells, both from 1; column 0 where there is no such column.
    Cell { line: usize, column: usize },
    /// In a text: a byte of it.
    Byte(usize),
}

impl Default for At {
    fn default() -> Self {
        Self::Byte(0)
    }
}

impl<'a> Cell<'a> {
    pub(super) fn is_empty(self) -> bool {
        self.text.is_empty()
    }

    /// Whether it is that word, whatever the case.
    pub(super) fn is(self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it says yes: `1`, `true`, `yes`.
    pub(super) fn is_yes(self) -> bool {
        ["1", "true", "yes"].iter().any(|word| self.is(word))
    }

    /// Whether it says no: `0`, `false`, `no`.
    pub(super) fn is_no(self) -> bool {
        ["0", "false", "no"].iter().any(|word| self.is(word))
    }

    /// A part of it, at the same place.
    pub(super) fn part(self, text: &'a str) -> Self {
        Self { text: trimmed(text), ..self }
    }

    /// Its parts between separators, without empty ones.
    pub(super) fn split(self, separator: &'a str) -> impl Iterator<Item = Self> {
        self.text.split(separator).map(move |part| self.part(part)).filter(|part| !part.is_empty())
    }

    /// This one, or another where it is empty.
    pub(super) fn or(self, other: Self) -> Self {
        if self.is_empty() { other } else { self }
    }
}

/// Blanks of any kind and marks without width do not belong to a value.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|sign: char| sign.is_whitespace() || matches!(sign, '\u{200b}' | '\u{feff}'))
}

/// One column of a table, or none of that name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Column(Option<usize>);

impl Column {
    pub(super) fn is_there(self) -> bool {
        self.0.is_some()
    }
}

/// A file's header and rows.
#[derive(Debug)]
pub(super) struct Table {
    header: Vec<Box<str>>,
    /// Whether the names come from the source's settings, and the first row is one like the others.
    is_declared: bool,
    taken: Vec<bool>,
    cells: String,
    ends: Vec<usize>,
    lines: Vec<usize>,
}

/// One row of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    table: &'a Table,
    index: usize,
}

impl<'a> Row<'a> {
    pub(super) fn line(self) -> usize {
        self.table.lines[self.index]
    }

    // Whether it says the names of the columns once more.
    fn is_header(self) -> bool {
        let says_name = |(index, name): (usize, &str)| plain(self.cell(Column(Some(index))).text) == plain(name);
        self.table.header().enumerate().all(says_name)
    }

    pub(super) fn cell(self, column: Column) -> Cell<'a> {
        let line = self.line();
        let Some(column) = column.0 else { return Cell { text: "", at: At::Cell { line, column: 0 } } };
        let cell = self.index * self.table.header.len() + column;
        let start = if cell == 0 { 0 } else { self.table.ends[cell - 1] };
        let text = trimmed(&self.table.cells[start..self.table.ends[cell]]);
        Cell { text, at: At::Cell { line, column: column + 1 } }
    }
}

/// A header's letters and digits, lower case: exports differ in case, blanks and signs.
fn plain(header: &str) -> String {
    header.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl Table {
    /// Reads a table of UTF-8. `None` where it has no header that can be read; the problems say why.
    pub(super) fn read(input: impl Read, source: &BulkSource, problems: &mut Problems) -> Option<Self> {
        let (name, encoding) = (source.name.as_str(), source.encoding);
        let mut records = match Records::open(input, source.delimiter) {
            Ok(records) => records,
            Err(error) => {
                problems.push(Problem::about(name, format!("this file cannot be read: {error}")));
                return None;
            }
        };
        if records.is_utf_16() {
            let problem = Problem::about(name, "this file is written in UTF-16").on_line(1, 0, "");
            problems.push(problem.hint(declare("utf-16")));
            return None;
        }
        let header: Vec<Box<str>> = source.columns.iter().flatten().map(|column| trimmed(column).into()).collect();
        let mut table = Self {
            is_declared: source.columns.is_some(),
            taken: vec![false; header.len()],
            header,
            cells: String::new(),
            ends: Vec::new(),
            lines: Vec::new(),
        };
        loop {
            match records.next() {
                Ok(Some(record)) => {
                    let result = match table.header.is_empty() {
                        true => table.begin(&record, encoding),
                        false => table.push(&record, encoding),
                    };
                    if let Err(fault) = result {
                        let ends_reading = fault.ends_reading || table.header.is_empty();
                        problems.push(fault.problem(name, record.line));
                        if ends_reading {
                            break;
                        }
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    problems.push(Problem::about(name, format!("this file cannot be read: {error}")));
                    break;
                }
            }
        }
        if table.header.is_empty() {
            if !problems.all().iter().any(|problem| problem.file == name) {
                problems.push(Problem::about(name, "this file is empty").hint("it has to begin with the names of its columns"));
            }
            return None;
        }
        if let Some(first) = table.rows().next().filter(|row| table.is_declared && row.is_header()) {
            let problem = Problem::about(name, "`columns` is written for this file, and it begins with the same names");
            problems.push(problem.on_line(first.line(), 0, "").hint("take `columns` out: the file has a header"));
            return None;
        }
        Some(table)
    }

    /// The column of one of these names, given as `plain` writes them: the first name that is there counts.
    pub(super) fn column(&mut self, names: &[&str]) -> Column {
        let found = names.iter().find_map(|name| self.header.iter().position(|header| plain(header) == *name));
        self.take(found)
    }

    /// The first column whose name, trimmed, fits.
    pub(super) fn column_where(&mut self, fits: impl Fn(&str) -> bool) -> Column {
        let found = self.header.iter().position(|header| fits(header));
        self.take(found)
    }

    fn take(&mut self, found: Option<usize>) -> Column {
        if let Some(index) = found {
            self.taken[index] = true;
        }
        Column(found)
    }

    /// The names of all columns.
    pub(super) fn header(&self) -> impl Iterator<Item = &str> {
        self.header.iter().map(|name| &**name)
    }

    /// The names of the columns that nobody asked for so far.
    pub(super) fn not_taken(&self) -> impl Iterator<Item = &str> {
        self.header().zip(&self.taken).filter(|(_, is_taken)| !**is_taken).map(|(header, _)| header)
    }

    /// Columns that nobody asked for and that are not empty throughout.
    pub(super) fn left_out(&self) -> Vec<String> {
        let says_something = |column: usize| self.rows().any(|row| !row.cell(Column(Some(column))).is_empty());
        let left = (0..self.header.len()).filter(|index| !self.taken[*index] && says_something(*index));
        left.map(|index| self.header[index].to_string()).collect()
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.lines.len()).map(|index| Row { table: self, index })
    }

    /// Whether all these columns are there; a problem that names those which are not.
    pub(super) fn has(&self, columns: &[(Column, &str)], name: &str, hint: &str, problems: &mut Problems) -> bool {
        let missing: Vec<&str> = columns.iter().filter(|(column, _)| !column.is_there()).map(|(_, title)| *title).collect();
        if !missing.is_empty() {
            let written: Vec<&str> = self.header().filter(|title| !title.is_empty()).take(8).collect();
            // A first row that names none of them may be no header at all.
            let names_none = missing.len() == columns.len();
            let (written, missing) = (written.join(", "), missing.join(" and "));
            problems.push(if self.is_declared {
                let problem = Problem::about(name, format!("the declared `columns` have no {missing}: they are {written}"));
                problem.hint("name the columns as that shop's export names them, in the order of the file")
            } else {
                let problem = Problem::about(name, format!("the header has no column {missing}")).on_line(1, 0, &written);
                let declare =
                    "; a file without a header is read by `columns = [\"…\"]` under its [[sources]] (`--columns` for an import)";
                problem.hint(format!("{hint}{}", if names_none { declare } else { "" }))
            });
        }
        missing.is_empty()
    }

    fn begin(&mut self, record: &Record<'_>, encoding: Option<Encoding>) -> Result<(), Fault> {
        let text = record.text(encoding)?;
        let mut start = 0;
        for end in record.ends {
            self.header.push(trimmed(&text[start..*end]).into());
            start = *end;
        }
        self.taken = vec![false; self.header.len()];
        Ok(())
    }

    fn push(&mut self, record: &Record<'_>, encoding: Option<Encoding>) -> Result<(), Fault> {
        let text = record.text(encoding)?;
        if text.bytes().all(|byte| byte.is_ascii_whitespace()) {
            return Ok(());
        }
        if record.ends.len() != self.header.len() {
            let names = if self.is_declared { "`columns` names" } else { "the header has" };
            let message = format!("this row has {} columns, {names} {}; it is left out", record.ends.len(), self.header.len());
            let first = trimmed(&text[..record.ends.first().copied().unwrap_or(0)]);
            return Err(Fault::of_row(message, first));
        }
        let base = self.cells.len();
        self.cells.push_str(text);
        self.ends.extend(record.ends.iter().map(|end| base + end));
        self.lines.push(record.line);
        Ok(())
    }
}

/// Why a row is not kept.
struct Fault {
    message: String,
    hint: String,
    column: usize,
    text: String,
    is_left_out: bool,
    ends_reading: bool,
}

impl Fault {
    fn of_row(message: String, text: &str) -> Self {
        let hint = "look for a comma or a quote that is not inside quotes".to_owned();
        Self { message, hint, column: 0, text: text.to_owned(), is_left_out: true, ends_reading: false }
    }

    fn problem(self, name: &str, line: usize) -> Problem {
        let problem = Problem::about(name, self.message).on_line(line, self.column, &self.text).hint(self.hint);
        if self.is_left_out { problem.left_out() } else { problem }
    }
}

impl Record<'_> {
    fn text(&self, encoding: Option<Encoding>) -> Result<&str, Fault> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let longest = starts.zip(self.ends).position(|(start, end)| end - start > MAX_CELL_BYTES).map(|index| index + 1);
        if let Some(column) = self.too_large.or(longest) {
            let start = &self.bytes[..self.bytes.len().min(40)];
            return Err(Fault {
                message: format!("this cell has more than {MAX_CELL_BYTES} bytes, or its row more than {MAX_ROW_BYTES}"),
                hint: "look for a quote that is never closed".to_owned(),
                column,
                text: String::from_utf8_lossy(start).into_owned(),
                is_left_out: false,
                ends_reading: false,
            });
        }
        // Two halves of a letter in two cells would be whole only together.
        let mut start = 0;
        for (index, end) in self.ends.iter().enumerate() {
            let cell = &self.bytes[start..*end];
            let wrong = std::str::from_utf8(cell).map_err(|error| error.valid_up_to()).err();
            if let Some(at) = wrong.or_else(|| cell.iter().position(|byte| *byte == 0)) {
                let (message, hint) = refusal(cell[at], encoding);
                return Err(Fault {
                    message,
                    hint,
                    column: index + 1,
                    text: String::from_utf8_lossy(&self.bytes[start..*end]).into_owned(),
                    is_left_out: false,
                    // The whole file is written so: once is enough.
                    ends_reading: true,
                });
            }
            start = *end;
        }
        Ok(std::str::from_utf8(&self.bytes[..start]).expect("every cell was looked at"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::super::encoding::Decoded;
    use super::super::records::MAX_COLUMNS;
    use super::super::terms::BulkFormat;
    use super::*;

    fn read(text: impl AsRef<[u8]>) -> (Vec<Vec<String>>, Vec<usize>, Problems) {
        read_as(&BulkSource::new(BulkFormat::Shopify, "x.csv", PathBuf::new()), text)
    }

    fn read_as(source: &BulkSource, text: impl AsRef<[u8]>) -> (Vec<Vec<String>>, Vec<usize>, Problems) {
        let mut problems = Problems::new();
        let input = Decoded::new(text.as_ref(), source.encoding);
        let Some(table) = Table::read(input, source, &mut problems) else { return (Vec::new(), Vec::new(), problems) };
        let cells = |row: Row<'_>| (0..table.header.len()).map(|index| row.cell(Column(Some(index))).text.to_owned()).collect();
        (table.rows().map(cells).collect(), table.lines.clone(), problems)
    }

    #[track_caller]
    fn check(text: &str, expected: &[&[&str]], lines: &[usize]) {
        let (rows, found, problems) = read(text);
        assert_eq!(rows, expected, "{}", problems.render(false));
        assert_eq!(found, lines);
    }

    #[test]
    fn every_dialect_gives_the_same_rows() {
        let expected: &[&[&str]] = &[&["1", "x, \"y\"\nz"], &["2", ""]];
        for text in [
            "a,b\n1,\"x, \"\"y\"\"\nz\"\n2,\n",
            "\u{feff}a,b\r\n1,\"x, \"\"y\"\"\nz\"\r\n2,\r\n",
            "a;b\n1;\"x, \"\"y\"\"\nz\"\n2;",
            "a\tb\n1\t\"x, \"\"y\"\"\nz\"\n2\t\n",
            "a  ,b  \n1  , \"x, \"\"y\"\"\nz\"  \n 2 ,  \n",
        ] {
            check(text, expected, &[2, 4]);
        }
        check("a,b\n\n1,2\n  ,  \r\n\r\n\r\n3,4\n", &[&["1", "2"], &["3", "4"]], &[3, 7]);
        check("a,b\n1,\u{a0}x\u{200b}\n", &[&["1", "x"]], &[2]);
    }

    #[test]
    fn a_row_of_another_width_stops_only_itself() {
        let (rows, lines, problems) = read("a,b\n1,2\n3\n4,5,6\n7,8\n");
        assert_eq!((rows.len(), lines), (2, vec![2, 5]));
        let told: Vec<(usize, &str)> = problems.all().iter().map(|problem| (problem.line, problem.message.as_str())).collect();
        assert_eq!(
            told,
            [
                (3, "this row has 1 columns, the header has 2; it is left out"),
                (4, "this row has 3 columns, the header has 2; it is left out")
            ]
        );
        assert!(problems.all().iter().all(|problem| problem.left_out) && !problems.has_errors());
    }

    #[test]
    fn other_encodings_are_told_with_line_and_column() {
        let (_, _, problems) = read(b"a,b\n1,2\n3,caf\xe9\n4,caf\xe9\n");
        let told = &problems.all()[0];
        assert_eq!((problems.errors(), told.line, told.column), (1, 3, 2), "once is enough: {told:?}");
        assert!(told.message.contains("0xE9"));
        let (_, _, problems) = read(b"a,b\n\xc3,\xa9\n");
        assert_eq!((problems.all()[0].line, problems.all()[0].column), (2, 1), "halves of a letter are no letter");
        let (_, _, problems) = read(b"a,b\n1,x\0y\n");
        assert_eq!((problems.all()[0].line, problems.all()[0].column), (2, 2));
        assert!(problems.all()[0].message.contains("0x00"));
        let (_, _, problems) = read(b"\xff\xfea\0,\0b\0");
        assert!(problems.all()[0].message.contains("UTF-16"));
        assert!(problems.all()[0].hint.as_deref().is_some_and(|hint| hint.contains("`encoding = \"utf-16\"`")));
        let (_, _, problems) = read("");
        assert!(problems.all()[0].message.contains("empty"));
    }

    #[test]
    fn a_declared_encoding_is_read_and_what_is_not_in_it_is_told_with_line_and_column() {
        let source = BulkSource {
            encoding: Encoding::named("windows-1252").ok(),
            ..BulkSource::new(BulkFormat::Shopify, "x.csv", PathBuf::new())
        };
        let (rows, lines, problems) = read_as(&source, b"a,b\n1,caf\xe9\n2,\x80\n");
        assert_eq!((rows, lines), (vec![vec!["1".to_owned(), "café".into()], vec!["2".into(), "€".into()]], vec![2, 3]));
        assert!(problems.all().is_empty());
        let (_, _, problems) = read_as(&source, b"a,b\n1,caf\xe9\n2,\"x\ny\x81\"\n3,\x81\n");
        let told = &problems.all()[0];
        assert_eq!((problems.errors(), told.line, told.column), (1, 3, 2), "{told:?}");
        assert_eq!(told.message, "the byte 0x81 is not windows-1252");
    }

    #[test]
    fn a_declared_delimiter_and_declared_columns_are_taken() {
        let usual = BulkSource::new(BulkFormat::Shopify, "x.csv", PathBuf::new());
        let source = BulkSource { delimiter: Some(b';'), ..usual.clone() };
        let (rows, _, _) = read_as(&source, "a,b,c;d\n1,2,3;4\n");
        assert_eq!(rows, [["1,2,3", "4"]], "though commas are more frequent");
        let source = BulkSource { columns: Some(vec!["A".to_owned(), "b ".to_owned()]), ..usual };
        let (rows, lines, problems) = read_as(&source, "\n1,2\n3\n4,5\n");
        assert_eq!((rows.len(), lines), (2, vec![2, 4]));
        assert_eq!(problems.all()[0].message, "this row has 1 columns, `columns` names 2; it is left out");
        let (rows, _, problems) = read_as(&source, "a,B\n1,2\n");
        assert!(rows.is_empty() && problems.has_errors() && problems.all()[0].line == 1, "{}", problems.render(false));
    }

    #[test]
    fn what_is_too_large_is_refused_with_its_row_and_the_rest_is_read() {
        let long = "x".repeat(MAX_CELL_BYTES + 1);
        let (rows, _, problems) = read(format!("a,b\n1,2\n3,{long}\n5,6\n"));
        assert_eq!(rows, [["1", "2"], ["5", "6"]]);
        let told = &problems.all()[0];
        assert_eq!((problems.errors(), told.line, told.column), (1, 3, 2));
        let (rows, _, _) = read(format!("a,b\n1,{}\n", "x".repeat(MAX_CELL_BYTES)));
        assert_eq!(rows.len(), 1, "the limit itself is allowed");
        let (rows, _, problems) = read(format!("a,b\n1{}\n2,3\n", ",".repeat(3 * MAX_COLUMNS)));
        assert_eq!((rows.len(), problems.errors(), problems.all()[0].line), (1, 1, 2));
    }

    proptest! {
        #[test]
        fn what_is_written_by_rule_reads_back(rows in prop::collection::vec(("\\PC{0,8}", "[a-z\",;\n\r ]{0,8}"), 0..8)) {
            let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
            let body: String = rows.iter().map(|(one, other)| format!("{},{}\n", quoted(one), quoted(other))).collect();
            let (read, _, problems) = read(format!("a,b\n{body}"));
            let kept = rows.iter().filter(|(one, other)| !format!("{one}{other}").bytes().all(|byte| byte.is_ascii_whitespace()));
            let expected: Vec<Vec<String>> =
                kept.map(|(one, other)| vec![trimmed(one).to_owned(), trimmed(other).to_owned()]).collect();
            prop_assert!(problems.all().is_empty());
            prop_assert_eq!(read, expected);
        }
    }
}
