//! Opening a Parquet file: its footer and the types of its columns. Pages are left out: the library panics on some
//! damaged ones, which the reader turns into errors, but which would end a fuzzer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_fuzz::{CATEGORY, open, two};

fuzz_target!(|bytes: &[u8]| drop(open(".parquet", bytes, &two(CATEGORY), true)));
