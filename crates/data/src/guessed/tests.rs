use super::*;
use proptest::prelude::*;

fn parse(text: &[u8], label: &str) -> Result<Dataset> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.csv");
    std::fs::write(&path, text).unwrap();
    load(&Source::of(path), label)
}

fn refused(text: &str) -> String {
    let message = parse(text.as_bytes(), "y").err().unwrap().to_string();
    assert!(!message.contains('\n'));
    // Without the folder.
    message.rsplit_once("/f.csv").map_or(message.clone(), |(_, rest)| format!("f.csv{rest}"))
}

const TEXT: &str = "\u{feff}a, y ,\"b,c\"\r\n1,cat,2e3\r\n\r\n-4.5,\"dog\", 0\r\n7,cat,1\n2,cat,3\n3,dog,4\n";

#[test]
fn a_label_column_by_name_and_by_index() {
    for label in ["y", "1"] {
        let d = parse(TEXT.as_bytes(), label).unwrap();
        assert_eq!(d.schema.columns.iter().map(Column::name).collect::<Vec<_>>(), ["a", "b,c"]);
        assert_eq!(d.schema.classes, ["cat", "dog"]);
        assert_eq!((d.name.as_str(), d.train.rows(), d.test.rows()), ("f", 4, 1));
        let [x, y] = d.train.decoded(&d.schema);
        // The mean of the first column is 1.7, its deviation 3.71.
        assert!((x[[0, 0]] - (-4.5 - 1.7) / 3.71).abs() < 1e-3, "{x}");
        assert_eq!(y.row(0).to_vec(), [0.0, 1.0]);
    }
    // A name goes before an index.
    let text = "1,x\n0,5\n1,6\n0,7\n1,8\n0,9\n";
    assert_eq!(parse(text.as_bytes(), "1").unwrap().schema.columns[0].name(), "x");
}

#[test]
fn integer_labels_are_in_their_order() {
    let d = parse(b"y,a\n2,0\n10,1\n1.0,2\n2,3\n2,4\n", "y").unwrap();
    assert_eq!(d.schema.classes, ["1", "2", "10"]);
    assert_eq!(d.train.decoded(&d.schema)[1].row(1).to_vec(), [1.0, 0.0, 0.0]);
}

#[test]
fn cells_that_are_refused_name_line_and_column() {
    for (cell, found) in [
        ("", "a missing value, expected a number"),
        ("NA", "a missing value, expected a number"),
        ("NaN", "\"NaN\", expected a finite number"),
        ("-inf", "\"-inf\", expected a finite number"),
        ("1e999", "\"1e999\", expected a finite number"),
        ("1;2", "\"1;2\", expected a number"),
    ] {
        let text = format!("a,b,y\n1,2,0\n3,{cell},1\n");
        assert_eq!(refused(&text), format!("f.csv: line 3, column \"b\": found {found}"));
    }
}

#[test]
fn labels_that_are_refused_name_line_and_column() {
    for (label, found) in [
        ("", "a missing value, expected a number"),
        ("0.5", "\"0.5\", expected one of: \"0\", \"1\""),
        ("nan", "\"nan\", expected a finite number"),
        ("cat", "\"cat\", expected one of: \"0\", \"1\""),
    ] {
        let text = format!("a,y\n1,0\n1,1\n1,{label}\n");
        assert_eq!(refused(&text), format!("f.csv: line 4, column \"y\": found {found}"));
    }
    let many: String = (0..300).map(|i| format!("1,c{i}\n")).collect();
    assert!(refused(&format!("a,y\n{many}")).contains("found more than 64 different labels in column \"y\""));
}

#[test]
fn lines_are_counted_through_blank_lines_and_quotes() {
    let text = "a,y\n\n\r\n1,\"x\ny\"\n\n,z\n";
    assert!(refused(text).starts_with("f.csv: line 7, column \"a\": found a missing value"), "{}", refused(text));
}

