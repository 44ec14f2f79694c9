//! The cost that each protocol file states equals what the transport counted, and is at most the paper's.

mod common;

use common::edges;
use trefoil_engine::Kind;
use trefoil_mpc::securenn::{
    Share, compute_msb, division, drelu, matmul, maxpool, private_compare, relu, select_share, share, share_convert, truncate,
};
use trefoil_mpc::{Id, Party, Result, simulate};

/// Rounds and payload bytes of all parties that `f` spends on a secret matrix of `shape`.
fn measured(shape: [usize; 2], f: impl Fn(&mut Party, &Share) -> Result<()> + Sync) -> (u64, u64) {
    let n = shape[0] * shape[1];
    let words = edges(61, n.max(9));
    let got = simulate(1, |p| {
        let x = Share::from_words(shape, (p.id != Id::P2).then(|| words[..n].to_vec()));
        let (depth, before) = (p.depth(), p.cost.clone());
        f(p, &x)?;
        Ok((u64::from(p.depth() - depth), (&p.cost - &before).total().payload_bytes))
    });
    // Rounds are those of P0 and P1; P2's depth is larger than theirs only where a protocol ends at P2 (private compare).
    let [(r0, b0), (r1, b1), (r2, b2)] = got.map(|party| party.unwrap().0);
    (r0.max(r1).max(r2), b0 + b1 + b2)
}

/// Measures one row of `n` for several n; `ours` is exact, and `paper` an upper bound where whole blocks of 64 are counted.
fn check(
    name: &str,
    ours: impl Fn(usize) -> (u64, u64),
    paper: impl Fn(u64) -> (u64, u64),
    f: impl Fn(&mut Party, &Share) -> Result<()> + Sync,
) {
    for n in [1, 64, 1000] {
        assert_eq!(measured([1, n], &f), ours(n), "{name} of {n}");
        let ((rounds, bytes), most) = (ours(n), paper(n.next_multiple_of(64) as u64));
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
    // Algorithm 2: one product, two openings and a dealt triple of 8-byte words.
    check(
        "select share",
        select_share::cost,
        |n| (2, 80 * n),
        |p, x| select_share::select_share(p, &x.scale(2), x, &x.scale(3)).map(drop),
    );
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
        assert_eq!(measured([m, n], |p, x| product(p, x, &factor(p))), ours);
        let paper = 2 * 8 * (2 * m * n + 2 * n * v + m * v) as u64;
        assert!(ours.0 <= 2 && ours.1 <= paper);

        // A second product of the same factors opens nothing and adds no round.
        let again = matmul::cost(0, m * v);
        let twice = measured([m, n], |p, x| {
            let y = factor(p);
            product(p, x, &y)?;
            product(p, x, &y)
        });
        assert_eq!(twice, (ours.0 + again.0, ours.1 + again.1));
    }
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
    check("relu", relu::cost, |n| (10, 704 * n), |p, x| relu::relu(p, x).map(drop));
}

#[test]
fn a_relu_takes_432_bytes_in_whole_blocks() {
    for n in [64, 128, 640] {
        let (rounds, bytes) = measured([1, n], |p, x| relu::relu(p, x).map(drop));
        assert_eq!((rounds, bytes), (8, 432 * n as u64));
        assert!(rounds <= 10 && bytes <= 528 * n as u64);
    }
}

#[test]
fn division_and_maxpool_cost_what_they_state() {
    for f in [4, 16] {
        let paper = |n| (10 * u64::from(f), 704 * u64::from(f) * n);
        check("division", |n| division::cost(n, f), paper, |p, x| division::division(p, x, &x.scale(3), f).map(drop));
    }
    for (rows, n) in [(1, 1), (64, 2), (64, 4), (64, 9), (10, 25)] {
        let ours = maxpool::cost(rows, n);
        assert_eq!(measured([rows, n], |p, x| maxpool::maxpool(p, x).map(drop)), ours, "{rows} x {n}");
        let places = maxpool::dmaxpool_cost(rows, n);
        assert_eq!(measured([rows, n], |p, x| maxpool::dmaxpool(p, x).map(drop)), places, "{rows} x {n}");
        if rows == 64 && n.is_power_of_two() {
            assert_eq!(places.1, (rows * (n - 1) * (432 + 40 * n)) as u64);
        }
        let (rows, n) = (rows.next_multiple_of(64) as u64, n as u64);
        // A DReLU and two SelectShare for each comparison.
        assert!(ours.0 <= 9 * (n - 1) && ours.1 <= rows * (n - 1) * (600 + 160), "{rows} x {n}: {ours:?}");
    }
}
