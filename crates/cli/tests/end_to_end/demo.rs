//! `trefoil demo` from end to end.

use crate::common::{json, path, run, small_csv, text};
use serde_json::Value;
use std::io::Write;
use std::path::Path;

/// The keys that every `summary.json` has.
const KEYS: [&str; 21] = [
    "suite",
    "network",
    "dataset",
    "epochs",
    "batch",
    "steps",
    "seconds_per_step_median",
    "seconds_total",
    "seconds_float",
    "bytes_per_step",
    "bytes_sent",
    "rounds_per_step",
    "secure_test_accuracy",
    "model_test_accuracy",
    "float_test_accuracy",
    "max_weight_difference",
    "fraction_bits",
    "seed",
    "machine",
    "version",
    "expected_wraps",
];

fn number(summary: &Value, key: &str) -> f64 {
    summary[key].as_f64().unwrap_or_else(|| panic!("{key} is {}", summary[key]))
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

#[test]
fn digits_and_the_run_folder() {
    ["securenn", "masked"].into_iter().for_each(digits);
}

fn digits(suite: &str) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run");
    let args = ["demo", "--suite", suite, "--hidden", "32", "--epochs", "2", "--batch", "64", "--lr", "0.1"];
    let summary = json(&[&args[..], &["--json", "--run-dir", path(&folder)]].concat());

    assert_eq!(summary, serde_json::from_str::<Value>(&read(&folder, "summary.json")).unwrap());
    for key in KEYS {
        assert!(!summary[key].is_null(), "{key}");
    }
    assert_eq!(
        (&summary["network"], &summary["dataset"], &summary["suite"]),
        (&"784-32-10".into(), &"digits".into(), &suite.into())
    );
    let (secure, model, float) = (
        number(&summary, "secure_test_accuracy"),
        number(&summary, "model_test_accuracy"),
        number(&summary, "float_test_accuracy"),
    );
    assert!(float > 0.85, "float {float}");
    // Both go by the same weights, but the file's are evaluated in floating point: one record of 360 may stand that close.
    assert!((secure - model).abs() <= 0.003, "secure {secure}, model {model}");
    assert!((secure - float).abs() <= 0.03, "secure {secure}, float {float}");
    assert!(number(&summary, "max_weight_difference") < 0.5);
    assert!(number(&summary, "seconds_total") > number(&summary, "seconds_per_step_median"));
    assert_eq!(number(&summary, "expected_wraps"), 0.0);

    let steps = number(&summary, "steps");
    assert_eq!(steps, 44.0);
    let metrics: Vec<Value> = read(&folder, "metrics.jsonl").lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(metrics.len(), 44 + 2);
    assert_eq!(metrics.iter().filter(|m| m["event"] == "epoch").count(), 2);
    assert!((number(&metrics[45], "accuracy") - secure).abs() < 1e-9);

    let cost = read(&folder, "cost.csv");
    let mut lines = cost.lines();
    assert_eq!(lines.next(), Some("layer,label,rounds,payload_bytes,messages,seconds"));
    let bytes: u64 = lines.map(|l| l.split(',').nth(3).unwrap().parse::<u64>().unwrap()).sum();
    let sent: u64 = ["P0", "P1", "P2"].iter().map(|p| summary["bytes_sent"][p].as_u64().unwrap()).sum();
    assert_eq!(bytes, sent);
    assert!(cost.contains("\nfc1,") && cost.contains("\nrelu1,") && cost.contains("\nsoftmax,"), "{cost}");

    let svg = read(&folder, "loss.svg");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert!(read(&folder, "config.toml").contains("[job]"));

    let evaluated = json(&["evaluate", path(&folder.join("model.safetensors")), "--dataset", "digits", "--json"]);
    assert_eq!(number(&evaluated, "accuracy"), model);
    assert_eq!(evaluated["rows"], 360);
}

/// Check 6: with the masks fixed, nothing is left to chance, whatever the timing.
#[test]
fn the_same_masks_give_the_same_model() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("small.csv");
    small_csv(&file, 60);
    let model = |name: &str, suite: &str| {
        let folder = dir.path().join(name);
        let args = [
            "demo",
            "--csv",
            path(&file),
            "--label",
            "class",
            "--hidden",
            "16",
            "--epochs",
            "2",
            "--batch",
            "16",
            "--suite",
            suite,
        ];
        let out = run(&[&args[..], &["--insecure-mask-seed", "7", "--run-dir", path(&folder)]].concat());
        assert!(out.status.success(), "{}", text(&out.stderr));
        assert!(read(&folder, "summary.json").contains("insecure: from a seed"));
        std::fs::read(folder.join("model.safetensors")).unwrap()
    };
    for suite in ["securenn", "masked"] {
        let first = model(&format!("{suite}-a"), suite);
        assert!(first == model(&format!("{suite}-b"), suite), "{suite}: two runs with the same masks differ");
    }
}

