//! Proofs about claims: true ones are accepted; a change of any word of a claim or of any message is not; views are counted in full at toy widths; and a prover that
//! fits its lies to the challenges escapes no more often than the bound says.

use crate::common::proofs::{Adapting, Changing, Chosen, Statement, accepted, all_accept, frames, run, tapped, views};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use trefoil_mpc::proof::{Element, Galois, OfBits, OfWords, Ring, Words};
use trefoil_mpc::{Id, Pair};
use trefoil_net::Part;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]
    #[test]
    fn true_claims_are_accepted(seed: u64, shapes in prop::collection::vec((1usize..4, 0usize..12), 0..4), variables in 0u32..4) {
        let of = |bits| Id::ALL.map(|id| Statement::honest(&shapes, bits, seed ^ id.index() as u64));
        all_accept(&run::<OfWords>(seed, &of(64), variables));
        all_accept(&run::<OfBits>(seed, &of(1), variables));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]
    /// What is computed on kernels is what is read: true claims are accepted, and every message is the same, of true claims and of false ones.
    #[test]
    fn every_message_is_the_same_on_kernels(
        seed: u64,
        shapes in prop::collection::vec((1usize..4, 0usize..90), 0..4),
        matrices in prop::collection::vec(([1usize..20, 1usize..20], prop::collection::vec(1usize..20, 1..4)), 0..3),
        small in prop::collection::vec((1usize..3, 0usize..2500, 0u8..64), 0..3),
        variables in prop::sample::select(vec![2u32, 5]),
        is_false: bool,
    ) {
        let mut claims = Id::ALL.map(|id| {
            let seed = seed ^ id.index() as u64;
            let words = Statement::honest(&shapes, 64, seed).and_small(&small, seed ^ 3);
            matrices.iter().fold(words, |all, (shape, inner)| all.and_matrices(*shape, inner, seed ^ 7))
        });
        let words = claims[1].words();
        if is_false && words > 0 {
            claims[1].change(words - 1, 1 << 63);
        }
        let [read, computed] = [frames::<OfWords>(seed, &claims, variables), frames::<Words>(seed, &claims, variables)];
        prop_assert_eq!(read.1, !is_false || words == 0);
        prop_assert!(read == computed, "other messages");
    }
}

/// A claim of a prover that is changed at one of the three.
#[test]
fn a_change_of_any_word_of_a_claim_is_noticed() {
    let honest = Id::ALL.map(|id| {
        let seed = id.index() as u64;
        Statement::honest(&[(2, 3), (1, 2)], 64, seed).and_matrices([2, 3], &[2, 1], seed)
    });
    for variables in [0, 2] {
        all_accept(&run::<Words>(1, &honest, variables));
        for prover in 0..3 {
            for word in 0..honest[prover].words() {
                // Bits that a random word would hide half of the time, and the others.
                let change = [1, 1 << 63, 1 << (7 * word % 64)][word % 3];
                let mut changed = honest.clone();
                changed[prover].change(word, change);
                let ends = run::<Words>(word as u64, &changed, variables);
                assert!(ends.iter().all(|end| end.is_err()), "prover {prover}, word {word}, {variables} variables");
                let rejected = format!("the proof of P{prover} is rejected");
                assert!(ends.iter().any(|end| end.as_ref().is_err_and(|e| e.contains(&rejected))), "{ends:?}");
            }
        }
    }
}

/// Each part of each frame, changed once.
#[test]
fn a_change_of_any_message_is_noticed() {
    let claims = Id::ALL.map(|id| {
        let seed = id.index() as u64;
        Statement::honest(&[(2, 5)], 64, seed).and_matrices([2, 2], &[2], seed)
    });
    let changes: [fn(u64) -> u64; 2] = [|word| word.wrapping_add(1), |word| word ^ 1 << 63];
    let mut tried = 0;
    for liar in Id::ALL {
        for which in 0.. {
            let change = changes[which % 2];
            let net = Changing::new(which, move |part, at: usize| {
                let mut words = part.to_words(part.len()).unwrap();
                let at = at % words.len();
                words[at] = change(words[at]);
                Part::words(&words)
            });
            let lied = net.lied.clone();
            let ends = accepted::<Words>(1, &claims, 1, liar, net);
            if !lied.load(std::sync::atomic::Ordering::Relaxed) {
                break;
            }
            tried += 1;
            let honest = liar.others().map(|id| ends[id.index()]);
            assert!(honest.contains(&false), "{liar}, part {which}: both others accept");
        }
    }
    assert!(tried > 40, "{tried} parts");
}

type Toy = Galois<1, 2, 0b11>;
type ToyWords = Galois<2, 2, 0b11>;

