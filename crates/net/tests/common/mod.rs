//! Three parties with fresh identities on this machine.
#![allow(dead_code)] // each test file uses its part

use std::{thread, time::Duration};
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::{Listener, Options, TlsNet, mesh};
use trefoil_net::{At, Frame, Id, Part};

pub const SHORT: Duration = Duration::from_secs(5);

pub fn identities() -> [Identity; 3] {
    Id::ALL.map(|id| Identity::generate(&id.to_string()).unwrap())
}

pub fn frame(step: u64, parts: Vec<Part>) -> Frame {
    Frame { at: At { step, op: 7 }, depth: 3, label: "test".into(), parts }
}

/// Runs `f` as each party on a thread of its own; the results in order.
pub fn three<T: Send>(options: Options, f: impl Fn(Id, TlsNet) -> T + Sync) -> [T; 3] {
    let identities = identities();
    let prints = identities.each_ref().map(Identity::fingerprint);
    let listeners = identities.each_ref().map(|i| Listener::bind("127.0.0.1:0", i, &prints).unwrap());
    let peers = |me: Id| me.others().map(|id| (id, listeners[id.index()].local_addr().to_string(), prints[id.index()]));
    thread::scope(|s| {
        let parties = Id::ALL.map(|me| {
            let (listener, identity, peers, f) = (&listeners[me.index()], &identities[me.index()], peers(me), &f);
            s.spawn(move || f(me, mesh(me, listener, identity, peers, options).unwrap()))
        });
        parties.map(|p| p.join().unwrap())
    })
}

/// A listener for one client, and both fingerprints.
pub fn pair() -> (Identity, Identity, Listener, String, Fingerprint) {
    let [server, client, _] = identities();
    let listener = Listener::bind("127.0.0.1:0", &server, &[client.fingerprint()]).unwrap();
    let (address, print) = (listener.local_addr().to_string(), server.fingerprint());
    (server, client, listener, address, print)
}
