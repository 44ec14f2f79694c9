//! Protocols whose messages are claimed as they go: honest runs are right and never rejected, and every message of every party, changed once in every way, is rejected by both others.

use crate::common::masked_programs::dealt;
use crate::common::proofs::{Change, Tampered, tampered};
use proptest::prelude::*;
use trefoil_engine::{Index, Kind, Scatter};
use trefoil_mpc::masked::product::Factors;

use trefoil_mpc::masked::Share;
use trefoil_mpc::masked::verified::{self, Bit};
use trefoil_mpc::{Error, Id, Party, Result, simulate};
use trefoil_ring::{Tensor, matrix, planes, words};

fn factors<'a>(kind: Kind, [x, y]: [&'a Share; 2], plus: Option<&Share>, shape: [usize; 2], f: u8) -> Factors<'a> {
    Factors { kind, x, y, scatter: None, known: 64, plus: plus.cloned(), shape, f }
}

fn numbers(shape: [usize; 2], seed: u64) -> Tensor {
    Tensor::from_shape_fn(shape, |(i, j)| {
        let word = (1 + 7 * i as u64 + 31 * j as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_mul(2 * seed + 1);
        (word as i64 >> 52) as u64
    })
}

/// This party's part of bits.
fn bits(p: &Party, shape: [usize; 2], seed: u64) -> Bit {
    let [b, l_0, l_1] = [0, 1, 2].map(|i| numbers(shape, seed + 20 + i).mapv(|word| word >> 5 & 1));
    let plane = |x: &Tensor| planes::pack(x.as_slice().unwrap());
    let m = (&b ^ &l_0) ^ &l_1;
    let l = [(p.id != Id::P1).then(|| plane(&l_0)), (p.id != Id::P0).then(|| plane(&l_1))];
    Bit::new(shape, (p.id != Id::P2).then(|| plane(&m)), l)
}

/// A network: X W + b, truncated; the square of that, truncated, with an addend; a product of both without truncation; and both where a bit is set. What each party has of them all.
fn chain(p: &mut Party, seed: u64, [rows, inner, columns]: [usize; 3], f: u8) -> Result<Vec<Share>> {
    let inputs = [[rows, inner], [columns, inner], [1, columns]];
    let [x, w, b] = [0, 1, 2].map(|i| dealt(p, &numbers(inputs[i], seed + i as u64), i as u8));
    let b = b.linear(b.shape, |b| words::shl(b, f));
    let plain = Kind::MatMul { tx: false, ty: true };
    let both = [
        factors(plain, [&x, &w], Some(&b), [rows, columns], f),
        factors(Kind::MatMul { tx: true, ty: false }, [&x, &x], None, [inner, inner], 0),
    ];
    let z = verified::product::products(p, &both)?;
    let square = factors(Kind::Mul, [&z[0], &z[0]], Some(&z[0]), [rows, columns], 3);
    let y = verified::product::products(p, &[square])?.swap_remove(0);
    let last = factors(Kind::MatMul { tx: true, ty: false }, [&z[0], &y], None, [columns, columns], 0);
    let last = verified::product::products(p, &[last])?.swap_remove(0);
    let bit = bits(p, [rows, columns], seed);
    let selected = verified::select::select(p, &[(&bit, &z[0])])?.swap_remove(0);
    let again = verified::select::select(p, &[(&bit, &y)])?.swap_remove(0);
    p.prove_all()?;
    Ok(z.into_iter().chain([y, last, selected, again]).collect())
}

/// Products element by element whose results are added up in other places, up to three in one and each fourth in none; with an addend and truncated, and neither.
fn added_up(p: &mut Party, seed: u64, columns: usize, f: u8) -> Result<Vec<Share>> {
    let [x, y, b] =
        [0, 1, 2].map(|i| dealt(p, &numbers(if i < 2 { [4, columns] } else { [1, columns] }, seed + i as u64), i as u8));
    let (scatter, b) = (places(columns), b.linear(b.shape, |b| words::shl(b, f)));
    let added = |plus, f| Factors { scatter: Some(&scatter), ..factors(Kind::Mul, [&x, &y], plus, [1, columns], f) };
    let z = verified::product::products(p, &[added(Some(&b), f), added(None, 0)])?;
    p.prove_all()?;
    Ok(z)
}

fn places(columns: usize) -> Scatter {
    Scatter::new([1, columns], (0..4 * columns).map(|i| if i % 4 == 3 { usize::MAX } else { (i / 3) % columns }).collect())
}

/// Comparisons at some widths, side by side; where both say yes, as bits of elements in other places and negated; and numbers of these. What each party has.
fn signs(p: &mut Party, seed: u64, n: usize, widths: [u8; 2]) -> Result<Vec<Share>> {
    let x = [0, 1].map(|i| dealt(p, &small(n, seed + i, widths[i as usize]), i as u8));
    let bits = verified::drelu::drelu(p, &[(&x[0], widths[0]), (&x[1], widths[1])])?;
    let back: Vec<usize> = (0..n).rev().collect();
    let negated = bits[1].gather(Index::Cols(&back)).flip(&vec![true; n]);
    let both = verified::and::all(p, &[&bits[0], &bits[1]])?;
    let one = Share::public(p, &Tensor::ones((1, n)));
    let out = verified::select::select(p, &[(&bits[0], &one), (&negated, &one), (&both, &x[0])])?;
    p.prove_all()?;
    Ok(out)
}

/// Numbers of so many bits, the sign among them.
fn small(n: usize, seed: u64, bits: u8) -> Tensor {
    let edges = [0, u64::MAX, 1 << (bits - 1), (1 << (bits - 1)) - 1];
    let of =
        |j: usize| if j < 4 { edges[j] } else { numbers([1, n], seed)[[0, j]].wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ j as u64) };
    let signed = |word: u64| ((word << (64 - bits)) as i64 >> (64 - bits)) as u64;
    Tensor::from_shape_fn((1, n), |(_, j)| signed(of(j)))
}

