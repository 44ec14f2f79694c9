//! Files as people have them that were once misread, or read without a word: what is right of each. They stand in `cases/`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "cases/written.rs"]
mod written;

use std::path::{Path, PathBuf};
use trefoil_data::records::{Checked, Numerals, Reading, Thousands, check, encoding};
use trefoil_data::schema::{Column, Part, Proposed, Task, propose, template};
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
    let comma = Reading { numerals: Numerals { decimal_comma: true, thousands: None }, ..Reading::default() };
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
    assert_eq!(
        e,
        "point.csv: line 2, column \"a\": found \"1.500\", expected a number with a decimal comma, or --thousands \".\""
    );
    let end = put("end.csv", "a,b,y\n1,2,no,\n");
    let e = message(read(&Source::of(&end), &schema).unwrap_err(), &end);
    assert_eq!(
        e,
        "end.csv: line 2: found 4 fields, the last of them empty, expected 3 as in the header, which ends without a delimiter"
    );
    // As Excel says it.
    let said = put("said.csv", "sep=|\r\na|b|y\r\n1.5|2|no\r\n1000.25|-3|yes\r\n0.5|x|no\r\n");
    let e = message(read(&Source::of(&said), &schema).unwrap_err(), &said);
    assert_eq!(e, "said.csv: line 5, column \"b\": found \"x\", expected a number");
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
    number.columns[3] = Column::number("flag", 0.5, 0.5);
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
    wrong.columns[3] = Column::category("flag", vec!["on".into(), "off".into()]);
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
    assert!(
        decimals.columns.iter().any(|c| matches!(c, Column::Number { deviation: Some(deviation), .. } if *deviation > 0.0)),
        "{decimals:?}"
    );
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
    let column = |i: usize| Column::number(format!("x{i}"), 3.0, 2.0);
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
    // Fields with names.
    let named = tempfile::tempdir().unwrap();
    let path = named.path().join("s.npy");
    std::fs::write(&path, b"\x93NUMPY\x01\x00\x1b\x00{'descr': [('a', '<f4')],.}\n").unwrap();
    let e = read(&Source { labels: Some(folder.join("y.npy")), ..Source::of(&path) }, &schema).unwrap_err();
    assert!(message(&e, &path).starts_with("s.npy: found a structured array, whose fields have names, expected one type"), "{e}");
    // An integer that is no class's place.
    let two = Schema { classes: classes[..2].to_vec(), ..schema };
    let e = read(&of("df.npy", "yi8.npy"), &two).unwrap_err().to_string();
    assert!(e.contains("record 2, column \"y\": found \"2\", expected one of"), "{e}");
}

/// What `check` finds, by a case's own job.
fn checked(folder: &str, file: &str) -> (Schema, Checked) {
    let schema = schema(folder);
    let checked = check(&Source::of(case(folder).join(file)), &schema, &[], true).unwrap();
    assert_eq!(checked.count, 0, "{file}");
    (schema, checked)
}

#[test]
fn what_is_clipped_is_told_and_too_much_is_refused() {
    let folder = "02-silent-clipping";
    let (schema, ok) = checked(folder, "u_b_ok.csv");
    assert!(ok.account.remarks(&schema, 16).is_empty() && ok.account.too_many_clipped(&schema).is_none());
    let (_, cents) = checked(folder, "u_b_cents.csv");
    assert_eq!(
        cents.account.remarks(&schema, 16),
        [
            "column \"income\": 200 of 200 values clipped",
            "column \"income\": values are about 100 times what the job has them at: another unit? --unit income=FACTOR multiplies them"
        ]
    );
    assert_eq!(
        cents.account.too_many_clipped(&schema).unwrap().to_string(),
        "column \"income\": found 200 of 200 values beyond the range that the job has for it, expected at most 1 %, as the job's \
         [data] clipped says"
    );
    let (_, sentinel) = checked(folder, "u_b_sentinel.csv");
    assert_eq!(
        sentinel.account.remarks(&schema, 16),
        ["column \"income\": 40 of 200 values clipped; 40 of them are -9999: does that stand for a missing value?"]
    );
    assert!(sentinel.account.too_many_clipped(&Schema { clipped: 0.3, ..schema.clone() }).is_none());
    assert!(sentinel.account.too_many_clipped(&schema).is_some());
}

