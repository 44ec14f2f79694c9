//! Who has agreed to what, for somebody who was not there: signatures at all three parties, on a file, and in the logs.

use super::{LONG, entries, ready, shared};
use crate::deployment::{Deployment, trained};
use serde_json::Value;
use std::fs;
use std::process::Command;
use trefoil_store::audit;

fn log(d: &Deployment, party: usize) -> String {
    d.path(&format!("data{party}/audit.jsonl")).to_str().unwrap().to_owned()
}

/// Each signs once, and after a session all three parties keep all of it.
#[test]
fn signatures_reach_all_three() {
    let d = ready("masked", "[train]\nepochs = 2\n", 60);
    shared(&d, "north");
    let show = ["job", "status", "job.toml", "--key", "keys/north.pem", "--approvals"];
    let before = d.ok(&show);
    // Before there was a session each operator's is at its own party.
    for line in ["party p1 (P1): approved 20", "; kept by P1\n", "data owner south: has not approved\n", "; kept by P0, P1, P2\n"]
    {
        assert!(before.contains(line), "{line}: {before}");
    }
    shared(&d, "south");
    d.until("job.toml", LONG, "trained", trained);
    let after = d.ok(&show);
    assert_eq!(after.matches("; kept by P0, P1, P2\n").count(), 5, "{after}");
    assert!(after.contains("model owner research: approves when it fetches\n"), "{after}");
    d.ok(&["model", "fetch", "job.toml", "--key", "keys/research.pem"]);
    let list = d.ok(&[&show[..], &["--json"]].concat());
    d.write("approvals.json", &list);

    // Somebody with the job's file, and neither key nor network.
    let verified = d.ok(&["job", "verify", "job.toml", "approvals.json"]);
    assert_eq!(verified.matches(": approved 20").count(), 6, "{verified}");
    assert_eq!(d.ok(&["job", "verify", "job.toml", &log(&d, 2)]), verified);
    d.job("other.toml", "another", "masked", "[train]\nepochs = 2\n");
    assert!(d.refused(&["job", "verify", "other.toml", "approvals.json"]).contains(": job: found "));
    let all: Vec<Value> = serde_json::from_str(&list).unwrap();
    for (field, to) in [
        ("job", Value::from("00".repeat(32))),
        ("role", "model owner".into()),
        ("time", (all[0]["time"].as_u64().unwrap() + 1).into()),
        ("signature", all[1]["signature"].clone()),
        ("certificate", all[1]["certificate"].clone()),
    ] {
        let mut altered = all.clone();
        altered[0][field] = to;
        d.write("altered.json", &serde_json::to_string(&altered).unwrap());
        let out = d.run(&["job", "verify", "job.toml", "altered.json"]);
        let why = String::from_utf8(out.stderr).unwrap();
        assert!(
            out.status.code() == Some(5) && why.starts_with("error: approval of ") && why.lines().count() == 1,
            "{field}: {why}"
        );
    }
    d.write("fewer.json", &serde_json::to_string(&all[1..]).unwrap());
    assert!(d.refused(&["job", "verify", "job.toml", "fewer.json"]).contains("found no approval of 1 parties or data owners"));
    by_hand(&d, &all[0]);
}

/// The same with other programs, as docs/jobs.md says it; where there is OpenSSL.
fn by_hand(d: &Deployment, approval: &Value) {
    let field = |name: &str| approval[name].as_str().unwrap().to_owned();
    let bytes =
        |hex: &str| -> Vec<u8> { (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect() };
    fs::write(d.path("certificate.der"), bytes(&field("certificate"))).unwrap();
    fs::write(d.path("signature"), bytes(&field("signature"))).unwrap();
    let words = format!(
        "trefoil approval 1\njob {}\nrole {}\nby {}\ntime {}\n",
        field("job"),
        field("role"),
        field("by"),
        approval["time"]
    );
    fs::write(d.path("words"), words).unwrap();
    let script = "openssl x509 -inform der -in certificate.der -noout -pubkey > public.pem && \
                  openssl dgst -sha256 -verify public.pem -signature signature words";
    let out = Command::new("sh").args(["-c", script]).current_dir(d.path("")).output().unwrap();
    match out.status.code() {
        Some(127) => println!("skipped: no openssl"),
        code => assert!(code == Some(0), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)),
    }
    // The job's hash, from the text that is hashed.
    let shown = d.ok(&["job", "show", "job.toml", "--canonical"]);
    fs::write(d.path("canonical"), shown).unwrap();
    let sum = Command::new("sha256sum").arg("canonical").current_dir(d.path("")).output();
    if let Ok(sum) = sum {
        assert!(String::from_utf8_lossy(&sum.stdout).starts_with(&field("job")));
    }
}

/// Three logs that are what the parties did agree; one that was written anew does not.
#[test]
fn three_logs() {
    let d = ready("masked", "[train]\nepochs = 2\n", 60);
    shared(&d, "north");
    shared(&d, "south");
    d.until("job.toml", LONG, "trained", trained);
    d.ok(&["model", "fetch", "job.toml", "--key", "keys/research.pem"]);
    let logs = [0, 1, 2].map(|party| log(&d, party));
    let compare = |logs: [&str; 3]| d.run(&[&["audit"][..], &logs].concat());
    let out = compare(logs.each_ref().map(String::as_str));
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success() && said.contains("no contradiction: 1 jobs and 1 sessions in common"), "{said}");
    let audit = d.audit(1);
    assert_eq!(entries(&audit, "approved").len(), 6);
    assert!(d.ok(&["audit", &logs[1], "--entries"]).contains("approved"));
    // The head of an earlier time, and one that never was.
    let text = fs::read_to_string(&logs[1]).unwrap();
    let fifth: Value = serde_json::from_str(text.lines().nth(4).unwrap()).unwrap();
    let out = d.run(&["audit", &logs[1], "--since", fifth["previous"].as_str().unwrap()]);
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success() && said.contains(" entries since that head, which was of 4"), "{said}");
    assert!(d.refused(&["audit", &logs[1], "--since", &"1".repeat(64)]).contains("head: found another at each line"));
    assert!(d.refused(&["audit", &logs[0], &logs[1], "--since", &"1".repeat(64)]).contains("found 2 logs, expected one"));
    // P1 tells of another loss, in a log without a break.
    let mut anew = audit::Log::open(d.path("anew.jsonl")).unwrap();
    for mut event in audit {
        if event["what"] == "opened" {
            event["figures"]["loss"] = 0.125.into();
        }
        anew.append(&event).unwrap();
    }
    drop(anew);
    let anew = d.path("anew.jsonl");
    let out = compare([&logs[0], anew.to_str().unwrap(), &logs[2]]);
    let said = String::from_utf8(out.stderr).unwrap();
    let last = said.lines().last().unwrap();
    assert!(out.status.code() == Some(3) && last.starts_with("error: ") && last.contains("expected "), "{said}");
}
