//! Dates become the same numbers, whatever the file; and columns in another unit than the job's those of the job's.

use super::parquet::{Data, file};
use super::*;
use ::parquet::basic::Compression;

const ONE: i64 = 4096;

fn dated(more: &str) -> Schema {
    let column = format!(
        r#"{{ kind = "date", name = "on", since = "2024-01-01", mean = 60, deviation = 30, parts = ["year", "month"], {more} }}"#
    );
    let text =
        format!("task = \"classification\"\nlabel = \"y\"\nclasses = [\"no\", \"yes\"]\nholdout = 0\ncolumns = [{column}]");
    toml::from_str(&text).unwrap()
}

/// Of the days, the year and the month's angle, and whether it was missing.
fn row(days: f64, month: f64, missing: i64) -> Vec<i64> {
    let (sin, cos) = (std::f64::consts::TAU * month / 12.0).sin_cos();
    let fixed = |v: f64| ((v * ONE as f64).round() as i64).min(8 * ONE - 1);
    vec![fixed((days - 60.0) / 30.0), fixed(2.4), fixed(sin), fixed(cos), missing * ONE, 1, 0]
}

#[test]
fn of_every_format() {
    let (folder, schema) = (Folder::new(), dated("missing = [\"\"], fill = \"2024-03-31\", indicator = true"));
    schema.check().unwrap();
    assert_eq!((schema.features(), schema.columns[0].indicator().as_deref()), (5, Some("on_missing")));
    let rows = vec![row(59.0, 1.0, 0), row(90.0, 2.0, 1), row(335.0, 11.0, 0)];
    let csv = "on,y\n2024-02-29,no\n,no\n2024-12-01 00:00:00,no\n";
    let lines = "{\"on\":\"2024-02-29T00:00Z\",\"y\":\"no\"}\n{\"on\":null,\"y\":\"no\"}\n{\"on\":\"2024-12-01T02:00:00+02:00\",\"y\":\"no\"}\n";
    for source in [alone(&folder.put("f.csv", csv)), alone(&folder.put("f.jsonl", lines))] {
        assert_eq!(all(Records::open(&source, &schema, &[], true).unwrap(), 2).unwrap().0, rows, "{source:?}");
        let checked = check(&source, &schema, &[], true).unwrap();
        let tally = &checked.account.columns[0];
        assert_eq!((checked.count, tally.missing, tally.values, tally.clipped), (0, 1, 2, 1));
        assert_eq!(tally.range.map(|range| range.map(|v| tally.told(v))), Some(["2024-02-29", "2024-12-01"].map(String::from)));
        assert_eq!(checked.account.remarks(&schema, 1)[1], "column \"on\": 1 of 2 values clipped");
    }
    let days = Data::Date(vec![19_782, 20_058]);
    let parquet = file(&[("on", days), ("y", Data::Text(vec!["no", "no"]))], 1, Compression::SNAPPY);
    let read = all(Records::open(&alone(&folder.put("f.parquet", parquet)), &schema, &[], true).unwrap(), 2).unwrap().0;
    assert_eq!(read, [rows[0].clone(), rows[2].clone()]);
    // A file's own dates are what they are; texts are read by the format.
    let german = dated("format = \"%d.%m.%Y\", missing = [\"-\"], fill = \"31.03.2024\", indicator = true");
    let csv = folder.put("german.csv", "on,y\n29.02.2024,no\n-,no\n1.12.2024,no\n");
    assert_eq!(all(Records::open(&alone(&csv), &german, &[], true).unwrap(), 2).unwrap().0, rows);
}

