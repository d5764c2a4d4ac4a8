//! Front matter: TOML between two lines `+++`, then the text.

use serde::de::DeserializeOwned;

use super::plain;
use super::written::{Place, parse_known};
use crate::site::problem::{Problem, Problems, SourceFile};

const FENCE: &str = "+++";

/// A file cut in two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut<'a> {
    pub(super) toml: &'a str,
    /// Byte at which the TOML begins.
    pub(super) offset: usize,
    pub(super) body: &'a str,
}

/// Cuts a file; a problem where the fences are missing.
pub(super) fn cut(file: &SourceFile) -> Result<Cut<'_>, Problem> {
    let text = &file.text;
    let first_end = text.find('\n').map_or(text.len(), |index| index + 1);
    if text[..first_end].trim_end() != FENCE {
        let problem = Problem::at(file, 0..first_end.min(1), "this file does not begin with its front matter");
        return Err(problem.hint("begin with a line `+++`, then `title = \"…\"`, then a line `+++`, then the text"));
    }
    let mut start = first_end;
    for line in text[first_end..].split_inclusive('\n') {
        if line.trim_end() == FENCE {
            return Ok(Cut { toml: &text[first_end..start], offset: first_end, body: &text[start + line.len()..] });
        }
        start += line.len();
    }
    Err(Problem::at(file, 0..FENCE.len(), "the front matter does not end").hint("close it with a line `+++`"))
}

/// Front matter as typed values, with the text that follows it.
pub(super) fn read<'a, T: DeserializeOwned>(file: &'a SourceFile, problems: &mut Problems) -> Option<(T, &'a str, Place<'a>)> {
    let cut = cut(file).map_err(|problem| problems.push(problem)).ok()?;
    let mut found = Vec::new();
    let values = plain::parse(cut.toml).or_else(|| parse_known(file, cut.toml, cut.offset, &mut found));
    found.into_iter().for_each(|problem| problems.push(problem));
    Some((values?, cut.body, Place { file, offset: cut.offset }))
}

/// A problem in the text that follows the front matter of a file; `None` where the file holds another text by now, or has no front matter.
pub(super) fn in_body(file: &SourceFile, body: &str, tell: impl Fn(usize) -> Problem) -> Option<Problem> {
    let cut = cut(file).ok().filter(|cut| cut.body == body)?;
    Some(tell(file.text.len() - cut.body.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_is_cut_at_its_fences() {
        let file = SourceFile::new("a.md", "+++\r\ntitle = \"x\"\r\n+++\r\nText\n+++\nmore");
        let cut = cut(&file).expect("it has both fences");
        assert_eq!((cut.toml, cut.offset, cut.body), ("title = \"x\"\r\n", 5, "Text\n+++\nmore"));
    }

    #[test]
    fn missing_fences_are_told() {
        for (text, expected) in [("title", "does not begin"), ("", "does not begin"), ("+++\na = 1\n", "does not end")] {
            let file = SourceFile::new("a.md", text);
            assert!(cut(&file).expect_err("a fence is missing").message.contains(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_values_or_a_problem(text in "(\\+\\+\\+\n)?\\PC*(\n\\+\\+\\+\n)?\\PC*") {
            let file = SourceFile::new("a.md", &text);
            let mut problems = Problems::new();
            let read: Option<(toml::Table, &str, Place<'_>)> = read(&file, &mut problems);
            prop_assert_eq!(read.is_some(), problems.all().is_empty());
            let _ = problems.render(false);
        }
    }
}
