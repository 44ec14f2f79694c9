//! Somebody writes into a party's folder while the party is stopped. This party's share must not go where nobody agreed to.

use super::{LONG, entries, job_folder, ready, shared};
use crate::deployment::{Deployment, trained};
use serde_json::Value;
use std::time::Duration;
use trefoil_store::Database;

/// Stops P1, changes what its database has of its only job, and starts it again.
fn alter(d: &mut Deployment, change: impl Fn(&mut Value)) -> String {
    d.signal(1, "TERM");
    assert_eq!(d.ends(1, LONG), 0);
    let database = Database::open(d.path("data1/jobs.redb")).unwrap();
    let (hash, mut record): (String, Value) = database.all("jobs").unwrap().pop().unwrap();
    change(&mut record);
    database.put("jobs", &hash, &record).unwrap();
    drop(database);
    d.start(1, None);
    hash
}

/// The model is for somebody else, at one party: before the training, nothing begins; after it, nobody gets that party's share.
#[test]
fn an_altered_job_is_set_aside() {
    let mut d = ready("masked", "start = \"request\"\n[train]\nepochs = 2\n", 60);
    shared(&d, "north");
    shared(&d, "south");
    let right = std::cell::RefCell::new(Value::Null);
    let hash = alter(&mut d, |record| {
        let redirected = other_fingerprint(&record["job"]["model_owner"]["fingerprint"]);
        right.replace(record.clone());
        record["job"]["model_owner"]["fingerprint"] = redirected;
    });
    let says = format!("job {hash} as it is stored here: found the hash ");
    let line = d.refused(&["job", "status", "job.toml", "--key", "keys/p1.pem"]);
    assert!(line.contains(&says) && line.ends_with(&format!(", expected {hash}")), "{line}");
    assert!(d.log(1).contains(&says), "{}", d.log(1));
    assert_eq!(entries(&d.audit(1), "set aside").len(), 1);
    for party in ["p0", "p2"] {
        d.ok(&["job", "start", "job.toml", "--key", &format!("keys/{party}.pem")]);
    }
    assert!(d.refused(&["job", "start", "job.toml", "--key", "keys/p1.pem"]).contains(&says));
    std::thread::sleep(Duration::from_secs(2));
    assert!(entries(&d.audit(0), "session").is_empty(), "{}", d.logs());
    // As it was, it goes on.
    alter(&mut d, |record| *record = right.borrow().clone());
    d.ok(&["job", "start", "job.toml", "--key", "keys/p1.pem"]);
    d.until("job.toml", LONG, "trained", trained);
    alter(&mut d, |record| {
        record["job"]["model_owner"]["fingerprint"] = other_fingerprint(&record["job"]["model_owner"]["fingerprint"]);
    });
    assert!(d.refused(&["job", "status", "job.toml", "--key", "keys/p1.pem"]).contains(&says));
    d.refused(&["model", "fetch", "job.toml", "--key", "keys/research.pem", "--timeout", "2"]);
    assert!(entries(&d.audit(1), "model share given").is_empty());
}

/// The files are another job's: its model is for somebody else.
#[test]
fn a_model_of_another_job_is_not_given() {
    let mut d = ready("masked", "[train]\nepochs = 2\n", 60);
    shared(&d, "north");
    shared(&d, "south");
    d.until("job.toml", LONG, "trained", trained);
    let first = job_folder(&d, 1).join("model.sealed");
    d.job("other.toml", "another job", "masked", "[train]\nepochs = 2\n");
    for party in ["p0", "p1", "p2"] {
        d.ok(&["job", "approve", "other.toml", "--key", &format!("keys/{party}.pem")]);
    }
    for owner in ["north", "south"] {
        assert!(d.share(owner, &format!("{owner}.csv"), "other.toml").status.success(), "{}", d.logs());
    }
    d.until("other.toml", LONG, "trained", trained);
    d.signal(1, "TERM");
    assert_eq!(d.ends(1, LONG), 0);
    let jobs = std::fs::read_dir(d.path("data1/jobs")).unwrap().map(|job| job.unwrap().path().join("model.sealed"));
    let second = jobs.into_iter().find(|path| *path != first).unwrap();
    std::fs::copy(&first, &second).unwrap();
    d.start(1, None);
    let refused: Vec<String> = ["job.toml", "other.toml"]
        .iter()
        .map(|job| d.run(&["model", "fetch", job, "--key", "keys/research.pem"]))
        .filter(|out| !out.status.success())
        .map(|out| String::from_utf8(out.stderr).unwrap())
        .collect();
    assert!(refused.len() == 1 && refused[0].contains("found the model of job "), "{refused:?}");
}

/// Another fingerprint, which is a well-formed one.
fn other_fingerprint(of: &Value) -> Value {
    of.as_str().unwrap().chars().rev().collect::<String>().into()
}
