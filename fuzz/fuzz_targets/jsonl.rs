//! JSON lines with a column and a label, to the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_data::{Records, Schema, Source};

const SCHEMA: &str = "
    task = 'regression'
    label = 'y'
    target = { mean = 0, deviation = 1 }
    columns = [
        { kind = 'number', name = 'x0', mean = 0, deviation = 1 },
    ]";

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("trefoil-fuzz-{}.jsonl", std::process::id()));
    std::fs::write(&path, bytes).expect("a temporary file can be written");
    let schema: Schema = toml::from_str(SCHEMA).expect("a schema in order");
    let Ok(mut records) = Records::open(&Source::of(path), &schema, &[], true) else { return };
    while let Ok(Some(chunk)) = records.next(100) {
        assert!(chunk.values.iter().all(|v| (-32768..32768).contains(v)));
    }
});
