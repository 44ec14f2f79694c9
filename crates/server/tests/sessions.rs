//! Check 12: the keys of a thousand sessions have nothing in common, and within a session both of a pair have the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::time::{Duration, Instant};
use trefoil_mpc::{Pair, Party};
use trefoil_net::{Id, local};
use trefoil_server::handshake::keys;

const SESSIONS: usize = 1000;

/// The first words of each pair's stream, as one party draws them; `None` for the pair that it is not of.
fn draws(id: Id, net: impl trefoil_net::Net + 'static) -> [Option<Vec<u64>>; 3] {
    let seeds = keys(&net, id, Instant::now() + Duration::from_secs(60)).unwrap();
    let mut party = Party::new(id, net, seeds);
    let op = party.op();
    Pair::ALL.map(|pair| party.draw(op, pair, "test.draw").ok().map(|mut stream| stream.words(2)))
}

#[test]
fn a_thousand_sessions_share_no_seed() {
    let mut seen = HashSet::new();
    for _ in 0..SESSIONS {
        let nets = local::network(Duration::from_secs(60));
        let drawn: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = Id::ALL.into_iter().zip(nets).map(|(id, net)| scope.spawn(move || draws(id, net))).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        for pair in Pair::ALL {
            let both: Vec<&Vec<u64>> = drawn.iter().filter_map(|of| of[pair as usize].as_ref()).collect();
            assert!(both.len() == 2 && both[0] == both[1], "{pair:?}");
            assert!(seen.insert(both[0].clone()), "{pair:?}: drawn before");
        }
    }
    assert_eq!(seen.len(), 3 * SESSIONS);
}
