//! Disk: the changes that a build makes to it, one function each; a fault that a test plants is met before any of them.
//!
//! Always  an error names the file or folder that could not be changed.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[cfg(feature = "faults")]
pub(super) use super::faults::before_change;

/// The output folder cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The world failed.
    #[error("{path} cannot be written: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else's files.
    #[error("{folder} holds files that no build has written; give another folder with --out, or empty this one yourself")]
    Foreign {
        /// The folder.
        folder: PathBuf,
    },
    /// Another build is at it.
    #[error(
        "{target} is being written by another build ({holder}): wait until that has ended, or build elsewhere with --out and --bundle"
    )]
    Busy {
        /// The folder, or the bundle.
        target: PathBuf,
        /// Which process that is.
        holder: String,
    },
}

impl From<io::Error> for WriteError {
    fn from(source: io::Error) -> Self {
        Self::Io { path: "the cache of siblings".into(), source }
    }
}

/// `.NAME.ENDING` beside a file or folder.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_else(|| "public".as_ref()).to_string_lossy().into_owned();
    path.with_file_name(format!(".{name}.{ending}"))
}

#[cfg(not(feature = "faults"))]
pub(super) fn before_change() -> io::Result<()> {
    Ok(())
}

pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    before_change().map_err(fail(path))?;
    match fs::write(path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), create_folder)?;
            fs::write(path, bytes).map_err(fail(path))
        }
        other => other.map_err(fail(path)),
    }
}

// For what is too long to be held beside what it is made from.
pub(super) fn write_with(
    path: &Path,
    give: impl FnOnce(&mut io::BufWriter<fs::File>) -> io::Result<()>,
) -> Result<(), WriteError> {
    path.parent().map_or(Ok(()), create_folder)?;
    let written = || {
        before_change()?;
        let mut file = io::BufWriter::with_capacity(1 << 16, fs::File::create(path)?);
        give(&mut file)?;
        file.flush()
    };
    written().map_err(fail(path))
}

pub(super) fn create_folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(fail(path))
}

pub(super) fn rename_path(from: &Path, to: &Path) -> Result<(), WriteError> {
    before_change().and_then(|()| fs::rename(from, to)).map_err(fail(to))
}

pub(super) fn remove_file(path: &Path) -> Result<(), WriteError> {
    match before_change().and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fail(path)(error)),
        _ => Ok(()),
    }
}

pub(super) fn remove_folder(path: &Path) -> Result<(), WriteError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fail(path)(error)),
        _ => Ok(()),
    }
}

pub(super) fn fail(path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_owned();
    move |source| WriteError::Io { path, source }
}
