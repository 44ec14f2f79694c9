//! Bad input: one line that names what is wrong, and an exit code by cause.

use crate::common::{path, refused, run, small_csv};
use std::path::Path;

fn idx(dir: &Path, name: &str, head: &[u32], body: &[u8]) {
    let bytes: Vec<u8> = head.iter().flat_map(|w| w.to_be_bytes()).chain(body.iter().copied()).collect();
    std::fs::write(dir.join(name), bytes).unwrap();
}

/// Ten images of 2x2, as MNIST's four files.
fn small_idx(dir: &Path) {
    for part in ["train", "t10k"] {
        idx(dir, &format!("{part}-images-idx3-ubyte"), &[0x0803, 10, 2, 2], &[7; 40]);
        idx(dir, &format!("{part}-labels-idx1-ubyte"), &[0x0801, 10], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}

#[test]
fn idx_files() {
    let dir = tempfile::tempdir().unwrap();
    let mnist = |words: &[&str]| refused(&run(&["demo", "--dataset", "mnist", "--data-dir", path(dir.path())]), 3, words);
    mnist(&["train-images-idx3-ubyte", "data fetch mnist"]);
    small_idx(dir.path());
    idx(dir.path(), "train-images-idx3-ubyte", &[0x0803, 10, 2, 2], &[7; 33]);
    mnist(&["train-images-idx3-ubyte", "found 49", "expected 56"]);
    small_idx(dir.path());
    idx(dir.path(), "t10k-labels-idx1-ubyte", &[0x0801, 10], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 10]);
    mnist(&["t10k-labels-idx1-ubyte", "record 10, column \"label\"", "found \"10\"", "expected one of: \"0\", \"1\""]);
}

#[test]
fn csv_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.csv");
    for (text, words) in [
        ("a,b,class\n1,2,0\n3,,1\n5,6,0\n", ["line 3, column \"b\"", "missing value", "a number"]),
        ("a,b,class\n1,2,0\nNaN,4,1\n5,6,0\n", ["line 3, column \"a\"", "NaN", "a finite number"]),
        ("a,b,class\n1,2,0\n3,4,7.5\n5,6,1\n", ["line 3, column \"class\"", "7.5", "one of: \"0\", \"1\""]),
        ("a,b,class\n1,2,0\n3,x,1\n5,6,0\n", ["line 3, column \"b\"", "\"x\"", "a number"]),
        ("a,b,class\n1,2,0\n3,4\n5,6,0\n", ["line 3", "found 2", "expected 3"]),
    ] {
        std::fs::write(&file, text).unwrap();
        let words = [&words[..], &["bad.csv", "found", "expected"]].concat();
        refused(&run(&["demo", "--csv", path(&file), "--label", "class"]), 3, &words);
        refused(&run(&["plain", "--csv", path(&file), "--label", "class"]), 3, &words);
    }
}

#[test]
fn a_file_with_nothing_to_learn_from() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("label.csv");
    std::fs::write(&file, "y\n0\n1\n0\n").unwrap();
    let output = run(&["job", "template", path(&file), "--label", "y"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains("no column is left beside the label") && told.lines().count() == 1,
        "{told}"
    );
}

