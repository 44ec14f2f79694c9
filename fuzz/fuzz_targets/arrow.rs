//! A file or stream of Arrow IPC, to its end: a number, a category and a label.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_fuzz::{CATEGORY, open, read, two};

fuzz_target!(|bytes: &[u8]| read(open(".arrow", bytes, &two(CATEGORY), true), |_| {}));
