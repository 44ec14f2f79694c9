//! JSON lines, plain or gzip: an object a line, whose fields are columns. Which there are, the first lines say (a megabyte of them): writers leave
//! out fields without a value. Others are ignored.

use super::cell::Cell;
use super::looks::looks;
use super::stream::{Progress, Stream};
use super::value::Value;
use crate::error::{Refusal, empty, mismatch, quote};
use crate::{DataError, Result};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value as Json};
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::io::{BufRead, Read};
use std::path::Path;

/// Bytes that a line may have.
const LONGEST: u64 = 16 << 20;

/// Bytes of the lines from which the columns' names are taken, and one line at least.
const FIRST: usize = 1 << 20;

pub(crate) struct JsonLines {
    stream: Stream,
    /// Of the last record.
    line: u64,
    /// Bytes that were read.
    bytes: usize,
    /// The first records with their lines, until they are given; the last of them may be none.
    first: VecDeque<(u64, Result<Object>)>,
    columns: Vec<String>,
    wanted: Vec<usize>,
}

impl JsonLines {
    pub(super) fn open(path: &Path) -> Result<JsonLines> {
        let mut stream = Stream::open(path)?;
        if let Some(kind) = looks(stream.peek()?) {
            return Err(mismatch(&stream.file, format!("what looks like {kind}"), "JSON lines, plain or gzip, as the name says"));
        }
        let (first, columns) = (VecDeque::new(), Vec::new());
        let mut lines = JsonLines { stream, line: 0, bytes: 0, first, columns, wanted: Vec::new() };
        let mut known = HashSet::new();
        let mut first = VecDeque::new();
        while let Some(record) = lines.read().transpose() {
            if first.is_empty() && record.is_err() {
                return record.map(|_| lines);
            }
            let ended = record.is_err() || lines.bytes >= FIRST;
            let names = record.iter().flat_map(|record| record.fields.keys());
            lines.columns.extend(names.filter(|name| known.insert((*name).clone())).cloned());
            first.push_back((lines.line, record));
            if ended {
                break;
            }
        }
        if first.is_empty() {
            return Err(empty(&lines.stream.file, "no lines", "one record"));
        }
        (lines.first, lines.line) = (first, 0);
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
        let Some(Object { fields: record, .. }) = self.next()? else { return Ok(false) };
        for (slot, column) in self.wanted.iter().enumerate() {
            let json = self.columns.get(*column).and_then(|name| record.get(name)).unwrap_or(&Json::Null);
            let given = match json {
                Json::Null => each(slot, Value::Missing),
                Json::Bool(v) => each(slot, Value::Boolean(*v)),
                Json::String(text) => each(slot, Value::Text(text.trim().as_bytes())),
                Json::Number(n) => {
                    each(slot, n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap_or(f64::NAN)), Value::Integer))
                }
                Json::Array(_) | Json::Object(_) => each(slot, Value::Nested),
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

    /// The next line that is not blank, as an object: of what comes next, or of what was looked at before.
    fn next(&mut self) -> Result<Option<Object>> {
        match self.first.pop_front() {
            Some((line, record)) => {
                self.line = line;
                record.map(Some)
            }
            None => self.read(),
        }
    }

    fn read(&mut self) -> Result<Option<Object>> {
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = (&mut self.stream).take(LONGEST).read_until(b'\n', &mut text);
            if read.map_err(|e| self.stream.failed(e))? == 0 {
                return Ok(None);
            }
            self.line += 1;
            self.bytes += text.len();
            if text.len() as u64 == LONGEST {
                let found = format!("no end of line {} in {LONGEST} bytes", self.line);
                return Err(mismatch(&self.stream.file, found, "an object a line"));
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            let refuse = |found: String, expected: &str| DataError::Line {
                file: self.stream.file.clone(),
                line: self.line,
                found,
                expected: expected.to_owned(),
            };
            return match serde_json::from_slice::<Object>(&text) {
                Ok(Object { twice: Some(name), .. }) => {
                    Err(refuse(format!("the field {} twice", quote(&name)), "each field of an object once"))
                }
                Ok(object) => Ok(Some(object)),
                Err(e) if e.is_data() => Err(refuse("no JSON object".into(), "an object a line")),
                Err(e) => Err(refuse(format!("no JSON at character {}", e.column()), "an object a line")),
            };
        }
    }
}

/// A record's fields.
struct Object {
    fields: Map<String, Json>,
    /// One that comes more than once, of which nobody can tell what it is.
    twice: Option<String>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Object, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Object, A::Error> {
                let (mut fields, mut twice) = (Map::new(), None);
                while let Some((name, value)) = from.next_entry::<String, Json>()? {
                    if fields.contains_key(&name) {
                        twice = Some(name);
                    } else {
                        fields.insert(name, value);
                    }
                }
                Ok(Object { fields, twice })
            }
        }
        from.deserialize_map(Fields)
    }
}
