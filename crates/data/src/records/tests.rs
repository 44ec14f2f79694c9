use super::account::Tally;
use super::order::Order;
use super::value::Value;
use super::*;
use crate::schema::{Column, Join, Scale};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

mod arrays;
mod arrow;
mod csv;
mod dates;
mod missing;
mod parquet;

/// Two numbers and a category, classes "no" and "yes", one of three records held out.
pub(super) fn schema() -> Schema {
    toml::from_str(
        r#"
        task = "classification"
        label = "y"
        classes = ["no", "yes"]
        holdout = 3
        columns = [
            { kind = "number", name = "a", mean = 1, deviation = 2 },
            { kind = "category", name = "c", values = ["u", "v", "7"] },
            { kind = "range", name = "r", min = -1, max = 3 },
        ]"#,
    )
    .unwrap()
}

pub(super) fn regression(columns: usize) -> Schema {
    let number = |i| Column::number(format!("x{i}"), 0.0, 1.0);
    let mut s = schema();
    s.task = crate::schema::Task::Regression;
    s.classes.clear();
    s.target = Some(crate::schema::Standard { mean: 0.0, deviation: 1.0 });
    s.columns = (0..columns).map(number).collect();
    s.holdout = 0;
    s
}

pub(super) fn vertical() -> Schema {
    let mut s = schema();
    s.partition = Partition::Vertical;
    s.id = Some("id".to_string());
    s.join = Join::Order;
    s
}

pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(super) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

pub(super) fn alone(path: &Path) -> Source {
    Source::of(path)
}

/// All rows, training first, and the order's digest.
pub(super) type All = (Vec<Vec<i64>>, Vec<Vec<i64>>, Option<[u8; 32]>);

pub(super) fn all(mut records: Records, rows: usize) -> Result<All> {
    let (mut train, mut test) = (Vec::new(), Vec::new());
    while let Some(chunk) = records.next(rows)? {
        assert!((1..=rows).contains(&chunk.rows) && chunk.values.len() == chunk.rows * records.width());
        let kind = if chunk.test { &mut test } else { &mut train };
        kind.extend(chunk.values.chunks(records.width()).map(<[i64]>::to_vec));
    }
    assert!(records.next(rows).unwrap().is_none());
    let (read, whole) = records.progress();
    assert_eq!(read, whole);
    Ok((train, test, records.fields.order.as_ref().map(Order::digest)))
}

/// The error's text without the folder.
pub(super) fn message(source: &Source, schema: &Schema, columns: &[&str], labelled: bool) -> String {
    let columns: Vec<String> = columns.iter().map(|c| c.to_string()).collect();
    let text = Records::open(source, schema, &columns, labelled).and_then(|r| all(r, 2)).unwrap_err().to_string();
    assert!(!text.contains('\n'), "{text}");
    text.replace(&format!("{}/", source.path.parent().unwrap().display()), "")
}

#[test]
fn chunks_show_their_shape_only() {
    let chunk = Chunk { test: true, rows: 2, values: vec![4711; 6] };
    assert_eq!(format!("{chunk:?}"), "Chunk(test, 2 x 3)");
}

/// A thread of its own may read while others share.
#[test]
fn records_can_be_sent() {
    fn send<T: Send>() {}
    send::<Records>();
}

#[test]
fn files_of_no_known_kind() {
    let folder = Folder::new();
    let refused = |name: &str, bytes: &[u8]| message(&alone(&folder.put(name, bytes)), &schema(), &[], true);
    for name in ["a.txt", "a", ".csvx"] {
        let expected = format!(
            "{name}: found a file of no known kind, expected .csv, .csv.gz, .jsonl, .parquet, .arrow, .npy, .npz, PNG or IDX images"
        );
        assert_eq!(refused(name, b"a,c,r,y\n"), expected);
    }
    assert!(message(&alone(&folder.0.path().join("none.csv")), &schema(), &[], true).starts_with("none.csv: No such file"));
    let mut s = schema();
    s.holdout = 1;
    assert!(message(&alone(&folder.put("a.csv", b"")), &s, &[], true).starts_with("[data] holdout"));
    assert!(message(&alone(&folder.put("a.csv", b"")), &schema(), &["z"], true).starts_with("[data] an owner's columns"));
}

/// The label has no say in a vertical partition, where the others would learn of it.
#[test]
fn owners_of_a_vertical_partition_hold_out_the_same() {
    let folder = Folder::new();
    let labelled: String =
        (0..30).map(|i| format!("{i},{},{}\n", i as f64 / 10.0, ["no", "yes"][usize::from(i % 7 == 0)])).collect();
    let other: String = (0..30).map(|i| format!("{i},u,{}\n", i as f64 / 10.0)).collect();
    let held = |name: &str, text: String, columns: &[&str], labelled, at: usize| {
        let columns: Vec<String> = columns.iter().map(|c| c.to_string()).collect();
        let source = alone(&folder.put(name, text));
        let (train, test, _) = all(Records::open(&source, &vertical(), &columns, labelled).unwrap(), 7).unwrap();
        let mut every: Vec<i64> = train.iter().chain(&test).map(|row| row[at]).collect();
        every.sort_unstable();
        test.iter().map(|row| every.binary_search(&row[at]).unwrap()).collect::<Vec<usize>>()
    };
    let one = held("a.csv", format!("id,a,y\n{labelled}"), &["a"], true, 0);
    let two = held("b.csv", format!("id,c,r\n{other}"), &["c", "r"], false, 3);
    assert_eq!((one.len(), &one), (10, &two));
    assert!(one.iter().any(|i| i % 3 != 2), "{one:?}");
}