#[test]
fn options() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("small.csv");
    small_csv(&file, 20);
    let file = path(&file);
    for (args, code, words) in [
        (&["demo", "--dataset", "csv"][..], 2, ["--csv", "found nothing"]),
        (&["demo", "--csv", file], 2, ["--label", "label column"]),
        (&["demo", "--csv", file, "--label", "klass"], 3, ["klass", "expected one of"]),
        (&["demo", "--dataset", "digits", "--csv", file], 2, ["--csv", "--dataset csv"]),
        (&["plain", "--csv", file, "--label", "class", "--thousands", ";"], 2, ["--thousands", "expected a comma, a point"]),
        (&["plain", "--csv", file, "--label", "class", "--thousands", "."], 2, ["--thousands: found a point", "another mark"]),
        (&["demo", "--data-dir", "x"], 2, ["--data-dir", "--dataset mnist"]),
        (&["demo", "--dataset", "cifar"], 2, ["cifar", "digits, mnist, csv"]),
        (&["demo", "--suite", "masked", "--truncation", "local"], 2, ["--truncation: found local", "dealer"]),
        (&["demo", "--suite", "magic"], 2, ["magic", "securenn"]),
        (&["demo", "--rows", "1438"], 2, ["--rows: found 1438", "1 to 1437"]),
        (&["demo", "--owners", "0"], 2, ["--owners: found 0", "1 to 360"]),
        (&["demo", "--owners", "361"], 2, ["--owners: found 361", "1 to 360"]),
        (&["demo", "--threads", "0"], 2, ["--threads: found 0", "at least 1"]),
        (&["demo", "--timeout", "0"], 2, ["--timeout", "1..="]),
        (&["demo", "--hidden", "0"], 2, ["784-0-10", "fc1 with an output of 0"]),
        (&["demo", "--hidden", "12,x"], 2, ["--hidden", "x"]),
        (&["demo", "--batch", "0"], 2, ["batch: found 0", "1 to 1437"]),
        (&["demo", "--batch", "1438"], 2, ["batch: found 1438", "1 to 1437"]),
        (&["demo", "--epochs", "0"], 2, ["epochs: found 0", "expected 1 to 1000000"]),
        (&["demo", "--lr", "-1"], 2, ["found -1", "positive"]),
        (&["demo", "--lr", "NaN"], 2, ["found NaN", "finite"]),
        (&["demo", "--lr-schedule", "fast"], 2, ["fast", "cosine"]),
        (&["demo", "--momentum", "1.5"], 2, ["momentum", "found 1.5"]),
        (&["demo", "--softmax", "hard"], 2, ["hard", "exact or asm"]),
        (&["demo", "--truncation", "magic"], 2, ["magic", "dealer or local"]),
        (&["demo", "--fraction-bits", "60"], 2, ["found 60", "expected"]),
        (&["demo", "--links", "40"], 2, ["--links", "40ms"]),
        (&["demo", "--links", "784-128-10"], 2, ["--links", "that is a neural network"]),
        (&["bench", "relu-1e6", "--network", "784-128-10"], 2, ["--links", "that is a neural network"]),
        (&["demo", "--network", "40ms,100Mbps"], 2, ["--network", "the shape of links is --links"]),
        (&["plain", "--network", "wan"], 2, ["--network", "the shape of links is --links"]),
        (&["demo", "--network", "128,128"], 2, ["--network", "784-128-128-10"]),
        (&["demo", "--network", "784-128-2"], 2, ["network: found 784-128-2", "784 and 10, as the records have"]),
        (&["demo", "--network", "securenn-a", "--hidden", "8"], 2, ["--network", "--hidden"]),
        (&["bench", "train-1x1"], 2, ["train-1x1", "train-784x256x10"]),
        (&["bench", "train-784x256x10", "--iterations", "0"], 2, ["--iterations", "1..="]),
        (&["frobnicate"], 2, ["frobnicate", "unrecognized"]),
        (&["evaluate", "no-such-file"], 7, ["no-such-file", "No such file"]),
        (&["evaluate", file], 7, ["small.csv", "expected"]),
    ] {
        let args = if args[0] == "demo" { [args, &["--run-dir", path(dir.path())]].concat() } else { args.to_vec() };
        refused(&run(&args), code, &words);
    }
}

/// A training with local truncation that is expected to destroy its model is refused, with both numbers.
#[test]
fn expected_wraps() {
    let out = run(&["demo", "--suite", "securenn", "--truncation", "local"]);
    refused(&out, 2, &["will wrap: found 2.7e5, expected at most 9.8e-4", "--insecure-accept-wraps"]);
}
