//! ONNX files of other tools, with what ONNX Runtime says of some records; and files that are none.

use ndarray::Array2;
use serde_json::Value;
use std::path::Path;
use trefoil_nn::{Model, Task};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/onnx")
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    let width = rows[0].len();
    Array2::from_shape_vec((rows.len(), width), rows.into_iter().flatten().collect()).unwrap()
}

/// scikit-learn's networks and linear models with a scaler before them, as skl2onnx 1.17 writes them; `tests/reference/onnx/make.py` made the files.
#[test]
fn scikit_learns_networks_say_what_onnx_runtime_says() {
    for name in ["digits", "digits_zipmap_off", "cancer", "diabetes", "logistic", "softmax", "linear"] {
        let model = Model::load(&folder().join(format!("{name}.onnx"))).unwrap();
        let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
        let want: Value = serde_json::from_str(&text).unwrap();
        let (raw, y) = (matrix(&want["x"]), matrix(&want["y"]));
        let x = model.prepared().unwrap().prepare(&raw).unwrap();
        let found = model.answers(&x).unwrap();
        let scale = y.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
        assert!((&found - &y).iter().all(|d| d.abs() < 1e-4 * scale), "{name}: {found} {y}");
        if let Task::Classification(names) = model.task() {
            let labels: Vec<String> = serde_json::from_value(want["label"].clone()).unwrap();
            let classes: Vec<_> = model.predict(&x).unwrap().into_iter().map(|i| names[i].clone()).collect();
            assert_eq!(classes, labels, "{name}");
        }
        // What is written anew says the same.
        let again = Model::parse_onnx(&model.to_onnx(), "again").unwrap();
        let x = again.prepared().unwrap().prepare(&raw).unwrap();
        assert!((&again.answers(&x).unwrap() - &y).iter().all(|d| d.abs() < 1e-3 * scale), "{name}");
        let kept = Model::parse(&model.to_bytes(), "kept").unwrap();
        assert_eq!(kept, model);
    }
}

/// Each file of our own is read as the model that it was written from, as far as single precision goes.
#[test]
fn what_is_exported_comes_back() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (name, network) in
        [("classes", "3-4-2"), ("value", "3-4-1"), ("mixed", "4-1"), ("image", "2x6x5-conv1-pool1-relu1-pool2-flatten1-fc1-fc2")]
    {
        let model = Model::load(&golden.join(format!("{name}.onnx"))).unwrap();
        assert_eq!(model.network(), network, "{name}");
    }
    let mixed = Model::load(&golden.join("mixed.onnx")).unwrap();
    let input = mixed.prepared().unwrap();
    assert!(input.named);
    let x = input.prepare(&ndarray::arr2(&[[44.0, 2.5, 1.0], [0.0, 9.0, 0.0]])).unwrap();
    // What ONNX Runtime says of the file.
    assert!((&mixed.answers(&x).unwrap() - &ndarray::arr2(&[[62.5], [75.0]])).iter().all(|d| d.abs() < 1e-4));
}

/// Every prefix and single-byte change of two files: an error in one line, or a model; never a panic.
#[test]
fn malformed_files_are_errors_that_name_the_file() {
    for (name, step) in [("diabetes.onnx", 1), ("cancer.onnx", 3)] {
        let good = std::fs::read(folder().join(name)).unwrap();
        for n in (0..good.len()).step_by(step) {
            let _ = Model::parse_onnx(&good[..n], "f").map_err(|e| check(&e.to_string()));
            for flip in [1, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[n] ^= flip;
                let _ = Model::parse_onnx(&bad, "f").map_err(|e| check(&e.to_string()));
            }
        }
    }
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/onnx");
    let mut seen = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let error = Model::load(&path).expect_err(&path.display().to_string()).to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        check(&error);
        seen += 1;
    }
    assert!(seen >= 9);
}

/// An empty node takes two bytes in a file and a hundred in memory: they are counted first.
#[test]
fn a_graph_of_very_many_nodes_is_refused() {
    let nodes = [0x0a, 0].repeat(600_000);
    let file = [&[0x08, 8, 0x3a, 0x80, 0x9f, 0x49][..], &nodes].concat();
    let error = Model::parse_onnx(&file, "f").unwrap_err().to_string();
    assert!(error.contains("more fields than a network has"), "{error}");
}

fn check(error: &str) {
    assert!(error.contains("found") && error.contains("expected") && !error.contains('\n'), "{error}");
}
