//! Parquet: flat columns of booleans, integers, floating-point and decimal numbers, dates and texts. Columns are found by their
//! names; others are not read. Pages may be compressed with Snappy, gzip, LZ4, Brotli or Zstandard. A folder of such files is one
//! table, in the order of their names.
//!
//! A batch of records at a time is decoded, so that memory holds a page of each column, whatever the number of records.

use super::format::find;
use super::stream::Progress;
use super::value::{Value, date};
use crate::error::{Refusal, empty, mismatch, quote};
use crate::{DataError, Result};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
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
    pub(super) fn want(&mut self, columns: Vec<usize>) -> Result<()> {
        for &i in &columns {
            let column = self.reader.metadata().file_metadata().schema_descr().column(i);
            if let Some(found) = unreadable(&column) {
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
        for (slot, leaf) in self.leaves.iter_mut().enumerate() {
            leaf.value(self.at, |value| each(slot, value)).map_err(|why| DataError::Value {
                file: self.file.clone(),
                record: self.record + 1,
                column: quote(&self.columns[self.wanted[slot]]),
                found: why.found,
                expected: why.expected,
            })?;
        }
        self.at += 1;
        self.record += 1;
        Ok(true)
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

/// What keeps a column from being read.
fn unreadable(c: &ColumnDescriptor) -> Option<String> {
    if c.path().parts().len() != 1 || c.max_rep_level() != 0 || c.max_def_level() > 1 {
        return Some("nested values".to_string());
    }
    let name = c.logical_type_ref().map_or_else(|| format!("{:?}", c.converted_type()), |l| format!("{l:?}"));
    meaning(c).is_none().then(|| format!("values of type {:?} ({name})", c.physical_type()))
}

/// What a column's integers or bytes stand for.
#[derive(Clone, Copy, PartialEq)]
enum Meaning {
    Plain,
    Unsigned,
    /// So many digits behind the point.
    Decimal(u8),
    /// Days since 1970, or so many to a day.
    Date(i64),
    /// Two bytes.
    Half,
}

/// None for what is not read.
fn meaning(c: &ColumnDescriptor) -> Option<Meaning> {
    use ConvertedType as Old;
    let logical = c.logical_type_ref();
    let decimal = matches!(logical, Some(LogicalType::Decimal(_))) || c.converted_type() == Old::DECIMAL;
    let scale = || u8::try_from(c.type_scale()).ok().filter(|scale| *scale <= 38).map(Meaning::Decimal);
    match c.physical_type() {
        Type::BOOLEAN | Type::FLOAT | Type::DOUBLE => Some(Meaning::Plain),
        Type::INT32 | Type::INT64 if decimal => scale(),
        Type::INT32 if matches!(logical, Some(LogicalType::Date)) || c.converted_type() == Old::DATE => Some(Meaning::Date(1)),
        Type::INT64 if matches!(logical, Some(LogicalType::Timestamp(_))) || is_timestamp(c.converted_type()) => {
            let second = match logical {
                Some(LogicalType::Timestamp(t)) => match t.unit {
                    TimeUnit::MILLIS => 1_000,
                    TimeUnit::MICROS => 1_000_000,
                    TimeUnit::NANOS => 1_000_000_000,
                },
                _ if c.converted_type() == Old::TIMESTAMP_MILLIS => 1_000,
                _ => 1_000_000,
            };
            Some(Meaning::Date(86_400 * second))
        }
        Type::INT32 | Type::INT64 => {
            let integer = matches!(logical, None | Some(LogicalType::Integer(_)));
            let signed = matches!(c.converted_type(), Old::NONE | Old::INT_8 | Old::INT_16 | Old::INT_32 | Old::INT_64);
            let plain = if unsigned(c) { Meaning::Unsigned } else { Meaning::Plain };
            (integer && (signed || unsigned(c))).then_some(plain)
        }
        Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY if decimal => scale().filter(|_| c.type_length() <= 16),
        Type::BYTE_ARRAY => {
            let text = matches!(logical, None | Some(LogicalType::String | LogicalType::Enum | LogicalType::Json))
                && matches!(c.converted_type(), Old::NONE | Old::UTF8 | Old::ENUM | Old::JSON);
            text.then_some(Meaning::Plain)
        }
        Type::FIXED_LEN_BYTE_ARRAY => {
            (matches!(logical, Some(LogicalType::Float16)) && c.type_length() == 2).then_some(Meaning::Half)
        }
        Type::INT96 => None,
    }
}

fn is_timestamp(t: ConvertedType) -> bool {
    matches!(t, ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS)
}

fn unsigned(c: &ColumnDescriptor) -> bool {
    use ConvertedType::{UINT_8, UINT_16, UINT_32, UINT_64};
    matches!(c.converted_type(), UINT_8 | UINT_16 | UINT_32 | UINT_64)
}

/// One column of a row group.
enum Leaf {
    Bool(Typed<BoolType>),
    Int(Typed<Int32Type>, Meaning),
    Long(Typed<Int64Type>, Meaning),
    Float(Typed<FloatType>),
    Double(Typed<DoubleType>),
    Bytes(Typed<ByteArrayType>, Meaning),
    Fixed(Typed<FixedLenByteArrayType>, Meaning),
    /// Refused before.
    Other,
}

struct Typed<T: DataType> {
    reader: ColumnReaderImpl<T>,
    /// Of the batch, nulls left out.
    values: Vec<T::T>,
    next: usize,
    /// Per record: 0 for a null. Empty where a column cannot have any.
    present: Vec<i16>,
}

impl<T: DataType> Typed<T> {
    fn new(reader: ColumnReaderImpl<T>) -> Typed<T> {
        Typed { reader, values: Vec::new(), next: 0, present: Vec::new() }
    }

    fn read(&mut self, rows: usize) -> Result<usize, ParquetError> {
        self.values.clear();
        self.present.clear();
        self.next = 0;
        let (records, _, _) = self.reader.read_records(rows, Some(&mut self.present), None, &mut self.values)?;
        Ok(records)
    }

    fn value(&mut self, record: usize) -> Option<&T::T> {
        if self.present.get(record) == Some(&0) {
            return None;
        }
        self.next += 1;
        self.values.get(self.next - 1)
    }
}

impl Leaf {
    fn new(reader: ColumnReader, column: &ColumnDescriptor) -> Leaf {
        let Some(meaning) = meaning(column) else { return Leaf::Other };
        match reader {
            ColumnReader::BoolColumnReader(r) => Leaf::Bool(Typed::new(r)),
            ColumnReader::Int32ColumnReader(r) => Leaf::Int(Typed::new(r), meaning),
            ColumnReader::Int64ColumnReader(r) => Leaf::Long(Typed::new(r), meaning),
            ColumnReader::FloatColumnReader(r) => Leaf::Float(Typed::new(r)),
            ColumnReader::DoubleColumnReader(r) => Leaf::Double(Typed::new(r)),
            ColumnReader::ByteArrayColumnReader(r) => Leaf::Bytes(Typed::new(r), meaning),
            ColumnReader::FixedLenByteArrayColumnReader(r) => Leaf::Fixed(Typed::new(r), meaning),
            ColumnReader::Int96ColumnReader(_) => Leaf::Other,
        }
    }

    /// Decodes up to `rows` records.
    fn read(&mut self, rows: usize) -> Result<usize, ParquetError> {
        match self {
            Leaf::Bool(t) => t.read(rows),
            Leaf::Int(t, _) => t.read(rows),
            Leaf::Long(t, _) => t.read(rows),
            Leaf::Float(t) => t.read(rows),
            Leaf::Double(t) => t.read(rows),
            Leaf::Bytes(t, _) => t.read(rows),
            Leaf::Fixed(t, _) => t.read(rows),
            Leaf::Other => Ok(0),
        }
    }

    /// Each record once, in order.
    fn value(&mut self, record: usize, take: impl FnOnce(Value<'_>) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let value = match self {
            Leaf::Bool(t) => t.value(record).map(|&v| Value::Boolean(v)),
            Leaf::Int(t, Meaning::Unsigned) => t.value(record).map(|&v| Value::Integer((v as u32).into())),
            Leaf::Int(t, meaning) => t.value(record).map(|&v| number(v.into(), *meaning)),
            // Above i64, a number is all that it can be.
            Leaf::Long(t, Meaning::Unsigned) => {
                t.value(record).map(|&v| i64::try_from(v as u64).map_or(Value::Float(v as u64 as f64), Value::Integer))
            }
            Leaf::Long(t, meaning) => t.value(record).map(|&v| number(v, *meaning)),
            Leaf::Float(t) => t.value(record).map(|&v| Value::Float(v.into())),
            Leaf::Double(t) => t.value(record).map(|&v| Value::Float(v)),
            Leaf::Bytes(t, Meaning::Decimal(scale)) => t.value(record).map(|v| decimal(v.data(), *scale)),
            Leaf::Bytes(t, _) => t.value(record).map(|v| Value::Text(v.data().trim_ascii())),
            Leaf::Fixed(t, Meaning::Decimal(scale)) => t.value(record).map(|v| decimal(v.data(), *scale)),
            Leaf::Fixed(t, _) => t.value(record).map(|v| {
                let bits = v.data().try_into().map_or(0, u16::from_le_bytes);
                Value::Float(half::f16::from_bits(bits).into())
            }),
            Leaf::Other => None,
        };
        take(value.unwrap_or(Value::Missing))
    }
}

fn number(v: i64, meaning: Meaning) -> Value<'static> {
    match meaning {
        Meaning::Decimal(scale) => scaled(v.into(), scale),
        Meaning::Date(units) => date(v, units),
        Meaning::Plain | Meaning::Unsigned | Meaning::Half => Value::Integer(v),
    }
}

/// Big-endian, in two's complement.
fn decimal(bytes: &[u8], scale: u8) -> Value<'static> {
    if bytes.len() > 16 {
        return Value::Float(f64::NAN);
    }
    let sign = if bytes.first().is_some_and(|b| b >> 7 == 1) { -1 } else { 0 };
    scaled(bytes.iter().fold(sign, |v: i128, b| v << 8 | i128::from(*b)), scale)
}

/// Both are exact below 2^53 and 10^22, so that the quotient is the number next to what is written.
fn scaled(v: i128, scale: u8) -> Value<'static> {
    match i64::try_from(v) {
        Ok(v) if scale == 0 => Value::Integer(v),
        _ => Value::Float(v as f64 / 10_f64.powi(scale.into())),
    }
}
