//! An archive of NumPy arrays, its directory, and two columns and a label to the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_fuzz::{NUMBER, open, read, two};

fuzz_target!(|bytes: &[u8]| read(open(".npz", bytes, &two(NUMBER), true), |_| {}));