/// Degrees that are not far enough out to be clipped are told by what the job has.
#[test]
fn other_degrees_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.csv");
    let schema = |mean: f64, deviation: f64| -> Schema {
        toml::from_str(&format!(
            "task = \"classification\"\nlabel = \"y\"\nclasses = [\"no\", \"yes\"]\n\
             columns = [{{ kind = \"number\", name = \"temp\", mean = {mean}, deviation = {deviation} }}]"
        ))
        .unwrap()
    };
    let remarks = |of: &dyn Fn(f64) -> f64, schema: &Schema| {
        let rows: String =
            (0..40).map(|i| format!("{},{}\n", of(f64::from(i % 20) - 5.0), ["no", "yes"][i as usize % 2])).collect();
        std::fs::write(&path, format!("temp,y\n{rows}")).unwrap();
        check(&Source::of(&path), schema, &[], true).unwrap().good().unwrap().remarks(schema, 16)
    };
    let (celsius, kelvin) = (schema(5.0, 7.0), schema(318.0, 60.0));
    assert!(remarks(&|v| v, &celsius).is_empty());
    assert_eq!(
        remarks(&|v| v * 1.8 + 32.0, &celsius),
        ["column \"temp\": values are what the job has, in degrees Fahrenheit? --unit \"temp=(x-32)/1.8\" converts them"]
    );
    assert!(remarks(&|v| 10.0 * v, &kelvin)[0].contains("in degrees Celsius? --unit \"temp=x+273.15\" converts them"));
}

#[test]
fn all_faults_are_told_at_once() {
    let (schema, folder) = (schema("07-late-batch-check"), tempfile::tempdir().unwrap());
    let path = folder.path().join("f.csv");
    let text = "a,b,c,y\n1,2,3,0\nx,,3,7\n1,2,3\n1,\"2\"3,3,0\n\n4,5,?,1\n".to_owned() + &"oops,1,2,0\n".repeat(30);
    std::fs::write(&path, text).unwrap();
    let checked = check(&Source::of(&path), &schema, &[], true).unwrap();
    let faults: Vec<String> = checked.faults.iter().map(|fault| message(fault, &path)).collect();
    assert_eq!(
        faults[..6],
        [
            "f.csv: line 3, column \"a\": found \"x\", expected a number",
            "f.csv: line 3, column \"b\": found a missing value, expected a number",
            "f.csv: line 3, column \"y\": found \"7\", expected one of: \"0\", \"1\"",
            "f.csv: line 4: found 3 fields, expected 4 as in the header",
            "f.csv: line 5: found something behind a closing quote, expected a comma or the line's end, and a quote within a field written twice",
            "f.csv: line 7, column \"c\": found a missing value, expected a number",
        ]
    );
    assert_eq!((checked.count, checked.faults.len(), checked.account.records), (36, 20, 1));
    let error = message(checked.good().unwrap_err(), &path);
    assert!(error.ends_with("found \"x\", expected a number (and 35 more: `trefoil data check` lists them)"), "{error}");
}

#[test]
fn few_records_and_classes_without_one_are_told() {
    let (schema, small) = checked("07-late-batch-check", "small4.csv");
    let remarks = small.account.remarks(&schema, 32).join("\n");
    assert!(remarks.contains("3 records to train on are fewer than a batch of 32"), "{remarks}");
    assert_eq!(small.account.split(&schema), [3, 1]);
    let (_, one) = checked("07-late-batch-check", "one.csv");
    let remarks = one.account.remarks(&schema, 1).join("\n");
    for part in ["class \"1\" has no record", "class \"0\" has one record, and none held out", "none of 1 records is held out"] {
        assert!(remarks.contains(part), "{remarks}");
    }
}

