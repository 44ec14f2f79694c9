//! Arrow's files: a schema, dictionaries, and batches of records as messages one after another, alone (the stream format) or between magic
//! numbers and before a footer that says where they are (the file format, which is Feather's second version). Columns are found by their
//! names; others are not read.
//!
//! Memory holds the wanted columns of one batch. What a message says of places and lengths is held to the file before anything is read.
//!
//! This reader is the project's own: `arrow-ipc` and the crates that it needs take 60 seconds of a processor in a release build.

use super::flat::Table;
use super::schema::{Extent, Field, fields};
use super::unpack::{Codec, unpack};
use super::{Chunks, Column, Kind};
use crate::error::{Refusal, mismatch, quote};
use crate::records::stream::Progress;
use crate::records::value::Value;
use crate::{DataError, Result};
use bytes::Bytes;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

const MAGIC: &[u8; 6] = b"ARROW1";

/// Bytes of a message without its buffers, at most.
const MESSAGE: usize = 1 << 28;

pub(crate) struct Ipc {
    file: String,
    handle: File,
    progress: Progress,
    /// The next message, and where there is none any more.
    next: u64,
    end: u64,
    /// Where the dictionaries and then the batches are, where a footer says so: writers differ in what else they put between them.
    blocks: Option<std::vec::IntoIter<u64>>,
    fields: Vec<Field>,
    columns: Vec<String>,
    wanted: Vec<usize>,
    dictionaries: HashMap<i64, Arc<Chunks>>,
    /// Of this batch: the wanted columns, the next record, and the end.
    batch: Vec<Column>,
    at: usize,
    rows: usize,
    record: u64,
}

/// A message, and the buffers behind it: where they begin, and their bytes.
struct Message {
    bytes: Vec<u8>,
    body: [u64; 2],
}

/// Whether this is such a file by its name.
pub(crate) fn is_ipc(path: &Path) -> bool {
    path.extension().is_some_and(|end| ["arrow", "arrows", "feather", "ipc"].iter().any(|name| end.eq_ignore_ascii_case(name)))
}

impl Ipc {
    pub(crate) fn open(path: &Path) -> Result<Ipc> {
        let file = path.display().to_string();
        let io = |source| DataError::Io { file: file.clone(), source };
        let handle = File::open(path).map_err(io)?;
        let all = handle.metadata().map_err(io)?.len();
        let mut ipc = Ipc {
            file: file.clone(),
            handle,
            progress: Progress::of(all),
            next: 0,
            end: all,
            blocks: None,
            fields: Vec::new(),
            columns: Vec::new(),
            wanted: Vec::new(),
            dictionaries: HashMap::new(),
            batch: Vec::new(),
            at: 0,
            rows: 0,
            record: 0,
        };
        let head = ipc.bytes(0, all.min(8) as usize)?;
        if head.starts_with(b"FEA1") {
            return Err(mismatch(&file, "Feather of the first version", "Arrow IPC, which is its second version"));
        }
        if head.starts_with(MAGIC) {
            ipc.footer(all)?;
        } else {
            let message = ipc.message()?.ok_or_else(|| ipc.broken("no schema"))?;
            ipc.fields = message.schema().ok_or_else(|| ipc.broken("no schema that can be read"))?;
        }
        ipc.columns = ipc.fields.iter().map(|field| field.name.clone()).collect();
        Ok(ipc)
    }

