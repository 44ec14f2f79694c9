//! A job without a model owner: it is trained, nobody gets the model, and it answers.

use super::{LONG, entries, files, job_folder, ready_without_approval, shared};
use crate::deployment::{Deployment, records};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};
use trefoil_client::approval::{Approval, Role};
use trefoil_client::peers::Peers;
use trefoil_client::request::{self, Request};
use trefoil_client::{Address, Patience};
use trefoil_job::Job;
use trefoil_net::identity::Identity;

/// Has the operators approve a job of three epochs whose model is for nobody.
fn approved(d: &Deployment, suite: &str) {
    let serve = "[serve]\nreveal = \"probabilities\"\nclient = [\"ward\"]\nrecords = 1000\n";
    d.job("job.toml", "a job", suite, &format!("{serve}[train]\nhidden = [8]\nepochs = 3\n"));
    let text = fs::read_to_string(d.path("job.toml")).unwrap();
    d.write("job.toml", &text.replace("model_owner = \"research\"\n", ""));
    approve(d, "job");
}

/// The operators approve `job.toml` or `service.toml`.
fn approve(d: &Deployment, what: &str) {
    for party in ["p0", "p1", "p2"] {
        d.ok(&[what, "approve", &format!("{what}.toml"), "--key", &format!("keys/{party}.pem")]);
    }
}

/// Asks a party for the model as a program would that does not look at the job first.
fn asked(job: &Job, party: &Address, identity: &Identity) -> String {
    let patience = Patience { connect: Duration::from_secs(20), answer: Duration::from_secs(20) };
    let approval = Approval::sign(identity, job.hash(), Role::ModelOwner).unwrap();
    let request = Request::Fetch { job: job.hash(), approval };
    request::call::<()>(party, identity, patience, &request).unwrap_err().to_string()
}

#[test]
fn nobody_gets_the_model_and_it_answers() {
    for suite in ["masked", "securenn"] {
        let mut d = ready_without_approval(300);
        d.member("ward");
        let curious = Identity::generate("curious").unwrap();
        d.ok(&["peers", "add", "curious", "-", &curious.fingerprint().to_string()]);
        approved(&d, suite);
        assert!(
            d.refused(&["job", "approve", "job.toml", "--key", "keys/research.pem"]).contains("expected a member of the job")
        );
        ["north", "south"].iter().for_each(|owner| shared(&d, owner));
        let status = d.ok(&["job", "status", "job.toml", "--key", "keys/north.pem", "--follow"]);
        assert_eq!(status.matches(": trained, ").count(), 3, "{status}");
        assert_eq!(status.matches("; the model stays in shares").count(), 3, "{status}");
        // P0's operator is shown the figures as ever; nobody else is.
        let figures = d.ok(&["job", "status", "job.toml", "--key", "keys/p0.pem"]);
        assert!(figures.contains("epoch 3, loss ") && !status.contains("loss"), "{figures}{status}");

        // There is nothing that could be given, and nobody is given it.
        for party in 0..3 {
            let names: Vec<_> = files(job_folder(&d, party)).iter().map(|f| f.file_name().unwrap().to_owned()).collect();
            assert_eq!(names, ["served.sealed"], "P{party}");
        }
        for who in ["research", "north", "p0", "ward"] {
            let key = format!("keys/{who}.pem");
            let line = d.refused(&["model", "fetch", "job.toml", "--key", &key, "--wait", "100"]);
            let expected = "job a job has no model_owner: nobody gets its model, which only answers from its shares";
            assert_eq!(line, format!("error: {expected}"), "{who}");
        }
        let job = Job::load(&d.path("job.toml"), &Peers::load(&d.path("peers.toml")).unwrap()).unwrap();
        for party in job.addresses() {
            let line = asked(&job, &party, &curious);
            assert!(line.contains("has no model_owner: nobody gets its model"), "{line}");
        }

        // It answers, after its parties were stopped and started as well.
        for party in 0..3 {
            d.signal(party, "KILL");
            d.start(party, None);
        }
        let template = d.ok(&["service", "template", "job.toml"]);
        d.write("service.toml", &template);
        approve(&d, "service");
        records(&d.path("records.csv"), 60, 7);
        let asked = ["predict", "--service", "service.toml", "records.csv", "--key", "keys/ward.pem", "--timeout", "120"];
        let told = d.ok(&asked);
        // Passes of other sizes than was asked may still be on their way.
        let until = Instant::now() + LONG;
        let doctor = loop {
            let doctor = d.ok(&["doctor", "--service", "service.toml", "--job", "job.toml", "--key", "keys/ward.pem"]);
            if doctor.matches(" is serving, approved by P0, P1, P2; ").count() == 3 {
                break doctor;
            }
            assert!(Instant::now() < until, "{doctor}");
        };
        assert!(doctor.contains("; its job allows it\n") && doctor.contains("this is client ward\n"), "{doctor}");
        let class = |line: &str| line.split(',').next().unwrap().to_owned();
        let known = fs::read_to_string(d.path("records.csv")).unwrap();
        let right = told.lines().zip(known.lines()).skip(1).filter(|(a, b)| b.ends_with(&class(a))).count();
        assert!(told.lines().count() == 61 && right >= 57, "{right} right: {told}");

        // All of it is signed and written down, and nobody's approval is missing.
        let approvals = d.ok(&["job", "status", "job.toml", "--key", "keys/north.pem", "--approvals"]);
        assert!(approvals.ends_with("no model owner: nobody gets the model\n") && approvals.lines().count() == 6, "{approvals}");
        let logs = [0, 1, 2].map(|party| d.path(&format!("data{party}/audit.jsonl")).to_str().unwrap().to_owned());
        d.ok(&["job", "verify", "job.toml", &logs[2]]);
        d.ok(&["audit", &logs[0], &logs[1], &logs[2]]);
        let audit = d.audit(1);
        assert_eq!(entries(&audit, "session")[0]["opens"]["told to"], Value::Array(vec![]));
        let refused =
            entries(&audit, "refused").iter().filter(|e| e["why"].as_str().unwrap().contains("nobody gets its model")).count();
        assert_eq!((refused, entries(&audit, "model share given").len()), (1, 0), "{audit:#?}");
    }
}