#[test]
fn parts_of_each_encoding() {
    let parts = |more: &str| {
        let column = format!(r#"{{ kind = "date", name = "on", {more} }}"#);
        let text =
            format!("task = \"classification\"\nlabel = \"y\"\nclasses = [\"no\", \"yes\"]\nholdout = 0\ncolumns = [{column}]");
        let (folder, schema) = (Folder::new(), toml::from_str::<Schema>(&text).unwrap());
        schema.check().unwrap();
        // A Thursday, an afternoon.
        let source = alone(&folder.put("f.csv", "on,y\n2024-02-29T15:00,no\n"));
        let mut row = all(Records::open(&source, &schema, &[], true).unwrap(), 1).unwrap().0.remove(0);
        row.truncate(schema.handed_in());
        row
    };
    assert_eq!(parts(r#"parts = ["weekday"], encoding = "one-hot""#), [0, 0, 0, ONE, 0, 0, 0]);
    let places: Vec<i64> =
        [1.0 / 11.0, 28.0 / 30.0, 3.0 / 6.0, 59.0 / 365.0, 15.0 / 23.0].iter().map(|v| (v * ONE as f64).round() as i64).collect();
    assert_eq!(parts(r#"parts = ["month", "day", "weekday", "yearday", "hour"], encoding = "number""#), places);
    let angle = std::f64::consts::TAU * 15.0 / 24.0;
    assert_eq!(parts(r#"parts = ["hour"]"#), [angle.sin(), angle.cos()].map(|v| (v * ONE as f64).round() as i64));
    // In units of 1/2000 of the bounds from their middle: half a day each.
    assert_eq!(parts(r#"since = "2024-01-01", scale = "secure", within = [-440.375, 559.625]"#), [0]);
}

#[test]
fn what_is_no_date_is_named_by_line_and_column() {
    let folder = Folder::new();
    let refused = |text: &str, more: &str| {
        message(&alone(&folder.put("a.csv", format!("on,y\n2024-02-29,no\n{text},no\n"))), &dated(more), &[], true)
    };
    let expected = "expected a date such as 2024-02-29 or 2024-02-29T12:30:00";
    assert_eq!(refused("2024-02-30", ""), format!("a.csv: line 3, column \"on\": found \"2024-02-30\", {expected}"));
    assert_eq!(refused("", ""), format!("a.csv: line 3, column \"on\": found a missing value, {expected}"));
    let format = "format = \"%Y-%m-%d\"";
    assert_eq!(
        refused("1.2.24", format),
        "a.csv: line 3, column \"on\": found \"1.2.24\", expected a date by the format \"%Y-%m-%d\""
    );
    let lines = alone(&folder.put("a.jsonl", "{\"on\":20240229,\"y\":\"no\"}\n"));
    assert_eq!(message(&lines, &dated(""), &[], true), format!("a.jsonl: line 1, column \"on\": found a number, {expected}"));
    let source = alone(&folder.put("b.csv", "on,y\nx,no\n2024-01-01,no\ny,no\n"));
    assert_eq!(check(&source, &dated(""), &[], true).unwrap().count, 2);
}

#[test]
fn columns_in_another_unit() {
    let folder = Folder::new();
    let mut schema = schema();
    schema.holdout = 0;
    if let Column::Number { missing, fill, .. } = &mut schema.columns[0] {
        (*missing, *fill) = (vec!["-1".into()], Some(crate::schema::Fill::Value(5.0)));
    }
    let source = |units: &[(&str, f64)]| Source {
        units: units.iter().map(|(name, factor)| ((*name).to_owned(), Unit::factor(*factor))).collect(),
        ..alone(&folder.put("a.csv", "a,c,r,y\n300,u,1,no\n-1,v,2,yes\n"))
    };
    // A sign for a missing value has no unit, and what is taken for it is in the job's.
    let read = all(Records::open(&source(&[("a", 0.01), ("r", 0.5)]), &schema, &[], true).unwrap(), 2).unwrap().0;
    assert_eq!(read, [vec![ONE, ONE, 0, 0, ONE * 3 / 8, 1, 0], vec![2 * ONE, 0, ONE, 0, ONE / 2, 0, 1]]);
    let refused = |units: &[(&str, f64)]| message(&source(units), &schema, &[], true);
    assert_eq!(refused(&[("c", 2.0)]), "--unit c=2: found a column without a unit, expected one of numbers");
    assert_eq!(refused(&[("y", 2.0)]), "--unit y=2: found a column without a unit, expected one of numbers");
    assert_eq!(refused(&[("b", 2.0)]), "--unit b=2: found no column \"b\", expected one that this owner shares");
    assert_eq!(refused(&[("a", 2.0), ("a", 3.0)]), "--unit a=3: found 2 before it, expected one unit for each column");
    // 41 and 32 degrees Fahrenheit are 5 and 0 degrees Celsius.
    let celsius = Source {
        units: vec![("a".into(), "(x-32)/1.8".parse().unwrap())],
        ..alone(&folder.put("b.csv", "a,c,r,y\n41,u,1,no\n32,v,2,yes\n"))
    };
    let read = all(Records::open(&celsius, &schema, &[], true).unwrap(), 2).unwrap().0;
    let plain = alone(&folder.put("c.csv", "a,c,r,y\n5,u,1,no\n0,v,2,yes\n"));
    assert_eq!(read, all(Records::open(&plain, &schema, &[], true).unwrap(), 2).unwrap().0);
}