    /// Takes the columns and the places of all messages from a file's footer.
    fn footer(&mut self, all: u64) -> Result<()> {
        let tail = self.bytes(all.saturating_sub(10), all.min(10) as usize)?;
        let len = tail.first_chunk().map_or(-1, |len| i32::from_le_bytes(*len));
        let end = u64::try_from(len).ok().and_then(|len| all.checked_sub(10 + len)).filter(|end| *end >= 8);
        let end = end.filter(|_| tail.ends_with(MAGIC)).ok_or_else(|| self.broken("no footer at its end"))?;
        let footer = self.bytes(end, (all - 10 - end) as usize)?;
        let read = || {
            let root = Table::root(&footer)?;
            let mut blocks = Vec::new();
            for all in [root.vector(2)?, root.vector(3)?] {
                for i in 0..all.len() {
                    blocks.push(all.words::<1>(i, 3)?[0] as u64);
                }
            }
            Some((columns(root.table(1)?, root.number::<2>(0, 0)?, footer.len())?, blocks))
        };
        let (fields, blocks) = read().ok_or_else(|| self.broken("a footer that cannot be read"))?;
        (self.fields, self.blocks, self.end) = (fields, Some(blocks.into_iter()), end);
        Ok(())
    }

    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Which columns [`row`](Self::row) gives, in which order.
    ///
    /// # Errors
    /// A column of a type that is not read.
    /// Why a column cannot be read, if so.
    pub(crate) fn unread(&self, column: usize) -> Option<String> {
        self.fields.get(column)?.kind.err().map(str::to_owned)
    }

    pub(crate) fn want(&mut self, columns: Vec<usize>) -> Result<()> {
        for &i in &columns {
            if let (Some(found), Some(field)) = (self.unread(i), self.fields.get(i)) {
                let found = format!("column {} with {found}", quote(&field.name));
                return Err(mismatch(&self.file, found, "booleans, numbers, dates or texts, not nested"));
            }
        }
        self.wanted = columns;
        Ok(())
    }

