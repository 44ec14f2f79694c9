//! The comparison protocols one by one, on random and on edge inputs, against the plain algorithm.

use crate::common::edges;
use std::time::Duration;
use trefoil_mpc::securenn::{compute_msb::compute_msb, drelu::drelu, private_compare, share_convert::share_convert};
use trefoil_mpc::{Error, Id, Part, Party, Prg, Result, Seeds, simulate, simulate_over};
use trefoil_net::local;
use trefoil_ring::{compare, odd};

const EDGES: [u64; 9] = [0, 1, 2, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, u64::MAX - 2, u64::MAX - 1, u64::MAX];

fn random(n: usize) -> Vec<u64> {
    Prg::from_seed(&[9; 32]).words(n)
}

/// This server's share of `x` over the ring in which `sub` subtracts: P0 has `x_0`.
fn shares(p: &Party, x: &[u64], x_0: &[u64], sub: fn(u64, u64) -> u64) -> Vec<u64> {
    match p.id {
        Id::P0 => x_0.to_vec(),
        Id::P1 => x.iter().zip(x_0).map(|(x, x_0)| sub(*x, *x_0)).collect(),
        Id::P2 => vec![],
    }
}

#[test]
fn private_compare_is_the_plain_comparison() {
    let words = random(4000);
    let near = |x: u64| [x, x.wrapping_add(1), x.wrapping_sub(1), x ^ 1 << (x % 64), u64::MAX, 0];
    let mut pairs: Vec<(u64, u64)> = EDGES.iter().flat_map(|x| EDGES.map(|r| (*x, r))).collect();
    pairs.extend(words.iter().flat_map(|x| near(*x).map(|r| (*x, r))));
    pairs.extend(words.iter().zip(words.iter().rev()).map(|(x, r)| (*x, *r)));
    let cases: Vec<(u64, u64, u64)> = pairs.into_iter().flat_map(|(x, r)| [(x, r, 0), (x, r, 1)]).collect();

    let n = cases.len();
    let [_, _, helper] = simulate(3, |p| {
        let op = p.op();
        let x: Vec<u64> = cases.iter().map(|c| c.0).collect();
        let bits = match p.id {
            Id::P0 => private_compare::deal_bits(p, op, n, &[])?,
            Id::P1 => p.offline(op, "bits").then()?.residues(Id::P2, private_compare::residues(n))?,
            Id::P2 => {
                let share_1 = private_compare::deal_bits(p, op, n, &x)?;
                p.offline(op, "bits").send(Id::P1, Part::residues(&share_1)).then()?;
                vec![]
            }
        };
        let of = |f: fn(&(u64, u64, u64)) -> u64| if p.id == Id::P2 { vec![] } else { cases.iter().map(f).collect() };
        let (r, beta): (Vec<u64>, Vec<u64>) = (of(|c| c.1), of(|c| c.2));
        private_compare::private_compare(p, n, &bits, &r, &beta)
    });
    for ((x, r, beta), found) in cases.iter().zip(helper.unwrap().0) {
        assert_eq!(found, u64::from(compare::greater(*x, *r, *beta == 1)), "x = {x}, r = {r}, beta = {beta}");
    }
}

/// Runs ShareConvert on each a with each share of P0, under masks that are 0 where `zeroed` says so.
fn converted(zeroed: &[&str]) {
    let mut cases: Vec<(u64, u64)> = EDGES[..8].iter().flat_map(|a| EDGES.map(|a_0| (*a, a_0))).collect();
    let words = random(2000);
    cases.extend(words.iter().zip(words.iter().rev()).map(|(a, a_0)| (*a, *a_0)));
    let (a, a_0): (Vec<u64>, Vec<u64>) = cases.into_iter().unzip();
    let seeds = |id| {
        let mut seeds = Seeds::insecure(id, 2);
        zeroed.iter().for_each(|label| seeds.insecure_zero(label));
        seeds
    };
    let nets = local::network(Duration::from_secs(60));
    let run = |p: &mut Party| -> Result<Vec<u64>> {
        let own = shares(p, &a, &a_0, u64::wrapping_sub);
        share_convert(p, a.len(), &own)
    };
    let [y_0, y_1, _] = simulate_over::<_, _, Error>(nets, seeds, run).map(|y| y.unwrap().0);
    for i in 0..a.len() {
        assert_eq!(odd::add(y_0[i], y_1[i]), a[i], "a = {}, a_0 = {}, zeroed {zeroed:?}", a[i], a_0[i]);
    }
}

#[test]
fn share_convert_keeps_the_integer() {
    let (r_0, r_1) = ("securenn.share_convert.r_0", "securenn.share_convert.r_1");
    // r = 0 is the case apart, with either value of the common bit.
    for zeroed in [&[][..], &[r_0], &[r_1], &[r_0, r_1], &[r_0, r_1, "securenn.share_convert.eta''"]] {
        converted(zeroed);
    }
}

#[test]
fn compute_msb_is_the_top_bit() {
    let mut a: Vec<u64> = EDGES[..8].iter().flat_map(|a| [*a; 8]).collect();
    a.extend(random(4000).into_iter().map(odd::from_word));
    let a_0: Vec<u64> = (0..a.len()).map(|i| if i < 64 { EDGES[i % 8] } else { a[a.len() - i] }).collect();
    let [y_0, y_1, _] = simulate(4, |p| {
        let own = shares(p, &a, &a_0, odd::sub);
        compute_msb(p, a.len(), &own)
    });
    let (y_0, y_1) = (y_0.unwrap().0, y_1.unwrap().0);
    for i in 0..a.len() {
        assert_eq!(y_0[i].wrapping_add(y_1[i]), a[i] >> 63, "a = {}", a[i]);
    }
}

#[test]
fn drelu_is_exact_on_a_hundred_thousand() {
    let x = edges(62, 100_000);
    let want: Vec<u64> = x.iter().map(|v| u64::from(*v as i64 >= 0)).collect();
    assert!(crate::common::opened(&x, drelu) == want);
}
