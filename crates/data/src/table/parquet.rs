//! Parquet: columns of texts and of doubles, none of them with nulls, compressed with Snappy.

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::errors::{ParquetError, Result as Written};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::io::{Error, Result, Write};
use std::sync::Arc;

/// Values of a row group, all columns together: 16 MiB of numbers.
const GROUP: usize = 1 << 21;

/// A table on its way into a file, a row group at a time.
pub struct Parquet<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    texts: Vec<Vec<ByteArray>>,
    numbers: Vec<Vec<f64>>,
    rows: usize,
}

impl<W: Write + Send> Parquet<W> {
    /// Begins a table with these columns: texts first, then numbers.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(out: W, texts: &[String], numbers: &[String]) -> Result<Parquet<W>> {
        let field = |name, physical, logical| {
            let field = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
            Ok(Arc::new(field.with_logical_type(logical).build()?))
        };
        let text = texts.iter().map(|name| field(name, Physical::BYTE_ARRAY, Some(LogicalType::String)));
        let fields = text.chain(numbers.iter().map(|name| field(name, Physical::DOUBLE, None)));
        let fields = fields.collect::<Written<Vec<_>>>().map_err(failed)?;
        let root = Type::group_type_builder("schema").with_fields(fields).build().map_err(failed)?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(out, Arc::new(root), Arc::new(properties)).map_err(failed)?;
        Ok(Parquet { writer, texts: vec![vec![]; texts.len()], numbers: vec![vec![]; numbers.len()], rows: 0 })
    }

    /// The next row: a text for each column of texts, a number for each of numbers.
    ///
    /// # Errors
    /// Those of `out`; another number of either.
    pub fn append(&mut self, texts: &[&str], numbers: &[f64]) -> Result<()> {
        let (found, expected) = ((texts.len(), numbers.len()), (self.texts.len(), self.numbers.len()));
        if found != expected {
            return Err(Error::other(format!("{found:?} texts and numbers in a row, expected {expected:?}")));
        }
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.push((*text).into()));
        self.numbers.iter_mut().zip(numbers).for_each(|(column, number)| column.push(*number));
        self.rows += 1;
        if self.rows * (expected.0 + expected.1) >= GROUP { self.group().map_err(failed) } else { Ok(()) }
    }

    /// Writes what is left and the footer, and gives back the file.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self) -> Result<W> {
        if self.rows > 0 {
            self.group().map_err(failed)?;
        }
        self.writer.into_inner().map_err(failed)
    }

    fn group(&mut self) -> Written<()> {
        let mut group = self.writer.next_row_group()?;
        for values in &mut self.texts {
            if let Some(mut column) = group.next_column()? {
                column.typed::<ByteArrayType>().write_batch(values, None, None)?;
                column.close()?;
            }
            values.clear();
        }
        for values in &mut self.numbers {
            if let Some(mut column) = group.next_column()? {
                column.typed::<DoubleType>().write_batch(values, None, None)?;
                column.close()?;
            }
            values.clear();
        }
        self.rows = 0;
        group.close()?;
        Ok(())
    }
}

/// In one line.
fn failed(e: ParquetError) -> Error {
    Error::other(e.to_string().replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Raw, RawColumn};
    use parquet::file::reader::{FileReader, SerializedFileReader};

    #[test]
    fn what_is_written_is_read_over_several_row_groups() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let (texts, numbers) = (["class".to_string()], ["probability a".to_string(), "probability b".to_string()]);
        let mut table = Parquet::new(std::fs::File::create(&path).unwrap(), &texts, &numbers).unwrap();
        let rows = GROUP / 3 + 10;
        for row in 0..rows {
            table.append(&[if row % 3 == 0 { "a" } else { "b" }], &[row as f64, 0.1]).unwrap();
        }
        assert!(table.append(&[], &[1.0, 2.0]).is_err());
        let file = table.finish().unwrap();
        assert!(file.metadata().unwrap().len() > 0);
        let columns = |name: &str, texts: &[&str]| RawColumn::new(name, texts.iter().map(|t| (*t).to_string()).collect());
        let columns = [columns("probability b", &[]), columns("class", &["a", "b"]), columns("probability a", &[])];
        let mut raw = Raw::open(&crate::Source::of(&path), &columns, true, None, None).unwrap();
        let mut values = Vec::new();
        for row in 0..rows {
            values.clear();
            assert!(raw.next(&mut values).unwrap());
            assert_eq!(values, [0.1, if row % 3 == 0 { 0.0 } else { 1.0 }, row as f64]);
        }
        assert!(!raw.next(&mut values).unwrap());
        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(reader.num_row_groups(), 2);
    }

    #[test]
    fn a_table_without_rows_has_its_columns() {
        let bytes = Parquet::new(Vec::new(), &[], &["value".to_string()]).unwrap().finish().unwrap();
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
        assert!(Parquet::new(Vec::new(), &["a".to_string()], &["a".to_string()]).is_ok());
    }
}
