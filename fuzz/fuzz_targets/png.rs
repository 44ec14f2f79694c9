//! PNG images of 16 pixels, grey or in colour.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_data::Source;
use trefoil_data::records::{Raw, RawColumn};

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("trefoil-fuzz-{}.png", std::process::id()));
    std::fs::write(&path, bytes).expect("a temporary file can be written");
    for count in [16, 48] {
        let columns: Vec<RawColumn> = (0..count).map(|i| RawColumn { name: format!("p{i}"), texts: vec![] }).collect();
        let Ok(mut raw) = Raw::open(&Source::of(&path), &columns, false, None, None) else { return };
        let mut values = Vec::new();
        if raw.next(&mut values).is_ok() {
            assert!(values.len() == count && values.iter().all(|v| (0.0..256.0).contains(v)));
        }
    }
});
