//! Sealed files: any bytes, and a good file with a few bytes changed, which gives its first records or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_store::StorageKey;
use trefoil_store::sealed::Reader;

const GOOD: &[u8] = include_bytes!("../../crates/store/tests/corpus/sealed/ok-3-two-segments");
const RECORDS: [&[u8]; 3] = [b"one", b"two", b"three"];

/// The records up to an error, and whether there was none.
fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut records = Vec::new();
    let Ok(mut reader) = Reader::from(bytes, bytes.len() as u64, "fuzz", &StorageKey::derive(b"corpus")) else {
        return (records, false);
    };
    loop {
        match reader.next() {
            Ok(Some(record)) => records.push(record),
            end => return (records, end.is_ok()),
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let _ = read(bytes);
    let mut changed = GOOD.to_vec();
    for change in bytes.chunks_exact(2) {
        changed[usize::from(change[0]) % GOOD.len()] ^= change[1];
    }
    let (records, whole) = read(&changed);
    assert!(RECORDS.starts_with(&records.iter().map(|r| &r[..]).collect::<Vec<_>>()));
    assert_eq!(whole, changed == GOOD);
});
