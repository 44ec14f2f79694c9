use super::*;
use crate::records::value::Value;
use crate::schema::Part;
use crate::{Records, Source};
use std::fs;

fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.csv");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn of(text: &str, label: &str, task: Option<Task>) -> Result<Schema, String> {
    let (_folder, path) = file(text);
    template(&Source::of(&path), label, task, None, &[]).map_err(|e| {
        let text = e.to_string();
        text.split_once("f.csv: ").map_or(text.clone(), |(_, why)| why.to_string())
    })
}

#[test]
fn kinds_statistics_and_classes() {
    let text = "a,c,y\n1,v,10\n2,u,9\n3.0,v,10.0\n4,u,9\n";
    let s = of(text, "y", None).unwrap();
    assert_eq!((s.task, s.partition, s.holdout), (Task::Classification, Partition::Horizontal, 5));
    // By number, not by bytes.
    assert_eq!(s.classes, ["9", "10"]);
    let number = Column::number("a", 2.5, 1.12);
    let category = Column::category("c", vec!["u".to_string(), "v".to_string()]);
    assert_eq!(s.columns, [number.clone(), category]);
    assert_eq!(of("y,a\nyes,1\nno,2\nB,3\n", "y", None).unwrap().classes, ["B", "no", "yes"]);

    let (_folder, path) = file(text);
    let without = template(&Source::of(&path), "y", None, None, &["c".to_string()]).unwrap();
    assert_eq!(without.columns, [number]);
    // What it was made of can be read by it.
    let mut records = Records::open(&Source::of(path), &s, &[], true).unwrap();
    let kinds = std::iter::from_fn(|| records.next(10).unwrap()).map(|chunk| (chunk.test, chunk.rows));
    assert_eq!(kinds.collect::<Vec<_>>(), [(false, 3), (true, 1)]);
}

#[test]
fn regression_by_many_numbers_or_when_asked() {
    let rows = |n: usize| (0..n).map(|i| format!("{i},{}\n", i as f64 / 2.0)).collect::<String>();
    let many = of(&format!("a,y\n{}", rows(21)), "y", None).unwrap();
    assert_eq!(
        (many.task, many.classes.len(), many.target),
        (Task::Regression, 0, Some(Standard { mean: 5.0, deviation: 3.03 }))
    );
    assert_eq!(of(&format!("a,y\n{}", rows(20)), "y", None).unwrap().classes.len(), 20);
    assert_eq!(of(&format!("a,y\n{}", rows(2)), "y", Some(Task::Regression)).unwrap().target.unwrap().deviation, 0.25);
    assert_eq!(of(&format!("a,y\n{}", rows(64)), "y", Some(Task::Classification)).unwrap().classes.len(), 64);
    assert_eq!(
        of(&format!("a,y\n{}", rows(65)), "y", Some(Task::Classification)).unwrap_err(),
        "found more than 64 different labels in column \"y\", expected at most 64 classes"
    );
    assert_eq!(
        of("a,y\n1,2\n1,x\n", "y", Some(Task::Regression)).unwrap_err(),
        "found \"x\" in the label column \"y\", expected numbers for a regression"
    );
}

#[test]
fn dates_in_the_usual_formats() {
    let column = |texts: [&str; 4]| {
        let (_folder, path) = file(&format!("a,d,y\n1,{},0\n2,{},1\n3,{},0\n5,{},1\n", texts[0], texts[1], texts[2], texts[3]));
        let (_, mut columns) = propose(&Source::of(&path), Some("y"), None, None, &[]).unwrap();
        columns.remove(1)
    };
    let date = |format: Option<&str>, mean, deviation, parts: &[Part]| {
        let mut column = Column::date("d", "2000-01-01", mean, deviation, parts.to_vec());
        if let Column::Date { format: own, .. } = &mut column {
            *own = format.map(String::from);
        }
        column
    };
    let parts = [Part::Month, Part::Weekday, Part::Hour];
    let iso = column(["2000-01-31", "2000-01-31", "2000-01-29", "2000-01-29"]);
    assert_eq!(iso, Proposed::Column(date(None, 29.0, 1.0, &parts[..2])));
    let german = column(["31.01.2000", "31.01.2000", "29.1.2000", "29.01.2000"]);
    assert_eq!(german, Proposed::Column(date(Some("%d.%m.%Y"), 29.0, 1.0, &parts[..2])));
    let times = column(["2000-01-31T12:00", "2000-01-31 12:00:00", "2000-01-29 12:00", "2000-01-29T12:00Z"]);
    assert_eq!(times, Proposed::Column(date(None, 29.5, 1.0, &parts)));
    // It reads what it was made of.
    let left = |texts| match column(texts) {
        Proposed::Left { why, column, .. } => (why, column),
        Proposed::Column(column) => panic!("{column:?}"),
    };
    let (why, proposal) = left(["01/02/2000", "03/04/2000", "05/06/2000", "07/08/2000"]);
    assert!(why.ends_with("which of their numbers is the month is not to be seen") && proposal.is_some(), "{why}");
    let (why, proposal) = left(["2000/01/31", "31/01/2000", "2000-01-01", "1.1.2000"]);
    assert!(why.ends_with("not all in one of the usual formats") && proposal.is_none(), "{why}");
    assert_eq!(left(["2000-01-01"; 4]), ("the same in every record".into(), None));
    let (why, proposal) = left(["31.01.2000", "", "29.01.2000", "30.01.2000"]);
    assert!(why.starts_with("1 of 4 values are missing"), "{why}");
    assert_eq!(proposal.unwrap().missing().unwrap().fill.as_deref(), Some("30.01.2000"));
    assert_eq!(of("d,y\n2000-01-31,0\n2000-01-29,1\n", "y", None).unwrap().columns, [date(None, 29.0, 1.0, &parts[..2])]);
}

