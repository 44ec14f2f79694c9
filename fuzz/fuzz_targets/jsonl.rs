//! JSON lines with two columns and a label, to the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_fuzz::{NUMBER, open, read, two};

fuzz_target!(|bytes: &[u8]| read(open(".jsonl", bytes, &two(NUMBER), true), |_| {}));
