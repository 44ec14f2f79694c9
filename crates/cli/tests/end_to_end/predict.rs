//! `trefoil predict` and `trefoil model import`, with a network of scikit-learn's.

use crate::common::{json, path, refused, run, text, trefoil};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use trefoil_data::records::{Raw, RawColumn, Source};

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../nn/tests/reference/onnx").join(name)
}

/// Records of a reference file as CSV, with the label that ONNX Runtime gives each.
fn records(name: &str, file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(reference(name)).unwrap();
    let want: Value = serde_json::from_str(&text).unwrap();
    let rows: Vec<Vec<f64>> = serde_json::from_value(want["x"].clone()).unwrap();
    let mut csv = (0..rows[0].len()).map(|i| format!("c{i}")).collect::<Vec<_>>().join(",") + "\n";
    for row in rows {
        csv += &(row.iter().map(ToString::to_string).collect::<Vec<_>>().join(",") + "\n");
    }
    std::fs::write(file, csv).unwrap();
    serde_json::from_value(want["label"].clone()).unwrap_or_default()
}

fn classes(out: &Value) -> Vec<String> {
    out["records"].as_array().unwrap().iter().map(|r| r["class"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_classes_are_those_of_onnx_runtime_on_shares_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("records.csv");
    for name in ["digits", "cancer", "logistic"] {
        let (model, labels) = (reference(&format!("{name}.onnx")), records(&format!("{name}.json"), &file));
        assert_eq!(classes(&json(&["predict", path(&model), path(&file), "--json"])), labels, "{name}");
        for suite in ["masked", "securenn", "verified"] {
            let args = ["predict", path(&model), path(&file), "--on-shares", "--suite", suite, "--batch", "3", "--json"];
            let out = json(&args);
            assert_eq!(classes(&out), labels, "{name} by {suite}");
            let told = &out["on_shares"];
            assert_eq!((&told["suite"], told["same_class"].as_u64()), (&suite.into(), Some(labels.len() as u64)), "{told}");
            assert_eq!(told["batches"], labels.len().div_ceil(3));
            assert!(told["batch"]["rounds"].as_u64() > Some(0) && told["batch"]["bytes"].as_u64() > Some(0), "{told}");
            assert!(told["farthest_output"].as_f64() < Some(1e-2), "{told}");
        }
    }
    // A value in its own unit, as lines; what it took is on standard error.
    records("diabetes.json", &file);
    let model = reference("diabetes.onnx");
    let [clear, shared] =
        [&[][..], &["--on-shares"]].map(|more| run(&[&["predict", path(&model), path(&file)][..], more].concat()));
    assert!(clear.stderr.is_empty() && shared.status.success(), "{}", text(&shared.stderr));
    let numbers = |bytes: &[u8]| text(bytes).lines().skip(1).map(|l| l.parse().unwrap()).collect::<Vec<f64>>();
    let (clear, on_shares) = (numbers(&clear.stdout), numbers(&shared.stdout));
    assert!(!clear.is_empty() && clear.len() == on_shares.len());
    assert!(clear.iter().zip(&on_shares).all(|(a, b)| (a - b).abs() < 0.1), "{clear:?} {on_shares:?}");
    let said = text(&shared.stderr);
    assert!(said.contains("on shares (masked)") && said.contains("rounds") && said.contains("ranges proven"), "{said}");
}

/// The values of a file, record by record: numbers, and of texts their places among these.
fn values(file: &Path, columns: &[&str], texts: &[String]) -> Vec<f64> {
    let column = |name: &&str| RawColumn::new(*name, if *name == "class" { texts.to_vec() } else { vec![] });
    let columns: Vec<RawColumn> = columns.iter().map(column).collect();
    let (mut raw, mut values) = (Raw::open(&Source::of(file), &columns, true, None, None).unwrap(), Vec::new());
    while raw.next(&mut values).unwrap() {}
    values
}

#[test]
fn the_ending_of_out_says_how_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let [file, csv, parquet, npy] = ["records.csv", "out.csv", "out.parquet", "out.NPY"].map(|name| dir.path().join(name));
    for shares in [&[][..], &["--on-shares", "--batch", "5"]] {
        let predict = |model: &Path, out: &Path| {
            let done = run(&[&["predict", path(model), path(&file), "--out", path(out)][..], shares].concat());
            assert!(done.status.success() && done.stdout.is_empty(), "{}", text(&done.stderr));
            text(&done.stderr)
        };
        // Classes and probabilities: the same in all three.
        let (model, labels) = (reference("digits.onnx"), records("digits.json", &file));
        let said = [&csv, &parquet, &npy].map(|out| predict(&model, out));
        assert!(!said[0].contains("0 = ") && !said[1].contains("0 = ") && said[2].contains("0 = \"0\", 1 = \"1\""), "{said:?}");
        let names: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
        let columns: Vec<String> = names.iter().map(|name| format!("probability {name}")).collect();
        let columns: Vec<&str> = ["class"].into_iter().chain(columns.iter().map(String::as_str)).collect();
        let (csv, table, array) =
            (values(&csv, &columns, &names), values(&parquet, &columns, &names), values(&npy, &columns[1..], &[]));
        assert!(csv.len() == 11 * labels.len() && csv.len() == table.len() && array.len() == 10 * labels.len());
        assert!(csv.chunks(11).zip(&labels).all(|(row, label)| row[0].to_string() == *label));
        // Each run on shares rounds for itself.
        let near =
            |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < if shares.is_empty() { 1e-7 } else { 1e-2 });
        assert!(near(&csv, &table), "{csv:?} {table:?}");
        assert!(table.chunks(11).zip(array.chunks(10)).all(|(row, numbers)| near(&row[1..], numbers)), "{table:?} {array:?}");
        assert!(table.chunks(11).all(|row| (row[1..].iter().sum::<f64>() - 1.0).abs() < 1e-12), "{table:?}");
    }
    // A value.
    records("diabetes.json", &file);
    let model = reference("diabetes.onnx");
    let [one, two] = [&csv, &parquet].map(|out| {
        assert!(run(&["predict", path(&model), path(&file), "--out", path(out)]).status.success());
        values(out, &["value"], &[])
    });
    assert!(!one.is_empty() && one == two, "{one:?} {two:?}");
    let out = run(&["predict", path(&model), path(&file), "--out", path(&npy)]);
    assert!(out.status.success() && out.stderr.is_empty(), "{}", text(&out.stderr));
    let bytes = std::fs::read(&npy).unwrap();
    let shape = format!("'shape': ({},)", one.len());
    assert!(text(&bytes[..128]).contains(&shape) && bytes.len() == 128 + 8 * one.len(), "{}", text(&bytes[..128]));
    assert!(bytes[128..].chunks(8).zip(&one).all(|(bytes, value)| bytes == value.to_le_bytes()));
}

