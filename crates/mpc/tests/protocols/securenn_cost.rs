//! The cost that each protocol file states equals what the transport counted, and is at most the paper's.

use crate::common::edges;
use trefoil_engine::Kind;
use trefoil_mpc::securenn::{Num, SecureNn, Share, compute_msb, drelu, matmul, private_compare, share, share_convert, truncate};
use trefoil_mpc::{Id, Party, Price, Result, simulate};

/// Rounds, and payload bytes from each party to each other one, that `f` spends on a secret matrix of `shape`.
fn measured(shape: [usize; 2], f: impl Fn(&mut Party, &Share) -> Result<()> + Sync) -> (u64, [[u64; 3]; 3]) {
    let n = shape[0] * shape[1];
    let words = edges(61, n.max(9));
    let got = simulate(1, |p| {
        let x = Share::from_words(shape, (p.id != Id::P2).then(|| words[..n].to_vec()));
        let (depth, before) = (p.depth(), p.cost.clone());
        f(p, &x)?;
        Ok((u64::from(p.depth() - depth), (&p.cost - &before).sent))
    });
    // Rounds are those of P0 and P1; P2's depth is larger than theirs only where a protocol ends at P2 (private compare).
    let [(r0, b0), (r1, b1), (r2, b2)] = got.map(|party| party.unwrap().0);
    (r0.max(r1).max(r2), [b0, b1, b2])
}

/// What is stated, as it is measured.
fn stated(price: Price) -> (u64, [[u64; 3]; 3]) {
    (price.rounds, price.sent())
}

/// Measures one row of `n` for several n; `ours` is exact, and `paper` an upper bound where whole blocks of 64 are counted.
fn check(
    name: &str,
    ours: impl Fn(usize) -> Price,
    paper: impl Fn(u64) -> (u64, u64),
    f: impl Fn(&mut Party, &Share) -> Result<()> + Sync,
) {
    for n in [1, 64, 1000] {
        assert_eq!(measured([1, n], &f), stated(ours(n)), "{name} of {n}");
        let (rounds, bytes, most) = (ours(n).rounds, ours(n).bytes(), paper(n.next_multiple_of(64) as u64));
        assert!(rounds <= most.0 && bytes <= most.1, "{name} of {n}: {rounds} rounds, {bytes} bytes; paper {most:?}");
    }
}

/// The bits of x, all of them 0, as P0 and P1 hold them.
fn no_bits(n: usize) -> Vec<trefoil_ring::residue::Residue> {
    private_compare::bits_of(&vec![0; n])
}

#[test]
fn additive_protocols_cost_what_they_state() {
    check("reconstruct", share::reconstruct_cost, |n| (1, 16 * n), |p, x| share::reconstruct(p, x).map(drop));
    for f in [1, 13, 16, 62] {
        check("truncate", |n| truncate::cost(n, f), |n| (1, 32 * n), |p, x| truncate::truncate(p, &[(x, f)]).map(drop));
    }
}

#[test]
fn a_matrix_product_costs_what_it_states() {
    for (m, n, v) in [(1, 1, 1), (8, 8, 8), (10, 100, 7)] {
        let kind = Kind::MatMul { tx: false, ty: true };
        let product = |p: &mut Party, x: &Share, y: &Share| matmul::matmul(p, &[(kind, x, y, [m, v])]).map(drop);
        let factor = |p: &Party| Share::new(p, [v, n], || trefoil_ring::Tensor::ones((v, n)));
        let ours = matmul::cost(m * n + v * n, m * v);
        assert_eq!(measured([m, n], |p, x| product(p, x, &factor(p))), stated(ours));
        let paper = 2 * 8 * (2 * m * n + 2 * n * v + m * v) as u64;
        assert!(ours.rounds <= 2 && ours.bytes() <= paper);

        // A second product of the same factors opens nothing and adds no round.
        let again = matmul::cost(0, m * v);
        let twice = measured([m, n], |p, x| {
            let y = factor(p);
            product(p, x, &y)?;
            product(p, x, &y)
        });
        assert_eq!(twice, stated(ours.then(again)));
    }
}

/// What the engine's Select is in this suite: b x.
fn select(p: &mut Party, b: &Share, x: &Share) -> Result<()> {
    matmul::matmul(p, &[(Kind::Mul, b, x, x.shape)]).map(drop)
}

fn relu(p: &mut Party, x: &Share) -> Result<()> {
    let b = drelu::drelu(p, x)?;
    select(p, &b, x)
}

#[test]
fn comparisons_cost_what_they_state() {
    check(
        "private compare",
        private_compare::cost,
        |n| (1, 128 * n),
        |p, x| {
            let n = x.len();
            let known: &[u64] = if p.id == Id::P2 { &[] } else { &vec![0; n] };
            let bits = if p.id == Id::P2 { vec![] } else { no_bits(n) };
            private_compare::private_compare(p, n, &bits, known, known).map(drop)
        },
    );
    // Residues of 7 bits in the papers' formulas: 4 l log p + 6 l, 4 l log p + 13 l and 8 l log p + 19 l bits.
    check(
        "share convert",
        share_convert::cost,
        |n| (4, 272 * n),
        |p, x| share_convert::share_convert(p, x.len(), x.scale(2).words()).map(drop),
    );
    check(
        "compute msb",
        compute_msb::cost,
        |n| (5, 328 * n),
        |p, x| {
            let odd: Vec<u64> = x.words().iter().map(|a| trefoil_ring::odd::from_word(*a)).collect();
            compute_msb::compute_msb(p, x.len(), &odd).map(drop)
        },
    );
    check("drelu", drelu::cost, |n| (8, 600 * n), |p, x| drelu::drelu(p, x).map(drop));
    // Algorithms 2 and 7 are a comparison and one product more. A bit is an integer, so nothing is truncated.
    let relu_cost = |n| drelu::cost(n).then(matmul::cost(2 * n, n));
    check("relu", relu_cost, |n| (10, 704 * n), relu);
    check("select share", |n| matmul::cost(2 * n, n), |n| (2, 80 * n), |p, x| select(p, &x.scale(2), x));
}

#[test]
fn a_relu_takes_432_bytes_in_whole_blocks() {
    for n in [64, 128, 640] {
        let (rounds, sent) = measured([1, n], relu);
        let bytes: u64 = sent.iter().flatten().sum();
        assert_eq!((rounds, bytes), (8, 432 * n as u64));
        assert!(rounds <= 10 && bytes <= 528 * n as u64);
    }
}

/// Algorithm 8 on the engine: a comparison for each bit of the quotient, and in one round the products of its bit with what is taken off the
/// rest and with what is added to the quotient.
#[test]
fn a_division_costs_what_its_comparisons_and_selections_cost() {
    for f in [4, 16] {
        let (rows, format) = (64, trefoil_engine::Format { frac: 0, bits: 21 });
        let found = measured([rows, 1], |p, x| {
            let (x, y) = (Num::new(x.clone(), format), Num::new(x.scale(3), format));
            crate::common::with_engine::<SecureNn, _>(p, |e| trefoil_engine::functions::division(e, &x, &y, f)).map(drop)
        });
        let step = drelu::cost(rows).then(matmul::cost(3 * rows, 2 * rows));
        assert_eq!(found, stated(step.times(u64::from(f) + 1)));
        assert_eq!(step.bytes(), 456 * rows as u64);
    }
}
