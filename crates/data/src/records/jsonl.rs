//! JSON lines, plain or gzip: an object a line, whose fields are columns. Which there are, the first line says; others are ignored.

use super::cell::Cell;
use super::stream::{Progress, Stream};
use super::value::Value;
use crate::error::{Refusal, empty, mismatch};
use crate::{DataError, Result};
use serde_json::{Map, Value as Json};
use std::io::{BufRead, Read};
use std::path::Path;

/// Bytes that a line may have.
const LONGEST: u64 = 16 << 20;

pub(crate) struct JsonLines {
    stream: Stream,
    /// Of the last record.
    line: u64,
    /// The first record, until it is given.
    first: Option<Map<String, Json>>,
    columns: Vec<String>,
    wanted: Vec<usize>,
}

impl JsonLines {
    pub(super) fn open(path: &Path) -> Result<JsonLines> {
        let mut lines = JsonLines { stream: Stream::open(path)?, line: 0, first: None, columns: Vec::new(), wanted: Vec::new() };
        let Some(first) = lines.next()? else {
            return Err(empty(&lines.stream.file, "no lines", "one record"));
        };
        lines.columns = first.keys().cloned().collect();
        lines.first = Some(first);
        Ok(lines)
    }

    pub(super) fn progress(&self) -> Progress {
        self.stream.progress()
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Which columns [`row`](Self::row) gives, in which order.
    pub(super) fn want(&mut self, columns: Vec<usize>) {
        self.wanted = columns;
    }

    /// Calls `each` with the wanted values of the next record; false at the end. A field that a record does not have is missing.
    pub(super) fn row(&mut self, mut each: impl FnMut(usize, Value<'_>) -> Result<(), Refusal>) -> Result<bool> {
        let record = match self.first.take() {
            Some(first) => first,
            None => match self.next()? {
                Some(record) => record,
                None => return Ok(false),
            },
        };
        for (slot, column) in self.wanted.iter().enumerate() {
            let json = self.columns.get(*column).and_then(|name| record.get(name)).unwrap_or(&Json::Null);
            let given = match json {
                Json::Null => each(slot, Value::Missing),
                Json::Bool(v) => each(slot, Value::Boolean(*v)),
                Json::String(text) => each(slot, Value::Text(text.trim().as_bytes())),
                Json::Number(n) => {
                    each(slot, n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap_or(f64::NAN)), Value::Integer))
                }
                Json::Array(_) | Json::Object(_) => Err(Refusal::new("nested values", "a number, a text or a boolean")),
            };
            given.map_err(|why| self.fault(slot, why))?;
        }
        Ok(true)
    }

    /// An error of a value of the last record.
    pub(super) fn fault(&self, slot: usize, why: Refusal) -> DataError {
        let column = self.wanted.get(slot).and_then(|i| self.columns.get(*i)).map_or("", String::as_str);
        Cell { file: &self.stream.file, line: self.line, column }.refuse(why)
    }

    fn next(&mut self) -> Result<Option<Map<String, Json>>> {
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = (&mut self.stream).take(LONGEST).read_until(b'\n', &mut text);
            if read.map_err(|e| self.stream.failed(e))? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if text.len() as u64 == LONGEST {
                let found = format!("no end of line {} in {LONGEST} bytes", self.line);
                return Err(mismatch(&self.stream.file, found, "an object a line"));
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            return match serde_json::from_slice(&text) {
                Ok(record) => Ok(Some(record)),
                Err(_) => Err(mismatch(&self.stream.file, format!("no JSON object in line {}", self.line), "an object a line")),
            };
        }
    }
}
