//! IDX images and labels, plain and gzip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_data::idx;

fuzz_target!(|bytes: &[u8]| {
    let _ = idx::parse_images(bytes, "fuzz");
    let _ = idx::parse_labels(bytes, "fuzz", 10);
});
