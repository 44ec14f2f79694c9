//! The body of a request to a gateway: JSON up to the first zero byte, and tensors in the binary form behind it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_gateway::tensors::Request;

fuzz_target!(|bytes: &[u8]| {
    let json = bytes.iter().position(|byte| *byte == 0);
    let (text, behind) = bytes.split_at(json.unwrap_or(bytes.len()));
    let body = [text, behind.get(1..).unwrap_or_default()].concat();
    if let Ok(request) = Request::parse(&body, json) {
        for input in request.inputs {
            assert_eq!(input.shape.iter().product::<u64>(), input.cells.len() as u64);
        }
    }
});
