//! The worked examples, as a newcomer runs them: each checks by itself the figure that its README promises.

use crate::common::ends_within;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

fn example(name: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name).join("run.sh");
    let output = tempfile::NamedTempFile::new().unwrap();
    // One file for both, and one position in it.
    let stream = || Stdio::from(output.as_file().try_clone().unwrap());
    let mut bash = Command::new("bash")
        .arg(script)
        .env("TREFOIL", env!("CARGO_BIN_EXE_trefoil"))
        .env_remove("TREFOIL_PORT")
        .env_remove("TREFOIL_LOG")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(stream())
        .stderr(stream())
        .spawn()
        .unwrap();
    let code = ends_within(&mut bash, Duration::from_secs(120));
    assert_eq!(code, 0, "{}", std::fs::read_to_string(output.path()).unwrap());
}

#[test]
fn hospitals() {
    example("hospitals");
}

#[test]
fn bank_telecom() {
    example("bank-telecom");
}

#[test]
fn city_traffic() {
    example("city-traffic");
}

#[test]
fn edge_devices() {
    example("edge-devices");
}

#[test]
fn digits() {
    example("digits");
}
