//! Checks 7, 8 and 9 on the real protocols: what each party sees is uniform, and tells no two secrets apart.

use crate::common::privacy::{
    all_is_uniform, all_is_uniform_given_own, each_is_uniform, failures, given_own_randomness, no_two_secrets_differ, views,
};
use crate::common::programs::{End, Input, PROGRAMS, Program};
use trefoil_mpc::{Id, Pair, Part, Party, Result};

/// 10^5 values a field in debug builds, 10^6 in release builds, in whole blocks of 64.
const N: usize = if cfg!(debug_assertions) { 100_032 } else { 1_000_000 };

#[test]
fn all_that_a_party_sees_is_uniform() {
    all_is_uniform(&PROGRAMS, |program| match program.name {
        // A comparison has 64 residues for each element, and a ReLU shows nothing but what its parts show.
        "private compare" | "relu" => (N / 16).next_multiple_of(64),
        _ => N,
    });
}

#[test]
fn no_view_tells_two_secrets_apart() {
    no_two_secrets_differ(&PROGRAMS);
}

#[test]
fn what_a_party_receives_is_uniform_whatever_it_drew_itself() {
    all_is_uniform_given_own(&PROGRAMS[1..]);
}

/// P0 sends P1 the secret twice, each time under a mask of its pair; under one mask where the pairs are one.
fn faulty(p: &mut Party, x: Input, pairs: [Pair; 2]) -> Result<End> {
    let (op, label) = (p.op(), "mask of a faulty protocol");
    match p.id {
        Id::P0 => {
            let first = p.draw(op, pairs[0], label)?.words(x.n);
            let second = if pairs[0] == pairs[1] { first.clone() } else { p.draw(op, pairs[1], label)?.words(x.n) };
            let [a, b] =
                [first, second].map(|mask| Part::words(&mask.iter().map(|m| m.wrapping_add(x.secret)).collect::<Vec<_>>()));
            p.round(op, label).send(Id::P1, a).send(Id::P1, b).then()?;
        }
        Id::P1 => {
            let mut round = p.round(op, label).then()?;
            round.words(Id::P0, x.n)?;
            round.words(Id::P0, x.n)?;
        }
        Id::P2 => {}
    }
    Ok(vec![])
}

#[test]
fn the_tests_notice_what_one_field_does_not_show() {
    let input = Input::of(64, 5);
    let reused = Program::of("mask used twice", |p, x| faulty(p, x, [Pair::K02; 2]));
    let known = Program::of("mask known", |p, x| faulty(p, x, [Pair::K02, Pair::K01]));
    let many = Input { n: 64 * 256, ..input };
    assert!(each_is_uniform(&views(|p| (reused.run)(p, many), 1, None)).is_empty());
    assert!(failures(&reused, many, 1, None).iter().any(|w| w.contains("difference of")));
    assert!(failures(&known, many, 1, None).is_empty());
    assert_eq!(given_own_randomness(&known, input, Id::P1, 400).len(), 1);
}
