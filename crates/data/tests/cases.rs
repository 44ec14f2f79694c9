//! Files as people have them that were once misread, or read without a word: what is right of each. They stand in `cases/`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use trefoil_data::records::{Reading, encoding};
use trefoil_data::schema::{Column, Task, template};
use trefoil_data::{Records, Result, Samples, Schema, Source};

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name)
}

/// The `[data]` of a case's job.
fn schema(folder: &str) -> Schema {
    let text = std::fs::read(case(folder).join("data.toml")).unwrap();
    let table: toml::Table = toml::from_str(&String::from_utf8_lossy(&text)).unwrap();
    table["data"].clone().try_into().unwrap()
}

/// All records of a file, those held out behind the others.
fn read(source: &Source, schema: &Schema) -> Result<Samples> {
    Ok(Samples::joined(&Samples::read(&mut Records::open(source, schema, &[], true)?)?))
}

/// A message without its folder.
fn message(error: impl std::fmt::Display, file: &Path) -> String {
    error.to_string().replace(&format!("{}/", file.parent().unwrap().display()), "")
}

#[test]
fn a_stray_quote_is_an_error_with_its_line() {
    let schema = schema("03-stray-quote-loses-rows");
    let [ok, stray] = ["q_ok.csv", "q_stray.csv"].map(|f| case("03-stray-quote-loses-rows").join(f));
    assert_eq!(read(&Source::of(ok), &schema).unwrap().rows(), 40);
    let e = read(&Source::of(&stray), &schema).unwrap_err();
    assert_eq!(
        message(e, &stray),
        "q_stray.csv: line 12: found a quoted field that spans 11 lines, expected fields of at most 5 lines, and a quote within a \
         field written twice"
    );
    // Two that are near one another.
    let text =
        std::fs::read_to_string(&stray).unwrap().replace("\"6 inch rod,20", "6 inch rod,20").replace("item 13,", "\"item 13,");
    let folder = tempfile::tempdir().unwrap();
    let near = folder.path().join("near.csv");
    std::fs::write(&near, text).unwrap();
    let e = message(read(&Source::of(&near), &schema).unwrap_err(), &near);
    assert!(
        e.starts_with("near.csv: line 15: found something behind a closing quote, expected a comma or the line's end"),
        "{e}"
    );
}

#[test]
fn latin1_is_read_where_it_is_said_and_else_refused_with_its_place() {
    let file = case("05-latin1/latin1.csv");
    let told = template(&Source::of(&file), "y", None, None, &[]).unwrap_err();
    assert_eq!(
        message(told, &file),
        "latin1.csv: line 2, column \"ciudad\": found bytes that are no UTF-8, expected UTF-8, or the file's encoding by --encoding \
         (latin1, windows-1250, utf-16le, ..)"
    );
    let latin1 = Source { reading: Reading { encoding: encoding("latin1"), ..Reading::default() }, ..Source::of(&file) };
    let schema = template(&latin1, "y", None, None, &[]).unwrap();
    let Column::Category { values, .. } = &schema.columns[1] else { panic!("{schema:?}") };
    assert_eq!(values, &["C\u{e1}diz", "Le\u{f3}n", "M\u{e1}laga"]);
    let records = read(&latin1, &schema).unwrap();
    // The same in UTF-8 and in UTF-16, with and without a mark.
    let text: String = std::fs::read(&file).unwrap().into_iter().map(char::from).collect();
    let utf16 = |mark: &str| format!("{mark}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, given) in [
        ("utf8.csv", text.clone().into_bytes(), None),
        ("bom.csv", format!("\u{feff}{text}").into_bytes(), None),
        ("utf16.csv", utf16("\u{feff}"), None),
        ("bare.csv", utf16(""), encoding("utf-16le")),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let source = Source { reading: Reading { encoding: given, ..Reading::default() }, ..Source::of(path) };
        assert!(read(&source, &schema).unwrap() == records, "{name}");
    }
    let bare = folder.path().join("bare.csv");
    let e = message(read(&Source::of(&bare), &schema).unwrap_err(), &bare);
    assert_eq!(
        e,
        "bare.csv: found text that looks like UTF-16 without a byte order mark, expected UTF-8, or --encoding utf-16le"
    );
    // A label.
    let label = case("05-latin1/latin1_label.csv");
    let e = template(&Source::of(&label), "y", None, None, &[]).unwrap_err();
    assert!(message(e, &label).starts_with("latin1_label.csv: line 2, column \"y\": found bytes that are no UTF-8"));
}

#[test]
fn delimiters_and_decimal_commas() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let plain = Source::of(put("plain.csv", "a,b,y\n1.5,2,no\n1000.25,-3,yes\n0.5,4,no\n"));
    let schema = template(&plain, "y", None, None, &[]).unwrap();
    let records = read(&plain, &schema).unwrap();
    let comma = Reading { decimal_comma: true, ..Reading::default() };
    for (name, text) in [
        ("semicolon.csv", "a;b;y\n1,5;2;no\n1.000,25;-3;yes\n,5;4;no\n"),
        ("tab.tsv", "a\tb\ty\n1,5\t2\tno\n1000,25\t-3\tyes\n0,5\t4\tno\n"),
    ] {
        assert!(read(&Source { reading: comma.clone(), ..Source::of(put(name, text)) }, &schema).unwrap() == records, "{name}");
    }
    let bar = Source::of(put("bar.csv", "a|b|y\n1.5|2|no\n1000.25|-3|yes\n0.5|4|no\n"));
    assert!(read(&bar, &schema).unwrap() == records);
    // A point among decimal commas is neither taken for thousands nor for a fraction.
    let point = Source { reading: comma, ..Source::of(put("point.csv", "a;b;y\n1.500;2;no\n")) };
    let e = message(read(&point, &schema).unwrap_err(), &point.path);
    assert_eq!(e, "point.csv: line 2, column \"a\": found \"1.500\", expected a number with a decimal comma");
    let given = Source {
        reading: Reading { delimiter: Some(b','), ..Reading::default() },
        ..Source::of(put("given.csv", "a;b;y\n1;2;no\n"))
    };
    let e = message(read(&given, &schema).unwrap_err(), &given.path);
    assert!(e.ends_with("\"a;b;y\" (one column whose name has semicolons: --delimiter?)"), "{e}");
}

