//! Parquet: flat columns of booleans (0 and 1), integers, floating-point numbers and texts. Columns are found by their
//! names; others are not read. Pages may be compressed with Snappy or Zstandard.
//!
//! A batch of records at a time is decoded, so that memory holds a page of each column, whatever the number of records.

use super::stream::Progress;
use super::value::Value;
use crate::error::{Refusal, mismatch, quote};
use crate::{DataError, Result};
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{BoolType, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

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
}

impl Parquet {
    pub(super) fn open(path: &Path) -> Result<Parquet> {
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
                return Err(mismatch(&self.file, found, "booleans, integers, floats, doubles or texts, not nested"));
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
                record: self.record,
                column: quote(&self.columns[self.wanted[slot]]),
                found: why.found,
                expected: why.expected,
            })?;
        }
        self.at += 1;
        self.record += 1;
        Ok(true)
    }

    /// Decodes the next batch; false at the end of the file.
    fn batch(&mut self) -> Result<bool> {
        while self.left == 0 {
            if self.group == self.reader.num_row_groups() {
                if self.record != self.records {
                    let found = format!("{} records in its row groups", self.record);
                    return Err(mismatch(&self.file, found, format!("{} as its footer says", self.records)));
                }
                return Ok(false);
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
    let logical = c.logical_type_ref();
    let plain = match c.physical_type() {
        Type::BOOLEAN | Type::FLOAT | Type::DOUBLE => true,
        Type::INT32 | Type::INT64 => {
            matches!(logical, None | Some(LogicalType::Integer(_)))
                && (matches!(c.converted_type(), ConvertedType::NONE | ConvertedType::INT_8 | ConvertedType::INT_16)
                    || matches!(c.converted_type(), ConvertedType::INT_32 | ConvertedType::INT_64)
                    || unsigned(c))
        }
        Type::BYTE_ARRAY => {
            matches!(logical, None | Some(LogicalType::String | LogicalType::Enum))
                && matches!(c.converted_type(), ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM)
        }
        Type::INT96 | Type::FIXED_LEN_BYTE_ARRAY => false,
    };
    let name = logical.map_or_else(|| format!("{:?}", c.converted_type()), |l| format!("{l:?}"));
    (!plain).then(|| format!("values of type {:?} ({name})", c.physical_type()))
}

fn unsigned(c: &ColumnDescriptor) -> bool {
    use ConvertedType::{UINT_8, UINT_16, UINT_32, UINT_64};
    matches!(c.converted_type(), UINT_8 | UINT_16 | UINT_32 | UINT_64)
}

/// One column of a row group.
enum Leaf {
    Bool(Typed<BoolType>),
    Int(Typed<Int32Type>),
    Unsigned(Typed<Int32Type>),
    Long(Typed<Int64Type>),
    UnsignedLong(Typed<Int64Type>),
    Float(Typed<FloatType>),
    Double(Typed<DoubleType>),
    Text(Typed<ByteArrayType>),
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
        match reader {
            ColumnReader::BoolColumnReader(r) => Leaf::Bool(Typed::new(r)),
            ColumnReader::Int32ColumnReader(r) if unsigned(column) => Leaf::Unsigned(Typed::new(r)),
            ColumnReader::Int32ColumnReader(r) => Leaf::Int(Typed::new(r)),
            ColumnReader::Int64ColumnReader(r) if unsigned(column) => Leaf::UnsignedLong(Typed::new(r)),
            ColumnReader::Int64ColumnReader(r) => Leaf::Long(Typed::new(r)),
            ColumnReader::FloatColumnReader(r) => Leaf::Float(Typed::new(r)),
            ColumnReader::DoubleColumnReader(r) => Leaf::Double(Typed::new(r)),
            ColumnReader::ByteArrayColumnReader(r) => Leaf::Text(Typed::new(r)),
            ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => Leaf::Other,
        }
    }

    /// Decodes up to `rows` records.
    fn read(&mut self, rows: usize) -> Result<usize, ParquetError> {
        match self {
            Leaf::Bool(t) => t.read(rows),
            Leaf::Int(t) | Leaf::Unsigned(t) => t.read(rows),
            Leaf::Long(t) | Leaf::UnsignedLong(t) => t.read(rows),
            Leaf::Float(t) => t.read(rows),
            Leaf::Double(t) => t.read(rows),
            Leaf::Text(t) => t.read(rows),
            Leaf::Other => Ok(0),
        }
    }

    /// Each record once, in order.
    fn value(&mut self, record: usize, take: impl FnOnce(Value<'_>) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let value = match self {
            Leaf::Bool(t) => t.value(record).map(|&v| Value::Integer(v.into())),
            Leaf::Int(t) => t.value(record).map(|&v| Value::Integer(v.into())),
            Leaf::Unsigned(t) => t.value(record).map(|&v| Value::Integer((v as u32).into())),
            Leaf::Long(t) => t.value(record).map(|&v| Value::Integer(v)),
            // Above i64, a number is all that it can be.
            Leaf::UnsignedLong(t) => {
                t.value(record).map(|&v| i64::try_from(v as u64).map_or(Value::Float(v as u64 as f64), Value::Integer))
            }
            Leaf::Float(t) => t.value(record).map(|&v| Value::Float(v.into())),
            Leaf::Double(t) => t.value(record).map(|&v| Value::Float(v)),
            Leaf::Text(t) => t.value(record).map(|v| Value::Text(v.data().trim_ascii())),
            Leaf::Other => None,
        };
        take(value.unwrap_or(Value::Missing))
    }
}
