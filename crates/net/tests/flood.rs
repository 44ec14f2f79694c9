//! Everybody sends a lot to everybody at once, through tiny socket buffers: no deadlock, queues within their bound.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{SHORT, frame, three};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use trefoil_net::tls::{Listener, Options, TlsNet, connect};
use trefoil_net::{Id, Net, Part};

/// As small as a receive window may be without waiting for timers: the loopback has packets of 64 KiB.
const SMALL: usize = 64 << 10;
const WORDS: usize = 1 << 20;
const FRAME: usize = 8 * WORDS;

/// What each sends to each: 64 MiB, or as many as are asked for.
fn total() -> usize {
    std::env::var("TREFOIL_FLOOD_MIB").map_or(64, |mib| mib.parse().unwrap()) << 20
}

/// The most that waited in one of a party's four queues.
fn peak(me: Id, net: &impl Net) -> usize {
    me.others().into_iter().flat_map(|peer| net.peak_queued(peer)).max().unwrap_or(0)
}

#[test]
fn all_at_once() {
    let bound = 4 << 20; // less than a frame
    let options = Options { timeout: 6 * SHORT, queue_bytes: bound, socket_bytes: Some(SMALL), ..Options::default() };
    let peaks = three(options, |me, net| {
        for round in 0..(total() / FRAME) as u64 {
            let mine = vec![round * 3 + me.index() as u64; WORDS];
            for to in me.others() {
                net.send(to, frame(round, vec![Part::words(&mine)])).unwrap();
            }
            for from in me.others() {
                let got = net.recv(from).unwrap();
                assert_eq!(got.at.step, round);
                let words = got.parts[0].to_words(WORDS).unwrap();
                assert!(words.iter().all(|&w| w == round * 3 + from.index() as u64));
            }
        }
        for to in me.others() {
            assert!(net.wire_bytes(to) >= (total() - FRAME) as u64); // the last one may be on its way
        }
        peak(me, &net)
    });
    for peak in peaks {
        // One frame with its header: it is larger than the bound, so it is alone.
        assert!((FRAME..FRAME + 100).contains(&peak), "{peak}");
    }
}

#[test]
fn many_frames_within_the_bound() {
    let bound = 1 << 20;
    let options = Options { timeout: 6 * SHORT, queue_bytes: bound, socket_bytes: Some(SMALL), ..Options::default() };
    let peaks = three(options, |me, net| {
        let lead = 50; // rounds that are sent before the first is received
        for round in 0..200 + lead {
            if round < 200 {
                for to in me.others() {
                    net.send(to, frame(round, vec![Part::words(&[round; 4000]), Part::bits(&[5; 9], 3)])).unwrap();
                }
            }
            if round >= lead {
                for from in me.others() {
                    assert_eq!(net.recv(from).unwrap().at.step, round - lead);
                }
            }
        }
        peak(me, &net)
    });
    assert!(peaks.iter().all(|&p| p <= bound), "{peaks:?}");
}

/// A helper that runs ahead is held up by the bound at the receiver and by its own, while the receiver and the third go on.
#[test]
fn a_lead_is_bounded() {
    const BOUND: usize = 1 << 20;
    const ONE: usize = 128 << 10;
    const FRAMES: u64 = 128; // 16 MiB
    let options = Options { timeout: 6 * SHORT, queue_bytes: BOUND, socket_bytes: Some(SMALL), ..Options::default() };
    let sent = AtomicU64::new(0);
    let peaks = three(options, |me, net| {
        let rounds = |net: &TlsNet, other| {
            for round in 0..50 {
                net.send(other, frame(round, vec![Part::words(&[round; 4000])])).unwrap();
                assert_eq!(net.recv(other).unwrap().at.step, round);
            }
        };
        match me {
            Id::P0 => rounds(&net, Id::P1),
            Id::P1 => {
                rounds(&net, Id::P0);
                let mut before = u64::MAX;
                while sent.load(Ordering::Relaxed) != before {
                    before = sent.load(Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(300));
                }
                // What the two queues may hold, and what is between them: the sockets' buffers, and one frame in each thread's hands.
                let lead = before as usize * ONE;
                assert!((BOUND..2 * BOUND + 8 * ONE).contains(&lead), "{lead}");
                for round in 0..FRAMES {
                    assert_eq!(net.recv(Id::P2).unwrap().at.step, round);
                }
            }
            Id::P2 => {
                for round in 0..FRAMES {
                    net.send(Id::P1, frame(round, vec![Part::words(&[round; ONE / 8])])).unwrap();
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        me.others().map(|peer| net.peak_queued(peer))
    });
    let [[_, at_p1], [_, at_p2]] = [peaks[1], peaks[2]];
    assert!((BOUND - 2 * ONE..=BOUND).contains(&at_p1[1]) && (BOUND - 2 * ONE..=BOUND).contains(&at_p2[0]), "{peaks:?}");
}

/// Not a test of speed: it prints what one link does here. `cargo test --release -p trefoil-net -- --nocapture link`
#[test]
fn one_link() {
    let (_, client, listener, address, print) = common::pair();
    let rounds = total() / FRAME;
    std::thread::scope(|s| {
        s.spawn(move || link_sender(&address, &client, print, rounds));
        let (mut stream, _) = Listener::accept(&listener, SHORT).unwrap();
        let start = Instant::now();
        let mut bytes = 0;
        while let Some(frame) = stream.read_frame(FRAME).unwrap() {
            bytes += frame.payload();
        }
        assert_eq!(bytes, rounds * FRAME);
        println!("{:.0} MB/s", bytes as f64 / 1e6 / start.elapsed().as_secs_f64());
    });
}

fn link_sender(
    address: &str,
    client: &trefoil_net::identity::Identity,
    print: trefoil_net::identity::Fingerprint,
    rounds: usize,
) {
    let mut stream = connect(address, client, print, SHORT).unwrap();
    let frame = frame(0, vec![Part::words(&vec![1; WORDS])]);
    for _ in 0..rounds {
        stream.write_frame(&frame).unwrap();
    }
    stream.close().unwrap();
}
