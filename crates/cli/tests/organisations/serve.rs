//! A job's model that answers from its shares: nobody has it, and whoever asks sees the answer alone.

use super::{LONG, entries, ready_without_approval, shared};
use crate::deployment::{Deployment, records, trained};
use serde_json::Value;
use std::fs;

/// Three parties with a trained job whose model may be asked by `ward`; all three have approved `service.toml`.
fn serving(suite: &str, reveal: &str, limits: &str) -> Deployment {
    let d = ready_without_approval(300);
    d.member("ward");
    d.ok(&["keygen", "stranger", "--dir", "keys", "--quiet"]);
    let serve = "[serve]\nreveal = \"probabilities\"\nclient = [\"ward\"]\nrecords = 100000\n[train]\nhidden = [8]\nepochs = 3\n";
    d.job("job.toml", "a job", suite, serve);
    for party in ["p0", "p1", "p2"] {
        d.ok(&["job", "approve", "job.toml", "--key", &format!("keys/{party}.pem")]);
    }
    ["north", "south"].iter().for_each(|owner| shared(&d, owner));
    d.until("job.toml", LONG, "trained", trained);
    let text = d.ok(&["service", "template", "job.toml"]);
    let text = text.replace("reveal = \"probabilities\"", &format!("reveal = \"{reveal}\""));
    let begin = text.find("[limits]").unwrap();
    d.write("service.toml", &format!("{}[limits]\n{limits}\n", &text[..begin]));
    // Some records to ask about.
    records(&d.path("ask.csv"), 150, 7);
    for party in ["p0", "p1", "p2"] {
        d.ok(&["service", "approve", "service.toml", "--key", &format!("keys/{party}.pem")]);
    }
    d
}

const ENOUGH: &str = "records_an_hour = 100000\nrecords = 100000";

fn ask<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["predict", "--service", "service.toml", "ask.csv", "--key", "keys/ward.pem"][..], more].concat()
}

fn classes(csv: &str) -> Vec<String> {
    csv.lines().skip(1).map(|line| line.split(',').next().unwrap_or_default().to_owned()).collect()
}

fn probabilities(csv: &str) -> Vec<f64> {
    csv.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect()
}

/// The answers of both suites are those of the model that its owner gets; class tells no more than the class.
#[test]
fn answers_are_the_models() {
    for suite in ["masked", "securenn"] {
        let d = serving(suite, "probabilities", ENOUGH);
        d.ok(&["model", "fetch", "job.toml", "--key", "keys/research.pem", "--out", "m.safetensors"]);
        let clear = d.ok(&["predict", "m.safetensors", "ask.csv"]);
        let told = d.ok(&ask(&[]));
        assert_eq!((classes(&told), classes(&told).len()), (classes(&clear), 150), "{suite}");
        for (a, b) in probabilities(&told).iter().zip(probabilities(&clear)) {
            assert!((a - b).abs() < 2e-3, "{suite}: {a} {b}");
        }
        let status: Value =
            serde_json::from_str(&d.ok(&["service", "status", "service.toml", "--key", "keys/ward.pem", "--json"])).unwrap();
        for party in status.as_array().unwrap() {
            // 128 and 22 records: passes of 128 and 32.
            let s = &party["status"];
            assert_eq!(
                (s["state"].as_str(), s["answered"].as_u64(), s["approved"].as_array().unwrap().len()),
                (Some("serving"), Some(2), 3),
                "{s}"
            );
            assert!((160..=160 + 100_000 / 64).contains(&s["records"].as_u64().unwrap()), "{s}");
        }
        for party in 0..3 {
            let audit = d.audit(party);
            assert_eq!(
                (entries(&audit, "approved service").len(), entries(&audit, "service session").len()),
                (3, 1),
                "{audit:#?}"
            );
        }
        // Of a class nothing but the class: the job allows more, the service less.
        let text = fs::read_to_string(d.path("service.toml")).unwrap();
        d.write("class.toml", &text.replace("reveal = \"probabilities\"", "reveal = \"class\""));
        for party in ["p0", "p1", "p2"] {
            d.ok(&["service", "approve", "class.toml", "--key", &format!("keys/{party}.pem")]);
        }
        let told = d.ok(&["predict", "--service", "class.toml", "ask.csv", "--key", "keys/ward.pem"]);
        assert!(told.starts_with("class\n") && !told.contains(','), "{told}");
        assert_eq!(classes(&told), classes(&clear), "{suite}");
    }
}

