//! CSV, plain or gzip: a header, then a record a line. Columns are found by their names; others are ignored.
//!
//! Fields are separated by what the header has most of, commas, semicolons, tabs or vertical bars, or by what is given; they may be
//! [quoted](super::quotes), and are trimmed. Blank lines are skipped.

use super::cell::Cell;
use super::looks::{is_json, looks};
use super::quotes::{self, delimiter_name};
use super::stream::{Progress, Stream};
use super::text::{Reading, Text};
use super::value::Value;
use crate::error::{Refusal, empty, mismatch};
use crate::{DataError, Result};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::io::Read;
use std::ops::Range;
use std::path::Path;

/// Bytes that one record may have: a quote that is never closed would otherwise be a record of all that follows.
const LONGEST: usize = 16 << 20;

/// What fields are separated by, where nothing is given.
const DELIMITERS: [u8; 4] = *b",;\t|";

pub(crate) struct Csv {
    file: String,
    text: Text,
    reader: Reader,
    delimiter: u8,
    /// Text that was read: before `at` it is done with, before `fed` the reader has it.
    raw: Vec<u8>,
    at: usize,
    fed: usize,
    /// The line of `at`.
    line: u64,
    /// A line's end of two bytes that was seen in part.
    half: bool,
    record: Record,
    columns: Vec<String>,
    wanted: Vec<usize>,
    lines: Lines,
}

/// Fields one after the other.
struct Record {
    /// Where it begins.
    line: u64,
    text: Vec<u8>,
    ends: Vec<usize>,
    fields: usize,
}

/// What the lines of a file were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// All of them.
    pub lines: u64,
    /// Those with nothing in them.
    pub blank: u64,
    /// Records that have more than one line, by a quoted field.
    pub longer: u64,
}

impl Csv {
    /// Reads the header.
    pub(super) fn open(path: &Path, reading: &Reading) -> Result<Csv> {
        Csv::of(Stream::open(path)?, reading)
    }

    /// Reads the header from a pipe; `name` is for messages.
    pub(super) fn piped(name: &str, source: impl Read + Send + 'static, reading: &Reading) -> Result<Csv> {
        Csv::of(Stream::piped(name, source)?, reading)
    }

    fn of(mut stream: Stream, reading: &Reading) -> Result<Csv> {
        let file = stream.file.clone();
        let start = stream.peek()?;
        if let Some(kind) = looks(start).or_else(|| is_json(start).then_some("JSON")) {
            return Err(mismatch(&file, format!("what looks like {kind}"), "CSV, plain or gzip, as the name says"));
        }
        let mut text = Text::new(stream, reading.encoding)?;
        let mut raw = Vec::new();
        let said = said(&mut text, &mut raw)?;
        let delimiter = match reading.delimiter.or(said) {
            Some(given) => given,
            None => found(&mut text, &mut raw)?,
        };
        let mut csv = Csv {
            file,
            text,
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            delimiter,
            raw,
            at: 0,
            fed: 0,
            line: 1 + u64::from(said.is_some()),
            half: false,
            record: Record { line: 1, text: vec![0; 1 << 10], ends: vec![0; 1 << 6], fields: 0 },
            columns: Vec::new(),
            wanted: Vec::new(),
            lines: Lines { lines: u64::from(said.is_some()), ..Lines::default() },
        };
        if !csv.advance()? {
            return Err(empty(&csv.file, "no lines", "a header and one record"));
        }
        csv.columns = csv.header()?;
        Ok(csv)
    }

    pub(super) fn progress(&self) -> Progress {
        self.text.stream.progress()
    }

