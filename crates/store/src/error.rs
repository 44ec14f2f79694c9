//! What can be wrong with what is on the disk. Each message is one line: the file, what was found, what was expected.

use std::io;
use std::path::{Path, PathBuf};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Why something could not be kept or read. `file` is the path as the caller gave it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    #[error("{}: cannot {doing}: {source}", file.display())]
    Io {
        /// The path.
        file: PathBuf,
        /// The verb.
        doing: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// The operating system gives no randomness: nothing is sealed without it.
    #[error("{}: no randomness from the operating system: {source}", file.display())]
    NoRandomness {
        /// The file that was to be sealed.
        file: PathBuf,
        /// The reason.
        source: getrandom::Error,
    },
    /// A new file would replace another.
    #[error("{}: found a file, expected none: it is not overwritten", file.display())]
    Exists {
        /// The path.
        file: PathBuf,
    },
    /// Another process, or another part of this one, works on the file or the folder.
    #[error("{}: found it in use{}, expected one process at a time", file.display(), by.map(|p| format!(" by process {p}")).unwrap_or_default())]
    InUse {
        /// The file or folder.
        file: PathBuf,
        /// The process, where it is known.
        by: Option<u32>,
    },
    /// Other users may read a private folder.
    #[error("{}: found mode {found:03o}, expected 700, nobody else's (`chmod 700` it)", file.display())]
    Mode {
        /// The folder.
        file: PathBuf,
        /// The permission bits.
        found: u32,
    },
    /// Not of this kind, or of another version.
    #[error("{}: {what}: found {found}, expected {expected}", file.display())]
    Format {
        /// The path.
        file: PathBuf,
        /// The part of the file.
        what: String,
        /// As read.
        found: String,
        /// As it must be.
        expected: String,
    },
    /// The file ends within something.
    #[error("{}: {what}: found the file's end after {found} bytes, expected {expected}", file.display())]
    Truncated {
        /// The path.
        file: PathBuf,
        /// The part of the file.
        what: String,
        /// Bytes that are there.
        found: u64,
        /// Bytes that this part needs at least.
        expected: u64,
    },
    /// Longer than anything of this kind may be.
    #[error("{}: {what}: found {found} bytes, expected at most {most}", file.display())]
    TooLong {
        /// The path.
        file: PathBuf,
        /// The part of the file.
        what: String,
        /// Its length.
        found: u64,
        /// The limit.
        most: u64,
    },
    /// A sealed file, but not of this party's key.
    #[error("{}: found the seal of key {found}, expected {expected}: another party's, or the key was replaced", file.display())]
    AnotherKey {
        /// The path.
        file: PathBuf,
        /// The key's public number, hexadecimal.
        found: String,
        /// This party's.
        expected: String,
    },
    /// The seal does not fit: changed, moved, repeated or dropped since it was written.
    #[error("{}: {what}: found it altered, expected what was written", file.display())]
    Altered {
        /// The path.
        file: PathBuf,
        /// The part of the file.
        what: String,
    },
    /// All records are whole, but more were to come.
    #[error("{}: found {records} records and no end, expected a finished file", file.display())]
    Unfinished {
        /// The path.
        file: PathBuf,
        /// Whole records.
        records: u64,
    },
    /// A finished file is not extended.
    #[error("{}: found it finished with {records} records, expected an unfinished file", file.display())]
    Finished {
        /// The path.
        file: PathBuf,
        /// Its records.
        records: u64,
    },
    /// An earlier operation on this file failed, and what was written since is unknown.
    #[error("{}: an earlier error broke it off; open it again", file.display())]
    Broken {
        /// The path.
        file: PathBuf,
    },
    /// The audit log does not hang together.
    #[error("{}: line {line}: {what}: found {found}, expected {expected}", file.display())]
    Chain {
        /// The path.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The part of the line.
        what: &'static str,
        /// As read.
        found: String,
        /// As it must be.
        expected: String,
    },
    /// The audit log's last line has no end: a crash broke it off, or it is being written.
    #[error("{}: line {line}: found {bytes} bytes and no newline, expected a whole line", file.display())]
    Torn {
        /// The path.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Its bytes.
        bytes: u64,
    },
    /// The database cannot be opened, read or written.
    #[error("{}: cannot {doing}: {source}", file.display())]
    Database {
        /// The path.
        file: PathBuf,
        /// The verb.
        doing: &'static str,
        /// The reason.
        source: Box<redb::Error>,
    },
    /// A value is no JSON of the type asked for.
    #[error("{}: {what}: {source}", file.display())]
    Value {
        /// The path.
        file: PathBuf,
        /// Table and key, or line.
        what: String,
        /// The reason.
        source: serde_json::Error,
    },
}

/// Whether the operating system refused for want of room: the disk is full, or a quota.
pub fn is_full(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl StoreError {
    /// The same of an error of this crate.
    pub fn is_full(&self) -> bool {
        match self {
            StoreError::Io { source, .. } => is_full(source),
            StoreError::Database { source, .. } => matches!(&**source, redb::Error::Io(e) if is_full(e)),
            _ => false,
        }
    }

    pub(crate) fn io(file: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> StoreError {
        move |source| StoreError::Io { file: file.to_owned(), doing, source }
    }

    pub(crate) fn altered(file: &Path, what: impl Into<String>) -> StoreError {
        StoreError::Altered { file: file.to_owned(), what: what.into() }
    }
}
