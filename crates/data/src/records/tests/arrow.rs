//! Files that pyarrow and polars wrote: the same records of every kind that is read, among columns that are not, in each layout.

use super::*;
use crate::records::missing::Missing;
use crate::records::raw::{Raw, RawColumn};
use crate::schema::Proposed;
use std::path::PathBuf;

const NONE: f64 = -7.0;
const SIGNED: [f64; 5] = [-3.0, 0.0, NONE, 1.0, 100.0];
const PARTS: [f64; 5] = [0.5, -2.0, NONE, 1.0, 100.0];
const MONEY: [f64; 5] = [1.25, -0.5, NONE, 1.0, 9.99];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/arrow").join(name)
}

/// A column of numbers, or of texts by their places among these; what is missing is -7, or the last of them.
fn values(file: &Path, name: &str, texts: &[&str]) -> Result<Vec<f64>> {
    let column = RawColumn::new(name, texts.iter().map(|text| text.to_string()).collect());
    let fill = texts.last().map_or(NONE.to_string(), |text| text.to_string());
    let missing = Some(Missing { texts: vec![String::new()], fill: Some(fill), indicator: false });
    let (mut raw, mut out) = (Raw::open(&Source::of(file), &[RawColumn { missing, ..column }], true, None, None)?, Vec::new());
    while raw.next(&mut out)? {}
    Ok(out)
}

/// All columns of the files that pyarrow wrote, and whether polars knows the kind, too.
fn kinds() -> Vec<(&'static str, Vec<&'static str>, [f64; 5], bool)> {
    let (unsigned, top) = ([3.0, 0.0, NONE, 1.0, 100.0], [3.0, 0.0, NONE, 1.0, 2_f64.powi(64)]);
    let days = || vec!["2024-02-29", "1969-12-31", "2000-01-01", "none"];
    let times = || vec!["2024-02-29 12:30:00", "1969-12-31 12:30:00", "2000-01-01 12:30:00", "none"];
    let (dated, words) = ([0.0, 1.0, 3.0, 2.0, 0.0], || vec!["here", "there", "somewhere far away from all", "none"]);
    let said = [0.0, 1.0, 3.0, 2.0, 0.0];
    let number = |name, values, polars| (name, vec![], values, polars);
    let mut all = vec![number("last", [1.0, 2.0, 3.0, 4.0, 5.0], true), number("flag", [1.0, 0.0, NONE, 0.0, 1.0], true)];
    all.extend(["i8", "i16", "i32", "i64"].map(|name| number(name, SIGNED, true)));
    all.extend(["u8", "u16", "u32"].map(|name| number(name, unsigned, true)));
    all.extend(["f16", "f32", "f64"].map(|name| number(name, PARTS, name != "f16")));
    all.extend(["d32", "d64", "d128"].map(|name| number(name, MONEY, name == "d128")));
    all.extend([number("u64", top, true), number("dict_of_numbers", SIGNED, false)]);
    all.extend(["day32", "day64"].map(|name| (name, days(), dated, name == "day32")));
    all.extend(["at_s", "at_ms", "at_us", "at_ns"].map(|name| (name, times(), dated, name != "at_s")));
    all.extend(["text", "large", "view", "binary", "dict"].map(|name| (name, words(), said, true)));
    all
}

#[test]
fn values_are_the_same_of_every_layout() {
    let all = kinds();
    for (file, of_polars) in [
        ("plain.arrow", false),
        ("plain.arrows", false),
        ("lz4.feather", false),
        ("zstd.ipc", false),
        ("polars.arrow", true),
        ("polars.arrows", true),
    ] {
        for (name, texts, expected, polars) in &all {
            if *polars || !of_polars {
                assert_eq!(values(&path(file), name, texts).unwrap(), expected, "{file} {name}");
            }
        }
    }
    // All at once, in an order of their own.
    let columns: Vec<RawColumn> = ["last", "i8", "text", "d64"].map(|name| RawColumn::new(name, vec![])).into();
    let error = Raw::open(&Source::of(path("plain.arrow")), &columns, true, None, None).unwrap().next(&mut Vec::new());
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with("record 1, column \"text\": found \"here\", expected a number"), "{error}");
}

#[test]
fn a_dictionary_may_grow_and_change() {
    let words = ["here", "there", "somewhere far away from all", "none"];
    assert_eq!(values(&path("deltas.arrows"), "dict", &words).unwrap(), [0.0, 1.0, 2.0, 3.0, 0.0, 1.0]);
    assert_eq!(values(&path("deltas.arrows"), "i64", &[]).unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn what_is_not_read_is_named() {
    for (name, found) in [
        ("skip_list", "nested values"),
        ("skip_struct", "nested values"),
        ("skip_map", "nested values"),
        ("skip_dense", "nested values"),
        ("skip_ree", "nested values"),
        ("skip_time", "times of day"),
        ("skip_span", "spans of time"),
        ("skip_fixed", "bytes"),
    ] {
        let error = values(&path("lz4.feather"), name, &[]).unwrap_err().to_string();
        let expected = format!("column {name:?} with {found}, expected booleans, numbers, dates or texts, not nested");
        assert!(error.ends_with(&expected), "{error}");
    }
    let (_, columns) = crate::schema::propose(&Source::of(path("lz4.feather")), None, None, None, &[]).unwrap();
    let left = |p: &Proposed| matches!(p, Proposed::Left { name, why, .. } if name == "skip_list" && why == "nested values, which are not read");
    assert!(columns.iter().any(left), "{columns:?}");
    assert_eq!(values(&path("plain.arrow"), "skip_null", &[]).unwrap(), [NONE; 5]);
    let error = values(&path("plain.arrow"), "nothing", &[]).unwrap_err().to_string();
    assert!(error.contains("found no column \"nothing\"") && error.contains("\"i8\""), "{error}");
}

#[test]
fn what_is_cut_short_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let broken = |bytes: &[u8], name: &str| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        values(&path, "i64", &[]).map_err(|e| e.to_string().split_once(": ").unwrap().1.to_string())
    };
    let (file, stream) = (fs::read(path("plain.arrow")).unwrap(), fs::read(path("plain.arrows")).unwrap());
    assert_eq!(broken(&file, "a.arrow").unwrap(), SIGNED);
    for end in (0..file.len()).step_by(11) {
        let why = broken(&file[..end], "a.arrow").unwrap_err();
        assert!(why.starts_with("found broken Arrow (") && why.contains("expected a whole file or stream"), "{end}: {why}");
    }
    // A stream may end behind any message: what is there then is whole.
    let ends = (0..stream.len()).step_by(8).filter(|end| broken(&stream[..*end], "a.arrows").is_ok()).count();
    assert!((2..=4).contains(&ends), "{ends}");
    // A footer of another file.
    let footer =
        |file: &[u8]| file.len() - 10 - i32::from_le_bytes(file[file.len() - 10..file.len() - 6].try_into().unwrap()) as usize;
    let other = fs::read(path("lz4.feather")).unwrap();
    let mixed = [&file[..footer(&file)], &other[footer(&other)..]].concat();
    assert!(broken(&mixed, "a.arrow").unwrap_err().starts_with("found broken Arrow ("));
    assert!(broken(b"FEA1....", "a.feather").unwrap_err().starts_with("found Feather of the first version, expected Arrow IPC"));
    assert!(broken(b"a,b\n1,2\n3,4\n", "a.arrow").unwrap_err().contains("no message where one begins"));
}
