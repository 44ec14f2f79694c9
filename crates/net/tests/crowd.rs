//! Many at once, and a list of who is allowed that changes while the listener runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{SHORT, identities, pair};
use socket2::{Domain, Socket, Type};
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use trefoil_net::identity::Identity;
use trefoil_net::tls::{Listener, connect, connect_over};

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

/// Connections from another address of this machine, of which Linux has 127.0.0.2 to 127.255.255.254.
fn strangers(from: [u8; 4], to: &str, count: usize) -> Vec<TcpStream> {
    let call = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
        socket.connect(&to.parse::<SocketAddr>().unwrap().into()).unwrap();
        socket.into()
    };
    (0..count).map(|_| call()).collect()
}

/// One address takes 64 places and no more, whatever it opens. Who is known and calls from it waits for a turn, and is not counted once
/// it is in: 150 clients of one address, of which the first 100 stay.
#[test]
#[cfg(target_os = "linux")]
fn one_address_holds_some_places() {
    let _alone = CROWD.lock().unwrap_or_else(PoisonError::into_inner);
    let (_server, client, listener, address, print) = pair();
    let silent = strangers([127, 0, 0, 2], &address, 300);
    let start = Instant::now();
    let _stay: Vec<_> = (0..100)
        .map(|_| {
            let there = connect(&address, &client, print, SHORT).unwrap();
            let here = std::iter::repeat_with(|| listener.accept(SHORT)).find_map(Result::ok).unwrap();
            (there, here)
        })
        .collect();
    thread::scope(|s| {
        let calls: Vec<_> = (0..50).map(|_| s.spawn(|| connect(&address, &client, print, SHORT).map(drop))).collect();
        calls.into_iter().for_each(|c| c.join().unwrap().unwrap());
    });
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    drop(silent);
}

/// The limit is the operator's; what is far beyond it is closed at once, with a line.
#[test]
#[cfg(target_os = "linux")]
fn the_limit_by_address() {
    let _alone = CROWD.lock().unwrap_or_else(PoisonError::into_inner);
    let (_server, client, listener, address, print) = pair();
    listener.limit_handshakes(2);
    let mut silent = strangers([127, 0, 0, 3], &address, 2 + 256 + 1);
    let e = listener.accept(SHORT).err().unwrap().to_string();
    assert!(e.contains("closed: 2 handshakes with this address are under way, and 256 connections from it wait"), "{e}");
    let last = silent.last_mut().unwrap();
    last.set_read_timeout(Some(SHORT)).unwrap();
    assert!(matches!(last.read(&mut [0]), Ok(0)));
    // All but one go, and the place of the other is free; a new stranger takes it, and a client from there waits for its turn.
    let _one = silent.swap_remove(1);
    drop(silent);
    let known = || connect_over(strangers([127, 0, 0, 3], &address, 1).remove(0), &address, &client, print, SHORT);
    // Those who have gone had their turns before it, and it is refused while too many of them wait.
    let start = Instant::now();
    while known().is_err() {
        assert!(start.elapsed() < SHORT);
    }
    let welcome = (0..300).find_map(|_| listener.accept(SHORT).ok());
    assert_eq!(welcome.unwrap().1, client.fingerprint());
    let stranger = strangers([127, 0, 0, 3], &address, 1);
    thread::scope(|s| {
        let call = s.spawn(|| known().map(drop));
        thread::sleep(Duration::from_millis(100));
        assert!(!call.is_finished(), "{:?}", call.join().unwrap());
        drop(stranger);
        let welcome = (0..300).find_map(|_| listener.accept(SHORT).ok());
        assert_eq!(welcome.unwrap().1, client.fingerprint());
        call.join().unwrap().unwrap();
    });
}

/// Strangers who hold every place are gone before those who wait lose patience.
#[test]
#[cfg(target_os = "linux")]
fn silent_strangers_hold_no_place_for_long() {
    let _alone = CROWD.lock().unwrap_or_else(PoisonError::into_inner);
    let (_server, client, listener, address, print) = pair();
    let _silent: Vec<_> = (2..7).flat_map(|i| strangers([127, 0, 0, i], &address, 52)).collect();
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