proptest! {
    /// Any chunk sizes give each record once, in the file's order within its kind.
    #[test]
    fn each_record_comes_once(n in 1..200_usize, sizes in prop::collection::vec(1..40_usize, 1..10), holdout in 0..7_usize) {
        prop_assume!(holdout != 1);
        let folder = Folder::new();
        let text: String = (0..n).map(|i| format!("{i},0\n")).collect();
        let mut s = regression(1);
        (s.columns[0], s.holdout) = (Column::range("x0", 0.0, 4096.0), holdout);
        let path = folder.put("f.csv", format!("x0,y\n{text}"));
        let mut records = Records::open(&alone(&path), &s, &[], true).unwrap();
        let (mut seen, mut sizes) = ([Vec::new(), Vec::new()], sizes.into_iter().cycle());
        while let Some(chunk) = records.next(sizes.next().unwrap()).unwrap() {
            seen[usize::from(chunk.test)].extend(chunk.values.chunks(2).map(|row| row[0] as usize));
        }
        prop_assert_eq!(seen[1].len() as u64, held_out(n, holdout) as u64);
        prop_assert!(seen.iter().all(|kind| kind.is_sorted()));
        let mut all = seen.concat();
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..n));
    }

    /// What a value becomes is within half a step of its definition.
    #[test]
    fn encodings_round_to_the_nearest(v in prop_oneof![-50.0..50.0_f64, prop::num::f64::NORMAL], mean in -10.0..10.0_f64, deviation in 0.1..10.0_f64) {
        let half = |got: i64, exact: f64| (got as f64 / 4096.0 - exact).abs() <= 0.5 / 4096.0;
        let encode = |c: Column| {
            let mut out = Vec::new();
            Encoding::of(&c, &schema()).encode(Value::Float(v), &mut out, &mut Tally::default()).unwrap();
            let mut text = Vec::new();
            Encoding::of(&c, &schema()).encode(Value::Text(format!("{v:e}").as_bytes()), &mut text, &mut Tally::default()).unwrap();
            assert_eq!(out, text);
            out[0]
        };
        let name = || "v".to_string();
        let number = encode(Column::number(name(), mean, deviation));
        prop_assert!(half(number, ((v - mean) / deviation).clamp(1.0 / 4096.0 - 8.0, 8.0 - 1.0 / 4096.0)));
        let (min, max) = (mean, mean + deviation);
        let range = encode(Column::range(name(), min, max));
        prop_assert!(half(range, ((v - min) / (max - min)).clamp(0.0, 1.0)));
    }
}

/// In units of a 2000th of the bounds' width from their middle; beyond them is no value.
#[test]
fn values_within_bounds() {
    let encode = |within: [f64; 2], v: f64| {
        let mut out = Vec::new();
        let column = Column::secure("v", Scale::Secure, within);
        let encoded = Encoding::of(&column, &schema()).encode(Value::Float(v), &mut out, &mut Tally::default());
        encoded.map(|()| out[0]).map_err(|r| format!("{} / {}", r.found, r.expected))
    };
    for (v, units) in [(30.0, -1000.0), (45.0, 1000.0), (37.5, 0.0), (37.5075, 1.0), (36.6, -120.0)] {
        assert_eq!(encode([30.0, 45.0], v), Ok((units * 4096.0) as i64), "{v}");
    }
    assert_eq!(encode([30.0, 45.0], 29.9), Err("29.9, beyond the column's bounds / a number within [30, 45]".into()));
    assert!(encode([30.0, 45.0], f64::INFINITY).is_err() && encode([30.0, 45.0], 45.000_001).is_err());
    // The widest that there may be.
    let widest = [-8e307, 8e307];
    assert_eq!(widest.map(|v| encode(widest, v)), [Ok(-4_096_000), Ok(4_096_000)]);
}

#[test]
fn values_of_any_file_mean_the_same() {
    let encode = |column: &Column, value: Value<'_>| {
        let mut out = Vec::new();
        Encoding::of(column, &schema())
            .encode(value, &mut out, &mut Tally::default())
            .map(|()| out)
            .map_err(|r| format!("{} / {}", r.found, r.expected))
    };
    let category = &schema().columns[1];
    for value in [Value::Text(b"7"), Value::Text(b"7.0"), Value::Float(7.0), Value::Integer(7)] {
        assert_eq!(encode(category, value).unwrap(), [0, 0, 4096]);
    }
    let listed = "one of: \"u\", \"v\", \"7\"";
    assert_eq!(encode(category, Value::Text(b"w")).unwrap_err(), format!("\"w\" / {listed}"));
    assert_eq!(encode(category, Value::Float(7.5)).unwrap_err(), format!("\"7.5\" / {listed}"));
    assert_eq!(encode(category, Value::Text(b"?")).unwrap_err(), format!("a missing value / {listed}"));
    assert_eq!(encode(category, Value::Missing).unwrap_err(), format!("a missing value / {listed}"));

    let pixels = Column::pixels("p", 1);
    for value in [Value::Text(b"255"), Value::Text(b"255.0"), Value::Float(255.0), Value::Integer(255)] {
        assert_eq!(encode(&pixels, value).unwrap(), [255 * 16]);
    }
    for value in [Value::Text(b"256"), Value::Float(0.5), Value::Integer(-1), Value::Float(f64::NAN), Value::Text(b"x")] {
        assert!(encode(&pixels, value).unwrap_err().ends_with(" / an integer from 0 to 255"));
    }
    let number = &schema().columns[0];
    assert_eq!(encode(number, Value::Float(f64::NAN)).unwrap_err(), "NaN / a finite number");
    assert_eq!(encode(number, Value::Missing).unwrap_err(), "a missing value / a number");
}
