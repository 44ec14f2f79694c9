//! Parquet: flat columns of booleans, integers, floating-point and decimal numbers, dates and texts. Columns are found by their
//! names; others are not read. Pages may be compressed with Snappy, gzip, LZ4, Brotli or Zstandard. A folder of such files is one
//! table, in the order of their names.
//!
//! A batch of records at a time is decoded, so that memory holds a page of each column, whatever the number of records.

mod leaf;

use super::format::find;
use super::stream::Progress;
use super::value::Value;
use crate::error::{Refusal, empty, mismatch, quote};
use crate::{DataError, Result};
use leaf::{Leaf, unreadable};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Records decoded at once.
const BATCH: usize = 1024;

pub(crate) struct Parquet {
    file: String,
    reader: SerializedFileReader<File>,
    columns: Vec<String>,
    wanted: Vec<usize>,
    progress: Progress,
    /// The next row group, and the records of the one before that are not yet decoded.
    group: usize,
    left: u64,
    leaves: Vec<Leaf>,
    /// Of the batch: the next record, and the end.
    at: usize,
    end: usize,
    /// Records given so far, and in all.
    record: u64,
    records: u64,
    /// Files of the same folder that follow.
    rest: std::vec::IntoIter<PathBuf>,
}

impl Parquet {
    /// One file, or those of a folder.
    pub(super) fn open(path: &Path) -> Result<Parquet> {
        if !path.is_dir() {
            return Parquet::file(path);
        }
        let file = path.display().to_string();
        let mut rest = parts(path)?.into_iter();
        let first = rest.next().ok_or_else(|| empty(&file, "no Parquet files", "one that ends in .parquet"))?;
        Ok(Parquet { rest, ..Parquet::file(&first)? })
    }