    /// Calls `each` with the wanted values of the next record; false at the end.
    pub(crate) fn row(&mut self, mut each: impl FnMut(usize, Value<'_>) -> Result<(), Refusal>) -> Result<bool> {
        while self.at == self.rows {
            if !self.advance()? {
                return Ok(false);
            }
        }
        let at = self.at;
        self.at += 1;
        self.record += 1;
        for (slot, column) in self.batch.iter().enumerate() {
            column.get(at).and_then(|value| each(slot, value)).map_err(|why| self.fault(slot, why))?;
        }
        Ok(true)
    }

    /// An error of a value of the last record.
    pub(crate) fn fault(&self, slot: usize, why: Refusal) -> DataError {
        let column = self.wanted.get(slot).and_then(|i| self.columns.get(*i)).map_or_else(String::new, |name| quote(name));
        DataError::Value { file: self.file.clone(), record: self.record, column, found: why.found, expected: why.expected }
    }

    /// Takes the next message; false at the end of the file.
    fn advance(&mut self) -> Result<bool> {
        let Some(message) = self.message()? else {
            return Ok(false);
        };
        let contradicts = || self.broken("a message that contradicts itself");
        let root = Table::root(&message.bytes).ok_or_else(contradicts)?;
        let header = root.table(2).ok_or_else(contradicts)?;
        match root.number::<1>(1, 0) {
            Some(2) => self.dictionary(header, message.body)?,
            Some(3) => {
                let all: Vec<Field> = std::mem::take(&mut self.fields);
                let read = self.records(header, message.body, &all);
                self.fields = all;
                (self.batch, self.rows) = read?;
                self.at = 0;
            }
            _ => return Err(self.broken("neither records nor a dictionary")),
        }
        self.progress.part(self.next, self.end);
        Ok(true)
    }

    fn dictionary(&mut self, header: Table<'_>, body: [u64; 2]) -> Result<()> {
        let parts = || Some((header.number::<8>(0, 0)?, header.table(1)?, header.number::<1>(2, 0)? != 0));
        let (id, data, more) = parts().ok_or_else(|| self.broken("a dictionary that contradicts itself"))?;
        let by = |i: &usize| {
            let field = self.fields.get(*i)?;
            field.dictionary.filter(|by| by.id == id).and(field.kind.ok())
        };
        let Some(kind) = self.wanted.iter().find_map(by) else { return Ok(()) };
        let mut batch = Batch::new(self, data, body)?;
        let column = batch.column(self, kind, None)?;
        let mut chunks = self.dictionaries.remove(&id).filter(|_| more).map_or_else(Chunks::default, |old| (*old).clone());
        chunks.push(column);
        self.dictionaries.insert(id, Arc::new(chunks));
        Ok(())
    }

    /// The wanted columns of a batch, and its records.
    fn records(&mut self, header: Table<'_>, body: [u64; 2], fields: &[Field]) -> Result<(Vec<Column>, usize)> {
        let mut batch = Batch::new(self, header, body)?;
        let mut columns: Vec<Option<Column>> = self.wanted.iter().map(|_| None).collect();
        let slots: HashMap<usize, usize> = self.wanted.iter().enumerate().map(|(slot, i)| (*i, slot)).collect();
        for (i, field) in fields.iter().enumerate() {
            let (Some(slot), Ok(kind)) = (slots.get(&i), field.kind) else {
                batch.skip(self, field.extent)?;
                continue;
            };
            let column = match field.dictionary {
                None => batch.column(self, kind, None)?,
                Some(by) => {
                    let none = || self.broken("a column without its dictionary");
                    let values = self.dictionaries.get(&by.id).cloned().ok_or_else(none)?;
                    batch.column(self, by.places, Some(values))?
                }
            };
            columns[*slot] = Some(column);
        }
        Ok((columns.into_iter().flatten().collect(), batch.rows))
    }

    /// The next message; none at the end.
    fn message(&mut self) -> Result<Option<Message>> {
        match &mut self.blocks {
            Some(blocks) => match blocks.next() {
                Some(place) => self.next = place,
                None => return Ok(None),
            },
            // A stream may just end.
            None if self.next == self.end => return Ok(None),
            None => {}
        }
        let head = self.within(self.next, 8)?;
        let (Some(mark), Some(len)) = (head.first_chunk::<4>(), head.last_chunk::<4>()) else { return Ok(None) };
        if mark != &[0xff; 4] {
            return Err(self.broken("no message where one begins"));
        }
        let len = i32::from_le_bytes(*len);
        if len == 0 && self.blocks.is_none() {
            return Ok(None);
        }
        let len = usize::try_from(len).ok().filter(|len| *len <= MESSAGE).ok_or_else(|| self.broken("a message without end"))?;
        let bytes = self.within(self.next.saturating_add(8), len)?;
        let body = Table::root(&bytes).and_then(|root| u64::try_from(root.number::<8>(3, 0)?).ok());
        let body = body.ok_or_else(|| self.broken("a message that cannot be read"))?;
        let from = self.next + 8 + len as u64;
        self.next = from.checked_add(body).filter(|next| *next <= self.end).ok_or_else(|| self.broken("a message cut short"))?;
        Ok(Some(Message { bytes, body: [from, body] }))
    }

    /// Bytes of the messages.
    fn within(&mut self, from: u64, len: usize) -> Result<Vec<u8>> {
        if from.checked_add(len as u64).is_none_or(|to| to > self.end) {
            return Err(self.broken("a message cut short"));
        }
        self.bytes(from, len)
    }

    fn bytes(&mut self, from: u64, len: usize) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(len);
        let mut read = || {
            self.handle.seek(SeekFrom::Start(from))?;
            (&mut self.handle).take(len as u64).read_to_end(&mut out)
        };
        match read() {
            Ok(found) if found == len => Ok(out),
            Ok(_) => Err(self.broken("an end before its end")),
            Err(source) => Err(DataError::Io { file: self.file.clone(), source }),
        }
    }

    fn broken(&self, why: &str) -> DataError {
        mismatch(&self.file, format!("broken Arrow ({why})"), "a whole file or stream of Arrow IPC, with little-endian numbers")
    }
}

impl Message {
    /// Its columns, if it is a schema of numbers as this reader has them.
    fn schema(&self) -> Option<Vec<Field>> {
        let root = Table::root(&self.bytes)?;
        let schema = root.table(2).filter(|_| root.number::<1>(1, 0) == Some(1))?;
        columns(schema, root.number::<2>(0, 0)?, self.bytes.len())
    }
}

