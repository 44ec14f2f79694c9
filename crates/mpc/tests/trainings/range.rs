//! The range check of owners' words: honest ones pass, whatever their values; each way to break the promise is counted against its owner,
//! and against nobody else; the cost is what is stated.

use crate::common::{Tested, with_engine};
use trefoil_mpc::masked::verified::Verified;
use trefoil_mpc::masked::{Masked, range as protocol};
use trefoil_mpc::range::{Block, Range, violations};
use trefoil_mpc::securenn::{SecureNn, range as lower};
use trefoil_mpc::{Prg, Price, simulate};
use trefoil_ring::Tensor;

const PIXEL: Range = Range { bits: 8, signed: false };
const NUMBER: Range = Range { bits: 16, signed: true };
const BIT: Range = Range { bits: 1, signed: false };

/// A matrix, its owner and promise.
struct Given {
    owner: usize,
    x: Tensor,
    range: Range,
    one_hot: bool,
}

fn given(owner: usize, shape: (usize, usize), range: Range, words: &[u64]) -> Given {
    let x = Tensor::from_shape_fn(shape, |(i, j)| words[(i * shape.1 + j) % words.len()]);
    Given { owner, x, range, one_hot: range == BIT }
}

/// Rows of `classes` with a single 1.
fn labels(owner: usize, rows: usize, classes: usize) -> Given {
    let x = Tensor::from_shape_fn((rows, classes), |(i, j)| u64::from(i * 7 % classes == j));
    Given { owner, x, range: BIT, one_hot: true }
}

/// What is counted against each owner, and rounds, bytes from P2 to each server, and bytes of the servers.
fn checked<S: Tested>(owners: usize, given: &[Given], coin: u8) -> (Vec<u64>, Price) {
    let seed = |i: usize| std::array::from_fn(|byte| (i >> (8 * (byte % 2))) as u8 ^ 0x5a);
    let parts: Vec<_> = given.iter().enumerate().map(|(i, g)| S::deal(&g.x, seed(i))).collect();
    let run = simulate(1, |p| {
        with_engine::<S, _>(p, |e| {
            let id = e.party().id;
            let kept: Vec<_> =
                given.iter().zip(&parts).map(|(g, parts)| S::accept(id, g.x.len(), &parts[id.index()]).unwrap()).collect();
            let blocks: Vec<_> = given
                .iter()
                .zip(kept)
                .map(|(g, kept)| Block {
                    owner: g.owner,
                    shape: [g.x.nrows(), g.x.ncols()],
                    range: g.range,
                    one_hot: g.one_hot,
                    kept,
                })
                .collect();
            let found = violations(e, &[coin; 32], owners, &blocks)?;
            Ok((found, u64::from(e.party().depth()), e.party().cost.sent))
        })
    });
    let [(a, r0, b0), (b, r1, b1), (c, _, [to_p0, to_p1, _])] = run.map(|party| party.unwrap().0);
    assert!(a == b && a == c);
    (a, Price::of(r0.max(r1), [to_p0, to_p1], [b0, b1].concat().iter().sum()))
}

fn counts<S: Tested>(owners: usize, given: &[Given]) -> Vec<u64> {
    checked::<S>(owners, given, 9).0
}

fn honest_owners_pass<S: Tested>() {
    let random: Vec<u64> = Prg::from_seed(&[3; 32]).words(3000);
    let pixels: Vec<u64> = [0, 255].into_iter().chain(random.iter().map(|w| w >> 56)).collect();
    let numbers: Vec<u64> =
        [0, 1, -1, 32767, -32768].into_iter().chain(random.iter().map(|w| *w as i64 >> 48)).map(|v: i64| v as u64).collect();
    for bits in 1..=63 {
        for signed in [false, true] {
            let range = Range { bits, signed };
            let ends = [0, (1u64 << bits) - 1].map(|v| v.wrapping_sub(range.offset()));
            let words: Vec<u64> =
                ends.into_iter().chain(random.iter().map(|w| (w >> (64 - bits)).wrapping_sub(range.offset()))).collect();
            let block = Given { one_hot: false, ..given(0, (9, 7), range, &words) };
            assert_eq!(counts::<S>(1, &[block]), [0], "{}: {bits} bits, signed: {signed}", S::NAME);
        }
    }
    let all = [given(0, (31, 70), PIXEL, &pixels), labels(0, 31, 10), given(1, (100, 5), NUMBER, &numbers), labels(1, 100, 2)];
    assert_eq!(counts::<S>(3, &all), [0, 0, 0], "{}", S::NAME);
    assert_eq!(counts::<S>(1, &[given(0, (1, 1), NUMBER, &[5]), labels(0, 0, 3)]), [0], "{}", S::NAME);
}

