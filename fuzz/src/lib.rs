//! What the targets that read records have in common: a file of the bytes, and a schema.

use std::path::PathBuf;
use trefoil_data::records::Chunk;
use trefoil_data::{Records, Schema, Source};

/// A number, another column, and a value to be predicted.
pub fn two(other: &str) -> String {
    format!(
        "task = 'regression'
        label = 'y'
        target = {{ mean = 0, deviation = 1 }}
        columns = [{{ kind = 'number', name = 'x0', mean = 0, deviation = 1 }}, {{ {other} }}]"
    )
}

/// Another column: a number, or a category.
pub const NUMBER: &str = "kind = 'number', name = 'x1', mean = 0, deviation = 1";
pub const CATEGORY: &str = "kind = 'category', name = 'c', values = ['u', 'v']";

/// An image of so many grey levels, and its class.
pub fn pixels(count: usize) -> String {
    format!(
        "task = 'classification'
        label = 'label'
        classes = ['0', '1']
        columns = [{{ kind = 'pixels', name = 'p', count = {count} }}]"
    )
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// A target whose schema is none would find nothing, whatever it is given.
    #[test]
    fn the_schemas_are_in_order() {
        for schema in [two(NUMBER), two(CATEGORY), pixels(16)] {
            assert!(toml::from_str::<Schema>(&schema).is_ok(), "{schema}");
        }
    }
}
