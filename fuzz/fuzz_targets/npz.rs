//! An archive of NumPy arrays, its directory, and two columns and a label to the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_fuzz::{NUMBERS, open, read};

fuzz_target!(|bytes: &[u8]| read(open(".npz", bytes, NUMBERS, true), |_| {}));
