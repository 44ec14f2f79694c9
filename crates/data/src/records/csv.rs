//! CSV, plain or gzip: a header, then a record a line. Columns are found by their names; others are ignored.
//!
//! Fields are separated by commas, may be quoted, and are trimmed. Blank lines are skipped.

use super::cell::{Cell, line_of};
use super::stream::{Progress, Stream, failed};
use super::value::Value;
use crate::error::{Refusal, empty, mismatch};
use crate::{DataError, Result};
use ::csv::{ByteRecord, ReaderBuilder};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that the reader may take for one record: a quote that is never closed would otherwise be a record of all that follows.
const LONGEST: u64 = 16 << 20;

pub(crate) struct Csv {
    path: PathBuf,
    file: String,
    gzip: bool,
    reader: ::csv::Reader<Limited>,
    since: Arc<AtomicU64>,
    record: ByteRecord,
    columns: Vec<String>,
    wanted: Vec<usize>,
}

/// Fails after [`LONGEST`] bytes without a record.
struct Limited {
    stream: Stream,
    since: Arc<AtomicU64>,
}

impl Read for Limited {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.since.load(Ordering::Relaxed) > LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let n = self.stream.read(out)?;
        self.since.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl Csv {
    /// Reads the header.
    pub(super) fn open(path: &Path) -> Result<Csv> {
        let stream = Stream::open(path)?;
        let (file, gzip, since) = (stream.file.clone(), stream.gzip, Arc::<AtomicU64>::default());
        // `flexible`: the number of fields is checked here, to say it in our words.
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(1 << 16)
            .from_reader(Limited { stream, since: since.clone() });
        let (path, record) = (path.to_path_buf(), ByteRecord::new());
        let mut csv = Csv { path, file, gzip, reader, since, record, columns: Vec::new(), wanted: Vec::new() };
        if !csv.advance()? {
            return Err(empty(&csv.file, "no lines", "a header and one record"));
        }
        csv.columns = header(&csv.record, &csv.file)?;
        Ok(csv)
    }

    pub(super) fn progress(&self) -> Progress {
        self.reader.get_ref().stream.progress()
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Which columns [`row`](Self::row) gives, in which order.
    pub(super) fn want(&mut self, columns: Vec<usize>) {
        self.wanted = columns;
    }

    /// Calls `each` with the wanted values of the next record; false at the end.
    #[inline]
    pub(super) fn row(&mut self, mut each: impl FnMut(usize, Value<'_>) -> Result<(), Refusal>) -> Result<bool> {
        if !self.advance()? {
            return Ok(false);
        }
        let (found, expected) = (self.record.len(), self.columns.len());
        if found != expected {
            return Err(DataError::Fields { file: self.file.clone(), line: self.line(), found, expected });
        }
        for (slot, &column) in self.wanted.iter().enumerate() {
            let field = self.record.get(column).unwrap_or_default().trim_ascii();
            each(slot, Value::Text(field))
                .map_err(|why| Cell { file: &self.file, line: self.line(), column: &self.columns[column] }.refuse(why))?;
        }
        Ok(true)
    }

    fn advance(&mut self) -> Result<bool> {
        self.since.store(0, Ordering::Relaxed);
        self.reader.read_byte_record(&mut self.record).map_err(|e| match e.into_kind() {
            ::csv::ErrorKind::Io(e) if e.kind() == io::ErrorKind::FileTooLarge => {
                let expected = "a record in fewer (a quote that is not closed?)";
                mismatch(&self.file, format!("no end of a record in {LONGEST} bytes"), expected)
            }
            ::csv::ErrorKind::Io(e) => failed(&self.file, self.gzip, e),
            other => mismatch(&self.file, format!("{other:?}").replace('\n', " "), "CSV text"),
        })
    }

    /// The record's line, for a message: what precedes it is read once more.
    fn line(&self) -> u64 {
        line_of(&self.record, |at| {
            let mut again = Stream::open(&self.path).ok();
            if let Some(stream) = &mut again {
                let _ = io::copy(&mut stream.take(at), &mut io::sink());
            }
            again.into_iter().flat_map(|stream| stream.bytes().map_while(io::Result::ok))
        })
    }
}

/// The columns' names, from the first record of a file.
fn header(record: &ByteRecord, name: &str) -> Result<Vec<String>> {
    let columns: Vec<String> = record.iter().map(|f| String::from_utf8_lossy(f.trim_ascii()).into_owned()).collect();
    if columns.iter().all(|c| c.parse::<f64>().is_ok()) {
        return Err(mismatch(name, "only numbers in the first line", "a header with the columns' names"));
    }
    Ok(columns)
}