#[test]
fn booleans_of_every_tool_are_the_same() {
    let folder = case("08-booleans-differ");
    let schema = schema("08-booleans-differ");
    let expected = read(&Source::of(folder.join("ref.csv")), &schema).unwrap();
    let mut number = schema.clone();
    number.columns[3] = Column::Number { name: "flag".into(), mean: 0.5, deviation: 0.5 };
    let numbers = read(&Source::of(folder.join("ref.csv")), &number).unwrap();
    for file in ["duck.csv", "boolR.csv", "pandas.parquet"] {
        assert!(read(&Source::of(folder.join(file)), &schema).unwrap() == expected, "{file}");
        assert!(read(&Source::of(folder.join(file)), &number).unwrap() == numbers, "{file}");
        // And what is made of any of them reads the others.
        let made = template(&Source::of(folder.join(file)), "y", None, None, &[]).unwrap();
        assert_eq!(made.columns[3].width(), 2, "{file}");
        assert_eq!(read(&Source::of(folder.join("ref.csv")), &made).unwrap().rows(), expected.rows(), "{file}");
    }
    let mut wrong = schema;
    wrong.columns[3] = Column::Category { name: "flag".into(), values: vec!["on".into(), "off".into()] };
    let parquet = folder.join("pandas.parquet");
    let e = message(read(&Source::of(&parquet), &wrong).unwrap_err(), &parquet);
    assert_eq!(e, "pandas.parquet: record 1, column \"flag\": found the boolean true, expected one of: \"on\", \"off\"");
}

#[test]
fn parquet_with_other_codecs_decimals_and_in_parts() {
    let folder = case("09-parquet-codecs");
    let gzip = Source::of(folder.join("comp_gzip.parquet"));
    let schema = template(&gzip, "y", None, None, &[]).unwrap();
    let records = read(&gzip, &schema).unwrap();
    assert!(records.rows() > 10);
    let decimals = template(&Source::of(folder.join("dec128.parquet")), "y", None, None, &[]).unwrap();
    assert!(decimals.columns.iter().any(|c| matches!(c, Column::Number { deviation, .. } if *deviation > 0.0)), "{decimals:?}");
    // A folder as Spark writes them.
    let parts = tempfile::tempdir().unwrap();
    for name in ["part-00001.parquet", "part-00000.gz.parquet", "_hidden.parquet"] {
        std::fs::copy(&gzip.path, parts.path().join(name)).unwrap();
    }
    std::fs::write(parts.path().join("_SUCCESS"), "").unwrap();
    let all = read(&Source::of(parts.path()), &Schema { holdout: 0, ..schema.clone() }).unwrap();
    let one = read(&gzip, &Schema { holdout: 0, ..schema }).unwrap();
    assert!(all == Samples::joined(&[one.clone(), one]));
}

#[test]
fn arrays_in_any_order_and_of_any_type() {
    let folder = case("12-npy");
    let classes = ["setosa", "versicolor", "virginica"].map(String::from).to_vec();
    let column = |i: usize| Column::Number { name: format!("x{i}"), mean: 3.0, deviation: 2.0 };
    let schema = Schema {
        classes: classes.clone(),
        holdout: 0,
        task: Task::Classification,
        ..template(&Source::of(case("08-booleans-differ/ref.csv")), "y", None, None, &[]).unwrap()
    };
    let schema = Schema { columns: (0..4).map(column).collect(), ..schema };
    let of = |x: &str, y: &str| Source { labels: Some(folder.join(y)), ..Source::of(folder.join(x)) };
    let records = read(&of("df.npy", "yi8.npy"), &schema).unwrap();
    assert_eq!(records.rows(), 150);
    let [x, y] = records.decoded(&schema);
    for (value, expected) in x.row(0).iter().zip([6.1, 2.8, 4.0, 1.3]) {
        assert!((value * 2.0 + 3.0 - expected).abs() < 1e-3, "{x}");
    }
    assert_eq!((y.row(0).to_vec(), y.row(149).to_vec()), (vec![0.0, 1.0, 0.0], vec![0.0, 1.0, 0.0]));
    for labels in ["y.npy", "ys.npy"] {
        assert!(read(&of("df.npy", labels), &schema).unwrap() == records, "{labels}");
    }
    let half = read(&of("f16.npy", "y.npy"), &schema).unwrap().decoded(&schema);
    assert!(half[0].iter().zip(&x).all(|(a, b)| (a - b).abs() < 2e-3));
    // An integer that is no class's place.
    let two = Schema { classes: classes[..2].to_vec(), ..schema };
    let e = read(&of("df.npy", "yi8.npy"), &two).unwrap_err().to_string();
    assert!(e.contains("record 2, column \"y\": found \"2\", expected one of"), "{e}");
}
