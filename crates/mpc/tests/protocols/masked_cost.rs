//! The cost that each protocol of the masked suite states equals what the transport counted, and is at most what docs/masked.md has.

use crate::common::masked_programs::dealt;
use crate::common::views::taped;
use trefoil_engine::{Engine, Format, Kind};
use trefoil_mpc::masked::{Masked, Num, Share, and, drelu, lift, product, select, share, softmax, truncate, verified};
use trefoil_mpc::{Id, Party, Price, Result, Seeds, simulate};
use trefoil_ring::Tensor;

/// Costs one after the other.
fn sum(costs: &[Price]) -> Price {
    costs.iter().fold(Price::NONE, |a, b| a.then(*b))
}

/// Costs in the same rounds.
fn at_once(rounds: u64, costs: &[Price]) -> Price {
    Price { rounds, ..sum(costs) }
}

/// Bits an element: ahead of time, and of the servers.
fn bits(cost: Price, n: u64) -> [f64; 2] {
    [cost.ahead[0] + cost.ahead[1], cost.servers].map(|bytes| (8 * bytes) as f64 / n as f64)
}

/// What `f` spends on a secret matrix of `shape`, after what `before` has spent on making its inputs.
fn measured<T>(
    shape: [usize; 2],
    before: impl Fn(&mut Party, &Share) -> Result<T> + Sync,
    f: impl Fn(&mut Party, &Share, T) -> Result<()> + Sync,
) -> Price {
    let x = Tensor::from_elem((shape[0], shape[1]), 5);
    let run = |p: &mut Party| {
        let x = dealt(p, &x, 1);
        let made = before(p, &x)?;
        let (depth, spent) = (p.depth(), p.cost.clone());
        f(p, &x, made)?;
        let spent = &p.cost - &spent;
        assert!(spent.sent[2] == 0, "nothing goes to P2");
        assert!(p.id != Id::P2 || p.depth() == 0, "P2 waits for nobody");
        Ok((u64::from(p.depth() - depth), spent.sent))
    };
    let [(r0, [_, b0, _]), (r1, [b1, ..]), (_, [to_p0, to_p1, _])] = simulate(1, run).map(|party| party.unwrap().0);
    Price::of(r0.max(r1), [to_p0, to_p1], b0 + b1)
}

fn check(name: &str, ours: impl Fn(usize) -> Price, f: impl Fn(&mut Party, &Share) -> Result<()> + Sync) {
    for n in [1, 64, 1000] {
        assert_eq!(measured([1, n], |_, _| Ok(()), |p, x, ()| f(p, x)), ours(n), "{name} of {n}");
    }
}

/// x 5 / 2^f, of which k bits are known.
fn narrow(p: &mut Party, x: &Share, f: u8, k: u8) -> Result<Share> {
    let z = product::Factors { kind: Kind::Mul, x, y: x, scatter: None, known: k, plus: None, shape: x.shape, f };
    Ok(product::products(p, &[z])?.swap_remove(0))
}

#[test]
fn narrow_numbers_cost_what_they_state() {
    for (f, k) in [(16, 32), (1, 32), (32, 32), (5, 20), (3, 61)] {
        check(&format!("{k} bits of a product"), |n| product::narrow_cost(n, f, k), |p, x| narrow(p, x, f, k).map(drop));
        for n in [1, 64, 1000] {
            let made = |p: &mut Party, x: &Share| {
                let z = narrow(p, x, f, k)?;
                let bit = drelu::drelu(p, &[(&z, 10)], &[])?.swap_remove(0);
                Ok((z, bit))
            };
            assert!(
                measured([1, n], |p, x| narrow(p, x, f, k), |p, _, z| drelu::drelu(p, &[(&z, 10)], &[]).map(drop))
                    == drelu::cost(n, 10)
            );
            assert_eq!(measured([1, n], made, |p, _, (z, _)| lift::lift(p, &[&z, &z.clone()])), lift::narrow_cost(n, 64 - k));
            let once = measured([1, n], made, |p, _, (z, bit)| select::select(p, &[(&bit, &z)]).map(drop));
            assert_eq!(once, select::narrow_cost(n, k, false));
            // What has been dealt serves for as many bits and for fewer, and not for more.
            let [few, more] = [false, true].map(|words_first| {
                let both = |p: &mut Party, x: &Share, (z, bit): (Share, _)| {
                    let order = if words_first { [x, &z] } else { [&z, x] };
                    order.into_iter().try_for_each(|x| select::select(p, &[(&bit, x)]).map(drop))
                };
                measured([1, n], made, both)
            });
            assert_eq!(few, sum(&[select::narrow_cost(n, k, false), select::cost(n, false)]));
            assert_eq!(more, sum(&[select::cost(n, false), select::narrow_cost(n, k, true)]));
            let riding = measured([1, n], made, |p, x, (z, _)| drelu::drelu(p, &[(x, 10)], &[z]).map(drop));
            assert_eq!(
                riding,
                Price { rounds: drelu::cost(n, 10).rounds, ..sum(&[drelu::cost(n, 10), lift::narrow_cost(n, 64 - k)]) }
            );
        }
    }
}

