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
    /// None for a pipe.
    path: Option<PathBuf>,
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
    /// Bytes so far.
    given: u64,
}

impl Read for Limited {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.since.load(Ordering::Relaxed) > LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let n = self.stream.read(out)?;
        self.since.fetch_add(n as u64, Ordering::Relaxed);
        self.given += n as u64;
        Ok(n)
    }
}

impl Csv {
    /// Reads the header.
    pub(super) fn open(path: &Path) -> Result<Csv> {
        Csv::of(Stream::open(path)?, Some(path.to_path_buf()))
    }

    /// Reads the header from a pipe; `name` is for messages.
    pub(super) fn piped(name: &str, source: impl Read + Send + 'static) -> Result<Csv> {
        Csv::of(Stream::piped(name, source)?, None)
    }

    fn of(stream: Stream, path: Option<PathBuf>) -> Result<Csv> {
        let (file, gzip, since) = (stream.file.clone(), stream.gzip, Arc::<AtomicU64>::default());
        // `flexible`: the number of fields is checked here, to say it in our words.
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).buffer_capacity(1 << 16).from_reader(Limited {
            stream,
            since: since.clone(),
            given: 0,
        });
        let mut csv = Csv { path, file, gzip, reader, since, record: ByteRecord::new(), columns: Vec::new(), wanted: Vec::new() };
        if !csv.advance()? {
            return Err(empty(&csv.file, "no lines", "a header and one record"));
        }
        csv.columns = header(&csv.record, &csv.file)?;
        Ok(csv)
    }

    pub(super) fn progress(&self) -> Progress {
        self.reader.get_ref().stream.progress()
    }

    /// Whether records come through a pipe, all that came are read, and no more come for a moment.
    pub(super) fn pauses(&self) -> bool {
        let limited = self.reader.get_ref();
        // The reader has a record before it has seen both bytes of the line's end.
        limited.given.saturating_sub(self.reader.position().byte()) <= 1 && limited.stream.pauses()
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

    /// The record's line, for a message: what precedes it is read once more. In a pipe blank lines before it are not counted.
    fn line(&self) -> u64 {
        line_of(&self.record, |at| {
            let mut again = self.path.as_ref().and_then(|path| Stream::open(path).ok());
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn records_of_a_pipe_are_there_when_they_have_come() {
        let (source, mut to) = io::pipe().unwrap();
        to.write_all(b"a,b\r\n1,2\r\n3,4\r\n").unwrap();
        let mut csv = Csv::piped("a pipe", source).unwrap();
        csv.want(vec![1]);
        let row = |csv: &mut Csv| {
            let mut found = 0.0;
            let more = csv.row(|_, value| {
                found = value.number()?;
                Ok(())
            });
            more.map(|more| more.then_some(found))
        };
        assert_eq!(row(&mut csv).unwrap(), Some(2.0));
        assert!(!csv.pauses());
        assert_eq!(row(&mut csv).unwrap(), Some(4.0));
        assert!(csv.pauses());
        to.write_all(b"5,6\n7,x\n").unwrap();
        assert!(!csv.pauses());
        assert_eq!(row(&mut csv).unwrap(), Some(6.0));
        let error = row(&mut csv).unwrap_err().to_string();
        assert_eq!(error, "a pipe: line 5, column \"b\": found \"x\", expected a number");
        drop(to);
        assert!(!csv.pauses());
        assert_eq!(row(&mut csv).unwrap(), None);
    }
}
