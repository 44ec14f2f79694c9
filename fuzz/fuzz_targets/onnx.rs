//! ONNX files: a model or an error in one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_nn::Model;

fuzz_target!(|bytes: &[u8]| {
    if let Err(e) = Model::parse_onnx(bytes, "fuzz") {
        assert!(!e.to_string().contains('\n'));
    }
});
