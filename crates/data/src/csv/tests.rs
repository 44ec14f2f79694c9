use super::*;
use proptest::prelude::*;

fn refused(text: &str) -> String {
    let message = parse(text.as_bytes(), "f.csv", "y").err().unwrap().to_string();
    assert!(!message.contains('\n'));
    message
}

#[test]
fn a_label_column_by_name_and_by_index() {
    let text = "\u{feff}a, y ,\"b,c\"\r\n1,cat,2e3\r\n\r\n-4.5,\"dog\", 0\r\n7,cat,1\n";
    for label in ["y", "1"] {
        let r = parse(text.as_bytes(), "f", label).unwrap();
        assert_eq!(r.features, ["a", "b,c"]);
        assert_eq!(r.classes, ["cat", "dog"]);
        assert_eq!(r.x, ndarray::arr2(&[[1.0, 2000.0], [-4.5, 0.0], [7.0, 1.0]]));
        assert_eq!(r.y, [0, 1, 0]);
    }
    // A name goes before an index.
    assert_eq!(parse(b"1,x\n0,5\n", "f", "1").unwrap().features, ["x"]);
}

#[test]
fn integer_labels_count_from_zero() {
    let r = parse(b"y,a\n2,0\n0,0\n1.0,0\n2,0", "f", "y").unwrap();
    assert_eq!((r.y, r.classes), (vec![2, 0, 1, 2], ["0", "1", "2"].map(String::from).to_vec()));
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
        ("\"1\n2\"", "\"1\\n2\", expected a number"),
    ] {
        let text = format!("a,b,y\n1,2,0\n3,{cell},1\n");
        assert_eq!(refused(&text), format!("f.csv: line 3, column \"b\": found {found}"));
    }
}

#[test]
fn labels_that_are_refused_name_line_and_column() {
    for (label, found) in [
        ("", "a missing value, expected a label"),
        ("-1", "label \"-1\", expected an integer from 0 to 255"),
        ("0.5", "label \"0.5\", expected an integer from 0 to 255"),
        ("nan", "label \"nan\", expected an integer from 0 to 255"),
        ("256", "label \"256\", expected an integer from 0 to 255"),
        ("7", "label 7, expected the integers 0 to k-1 as labels, none missing; no record has label 2"),
        ("cat", "\"cat\", expected an integer label as in the first record"),
    ] {
        let text = format!("a,y\n1,0\n1,1\n1,{label}\n");
        assert_eq!(refused(&text), format!("f.csv: line 4, column \"y\": found {found}"));
    }
    let many: String = (0..300).map(|i| format!("1,c{i}\n")).collect();
    assert!(refused(&format!("a,y\n{many}")).starts_with("f.csv: line 258, column \"y\": found 257 distinct labels so far"));
}

#[test]
fn lines_are_counted_through_blank_lines_and_quotes() {
    assert!(refused("a,y\n\n\r\n1,\"x\ny\"\n\n,z\n").starts_with("f.csv: line 7, column \"a\": found a missing value"));
}

#[test]
fn forms_that_are_refused() {
    assert_eq!(refused(""), "f.csv: found no lines, expected at least a header and one record");
    assert_eq!(refused("a,y\n"), "f.csv: found a header and no records, expected at least one record");
    assert_eq!(refused("a,b\n1,2\n"), "f.csv: found no label column \"y\", expected one of: \"a\", \"b\"");
    assert_eq!(refused("a,y\n1,0\n1,2,3\n"), "f.csv: line 3: found 3 fields, expected 2 as in the header");
    assert_eq!(refused("1,2\n3,4\n"), "f.csv: found only numbers in the first line, expected a header with the columns' names");
    assert_eq!(refused("y\n0\n"), "f.csv: found no column but the label, expected at least one feature column");
    assert_eq!(refused("y,y,a\n0,0,0\n"), "f.csv: found 2 columns \"y\", expected one");
    assert_eq!(refused("\u{1f}"), "f.csv: found no label column \"y\", expected one of: \"\\u{1f}\"");
    assert!(parse(&[0x1f, 0x8b], "f", "y").err().unwrap().to_string().contains("found gzip, expected plain CSV text"));
}

#[test]
fn a_fifth_is_held_out_and_the_rest_standardised() {
    let text: String = (0..50).map(|i| format!("{},{},{}\n", i, 3, i % 2)).collect();
    let r = parse(format!("a,b,y\n{text}").as_bytes(), "f", "y").unwrap();
    let d = r.dataset("name", "f", 1).unwrap();
    assert_eq!((d.train.rows(), d.test.rows(), d.features(), d.classes), (40, 10, 2, 2));
    assert!(d.train.x.column(0).sum().abs() < 40.0 / 4096.0);
    assert!((d.train.x.column(0).mapv(|v| v * v).sum() / 40.0 - 1.0).abs() < 1e-2);
    assert!(d.train.x.column(1).iter().all(|&v| v == 0.0));
    assert!(d == r.dataset("name", "f", 1).unwrap());
    assert!(d.test.x != r.dataset("name", "f", 2).unwrap().test.x);
}

#[test]
fn too_little_to_train_on_is_refused() {
    let message = |text: &str| {
        let r = parse(text.as_bytes(), "f", "y").unwrap();
        r.dataset("n", "f", 0).err().unwrap().to_string()
    };
    assert_eq!(message("a,y\n1,0\n"), "f: found 1 records, expected at least 2, to train and to test");
    assert_eq!(message("a,y\n1,0\n2,0\n"), "f: found 1 class, expected at least 2 classes");
}

proptest! {
    /// What is written is what is read, and every dataset made of it is in range.
    #[test]
    fn finite_values_come_back(rows in prop::collection::vec((prop::num::f64::NORMAL, prop::num::f64::ANY, 0..3_usize), 3..30)) {
        let clean = |v: f64| if v.is_finite() { v } else { 0.0 };
        let mut text = "a,b,y\n".to_string();
        for (a, b, y) in &rows {
            text += &format!("{a:e},{},c{y}\n", clean(*b));
        }
        let r = parse(text.as_bytes(), "f", "y").unwrap();
        for (i, (a, b, y)) in rows.iter().enumerate() {
            prop_assert_eq!((r.x[[i, 0]], r.x[[i, 1]]), (*a, clean(*b)));
            let class = format!("c{y}");
            prop_assert_eq!(&r.classes[r.y[i]], &class);
        }
        if r.classes.len() > 1 {
            let d = r.dataset("n", "f", 0).unwrap();
            prop_assert!(d.train.x.iter().chain(&d.test.x).all(|v| (-8.0..8.0).contains(v)));
        }
    }
}
