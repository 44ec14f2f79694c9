//! PNG images of 16 pixels, grey or in colour.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_fuzz::{open, read};

fuzz_target!(|bytes: &[u8]| {
    for count in [16, 48] {
        let schema = format!(
            "task = 'classification'
            label = 'label'
            classes = ['0', '1']
            columns = [{{ kind = 'pixels', name = 'p', count = {count} }}]"
        );
        read(open(".png", bytes, &schema, false), |chunk| assert_eq!(chunk.values.len(), count * chunk.rows));
    }
});
