//! NumPy arrays of two columns, plain and gzip, to the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_fuzz::{NUMBERS, open, read};

fuzz_target!(|bytes: &[u8]| read(open(".npy", bytes, NUMBERS, false), |chunk| assert_eq!(chunk.values.len(), 2 * chunk.rows)));