#[test]
fn a_vertical_partition_from_two_files() {
    let (_one, first) = file("id,a,y\n1,1,0\n2,2,1\n");
    let (_two, second) = file("id,b\n1,5\n2,6\n");
    let mut s = template(&Source::of(&first), "y", None, Some("id"), &[]).unwrap();
    let (none, columns) = propose(&Source::of(&second), None, None, Some("id"), &[]).unwrap();
    let [Proposed::Column(second)] = &columns[..] else { panic!("{columns:?}") };
    s.columns.push(second.clone());
    s.check().unwrap();
    assert_eq!(none, None);
    assert_eq!((s.partition, s.id.as_deref()), (Partition::Vertical, Some("id")));
    assert_eq!(s.columns[1], Column::number("b", 5.5, 0.5));
    // A column with one value only.
    let flat = of("a,y\n5,0\n5,1\n", "y", None).unwrap();
    assert_eq!(flat.columns, [Column::number("a", 5.0, 1.0)]);
}

#[test]
fn what_no_schema_is_guessed_from() {
    let refused = |text: &str| of(text, "y", None).unwrap_err();
    assert_eq!(refused("a,b\n1,2\n"), "found no label column \"y\", expected one of: \"a\", \"b\"");
    assert_eq!(refused("a,y\n"), "found no records, expected at least one record");
    assert_eq!(refused("a,y\n1,0\n?,1\n"), "line 3, column \"a\": found a missing value, expected a number");
    assert_eq!(refused("a,y\nx,0\n,1\n"), "line 3, column \"a\": found a missing value, expected a number");
    assert_eq!(refused("a,y\nx,0\ninf,1\n"), "line 3, column \"a\": found \"inf\", expected a finite number");
    assert_eq!(
        refused("a,y\nx,0\nx,1\n"),
        "[data] \"a\": found one text in every record, expected at least two, or the column left out"
    );
    assert_eq!(refused("a,y\n1,0\n2,0\n"), "[data] classes: found 1 texts, expected 2 to 64");
    let names: String = (0..33).map(|i| format!("n{i},{}\n", i % 2)).collect();
    assert_eq!(
        refused(&format!("a,y\n{names}")),
        "found more than 32 different values in column \"a\", one of them \"n0\", expected only numbers, or fewer texts for a category, or the column left out"
    );
    let huge = refused("a,y\n1e300,0\n-1e300,1\n");
    assert_eq!(huge, "[data] columns[0] \"a\": found deviation = inf, expected a finite number above 0");
    let (_folder, path) = file("a,y\n1,0\n2,1\n");
    assert!(
        template(&Source::of(&path), "y", None, None, &["z".to_string()])
            .unwrap_err()
            .to_string()
            .contains("found no column \"z\"")
    );
    let other = path.with_extension("npy");
    std::fs::write(&other, b"\x93NUMPY").unwrap();
    assert!(
        template(&Source::of(&other), "y", None, None, &[])
            .unwrap_err()
            .to_string()
            .contains("found a file without column names")
    );
}

/// Three digits of the deviation, whatever its size.
#[test]
fn statistics_are_rounded() {
    let standard = |values: [f64; 2]| {
        let mut seen = Seen::new("a".to_string(), false);
        values.iter().for_each(|&v| seen.push(Value::Float(v)).unwrap());
        let s = seen.standard();
        (s.mean, s.deviation)
    };
    assert_eq!(standard([1234.5678, 1244.5678]), (1239.57, 5.0));
    assert_eq!(standard([123_456.0, 789_012.0]), (456_234.0, 333_000.0));
    assert_eq!(standard([1.23456e-7, 7.89012e-7]), (4.56e-7, 3.33e-7));
    assert_eq!(standard([-1e-9, 1e-9]), (0.0, 1e-9));
    assert_eq!(standard([0.1, 0.1]), (0.1, 1.0));
}
