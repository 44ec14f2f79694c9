//! A column of a Parquet file: which types are read, what their integers and bytes stand for, and the values of a batch of records, one after
//! the other.

use crate::error::Refusal;
use crate::records::value::{Value, date, scaled};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescriptor;

/// What keeps a column from being read.
pub(super) fn unreadable(c: &ColumnDescriptor) -> Option<String> {
    if c.path().parts().len() != 1 || c.max_rep_level() != 0 || c.max_def_level() > 1 {
        return Some("nested values".to_string());
    }
    if matches!(c.logical_type_ref(), Some(LogicalType::Time(_))) {
        return Some("times of day".to_string());
    }
    let name = c.logical_type_ref().map_or_else(|| format!("{:?}", c.converted_type()), |l| format!("{l:?}"));
    meaning(c).is_none().then(|| format!("values of type {:?} ({name})", c.physical_type()))
}

/// What a column's integers or bytes stand for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Meaning {
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
pub(super) enum Leaf {
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

pub(super) struct Typed<T: DataType> {
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
    pub(super) fn new(reader: ColumnReader, column: &ColumnDescriptor) -> Leaf {
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
    pub(super) fn read(&mut self, rows: usize) -> Result<usize, ParquetError> {
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
    pub(super) fn value(&mut self, record: usize, take: impl FnOnce(Value<'_>) -> Result<(), Refusal>) -> Result<(), Refusal> {
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