/// x 5 / 2^f, which waits for its lift.
fn pending(p: &mut Party, x: &Share, f: u8) -> Result<Share> {
    Ok(product::products(
        p,
        &[product::Factors { kind: Kind::Mul, x, y: x, scatter: None, known: 64, plus: None, shape: x.shape, f }],
    )?
    .swap_remove(0))
}

#[test]
fn what_is_proven_costs_what_it_states() {
    for f in [0, 1, 16, 40] {
        let name = format!("proven product by 2^{f}");
        check(
            &name,
            |n| verified::product::cost(n, f),
            |p, x| {
                let factors =
                    product::Factors { kind: Kind::Mul, x, y: x, scatter: None, known: 64, plus: None, shape: x.shape, f };
                verified::product::products(p, &[factors]).map(drop)
            },
        );
    }
    for b in [2, 8, 29, 40, 64] {
        let cost = |n| verified::drelu::costs(&[(n, b)]).then(verified::and::all_cost(5, n));
        check(&format!("proven comparison of {b} bits, and five of them"), cost, |p, x| {
            let bit = verified::drelu::drelu(p, &[(x, b)])?.swap_remove(0);
            verified::and::all(p, &[&bit; 5]).map(drop)
        });
    }
    let twice = |n| verified::select::cost(n, false).then(verified::select::cost(n, true));
    check("proven select, twice by one bit", twice, |p, x| {
        let zeros = || Some(vec![0; x.len().div_ceil(64)]);
        let l = [if p.id == Id::P1 { None } else { zeros() }, if p.id == Id::P0 { None } else { zeros() }];
        let bit = verified::Bit::new(x.shape, if p.id == Id::P2 { None } else { zeros() }, l);
        verified::select::select(p, &[(&bit, x)])?;
        verified::select::select(p, &[(&bit, x)]).map(drop)
    });
}

#[test]
fn products_cost_what_they_state() {
    for f in [0, 1, 16, 40, 58] {
        check(&format!("product by 2^{f}"), |n| product::cost(n, f), |p, x| pending(p, x, f).map(drop));
        // The usual way: 2 words + f bits ahead and 2 words + 2 f bits with the lift; without truncation 1 and 2 words.
        let n = 6400;
        let (ours, theirs) = match f {
            0 => (product::cost(n, f), (1, 64 + 128)),
            _ => (sum(&[product::cost(n, f), lift::cost(n, f)]), (2, 128 + u64::from(f) + 128 + 2 * u64::from(f))),
        };
        assert!(ours.rounds == theirs.0 && 8 * ours.bytes() <= n as u64 * theirs.1, "{ours:?}");
    }
    // The inner dimension is free.
    for (m, n, v) in [(1, 1, 1), (8, 8, 8), (10, 100, 7)] {
        for f in [0, 16] {
            let found = measured(
                [m, n],
                |p, _| Ok(dealt(p, &Tensor::ones((v, n)), 2)),
                |p, x, y| {
                    let kind = Kind::MatMul { tx: false, ty: true };
                    product::products(
                        p,
                        &[product::Factors { kind, x, y: &y, scatter: None, known: 64, plus: None, shape: [m, v], f }],
                    )
                    .map(drop)
                },
            );
            assert_eq!(found, product::cost(m * v, f));
        }
    }
}

/// What is added up before it is opened costs as much as the sums alone.
#[test]
fn sums_of_a_products_elements_cost_what_the_sums_cost() {
    for f in [0, 16] {
        let scatter = trefoil_engine::Scatter::new([1, 10], (0..80).map(|i| i / 8).collect());
        let sums = |p: &mut Party, x: &Share| {
            let z =
                product::Factors { kind: Kind::Mul, x, y: x, scatter: Some(&scatter), known: 64, plus: None, shape: [1, 10], f };
            product::products(p, &[z]).map(drop)
        };
        assert_eq!(measured([8, 10], |_, _| Ok(()), |p, x, ()| sums(p, x)), product::cost(10, f));
    }
}