    /// Whether records come through a pipe, all that came are read, and no more come for a moment.
    pub(super) fn pauses(&self) -> bool {
        // The reader has a record before it has seen both bytes of the line's end.
        self.raw[self.fed..].iter().all(|b| b"\r\n".contains(b)) && self.text.stream.pauses()
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Where the last record begins.
    pub(super) fn line(&self) -> u64 {
        self.record.line
    }

    /// What the lines so far were.
    pub(super) fn lines(&self) -> Lines {
        self.lines
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
        let (found, expected) = (self.record.fields, self.columns.len());
        if found == expected + 1 && self.record.field(expected).is_empty() {
            let (file, line) = (self.file.clone(), self.record.line);
            let expected = format!("{expected} as in the header, which ends without a delimiter");
            return Err(DataError::Line { file, line, found: format!("{found} fields, the last of them empty"), expected });
        }
        if found != expected {
            return Err(DataError::Fields { file: self.file.clone(), line: self.record.line, found, expected });
        }
        // All fields are looked at together, and one by one only where there is a reason.
        let readable = !self.text.is_plain() || std::str::from_utf8(self.record.all()).is_ok();
        for (slot, &column) in self.wanted.iter().enumerate() {
            let field = self.record.field(column);
            let value = Value::Text(field);
            let given = if readable || std::str::from_utf8(field).is_ok() { each(slot, value) } else { Err(unreadable()) };
            given.map_err(|why| self.fault(slot, why))?;
        }
        Ok(true)
    }

    /// An error of a value of the last record.
    pub(super) fn fault(&self, slot: usize, why: Refusal) -> DataError {
        let column = self.wanted.get(slot).and_then(|i| self.columns.get(*i)).map_or("", String::as_str);
        Cell { file: &self.file, line: self.record.line, column }.refuse(why)
    }

    /// Reads the next record; false at the end.
    fn advance(&mut self) -> Result<bool> {
        self.pass(self.fed);
        self.record.fields = 0;
        let (mut written, mut ends, mut begun) = (0, 0, false);
        loop {
            if !begun {
                self.skip_blank();
            }
            if self.fed == self.raw.len() {
                self.raw.drain(..self.at);
                self.fed -= self.at;
                self.at = 0;
                if self.raw.len() > LONGEST {
                    let found = format!("no end of the record in line {} in {LONGEST} bytes", self.line);
                    return Err(mismatch(&self.file, found, "a record in fewer (a quote that is not closed?)"));
                }
                if self.text.read(&mut self.raw)? > 0 {
                    continue;
                }
            }
            let record = &mut self.record;
            let input = &self.raw[self.fed..];
            let (result, read, put, more) = self.reader.read_record(input, &mut record.text[written..], &mut record.ends[ends..]);
            begun = begun || read > 0;
            (self.fed, written, ends) = (self.fed + read, written + put, ends + more);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => record.text.resize(record.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => record.ends.resize(record.ends.len() * 2, 0),
                ReadRecordResult::Record => {
                    (record.fields, record.line) = (ends, self.line);
                    return self.checked().map(|()| true);
                }
                ReadRecordResult::End => return Ok(false),
            }
        }
    }

    /// Passes over blank lines before a record, and what is left of the line before.
    fn skip_blank(&mut self) {
        while let Some(&b) = self.raw.get(self.fed).filter(|b| b"\r\n".contains(b)) {
            let blank = u64::from(!self.half || b != b'\n');
            (self.lines.blank, self.lines.lines) = (self.lines.blank + blank, self.lines.lines + blank);
            self.fed += 1;
            self.pass(self.fed);
        }
        if self.half && self.fed < self.raw.len() {
            (self.line, self.half) = (self.line + 1, false);
        }
    }

    /// That quotes stand where they may.
    fn checked(&mut self) -> Result<()> {
        let raw = &self.raw[self.at..self.fed];
        let ends = raw.trim_ascii_end().iter().filter(|b| **b == b'\n').count() as u64;
        self.lines.longer += u64::from(ends > 0);
        self.lines.lines += 1 + ends;
        if !raw.contains(&b'"') {
            return Ok(());
        }
        quotes::check(raw, self.delimiter).map_err(|fault| {
            let before = raw[..fault.at].iter().filter(|b| **b == b'\n').count() as u64;
            let (found, expected) = (fault.found, fault.expected);
            DataError::Line { file: self.file.clone(), line: self.record.line + before, found, expected }
        })
    }

    /// Counts the lines up to there.
    fn pass(&mut self, to: usize) {
        for &b in &self.raw[self.at..to] {
            // Lines end in CR LF, LF or CR.
            self.line += u64::from(b == b'\n' || self.half);
            self.half = b == b'\r';
        }
        self.at = to;
    }

    /// The columns' names, from the first record.
    fn header(&self) -> Result<Vec<String>> {
        let name = |i| {
            let field = self.record.field(i);
            std::str::from_utf8(field).map(str::to_owned).map_err(|_| {
                let column = (i + 1).to_string();
                Cell { file: &self.file, line: self.record.line, column: &column }.refuse(unreadable())
            })
        };
        let columns: Vec<String> = (0..self.record.fields).map(name).collect::<Result<_>>()?;
        if columns.iter().all(|c| c.parse::<f64>().is_ok()) {
            return Err(mismatch(&self.file, "only numbers in the first line", "a header with the columns' names"));
        }
        Ok(columns)
    }
}

impl Record {
    fn all(&self) -> &[u8] {
        let end = self.fields.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0);
        self.text.get(..end).unwrap_or_default()
    }

