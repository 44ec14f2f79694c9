//! The audit log: who proposed, approved and uploaded what, and what was opened to whom. Lines are only ever added, and each
//! holds the hash of the one before.
//!
//! ```json
//! {"n":1,"time":"2026-03-01T12:00:00.000Z","previous":"<64 hexadecimal digits>","event":{"...":"..."}}
//! ```
//!
//! `n` counts lines from 1, `time` is UTC, `previous` the SHA-256 of the previous line without its newline (zeros in line
//! 1). The *head* is the hash of the last line: a change anywhere changes it. No log can tell by itself that its last lines
//! are missing or that all of it was written anew; somebody else must know an earlier head. [`verify_since`] checks that the
//! log continues one.

mod entries;
#[cfg(test)]
mod tests;

pub use entries::{Entries, Entry, MOST_LINE};

use crate::disk::{self, Appender, Disk};
use crate::{Result, StoreError, time};
use entries::Line;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// A log that is open for writing. It holds the file's lock.
pub struct Log(Chain<File>);

impl Log {
    /// Opens a log, or begins one, and verifies it. A last line without newline was torn by a crash, before anyone was told
    /// that it was written: it is cut off, and an event `{"recovered":{"cut_bytes":..}}` says so.
    ///
    /// # Errors
    /// [`StoreError::Chain`], [`StoreError::Value`] and [`StoreError::TooLong`] name the line; [`StoreError::InUse`];
    /// [`StoreError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Log> {
        let path = path.as_ref();
        let open = disk::private().read(true).append(true).create(true).open(path);
        let file = open.map_err(StoreError::io(path, "open"))?;
        disk::lock(&file, path)?;
        let mut entries = Entries::from(BufReader::new(&file), path);
        let torn = match entries.by_ref().find_map(|e| e.err()) {
            None => None,
            Some(StoreError::Torn { bytes, .. }) => Some(bytes),
            Some(other) => return Err(other),
        };
        let (summary, whole) = (entries.summary(), entries.whole());
        drop(entries);
        disk::sync_folder_of(path)?;
        if torn.is_some() {
            file.set_len(whole).map_err(StoreError::io(path, "cut"))?;
        }
        let mut chain = Chain { out: Appender::new(file, path, whole), summary };
        if let Some(cut_bytes) = torn {
            chain.append(&serde_json::json!({ "recovered": { "cut_bytes": cut_bytes } }))?;
        }
        Ok(Log(chain))
    }

    /// Adds an event. When this returns, it is on the disk.
    ///
    /// # Errors
    /// [`StoreError::Value`] and [`StoreError::TooLong`] (1 MiB): the event cannot be written. [`StoreError::Io`]: the log is
    /// as before, or [`StoreError::Broken`] from now on where that is not certain.
    pub fn append(&mut self, event: &impl Serialize) -> Result<()> {
        self.0.append(event)
    }

    /// The hash of the last line; zeros for an empty log.
    pub fn last(&self) -> [u8; 32] {
        self.0.summary.head
    }

    /// Lines so far.
    pub fn entries(&self) -> u64 {
        self.0.summary.entries
    }
}

/// What a log amounts to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Lines.
    pub entries: u64,
    /// The hash of the last line; zeros for an empty log.
    pub head: [u8; 32],
}

/// Checks a log from beginning to end.
///
/// # Errors
/// As [`Log::open`], and [`StoreError::Torn`].
pub fn verify(path: impl AsRef<Path>) -> Result<Summary> {
    let mut entries = read(path)?;
    entries.by_ref().try_for_each(|e| e.map(drop))?;
    Ok(entries.summary())
}

/// Checks a log, and that it continues the one that had this `summary`.
///
/// # Errors
/// As [`verify`]; [`StoreError::Chain`] where the log is shorter, or another.
pub fn verify_since(path: impl AsRef<Path>, summary: &Summary) -> Result<Summary> {
    let mut entries = read(&path)?;
    let mut then = entries.summary();
    while let Some(entry) = entries.next() {
        entry?;
        if entries.summary().entries == summary.entries {
            then = entries.summary();
        }
    }
    if then == *summary {
        return Ok(entries.summary());
    }
    let show = |s: &Summary| format!("{} after {} lines", hex::encode(s.head), s.entries);
    let found = if then.entries == summary.entries { then } else { entries.summary() };
    let (what, line) = ("head", found.entries);
    let file = path.as_ref().to_owned();
    Err(StoreError::Chain { file, line, what, found: show(&found), expected: show(summary) })
}

/// Entry by entry, each checked against those before it. Entries up to an error are good.
///
/// # Errors
/// [`StoreError::Io`].
pub fn read(path: impl AsRef<Path>) -> Result<Entries<BufReader<File>>> {
    let path = path.as_ref();
    let file = File::open(path).map_err(StoreError::io(path, "open"))?;
    Ok(Entries::from(BufReader::new(file), path))
}

/// The hash of a line without its newline.
fn hash(line: &[u8]) -> [u8; 32] {
    Sha256::digest(line).into()
}

/// The log onto any disk.
struct Chain<D> {
    out: Appender<D>,
    summary: Summary,
}

impl<D: Disk> Chain<D> {
    fn append(&mut self, event: &impl Serialize) -> Result<()> {
        self.out.check()?;
        let n = self.summary.entries + 1;
        let file = &self.out.file;
        let line = Line { n, time: &time::now(), previous: &hex::encode(self.summary.head), event };
        let line = serde_json::to_vec(&line);
        let mut line = line.map_err(|source| StoreError::Value { file: file.clone(), what: format!("line {n}"), source })?;
        if line.len() > MOST_LINE {
            let (found, most) = (line.len() as u64, MOST_LINE as u64);
            return Err(StoreError::TooLong { file: file.clone(), what: format!("line {n}"), found, most });
        }
        let head = hash(&line);
        line.push(b'\n');
        if let Err(e) = self.out.write(&line) {
            self.out.cut_back();
            return Err(e);
        }
        self.out.sync()?;
        self.summary = Summary { entries: n, head };
        Ok(())
    }
}