#[test]
fn several_products_share_their_round() {
    let two = |p: &mut Party, x: &Share| {
        let z = |f| product::Factors { kind: Kind::Mul, x, y: x, scatter: None, known: 64, plus: None, shape: x.shape, f };
        product::products(p, &[z(0), z(16)]).map(drop)
    };
    check("two products", |n| at_once(1, &[product::cost(n, 0), product::cost(n, 16)]), two);
}

#[test]
fn lifts_truncations_and_openings_cost_what_they_state() {
    for f in [1, 9, 16, 58] {
        for n in [1, 64, 1000] {
            let lifted = measured([1, n], |p, x| pending(p, x, f), |p, _, z| lift::lift(p, &[&z, &z.clone()]));
            assert_eq!(lifted, lift::cost(n, f));
            let again = measured(
                [1, n],
                |p, x| {
                    let z = pending(p, x, f)?;
                    lift::lift(p, &[&z])?;
                    Ok(z)
                },
                |p, _, z| lift::lift(p, &[&z]),
            );
            assert_eq!(again, Price::NONE, "what is whole needs no lift");
            let opened = measured([1, n], |p, x| pending(p, x, f), |p, _, z| share::reconstruct(p, &z).map(drop));
            assert_eq!(opened, sum(&[lift::cost(n, f), share::reconstruct_cost(n)]));
        }
        check("truncation", |n| truncate::cost(n, f), |p, x| truncate::truncate(p, &[(x, f)]).map(drop));
    }
    check("truncation by none", |n| truncate::cost(n, 0), |p, x| truncate::truncate(p, &[(x, 0)]).map(drop));
    check("opening", share::reconstruct_cost, |p, x| share::reconstruct(p, x).map(drop));
}

#[test]
fn a_softmax_costs_what_it_states() {
    for (rows, n) in [(1, 1), (3, 2), (64, 10), (7, 13), (5, 14), (2, 64)] {
        for frac in [8, 16, 26] {
            let found = measured([rows, n], |_, _| Ok(()), |p, x, ()| softmax::softmax(p, x, (x, 30), frac).map(drop));
            assert_eq!(found, softmax::cost(rows, n, 30, frac), "{rows} rows of {n}");
            assert_eq!(found.rounds, if n > 13 { 8 } else { 7 });
        }
    }
}

#[test]
fn comparisons_cost_what_they_state() {
    for b in 2..=64 {
        check(&format!("drelu of {b} bits"), |n| drelu::cost(n, b), |p, x| drelu::drelu(p, &[(x, b)], &[]).map(drop));
    }
    // Many in three rounds, and few in two or in one.
    let many = [(25, 3, 120.0, 30.0), (29, 3, 140.0, 34.0), (40, 3, 202.0, 50.0), (64, 3, 344.0, 78.0)].map(|row| (640_000, row));
    let few = [(8, 1, 128.0, 2.0), (29, 2, 251.0, 24.0), (40, 2, 569.0, 28.0)].map(|row| (64, row));
    for (n, (b, rounds, ahead, online)) in many.into_iter().chain(few) {
        let cost = drelu::cost(n, b);
        assert_eq!((cost.rounds, bits(cost, n as u64)), (rounds, [ahead, online]), "bits an element at {b} bits");
    }
    let tenths = |b| bits(drelu::cost(640_000, b), 640_000).map(|bits| (bits / 8.0 * 10.0).round());
    assert_eq!([29, 40, 64].map(tenths), [[175.0, 43.0], [253.0, 63.0], [430.0, 98.0]], "bytes as in docs/masked.md");
}

#[test]
fn selects_and_ands_cost_what_they_state() {
    let bit = |p: &mut Party, x: &Share| Ok(drelu::drelu(p, &[(x, 8)], &[])?.swap_remove(0));
    for n in [1, 64, 1000] {
        let first = measured([1, n], bit, |p, x, b| select::select(p, &[(&b, x)]).map(drop));
        assert_eq!(first, select::cost(n, false));
        let again = measured(
            [1, n],
            |p, x| {
                let b = bit(p, x)?;
                select::select(p, &[(&b, x)])?;
                Ok(b)
            },
            |p, x, b| select::select(p, &[(&b, x)]).map(drop),
        );
        assert_eq!(again, select::cost(n, true));
        let both = measured([1, n], bit, |p, x, b| select::select(p, &[(&b, x), (&b, x)]).map(drop));
        assert_eq!(both, at_once(1, &[first, again]), "two by one bit in one round");
        for count in 1..=17 {
            let found = measured([1, n], bit, |p, _, b| and::all(p, &vec![&b; count]).map(drop));
            assert_eq!(found, and::all_cost(count, n), "and of {count} bits of {n}");
        }
    }
}

