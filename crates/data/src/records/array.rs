//! Files without column names: NumPy's `.npy` and IDX, plain or gzip. The first dimension counts the records.
//!
//! The lengths in a header are untrusted: they are compared with the schema, and for a plain file with its length,
//! before anything of their size is allocated.

use super::element::Element;
use super::format::extension;
use super::npz::Member;
use super::stream::{Progress, Stream};
use super::value::Value;
use super::{Source, idx, npy};
use crate::error::{Refusal, mismatch, quote};
use crate::schema::MAX_FEATURES;
use crate::{DataError, Result, file};
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a batch of records where columns stand one after the other.
const BATCH: usize = 1 << 20;

/// Bytes of a record.
const LONGEST: usize = 1 << 26;

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
    /// Where columns stand one after the other.
    columnwise: Option<Columnwise>,
}

/// A file whose records are put together from all of its columns, a batch at a time.
struct Columnwise {
    body: Box<dyn Places>,
    /// Of each value of a record, which column of the file it is in.
    places: Vec<u64>,
    /// The batch: so many records, column after column.
    batch: Vec<u8>,
    from: u64,
    rows: u64,
}

trait Places: Read + Seek + Send {}
impl<T: Read + Seek + Send> Places for T {}

/// Where an array is.
enum Body<'a> {
    File(&'a Path),
    Bytes(Arc<[u8]>),
}

impl Body<'_> {
    fn is_npy(&self) -> bool {
        match self {
            Body::File(path) => extension(path) == "npy",
            Body::Bytes(_) => true,
        }
    }
}

impl Arrays {
    /// `names` are the schema's for the columns, the label's last if there is a file for it.
    pub(super) fn open(stream: Stream, source: &Source, names: Vec<String>) -> Result<Arrays> {
        let width = names.len() - usize::from(source.labels.is_some());
        let x = Array::open(&Body::File(&source.path), stream, false, width)?;
        let open = |path: &PathBuf| Array::open(&Body::File(path), Stream::open(path)?, true, 1);
        let y = source.labels.as_ref().map(open).transpose()?;
        Arrays::of(x, y, names)
    }

    /// Those of an archive.
    pub(super) fn of_members(x: Member, y: Option<Member>, names: Vec<String>) -> Result<Arrays> {
        let width = names.len() - usize::from(y.is_some());
        let open = |member: &Member, labels, columns| {
            let stream = Stream::in_memory(&member.name, member.bytes.clone())?;
            Array::open(&Body::Bytes(member.bytes.clone()), stream, labels, columns)
        };
        let x = open(&x, false, width)?;
        let y = y.map(|y| open(&y, true, 1)).transpose()?;
        Arrays::of(x, y, names)
    }

    fn of(x: Array, y: Option<Array>, names: Vec<String>) -> Result<Arrays> {
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
        let mut text = Vec::new();
        for (slot, (array, bytes)) in values.enumerate() {
            let value = array.element.value(bytes, &mut text);
            each(slot, value).map_err(|why| self.fault(slot, why))?;
        }
        Ok(true)
    }

    /// An error of a value of the last record.
    pub(super) fn fault(&self, slot: usize, why: Refusal) -> DataError {
        let array = self.y.as_ref().filter(|_| slot >= self.x.columns).unwrap_or(&self.x);
        DataError::Value {
            file: array.stream.file.clone(),
            record: array.read,
            column: self.names.get(slot).map_or_else(|| slot.to_string(), |n| quote(n)),
            found: why.found,
            expected: why.expected,
        }
    }
}

