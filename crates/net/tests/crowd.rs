//! Many at once, and a list of who is allowed that changes while the listener runs.

mod common;

use common::{SHORT, identities, pair};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use trefoil_net::identity::Identity;
use trefoil_net::tls::{Listener, connect};

/// One crowd at a time: both ends are in this process, which may have no more than 1024 files open.
static CROWD: Mutex<()> = Mutex::new(());

#[test]
fn the_list_changes() {
    let [server, old, new] = identities();
    let listener = Listener::bind("127.0.0.1:0", &server, &[old.fingerprint()]).unwrap();
    let address = listener.local_addr().to_string();
    let call = |who: &Identity| connect(&address, who, server.fingerprint(), SHORT);
    let refused = |who: &Identity| {
        let e = call(who).err().unwrap().to_string();
        assert!(e.ends_with("its fingerprint is not allowed there)"), "{e}");
        let e = listener.accept(SHORT).err().unwrap().to_string();
        assert!(e.ends_with(&format!("certificate with fingerprint {} is not allowed here", who.fingerprint())), "{e}");
    };
    let mut there = call(&old).unwrap();
    let (mut here, from) = listener.accept(SHORT).unwrap();
    assert_eq!(from, old.fingerprint());
    refused(&new);
    let _waiting = call(&old).unwrap();

    listener.allow([new.fingerprint()]);
    let _welcome = call(&new).unwrap();
    // The old one's second connection waited when the list changed: it is not handed out any more.
    assert_eq!(listener.accept(SHORT).unwrap().1, new.fingerprint());
    refused(&old);
    // What was accepted stays.
    here.write_frame(&common::frame(1, vec![])).unwrap();
    assert!(there.read_frame(100).unwrap().is_some());

    listener.allow([]);
    refused(&new);
    listener.allow([old.fingerprint(), new.fingerprint()]);
    let _both = [call(&old).unwrap(), call(&new).unwrap()];
    assert_eq!([(); 2].map(|()| listener.accept(SHORT).unwrap().1), [old.fingerprint(), new.fingerprint()]);
}

/// 300 clients call at the same moment, more than there are places; the server takes its time and nobody is dropped.
#[test]
fn a_crowd_waits() {
    let _alone = CROWD.lock().unwrap_or_else(PoisonError::into_inner);
    let (_server, client, listener, address, print) = pair();
    thread::scope(|s| {
        let calls: Vec<_> = (0..300).map(|_| s.spawn(|| connect(&address, &client, print, SHORT).map(drop))).collect();
        thread::sleep(Duration::from_millis(500));
        for _ in 0..300 {
            listener.accept(SHORT).unwrap();
        }
        calls.into_iter().for_each(|c| c.join().unwrap().unwrap());
    });
}

/// Strangers who hold every place are gone before those who wait lose patience.
#[test]
fn silent_strangers_hold_no_place_for_long() {
    let _alone = CROWD.lock().unwrap_or_else(PoisonError::into_inner);
    let (_server, client, listener, address, print) = pair();
    let _silent: Vec<_> = (0..260).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let start = Instant::now();
    let _there = connect(&address, &client, print, SHORT).unwrap();
    let took = start.elapsed();
    assert!(took > Duration::from_secs(3) && took < Duration::from_secs(9), "{took:?}");
    let welcome = (0..300).find_map(|_| listener.accept(SHORT).ok());
    assert_eq!(welcome.unwrap().1, client.fingerprint());
}

/// A listener whose places are all taken ends at once.
#[test]
fn a_full_listener_ends() {
    let _alone = CROWD.lock().unwrap_or_else(PoisonError::into_inner);
    let (_server, _client, listener, address, _) = pair();
    let _silent: Vec<_> = (0..300).map(|_| TcpStream::connect(&address).unwrap()).collect();
    thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    drop(listener);
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(TcpStream::connect(&address).is_err());
}
