//! NumPy arrays of two columns, plain and gzip, to the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_fuzz::{NUMBER, open, read, two};

fuzz_target!(|bytes: &[u8]| read(open(".npy", bytes, &two(NUMBER), false), |chunk| assert_eq!(
    chunk.values.len(),
    2 * chunk.rows
)));
