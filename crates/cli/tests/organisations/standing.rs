//! What is known of a job while parties are down.

use super::ready;
use serde_json::Value;
use std::time::{Duration, Instant};

/// One party is stopped, another hangs: what the third says is shown at once, and of the two others why they say nothing.
#[test]
fn one_party_stopped_and_one_hanging() {
    let mut d = ready("masked", "", 60);
    d.signal(1, "KILL");
    d.signal(2, "STOP");
    let status = ["job", "status", "job.toml", "--key", "keys/research.pem", "--timeout", "2"];
    let started = Instant::now();
    let out = d.run(&status);
    let (said, error) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
    // A handshake is waited for ten seconds, and both at once.
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(out.status.code(), Some(4), "{error}");
    assert!(said.starts_with("P0 p0: waiting; waits for records of north, south\n"), "{said}");
    assert!(said.contains("P1 p1: does not answer: ") && said.contains("P2 p2: does not answer: "), "{said}");
    assert!(error.starts_with("error: P1: ") && error.lines().count() == 1, "{error}");
    let out = d.run(&[&status[..], &["--json"]].concat());
    assert_eq!(out.status.code(), Some(4));
    let all: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(all["P0 p0"]["state"]["is"], "waiting");
    assert!(all["P1 p1"]["no answer"].is_string() && all["P2 p2"]["no answer"].is_string(), "{all:#}");
    // Approvals likewise.
    let out = d.run(&[&status[..], &["--approvals"]].concat());
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.code() == Some(4) && said.contains("party p0 (P0): approved 20"), "{said}");
    d.signal(2, "CONT");
    d.start(1, None);
    assert!(d.run(&status).status.success());
}
