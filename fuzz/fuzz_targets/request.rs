//! The first thing on a connection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_client::request::Request;

fuzz_target!(|bytes: &[u8]| {
    let _ = serde_json::from_slice::<Request>(bytes);
});
