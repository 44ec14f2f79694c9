//! The suite in which a party that lies is noticed, as people start it.

use crate::common::{PartyProcess, approve, job, json, path, refused, run, status};
use crate::lying::{resume, share, trained};
use std::time::{Duration, Instant};
use trefoil_job::{Checkpoint, SuiteName};
use trefoil_lab::demo::job::Keys;
use trefoil_net::Id;
use trefoil_server::record::State;

/// Three processes over TLS train digits, of which all messages are proven before anything is opened.
#[test]
fn digits_with_every_message_proven() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run");
    let args =
        ["demo", "--suite", "verified", "--rows", "600", "--hidden", "32", "--epochs", "8", "--batch", "64", "--lr", "0.1"];
    let summary = json(&[&args[..], &["--json", "--run-dir", path(&folder)]].concat());
    let number = |key: &str| summary[key].as_f64().unwrap();
    assert_eq!(summary["suite"], "verified");
    assert!(number("secure_test_accuracy") > 0.9, "{summary}");
    assert!((number("secure_test_accuracy") - number("model_test_accuracy")).abs() <= 0.003, "{summary}");
    assert!((number("secure_test_accuracy") - number("float_test_accuracy")).abs() <= 0.03, "{summary}");
    // A loss and an accuracy after the epoch, and two counts of blocks.
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("A party that deviates is noticed"), "{page}");
    let cost = std::fs::read_to_string(folder.join("cost.csv")).unwrap();
    for label in ["proof.stage", "verified.gate", "verified.open", "verified.product.c"] {
        assert!(cost.contains(label), "{label}: {cost}");
    }
    assert!(!cost.contains("masked."), "{cost}");
}

/// What the suite does not have is refused in one line, before anybody is called or anything is shared.
#[test]
fn what_the_suite_does_not_have_is_refused() {
    let refuses = |args: &[&str], words: &[&str]| refused(&run(&[args, &["--suite", "verified"]].concat()), 2, words);
    refuses(&["demo", "--network", "lenet"], &["suite verified: found a convolution", "masked or securenn"]);
    refuses(&["demo", "--truncation", "local"], &["--truncation: found local", "verified"]);
    refuses(&["plan", "--network", "4-2", "--rows", "1000"], &["plan: found the suite verified"]);
    refuses(&["bench", "train-784x256x10", "--plan"], &["plan: found the suite verified"]);
    let out = run(&["bench", "train-lenet", "--suite", "verified"]);
    let stderr = String::from_utf8_lossy(&out.stderr);
    let words = ["suite verified: found a convolution", "masked or securenn"];
    assert!(out.status.code() == Some(2) && words.iter().all(|word| stderr.contains(word)), "{stderr}");
}

/// P1 lies in a step: all three stop and say whose proof was rejected and where, nothing is opened any more, and no checkpoint has it. Once P1 is what it should be, the three go on from the last
/// step that is verified.
#[test]
fn who_lies_is_noticed_and_the_job_goes_on_from_what_is_verified() {
    let keys = Keys::generate(1).unwrap();
    // Below the ports that the system gives to callers, so that P1 finds it free again.
    let ports = (0..1000).map(|i| 10_000 + (std::process::id() * 41 + i) % 2_000);
    let address = ports.map(|port| format!("127.0.0.1:{port}")).find(|at| std::net::TcpListener::bind(at).is_ok()).unwrap();
    let lies = "[insecure]\nlie = 5\n";
    let config = |id| if id == Id::P1 { format!("listen = {address:?}\n{lies}") } else { String::new() };
    let mut parties = Id::ALL.map(|id| PartyProcess::start(&keys.parties[id.index()], &config(id)));
    let mut job = job(&keys, &parties.each_mut().map(PartyProcess::address));
    (job.suite, job.train.epochs, job.checkpoint, job.open.least_records) = (SuiteName::Verified, 4, Checkpoint { steps: 1 }, 1);
    Id::ALL.into_iter().for_each(|id| approve(&job, id, &keys));
    share(&job, &keys.owners[0], |_| {});

    let until = Instant::now() + Duration::from_secs(60);
    for id in Id::ALL {
        loop {
            let s = status(&job, id, &keys);
            if let State::Failed { why } = &s.state {
                assert!(
                    why.contains("step 5, ") && why.contains("the proof of P1 is rejected: one of the three deviates"),
                    "{id}: {why}"
                );
                assert!(why.ends_with("; verified up to step 5"), "{id}: {why}");
                assert_eq!(s.steps[1], 5, "{id}: {s:?}");
                break;
            }
            assert!(Instant::now() < until, "{id}: {s:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    // Two steps are an epoch, so two were opened.
    for (id, party) in Id::ALL.into_iter().zip(&parties) {
        let opened = party.audit().matches("\"what\":\"opened\"").count();
        assert_eq!(opened, if id == Id::P2 { 0 } else { 2 }, "{id}: {}", party.audit());
        assert!(party.audit().contains("the proof of P1 is rejected"), "{id}: {}", party.audit());
    }

    parties[1].again(&keys.parties[1], |folder| {
        let file = folder.join("party.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace(lies, "")).unwrap();
    });
    parties[1].address();
    // Whoever is resumed first waits for the others, which have failed.
    for id in Id::ALL {
        resume(&job, id, &keys);
        std::thread::sleep(Duration::from_millis(700));
    }
    trained(&job, &keys);
    for party in &parties {
        assert!(party.audit().contains("\"from step\":5"), "{}", party.audit());
    }
}
