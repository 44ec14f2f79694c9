//! Files without column names: NumPy's `.npy` and IDX, plain or gzip. The first dimension counts the records.
//!
//! The lengths in a header are untrusted: they are compared with the schema, and for a plain file with its length,
//! before anything of their size is allocated.

use super::format::extension;
use super::stream::{Progress, Stream};
use super::value::Value;
use super::{Source, idx, npy};
use crate::error::{Refusal, mismatch, quote};
use crate::schema::MAX_FEATURES;
use crate::{DataError, Result};
use std::path::Path;

/// Features, and the labels beside them.
pub(crate) struct Arrays {
    x: Array,
    y: Option<Array>,
    names: Vec<String>,
}

/// One file.
struct Array {
    stream: Stream,
    gzip: bool,
    records: u64,
    columns: usize,
    element: Element,
    /// Bytes of the header.
    header: u64,
    /// One record.
    row: Vec<u8>,
    /// Records read so far.
    read: u64,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    U8,
    I32,
    I64,
    F32,
    F64,
}

impl Element {
    fn size(self) -> usize {
        match self {
            Element::U8 => 1,
            Element::I32 | Element::F32 => 4,
            Element::I64 | Element::F64 => 8,
        }
    }

    fn value(self, bytes: &[u8]) -> Option<Value<'static>> {
        Some(match self {
            Element::U8 => Value::Integer((*bytes.first()?).into()),
            Element::I32 => Value::Integer(i32::from_le_bytes(bytes.try_into().ok()?).into()),
            Element::I64 => Value::Integer(i64::from_le_bytes(bytes.try_into().ok()?)),
            Element::F32 => Value::Float(f32::from_le_bytes(bytes.try_into().ok()?).into()),
            Element::F64 => Value::Float(f64::from_le_bytes(bytes.try_into().ok()?)),
        })
    }
}

impl Arrays {
    /// `names` are the schema's for the columns, the label's last if there is a file for it.
    pub(super) fn open(stream: Stream, source: &Source, names: Vec<String>) -> Result<Arrays> {
        let width = names.len() - usize::from(source.labels.is_some());
        let x = Array::open(&source.path, stream, false, width)?;
        let y = source.labels.as_ref().map(|path| Array::open(path, Stream::open(path)?, true, 1)).transpose()?;
        if let Some(y) = y.as_ref().filter(|y| y.records != x.records) {
            let expected = format!("{} as there are records in {}", x.records, x.stream.file);
            return Err(mismatch(&y.stream.file, format!("{} labels", y.records), expected));
        }
        Ok(Arrays { x, y, names })
    }

    pub(super) fn progress(&self) -> Progress {
        self.x.stream.progress()
    }

    /// Calls `each` with the values of the next record; false at the end.
    pub(super) fn row(&mut self, mut each: impl FnMut(usize, Value<'_>) -> Result<(), Refusal>) -> Result<bool> {
        // Both have as many records; each tells whether more follows its last.
        let more = self.x.advance()?;
        if let Some(y) = &mut self.y {
            y.advance()?;
        }
        if !more {
            return Ok(false);
        }
        let arrays = [Some(&self.x), self.y.as_ref()].into_iter().flatten();
        let values = arrays.flat_map(|a| a.row.chunks_exact(a.element.size()).map(move |bytes| (a, bytes)));
        for (slot, (array, bytes)) in values.enumerate() {
            let value = array.element.value(bytes).unwrap_or(Value::Missing);
            each(slot, value).map_err(|why| DataError::Value {
                file: array.stream.file.clone(),
                record: array.read - 1,
                column: self.names.get(slot).map_or_else(|| slot.to_string(), |n| quote(n)),
                found: why.found,
                expected: why.expected,
            })?;
        }
        Ok(true)
    }
}

impl Array {
    fn open(path: &Path, mut stream: Stream, labels: bool, columns: usize) -> Result<Array> {
        let (file, gzip) = (stream.file.clone(), stream.gzip);
        let (shape, element, header) = if extension(path) == "npy" {
            npy::header(&mut stream)?
        } else if labels {
            let ([count], header) = idx_header(&mut stream, idx::LABELS)?;
            (vec![count], Element::U8, header)
        } else {
            let (dims, header) = idx_header::<3>(&mut stream, idx::IMAGES)?;
            (dims.to_vec(), Element::U8, header)
        };
        let Some((&records, rest)) = shape.split_first().filter(|(_, rest)| labels || !rest.is_empty()) else {
            return Err(mismatch(&file, format!("an array of shape {shape:?}"), "records x columns"));
        };
        let found = rest.iter().try_fold(1_u64, |n, &d| n.checked_mul(d)).unwrap_or(u64::MAX);
        if found != columns as u64 {
            let expected = if labels { "one label a record".to_string() } else { format!("{columns} columns as in the schema") };
            return Err(mismatch(&file, format!("an array of shape {shape:?}"), expected));
        }
        let mut array = Array { stream, gzip, records, columns, element, header, row: Vec::new(), read: 0 };
        let length = array.stream.progress().get().1;
        if !gzip && u128::from(length) != array.length() {
            return Err(array.wrong_length(format!("{length} bytes")));
        }
        // At most a record of the schema.
        array.row = vec![0; array.columns * array.element.size()];
        Ok(array)
    }

    /// The next record into `row`; false at the end.
    fn advance(&mut self) -> Result<bool> {
        let size = self.row.len() as u64;
        if self.read == self.records {
            if !self.stream.peek()?.is_empty() {
                return Err(self.wrong_length(format!("more than {} bytes", self.length())));
            }
            return Ok(false);
        }
        let n = self.stream.fill(&mut self.row)?;
        if n < self.row.len() {
            return Err(self.wrong_length(format!("{} bytes", self.header + self.read * size + n as u64)));
        }
        self.read += 1;
        Ok(true)
    }

    /// Bytes that the header implies.
    fn length(&self) -> u128 {
        u128::from(self.header) + u128::from(self.records) * (self.columns * self.element.size()) as u128
    }

    fn wrong_length(&self, found: String) -> DataError {
        DataError::Length { file: self.stream.file.clone(), found, expected: self.length(), gzip: self.gzip }
    }
}

/// Pixels of an image in a file of IDX images, plain or gzip.
///
/// # Errors
/// The file cannot be read, does not begin as such a file does, or has larger images than a schema takes.
pub fn idx_pixels(path: &Path) -> Result<usize> {
    let ([_, height, width], _) = idx_header::<3>(&mut Stream::open(path)?, idx::IMAGES)?;
    // Two factors of 32 bits.
    match usize::try_from(height * width) {
        Ok(pixels) if pixels <= MAX_FEATURES => Ok(pixels),
        _ => {
            let (found, expected) = (format!("images of {height}x{width}"), format!("at most {MAX_FEATURES} pixels"));
            Err(mismatch(&path.display().to_string(), found, expected))
        }
    }
}

/// The dimensions, and the header's length.
fn idx_header<const D: usize>(stream: &mut Stream, magic: (u32, &'static str)) -> Result<([u64; D], u64)> {
    let mut header = vec![0; 4 + 4 * D];
    let n = stream.fill(&mut header)?;
    let dims = idx::parse_header::<D>(&header[..n], &stream.file, magic, stream.gzip)?;
    Ok((dims, n as u64))
}