/// How often each view of `party` occurs over all values of a draw that it does not know.
fn counted<E: Element + Ring>(
    party: Id,
    seed: u64,
    draw: (&'static str, Pair, usize),
    removed: bool,
    claims: &Statement,
) -> BTreeMap<Vec<u64>, u32> {
    let (label, pair, coefficients) = draw;
    let mut counts = BTreeMap::new();
    for value in 0..1u64 << (coefficients as u32 * E::BITS) {
        let words = (0..coefficients as u32).map(|c| value >> (c * E::BITS) & ((1 << E::BITS) - 1));
        let words = if removed { vec![0; coefficients] } else { words.collect() };
        let tap = Arc::new(Chosen { label, pair, words, block: 2 * E::DEGREE });
        *counts.entry(views::<E>(party, seed, tap, claims)).or_default() += 1;
    }
    counts
}

/// P0 proves some products, of which folds make one. What the second verifier sees over all alpha is the same for all x, and what the first sees over all pads is the
/// same for all y: every view once.
fn views_do_not_depend<E: Element + Ring>(known: &[u64], secrets: [&[u64]; 2]) {
    let zeros = vec![0; known.len()];
    let of_second = |seed: u64, removed: bool| {
        let claims = secrets.map(|x| Statement::of(x, known, &zeros, true, E::BITS));
        claims.map(|claims| counted::<E>(Id::P2, seed, ("proof.alpha", Pair::K01, E::DEGREE), removed, &claims))
    };
    let elements = 2 * known.len();
    let of_first = |seed: u64, removed: bool| {
        let claims = secrets.map(|y| Statement::of(known, y, &zeros, false, E::BITS));
        let draw = ("proof.pads", Pair::K02, elements * E::DEGREE);
        claims.map(|claims| counted::<E>(Id::P1, seed, draw, removed, &claims))
    };
    let bits = E::DEGREE * E::BITS as usize;
    let [mut noticed_by_second, mut noticed_by_first] = [false; 2];
    for seed in 0..4 {
        let [a, b] = of_second(seed, false);
        assert!(a == b && a.len() == 1 << bits, "the second verifier tells secrets apart");
        let [a, b] = of_second(seed, true);
        noticed_by_second |= a != b;
    }
    let [a, b] = of_first(1, false);
    assert!(a == b && a.len() == 1 << (elements * bits), "the first verifier tells secrets apart");
    let [a, b] = of_first(1, true);
    noticed_by_first |= a != b;
    assert!(noticed_by_second && noticed_by_first, "a mask that is gone is noticed");
}

#[test]
fn views_are_the_same_for_all_secrets_and_without_a_mask_they_are_not() {
    views_do_not_depend::<Toy>(&[1, 1], [&[0, 1], &[1, 0]]);
    views_do_not_depend::<Toy>(&[1], [&[0], &[1]]);
    views_do_not_depend::<ToyWords>(&[3], [&[2], &[1]]);
}

/// A first verifier that adds e = 2 to x'' and e' = 2X to its share is accepted if 2 y'' = 2X: for as many beta whatever y is. Without beta it would learn y.
#[test]
fn a_verdict_says_nothing_about_what_was_proven() {
    let accepts = |removed: bool, y: u64, seed: u64| {
        let claims = [Statement::of(&[1], &[y], &[0], false, 2), Statement::default(), Statement::default()];
        let mut counts = 0;
        for beta in 0..if removed { 1 } else { 16 } {
            let words = vec![beta & 3, beta >> 2];
            let tap = Arc::new(Chosen { label: "proof.beta", pair: Pair::K02, words, block: 2 });
            // x'' and the share, of two coefficients each.
            let net = Changing::last(|part, _| {
                let mut words = part.to_bits(part.len(), 2).unwrap();
                words.iter_mut().zip([2, 0, 0, 2]).for_each(|(word, e)| *word = (*word + e) & 3);
                Part::bits(&words, 2)
            });
            counts += u32::from(tapped::<ToyWords>(seed, &claims, tap, Id::P1, net));
        }
        counts
    };
    let mut noticed = false;
    for seed in 0..6 {
        let counts = [0, 1, 2, 3].map(|y| accepts(false, y, seed));
        assert!(counts.iter().all(|count| *count == counts[0]), "seed {seed}: {counts:?}");
        assert!(counts[0] > 0, "the change is accepted now and then");
        let without = [0, 1, 2, 3].map(|y| accepts(true, y, seed));
        noticed |= without.iter().any(|count| *count != without[0]);
    }
    assert!(noticed, "without beta nothing is noticed");
}

/// How often a lie of 2^63 escapes, as it stands and with a prover that gives each polynomial two roots among the challenges.
fn escapes<E: Element + Ring + Send + 'static>(trials: u64) -> [f64; 2] {
    let mut claims = Id::ALL.map(|_| Statement::default());
    [false, true].map(|adapts| {
        let escaped = (0..trials).filter(|trial| {
            claims[0] = Statement::honest(&[(1, 2)], 64, *trial);
            let last = claims[0].words() - 1;
            claims[0].change(last, 1 << 63);
            let net = Adapting::<E>::new(adapts, *trial);
            let ends = accepted::<E>(*trial, &claims, 0, Id::P0, net);
            ends == [true; 3]
        });
        escaped.count() as f64 / trials as f64
    })
}

#[test]
fn lies_escape_no_more_often_than_the_bound() {
    // One fold: weights 2, fold 2, end 2, of 2^d.
    let held = |[plain, adapting]: [f64; 2], degree: u32, trials: u64| {
        let bound = (6.0 / f64::from(1 << degree)).min(1.0);
        let slack = 4.0 * (bound * (1.0 - bound) / trials as f64).sqrt();
        assert!(plain <= bound + slack && adapting <= bound + slack, "{plain} and {adapting}, bound {bound}");
        println!(
            "challenges of {degree} bits, {trials} trials: {plain:.3} as it stands, {adapting:.3} adapting, bound {bound:.3}"
        );
        adapting
    };
    let often = held(escapes::<Galois<64, 2, 0b11>>(150), 2, 150);
    assert!(often > 0.6, "the prover adapts: {often}");
    held(escapes::<Galois<64, 4, 0b11>>(250), 4, 250);
    held(escapes::<Galois<64, 7, 0b11>>(250), 7, 250);
}
