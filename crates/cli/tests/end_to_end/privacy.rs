//! Check 13: nothing that a run writes or says holds a record, and no private key is on disk.

use crate::common::{path, text, trefoil};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use trefoil_client::share::Source;
use trefoil_data::guessed;
use trefoil_lab::demo::job::Rows;

/// A record's values, that nobody would write by accident. The names of columns and classes are the job's, and public.
fn planted(file: &Path) -> Vec<String> {
    let value = |i: usize, j: usize| format!("{}.{:06}", 31_415 + 977 * (i * i % 41), (i * 7_919 + j * 104_729) % 1_000_000);
    let mut words = vec![];
    let mut text = String::from("a,b,c,species\n");
    for i in 0..40 {
        let row = [0, 1, 2].map(|j| value(i, j));
        text += &format!("{},{}\n", row.join(","), ["quetzal", "okapi"][i % 2]);
        words.extend(row);
    }
    std::fs::write(file, text).unwrap();
    words
}

/// What must not be written anywhere.
struct Secrets {
    words: Vec<String>,
    /// Two features of a record in a row, as ring elements.
    elements: HashSet<[u8; 16]>,
}

impl Secrets {
    fn absent(&self, name: &str, bytes: &[u8]) {
        let text = text(bytes);
        for word in &self.words {
            assert!(!text.contains(word.as_str()), "{word} is in {name}");
        }
        assert!(!bytes.windows(16).any(|pair| self.elements.contains(pair)), "a record's elements are in {name}");
    }
}

/// All files below a folder. Parties write, rename and remove while we look.
fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(t) if t.is_dir() => files(&entry.path(), into),
            _ => into.push(entry.path()),
        }
    }
}

#[test]
fn no_record_and_no_key_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (file, folder) = (dir.path().join("animals.csv"), dir.path().join("run"));
    let mut words = planted(&file);
    // Also as they are shared: standardised, and as ring elements.
    let data = guessed::load(&trefoil_data::Source::of(&file), "species").unwrap();
    let parts = [&data.train, &data.test];
    let [[train, _], [test, _]] = parts.map(|part| part.decoded(&data.schema));
    words.extend(train.iter().chain(&test).map(f64::to_string).filter(|v| v.len() >= 9));
    words.push("PRIVATE KEY".into());
    assert!(words.len() > 200);
    let pairs = parts.into_iter().flat_map(|part| (0..part.rows()).map(|i| part.range(i..i + 1)));
    let elements = pairs.map(|row| std::array::from_fn(|i| [row[0].to_le_bytes(), row[1].to_le_bytes()].concat()[i])).collect();
    let secrets = Secrets { words, elements };
    // That is how they leave their owner.
    let mut rows = Rows::new(&data.train, &data.test);
    let chunk = rows.next().unwrap().unwrap().x;
    let bytes: Vec<u8> = chunk.iter().flat_map(|word| word.to_le_bytes()).collect();
    assert!(secrets.elements.contains(&bytes[..16]));

    let args = [
        "demo",
        "--csv",
        path(&file),
        "--label",
        "species",
        "--hidden",
        "8",
        "--epochs",
        "120",
        "--batch",
        "16",
        "--run-dir",
        path(&folder),
    ];
    let (stdout, stderr) = (dir.path().join("stdout"), dir.path().join("stderr"));
    let said = |file: &Path| Stdio::from(std::fs::File::create(file).unwrap());
    let mut run = trefoil(&args).env("TREFOIL_LOG", "trace").stdout(said(&stdout)).stderr(said(&stderr)).spawn().unwrap();
    // While it runs: what the parties keep in their data folders.
    let mut seen = BTreeSet::new();
    let status = loop {
        let mut all = vec![];
        ["P0", "P1", "P2"].iter().for_each(|party| files(&folder.join(party), &mut all));
        for file in all {
            // It may have been removed since.
            let Ok(bytes) = std::fs::read(&file) else { continue };
            let name = file.strip_prefix(&folder).unwrap().display().to_string();
            secrets.absent(&name, &bytes);
            if !bytes.is_empty() {
                seen.insert(name);
            }
        }
        if let Some(status) = run.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{}", std::fs::read_to_string(&stderr).unwrap());
    for party in ["P0", "P1", "P2"] {
        for kind in ["party.toml", "jobs.redb", "audit.jsonl", "uploads/", "checkpoints/"] {
            let found = seen.iter().any(|name| name.starts_with(party) && name.contains(kind));
            assert!(found, "{kind} of {party} was never looked at: {seen:?}");
        }
        // Logs at their fullest.
        let log = std::fs::read_to_string(folder.join(format!("{party}.log"))).unwrap();
        assert!(log.contains(" DEBUG ") || log.contains(" TRACE "), "{log}");
    }

    let mut written = vec![stdout, stderr];
    files(&folder, &mut written);
    assert!(written.len() >= 2 + 9, "{written:?}");
    for file in written.iter().filter(|f| !f.ends_with("model.safetensors")) {
        secrets.absent(&file.display().to_string(), &std::fs::read(file).unwrap());
    }
}