#[test]
fn who_keeps_the_promise_passes() {
    honest_owners_pass::<SecureNn>();
    honest_owners_pass::<Masked>();
    honest_owners_pass::<Verified>();
}

/// One word of a thousand is out of its range: in each way, with several coins.
fn liars_are_counted<S: Tested>(least: u64) {
    let word = |range: Range, bad: u64| {
        let mut g = given(1, (50, 20), range, &[0]);
        g.one_hot = false;
        g.x[[31, 7]] = bad;
        g
    };
    let mut lies = vec![];
    for range in [PIXEL, NUMBER, BIT] {
        let end = (1u64 << range.bits) - range.offset();
        for bad in [
            end,
            end + 1,
            range.offset().wrapping_neg().wrapping_sub(1),
            1 << 63,
            (1 << 63) | 1,
            1 << 62,
            1 << 32,
            u64::MAX << 40,
        ] {
            lies.push((format!("{bad:x} of {range:?}"), word(range, bad)));
        }
    }
    // Rows that are bits, but not one of each; and the label 2^(6+i) that would read the model's answers off the accuracy.
    for (what, row) in [("none", [0, 0, 0]), ("two", [1, 0, 1]), ("a large one", [1 << 9, 0, 0]), ("sum to 1", [2, 0, u64::MAX])]
    {
        let mut g = labels(1, 40, 3);
        row.iter().enumerate().for_each(|(j, v)| g.x[[17, j]] = *v);
        lies.push((format!("labels: {what}"), g));
    }
    for (i, (what, lie)) in lies.into_iter().enumerate() {
        let honest = [given(0, (3, 4), PIXEL, &[1, 2, 255]), labels(0, 3, 10), given(2, (5, 5), NUMBER, &[7])];
        let all: Vec<Given> = honest.into_iter().chain([lie]).collect();
        let (found, _) = checked::<S>(3, &all, i as u8);
        // All of the 64 sums, or about half where what is too much is 2^63.
        assert!(found[0] == 0 && found[2] == 0 && found[1] >= least, "{}: {what}: {found:?}", S::NAME);
    }
}

#[test]
fn who_breaks_it_is_counted_and_nobody_else() {
    liars_are_counted::<SecureNn>(12);
    liars_are_counted::<Masked>(12);
    // One bit is opened of an owner.
    liars_are_counted::<Verified>(1);
}

#[test]
fn hundreds_of_owners_are_checked_at_once() {
    let mut all: Vec<Given> = (0..300).map(|owner| labels(owner, 2, 3)).collect();
    all[250].x[[1, 1]] = 1 << 20;
    let found = counts::<Masked>(300, &all);
    assert!(found.iter().enumerate().all(|(owner, count)| (*count > 0) == (owner == 250)), "{found:?}");
}

#[test]
fn the_check_costs_what_it_states() {
    for (rows, columns, range) in
        [(1, 1, PIXEL), (64, 10, PIXEL), (100, 30, NUMBER), (77, 10, BIT), (3, 5, Range { bits: 63, signed: true })]
    {
        let n = rows * columns;
        let block = || [Given { one_hot: false, ..given(0, (rows, columns), range, &[0]) }];
        let (own, end) = (protocol::cost(n, range), protocol::total_cost(1));
        let masked = own.then(end);
        assert_eq!(checked::<Masked>(1, &block(), 1).1, masked, "{range:?}");
        let (rounds, bytes) = lower::cost(n, range.bits);
        assert_eq!(checked::<SecureNn>(1, &block(), 1).1, masked.then(Price::of(rounds, [0, 0], bytes)), "{range:?}");
    }
    // At most 16 bytes a pixel and 40 a number, in both suites.
    for (range, most) in [(PIXEL, 16), (NUMBER, 40)] {
        let n = 1 << 20;
        let (own, (_, lower)) = (protocol::cost(n, range), lower::cost(n, range.bits));
        assert!(own.bytes() + lower <= most * n as u64, "{range:?}");
    }
}
