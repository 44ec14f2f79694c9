//! IDX images, plain and gzip, to the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_data::records::idx_pixels;
use trefoil_data::schema::{Column, Partition, Schema, Task};
use trefoil_data::{Records, Source};

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("trefoil-fuzz-{}-idx3-ubyte", std::process::id()));
    std::fs::write(&path, bytes).expect("a temporary file can be written");
    let Ok(count) = idx_pixels(&path) else { return };
    let schema = Schema {
        task: Task::Classification,
        partition: Partition::Horizontal,
        label: "label".to_string(),
        classes: vec!["0".to_string(), "1".to_string()],
        target: None,
        id: None,
        join: Default::default(),
        pad: None,
        doubles: Default::default(),
        holdout: 0,
        seed: 0,
        clipped: 1.0,
        columns: vec![Column::pixels("p", count)],
    };
    let Ok(mut records) = Records::open(&Source::of(path), &schema, &[], false) else { return };
    while let Ok(Some(chunk)) = records.next(100) {
        assert_eq!(chunk.values.len(), count * chunk.rows);
    }
});
