//! A peer that has nothing to say is not silent while its work goes on, and falls silent when that stops.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{frame, three};
use std::thread::sleep;
use std::time::{Duration, Instant};
use trefoil_net::tls::Options;
use trefoil_net::{Error, Id, Net, Part};

const TIMEOUT: Duration = Duration::from_millis(800);

/// P2 waits for both others, who exchange small frames for longer than its timeout, and then stop.
#[test]
fn who_works_is_not_silent_and_who_hangs_is_found_out() {
    let options = Options { timeout: TIMEOUT, ..Options::default() };
    three(options, |me, net| {
        if me == Id::P2 {
            let began = Instant::now();
            assert_eq!(net.recv(Id::P0).unwrap().at.step, 100);
            assert!(began.elapsed() > 3 * TIMEOUT, "{:?}", began.elapsed());
            // Both live, and neither works any more: P2 learns of it within its timeout and what is left of its last look.
            let began = Instant::now();
            let silent = net.recv(Id::P1);
            assert!(matches!(silent, Err(Error::Timeout { peer: Id::P1, .. })), "{silent:?}");
            assert!(began.elapsed() < 2 * TIMEOUT, "{:?}", began.elapsed());
        } else {
            let peer = if me == Id::P0 { Id::P1 } else { Id::P0 };
            for step in 0..20 {
                net.send(peer, frame(step, vec![Part::words(&[step])])).unwrap();
                assert_eq!(net.recv(peer).unwrap().at.step, step);
                sleep(TIMEOUT / 5);
            }
            if me == Id::P0 {
                net.send(Id::P2, frame(100, vec![])).unwrap();
            }
        }
        // Nobody leaves before all are through.
        net
    });
}

/// Signs of life do not keep one another alive: who waits for a peer that waits for it is found out too.
#[test]
fn waiting_is_no_work() {
    let options = Options { timeout: TIMEOUT, ..Options::default() };
    three(options, |me, net| {
        let began = Instant::now();
        let next = Id::ALL[(me.index() + 1) % 3];
        let silent = net.recv(next);
        assert!(matches!(silent, Err(Error::Timeout { .. })), "{silent:?}");
        assert!(began.elapsed() < 2 * TIMEOUT, "{:?}", began.elapsed());
        // Nobody leaves before all are through.
        net
    });
}

/// A sender whose peer takes nothing for long, as it is busy with somebody else, is not cut off.
#[test]
fn a_full_queue_waits_for_a_peer_that_works() {
    let options = Options { timeout: TIMEOUT, queue_bytes: 1 << 16, socket_bytes: Some(1 << 14), ..Options::default() };
    let large = || frame(7, vec![Part::words(&[1; 1 << 16])]);
    three(options, |me, net| {
        match me {
            Id::P2 => (0..8).for_each(|_| net.send(Id::P1, large()).unwrap()),
            Id::P0 => {
                for step in 0..20 {
                    net.send(Id::P1, frame(step, vec![])).unwrap();
                    net.recv(Id::P1).unwrap();
                    sleep(TIMEOUT / 5);
                }
            }
            Id::P1 => {
                for step in 0..20 {
                    net.send(Id::P0, frame(step, vec![])).unwrap();
                    net.recv(Id::P0).unwrap();
                }
                (0..8).for_each(|_| assert_eq!(net.recv(Id::P2).unwrap(), large()));
            }
        }
        // Nobody leaves before all are through.
        net
    });
}
