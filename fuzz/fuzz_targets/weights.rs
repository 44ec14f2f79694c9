//! Files of weights, safetensors and NumPy's archives: a model or an error in one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_nn::Model;

fuzz_target!(|bytes: &[u8]| {
    for read in [Model::parse(bytes, "fuzz"), Model::parse_npz(bytes, "fuzz")] {
        if let Err(e) = read {
            assert!(!e.to_string().contains('\n'));
        }
    }
});
