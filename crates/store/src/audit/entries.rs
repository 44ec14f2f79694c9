//! The lines of a log, read and checked.

use super::{Summary, hash};
use crate::{Result, StoreError};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

/// The longest line, without its newline.
pub const MOST_LINE: usize = 1 << 20;

/// A line as it is read.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The line's number, from 1.
    pub n: u64,
    /// When it was written: RFC 3339, UTC.
    pub time: String,
    /// The hash of the line before, hexadecimal.
    pub previous: String,
    /// What happened.
    pub event: serde_json::Value,
}

/// A line as it is written.
#[derive(Serialize)]
pub(super) struct Line<'a, E> {
    pub n: u64,
    pub time: &'a str,
    pub previous: &'a str,
    pub event: &'a E,
}

/// The entries of a log, in order. After an error there are no more.
pub struct Entries<R> {
    from: R,
    file: PathBuf,
    summary: Summary,
    /// Bytes of whole lines.
    whole: u64,
    done: bool,
}

impl<R: BufRead> Entries<R> {
    /// From any source; `name` is for errors.
    pub fn from(from: R, name: impl AsRef<Path>) -> Entries<R> {
        let summary = Summary { entries: 0, head: [0; 32] };
        Entries { from, file: name.as_ref().to_owned(), summary, whole: 0, done: false }
    }

    /// Of the lines read so far.
    pub fn summary(&self) -> Summary {
        self.summary
    }

    pub(super) fn whole(&self) -> u64 {
        self.whole
    }

    fn read(&mut self) -> Result<Option<Entry>> {
        let number = self.summary.entries + 1;
        let mut line = Vec::new();
        let most = MOST_LINE as u64 + 1;
        self.from.by_ref().take(most).read_until(b'\n', &mut line).map_err(StoreError::io(&self.file, "read"))?;
        if line.is_empty() {
            return Ok(None);
        }
        let bytes = line.len() as u64;
        if line.pop() != Some(b'\n') {
            let file = self.file.clone();
            return Err(if bytes < most {
                StoreError::Torn { file, line: number, bytes }
            } else {
                StoreError::TooLong { file, what: format!("line {number}"), found: bytes, most: most - 1 }
            });
        }
        let entry: Entry = serde_json::from_slice(&line).map_err(|source| {
            let what = format!("line {number}");
            StoreError::Value { file: self.file.clone(), what, source }
        })?;
        let chain = |what, found, expected| StoreError::Chain { file: self.file.clone(), line: number, what, found, expected };
        if entry.n != number {
            return Err(chain("number", entry.n.to_string(), number.to_string()));
        }
        let previous = hex::encode(self.summary.head);
        if entry.previous != previous {
            return Err(chain("hash of the line before", entry.previous, previous));
        }
        self.summary = Summary { entries: number, head: hash(&line) };
        self.whole += bytes;
        Ok(Some(entry))
    }
}

impl<R: BufRead> Iterator for Entries<R> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        if self.done {
            return None;
        }
        let entry = self.read();
        self.done = !matches!(entry, Ok(Some(_)));
        entry.transpose()
    }
}
