//! Peers that cannot be reached or are not who they should be.

use crate::common::{Keys, PartyProcess, job};
use std::net::TcpListener;
use std::time::Duration;
use trefoil_node::net::Id;
use trefoil_node::net::identity::Identity;
use trefoil_node::net::tls::{Listener, connect};

#[test]
fn a_wrong_fingerprint() {
    let keys = Keys::generate();
    let mut config = keys.config(Id::P0);
    let (found, expected) = (keys.parties[1].fingerprint(), Identity::generate("other").unwrap().fingerprint());
    config.parties[1] = expected;
    let mut party = PartyProcess::start(&config);
    let own = party.address();
    // P1 stays, whatever P0 makes of its certificate.
    let listener = Listener::bind("127.0.0.1:0", &keys.parties[1], &[keys.parties[0].fingerprint()]).unwrap();
    let address = listener.local_addr().to_string();
    party.addresses(&[own, address.clone(), address.clone()]);
    let failure = party.failure();
    let line = format!("{address}: wrong certificate: found fingerprint {found}, expected {expected}");
    assert!(failure.code == 4 && failure.message == line && !failure.connected, "{}", failure.message);
}

#[test]
fn an_unreachable_peer() {
    let keys = Keys::generate();
    let mut config = keys.config(Id::P0);
    config.timeout = 1.0;
    let mut party = PartyProcess::start(&config);
    let own = party.address();
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    party.addresses(&[own, gone.clone(), gone.clone()]);
    let failure = party.failure();
    assert!(failure.code == 4 && failure.message.starts_with(&format!("{gone}: cannot connect: ")), "{}", failure.message);
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut config = Keys::generate().config(Id::P1);
    config.listen.clone_from(&address);
    let failure = PartyProcess::start(&config).failure();
    assert!(failure.code == 4 && failure.message.starts_with(&format!("{address}: cannot listen: ")), "{}", failure.message);
}

#[test]
fn configurations_that_cannot_be() {
    let keys = Keys::generate();
    let mut config = keys.config(Id::P0);
    config.key = keys.config(Id::P0).key.replace("PRIVATE", "PUBLIC");
    let failure = PartyProcess::start(&config).failure();
    assert!(failure.code == 4 && failure.message.contains("no PKCS #8 private key"), "{}", failure.message);

    let mut config = keys.config(Id::P0);
    config.job = trefoil_node::Training { batch: 0, ..job() };
    let failure = PartyProcess::start(&config).failure();
    assert!(failure.code == 2 && failure.message.contains("batch: found 0"), "{}", failure.message);
}

/// Check 21 at this level: a data owner may connect to a party, and yet it is no party.
#[test]
fn an_owner_is_no_party() {
    let keys = Keys::generate();
    let mut config = keys.config(Id::P0);
    config.timeout = 2.0;
    let mut party = PartyProcess::start(&config);
    let address = party.address();
    // Both peers are there and answer P0's calls; but who calls P0 in P1's place is the owner.
    let p0 = keys.parties[0].fingerprint();
    let listeners = [1, 2].map(|i: usize| Listener::bind("127.0.0.1:0", &keys.parties[i], &[p0]).unwrap());
    let patience = Duration::from_secs(2);
    party.addresses(&[address.clone(), listeners[0].local_addr().to_string(), listeners[1].local_addr().to_string()]);
    let _outgoing = listeners.each_ref().map(|l| l.accept(patience).unwrap());
    let _incoming = [&keys.owner, &keys.parties[2]].map(|who| connect(&address, who, p0, patience).unwrap());
    let failure = party.failure();
    assert!(failure.code == 4 && failure.message.starts_with("P1: did not connect within 2 s"), "{}", failure.message);
    assert!(!failure.connected);
}
