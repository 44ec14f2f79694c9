//! Records of whatever lends its columns by Arrow's C interface: data frames of pandas and polars, tables of pyarrow, what DuckDB answers. Their
//! buffers are read where they are, and given back when nothing reads them any more.

// `unsafe` takes what another library of this process lends, as the interface has it.
#![allow(unsafe_code)]

use crate::errors::exception;
use arrow_array::array::ArrayRef;
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::{Array, RecordBatchReader};
use arrow_data::ArrayData;
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use std::sync::Arc;
use trefoil_data::records::Cells;
use trefoil_data::records::arrow::{Chunks, Column, Kind};
use trefoil_job::Error;

/// The names of the columns, the number of records, and the columns, of a capsule with a stream of batches.
pub fn columns(capsule: &Bound<'_, PyCapsule>) -> PyResult<(Vec<String>, usize, Vec<Cells>)> {
    let py = capsule.py();
    let stream = capsule.pointer_checked(Some(c"arrow_array_stream"))?.cast::<FFI_ArrowArrayStream>();
    let refused = |found: String| exception(py, &Error::config("records", found, "a table with columns, by Arrow's C interface"));
    // SAFETY: a capsule of this name holds such a stream. It is moved out of it, and marked as moved there.
    let reader = unsafe { RecordBatchStreamReader::from_raw(stream.as_ptr()) }.map_err(|e| refused(e.to_string()))?;
    // Who makes the batches may need the interpreter for it, on another thread.
    py.detach(|| read(reader)).map_err(refused)
}

fn read(reader: RecordBatchStreamReader) -> Result<(Vec<String>, usize, Vec<Cells>), String> {
    let names: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    let (mut records, mut all) = (0, vec![Chunks::default(); names.len()]);
    for batch in reader {
        let batch = batch.map_err(|e| e.to_string())?;
        records += batch.num_rows();
        for (chunks, array) in all.iter_mut().zip(batch.columns()) {
            let column = column(array).ok_or("a column that is shorter than its table")?;
            chunks.push(column);
        }
    }
    Ok((names, records, all.into_iter().map(Cells::Arrow).collect()))
}

fn column(array: &ArrayRef) -> Option<Column> {
    let data = array.to_data();
    match data.data_type() {
        DataType::Dictionary(places, values) if !matches!(**values, DataType::Dictionary(..)) => {
            let mut dictionary = Chunks::default();
            dictionary.push(plain(data.child_data().first()?, kind(values), None)?);
            plain(&data, kind(places), Some(dictionary.into()))
        }
        other => plain(&data, kind(other), None),
    }
}

fn plain(data: &ArrayData, kind: Kind, dictionary: Option<Arc<Chunks>>) -> Option<Column> {
    let valid = data.nulls().map(|nulls| (Bytes::from_owner(nulls.buffer().clone()), nulls.offset()));
    let buffers = data.buffers().iter().map(|buffer| Bytes::from_owner(buffer.clone())).collect();
    Column::new(kind, [data.offset(), data.len()], valid, buffers, dictionary)
}

fn kind(of: &DataType) -> Kind {
    let integer = |bytes, signed| Kind::Integer { bytes, signed };
    let decimal = |bytes, scale: i8| match u8::try_from(scale) {
        Ok(scale @ ..=38) => Kind::Decimal { bytes, scale },
        _ => Kind::Other,
    };
    match of {
        DataType::Null => Kind::Null,
        DataType::Boolean => Kind::Boolean,
        DataType::Int8 => integer(1, true),
        DataType::Int16 => integer(2, true),
        DataType::Int32 => integer(4, true),
        DataType::Int64 => integer(8, true),
        DataType::UInt8 => integer(1, false),
        DataType::UInt16 => integer(2, false),
        DataType::UInt32 => integer(4, false),
        DataType::UInt64 => integer(8, false),
        DataType::Float16 => Kind::Float { bytes: 2 },
        DataType::Float32 => Kind::Float { bytes: 4 },
        DataType::Float64 => Kind::Float { bytes: 8 },
        DataType::Decimal32(_, scale) => decimal(4, *scale),
        DataType::Decimal64(_, scale) => decimal(8, *scale),
        DataType::Decimal128(_, scale) => decimal(16, *scale),
        DataType::Date32 => Kind::Date { bytes: 4, day: 1 },
        DataType::Date64 => Kind::Date { bytes: 8, day: 86_400_000 },
        DataType::Timestamp(unit, _) => {
            let second = match unit {
                TimeUnit::Second => 1,
                TimeUnit::Millisecond => 1_000,
                TimeUnit::Microsecond => 1_000_000,
                TimeUnit::Nanosecond => 1_000_000_000,
            };
            Kind::Date { bytes: 8, day: 86_400 * second }
        }
        DataType::Utf8 | DataType::Binary => Kind::Text { bytes: 4 },
        DataType::LargeUtf8 | DataType::LargeBinary => Kind::Text { bytes: 8 },
        DataType::Utf8View | DataType::BinaryView => Kind::View,
        _ => Kind::Other,
    }
}
