//! CSV up to the standardised dataset.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_data::csv;

fuzz_target!(|bytes: &[u8]| {
    let Ok(records) = csv::parse(bytes, "fuzz", "y") else { return };
    if let Ok(d) = records.dataset("fuzz", "fuzz", 0) {
        assert!(d.train.x.iter().chain(&d.test.x).all(|v| (-8.0..8.0).contains(v)));
        assert!(d.train.y.iter().chain(&d.test.y).all(|&y| y < d.classes));
    }
});
