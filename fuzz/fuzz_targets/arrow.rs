//! A file or stream of Arrow IPC, to its end: a number, a category and a label.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_data::{Records, Schema, Source};

const SCHEMA: &str = "
    task = 'regression'
    label = 'y'
    target = { mean = 0, deviation = 1 }
    columns = [
        { kind = 'number', name = 'x0', mean = 0, deviation = 1 },
        { kind = 'category', name = 'c', values = ['u', 'v'] },
    ]";

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("trefoil-fuzz-{}.arrow", std::process::id()));
    std::fs::write(&path, bytes).expect("a temporary file can be written");
    let schema: Schema = toml::from_str(SCHEMA).expect("a schema in order");
    if let Ok(mut records) = Records::open(&Source::of(path), &schema, &[], true) {
        while let Ok(Some(_)) = records.next(10) {}
    }
});
