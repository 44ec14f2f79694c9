//! CSV up to the records that are guessed from it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_data::guessed;

fuzz_target!(|bytes: &[u8]| {
    let path = trefoil_fuzz::file(".csv", bytes);
    if let Ok(d) = guessed::load(&trefoil_data::Source::of(path), "y") {
        for [x, y] in [&d.train, &d.test].map(|part| part.decoded(&d.schema)) {
            assert!(x.iter().all(|v| (-8.0..8.0).contains(v)));
            assert!(y.outer_iter().all(|row| row.sum() == 1.0));
        }
    }
});
