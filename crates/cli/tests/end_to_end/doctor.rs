//! `trefoil doctor` against parties that run, are gone, or are not who they should be. Each finding has a test beside the doctor; here
//! is what people see.
#![cfg(unix)]

#[path = "../deployment/mod.rs"]
#[allow(dead_code)]
mod deployment;

use crate::common::{refused, text};
use deployment::Deployment;
use serde_json::Value;
use std::fs;
use std::process::Output;

/// Three parties' files, an owner's, and a job.
fn office() -> Deployment {
    let d = Deployment::new(&["north"], 5);
    d.job("job.toml", "trial", "masked", "");
    d
}

/// What is printed, which must be two columns or advice below, and the exit code.
fn said(out: &Output) -> (String, i32) {
    let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
    for line in stdout.lines() {
        let known = ["ok    ", "warn  ", "FAIL  ", &" ".repeat(19)].iter().any(|start| line.starts_with(start));
        assert!(known && !line.contains('\x1b'), "{line:?}");
    }
    assert_eq!(stderr.lines().count(), usize::from(!out.status.success()), "{stderr}");
    (stdout + &stderr, out.status.code().unwrap())
}

#[track_caller]
fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}

fn fingerprint(d: &Deployment, name: &str) -> String {
    let list = d.ok(&["peers", "list"]);
    list.lines().find(|l| l.starts_with(&format!("{name} "))).and_then(|l| l.split_whitespace().last()).unwrap().to_owned()
}

#[test]
fn before_and_while_it_runs() {
    let mut d = office();
    let p0 = ["doctor", "--config", "p0.toml"];
    // Before: the machine is in order, the other parties are not there yet.
    let (before, code) = said(&d.run(&p0));
    let own = fingerprint(&d, "p0");
    assert_eq!(code, 4, "{before}");
    has(
        &before,
        &[&format!("ok    key          keys/p0.pem: fingerprint {own}"), "more days", "can be made", "the party does not run"],
    );
    has(
        &before,
        &["FAIL  connect      p1 at 127.0.0.1:", "nobody listens", "their party does not run", "error: failed checks: 2"],
    );
    assert!(!d.path("data0").exists() && !before.contains("p0 at "), "{before}");

    (0..3).for_each(|party| d.start(party, None));
    let (while_it_runs, code) = said(&d.run(&p0));
    assert_eq!(code, 0, "{while_it_runs}");
    has(&while_it_runs, &["is in use by process ", ": the party runs", "the party runs, and answers", "1 entries, unbroken"]);
    has(&while_it_runs, &["ok    peers        peers.toml: 5 known", "ok    reach        p1 at ", "ok    reach        p2 at "]);

    // An owner looks at a job that only P0 knows.
    d.ok(&["job", "approve", "job.toml", "--key", "keys/p0.pem"]);
    let (owner, code) = said(&d.run(&["doctor", "--job", "job.toml", "--key", "keys/north.pem"]));
    assert_eq!(code, 0, "{owner}");
    has(&owner, &["trial, hash ", "this is data owner north", "ok    standing     P0 p0 at ", "waits for records of north"]);
    has(&owner, &["warn  standing     P1 p1 at ", "trial is not known there", "`trefoil job propose` sends it there"]);
    // P0 sees its own standing too.
    let (operator, code) = said(&d.run(&["doctor", "--config", "p0.toml", "--job", "job.toml"]));
    assert_eq!(code, 0, "{operator}");
    has(&operator, &["this is party p0 (P0)", "ok    standing     P0 p0 at "]);

    // One dies.
    d.signal(1, "KILL");
    let out = d.run(&["doctor", "--key", "keys/north.pem", "--json"]);
    assert_eq!(out.status.code(), Some(4));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    let failed: Vec<&Value> = report["findings"].as_array().unwrap().iter().filter(|f| f["level"] == "fail").collect();
    assert_eq!((report["healthy"].as_bool(), failed.len()), (Some(false), 1), "{report:#}");
    assert_eq!((&failed[0]["kind"], &failed[0]["check"]), (&"connect-refused".into(), &"connect".into()));
    assert!(failed[0]["subject"].as_str().unwrap().starts_with("p1 at 127.0.0.1:"));
}

#[test]
fn certificates() {
    let mut d = office();
    d.start(1, None);
    // Somebody whom P1 does not know.
    d.ok(&["keygen", "stranger", "--quiet", "--dir", "keys"]);
    let p1 = fingerprint(&d, "p1");
    fs::write(d.path("p1-alone.toml"), format!("[clinic]\naddress = \"{}\"\nfingerprint = \"{p1}\"\n", d.address(1))).unwrap();
    let ask = |key: &str| said(&d.run(&["doctor", "--peers", "p1-alone.toml", "--key", key]));
    let (stranger, code) = ask("keys/stranger.pem");
    assert_eq!(code, 5, "{stranger}");
    has(
        &stranger,
        &[
            "FAIL  handshake    clinic at ",
            "its fingerprint is not allowed there",
            "their operator must run `trefoil peers add NAME - ",
        ],
    );
    assert_eq!(ask("keys/north.pem").1, 0);
    // P1 answers where P2 is expected.
    let p2 = fingerprint(&d, "p2");
    let text = fs::read_to_string(d.path("p1-alone.toml")).unwrap().replace(&p1, &p2);
    fs::write(d.path("p1-alone.toml"), text).unwrap();
    let (other, code) = ask("keys/north.pem");
    assert_eq!(code, 5, "{other}");
    has(&other, &["FAIL  certificate  clinic at ", &format!("found fingerprint {p1}, expected {p2}")]);
    has(&other, &["error: failed checks: 1, the first: certificate of clinic at "]);
}

#[test]
fn files() {
    let d = office();
    let config = fs::read_to_string(d.path("p0.toml")).unwrap();
    d.write("bad.toml", &format!("{config}speed = 1\n"));
    let (bad, code) = said(&d.run(&["doctor", "--config", "bad.toml"]));
    assert_eq!(code, 2, "{bad}");
    has(
        &bad,
        &["FAIL  config       bad.toml: line 6: found unknown field `speed`", "warn  key ", "the first: config of bad.toml"],
    );
    let out = d.command(&["doctor", "--config", "p0.toml"]).env("TREFOIL_PASSPHRASE", "wrong").output().unwrap();
    let (wrong, code) = said(&out);
    assert_eq!(code, 2, "{wrong}");
    has(&wrong, &["FAIL  key          keys/p0.pem: ", "wrong passphrase"]);
    // What needs no key is looked at all the same.
    has(&wrong, &["ok    listen", "FAIL  connect      p1 at "]);
    // A job of others.
    let job = fs::read_to_string(d.path("job.toml")).unwrap().replace("\"north\"", "\"south\"");
    d.write("other.toml", &job);
    let (other, code) = said(&d.run(&["doctor", "--job", "other.toml", "--key", "keys/north.pem"]));
    assert_eq!(code, 2, "{other}");
    has(&other, &["FAIL  job          other.toml: south: found a name alone"]);
    refused(&d.run(&["doctor"]), 2, &["--config", "not provided"]);
}
