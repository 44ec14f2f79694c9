use super::*;
use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::{ByteArray, FixedLenByteArray};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::Type;
use std::sync::Arc;

pub(super) enum Data {
    Bool(Vec<bool>),
    Int(Vec<i32>),
    Unsigned(Vec<i32>),
    Date(Vec<i32>),
    /// With two digits behind the point.
    Decimal(Vec<i64>),
    Long(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Text(Vec<&'static str>),
    Fixed,
    /// None is a null.
    Nullable(Vec<Option<f64>>),
}

impl Data {
    fn shape(&self) -> (Physical, Option<LogicalType>) {
        match self {
            Data::Bool(_) => (Physical::BOOLEAN, None),
            Data::Int(_) => (Physical::INT32, None),
            Data::Unsigned(_) => (Physical::INT32, Some(LogicalType::integer(32, false))),
            Data::Date(_) => (Physical::INT32, Some(LogicalType::Date)),
            Data::Decimal(_) => (Physical::INT64, Some(LogicalType::decimal(2, 12))),
            Data::Long(_) => (Physical::INT64, None),
            Data::Float(_) => (Physical::FLOAT, None),
            Data::Double(_) | Data::Nullable(_) => (Physical::DOUBLE, None),
            Data::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Data::Fixed => (Physical::FIXED_LEN_BYTE_ARRAY, None),
        }
    }
}

/// A file with the columns in each of `groups` row groups.
pub(super) fn file(columns: &[(&str, Data)], groups: usize, compression: Compression) -> Vec<u8> {
    let field = |(name, data): &(&str, Data)| {
        let (physical, logical) = data.shape();
        let repetition = if matches!(data, Data::Nullable(_)) { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let field = Type::primitive_type_builder(name, physical)
            .with_precision(12)
            .with_scale(2)
            .with_length(2)
            .with_repetition(repetition)
            .with_logical_type(logical);
        Arc::new(field.build().unwrap())
    };
    let root = Type::group_type_builder("schema").with_fields(columns.iter().map(field).collect()).build().unwrap();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, Arc::new(root), Arc::new(properties)).unwrap();
    for _ in 0..groups {
        let mut group = writer.next_row_group().unwrap();
        for (_, data) in columns {
            let mut column = group.next_column().unwrap().unwrap();
            match (column.untyped(), data) {
                (ColumnWriter::BoolColumnWriter(w), Data::Bool(v)) => w.write_batch(v, None, None),
                (ColumnWriter::Int32ColumnWriter(w), Data::Int(v) | Data::Unsigned(v) | Data::Date(v)) => {
                    w.write_batch(v, None, None)
                }
                (ColumnWriter::Int64ColumnWriter(w), Data::Long(v) | Data::Decimal(v)) => w.write_batch(v, None, None),
                (ColumnWriter::FloatColumnWriter(w), Data::Float(v)) => w.write_batch(v, None, None),
                (ColumnWriter::DoubleColumnWriter(w), Data::Double(v)) => w.write_batch(v, None, None),
                (ColumnWriter::DoubleColumnWriter(w), Data::Nullable(v)) => {
                    let present: Vec<i16> = v.iter().map(|v| v.is_some().into()).collect();
                    w.write_batch(&v.iter().flatten().copied().collect::<Vec<_>>(), Some(&present), None)
                }
                (ColumnWriter::ByteArrayColumnWriter(w), Data::Text(v)) => {
                    w.write_batch(&v.iter().map(|&t| ByteArray::from(t)).collect::<Vec<_>>(), None, None)
                }
                (ColumnWriter::FixedLenByteArrayColumnWriter(w), Data::Fixed) => {
                    w.write_batch(&[FixedLenByteArray::from(vec![0; 2])], None, None)
                }
                _ => panic!("another type"),
            }
            .unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
    bytes
}

fn put(columns: &[(&str, Data)], compression: Compression) -> (Folder, Source) {
    let folder = Folder::new();
    let source = alone(&folder.put("f.parquet", file(columns, 2, compression)));
    (folder, source)
}

fn refused(columns: &[(&str, Data)], schema: &Schema) -> String {
    let (_folder, source) = put(columns, Compression::SNAPPY);
    message(&source, schema, &[], true)
}

#[test]
fn columns_by_name_in_the_schemas_order() {
    let columns = [
        ("y", Data::Text(vec!["no", "yes"])),
        ("dates", Data::Date(vec![1, 2])),
        ("r", Data::Nullable(vec![Some(-1.0), Some(1.0)])),
        ("a", Data::Float(vec![2.0, -3.0])),
        ("c", Data::Text(vec!["u", " 7.0"])),
    ];
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::LZ4_RAW,
        Compression::LZ4,
        Compression::BROTLI(Default::default()),
        Compression::ZSTD(Default::default()),
    ] {
        let (_folder, source) = put(&columns, compression);
        let (first, second) = (vec![2048, 4096, 0, 0, 0, 1, 0], vec![-8192, 0, 0, 4096, 2048, 0, 1]);
        let expected = (vec![first.clone(), second.clone(), second], vec![first], None);
        for rows in [1, 100] {
            assert_eq!(all(Records::open(&source, &schema(), &[], true).unwrap(), rows).unwrap(), expected);
        }
    }
}

#[test]
fn every_type_of_number() {
    let s = regression(7);
    let columns = [
        ("x6", Data::Decimal(vec![-150])),
        ("x0", Data::Bool(vec![true])),
        ("x1", Data::Int(vec![-2])),
        ("x2", Data::Long(vec![-2])),
        ("x3", Data::Float(vec![0.5])),
        ("x4", Data::Double(vec![0.25])),
        ("x5", Data::Unsigned(vec![-1])),
        ("y", Data::Text(vec!["1e-1"])),
    ];
    let (_folder, source) = put(&columns, Compression::SNAPPY);
    let row = vec![4096, -8192, -8192, 2048, 1024, 32767, -6144, 410];
    assert_eq!(all(Records::open(&source, &s, &[], true).unwrap(), 5).unwrap().0, [row.clone(), row]);
}

/// More records than are decoded at once.
#[test]
fn many_records() {
    let n = 3000;
    let mut s = regression(1);
    s.columns[0] = Column::range("x0", 0.0, 4096.0);
    let columns = [("x0", Data::Int((0..n).collect())), ("y", Data::Double(vec![0.0; n as usize]))];
    let (_folder, source) = put(&columns, Compression::SNAPPY);
    let got = all(Records::open(&source, &s, &[], true).unwrap(), 700).unwrap().0;
    assert!(got.into_iter().map(|row| row[0]).eq((0..2).flat_map(|_| 0..i64::from(n))));
}

#[test]
fn identifiers_are_those_of_csv() {
    let folder = Folder::new();
    let digest = |name: &str, bytes: Vec<u8>| {
        let records = Records::open(&alone(&folder.put(name, bytes)), &vertical(), &["a".to_string()], false);
        records.and_then(|r| all(r, 2)).map(|r| r.2.unwrap())
    };
    let one = |ids: Data| file(&[("id", ids), ("a", Data::Int(vec![0, 0]))], 1, Compression::SNAPPY);
    let csv = digest("f.csv", b"id,a\n9,0\n10,0\n".to_vec()).unwrap();
    assert_eq!(digest("f.parquet", one(Data::Long(vec![9, 10]))).unwrap(), csv);
    assert_eq!(digest("g.parquet", one(Data::Text(vec!["9", "10"]))).unwrap(), csv);
    let refused = |ids| digest("f.parquet", one(ids)).unwrap_err().to_string();
    assert!(refused(Data::Long(vec![9, 9])).contains("record 2, column \"id\": found \"9\", expected one above \"9\""));
    assert!(
        refused(Data::Double(vec![1.5, 2.5])).contains("record 1, column \"id\": found the fraction 1.5, expected an integer")
    );
}

#[test]
fn files_that_are_refused() {
    let s = regression(1);
    let y = || ("y", Data::Double(vec![0.0; 2]));
    let x = |data| refused(&[("x0", data), y()], &s);
    assert_eq!(
        x(Data::Nullable(vec![Some(1.0), None])),
        "f.parquet: record 2, column \"x0\": found a missing value, expected a number"
    );
    assert_eq!(x(Data::Double(vec![1.0, f64::NAN])), "f.parquet: record 2, column \"x0\": found NaN, expected a finite number");
    assert_eq!(x(Data::Text(vec!["1", "one"])), "f.parquet: record 2, column \"x0\": found \"one\", expected a number");
    assert_eq!(x(Data::Date(vec![1, 2])), "f.parquet: record 1, column \"x0\": found a date, expected a number");
    let fixed = refused(&[("x0", Data::Fixed), ("y", Data::Int(vec![1]))], &s);
    let types = "booleans, numbers, dates or texts, not nested";
    assert!(fixed.contains("FIXED_LEN_BYTE_ARRAY") && fixed.ends_with(types), "{fixed}");
    assert!(refused(&[y()], &s).contains("found no column \"x0\", expected it among the file's: \"y\""));
    let bytes = file(&[("x0", Data::Int(vec![1, 2])), y()], 2, Compression::SNAPPY);
    for broken in [&b""[..], b"PAR1", &bytes[..bytes.len() - 1], &bytes[4..]] {
        let text = message(&alone(&Folder::new().put("f.parquet", broken)), &s, &[], true);
        assert!(
            text.starts_with("f.parquet: found broken Parquet (") && text.ends_with("), expected a whole Parquet file"),
            "{text}"
        );
    }
    let none = message(
        &alone(
            &Folder::new().put("f.parquet", file(&[("x0", Data::Int(vec![])), ("y", Data::Int(vec![]))], 1, Compression::SNAPPY)),
        ),
        &s,
        &[],
        true,
    );
    assert_eq!(none, "f.parquet: found no records, expected at least one record");
}

proptest! {
    /// Damage is an error or another value, not a panic.
    #[test]
    fn damaged_files(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), zstd in any::<bool>()) {
        let compression = if zstd { Compression::ZSTD(Default::default()) } else { Compression::SNAPPY };
        let mut bytes = file(&[("x0", Data::Nullable(vec![Some(1.0), None])), ("c", Data::Text(vec!["a", "b"])), ("y", Data::Bool(vec![true, false]))], 2, compression);
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        let folder = Folder::new();
        let source = alone(&folder.put("f.parquet", bytes));
        let mut s = regression(1);
        s.columns.push(schema().columns[1].clone());
        let _ = Records::open(&source, &s, &[], true).and_then(|r| all(r, 2));
    }
}