#[test]
fn tables_and_recorded_views() {
    let dir = tempfile::tempdir().unwrap();
    let (file, folder, views) = (dir.path().join("small.csv"), dir.path().join("run"), dir.path().join("views"));
    small_csv(&file, 40);
    let args =
        ["demo", "--csv", path(&file), "--label", "class", "--hidden", "16,8", "--epochs", "2", "--batch", "16", "--owners", "2"];
    // In this suite all three parties receive something.
    let out = run(&[&args[..], &["--suite", "securenn", "--insecure-record", path(&views), "--run-dir", path(&folder)]].concat());
    let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
    assert!(out.status.success(), "{stderr}");
    for words in [
        "4-16-8-2 on small",
        "accuracy, opened from shares",
        "what each party saw",
        "masks it dealt, no share",
        "model.safetensors",
        path(&folder),
    ] {
        assert!(stdout.contains(words), "{words} is not in:\n{stdout}");
    }
    // No terminal: a line for each phase and epoch, none for each step.
    assert!(stderr.contains("training on shares\nepoch 1: loss ") && stderr.lines().count() < 20, "{stderr}");

    for party in ["P0", "P1", "P2"] {
        let text = std::fs::read_to_string(views.join(format!("{party}.jsonl"))).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let fields: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(fields, ["from", "label", "length", "operation", "payload", "ring", "step"]);
            assert_ne!(line["from"], party);
            let (length, payload) = (line["length"].as_u64().unwrap(), line["payload"].as_str().unwrap());
            assert!(payload.bytes().all(|b| b.is_ascii_hexdigit()));
            if line["ring"] == "Z_2^64" {
                assert_eq!(payload.len() as u64, 16 * length);
            }
            seen.insert(line["label"].as_str().unwrap().to_owned());
        }
        assert!(seen.iter().any(|label| label.starts_with("securenn.")), "{party}: {seen:?}");
    }
}

/// Check 5: a rate of 0 learns nothing, and the program says so.
#[test]
fn sabotage_gives_chance() {
    let dir = tempfile::tempdir().unwrap();
    let summary = json(&[
        "demo",
        "--hidden",
        "16",
        "--epochs",
        "1",
        "--batch",
        "256",
        "--lr",
        "0",
        "--json",
        "--run-dir",
        path(dir.path()),
    ]);
    assert!(number(&summary, "secure_test_accuracy") < 0.3, "{summary}");
    assert!(number(&summary, "max_weight_difference") < 1e-4, "{summary}");
}

/// Check 20 in small: a slow network changes the time, not the result.
#[test]
fn a_shaped_network_gives_the_same_result() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("small.csv");
    small_csv(&file, 40);
    let args = ["demo", "--csv", path(&file), "--label", "class", "--hidden", "8", "--epochs", "1", "--batch", "16", "--json"];
    let run = |name: &str, network: &str| {
        let folder = dir.path().join(name);
        json(&[&args[..], &["--insecure-mask-seed", "1", "--network", network, "--run-dir", path(&folder)]].concat())
    };
    let (near, far) = (run("near", "local"), run("far", "10ms,100Mbps"));
    for key in ["bytes_per_step", "rounds_per_step", "secure_test_accuracy", "max_weight_difference", "bytes_sent"] {
        assert_eq!(near[key], far[key], "{key}");
    }
    let predicted = number(&far, "rounds_per_step") * 0.005;
    assert!(number(&far, "seconds_per_step_median") >= predicted, "{far}");
}

/// A few hundred real images, where they are at hand.
#[test]
fn some_of_mnist() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/mnist");
    if !shared.is_dir() {
        // Past the capture of the test's output.
        writeln!(std::io::stderr(), "skipped: some_of_mnist, for want of shared/data/mnist beside this repository").unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (part, count) in [("train", 600u32), ("t10k", 200)] {
        let images = trefoil_node::data::idx::read_images(&shared.join(format!("{part}-images-idx3-ubyte.gz"))).unwrap();
        let labels = trefoil_node::data::idx::read_labels(&shared.join(format!("{part}-labels-idx1-ubyte.gz")), 10).unwrap();
        let write = |kind: &str, head: &[u32], body: &[u8]| {
            let bytes: Vec<u8> = head.iter().flat_map(|w| w.to_be_bytes()).chain(body.iter().copied()).collect();
            std::fs::write(dir.path().join(format!("{part}-{kind}-ubyte")), bytes).unwrap();
        };
        let n = count as usize;
        write("images-idx3", &[0x0803, count, 28, 28], &images.pixels[..n * 784]);
        write("labels-idx1", &[0x0801, count], &labels[..n].iter().map(|&l| l as u8).collect::<Vec<_>>());
    }
    let folder = dir.path().join("run");
    let summary = json(&[
        "demo",
        "--dataset",
        "mnist",
        "--data-dir",
        path(dir.path()),
        "--hidden",
        "16",
        "--epochs",
        "2",
        "--batch",
        "50",
        "--json",
        "--run-dir",
        path(&folder),
    ]);
    assert!(number(&summary, "secure_test_accuracy") > 0.5, "{summary}");
}
