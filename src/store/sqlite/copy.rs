//! Copy: a backup of the file, taken while it is written to.
//!
//! Always  one consistent state; a draft beside the place, read back and flushed before it is renamed, so that there is never half a
//!         backup by that name. Only its owner can read it: it holds names and addresses.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, params};

use super::{BUSY_TIMEOUT, verify};
use crate::commerce::ids::Timestamp;
use crate::store::StoreError;
use crate::store::upkeep::{Copied, CopyError};

/// A draft, deleted unless it got its name.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        for ending in ["", "-journal", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(ending);
            // What was renamed is not there any more.
            let _ = std::fs::remove_file(name);
        }
    }
}

pub(in crate::store) fn copy(from: &Path, to: &Path, replaces: bool, now: Timestamp) -> Result<Copied, CopyError> {
    let shown = || to.display().to_string();
    let failed = |source| CopyError::File { path: to.display().to_string(), source };
    if let (Ok(from), Ok(to)) = (from.canonicalize(), to.canonicalize())
        && from == to
    {
        return Err(CopyError::SameFile(shown()));
    }
    if to.exists() && !replaces {
        return Err(CopyError::Exists(shown()));
    }
    let name = to.file_name().ok_or_else(|| failed(std::io::ErrorKind::IsADirectory.into()))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = Draft(folder.join(format!(".{}.{}.new", name.to_string_lossy(), std::process::id())));
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft.0).map_err(failed)?;
    let check = |report: &crate::store::steps::promises::Report| match report.findings.iter().find(|finding| finding.is_damage) {
        Some(damage) => Err(CopyError::Damaged(format!("{}: {}", damage.name, damage.about.join(", ")))),
        None => Ok(()),
    };
    if let Err(error) = write(from, &draft.0, now) {
        // A damaged copy may not even be written to.
        if let Ok(report) = verify::file(&draft.0) {
            check(&report)?;
        }
        return Err(error.into());
    }
    let report = verify::file(&draft.0)?;
    check(&report)?;
    let file = File::open(&draft.0).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let size_bytes = file.metadata().map_err(failed)?.len();
    std::fs::rename(&draft.0, to).map_err(failed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(Copied { size_bytes, report })
}

/// All pages in one step: one state of the file, for which no writer waits.
fn write(from: &Path, draft: &Path, now: Timestamp) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags)?;
    source.busy_timeout(BUSY_TIMEOUT)?;
    let mut target = Connection::open(draft)?;
    if Backup::new(&source, &mut target)?.step(-1)? != StepResult::Done {
        return Err(StoreError::Busy);
    }
    target.pragma_update(None, "journal_mode", "DELETE")?;
    let knows_life: bool =
        target.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'life')", [], |row| row.get(0))?;
    if knows_life {
        // Whoever opens it knows from when it is, even if no edge ever lived on it.
        target.execute(
            "INSERT INTO life (id, born_at, seen_at, copied_at) VALUES (1, ?1, ?1, ?1) ON CONFLICT (id) DO UPDATE SET copied_at = ?1",
            params![now.0],
        )?;
    }
    target.close().map_err(|(_, error)| error.into())
}
