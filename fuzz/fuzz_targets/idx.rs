//! IDX images, plain and gzip, to the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_data::records::idx_pixels;
use trefoil_fuzz::{file, open, pixels, read};

fuzz_target!(|bytes: &[u8]| {
    let Ok(count) = idx_pixels(&file("-idx3-ubyte", bytes)) else { return };
    read(open("-idx3-ubyte", bytes, &pixels(count), false), |chunk| assert_eq!(chunk.values.len(), count * chunk.rows));
});
