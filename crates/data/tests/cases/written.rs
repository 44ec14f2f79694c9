//! Beside the cases: numbers as locales and bookkeepers write them, texts that are no words, what a job has clipped, and files of another
//! kind than their name says.

use super::*;

/// Marks between thousands, minus signs of typography, in files and in their texts.
#[test]
fn numbers_are_written_in_many_ways() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Source::of(path)
    };
    let plain = put("plain.csv", "a,b,y\n1234567,-2,no\n12000,-3.5,yes\n-7,4,no\n");
    let schema = template(&plain, "y", None, None, &[]).unwrap();
    let records = read(&plain, &schema).unwrap();
    for (name, decimal_comma, thousands, text) in [
        ("comma.csv", false, Thousands::Comma, "a,b,y\n\"1,234,567\",-2,no\n\"12,000\",\u{2212}3.5,yes\n-7,4,no\n"),
        ("point.csv", true, Thousands::Point, "a;b;y\n1.234.567;-2;no\n12.000;-3,5;yes\n-7;4;no\n"),
        ("blank.csv", true, Thousands::Blank, "a;b;y\n1\u{a0}234\u{202f}567;\u{2212}2;no\n12 000;-3,5;yes\n\u{2212}7;4;no\n"),
        ("swiss.tsv", false, Thousands::Apostrophe, "a\tb\ty\n1'234'567\t-2\tno\n12\u{2019}000\t-3.5\tyes\n-7\t4\tno\n"),
        (
            "texts.jsonl",
            false,
            Thousands::Comma,
            "{\"a\":\"1,234,567\",\"b\":-2,\"y\":\"no\"}\n{\"a\":\"12,000\",\"b\":\"-3.5\",\"y\":\"yes\"}\n{\"a\":-7,\"b\":4,\"y\":\"no\"}\n",
        ),
    ] {
        let numerals = Numerals { decimal_comma, thousands: Some(thousands) };
        let source = Source { reading: Reading { numerals, ..Reading::default() }, ..put(name, text) };
        assert!(read(&source, &schema).unwrap() == records, "{name}");
        // And `job template` says how they are read, by which it makes the same of them.
        assert_eq!(template(&source, "y", None, None, &[]).unwrap(), schema, "{name}");
        let told = left_out(&Source::of(source.path));
        let mark = thousands.marks()[0];
        let option =
            format!("{}--thousands \"{mark}\" reads them", if thousands == Thousands::Point { "--decimal comma " } else { "" });
        assert!(told.iter().any(|(name, why)| name == "a" && why.ends_with(&option)), "{name}: {told:?}");
    }
    let numerals = Numerals { decimal_comma: false, thousands: Some(Thousands::Comma) };
    let stray = Source { reading: Reading { numerals, ..Reading::default() }, ..put("stray.csv", "a,b,y\n\"12,00\",1,no\n") };
    assert_eq!(
        message(read(&stray, &schema).unwrap_err(), &stray.path),
        "stray.csv: line 2, column \"a\": found \"12,00\", expected a number, with commas between thousands or none"
    );
}

/// Texts that are no words are no category, and what is not a number is missing.
#[test]
fn texts_that_are_no_words_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.csv");
    let long = "x".repeat(1_000);
    std::fs::write(&path, format!("nul,blank,long,gap,y\na,b,c,1,no\nb\0,c,d,NaN,yes\na,b\u{a0},{long},2,no\n")).unwrap();
    let told = left_out(&Source::of(&path));
    let odd = "have control characters, blanks around them that are not trimmed, or more than 256 bytes, the first in line";
    let expected = [
        ("nul", format!("1 of 3 values {odd} 3")),
        ("blank", format!("1 of 3 values {odd} 4")),
        ("long", format!("1 of 3 values {odd} 4")),
    ];
    assert_eq!(told[..3], expected.map(|(name, why)| (name.to_string(), why)));
    assert_eq!(told[3], ("gap".to_string(), "1 of 3 values are missing, the first in line 3, \"NaN\"".to_string()));
    // So are values that are several, or of a kind that is not read.
    let lines = folder.path().join("f.jsonl");
    std::fs::write(&lines, "{\"a\":1,\"meta\":null,\"y\":\"no\"}\n{\"a\":2,\"meta\":{\"b\":1},\"y\":\"yes\"}\n").unwrap();
    assert_eq!(
        left_out(&Source::of(&lines)),
        [("meta".to_string(), "1 of 2 values are nested, the first in line 2".to_string())]
    );
    let e = message(propose(&Source::of(&path), Some("nul"), None, None, &[]).unwrap_err(), &path);
    assert!(
        e.starts_with("f.csv: found label column \"nul\": 1 values have control characters") && e.contains("in line 3"),
        "{e}"
    );
}

