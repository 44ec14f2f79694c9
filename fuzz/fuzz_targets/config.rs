//! A party's configuration.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_server::config::Config;

fuzz_target!(|text: &str| {
    let _ = Config::parse(text, "fuzz");
});
