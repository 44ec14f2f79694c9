//! Check 13: nothing that a run writes or says holds a record, and no private key is on disk.

use crate::common::{path, text, trefoil};
use std::path::Path;
use trefoil_node::data::csv;

/// A record's values and class names that nobody would write by accident.
fn planted(file: &Path) -> Vec<String> {
    let value = |i: usize, j: usize| format!("{}.{:06}", 31_415 + 977 * (i * i % 41), (i * 7_919 + j * 104_729) % 1_000_000);
    let mut words = vec!["quetzal".to_owned(), "okapi".to_owned()];
    let mut text = String::from("a,b,c,species\n");
    for i in 0..40 {
        let row = [0, 1, 2].map(|j| value(i, j));
        text += &format!("{},{}\n", row.join(","), words[i % 2]);
        words.extend(row);
    }
    std::fs::write(file, text).unwrap();
    words
}

#[test]
fn no_record_and_no_key_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (file, folder) = (dir.path().join("animals.csv"), dir.path().join("run"));
    let mut words = planted(&file);
    // Also as they are shared: standardised.
    let data = csv::load(&file, "species", 1).unwrap();
    words.extend(data.train.x.iter().chain(&data.test.x).map(f64::to_string).filter(|v| v.len() >= 9));
    words.push("PRIVATE KEY".into());
    assert!(words.len() > 200);

    let args = [
        "demo",
        "--csv",
        path(&file),
        "--label",
        "species",
        "--hidden",
        "8",
        "--epochs",
        "1",
        "--batch",
        "16",
        "--run-dir",
        path(&folder),
    ];
    let out = trefoil(&args).env("TREFOIL_LOG", "trace").output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));

    let mut written = vec![("standard output".to_owned(), out.stdout), ("standard error".to_owned(), out.stderr)];
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("model.safetensors") {
            written.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    assert!(written.len() >= 2 + 8);
    for (name, bytes) in written {
        let text = text(&bytes);
        for word in &words {
            assert!(!text.contains(word.as_str()), "{word} is in {name}");
        }
    }
}
