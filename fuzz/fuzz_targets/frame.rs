//! Frames as they come off a connection, several in a row.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_net::{Id, wire};

fuzz_target!(|bytes: &[u8]| {
    let mut from = bytes;
    while let Ok(Some(frame)) = wire::read(&mut from, Id::P1, 1 << 40) {
        let mut again = Vec::new();
        wire::write(&frame, &mut again).expect("what was read can be written");
        assert_eq!(wire::read(&mut again.as_slice(), Id::P1, 1 << 40).expect("and read"), Some(frame));
    }
});