/// Grey levels as a PNG image.
fn image(file: &Path, [width, height]: [u32; 2], levels: &[u8]) {
    let mut encoder = png::Encoder::new(std::fs::File::create(file).unwrap(), width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(levels).unwrap();
}

#[test]
fn images_are_records() {
    let dir = tempfile::tempdir().unwrap();
    let [file, folder] = ["records.csv", "images"].map(|name| dir.path().join(name));
    std::fs::create_dir(&folder).unwrap();
    let (model, labels) = (reference("digits.onnx"), records("digits.json", &file));
    for (row, line) in std::fs::read_to_string(&file).unwrap().lines().skip(1).enumerate() {
        let levels: Vec<u8> = line.split(',').map(|level| level.parse().unwrap()).collect();
        image(&folder.join(format!("{row:03}.png")), [8, 8], &levels);
    }
    // The same levels as in CSV: the same answers, and each says whose it is.
    let csv = text(&run(&["predict", path(&model), path(&file)]).stdout);
    let of_images = text(&run(&["predict", path(&model), path(&folder)]).stdout);
    let named = |(row, line): (usize, &str)| if row == 0 { format!("file,{line}") } else { format!("{:03}.png,{line}", row - 1) };
    assert_eq!(of_images.lines().collect::<Vec<_>>(), csv.lines().enumerate().map(named).collect::<Vec<_>>());
    let out = json(&["predict", path(&model), path(&folder), "--on-shares", "--json"]);
    assert_eq!((classes(&out), &out["records"][1]["file"]), (labels.clone(), &"001.png".into()));
    let out = json(&["predict", path(&model), path(&folder.join("002.png")), "--json"]);
    assert_eq!((classes(&out), &out["records"][0]["file"]), (vec![labels[2].clone()], &"002.png".into()));
    let [table, array] = ["out.parquet", "out.npy"].map(|name| dir.path().join(name));
    for out in [&table, &array] {
        assert!(run(&["predict", path(&model), path(&folder), "--out", path(out)]).status.success());
    }
    let names: Vec<String> = (0..labels.len()).map(|row| format!("{row:03}.png")).collect();
    let column = RawColumn::new("file", names);
    let (mut raw, mut places) = (Raw::open(&Source::of(&table), &[column], true, None, None).unwrap(), Vec::new());
    while raw.next(&mut places).unwrap() {}
    assert_eq!(places, (0..labels.len()).map(|row| row as f64).collect::<Vec<_>>());
    let columns: Vec<String> = (0..10).map(|digit| format!("probability {digit}")).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    assert_eq!(values(&table, &columns, &[]), values(&array, &columns, &[]));
    // One that does not fit, behind some that do.
    image(&folder.join("other.png"), [9, 8], &[0; 72]);
    for shares in [&[][..], &["--on-shares"]] {
        let out = run(&[&["predict", path(&model), path(&folder), "--out", path(&array)][..], shares].concat());
        refused(&out, 3, &["other.png", "9 x 8 pixels", "64 pixels as the model has inputs"]);
    }
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    refused(&run(&["predict", path(&model), path(&empty)]), 3, &["empty", "no images", ".png"]);
}

#[test]
fn standard_input_is_answered_as_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("records.csv");
    records("digits.json", &file);
    let model = reference("digits.onnx");
    let want = text(&run(&["predict", path(&model), path(&file)]).stdout);
    let all = std::fs::read_to_string(&file).unwrap();
    let begun = || {
        let mut command = trefoil(&["predict", path(&model), "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut child = begun();
    let (mut to, mut from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    // The header and each record, and no more before its answer is there.
    let mut told = String::new();
    for (row, line) in all.lines().take(4).enumerate() {
        to.write_all(format!("{line}\n").as_bytes()).unwrap();
        from.read_line(&mut told).unwrap();
        assert_eq!(told.lines().count(), row + 1, "{told}");
    }
    // The rest at once, without an end of the last line.
    to.write_all(all.lines().skip(4).collect::<Vec<_>>().join("\n").as_bytes()).unwrap();
    drop(to);
    from.read_to_string(&mut told).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(told, want);
    // What is wrong has its line.
    let mut child = begun();
    let head: Vec<&str> = all.lines().take(2).collect();
    let broken = format!("{}\n{}\n", head.join("\n"), ["x"; 64].join(","));
    child.stdin.take().unwrap().write_all(broken.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(3));
    assert_eq!(text(&out.stderr), "error: standard input: line 3, column \"c0\": found \"x\", expected a number\n");
    refused(&run(&["predict", path(&model), "-"]), 3, &["standard input", "no lines"]);
    refused(&run(&["predict", path(&model), "-", "--on-shares"]), 2, &["standard input", "read twice"]);
}

#[test]
fn a_broken_run_leaves_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("records.csv");
    records("cancer.json", &file);
    let model = reference("cancer.onnx");
    // Enough for several batches, and a last record that is none.
    let all = std::fs::read_to_string(&file).unwrap();
    let (head, rows) = all.split_once('\n').unwrap();
    std::fs::write(&file, format!("{head}\n{}{}\n", rows.repeat(5000 / rows.lines().count()), ["x"; 30].join(","))).unwrap();
    for name in ["out.csv", "out.parquet", "out.npy"] {
        let out = dir.path().join(name);
        for before in [None, Some("before")] {
            if let Some(before) = before {
                std::fs::write(&out, before).unwrap();
            }
            refused(&run(&["predict", path(&model), path(&file), "--out", path(&out)]), 3, &["records.csv", "\"x\""]);
            assert_eq!(std::fs::read_to_string(&out).ok().as_deref(), before);
        }
        std::fs::remove_file(&out).unwrap();
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    refused(&run(&["predict", path(&model), path(&file), "--out", path(dir.path())]), 2, &[path(dir.path()), "directory"]);
}

#[test]
fn imported_files_say_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("records.csv");
    let (model, labels) = (reference("digits.onnx"), records("digits.json", &file));
    let [tensors, onnx, npz] = ["model.safetensors", "again.onnx", "model.npz"].map(|name| dir.path().join(name));
    let all = [&tensors, &onnx, &npz].map(|file| path(file)).join(",");
    let out = run(&["model", "import", path(&model), "--out", &all]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    for again in [&tensors, &onnx] {
        assert_eq!(classes(&json(&["predict", path(again), path(&file), "--json"])), labels);
    }
    assert_eq!(
        json(&["model", "show", path(&tensors), "--json"])["network"],
        json(&["model", "show", path(&model), "--json"])["network"]
    );
}

#[test]
fn wrong_inputs() {
    let dir = tempfile::tempdir().unwrap();
    let [file, nothing, few, words] = ["records.csv", "nothing.onnx", "few.csv", "words.csv"].map(|name| dir.path().join(name));
    records("cancer.json", &file);
    std::fs::write(&few, "a,b\n1,2\n").unwrap();
    std::fs::write(&words, std::fs::read_to_string(&file).unwrap() + &["x"; 30].join(",") + "\n").unwrap();
    let (model, corpus) = (reference("cancer.onnx"), Path::new(env!("CARGO_MANIFEST_DIR")).join("../nn/tests/corpus/onnx"));
    for shares in [&[][..], &["--on-shares"]] {
        let predict = |model: &Path, file: &Path| run(&[&["predict", path(model), path(file)][..], shares].concat());
        refused(&predict(&nothing, &file), 7, &["nothing.onnx"]);
        refused(&predict(&file, &file), 7, &["records.csv", "safetensors"]);
        refused(&predict(&corpus.join("unknown_operator.onnx"), &file), 7, &["unknown_operator.onnx", "operator"]);
        refused(&predict(&model, &nothing), 3, &["nothing.onnx"]);
        refused(&predict(&model, &few), 3, &["few.csv", "2 columns", "30"]);
    }
    refused(&run(&["predict", path(&model), path(&words), "--on-shares"]), 3, &["words.csv", "\"x\""]);
    let out = dir.path().join("gone/out.csv");
    refused(&run(&["predict", path(&model), path(&file), "--out", path(&out)]), 2, &["out.csv"]);
    refused(&run(&["model", "import", path(&model), "--out", "model.h5"]), 2, &["model.h5", ".safetensors"]);
    for args in
        [&["--suite", "masked"][..], &["--batch", "2"], &["--on-shares", "--batch", "0"], &["--on-shares", "--suite", "x"]]
    {
        let out = run(&[&["predict", path(&model), path(&file)][..], args].concat());
        assert_eq!(out.status.code(), Some(2), "{args:?}: {}", text(&out.stderr));
    }
}
