//! A job's file, up to the trial of its hyper-parameters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_client::peers::Peers;
use trefoil_job::Job;

fuzz_target!(|text: &str| {
    if let Ok(job) = Job::parse(text, "fuzz", &Peers::default()) {
        assert_eq!(Job::from_json(serde_json::to_value(&job).unwrap()).unwrap().hash(), job.hash());
    }
});