#[test]
fn each_class_has_its_share_of_the_held_out_records() {
    let file = case("13-auc-without-positives/imb.csv");
    let schema = template(&Source::of(&file), "y", Some(Task::Classification), None, &[]).unwrap();
    let [train, test] = Samples::read(&mut Records::open(&Source::of(&file), &schema, &[], true).unwrap()).unwrap();
    let rare = |part: &Samples| {
        let y = &part.decoded(&schema)[1];
        [0, 1].map(|c| y.column(c).sum() as usize).into_iter().min().unwrap()
    };
    assert_eq!((train.rows(), test.rows(), rare(&train), rare(&test)), (240, 60, 6, 2));
    // With another seed others, and as many.
    let other = Schema { seed: 1, ..schema.clone() };
    let [_, second] = Samples::read(&mut Records::open(&Source::of(&file), &other, &[], true).unwrap()).unwrap();
    assert!(second.rows() == 60 && rare(&second) == 2 && second != test);
    // A class that is not there is told.
    let negative = Source::of(case("13-auc-without-positives/allneg.csv"));
    let remarks = check(&negative, &schema, &[], true).unwrap().account.remarks(&schema, 1).join("\n");
    assert!(remarks.contains("has no record"), "{remarks}");
}

/// Why each column that is left out of a template is.
fn left_out(source: &Source) -> Vec<(String, String)> {
    let (_, columns) = propose(source, Some("y"), None, None, &[]).unwrap();
    let left = |p: Proposed| match p {
        Proposed::Left { name, why, .. } => Some((name, why)),
        Proposed::Column(_) => None,
    };
    columns.into_iter().filter_map(left).collect()
}

#[test]
fn numbers_with_something_else_among_them_become_no_category() {
    let dash = left_out(&Source::of(case("10-numbers-taken-for-categories/dash_few.csv")));
    assert_eq!(dash, [("score".into(), "59 of 60 values are numbers, one is not (line 11), \"-\": a missing value?".into())]);
    let percent = left_out(&Source::of(case("10-numbers-taken-for-categories/percent.csv")));
    assert_eq!(percent.len(), 1);
    assert!(percent[0].1.starts_with("60 of 60 values are percentages, the first in line 2: "), "{percent:?}");
}

#[test]
fn a_template_publishes_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.csv");
    let head = ",patient_id,email,note,visits,account,when,price,code,smoker,gap,town,height,zip,flat,y\n";
    let row = |i: usize| {
        format!(
            "{i},{},p{i}@x.org,seen on ward {i},{},{},{:02}.03.2024,\"{},5\",{},{},{},{},1.{:02},0{},1,{}\n",
            1000 + i % 7,
            i % 3,
            77_000 + i * i,
            1 + i % 28,
            i % 9,
            ["007", "7", "1E2", "x"][i % 4],
            ["True", "False"][i % 2],
            if i == 5 { "NA" } else { "4" },
            ["Bern", "Rom"][i % 2],
            i % 50,
            1200 + i % 8,
            ["no", "yes"][i % 2],
        )
    };
    std::fs::write(&path, head.to_owned() + &(0..40).map(row).collect::<String>()).unwrap();
    let (schema, columns) = propose(&Source::of(&path), Some("y"), None, None, &[]).unwrap();
    let schema = schema.unwrap();
    let kept: Vec<&str> = schema.columns.iter().map(Column::name).collect();
    assert_eq!(kept, ["visits", "when", "code", "smoker", "town", "height"]);
    // Codes that look like one number are not one.
    let Column::Date { since, format, parts, .. } = &schema.columns[1] else { panic!("{:?}", schema.columns[1]) };
    assert_eq!(
        (since.as_deref(), format.as_deref(), &parts[..]),
        (Some("2000-01-01"), Some("%d.%m.%Y"), &[Part::Month, Part::Weekday][..])
    );
    assert_eq!(schema.columns[2], Column::category("code", ["007", "1E2", "7", "x"].map(String::from).into()));
    let why: Vec<(String, String)> = left_out(&Source::of(&path));
    for (name, part) in [
        ("", "an index that a tool has written"),
        ("patient_id", "tells who a record is of"),
        ("email", "tells who a record is of"),
        ("note", "40 different texts in 40 records"),
        ("account", "another one in each record"),
        ("price", "40 of 40 values have a decimal comma, the first in line 2: --decimal comma"),
        ("gap", "1 of 40 values are missing, the first in line 7, \"NA\""),
        ("zip", "40 of 40 values begin with a zero"),
        ("flat", "the same in every record"),
    ] {
        let found = why.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("{name}: {why:?}"));
        assert!(found.1.contains(part), "{found:?}");
    }
    // No word of a record is in a comment.
    assert!(columns.len() == 15 && why.iter().all(|(_, why)| !why.contains("ward") && !why.contains("x.org")), "{why:?}");
}