#[test]
fn who_may_not_ask_is_refused() {
    let d = serving("masked", "class", "records_a_question = 32\nrecords_an_hour = 64\nrecords = 100000");
    // Somebody that no party has heard of.
    let line = d.refused(&["predict", "--service", "service.toml", "ask.csv", "--key", "keys/stranger.pem", "--timeout", "2"]);
    assert!(line.contains("wrong certificate") || line.contains("refused") || line.contains("closed"), "{line}");
    // Somebody who is known, and no client.
    let line = d.refused(&["predict", "--service", "service.toml", "ask.csv", "--key", "keys/north.pem"]);
    assert!(line.contains("questions are for the service's clients"), "{line}");
    // A client beyond its quota: 150 records are five passes of 32, and two are allowed.
    let line = d.refused(&ask(&[]));
    assert!(
        line.contains("limit of a client in an hour: found 32 records, expected at most the 0 that are left of 64"),
        "{line}"
    );
    // What was not approved here: another limit is another service.
    let text = fs::read_to_string(d.path("service.toml")).unwrap();
    d.write("other.toml", &text.replace("records_an_hour = 64", "records_an_hour = 65"));
    let line = d.refused(&["predict", "--service", "other.toml", "ask.csv", "--key", "keys/ward.pem"]);
    assert!(line.contains("is not known here"), "{line}");
    // What exceeds the job is not approved, by whoever; and nobody but an operator approves.
    d.write("more.toml", &text.replace("records = 100000", "records = 100001"));
    let line = d.refused(&["service", "approve", "more.toml", "--key", "keys/p0.pem"]);
    assert!(line.contains("limits.records: found 100001, expected at most 100000"), "{line}");
    let line = d.refused(&["service", "approve", "service.toml", "--key", "keys/ward.pem"]);
    assert!(line.contains("one of the service's parties"), "{line}");
    d.write("over.toml", &text.replace("until = \"2099-12-31\"", "until = \"2020-01-01\""));
    for party in ["p0", "p1", "p2"] {
        d.ok(&["service", "approve", "over.toml", "--key", &format!("keys/{party}.pem")]);
    }
    let line = d.refused(&["predict", "--service", "over.toml", "ask.csv", "--key", "keys/ward.pem"]);
    assert!(line.contains("the service's last day was 2020-01-01"), "{line}");
    // Another schema: the records' columns are the job's.
    d.write("ask.csv", "a,b\n1,2\n");
    let line = d.refused(&ask(&[]));
    assert!(line.contains("ask.csv") && line.contains("column"), "{line}");
    // One operator ends it, for all.
    d.ok(&["service", "end", "service.toml", "--key", "keys/p1.pem"]);
    records(&d.path("ask.csv"), 5, 1);
    let line = d.refused(&ask(&["--timeout", "2"]));
    assert!(line.contains("was ended") || line.contains("have not met"), "{line}");
    assert!(d.refused(&["service", "approve", "service.toml", "--key", "keys/p1.pem"]).contains("was ended here"));
}

/// Parties die and come back: the service answers again without its owner, and what was used of the limits stays used.
#[test]
fn a_service_survives_its_parties() {
    let mut d = serving("masked", "class", "records_an_hour = 1024\nrecords = 1024");
    let before = d.ok(&ask(&[]));
    for party in [1, 0, 2] {
        d.signal(party, "KILL");
        d.start(party, None);
        assert_eq!(d.ok(&ask(&["--timeout", "120"])), before, "after P{party} came back");
    }
    // 160 records a time, of 1024; what a party had reserved counts as used after its restart.
    let mut more = 0;
    let line = loop {
        let out = d.run(&ask(&["--timeout", "5"]));
        if !out.status.success() {
            break String::from_utf8(out.stderr).unwrap();
        }
        more += 1;
    };
    assert!((1..=2).contains(&more) && line.contains("limit"), "{more} more: {line}");
}
