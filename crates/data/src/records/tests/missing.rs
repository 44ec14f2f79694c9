//! A missing value is filled alike, whatever the file.

use super::arrays::{f64s, npy};
use super::parquet::{Data, file};
use super::*;
use ::parquet::basic::Compression;

/// A number that may be missing, and is told; a category that may be, and is not.
fn gaps() -> Schema {
    toml::from_str(
        r#"
        task = "classification"
        label = "y"
        classes = ["no", "yes"]
        holdout = 0
        columns = [
            { kind = "number", name = "a", mean = 0, deviation = 1, missing = ["", "NA", "-9999"], fill = 0.5, indicator = true },
            { kind = "category", name = "c", values = ["u", "v", "none"], missing = [""], fill = "none" },
        ]"#,
    )
    .unwrap()
}

#[test]
fn of_every_format() {
    const ONE: i64 = 4096;
    let (folder, schema) = (Folder::new(), gaps());
    let there = |a: i64, c: [i64; 3], y: [i64; 2]| [vec![a, 0], c.map(|v| v * ONE).to_vec(), y.to_vec()].concat();
    let filled = |c: [i64; 3], y: [i64; 2]| [vec![ONE / 2, ONE], c.map(|v| v * ONE).to_vec(), y.to_vec()].concat();
    let rows = vec![
        there(ONE, [1, 0, 0], [1, 0]),
        filled([0, 1, 0], [0, 1]),
        filled([0, 0, 1], [1, 0]),
        filled([1, 0, 0], [0, 1]),
        there(2 * ONE, [0, 1, 0], [1, 0]),
    ];
    let csv = "a,c,y\n1,u,no\n,v,yes\nNA,,no\n-9999.0,u,yes\n2,v,no\n";
    let lines = "{\"a\":1,\"c\":\"u\",\"y\":\"no\"}\n{\"a\":null,\"c\":\"v\",\"y\":\"yes\"}\n{\"a\":\"NA\",\"y\":\"no\"}\n\
                 {\"a\":-9999,\"c\":\"u\",\"y\":\"yes\"}\n{\"a\":2.0,\"c\":\"v\",\"y\":\"no\"}\n";
    let parquet = file(
        &[
            ("a", Data::Nullable(vec![Some(1.0), None, Some(f64::NAN), Some(-9999.0), Some(2.0)])),
            ("c", Data::Text(vec!["u", "v", "", "u", "v"])),
            ("y", Data::Text(vec!["no", "yes", "no", "yes", "no"])),
        ],
        1,
        Compression::SNAPPY,
    );
    for source in
        [alone(&folder.put("f.csv", csv)), alone(&folder.put("f.jsonl", lines)), alone(&folder.put("f.parquet", parquet))]
    {
        let read = all(Records::open(&source, &schema, &[], true).unwrap(), 2).unwrap().0;
        assert_eq!(read, rows, "{source:?}");
        let checked = check(&source, &schema, &[], true).unwrap();
        assert_eq!((checked.count, checked.account.columns[0].missing, checked.account.columns[0].values), (0, 3, 2));
        assert_eq!(
            checked.account.remarks(&schema, 1)[..2],
            [
                "column \"a\": 3 of 5 values are missing, and 0.5 is taken in their place",
                "column \"c\": 1 of 5 values are missing, and none is taken in their place"
            ]
        );
        // A model that reads the file itself is given the same.
        let missing = schema.columns[0].missing();
        let column = RawColumn { missing, ..RawColumn::new("a", vec![]) };
        let mut raw = Raw::open(&source, &[column], true, None, None).unwrap();
        let mut values = Vec::new();
        while raw.next(&mut values).unwrap() {}
        assert_eq!(values, [1.0, 0.0, 0.5, 1.0, 0.5, 1.0, 0.5, 1.0, 2.0, 0.0]);
    }
    let texts = |texts: &[&str]| Cells::Texts(texts.iter().map(|t| t.as_bytes().to_vec()).collect());
    let cells = vec![
        Cells::Floats(vec![1.0, f64::NAN, -9999.0, -9999.0, 2.0]),
        texts(&["u", "v", "", "u", "v"]),
        texts(&["no", "yes", "no", "yes", "no"]),
    ];
    let table = Table::new("frame", ["a", "c", "y"].map(String::from).to_vec(), 5, cells).unwrap();
    assert_eq!(all(Records::in_memory(&table, &schema, &[], true).unwrap(), 2).unwrap().0, rows);

    let mut number = regression(2);
    number.columns[0] = schema.columns[0].clone();
    let array = npy("<f8", "(2, 2)", &f64s(&[f64::NAN, 1.0, 3.0, 2.0]));
    let source = Source {
        labels: Some(folder.put("y.npy", npy("<f8", "(2,)", &f64s(&[0.0, 0.0])))),
        ..alone(&folder.put("x.npy", array))
    };
    let read = all(Records::open(&source, &number, &[], true).unwrap(), 2).unwrap().0;
    assert_eq!(read, [vec![ONE / 2, ONE, ONE, 0], vec![3 * ONE, 0, 2 * ONE, 0]]);
}

#[test]
fn what_nobody_said_is_missing_is_an_error() {
    let folder = Folder::new();
    let refused = |text: &str| message(&alone(&folder.put("a.csv", format!("a,c,y\n{text}"))), &gaps(), &[], true);
    assert_eq!(refused("N/A,u,no\n"), "a.csv: line 2, column \"a\": found a missing value, expected a number");
    assert_eq!(refused("1,w,no\n"), "a.csv: line 2, column \"c\": found \"w\", expected one of: \"u\", \"v\", \"none\"");
    assert_eq!(refused("1,u,\n"), "a.csv: line 2, column \"y\": found a missing value, expected one of: \"no\", \"yes\"");
}
