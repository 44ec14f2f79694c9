//! Checks 7, 8 and 9 on the real protocols: what each party sees is uniform, and tells no two secrets apart.

mod common;

use common::privacy::{differences, failures, given_own_randomness, views};
use common::programs::{Input, PROGRAMS};
use trefoil_mpc::Id;

/// 2^62 - 1 is the largest number that a comparison takes.
const SECRETS: [u64; 4] = [0, 1, u64::MAX, (1 << 62) - 1];

/// 10^5 values a field in debug builds, 10^6 in release builds, in whole blocks of 64.
const N: usize = if cfg!(debug_assertions) { 100_032 } else { 1_000_000 };

#[test]
fn all_that_a_party_sees_is_uniform() {
    for program in &PROGRAMS {
        // A comparison has 64 residues for each element, and a ReLU shows nothing but what its parts show.
        let n = match program.name {
            "private compare" | "relu" => (N / 16).next_multiple_of(64),
            _ => N,
        };
        for (i, secret) in SECRETS.into_iter().enumerate() {
            // Each secret at one server, which takes turns.
            for holder in [Id::P0, Id::P1].into_iter().skip(i % 2).take(1 + i / 2) {
                let wrong = failures(program, Input { n, secret, holder }, 7 + i as u64, None);
                assert!(wrong.is_empty(), "{wrong:#?}");
            }
        }
    }
}

#[test]
fn no_view_tells_two_secrets_apart() {
    for program in &PROGRAMS {
        for (a, b) in [(0, 1), (1, u64::MAX), (u64::MAX, (1 << 62) - 1)] {
            let view = |secret, seed| views(|p| (program.run)(p, Input { n: 64 * 256, secret, holder: Id::P1 }), seed, None);
            let wrong = differences(&view(a, 3), &view(b, 4));
            assert!(wrong.is_empty(), "{}: {a} and {b}: {wrong:#?}", program.name);
        }
    }
}

#[test]
fn what_a_party_receives_is_uniform_whatever_it_drew_itself() {
    for program in &PROGRAMS[1..] {
        for party in Id::ALL {
            let wrong = given_own_randomness(program, Input { n: 64, secret: 5, holder: Id::P0 }, party, 400);
            assert!(wrong.is_empty(), "{wrong:#?}");
        }
    }
}
