use super::*;
use crate::disk::tests::{Full, folder};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;

/// A log of four lines.
fn log(path: &Path) -> Summary {
    let mut log = Log::open(path).unwrap();
    for event in
        [json!({"proposed": "a"}), json!({"approved": "a"}), json!("é\n\u{1}"), json!({"opened": {"to": "b", "bytes": 9}})]
    {
        log.append(&event).unwrap();
    }
    Summary { entries: log.entries(), head: log.last() }
}

fn check(bytes: &[u8]) -> Result<Summary> {
    let mut entries = Entries::from(bytes, "f");
    entries.by_ref().try_for_each(|e| e.map(drop))?;
    Ok(entries.summary())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn round_trip(texts in prop::collection::vec("\\PC{0,40}|[\n\r\t\"\\\\]{1,5}", 0..12), pause in 0..12_usize) {
        let (_dir, path) = folder();
        let mut log = Log::open(&path).unwrap();
        for (i, text) in texts.iter().enumerate() {
            if i == pause {
                drop(log);
                log = Log::open(&path).unwrap();
            }
            log.append(&json!({ "note": text })).unwrap();
        }
        let summary = Summary { entries: log.entries(), head: log.last() };
        prop_assert_eq!(verify(&path).unwrap(), summary);
        let entries: Vec<Entry> = read(&path).unwrap().collect::<Result<_>>().unwrap();
        prop_assert_eq!(entries.len(), texts.len());
        for (i, (entry, text)) in entries.iter().zip(&texts).enumerate() {
            prop_assert_eq!(entry.n, i as u64 + 1);
            prop_assert_eq!(&entry.event, &json!({ "note": text }));
            prop_assert!(entry.time.len() == 24 && entry.time.ends_with('Z'));
        }
    }
}

#[test]
fn the_format() {
    let (_dir, path) = folder();
    assert_eq!(Log::open(&path).unwrap().last(), [0; 32]);
    assert_eq!(verify(&path).unwrap(), Summary { entries: 0, head: [0; 32] });
    log(&path);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    let start = r#"{"n":1,"time":"2"#;
    let end = format!(r#"Z","previous":"{}","event":{{"proposed":"a"}}}}"#, "0".repeat(64));
    assert!(lines[0].starts_with(start) && lines[0].ends_with(&end), "{}", lines[0]);
    let second: Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(second["previous"], hex::encode(Sha256::digest(lines[0])));
}

#[test]
fn every_kind_of_tampering() {
    let (_dir, path) = folder();
    log(&path);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let with = |i: usize, line: String| {
        let mut lines = lines.clone();
        lines[i] = line;
        lines.concat()
    };
    let pick = |order: &[usize]| order.iter().map(|&i| &lines[i][..]).collect::<String>();
    let zeros = "0".repeat(64);
    let previous = |i: usize| serde_json::from_str::<Entry>(&lines[i]).unwrap().previous;
    for (what, tampered, line, part) in [
        ("event changed", with(1, lines[1].replace("approved", "refused!")), 3, "hash of the line before"),
        ("time changed", with(0, lines[0].replace("Z\"", "z\"")), 2, "hash of the line before"),
        ("spaces added", with(0, lines[0].replace(":", ": ")), 2, "hash of the line before"),
        ("hash changed", with(2, lines[2].replace(&previous(2), &zeros)), 3, "hash of the line before"),
        ("first hash changed", with(0, lines[0].replace(&zeros, &previous(1))), 1, "hash of the line before"),
        ("hash in capitals", with(2, lines[2].replace(&previous(2), &previous(2).to_uppercase())), 3, "hash of the line before"),
        ("number changed", with(2, lines[2].replace("\"n\":3", "\"n\":4")), 3, "number"),
        ("first dropped", pick(&[1, 2, 3]), 1, "number"),
        ("middle dropped", pick(&[0, 2, 3]), 2, "number"),
        ("swapped", pick(&[0, 2, 1, 3]), 2, "number"),
        ("repeated", pick(&[0, 1, 1, 2, 3]), 3, "number"),
        (
            "dropped and renumbered",
            [&lines[0], &lines[2].replace("\"n\":3", "\"n\":2")[..]].concat(),
            2,
            "hash of the line before",
        ),
        ("appended by hand", lines.concat() + &lines[3].replace("\"n\":4", "\"n\":5"), 5, "hash of the line before"),
        ("empty line", pick(&[0, 1]) + "\n" + &pick(&[2, 3]), 3, "line 3: "),
        ("no JSON", with(1, "{\"n\":2\n".to_owned()), 2, "line 2: "),
        ("a field more", with(3, lines[3].replace("\"n\":4", "\"n\":4,\"m\":1")), 4, "line 4: "),
        ("a field less", with(0, "{\"n\":1,\"event\":1}\n".to_owned()), 1, "line 1: "),
        ("two in one line", with(0, lines[0].replace('\n', "")), 1, "line 1: "),
        ("carriage returns", text.replace('\n', "\r\n"), 2, "hash of the line before"),
    ] {
        fs::write(&path, &tampered).unwrap();
        for error in [verify(&path).map(drop), Log::open(&path).map(drop)] {
            let error = error.expect_err(what).to_string();
            let place = format!("{}: line {line}: ", path.display());
            assert!(error.starts_with(&place) && error.contains(part) && !error.contains('\n'), "{what}: {error}");
        }
        // Refused, and left as it was found.
        assert_eq!(fs::read_to_string(&path).unwrap(), tampered);
    }
    let mut bytes = text.into_bytes();
    bytes[20] = 0xff;
    assert!(matches!(check(&bytes), Err(StoreError::Value { .. })));
}

#[test]
fn a_known_head_notices_every_bit() {
    let (_dir, path) = folder();
    let summary = log(&path);
    let bytes = fs::read(&path).unwrap();
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&flipped).is_err() || check(&flipped).unwrap() != summary, "bit {bit}");
    }
}