/// Amounts of money and of other units are no categories, and no classes, unless somebody asks for that.
#[test]
fn numbers_with_a_unit_become_no_category() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.csv");
    std::fs::write(&path, "price,weight,balance,code,y\n$100,70 kg,(5),3b,$1\n$90,82.5 kg,7,4b,$2\n\u{20ac}5,9 kg,(7),3b,$1\n")
        .unwrap();
    let (_, columns) = propose(&Source::of(&path), Some("y"), Some(Task::Classification), None, &[]).unwrap();
    let told: Vec<String> = columns
        .iter()
        .map(|p| match p {
            Proposed::Left { why, .. } => why.clone(),
            Proposed::Column(column) => format!("{} of {}", column.width(), column.name()),
        })
        .collect();
    assert_eq!(
        told,
        [
            "3 of 3 values have a unit, a currency or brackets, the first in line 2: they are read as numbers only without it",
            "3 of 3 values have a unit, a currency or brackets, the first in line 2: they are read as numbers only without it",
            "2 of 3 values have a unit, a currency or brackets, the first in line 2: they are read as numbers only without it",
            "2 of code",
        ]
    );
    let e = message(propose(&Source::of(&path), Some("y"), None, None, &[]).unwrap_err(), &path);
    assert!(
        e.starts_with("f.csv: found label column \"y\": 3 of 3 values have a unit") && e.ends_with("or --task classification"),
        "{e}"
    );
    // Nor where nobody looks over what is guessed.
    let e = message(template(&Source::of(&path), "code", None, None, &[]).unwrap_err(), &path);
    assert!(e.starts_with("f.csv: found column \"price\": 3 of 3 values have a unit"), "{e}");
}

/// What a job clips is told, and does not count against what it lets pass.
#[test]
fn what_a_job_wants_clipped_is_clipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.csv");
    std::fs::write(&path, "a,b,c,y\n1,10,5,no\n1000,1e9,-70,yes\n3,0.001,6,no\n").unwrap();
    let text = |clip: &str| {
        format!(
            "task = \"classification\"\nlabel = \"y\"\nclasses = [\"no\", \"yes\"]\nholdout = 0\ncolumns = [\n\
             {{ kind = \"number\", name = \"a\", mean = 2, deviation = 1, clip = {clip} }},\n\
             {{ kind = \"log\", name = \"b\", mean = 0, deviation = 1, clip = [0.1, 100] }},\n\
             {{ kind = \"number\", name = \"c\", scale = \"secure\", within = [-10, 10], clip = [0, 9] }}]"
        )
    };
    let schema: Schema = toml::from_str(&text("[0, 4]")).unwrap();
    let checked = check(&Source::of(&path), &schema, &[], true).unwrap();
    assert_eq!((checked.count, checked.account.too_many_clipped(&schema).is_none()), (0, true));
    let remarks = checked.account.remarks(&schema, 1);
    for line in [
        "column \"a\": 1 of 3 values brought to the ends of the job's clip",
        "column \"b\": 2 of 3 values brought to the ends of the job's clip",
        "column \"c\": 1 of 3 values brought to the ends of the job's clip",
    ] {
        assert!(remarks.iter().any(|remark| remark == line), "{remarks:?}");
    }
    let [x, _] = read(&Source::of(&path), &schema).unwrap().decoded(&schema);
    for (found, exact) in
        x.column(0).iter().zip([-1.0, 2.0, 1.0]).chain(x.column(1).iter().zip([10_f64, 100.0, 0.1].map(f64::ln)))
    {
        assert!((found - exact).abs() <= 1.0 / 4096.0, "{x}");
    }
    // In units of 1/2000 of the bounds' width.
    assert_eq!(x.column(2).to_vec(), [500.0, 0.0, 600.0]);
    for clip in ["[4, 0]", "[2, 2]", "[20, 30]", "[-1e300, -1e299]"] {
        let schema: Schema = toml::from_str(&text(clip)).unwrap();
        let e = schema.check().unwrap_err().to_string();
        assert!(e.starts_with("[data] columns[0] \"a\": found clip = [") && e.contains("expected [lo, hi]"), "{clip}: {e}");
    }
}

/// Another kind of file than its name says is told by what it begins with.
#[test]
fn a_file_of_another_kind_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let schema = schema("07-late-batch-check");
    let gzip = |bytes: &[u8]| {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zip = archive(&[("sheet.xml", b"<a/>")], true);
    let parquet = std::fs::read(case("09-parquet-codecs/comp_gzip.parquet")).unwrap();
    for (name, bytes, part) in [
        ("a.csv", &zip, "found what looks like a ZIP archive (a spreadsheet, .xlsx or .ods, is one), expected CSV"),
        ("b.xlsx", &zip, "found what looks like a ZIP archive (a spreadsheet, .xlsx or .ods, is one), expected .csv, "),
        ("c.csv", &parquet, "found what looks like Parquet, expected CSV"),
        ("d.jsonl", &parquet, "found what looks like Parquet, expected JSON lines"),
        ("e.csv.gz", &gzip(&zip), "found what looks like a ZIP archive"),
        ("f.csv", &gzip(&gzip(b"a,y\n1,0\n")), "found what looks like gzip within gzip"),
        ("g.csv", &b"<!DOCTYPE html><html>".to_vec(), "found what looks like a web page"),
        ("h.csv", &b"[{\"a\": 1}]".to_vec(), "found what looks like JSON"),
        ("i.json", &b"[{\"a\": 1}]".to_vec(), "line 1: found no JSON object, expected an object a line"),
        ("j.parquet", &b"a,y\n1,0\n".to_vec(), "expected"),
        ("k.arrow", &zip, "expected"),
        ("l.npz", &b"a,y\n1,0\n".to_vec(), "expected a NumPy archive"),
        ("m.npy", &zip, "expected"),
        ("n.dat", &b"a,y\n1,0\n".to_vec(), "found a file of no known kind, expected .csv"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let e = message(read(&Source::of(&path), &schema).unwrap_err(), &path);
        assert!(e.starts_with(name) && e.contains(part) && !e.contains('\n'), "{e}");
        let e = message(template(&Source::of(&path), "y", None, None, &[]).unwrap_err(), &path);
        assert!(e.starts_with(name) && !e.contains("no records") && !e.contains('\n'), "{e}");
    }
}
