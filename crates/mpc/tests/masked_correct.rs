//! Every protocol of the masked suite against the plain ring arithmetic, over random and edge inputs.

mod common;

use common::edges;
use trefoil_engine::{Engine, Format, Kind};
use trefoil_mpc::masked::{Share, drelu, product, select, share, truncate};
use trefoil_mpc::{Id, Party, Prg, Result, Seeds, Suite, simulate};
use trefoil_ring::{Tensor, matrix};

/// Masks `x` as an owner does, runs `f` as three parties and opens the result at P0.
fn on_masked(x: &Tensor, f: impl Fn(&mut Party, &Share) -> Result<Share> + Sync) -> Tensor {
    let parts = trefoil_mpc::masked::Masked::deal(x, [3; 32]);
    let [p0, p1, _] = simulate(1, |p| {
        let shape = [x.nrows(), x.ncols()];
        let kept = trefoil_mpc::masked::Masked::accept(p.id, x.len(), &parts[p.id.index()]).unwrap();
        let [a, b] = kept.map(|v| Tensor::from_shape_vec((shape[0], shape[1]), v).unwrap());
        let x = match p.id {
            Id::P0 => Share::new(shape, Some(a), [Some(b), None]),
            Id::P1 => Share::new(shape, Some(a), [None, Some(b)]),
            Id::P2 => Share::new(shape, None, [Some(a), Some(b)]),
        };
        let y = f(p, &x)?;
        share::reconstruct(p, &y)
    });
    let (a, b) = (p0.unwrap().0.unwrap(), p1.unwrap().0.unwrap());
    assert_eq!(a, b);
    a
}

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
        let z = on_masked(&x, |p, s| Ok(product::products(p, &[product::Factors { kind, x: s, y: s, plus: None, shape, f: 0 }])?.swap_remove(0)));
        assert_eq!(z, matrix::product(&x, tx, &x, ty));
    }
}

#[test]
fn truncating_products_are_floor_or_one_more() {
    let x = row(&edges(30, 3000));
    for f in [1, 16, 30, 58] {
        let z = on_masked(&x, |p, s| {
            let plus = Some(s.clone());
            Ok(product::products(p, &[product::Factors { kind: Kind::Mul, x: s, y: s, plus, shape: s.shape, f }])?.swap_remove(0))
        });
        for (x, z) in x.iter().zip(&z) {
            let (x, z) = (*x as i64, *z as i64);
            let floor = (x * x + x) >> f;
            assert!((floor - 1..=floor + 2).contains(&z), "{x}: {z}, {floor}");
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
        let y = on_masked(&x, |p, s| {
            let bit = drelu::drelu(p, &[(s, b)], &[])?.swap_remove(0);
            let twice = select::select(p, &[(&bit, s), (&bit, s)])?;
            Ok(twice[0].zip(&twice[1], trefoil_ring::words::add))
        });
        for (x, y) in x.iter().zip(&y) {
            assert_eq!((*x as i64).max(0).wrapping_mul(2), *y as i64, "b = {b}");
        }
    }
}

#[test]
fn a_comparison_starts_before_the_lift() {
    let x = row(&edges(20, 500));
    for f in [8, 16, 24] {
        let y = on_masked(&x, |p, s| {
            let kind = Kind::Mul;
            let z = product::products(p, &[product::Factors { kind, x: s, y: s, plus: None, shape: s.shape, f }])?.swap_remove(0);
            let z = z.zip(s, trefoil_ring::words::sub);
            let before = p.depth();
            let bit = drelu::drelu(p, &[(&z, 40)], &[])?.swap_remove(0);
            assert!(p.id == Id::P2 || p.depth() - before == 3);
            Ok(select::select(p, &[(&bit, &z)])?.swap_remove(0))
        });
        for (x, y) in x.iter().zip(&y) {
            let floor = ((*x as i64).pow(2) >> f) - *x as i64;
            assert!((floor - 1..=floor + 2).map(|v| v.max(0)).any(|v| v == *y as i64));
        }
    }
}

#[test]
fn the_model_owner_refuses_contradictions() {
    use trefoil_mpc::masked::{Masked, Num};
    let x = row(&Prg::from_seed(&[1; 32]).words(5));
    let dealt = Masked::deal(&x, [9; 32]);
    let parts = simulate(1, |p| {
        let mut e = Masked::new(Party::new(p.id, trefoil_net::local::network(std::time::Duration::from_secs(1)).into_iter().next().unwrap(), Seeds::insecure(p.id, 1)));
        let kept = Masked::accept(p.id, 5, &dealt[p.id.index()]).unwrap();
        let num: Num = e.input([1, 5], Format::new(16, 20), kept);
        assert_eq!(e.shape(&num), [1, 5]);
        e.export(&num)
    });
    let mut parts = parts.map(|r| r.unwrap().0);
    assert_eq!(Masked::reconstruct(5, &parts).unwrap(), x.iter().copied().collect::<Vec<_>>());
    parts[1][0] = trefoil_mpc::Part::words(&[0; 5]);
    assert_eq!(Masked::reconstruct(5, &parts).unwrap_err(), "P1 and P2 on l_1 contradict each other");
}
