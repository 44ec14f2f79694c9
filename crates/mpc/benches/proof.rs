//! The proofs of one step of 784-256-10, batch 128, by three parties in this process: `cargo bench -p trefoil-mpc --bench proof`.
//!
//! The claims are about random words and have the numbers, terms and shapes of a step with momentum and exact softmax (docs/verified.md). They are not true: what a proof takes does
//! not depend on that, and the second verifiers say at the end that they reject. For each party the processor time of its thread, which others on the machine disturb
//! less than the clock, is told as the median and the smallest of some runs; and bytes and rounds as the transport counts them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Instant;
use trefoil_mpc::proof::{Claim, Factor, First, Words, prove};
use trefoil_mpc::{Error, Id, Prg, simulate};
use trefoil_ring::Tensor;

/// Slots of a row, 2^5.
const VARIABLES: u32 = 5;
/// Rows, inner dimension and columns of the products of a step.
const PRODUCTS: [[usize; 3]; 5] = [[128, 784, 256], [128, 256, 10], [784, 128, 256], [256, 128, 10], [128, 10, 256]];
/// Elements of their results, each of which is lifted; and of the two Selects of a ReLU.
const RESULTS: usize = 128 * 256 + 128 * 10 + 784 * 256 + 256 * 10 + 128 * 256;
const SELECTED: usize = 128 * 256;

/// What a proof is about, for the prover: terms and length of claims of words, and by how many bits small ones are shifted; and two terms for each product.
fn words_of(prover: Id) -> Vec<(usize, usize, Option<u8>)> {
    match prover {
        // Of what is dealt for a lift, and for two Selects by one bit.
        Id::P2 => vec![(1, RESULTS, Some(47)), (1, RESULTS, Some(48)), (1, SELECTED, Some(1)), (2, 2 * SELECTED, None)],
        // The lift and the Selects.
        _ => vec![(1, RESULTS, Some(48)), (3, 2 * SELECTED, None)],
    }
}

/// What `id` knows of the claims of `prover`, at random.
fn claims(prover: Id, id: Id, prg: &mut Prg) -> Vec<Claim> {
    let first = if prover == Id::P1 { Id::P0 } else { Id::P1 };
    let (is_prover, is_first) = (id == prover, id == first);
    let mut all = vec![];
    for (terms, n, small) in words_of(prover) {
        let mut side = || (0..terms).map(|_| prg.words(n)).collect::<Vec<_>>();
        let claim = match (is_prover, is_first) {
            (true, _) => Claim::at_prover(side(), side()),
            (_, true) => Claim::at_first(side(), prg.words(n)),
            _ => Claim::at_second(side(), prg.words(n)),
        };
        all.push(small.map_or(claim.clone(), |shift| claim.small(shift)));
    }
    for [rows, inner, columns] in PRODUCTS {
        let mut factor = |[rows, columns]: [usize; 2]| {
            let words = prg.words(rows * columns);
            Factor { x: Arc::new(Tensor::from_shape_vec((rows, columns), words).unwrap()), transposed: false }
        };
        let (left, right) = ([rows, inner], [inner, columns]);
        let both = (Some(factor(left)), Some(factor(right)));
        let more = (Some(factor(left)), Some(factor(right)));
        let linear = if is_prover { vec![] } else { prg.words(rows * columns) };
        let claim = Claim::of_matrices([rows, columns], linear);
        all.push(match (is_prover, is_first) {
            (true, _) => claim.term(First::Left, both.0, both.1).term(First::Right, more.0, more.1),
            (_, true) => claim.term(First::Left, both.0, None).term(First::Right, None, both.1),
            _ => claim.term(First::Left, None, both.1).term(First::Right, both.0, None),
        });
    }
    all
}

/// Nanoseconds that this thread has had a processor, where the system says so.
fn processor_time() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}

fn main() {
    let runs = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(15);
    let mut times: [Vec<f64>; 3] = Default::default();
    let mut wall = vec![];
    let mut spent = String::new();
    for _ in 0..runs {
        let ends = simulate(1, |p| {
            let mut prg = Prg::from_seed(&[p.id.index() as u8; 32]);
            let claims = Id::ALL.map(|prover| claims(prover, p.id, &mut prg));
            let (clock, before) = (Instant::now(), processor_time());
            let end = prove::<Words>(p, &claims, VARIABLES);
            assert!(matches!(end, Err(Error::Rejected { .. })), "claims of random words are not true");
            let took = processor_time().zip(before).map_or(f64::NAN, |(now, before)| (now - before) as f64 / 1e6);
            Ok((took, clock.elapsed().as_secs_f64() * 1e3))
        });
        let ends = ends.map(|end| end.unwrap());
        for (times, ((took, _), _)) in times.iter_mut().zip(&ends) {
            times.push(*took);
        }
        wall.push(ends.iter().map(|((_, wall), _)| *wall).fold(0.0, f64::max));
        let bytes: u64 = ends.iter().map(|(_, cost)| cost.total().payload_bytes).sum();
        let rounds = ends.iter().map(|(_, cost)| cost.total().rounds).max().unwrap_or_default();
        spent = format!("{bytes} bytes on all links, {rounds} rounds");
    }
    let middle = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        format!("{:6.1} {:6.1}", times[times.len() / 2], times[0])
    };
    println!("ms, median and smallest of {runs} runs");
    Id::ALL.iter().zip(&mut times).for_each(|(id, times)| println!("{id} processor  {}", middle(times)));
    println!("all three clock {}", middle(&mut wall));
    println!("{spent}");
}