#[test]
fn json_lines_are_as_csv() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Source::of(path)
    };
    let csv = put("f.csv", "a,c,flag,y\n1.5,u,true,no\n-2,v,false,yes\n3,u,true,no\n");
    let lines = put(
        "f.jsonl",
        "{\"y\":\"no\",\"flag\":true,\"c\":\"u\",\"a\":1.5,\"more\":[1]}\n\n{\"a\":-2,\"c\":\"v\",\"flag\":false,\"y\":\"yes\"}\n{\"a\":3,\"c\":\"u\",\"flag\":true,\"y\":\"no\"}\n",
    );
    let schema = template(&csv, "y", None, None, &[]).unwrap();
    assert!(read(&lines, &schema).unwrap() == read(&csv, &schema).unwrap());
    let made = template(&lines, "y", None, None, &["more".to_string()]).unwrap();
    assert_eq!(made.columns.len(), 3);
    let refused = |text: &str| {
        let source = put("g.ndjson", text);
        message(read(&source, &schema).unwrap_err(), &source.path)
    };
    let first = "{\"a\":1,\"c\":\"u\",\"flag\":true,\"y\":\"no\"}\n";
    assert_eq!(
        refused(&format!("{first}\n{{\"a\":1}}\n")),
        "g.ndjson: line 3, column \"c\": found a missing value, expected one of: \"u\", \"v\""
    );
    assert_eq!(refused(&format!("{first}[1]\n")), "g.ndjson: line 2: found no JSON object, expected an object a line");
    assert!(refused(&first.replace(":1,", ":[1],")).contains("line 1, column \"a\": found nested values"));
    // Readers of JSON take the last of two, or the first.
    assert_eq!(
        refused(&format!("{first}{}", first.replace(":1,", ":1,\"a\":2,"))),
        "g.ndjson: line 2: found the field \"a\" twice, expected each field of an object once"
    );
    assert_eq!(refused("{\"a\": NaN}\n"), "g.ndjson: line 1: found no JSON at character 7, expected an object a line");
    // Writers leave out fields without a value, in the first record too; and all faults are told.
    let gaps = put("gaps.jsonl", "{\"c\":\"u\",\"y\":\"no\"}\n{\"a\":1,\"flag\":true,\"c\":\"u\",\"y\":\"no\"}\n{\"a\":}\n[]\n");
    let checked = check(&gaps, &schema, &[], true).unwrap();
    let told: Vec<String> = checked.faults.iter().map(|e| message(e, &gaps.path)).collect();
    assert!(told[0].starts_with("gaps.jsonl: line 1, column \"a\": found a missing value"), "{told:?}");
    assert!(
        told[2].starts_with("gaps.jsonl: line 3: found no JSON at")
            && told[3].starts_with("gaps.jsonl: line 4: found no JSON object"),
        "{told:?}"
    );
    assert_eq!((checked.count, checked.account.records), (4, 1));
}