/// x = m - l_0 - l_1, from what P0 and P2 have; P1 has the same.
fn opened(ends: [Vec<Share>; 3]) -> Vec<Tensor> {
    let [p0, p1, p2] = ends;
    let one = |((a, b), c): ((Share, Share), Share)| {
        assert!(a.m() == b.m() && a.mask(0) == c.mask(0) && b.mask(1) == c.mask(1), "the three agree on what they share");
        words::sub(a.m().unwrap(), &c.full_mask().unwrap())
    };
    p0.into_iter().zip(p1).zip(p2).map(one).collect()
}

/// Whether y is x / 2^f within one and a half units.
fn near(x: &Tensor, y: &Tensor, f: u8) -> bool {
    x.iter().zip(y).all(|(x, y)| 2 * ((*y as i64) * (1 << f) - *x as i64).abs() < 3 << f)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn honest_products_are_right_and_accepted(seed in 0u64..1 << 40, shape in [1usize..6, 1usize..6, 1usize..6], f in 1u8..20) {
        let ends = simulate(seed, |p| chain(p, seed, shape, f)).map(|end| end.unwrap().0);
        let z = opened(ends);
        let inputs = [[shape[0], shape[1]], [shape[2], shape[1]], [1, shape[2]]];
        let [x, w, b] = [0, 1, 2].map(|i| numbers(inputs[i], seed + i as u64));
        let sum = words::add(&matrix::product(&x, false, &w, true), &words::shl(&b, f).broadcast((shape[0], shape[2])).unwrap().to_owned());
        prop_assert!(near(&sum, &z[0], f), "X W + b");
        prop_assert_eq!(&z[1], &matrix::product(&x, true, &x, false));
        prop_assert!(near(&words::add(&words::mul(&z[0], &z[0]), &z[0]), &z[2], 3), "the square");
        prop_assert_eq!(&z[3], &matrix::product(&z[0], true, &z[2], false));
        let bit = numbers([shape[0], shape[2]], seed + 20).mapv(|word| word >> 5 & 1);
        prop_assert_eq!(&z[4], &words::mul(&bit, &z[0]));
        prop_assert_eq!(&z[5], &words::mul(&bit, &z[2]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn honest_products_that_are_added_up_are_right_and_accepted(seed in 0u64..1 << 40, columns in 1usize..9, f in 1u8..20) {
        let z = opened(simulate(seed, |p| added_up(p, seed, columns, f)).map(|end| end.unwrap().0));
        let [x, y, b] = [0, 1, 2].map(|i| numbers(if i < 2 { [4, columns] } else { [1, columns] }, seed + i as u64));
        let sum = places(columns).words(&words::mul(&x, &y));
        prop_assert!(near(&words::add(&sum, &words::shl(&b, f)), &z[0], f));
        prop_assert_eq!(&z[1], &sum);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn honest_comparisons_are_right_and_accepted(seed in 0u64..1 << 40, n in 5usize..200, widths in [2u8..=64, 2u8..=64]) {
        let ends = simulate(seed, |p| signs(p, seed, n, widths)).map(|end| end.unwrap().0);
        let z = opened(ends);
        let x = [0, 1].map(|i| small(n, seed + i, widths[i as usize]));
        let sign = |i: usize, j: usize| u64::from(x[i][[0, j]] as i64 >= 0);
        for j in 0..n {
            prop_assert_eq!(z[0][[0, j]], sign(0, j));
            prop_assert_eq!(z[1][[0, j]], 1 - sign(1, n - 1 - j));
            prop_assert_eq!(z[2][[0, j]], x[0][[0, j]] * sign(0, j) * sign(1, j));
        }
    }
}

#[test]
fn every_change_of_a_comparison_is_rejected() {
    // In three rounds, in two and in one.
    let tried: usize = [[64, 20], [29, 29], [5, 8]].map(|widths| changes(|p| signs(p, 5, 3, widths).map(drop))).iter().sum();
    assert!(tried > 300, "{tried} changes");
}

/// Every number that is sent, changed in four ways, by a party that goes on with what it should have sent and by one that goes on with what it has sent.
#[test]
fn every_change_of_a_message_is_rejected() {
    let tried = changes(|p| chain(p, 5, [2, 3, 2], 5).map(drop));
    // P2: v of four products, e and q of two, A once and B twice. A server: c of four, two lifts, and z of two.
    assert!(tried > 180, "{tried} changes");
}

#[test]
fn every_change_of_products_that_are_added_up_is_rejected() {
    let tried = changes(|p| added_up(p, 5, 2, 5).map(drop));
    // P2: v of two products, e and q of one. A server: c of two, and a lift.
    assert!(tried > 60, "{tried} changes");
}

/// Of three numbers a plane has three bits that count: what fills up its word is claimed too, so that it cannot say anything.
#[test]
fn every_bit_that_fills_up_a_word_is_rejected() {
    let tried: usize = Id::ALL
        .into_iter()
        .flat_map(|liar| {
            (0..).step_by(2).map(move |which| (liar, which)).map_while(|(liar, which)| padded(liar, which)).collect::<Vec<_>>()
        })
        .sum();
    assert!(tried > 25, "{tried} changes");
}

/// Bits 3 and 40 of a word that a liar sends; `None` where it sends no more.
fn padded(liar: Id, which: usize) -> Option<usize> {
    let mut tried = 0;
    for bit in [3, 40] {
        let lie = Tampered { liar, which, change: Change::Bit(bit), goes_on: false };
        let ends = tampered(&lie, |p| signs(p, 5, 3, [20, 9]).map(drop))?;
        tried += 1;
        assert!(liar.others().iter().all(|id| matches!(ends[id.index()], Err(Error::Rejected { .. }))), "{lie:?}: {ends:?}");
    }
    Some(tried)
}

/// All changes of a program's messages, each of which both others reject; how many there are.
fn changes(program: impl Fn(&mut Party) -> Result<()> + Sync) -> usize {
    let mut tried = 0;
    for liar in Id::ALL {
        for which in 0.. {
            let mut there = false;
            for change in [Change::PlusOne, Change::TopBit, Change::AnyBit, Change::Swap] {
                for goes_on in [false, true] {
                    let lie = Tampered { liar, which, change, goes_on };
                    let Some(ends) = tampered(&lie, &program) else { continue };
                    there = true;
                    tried += 1;
                    for id in liar.others() {
                        let rejected =
                            matches!(ends[id.index()], Err(Error::Rejected { prover, .. }) if !goes_on || prover == liar);
                        assert!(rejected, "{lie:?}: {id} ends with {:?}", ends[id.index()]);
                    }
                }
            }
            if !there {
                break;
            }
        }
    }
    tried
}

#[test]
fn what_cannot_be_claimed_is_refused() {
    let ends = simulate(1, |p| {
        let x = dealt(p, &numbers([2, 2], 1), 1);
        let z = trefoil_mpc::masked::product::products(p, &[factors(Kind::Mul, [&x, &x], None, [2, 2], 4)])?.swap_remove(0);
        let refused = |end: Result<Vec<Share>>| matches!(end, Err(Error::Unproven { .. }));
        let product = refused(verified::product::products(p, &[factors(Kind::Mul, [&z, &x], None, [2, 2], 4)]));
        let bit = bits(p, [2, 2], 1);
        Ok(product && refused(verified::select::select(p, &[(&bit, &z)])))
    });
    assert!(ends.into_iter().all(|end| end.unwrap().0));
}
