//! NumPy arrays of two columns, plain and gzip, to the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_data::schema::{Column, Partition, Schema, Standard, Task};
use trefoil_data::{Records, Source};

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("trefoil-fuzz-{}.npy", std::process::id()));
    std::fs::write(&path, bytes).expect("a temporary file can be written");
    let number = |name: &str| Column::number(name, 0.0, 1.0);
    let schema = Schema {
        task: Task::Regression,
        partition: Partition::Horizontal,
        label: "y".to_string(),
        classes: Vec::new(),
        target: Some(Standard { mean: 0.0, deviation: 1.0 }),
        id: None,
        join: Default::default(),
        pad: None,
        doubles: Default::default(),
        holdout: 5,
        seed: 0,
        clipped: 1.0,
        columns: vec![number("a"), number("b")],
    };
    let Ok(mut records) = Records::open(&Source::of(path), &schema, &[], false) else { return };
    while let Ok(Some(chunk)) = records.next(100) {
        assert_eq!(chunk.values.len(), 2 * chunk.rows);
        assert!(chunk.values.iter().all(|v| (-32768..32768).contains(v)));
    }
});