/// What is compared together has the same rounds, chosen for all of it.
#[test]
fn comparisons_of_several_widths_share_their_rounds() {
    let several = |p: &mut Party, x: &Share| drelu::drelu(p, &[(x, 40), (x, 3), (x, 29)], &[]).map(drop);
    for n in [1, 64, 6400] {
        let costs = drelu::costs(&[(n, 39), (n, 2), (n, 28)]);
        assert_eq!(measured([1, n], |_, _| Ok(()), |p, x, ()| several(p, x)), costs);
        assert_eq!(costs.rounds, if n < 6400 { 2 } else { 3 });
    }
}

/// A ReLU behind a product: the lift costs its bits and no round.
#[test]
fn a_relu_takes_four_rounds_or_three_and_the_bytes_of_the_page() {
    let relu = |p: &mut Party, z: &Share, b: u8| {
        let bit = drelu::drelu(p, &[(z, b)], &[])?;
        select::select(p, &[(&bit[0], z)]).map(drop)
    };
    for (b, bytes) in [(25, 54), (29, 54), (40, 64), (64, 85)] {
        for n in [1, 64, 1000, 64_000] {
            let own = sum(&[drelu::cost(n, b), select::cost(n, false)]);
            assert_eq!(measured([1, n], |_, _| Ok(()), |p, x, ()| relu(p, x, b)), own);
            let lifted = measured([1, n], |p, x| pending(p, x, 16), |p, _, z| relu(p, &z, b));
            let rounds = if b <= 48 { own.rounds } else { own.rounds + 1 };
            assert_eq!(lifted, at_once(rounds, &[own, lift::cost(n, 16)]), "{b} bits, {n} elements");
            match n {
                64_000 => assert!(own.rounds == 4 && own.bytes() <= bytes * n as u64, "{b} bits: {own:?}"),
                _ => assert!(own.rounds == 3 || b == 64, "{b} bits: {own:?}"),
            }
        }
    }
}

#[test]
fn maxima_cost_what_they_state() {
    const BITS: u8 = 24;
    for (rows, n) in [(1, 1), (128, 10), (7, 3), (10, 5)] {
        let pairs = rows * n * (n - 1) / 2;
        let argmax = if n == 1 {
            drelu::cost(rows, BITS + 2)
        } else {
            sum(&[drelu::cost(pairs, BITS + 2), and::all_cost(n - 1, rows * n)])
        };
        let max = sum(&[argmax, select::cost(rows * n, false)]);
        let engine = |p: &mut Party, x: Share, max: bool| {
            crate::common::with_engine::<Masked, _>(p, |e| {
                let x = Num::new(x, Format { frac: 8, bits: BITS });
                if max { e.row_max(&x).map(drop) } else { trefoil_engine::functions::argmax(e, &x).map(drop) }
            })
        };
        assert_eq!(measured([rows, n], |_, _| Ok(()), |p, x, ()| engine(p, x.clone(), false)), argmax);
        assert_eq!(measured([rows, n], |_, _| Ok(()), |p, x, ()| engine(p, x.clone(), true)), max);
        // Behind a product x is lifted beside the differences that are compared.
        let differences = if n == 1 { rows } else { pairs };
        let riding = at_once(0, &[lift::cost(differences, 16), lift::cost(rows * n, 16)]);
        let found = measured([rows, n], |p, x| pending(p, x, 16), |p, _, z| engine(p, z, true));
        assert_eq!(found, sum(&[max, riding]), "{rows} x {n}");
    }
}

#[test]
fn rounds_do_not_grow_with_a_slow_helper() {
    // P2's frames carry no depth, so that they never raise that of a server.
    let [(p0, _), (p1, _), _] = taped(|id| Seeds::insecure(id, 1), &|p| {
        let x = dealt(p, &Tensor::from_elem((1, 64), 5), 1);
        let z = pending(p, &x, 16)?;
        drelu::drelu(p, &[(&z, 29)], &[])?;
        Ok(vec![])
    });
    let depths = |of: Id| [&p0, &p1].map(|p| p.iter().filter(|(from, _)| *from == of).map(|(_, f)| f.depth).collect::<Vec<_>>());
    assert_eq!((depths(Id::P0)[1].clone(), depths(Id::P1)[0].clone()), (vec![1, 2, 3], vec![1, 2, 3]));
    // To P0 of the product and the one-hot words, to P1 of the product and of the chunks that are joined.
    assert_eq!(depths(Id::P2), [vec![0; 2], vec![0; 2]]);
}