#[test]
fn a_log_continues_an_earlier_one() {
    let (_dir, path) = folder();
    let empty = Summary { entries: 0, head: [0; 32] };
    let mut log = Log::open(&path).unwrap();
    let mut earlier = vec![empty];
    for i in 0..3 {
        log.append(&i).unwrap();
        earlier.push(Summary { entries: log.entries(), head: log.last() });
    }
    for summary in &earlier {
        assert_eq!(verify_since(&path, summary).unwrap(), earlier[3]);
    }
    // Lines taken off the end, and a log written anew, are good by themselves.
    let text = fs::read_to_string(&path).unwrap();
    let cut: String = text.split_inclusive('\n').take(2).collect();
    let (_dir, other) = folder();
    fs::write(&other, cut).unwrap();
    assert_eq!(verify(&other).unwrap(), earlier[2]);
    let error = verify_since(&other, &earlier[3]).unwrap_err().to_string();
    assert!(error.contains("line 2: head: found ") && error.contains(" after 2 lines, expected "), "{error}");
    assert!(verify_since(&other, &earlier[1]).is_ok());
    fs::remove_file(&other).unwrap();
    let mut anew = Log::open(&other).unwrap();
    (0..4).for_each(|i| anew.append(&(i + 1)).unwrap());
    assert!(matches!(verify_since(&other, &earlier[3]), Err(StoreError::Chain { line: 3, .. })));
    assert!(matches!(verify_since(&other, &Summary { entries: 0, head: [1; 32] }), Err(StoreError::Chain { .. })));
}

#[test]
fn cut_anywhere_it_goes_on() {
    let (_dir, path) = folder();
    log(&path);
    let bytes = fs::read(&path).unwrap();
    for length in 0..=bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let kept = bytes[..length].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let lines = bytes[..kept].iter().filter(|b| **b == b'\n').count() as u64;
        let torn = length > kept;
        if torn {
            assert!(matches!(verify(&path), Err(StoreError::Torn { line, .. }) if line == lines + 1), "{length}");
        }
        let mut log = Log::open(&path).unwrap();
        assert_eq!(log.entries(), lines + u64::from(torn), "{length}");
        log.append(&"after").unwrap();
        let now = fs::read(&path).unwrap();
        assert_eq!(now[..kept], bytes[..kept]);
        let events: Vec<Value> = read(&path).unwrap().map(|e| e.unwrap().event).skip(lines as usize).collect();
        let after = json!("after");
        assert_eq!(events, if torn { vec![json!({"recovered": {"cut_bytes": length - kept}}), after] } else { vec![after] });
    }
}

#[test]
fn a_full_disk() {
    for room in 0..600 {
        let disk = Full { room, ..Full::default() };
        let bytes = disk.bytes.clone();
        let summary = Summary { entries: 0, head: [0; 32] };
        let mut chain = Chain { out: Appender::new(disk, Path::new("f"), 0), summary };
        for _ in 0..3 {
            let _ = chain.append(&"an event that takes some room");
            // Whatever happened, the log is whole, and as long as its writer thinks.
            assert_eq!(check(&bytes.borrow()).unwrap(), chain.summary, "{room}");
        }
        let shorter = chain.append(&0);
        assert!(shorter.is_ok() || matches!(shorter, Err(StoreError::Io { .. })), "{room}");
    }
}

