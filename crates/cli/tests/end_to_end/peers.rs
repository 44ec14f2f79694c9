//! Peers that cannot be reached or are not who they should be.

use crate::common::{PATIENCE, PartyProcess, approve, job, path, status, text, trefoil, upload_to, waits_for};
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::time::{Duration, Instant};
use trefoil_client::Error;
use trefoil_client::request::{self, Request};
use trefoil_job::Job;
use trefoil_lab::demo::job::Keys;
use trefoil_net::Id;
use trefoil_net::identity::Identity;
use trefoil_net::tls::{Listener, connect};
use trefoil_server::Event;
use trefoil_server::record::State;

/// An address that nobody listens at any more.
fn gone() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// P0 has approved the job and has its records, but no session, whatever it tries.
fn no_session(mut party: PartyProcess, job: &Job, keys: &Keys) {
    assert_eq!(status(job, Id::P0, keys).state, State::Waiting);
    drop(party.stdin.take());
    assert!(party.event().is_none(), "it went on");
}

/// What a job's file and a key in the environment give `trefoil job status`.
fn job_status(job: &Job, key: &Identity) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let (file, peers) = (dir.path().join("job.toml"), dir.path().join("peers.toml"));
    std::fs::write(&file, toml::to_string(job).unwrap()).unwrap();
    let args = ["job", "status", path(&file), "--peers", path(&peers), "--key", "env:KEY", "--timeout", "1"];
    trefoil(&args).env("KEY", key.to_pem().as_str()).output().unwrap()
}

/// P0's answer is shown, though P1 gives none, and why it gives none.
fn says_of_one(out: &Output, why: &str) {
    let (shown, error) = (text(&out.stdout), text(&out.stderr));
    assert_eq!(out.status.code(), Some(4), "{error}");
    assert!(error.starts_with(&format!("error: P1: {why}")) && error.lines().count() == 1, "{error}");
    assert!(shown.contains("P0 P0: waiting; waits for ") && shown.contains(&format!("P1 P1: does not answer: {why}")), "{shown}");
}

#[test]
fn a_wrong_fingerprint() {
    let keys = Keys::generate(1).unwrap();
    let mut party = PartyProcess::start(&keys.parties[0], "timeout = 2");
    let own = party.address();
    // P1 stays, whatever others make of its certificate.
    let all = [&keys.parties[0], &keys.owners[0], &keys.model_owner].map(Identity::fingerprint);
    let listener = Listener::bind("127.0.0.1:0", &keys.parties[1], &all).unwrap();
    let address = listener.local_addr().to_string();
    let mut job = job(&keys, &[own, address.clone(), gone()]);
    let (found, expected) = (keys.parties[1].fingerprint(), Identity::generate("other").unwrap().fingerprint());
    job.party[1].fingerprint = expected;
    approve(&job, Id::P0, &keys);
    let line = format!("{address}: wrong certificate: found fingerprint {found}, expected {expected}");
    // Neither a client nor P0 speaks to it.
    says_of_one(&job_status(&job, &keys.model_owner), &line);
    upload_to(&job, Id::P0, &keys, &"a".repeat(32)).unwrap();
    waits_for(&job, Id::P0, &keys, &format!("P1: {line}"));
    drop(listener);
    no_session(party, &job, &keys);
}

/// The limit of handshakes by address is the operator's: with one, a known caller waits for as long as a silent stranger of its address
/// holds the place.
#[test]
fn handshakes_by_address() {
    let known = Identity::generate("P0").unwrap();
    for (config, waits) in [("most_handshakes_per_address = 1", true), ("", false)] {
        let mut party = PartyProcess::start(&known, config);
        let address = party.address();
        let _silent = TcpStream::connect(&address).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        connect(&address, &known, known.fingerprint(), PATIENCE.connect).unwrap();
        assert_eq!(start.elapsed() > Duration::from_secs(3), waits, "{config:?}: {:?}", start.elapsed());
    }
}

#[test]
fn an_unreachable_peer() {
    let keys = Keys::generate(1).unwrap();
    let mut party = PartyProcess::start(&keys.parties[0], "timeout = 1");
    let (own, address) = (party.address(), gone());
    let job = job(&keys, &[own, address.clone(), address.clone()]);
    approve(&job, Id::P0, &keys);
    upload_to(&job, Id::P0, &keys, &"a".repeat(32)).unwrap();
    let line = format!("{address}: cannot connect: ");
    waits_for(&job, Id::P0, &keys, &format!("P1: {line}"));
    says_of_one(&job_status(&job, &keys.model_owner), &line);
    no_session(party, &job, &keys);
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let key = Identity::generate("P1").unwrap();
    let (message, code) = PartyProcess::start(&key, &format!("listen = \"{address}\"")).failure();
    assert!(code == 4 && message.starts_with(&format!("{address}: cannot listen: ")), "{message}");
}

