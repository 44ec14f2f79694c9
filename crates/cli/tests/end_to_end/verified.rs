//! The suite in which a party that lies is noticed, as people start it.

use crate::common::{json, path, refused, run, small_csv};

/// Three processes over TLS train digits, of which all messages are proven before anything is opened.
#[test]
fn digits_with_every_message_proven() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run");
    let args =
        ["demo", "--suite", "verified", "--hidden", "16", "--epochs", "1", "--batch", "128", "--lr", "0.2", "--owners", "2"];
    let summary = json(&[&args[..], &["--json", "--run-dir", path(&folder)]].concat());
    let number = |key: &str| summary[key].as_f64().unwrap();
    assert_eq!(summary["suite"], "verified");
    assert!(number("secure_test_accuracy") > 0.8, "{summary}");
    assert!((number("secure_test_accuracy") - number("model_test_accuracy")).abs() <= 0.003, "{summary}");
    assert!((number("secure_test_accuracy") - number("float_test_accuracy")).abs() <= 0.03, "{summary}");
    // A loss and an accuracy after the epoch, and two counts of blocks.
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("A party that deviates is noticed"), "{page}");
    let cost = std::fs::read_to_string(folder.join("cost.csv")).unwrap();
    for label in ["proof.stage", "verified.gate", "verified.open", "verified.product.c"] {
        assert!(cost.contains(label), "{label}: {cost}");
    }
    assert!(!cost.contains("masked."), "{cost}");
}

/// What the suite does not have is refused in one line, before anybody is called or anything is shared.
#[test]
fn what_the_suite_does_not_have_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("small.csv");
    small_csv(&file, 40);
    let refuses = |args: &[&str], words: &[&str]| refused(&run(&[args, &["--suite", "verified"]].concat()), 2, words);
    refuses(&["demo", "--network", "lenet"], &["suite verified: found a convolution", "masked or securenn"]);
    refuses(&["demo", "--truncation", "local"], &["--truncation: found local", "verified"]);
    refuses(&["plan", "--network", "4-2", "--rows", "10"], &["plan: found the suite verified"]);
    refuses(&["bench", "train-784x256x10", "--plan"], &["plan: found the suite verified"]);
    for (name, words) in [
        ("train-lenet", ["suite verified: found a convolution", "masked or securenn"]),
        ("infer-784x128x128x10-b1", ["benchmark of inference: found the suite verified", "masked or securenn"]),
    ] {
        let out = run(&["bench", name, "--suite", "verified"]);
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.code() == Some(2) && words.iter().all(|word| stderr.contains(word)), "{stderr}");
    }
    let model = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../nn/tests/reference/onnx/digits.onnx");
    refuses(&["predict", path(&model), path(&file), "--on-shares"], &["predictions on shares: found the suite verified"]);
}