    /// Trimmed.
    fn field(&self, i: usize) -> &[u8] {
        let begin = i.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let range: Range<usize> = begin..self.ends.get(i).copied().unwrap_or(begin);
        self.text.get(range).unwrap_or_default().trim_ascii()
    }
}

fn unreadable() -> Refusal {
    Refusal::new("bytes that are no UTF-8", "UTF-8, or the file's encoding by --encoding (latin1, windows-1250, utf-16le, ..)")
}

/// What a first line says that fields are separated by, as some spreadsheets do; it is taken away.
fn said(text: &mut Text, raw: &mut Vec<u8>) -> Result<Option<u8>> {
    const SAID: &[u8] = b"sep=";
    while raw.len() < SAID.len() + 3 && text.read(raw)? > 0 {}
    let Some(&[delimiter, first, second]) = raw.strip_prefix(SAID).and_then(|rest| rest.first_chunk()) else { return Ok(None) };
    let end = match [first, second] {
        [b'\r', b'\n'] => 2,
        [b'\n' | b'\r', _] => 1,
        _ => return Ok(None),
    };
    raw.drain(..SAID.len() + 1 + end);
    Ok(Some(delimiter))
}

/// What the header's fields are separated by: what it has most of outside of quotes.
fn found(text: &mut Text, raw: &mut Vec<u8>) -> Result<u8> {
    let mut counts = [0_usize; DELIMITERS.len()];
    let (mut at, mut quoted, mut begun) = (0, false, false);
    loop {
        while let Some(&b) = raw.get(at) {
            let end = b"\r\n".contains(&b) && !quoted;
            if end && begun {
                return Ok(most(counts));
            }
            begun = begun || !end;
            quoted ^= b == b'"';
            if let (Some(which), false) = (DELIMITERS.iter().position(|d| *d == b), quoted) {
                counts[which] += 1;
            }
            at += 1;
        }
        if raw.len() > LONGEST || text.read(raw)? == 0 {
            return Ok(most(counts));
        }
    }
}

/// Of two that are alike the first; a comma where there is none.
fn most(counts: [usize; DELIMITERS.len()]) -> u8 {
    let best = counts.iter().max().copied().unwrap_or(0);
    counts.iter().zip(DELIMITERS).find(|(count, _)| **count == best).map_or(b',', |(_, delimiter)| delimiter)
}

/// Why a column may be missing: the only one has what separates fields in its name.
pub(crate) fn hint(columns: &[String]) -> String {
    let [only] = columns else { return String::new() };
    match DELIMITERS.iter().find(|d| only.as_bytes().contains(d)) {
        Some(d) => format!(" (one column whose name has {}: --delimiter?)", plural(*d)),
        None => String::new(),
    }
}

fn plural(delimiter: u8) -> String {
    delimiter_name(delimiter).trim_start_matches("a ").to_string() + "s"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};

    #[test]
    fn records_of_a_pipe_are_there_when_they_have_come() {
        let (source, mut to) = io::pipe().unwrap();
        to.write_all(b"a,b\r\n1,2\r\n3,4\r\n").unwrap();
        let mut csv = Csv::piped("a pipe", source, &Reading::default()).unwrap();
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
