//! Check 19: parties that do not agree on everything refuse before any share moves, and name the field.

use crate::common::{Failure, Keys, PartyProcess, failures};
use std::time::{Duration, Instant};
use trefoil_node::handshake::compare;
use trefoil_node::net::Id;
use trefoil_node::net::identity::Identity;
use trefoil_node::net::tls::{Listener, Options, mesh};
use trefoil_node::party::{PartyConfig, agreed};

/// Nobody got as far as sharing, and somebody said which field it was.
fn names(field: &str, failures: &[Failure]) {
    let told: Vec<&str> = failures.iter().map(|f| f.message.as_str()).collect();
    assert!(failures.iter().all(|f| !f.connected), "{field}: {told:?}");
    let differs = format!("differs in {field}: found ");
    assert!(failures.iter().any(|f| f.code == 5 && f.message.contains(&differs)), "{field}: {told:?}");
}

#[test]
fn one_party_with_another_job() {
    type Change = fn(&mut PartyConfig);
    let changes: [(&str, Change); 8] = [
        ("batch", |c| c.job.batch = 4),
        ("network", |c| c.job.network = vec![4, 16, 2]),
        ("fraction_bits", |c| c.job.fraction_bits = 14),
        ("lr", |c| c.job.lr = 0.2),
        ("seed", |c| c.job.seed = 2),
        ("input_frac", |c| c.job.input_frac = 11),
        ("truncation", |c| c.job.truncation = "local".into()),
        ("masks", |c| c.insecure_mask_seed = Some(1)),
    ];
    let keys = Keys::generate();
    for (i, (field, change)) in changes.into_iter().enumerate() {
        let mut configs = Id::ALL.map(|id| keys.config(id));
        change(&mut configs[i % 3]);
        names(field, &failures(configs));
    }
    let mut configs = Id::ALL.map(|id| keys.config(id));
    configs[2].owners.push(Identity::generate("one more").unwrap().fingerprint());
    names("owners", &failures(configs));
}

/// This test plays P1, with a hello that agrees in everything but its version or protocol.
#[test]
fn one_party_of_another_version() {
    for field in ["version", "protocol"] {
        let keys = Keys::generate();
        let [p0, p1, p2] = Id::ALL.map(|id| keys.config(id));
        let mut others = [PartyProcess::start(&p0), PartyProcess::start(&p2)];
        let listener = Listener::bind("127.0.0.1:0", &keys.parties[1], &p1.parties).unwrap();
        let [a, c] = others.each_mut().map(PartyProcess::address);
        let addresses = [a.clone(), listener.local_addr().to_string(), c.clone()];
        others.iter_mut().for_each(|p| p.addresses(&addresses));

        let timeout = Duration::from_secs(4);
        let options = Options { timeout, gather: timeout, ..Options::default() };
        let peers = [(Id::P0, a, p1.parties[0]), (Id::P2, c, p1.parties[2])];
        let mut net = mesh(Id::P1, &listener, &keys.parties[1], peers, options).unwrap();
        let mut map = agreed(&p1);
        map.insert(field.into(), "another".into());
        let ours = compare(&mut net, &Id::P1.others(), "node.hello", &map, Instant::now() + timeout).unwrap_err();
        assert!(ours.to_string().contains(&format!("differs in {field}")), "{ours}");
        names(field, &others.map(PartyProcess::failure));
    }
}