#[test]
fn archives_of_arrays_have_features_and_labels() {
    let folder = tempfile::tempdir().unwrap();
    let arrays = case("12-npy");
    let [x, y] = ["df.npy", "ys.npy"].map(|name| std::fs::read(arrays.join(name)).unwrap());
    let schema = Schema {
        columns: (0..4).map(|i| Column::number(format!("x{i}"), 3.0, 2.0)).collect(),
        classes: ["setosa", "versicolor", "virginica"].map(String::from).to_vec(),
        ..template(&Source::of(case("08-booleans-differ/ref.csv")), "y", None, None, &[]).unwrap()
    };
    let plain = Source { labels: Some(arrays.join("ys.npy")), ..Source::of(arrays.join("df.npy")) };
    let expected = read(&plain, &schema).unwrap();
    for packed in [false, true] {
        let bytes = archive(&[("y.npy", &y), ("X.npy", &x)], packed);
        let path = folder.path().join("a.npz");
        std::fs::write(&path, &bytes).unwrap();
        assert!(read(&Source::of(&path), &schema).unwrap() == expected, "{packed}");
        // Damage is an error.
        for at in [10, 200, bytes.len() - 10] {
            let mut broken = bytes.clone();
            broken[at] ^= 0x55;
            std::fs::write(&path, &broken).unwrap();
            let _ = read(&Source::of(&path), &schema);
        }
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let e = message(read(&Source::of(&path), &schema).unwrap_err(), &path);
        assert_eq!(e, "a.npz: found no archive, or a broken one, expected a NumPy archive (.npz)");
    }
    let path = folder.path().join("b.npz");
    std::fs::write(&path, archive(&[("X.npy", &x)], false)).unwrap();
    let e = message(read(&Source::of(&path), &schema).unwrap_err(), &path);
    assert!(e.starts_with("b.npz: found arrays \"X.npy\", expected one with the labels: y, "), "{e}");
}

/// A ZIP archive.
fn archive(files: &[(&str, &[u8])], packed: bool) -> Vec<u8> {
    use std::io::Write;
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        deflate.write_all(bytes).unwrap();
        let body = if packed { deflate.finish().unwrap() } else { bytes.to_vec() };
        let words = [crc.sum(), body.len() as u32, bytes.len() as u32].map(u32::to_le_bytes).concat();
        let method = if packed { 8_u16 } else { 0 };
        let head =
            [&[20, 0, 0, 0][..], &method.to_le_bytes(), &[0; 4], &words, &(name.len() as u16).to_le_bytes(), &[0, 0]].concat();
        directory
            .extend([&b"PK\x01\x02\x14\x00"[..], &head, &[0; 10], &(out.len() as u32).to_le_bytes(), name.as_bytes()].concat());
        out.extend([b"PK\x03\x04", &head[..], name.as_bytes(), &body].concat());
    }
    let (at, count) = (out.len() as u32, files.len() as u16);
    out.extend(&directory);
    let end = [count.to_le_bytes(), count.to_le_bytes()].concat();
    let sizes = [(directory.len() as u32).to_le_bytes(), at.to_le_bytes()].concat();
    out.extend([&b"PK\x05\x06\0\0\0\0"[..], &end, &sizes, &[0, 0]].concat());
    out
}

#[test]
fn a_folder_of_images_has_its_labels_in_folders_names() {
    let folder = tempfile::tempdir().unwrap();
    let png = |path: &Path, level: u8| {
        let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), 2, 2);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header().unwrap().write_image_data(&[level; 4]).unwrap();
    };
    for (class, levels) in [("cat", &[1_u8, 2][..]), ("dog", &[3])] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        for level in levels {
            png(&folder.path().join(class).join(format!("{level}.png")), *level);
        }
    }
    let schema = Schema {
        columns: vec![Column::pixels("p", 4)],
        classes: ["cat", "dog"].map(String::from).to_vec(),
        holdout: 0,
        ..template(&Source::of(case("08-booleans-differ/ref.csv")), "y", None, None, &[]).unwrap()
    };
    let records = read(&Source::of(folder.path()), &schema).unwrap();
    assert_eq!(records.range(0..3), [1, 1, 1, 1, 1, 0, 2, 2, 2, 2, 1, 0, 3, 3, 3, 3, 0, 1]);
    let jpeg = folder.path().join("dog/4.JPG");
    std::fs::write(&jpeg, "").unwrap();
    let e = read(&Source::of(folder.path()), &schema).unwrap_err().to_string();
    assert!(e.ends_with("dog/4.JPG: found an image that is no PNG, expected files that end in .png"), "{e}");
    std::fs::remove_file(jpeg).unwrap();
    let one = Schema { classes: ["cat", "cow"].map(String::from).to_vec(), ..schema };
    let e = read(&Source::of(folder.path()), &one).unwrap_err().to_string();
    assert!(e.contains("dog/3.png: found \"dog\", expected one of: \"cat\", \"cow\""), "{e}");
}
