//! `trefoil predict` and `trefoil model import`, with a network of scikit-learn's.

use crate::common::{json, path, refused, run, text};
use serde_json::Value;
use std::path::{Path, PathBuf};

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
        for suite in ["masked", "securenn"] {
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