    fn file(path: &Path) -> Result<Parquet> {
        let name = path.display().to_string();
        let io = |source| DataError::Io { file: name.clone(), source };
        let handle = File::open(path).map_err(io)?;
        let progress = Progress::of(handle.metadata().map_err(io)?.len());
        let reader = guarded(&name, || SerializedFileReader::new(handle))?;
        // The library panics on these.
        let mut chunks = reader.metadata().row_groups().iter().flat_map(|group| group.columns());
        if chunks.any(|c| c.compressed_size() < 0 || c.dictionary_page_offset().unwrap_or(c.data_page_offset()) < 0) {
            return Err(mismatch(&name, "broken Parquet (a negative offset or length)", "a whole Parquet file"));
        }
        let meta = reader.metadata().file_metadata();
        let columns = meta.schema_descr().columns().iter().map(|c| c.path().string()).collect();
        let records = u64::try_from(meta.num_rows()).unwrap_or(0);
        Ok(Parquet {
            file: name,
            reader,
            columns,
            wanted: Vec::new(),
            progress,
            group: 0,
            left: 0,
            leaves: Vec::new(),
            at: 0,
            end: 0,
            record: 0,
            records,
            rest: Vec::new().into_iter(),
        })
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Which columns [`row`](Self::row) gives, in which order.
    ///
    /// # Errors
    /// A column of a type that is not read.
    /// Why a column cannot be read, if so.
    pub(super) fn unread(&self, column: usize) -> Option<String> {
        unreadable(&self.reader.metadata().file_metadata().schema_descr().column(column))
    }

    pub(super) fn want(&mut self, columns: Vec<usize>) -> Result<()> {
        for &i in &columns {
            if let Some(found) = self.unread(i) {
                let found = format!("column {} with {found}", quote(&self.columns[i]));
                return Err(mismatch(&self.file, found, "booleans, numbers, dates or texts, not nested"));
            }
        }
        self.wanted = columns;
        Ok(())
    }

    /// Calls `each` with the wanted values of the next record; false at the end.
    pub(super) fn row(&mut self, mut each: impl FnMut(usize, Value<'_>) -> Result<(), Refusal>) -> Result<bool> {
        if self.at == self.end && !self.batch()? {
            return Ok(false);
        }
        let at = self.at;
        self.at += 1;
        self.record += 1;
        let refused = |(slot, leaf): (usize, &mut Leaf)| leaf.value(at, |value| each(slot, value)).err().map(|why| (slot, why));
        match self.leaves.iter_mut().enumerate().find_map(refused) {
            Some((slot, why)) => Err(self.fault(slot, why)),
            None => Ok(true),
        }
    }

    /// An error of a value of the last record.
    pub(super) fn fault(&self, slot: usize, why: Refusal) -> DataError {
        let column = self.wanted.get(slot).and_then(|i| self.columns.get(*i)).map_or_else(String::new, |name| quote(name));
        DataError::Value { file: self.file.clone(), record: self.record, column, found: why.found, expected: why.expected }
    }

    /// Goes on with the next file, which has the same columns.
    fn follow(&mut self, path: &Path) -> Result<()> {
        let names: Vec<String> = self.wanted.iter().filter_map(|i| self.columns.get(*i).cloned()).collect();
        let mut next = Parquet::file(path)?;
        next.want(find(&names, &next.columns, &next.file)?)?;
        let (rest, progress) = (std::mem::replace(&mut self.rest, Vec::new().into_iter()), self.progress.clone());
        *self = Parquet { rest, progress, ..next };
        Ok(())
    }

    /// Decodes the next batch; false at the end of the file.
    fn batch(&mut self) -> Result<bool> {
        while self.left == 0 {
            if self.group == self.reader.num_row_groups() {
                if self.record != self.records {
                    let found = format!("{} records in its row groups", self.record);
                    return Err(mismatch(&self.file, found, format!("{} as its footer says", self.records)));
                }
                let Some(next) = self.rest.next() else { return Ok(false) };
                self.follow(&next)?;
                continue;
            }
            let group = guarded(&self.file, || self.reader.get_row_group(self.group))?;
            self.left = u64::try_from(group.metadata().num_rows()).unwrap_or(0);
            let columns = self.reader.metadata().file_metadata().schema_descr();
            let leaf = |&i: &usize| Ok(Leaf::new(group.get_column_reader(i)?, &columns.column(i)));
            self.leaves = guarded(&self.file, || self.wanted.iter().map(leaf).collect())?;
            self.group += 1;
        }
        let rows = self.left.min(BATCH as u64) as usize;
        for leaf in &mut self.leaves {
            let found = guarded(&self.file, || leaf.read(rows))?;
            if found != rows {
                return Err(mismatch(&self.file, "a column with fewer values than its row group has records", "as many"));
            }
        }
        (self.at, self.end) = (0, rows);
        self.left -= rows as u64;
        self.progress.part(self.record + rows as u64, self.records);
        Ok(true)
    }
}

/// The files of a folder, in the order of their names. Some tools put a marker or hidden files beside them.
fn parts(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |source| DataError::Io { file: folder.display().to_string(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let aside = path.file_name().is_some_and(|name| name.as_encoded_bytes().first().is_some_and(|b| b"._".contains(b)));
        if is_parquet(&path) && !aside && path.is_file() {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Whether this is a Parquet file by its name, or a folder with one.
pub(super) fn is_table(path: &Path) -> bool {
    if path.is_dir() { parts(path).is_ok_and(|files| !files.is_empty()) } else { is_parquet(path) }
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet") || ending.eq_ignore_ascii_case("pq"))
}

/// The library's answer. It panics on some damaged pages; what it worked on is not used after that.
fn guarded<T>(file: &str, f: impl FnOnce() -> Result<T, ParquetError>) -> Result<T> {
    let why = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(e)) => e.to_string().replace('\n', " "),
        Err(_) => "a page that contradicts itself".to_string(),
    };
    Err(mismatch(file, format!("broken Parquet ({why})"), "a whole Parquet file"))
}