#[test]
fn forms_that_are_refused() {
    assert_eq!(refused(""), "f.csv: found no lines, expected at least a header and one record");
    assert_eq!(refused("a,y\n"), "f.csv: found no records, expected at least one record");
    assert_eq!(refused("a,b\n1,2\n"), "f.csv: found no label column \"y\", expected one of: \"a\", \"b\"");
    assert_eq!(refused("a,y\n1,0\n1,2,3\n"), "f.csv: line 3: found 3 fields, expected 2 as in the header");
    assert_eq!(refused("1,2\n3,4\n"), "f.csv: found only numbers in the first line, expected a header with the columns' names");
    assert!(refused("y\n0\n1\n").contains("columns: found none, expected at least one"));
    assert_eq!(refused("y,y,a\n0,0,0\n"), "f.csv: found more than one column \"y\", expected one");
    assert_eq!(refused("\u{1f}\n1\n"), "f.csv: found no label column \"y\", expected one of: \"\\u{1f}\"");
    assert!(load(&Source::of("no-such.txt"), "y").unwrap_err().to_string().contains("expected CSV or Parquet"));
}

#[test]
fn too_little_to_train_on_is_refused() {
    assert!(refused("a,y\n1,0\n2,0\n").contains("classes: found "));
    let d = parse(b"a,y\n1,0\n2,1\n", "y").unwrap();
    assert_eq!((d.train.rows(), d.test.rows()), (1, 1));
}

#[test]
fn texts_are_categories() {
    let d = parse(b"town,y\nhere,0\nthere,1\nhere,1\nthere,0\nhere,1\n", "y").unwrap();
    assert_eq!((d.schema.features(), d.schema.outputs()), (2, 2));
    assert_eq!(d.train.decoded(&d.schema)[0].row(2).to_vec(), [0.0, 1.0]);
}

proptest! {
    /// Every dataset that is made of finite numbers is in range.
    #[test]
    fn finite_values_fit(rows in prop::collection::vec((-1e9..1e9_f64, prop::num::f64::ANY, 0..3_usize), 5..30)) {
        let clean = |v: f64| if v.is_finite() { v } else { 0.0 };
        let mut text = "a,b,y\n".to_string();
        for (a, b, y) in &rows {
            text += &format!("{a:e},{},c{y}\n", clean(*b));
        }
        if let Ok(d) = parse(text.as_bytes(), "y") {
            let [x, y] = d.train.decoded(&d.schema);
            prop_assert!(x.iter().all(|v| (-8.0..8.0).contains(v)) && y.iter().all(|v| *v == 0.0 || *v == 1.0));
        }
    }
}

#[test]
fn columns_in_memory_mean_what_they_mean_in_a_file() {
    use crate::records::Cells;
    let texts = |texts: &[&str]| Cells::Texts(texts.iter().map(|t| t.as_bytes().to_vec()).collect());
    let names = || ["a", "y", "b", "c"].map(String::from).to_vec();
    // The label is neither the first nor the last, and two columns are alike.
    let numbers = Cells::Floats(vec![1.0, 2e3, -4.5, 0.0, 7.0, 1.0]);
    let cells = vec![texts(&["up", "down", "up"]), Cells::Integers(vec![2, 10, 2]), numbers];
    let table = Table::new("frame", names(), 3, cells).unwrap();
    let file = parse(b"a,y,b,c\nup,2,1,2e3\ndown,10,-4.5,0\nup,2,7,1\nup,2,7,1\n", "y").unwrap();
    let held = Table::new("frame", names(), 1, vec![texts(&["up"]), Cells::Integers(vec![2]), Cells::Floats(vec![7.0, 1.0])]);
    let frame = in_memory(&table, Some(&held.unwrap()), "y", Task::Classification).unwrap();
    assert_eq!(frame.schema.classes, file.schema.classes);
    assert_eq!(frame.schema.columns[0], file.schema.columns[0]);
    assert_eq!((frame.name.as_str(), frame.train.rows(), frame.test.rows()), ("frame", 3, 1));
    let [x, y] = frame.train.decoded(&frame.schema);
    // The mean of b is 1.167, its deviation 4.7.
    assert!((x[[1, 2]] - (-4.5 - 1.17) / 4.7).abs() < 1e-3, "{x}");
    assert_eq!((x.row(1).to_vec()[..2].to_vec(), y.row(1).to_vec()), (vec![1.0, 0.0], vec![0.0, 1.0]));
    assert_eq!(frame.test.range(0..1), frame.train.range(2..3));
    let error = in_memory(&table, None, "z", Task::Classification).unwrap_err().to_string();
    assert!(error.contains("frame: found no label column \"z\""), "{error}");
    // A regression's label has no classes, and no records are held out unless they are given.
    let regression = in_memory(&table, None, "b", Task::Regression).unwrap();
    assert_eq!((regression.schema.outputs(), regression.test.rows(), regression.train.width()), (1, 0, 5));
    assert_eq!(format!("{table:?}"), "Table(3 x 4)");
}
