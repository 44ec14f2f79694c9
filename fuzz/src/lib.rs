//! What the targets that read records have in common: a file of the bytes, and a schema.

use std::path::PathBuf;
use trefoil_data::records::Chunk;
use trefoil_data::{Records, Schema, Source};

/// A number, a category and a value to be predicted.
pub const MIXED: &str = "
    task = 'regression'
    label = 'y'
    target = { mean = 0, deviation = 1 }
    columns = [
        { kind = 'number', name = 'x0', mean = 0, deviation = 1 },
        { kind = 'category', name = 'c', values = ['u', 'v'] },
    ]";

/// Two numbers and a value to be predicted.
pub const NUMBERS: &str = "
    task = 'regression'
    label = 'y'
    target = { mean = 0, deviation = 1 }
    columns = [
        { kind = 'number', name = 'x0', mean = 0, deviation = 1 },
        { kind = 'number', name = 'x1', mean = 0, deviation = 1 },
    ]";

/// A file of these bytes; the end of its name says its format.
pub fn file(end: &str, bytes: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("trefoil-fuzz-{}{end}", std::process::id()));
    std::fs::write(&path, bytes).expect("a temporary file can be written");
    path
}

/// Opens a file of records.
pub fn open(end: &str, bytes: &[u8], schema: &str, labels: bool) -> Option<Records> {
    let schema: Schema = toml::from_str(schema).expect("a schema in order");
    Records::open(&Source::of(file(end, bytes)), &schema, &[], labels).ok()
}

/// Reads records to the end, and holds every value to what a share has room for.
pub fn read(records: Option<Records>, each: impl Fn(&Chunk)) {
    let Some(mut records) = records else { return };
    while let Ok(Some(chunk)) = records.next(100) {
        assert!(chunk.values.iter().all(|v| (-32768..32768).contains(v)));
        each(&chunk);
    }
}
