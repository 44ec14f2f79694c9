//! A connection that ends anywhere: an error each time, after the frames that arrived whole.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{SHORT, frame, pair};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use trefoil_net::tls::{Options, Stream, TlsNet, connect};
use trefoil_net::{Error, Fault, Frame, Id, Net, Part, wire};

fn sample() -> Frame {
    frame(1, vec![Part::words(&[1, 2]), Part::bits(&[1, 0, 1], 1)])
}

/// Both ends of a connection.
fn streams() -> (Stream, Stream) {
    let (_server, client, listener, address, print) = pair();
    let there = connect(&address, &client, print, SHORT).unwrap();
    (there, listener.accept(SHORT).unwrap().0)
}

#[test]
fn plaintext_ends_at_every_byte() {
    let mut bytes = Vec::new();
    wire::write(&sample(), &mut bytes).unwrap();
    for n in 0..=bytes.len() {
        for close in [false, true] {
            let (mut there, mut here) = streams();
            there.write_all(&bytes[..n]).unwrap();
            if close {
                there.close().unwrap()
            } else {
                drop(there)
            }
            if n == bytes.len() {
                assert_eq!(here.read_frame(100).unwrap(), Some(sample()));
            }
            let end = here.read_frame(100);
            if close && (n == 0 || n == bytes.len()) {
                assert_eq!(end.unwrap(), None);
            } else {
                assert!(matches!(end, Err(Error::Stream { fault: Fault::Cut, .. })), "{n}: {end:?}");
            }
        }
    }
}

/// Passes everything on to `to` until `limit` bytes have gone there, then closes or resets both connections.
fn proxy(to: SocketAddr, limit: Arc<AtomicU64>, reset: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect(to).unwrap();
        let (mut back, mut forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let copy = thread::spawn(move || std::io::copy(&mut back, &mut forth));
        let (mut passed, mut buffer) = (0, [0; 4096]);
        loop {
            let n = client.read(&mut buffer).unwrap_or(0);
            let left = usize::try_from(limit.load(Ordering::SeqCst) - passed).unwrap_or(usize::MAX);
            let _ = server.write_all(&buffer[..n.min(left)]);
            passed += n as u64;
            if n >= left || n == 0 {
                break;
            }
        }
        if reset {
            socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO)).unwrap();
            let _ = server.shutdown(Shutdown::Read); // the copy ends: its half would keep the connection open
            let _ = copy.join();
        } else {
            let _ = server.shutdown(Shutdown::Write);
            while server.read(&mut buffer).unwrap_or(0) > 0 {}
        }
        let _ = client.shutdown(Shutdown::Both);
    });
    address
}

#[test]
fn ciphertext_ends_at_every_byte() {
    for reset in [false, true] {
        let mut n = 1;
        loop {
            let (_server, client, listener, _, print) = pair();
            let limit = Arc::new(AtomicU64::new(u64::MAX));
            let address = proxy(listener.local_addr(), limit.clone(), reset).to_string();
            let mut there = connect(&address, &client, print, SHORT).unwrap();
            let (mut here, _) = listener.accept(SHORT).unwrap();
            here.set_timeouts(Some(SHORT), Some(SHORT)).unwrap();
            let before = there.written();
            limit.store(before + n, Ordering::SeqCst);
            there.write_frame(&sample()).unwrap();
            let got = here.read_frame(100);
            let cut = |r: &Result<_, _>| matches!(r, Err(Error::Stream { fault: Fault::Cut, .. }));
            if there.written() - before == n {
                // All of it came through; or the reset overtook it.
                assert!(matches!(&got, Ok(Some(f)) if *f == sample()) || reset && cut(&got), "{got:?}");
                break;
            }
            assert!(cut(&got), "{n}: {got:?}");
            n += 1;
        }
        assert!(n > 50);
    }
}

/// P0's network, and the raw ends of its links: to P1, to P2, from P1, from P2.
fn party(options: Options) -> (TlsNet, [Stream; 4]) {
    let [(a, b), (c, d), (e, f), (g, h)] = [(); 4].map(|()| streams());
    (TlsNet::new([(Id::P1, a), (Id::P2, c)], [(Id::P1, f), (Id::P2, h)], options).unwrap(), [b, d, e, g])
}

#[test]
fn frames_then_the_error_then_closed() {
    let options = Options { timeout: Duration::from_millis(300), max_frame: 100, ..Options::default() };
    let (net, [_to1, _to2, mut from1, mut from2]) = party(options);
    for _ in 0..2 {
        from1.write_frame(&sample()).unwrap();
    }
    drop(from1);
    for _ in 0..2 {
        assert_eq!(net.recv(Id::P1).unwrap(), sample());
    }
    assert!(matches!(net.recv(Id::P1), Err(Error::Cut { peer: Id::P1 })));
    assert!(matches!(net.recv(Id::P1), Err(Error::Closed { peer: Id::P1 })));
    assert!(matches!(net.recv(Id::P0), Err(Error::Closed { peer: Id::P0 })));
    assert_eq!(net.recv(Id::P2).unwrap_err().to_string(), "P2: nothing arrived within 0.3 s");
    from2.write_frame(&frame(0, vec![Part::words(&[0; 13])])).unwrap();
    let e = net.recv(Id::P2).unwrap_err().to_string();
    assert_eq!(e, "P2: bad frame: payload: found 104 bytes or more, expected at most 100");
}

#[test]
fn closed_by_the_peer() {
    let (net, [to1, _to2, from1, _from2]) = party(Options { timeout: SHORT, ..Options::default() });
    from1.close().unwrap();
    assert!(matches!(net.recv(Id::P1), Err(Error::Closed { peer: Id::P1 })));
    drop(to1);
    // The first frames may still go into the socket's buffer.
    let failed = (0..1000).find_map(|_| {
        thread::sleep(Duration::from_millis(1));
        net.send(Id::P1, sample()).err()
    });
    assert!(matches!(failed, Some(Error::Cut { peer: Id::P1 })), "{failed:?}");
    assert!(net.send(Id::P2, sample()).is_ok());
}

#[test]
fn a_peer_that_does_not_read() {
    let patience = Duration::from_millis(200);
    let (net, _ends) = party(Options { timeout: patience, queue_bytes: 1 << 20, ..Options::default() });
    let large = frame(0, vec![Part::words(&vec![0; 1 << 20])]);
    let failed = (0..20).find_map(|_| net.send(Id::P1, large.clone()).err());
    assert_eq!(failed.unwrap().to_string(), "P1: took no data for 0.2 s");
    let start = Instant::now();
    drop(net);
    assert!(start.elapsed() < SHORT);
}

#[test]
fn dropping_sends_what_is_queued() {
    let (net, [mut to1, ..]) = party(Options { timeout: SHORT, queue_bytes: 64 << 20, ..Options::default() });
    let large = frame(0, vec![Part::words(&vec![5; 1 << 20])]);
    for _ in 0..4 {
        net.send(Id::P1, large.clone()).unwrap();
    }
    let reader = thread::spawn(move || {
        (0..4).for_each(|_| assert_eq!(to1.read_frame(8 << 20).unwrap().unwrap(), large));
        assert!(to1.read_frame(8 << 20).unwrap().is_none());
    });
    drop(net);
    reader.join().unwrap();
}
