//! A service's file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_client::peers::Peers;
use trefoil_job::Service;

fuzz_target!(|text: &str| {
    if let Ok(service) = Service::parse(text, "fuzz", &Peers::default()) {
        assert_eq!(Service::from_json(serde_json::to_value(&service).unwrap()).unwrap().hash(), service.hash());
    }
});
