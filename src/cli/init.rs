//! `vitrine init`: a sellable starter shop out of the binary.
//!
//! Owns    what a new shop's folder holds: site.toml, content and pictures. Templates are not written; they are built in, and a file of
//!         the same name under templates/ replaces one.
//! Always  in one language and for one market, of which this repository's own shop has two: whoever replaces its products would have to
//!         replace their translations as well.
//!         Writes into a new or an empty folder only, so that nothing of anybody's is lost.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::CommandError;
use crate::site::load::history;

static CONTENT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/content");
static PICTURES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/static/images");
static SITE: &str = include_str!("../../site.toml");
static HISTORY: &str = include_str!("../../price-history.jsonl");

/// The id, path and language of the sample's second market.
const SECOND: &str = "\"de\"";
/// What its files have in their names.
const TRANSLATED: &str = ".de.";

/// What a build makes is not kept in version control.
const IGNORED: &str = "/public\n/shop.bundle\n/.public.*\n/.shop.bundle.*\n/.vitrine\n";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to: made if it is not there, and empty if it is
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let folder = &args.folder;
    if let Some(found) = first_entry(folder).map_err(|error| failed("read", folder, &error))? {
        let (folder, found) = (folder.display(), found.display());
        return Err(CommandError::Usage(format!(
            "{folder} is not empty: it holds {found}; name a new folder, as in `vitrine init my-shop`"
        )));
    }
    let count = write_starter(folder).map_err(|error| failed("write", folder, &error))?;
    eprintln!("Wrote {count} files of a shop you can sell from: its name is in site.toml, its products are in content/products.");
    match folder == Path::new(".") {
        true => eprintln!("Next: vitrine serve"),
        false => eprintln!("Next: cd {} && vitrine serve", folder.display()),
    }
    Ok(())
}

fn failed(verb: &str, folder: &Path, error: &io::Error) -> CommandError {
    CommandError::World(format!("cannot {verb} {}: {error}", folder.display()))
}

/// Something that is already there; a fresh repository's `.git` does not count.
fn first_entry(folder: &Path) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if name != ".git" {
            return Ok(Some(name.into()));
        }
    }
    Ok(None)
}

/// Writes the starter and gives the number of files.
fn write_starter(folder: &Path) -> io::Result<usize> {
    fs::create_dir_all(folder)?;
    let one_market: Vec<&str> = SITE.split("\n\n").filter(|paragraph| !paragraph.contains(SECOND)).collect();
    fs::write(folder.join("site.toml"), one_market.join("\n\n"))?;
    let history: Vec<&str> = HISTORY.split_inclusive('\n').filter(|line| !line.contains(SECOND)).collect();
    fs::write(folder.join(history::FILE), history.concat())?;
    fs::write(folder.join(".gitignore"), IGNORED)?;
    Ok(3 + write_folder(&CONTENT, &folder.join("content"))? + write_folder(&PICTURES, &folder.join("static/images"))?)
}

/// Writes `source` below `target`, but for translations.
fn write_folder(source: &Dir<'_>, target: &Path) -> io::Result<usize> {
    let mut count = 0;
    let mut waiting = vec![source];
    while let Some(dir) = waiting.pop() {
        fs::create_dir_all(target.join(dir.path()))?;
        for file in dir.files().filter(|file| !file.path().to_string_lossy().contains(TRANSLATED)) {
            fs::write(target.join(file.path()), file.contents())?;
            count += 1;
        }
        waiting.extend(dir.dirs());
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_in(folder: &Path) -> Result<(), CommandError> {
        run(Args { folder: folder.to_owned() })
    }

    #[test]
    fn the_starter_is_this_repositorys_own_shop_in_one_language() {
        let place = tempfile::tempdir().expect("a folder");
        let shop = place.path().join("new/shop");
        run_in(&shop).expect("a new folder");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for file in ["content/pages/index.md", "content/products/light/storm-lantern.md", "static/images/hero.svg"] {
            assert_eq!(fs::read(shop.join(file)).ok(), fs::read(root.join(file)).ok(), "{file}");
        }
        assert!(!shop.join("templates").exists() && !shop.join("content/words.de.toml").exists());
        let site = fs::read_to_string(shop.join("site.toml")).expect("settings");
        assert!(site.contains("id = \"eu\"") && !site.contains("Österreich"), "{site}");
        assert_eq!((SITE.matches("[[markets]]").count(), site.matches("[[markets]]").count()), (2, 1));
        assert_eq!(site.matches("[[shipping]]").count(), 3);
    }

    #[test]
    fn a_folder_that_holds_something_is_left_alone() {
        let place = tempfile::tempdir().expect("a folder");
        fs::create_dir(place.path().join(".git")).expect("a folder in it");
        fs::write(place.path().join("letter.txt"), "dear").expect("a file");
        let error = run_in(place.path()).expect_err("there is a letter");
        assert!(matches!(&error, CommandError::Usage(text) if text.contains("letter.txt")), "{error}");
        assert_eq!(fs::read_dir(place.path()).expect("readable").count(), 2);
    }

    #[test]
    fn a_fresh_repository_counts_as_empty() {
        let place = tempfile::tempdir().expect("a folder");
        fs::create_dir(place.path().join(".git")).expect("a folder in it");
        run_in(place.path()).expect("only .git is there");
        assert!(place.path().join("content/promotions/welcome10.toml").exists());
    }
}
