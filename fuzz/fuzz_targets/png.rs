//! PNG images of 16 pixels, grey or in colour.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_fuzz::{open, pixels, read};

fuzz_target!(|bytes: &[u8]| {
    for count in [16, 48] {
        read(open(".png", bytes, &pixels(count), false), |chunk| assert_eq!(chunk.values.len(), count * chunk.rows));
    }
});