/// The columns of a schema within so many bytes, if its numbers are little-endian.
fn columns(schema: Table<'_>, version: i64, bytes: usize) -> Option<Vec<Field>> {
    (schema.number::<2>(0, 0)? == 0).then(|| fields(schema, version, bytes))?
}

/// A batch whose columns are taken one after the other.
struct Batch<'a> {
    header: Table<'a>,
    body: [u64; 2],
    codec: Codec,
    rows: usize,
    /// What was taken.
    done: Extent,
    /// Bytes that may still be read: buffers do not overlap, so that no column is there more than once.
    left: u64,
}

impl<'a> Batch<'a> {
    fn new(ipc: &Ipc, header: Table<'a>, body: [u64; 2]) -> Result<Batch<'a>> {
        let codec = match header.table(3) {
            None => Some(Codec::Plain),
            Some(by) => match (by.number::<1>(0, 0), by.number::<1>(1, 0)) {
                (Some(0), Some(0)) => Some(Codec::Lz4),
                (Some(1), Some(0)) => Some(Codec::Zstd),
                _ => None,
            },
        };
        let codec = codec.ok_or_else(|| ipc.broken("a compression that is not known"))?;
        let rows = header.number::<8>(0, 0).and_then(|rows| usize::try_from(rows).ok());
        let rows = rows.ok_or_else(|| ipc.broken("a batch of no known length"))?;
        Ok(Batch { header, body, codec, rows, done: Extent::default(), left: body[1] })
    }

    fn views(&self, ipc: &Ipc) -> Result<usize> {
        let counts = || Some(self.header.vector(4)?.words::<1>(self.done.views, 1)?[0]);
        counts().ok_or_else(|| ipc.broken("texts without their number of buffers"))
    }

    fn skip(&mut self, ipc: &Ipc, extent: Extent) -> Result<()> {
        for _ in 0..extent.views {
            let more = self.views(ipc)?;
            self.done.buffers = self.done.buffers.saturating_add(more);
            self.done.views += 1;
        }
        self.done += Extent { views: 0, ..extent };
        Ok(())
    }

    fn column(&mut self, ipc: &mut Ipc, kind: Kind, dictionary: Option<Arc<Chunks>>) -> Result<Column> {
        let node = || self.header.vector(1)?.words::<2>(self.done.nodes, 2);
        let node = node().filter(|[rows, _]| *rows == self.rows);
        let [_, nulls] = node.ok_or_else(|| ipc.broken("a column that is not as long as its batch"))?;
        self.done.nodes += 1;
        let mut valid = None;
        let mut buffers = Vec::new();
        if kind != Kind::Null {
            let bits = self.buffer(ipc)?;
            if nulls > 0 && self.rows > 0 {
                valid = Some((bits, 0));
            }
            let mut more = usize::from(matches!(kind, Kind::Text { .. }));
            if kind == Kind::View {
                more = self.views(ipc)?;
                self.done.views += 1;
            }
            buffers.push(self.buffer(ipc)?);
            for _ in 0..more {
                buffers.push(self.buffer(ipc)?);
            }
        }
        let column = Column::new(kind, [0, self.rows], valid, buffers, dictionary);
        column.ok_or_else(|| ipc.broken("a column with fewer values than its batch has records"))
    }

    fn buffer(&mut self, ipc: &mut Ipc) -> Result<Bytes> {
        let place = || self.header.vector(2)?.words::<2>(self.done.buffers, 2).map(|place| place.map(|v| v as u64));
        let [from, len] = place().ok_or_else(|| ipc.broken("a batch with too few buffers"))?;
        self.done.buffers += 1;
        let inside = from.checked_add(len).is_some_and(|to| to <= self.body[1]);
        let left = self.left.checked_sub(len).filter(|_| inside);
        self.left = left.ok_or_else(|| ipc.broken("buffers beyond their batch, or over one another"))?;
        let packed = ipc.bytes(self.body[0] + from, len as usize)?;
        unpack(self.codec, packed).map_err(|why| ipc.broken(&why))
    }
}
