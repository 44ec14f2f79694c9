//! Audit logs: what is read has whole lines and hangs together.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_store::audit::Entries;

fuzz_target!(|bytes: &[u8]| {
    let mut entries = Entries::from(bytes, "fuzz");
    let mut count = 0;
    for entry in entries.by_ref() {
        let Ok(entry) = entry else { return };
        count += 1;
        assert_eq!(entry.n, count);
    }
    assert_eq!(bytes.iter().filter(|b| **b == b'\n').count() as u64, count);
    assert_eq!(entries.summary().entries, count);
});
