//! Bodies of requests against the committed corpus and against arbitrary changes of it: no panic. Files whose names begin with `ok-` must be
//! read, those with `bad-` refused. The fuzz target starts from the same folder: JSON up to the first zero byte, and tensors in the binary form behind it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use trefoil_gateway::tensors::Request;

fn parse(bytes: &[u8]) -> Result<(), String> {
    let json = bytes.iter().position(|byte| *byte == 0);
    let (text, behind) = bytes.split_at(json.unwrap_or(bytes.len()));
    let body = [text, behind.get(1..).unwrap_or_default()].concat();
    let request = Request::parse(&body, json).map_err(|e| e.to_string())?;
    for input in request.inputs {
        assert_eq!(input.shape.iter().product::<u64>(), input.cells.len() as u64);
    }
    Ok(())
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/tensors");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn corpus() {
    let mut found = [0, 0];
    for path in files() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let ok = name.starts_with("ok-");
        assert!(ok || name.starts_with("bad-"), "{name}");
        found[usize::from(ok)] += 1;
        match parse(&fs::read(&path).unwrap()) {
            Ok(()) => assert!(ok, "{name} was read"),
            Err(e) => assert!(!ok && !e.contains('\n'), "{name}: {e}"),
        }
    }
    assert!(found[0] >= 8 && found[1] >= 4, "{found:?}");
}

proptest! {
    #[test]
    fn mutated(which: prop::sample::Index, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut: prop::sample::Index) {
        let files = files();
        let mut bytes = fs::read(which.get(&files)).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = parse(&bytes);
        let _ = parse(&bytes[..cut.index(bytes.len())]);
    }
}