/// When neither a write nor the repair succeeds, nothing more is written.
#[test]
fn a_loose_cable() {
    let disk = Full { room: 300, loose: true, ..Full::default() };
    let bytes = disk.bytes.clone();
    let mut chain = Chain { out: Appender::new(disk, Path::new("f"), 0), summary: Summary { entries: 0, head: [0; 32] } };
    assert!(matches!(chain.append(&1), Err(StoreError::Io { doing: "synchronise", .. })));
    let length = bytes.borrow().len();
    assert!(matches!(chain.append(&1), Err(StoreError::Broken { .. })));
    assert_eq!(bytes.borrow().len(), length);

    let disk = Full { room: 30, loose: true, ..Full::default() };
    let mut chain = Chain { out: Appender::new(disk, Path::new("f"), 0), summary: Summary { entries: 0, head: [0; 32] } };
    assert!(matches!(chain.append(&1), Err(StoreError::Io { doing: "write", .. })));
    assert!(matches!(chain.append(&1), Err(StoreError::Broken { .. })));
}

#[test]
fn limits_and_what_is_no_json() {
    let (_dir, path) = folder();
    let mut log = Log::open(&path).unwrap();
    assert!(matches!(log.append(&"x".repeat(MOST_LINE)), Err(StoreError::TooLong { .. })));
    let no_json = std::collections::HashMap::from([([1_u8], 1)]);
    assert!(matches!(log.append(&no_json), Err(StoreError::Value { .. })));
    log.append(&"x".repeat(MOST_LINE - 200)).unwrap();
    assert_eq!(verify(&path).unwrap().entries, 1);
    // A line without end is not read to its end.
    let endless = std::io::BufReader::new(std::io::repeat(b' '));
    assert!(matches!(Entries::from(endless, "f").next(), Some(Err(StoreError::TooLong { found: 1_048_577, .. }))));
}

#[test]
fn one_writer_nobody_elses() {
    let (_dir, path) = folder();
    let log = Log::open(&path).unwrap();
    assert!(matches!(Log::open(&path), Err(StoreError::InUse { .. })));
    verify(&path).unwrap();
    drop(log);
    Log::open(&path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

/// The corpus that `tests/corpus.rs` and the fuzz target begin with, anew: for another form of the lines.
#[test]
#[ignore = "writes files"]
fn write_the_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/audit");
    let save = |name: &str, text: &str| fs::write(corpus.join(name), text).unwrap();
    let write = |events: &[Value]| {
        let (_dir, path) = folder();
        let mut log = Log::open(&path).unwrap();
        events.iter().for_each(|e| log.append(e).unwrap());
        fs::read_to_string(&path).unwrap()
    };
    let good = write(&[json!({"proposed": {"job": "a"}}), json!({"approved": "a"}), json!({"opened": {"to": "b"}})]);
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    save("ok-0-empty", "");
    save("ok-1-line", lines[0]);
    save("ok-3-lines", &good);
    save("ok-2-strings", &write(&[json!("é\n\u{1}\"\\"), json!("𝔘")]));
    save("ok-4-scalars", &write(&[json!(null), json!(true), json!(-1.5e300), json!(u64::MAX)]));
    save("ok-2-nested", &write(&[json!([[[[]]]]), json!({"a": {"b": [1, {"c": []}]}})]));
    save("bad-torn", good.trim_end());
    save("bad-swapped", &[lines[0], lines[2], lines[1]].concat());
    save("bad-dropped", &[lines[0], lines[2]].concat());
    save("bad-repeated", &[lines[0], lines[0]].concat());
    save("bad-changed", &good.replace("approved", "refused"));
    save("bad-empty-line", &good.replacen('\n', "\n\n", 1));
    save("bad-number", &lines[0].replace("\"n\":1", "\"n\":18446744073709551616"));
    save("bad-negative", &lines[0].replace("\"n\":1", "\"n\":-1"));
    save("bad-field", &lines[0].replace("\"n\":1", "\"n\":1,\"n\":1"));
    save("bad-deep", &lines[0].replace("{\"job\":\"a\"}", &"[".repeat(4000)));
    save("bad-carriage-returns", &good.replace('\n', "\r\n"));
    save("bad-text", "party 1 approved\n");
}
