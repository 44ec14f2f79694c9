//! Every protocol of the masked suite against the plain ring arithmetic, over random and edge inputs.

use crate::common::{edges, on_masked};
use trefoil_engine::Kind;
use trefoil_mpc::Id;
use trefoil_mpc::masked::drelu::Layout;
use trefoil_mpc::masked::{drelu, product, select, truncate};
use trefoil_ring::{Tensor, matrix};

fn row(x: &[u64]) -> Tensor {
    Tensor::from_shape_fn((1, x.len()), |(_, j)| x[j])
}

#[test]
fn products_are_exact_in_all_forms() {
    let rows = edges(63, 35);
    let x = Tensor::from_shape_fn((5, 7), |(i, j)| rows[i * 7 + j]);
    for (tx, ty) in [(false, true), (true, false)] {
        let shape = if tx { [7, 7] } else { [5, 5] };
        let kind = Kind::MatMul { tx, ty };
        let z = on_masked(&x, |p, s| {
            Ok(product::products(p, &[product::Factors { kind, x: s, y: s, scatter: None, known: 64, plus: None, shape, f: 0 }])?
                .swap_remove(0))
        });
        assert_eq!(z, matrix::product(&x, tx, &x, ty));
    }
}

#[test]
fn truncating_products_are_floor_or_ceiling() {
    let x = row(&edges(30, 3000));
    for f in [1, 16, 30, 58] {
        let z = on_masked(&x, |p, s| {
            let plus = Some(s.clone());
            Ok(product::products(
                p,
                &[product::Factors { kind: Kind::Mul, x: s, y: s, scatter: None, known: 64, plus, shape: s.shape, f }],
            )?
            .swap_remove(0))
        });
        for (x, z) in x.iter().zip(&z) {
            let (x, z) = (*x as i64, *z as i64);
            let exact = x * x + x;
            assert!(z == exact >> f || z == -(-exact >> f), "{x}: {z}, {exact} / 2^{f}");
        }
    }
}

#[test]
fn truncation_is_floor_or_one_more() {
    let x = row(&edges(62, 3000));
    for f in [1, 16, 61] {
        let z = on_masked(&x, |p, s| Ok(truncate::truncate(p, &[(s, f)])?.swap_remove(0)));
        for (x, z) in x.iter().zip(&z) {
            let floor = *x as i64 >> f;
            assert!([floor, floor + 1].contains(&(*z as i64)));
        }
    }
}

#[test]
fn drelu_and_select_are_exact_at_every_width() {
    for b in 2..=64u8 {
        let mut x = edges(b - 1, 200);
        x.push((1u64 << (b - 1)).wrapping_neg());
        x.retain(|v| b == 64 || (-(1i64 << (b - 1))..1i64 << (b - 1)).contains(&(*v as i64)));
        let x = row(&x);
        let layouts = (1..=3).flat_map(|rounds| (1..=7).map(move |chunk| Layout { chunk, rounds }));
        for layout in layouts.filter(|layout| layout.chunk >= 4 && layout.serves(b - 1)) {
            let y = on_masked(&x, |p, s| {
                let bit = drelu::laid_out(p, &[(s, b)], &[layout], &[], &mut ())?.swap_remove(0);
                let twice = select::select(p, &[(&bit, s), (&bit, s)])?;
                Ok(twice[0].zip(&twice[1], u64::wrapping_add))
            });
            for (x, y) in x.iter().zip(&y) {
                assert_eq!((*x as i64).max(0).wrapping_mul(2), *y as i64, "b = {b}, {layout:?}");
            }
        }
    }
}

#[test]
fn a_comparison_starts_before_the_lift() {
    let x = row(&edges(20, 500));
    for f in [8, 16, 24] {
        let y = on_masked(&x, |p, s| {
            let kind = Kind::Mul;
            let z = product::products(
                p,
                &[product::Factors { kind, x: s, y: s, scatter: None, known: 64, plus: None, shape: s.shape, f }],
            )?
            .swap_remove(0);
            let z = z.zip(s, u64::wrapping_sub);
            let before = p.depth();
            let bit = drelu::drelu(p, &[(&z, 40)], &[])?.swap_remove(0);
            assert!(p.id == Id::P2 || u64::from(p.depth() - before) == drelu::cost(z.len(), 40).rounds);
            Ok(select::select(p, &[(&bit, &z)])?.swap_remove(0))
        });
        for (x, y) in x.iter().zip(&y) {
            let floor = ((*x as i64).pow(2) >> f) - *x as i64;
            assert!([floor, floor + 1].map(|v| v.max(0)).contains(&(*y as i64)));
        }
    }
}