#[test]
fn configurations_that_cannot_be() {
    let keys = Keys::generate(1).unwrap();
    let pem = keys.parties[0].to_pem();
    let (message, code) = PartyProcess::start_with(&pem.replace("PRIVATE", "PUBLIC"), "", &[]).failure();
    assert!(code == 2 && message.contains("no PKCS #8 private key"), "{message}");
    for (config, words) in
        [("timeout = 0", "timeout: found 0, expected more than 0"), ("threads = 0", "threads: found 0, expected 1 to")]
    {
        let (message, code) = PartyProcess::start(&keys.parties[0], config).failure();
        assert!(code == 2 && message.contains(words), "{message}");
    }

    // Jobs that cannot be trained, or give one certificate two roles: as the operator's own, and from somebody else.
    let mut party = PartyProcess::start(&keys.parties[0], "");
    let sound = job(&keys, &[party.address(), gone(), gone()]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("job.toml");
    type Change = fn(&mut Job);
    let changes: [(&str, Change); 4] = [
        ("batch: found 0", |j| j.train.batch = 0),
        ("expected a certificate of its own for each party and owner", |j| j.owner[0].fingerprint = j.party[2].fingerprint),
        ("expected a certificate of its own for each party and owner", |j| j.party[1].fingerprint = j.party[2].fingerprint),
        ("a party must not get the model", |j| j.model_owner = Some(j.party[1].clone())),
    ];
    for (words, change) in changes {
        let mut job = sound.clone();
        change(&mut job);
        std::fs::write(&file, toml::to_string(&job).unwrap()).unwrap();
        let (message, code) = PartyProcess::start_with(&pem, "", &["--approve", path(&file)]).failure();
        assert!(code == 2 && message.contains(words), "{message}");
        let propose = Request::Propose { job: serde_json::to_value(&job).unwrap() };
        let refused = request::call::<String>(&sound.addresses()[0], &keys.parties[0], PATIENCE, &propose).unwrap_err();
        assert!(matches!(&refused, Error::Refused { why, .. } if why.contains(words)), "{refused}");
    }
    let all: Vec<Value> =
        request::call(&sound.addresses()[0], &keys.parties[0], PATIENCE, &Request::Status { job: None }).unwrap();
    assert!(all.is_empty());
}

/// Check 21: a data owner may connect to a party, and yet it is no party.
#[test]
fn an_owner_is_no_party() {
    let keys = Keys::generate(1).unwrap();
    let mut party = PartyProcess::start(&keys.parties[0], "timeout = 1");
    let own = party.address();
    let p0 = keys.parties[0].fingerprint();
    let listeners = [1, 2].map(|i: usize| Listener::bind("127.0.0.1:0", &keys.parties[i], &[p0]).unwrap());
    let [b, c] = listeners.each_ref().map(|l| l.local_addr().to_string());
    let job = job(&keys, &[own, b, c]);
    approve(&job, Id::P0, &keys);
    let link = Request::Link { job: job.hash() };
    std::thread::scope(|scope| {
        // Both peers take P0's calls; but who calls P0 in P1's place is the owner.
        for listener in &listeners {
            scope.spawn(move || {
                for _ in 0..40 {
                    if let Ok((mut stream, _)) = listener.accept(Duration::from_millis(100)) {
                        request::next(&mut stream).unwrap();
                        request::accept(&mut stream, &json!({ "answer": "linked" })).unwrap();
                    }
                }
            });
        }
        upload_to(&job, Id::P0, &keys, &"a".repeat(32)).unwrap();
        let call = |who: &Identity| request::call::<Value>(&job.addresses()[0], who, PATIENCE, &link);
        let mut linked = false;
        for _ in 0..20 {
            linked |= call(&keys.parties[2]).unwrap()["answer"] == "linked";
            for (who, role) in [
                (&keys.owners[0], "data owner owner"),
                (&keys.model_owner, "model owner model-owner"),
                (&keys.parties[0], "party P0 (P0)"),
            ] {
                let refused = call(who).unwrap_err();
                let why = format!("links are for the job's parties; this is {role}");
                assert!(matches!(&refused, Error::Refused { why: found, .. } if *found == why), "{refused}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(linked, "P2 was not taken either");
    });
    let audit = party.audit();
    let line = audit.lines().find(|l| l.contains("links are for the job's parties; this is data owner owner")).unwrap();
    assert!(line.contains(&keys.owners[0].fingerprint().to_string()) && line.contains("\"request\":\"link\""), "{line}");
    no_session(party, &job, &keys);
}

/// A party whose launcher is gone goes too.
#[test]
fn the_end_of_standard_input() {
    let mut party = PartyProcess::start(&Identity::generate("P0").unwrap(), "");
    party.address();
    let said: Vec<Event> = party.let_go();
    assert!(said.is_empty(), "{said:?}");
}
