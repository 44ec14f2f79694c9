//! What the parties and owners of a join are sent, against the committed corpus and against arbitrary bytes: no panic, one line of error. Files
//! whose names begin with `ok-` must be read, those with `bad-` refused. The fuzz target starts from the same folders.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use std::fs;
use std::path::Path;
use trefoil_join::lists::{List, from_bytes, to_bytes};
use trefoil_join::oprf::Key;
use trefoil_join::{BATCH, rows_of_batch};

type Parsed = Result<(), String>;

fn elements(bytes: &[u8]) -> Parsed {
    let (elements, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() {
        return Err("not whole elements: the frame's length says so before".into());
    }
    let key = Key::from_bytes(&[1; 32]).unwrap();
    let evaluated = key.evaluate(elements).map_err(|e| e.to_string())?;
    assert_eq!(key.evaluate(&evaluated).unwrap().len(), elements.len());
    Ok(())
}

fn list(bytes: &[u8]) -> Parsed {
    let list = List::from_bytes(bytes, bytes.len() as u64 / 16).map_err(|e| e.to_string())?;
    assert_eq!(list.to_bytes(), bytes);
    Ok(())
}

/// Two bytes say of how many rows.
fn places(bytes: &[u8]) -> Parsed {
    let Some((rows, bytes)) = bytes.split_first_chunk::<2>() else { return Err("no number".into()) };
    let places = from_bytes(bytes, u16::from_le_bytes(*rows).into()).map_err(|e| e.to_string())?;
    assert_eq!(to_bytes(&places), bytes);
    Ok(())
}

fn replay(folder: &str, parse: fn(&[u8]) -> Parsed) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let result = parse(&fs::read(&path).unwrap());
        assert_eq!(result.is_ok(), name.starts_with("ok-"), "{name}: {result:?}");
        assert!(result.err().is_none_or(|e| !e.contains('\n') && e.len() < 200), "{name}");
        count += 1;
    }
    assert!(count >= 9);
}

#[test]
fn the_corpus() {
    replay("elements", elements);
    replay("list", list);
    replay("places", places);
}

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for parse in [elements, list, places] {
            let _ = parse(&bytes);
        }
    }
}

#[test]
fn batches_have_the_rows_that_are_left() {
    let rows = 2 * BATCH as u64 + 5;
    assert_eq!([0, 1, 2, 3, u64::MAX].map(|batch| rows_of_batch(rows, batch)), [BATCH, BATCH, 5, 0, 0]);
    assert_eq!(rows_of_batch(0, 0), 0);
}