impl Array {
    fn open(from: &Body<'_>, mut stream: Stream, labels: bool, columns: usize) -> Result<Array> {
        let (file, gzip) = (stream.file.clone(), stream.gzip);
        let mut fortran = false;
        let (shape, element, header) = if from.is_npy() {
            let npy::Header { shape, element, fortran: by_columns, length } = npy::header(&mut stream)?;
            // With one dimension both orders are the same.
            fortran = by_columns && shape.len() > 1;
            (shape, element, length)
        } else if labels {
            let ([count], header) = idx_header(&mut stream, idx::LABELS)?;
            (vec![count], Element::BYTE, header)
        } else {
            let (dims, header) = idx_header::<3>(&mut stream, idx::IMAGES)?;
            (dims.to_vec(), Element::BYTE, header)
        };
        let Some((&records, rest)) = shape.split_first().filter(|(_, rest)| labels || !rest.is_empty()) else {
            return Err(mismatch(&file, format!("an array of shape {shape:?}"), "records x columns"));
        };
        let found = rest.iter().try_fold(1_u64, |n, &d| n.checked_mul(d)).unwrap_or(u64::MAX);
        if found != columns as u64 {
            let expected = if labels { "one label a record".to_string() } else { format!("{columns} columns as in the schema") };
            return Err(mismatch(&file, format!("an array of shape {shape:?}"), expected));
        }
        let mut array = Array { stream, gzip, records, columns, element, header, row: Vec::new(), read: 0, columnwise: None };
        let length = array.stream.progress().get().1;
        if !gzip && u128::from(length) != array.length() {
            return Err(array.wrong_length(format!("{length} bytes")));
        }
        let bytes = array.columns * array.element.size();
        if bytes > LONGEST {
            return Err(mismatch(&array.stream.file, format!("records of {bytes} bytes"), format!("at most {LONGEST}")));
        }
        // At most a record of the schema.
        array.row = vec![0; array.columns * array.element.size()];
        if fortran {
            array.columnwise = Some(array.columnwise(from, rest)?);
        }
        Ok(array)
    }

    /// The same file once more, to be read from any place of it.
    fn columnwise(&self, from: &Body<'_>, rest: &[u64]) -> Result<Columnwise> {
        let body: Box<dyn Places> = match from {
            Body::Bytes(bytes) => Box::new(Cursor::new(bytes.clone())),
            Body::File(path) if self.gzip => {
                let whole = file::inflate(&file::read(path)?, &self.stream.file, file::CAP)?;
                if whole.len() as u128 != self.length() {
                    return Err(self.wrong_length(format!("{} bytes", whole.len())));
                }
                Box::new(Cursor::new(whole))
            }
            Body::File(path) => {
                Box::new(File::open(path).map_err(|source| DataError::Io { file: self.stream.file.clone(), source })?)
            }
        };
        // A record has its values with the last dimension going fastest; in the file the first one does.
        let place = |value: u64| {
            let (mut left, mut index) = (value, vec![0; rest.len()]);
            for (at, size) in index.iter_mut().zip(rest).rev() {
                (*at, left) = (left % size, left / size);
            }
            index.iter().zip(rest).rev().fold(0, |place, (at, size)| place * size + at)
        };
        let places = (0..self.columns as u64).map(place).collect();
        Ok(Columnwise { body, places, batch: Vec::new(), from: 0, rows: 0 })
    }

    /// The next record into `row`; false at the end.
    fn advance(&mut self) -> Result<bool> {
        let size = self.row.len() as u64;
        if let Some(columns) = self.columnwise.as_mut().filter(|_| self.read < self.records) {
            let io = |source| DataError::Io { file: self.stream.file.clone(), source };
            columns.record(self.read, self.records, self.header, self.element.size(), &mut self.row).map_err(io)?;
            self.read += 1;
            self.stream.progress().part(self.read, self.records);
            return Ok(true);
        }
        if self.columnwise.is_some() {
            return Ok(false);
        }
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

impl Columnwise {
    /// Puts a record together.
    fn record(&mut self, at: u64, of: u64, header: u64, size: usize, row: &mut [u8]) -> std::io::Result<()> {
        if at >= self.from + self.rows {
            let most = (BATCH / row.len().max(1)).max(1) as u64;
            (self.from, self.rows) = (at, most.min(of - at));
            let bytes = self.rows as usize * size;
            self.batch.resize(self.places.len() * bytes, 0);
            for (column, out) in self.batch.chunks_exact_mut(bytes).enumerate() {
                // Within the file's length, which was compared with the header.
                self.body.seek(SeekFrom::Start(header + (column as u64 * of + at) * size as u64))?;
                self.body.read_exact(out)?;
            }
        }
        let within = (at - self.from) as usize;
        for (place, out) in self.places.iter().zip(row.chunks_exact_mut(size)) {
            let from = (*place as usize * self.rows as usize + within) * size;
            if let Some(bytes) = self.batch.get(from..from + size) {
                out.copy_from_slice(bytes);
            }
        }
        Ok(())
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
