//! Everybody sends a lot to everybody at once, through tiny socket buffers: no deadlock, queues within their bound.

mod common;

use common::{SHORT, frame, three};
use std::time::Instant;
use trefoil_net::tls::{Listener, Options, connect};
use trefoil_net::{Net, Part};

/// As small as a receive window may be without waiting for timers: the loopback has packets of 64 KiB.
const SMALL: usize = 64 << 10;
const WORDS: usize = 1 << 20;
const FRAME: usize = 8 * WORDS;
const TOTAL: usize = if cfg!(debug_assertions) { 64 << 20 } else { 1 << 30 };

#[test]
fn all_at_once() {
    let bound = 4 << 20; // less than a frame
    let options = Options { timeout: 6 * SHORT, queue_bytes: bound, socket_bytes: Some(SMALL), ..Options::default() };
    let peaks = three(options, |me, mut net| {
        for round in 0..(TOTAL / FRAME) as u64 {
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
            assert!(net.wire_bytes(to) >= (TOTAL - FRAME) as u64); // the last one may be on its way
        }
        net.peak_queued()
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
    let peaks = three(options, |me, mut net| {
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
        net.peak_queued()
    });
    assert!(peaks.iter().all(|&p| p <= bound), "{peaks:?}");
}

/// Not a test of speed: it prints what one link does here. `cargo test --release -p trefoil-net -- --nocapture link`
#[test]
fn one_link() {
    let (_, client, listener, address, print) = common::pair();
    let rounds = TOTAL / FRAME;
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
