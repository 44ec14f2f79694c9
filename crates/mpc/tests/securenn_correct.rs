//! Every protocol of the SecureNN suite against the plain ring arithmetic, over random and edge inputs.

mod common;

use common::{edges, on_shares, opened};
use trefoil_engine::Kind;
use trefoil_mpc::securenn::{division, drelu, matmul, maxpool, relu, select_share, truncate};
use trefoil_ring::{Tensor, matrix};

#[test]
fn drelu_and_relu_are_exact() {
    let x = edges(62, 3000);
    let want: Vec<u64> = x.iter().map(|v| u64::from(*v as i64 >= 0)).collect();
    assert_eq!(opened(&x, drelu::drelu), want);
    let want: Vec<u64> = x.iter().map(|v| (*v as i64).max(0) as u64).collect();
    assert_eq!(opened(&x, |p, x| Ok(relu::relu(p, x)?.0)), want);
}

#[test]
fn matmul_is_exact_in_all_forms() {
    let rows = edges(63, 35);
    let x = Tensor::from_shape_fn((5, 7), |(i, j)| rows[i * 7 + j]);
    for (tx, ty) in [(false, true), (true, false)] {
        let shape = if tx { [7, 7] } else { [5, 5] };
        let z = on_shares(&x, |p, s| Ok(matmul::matmul(p, &[(Kind::MatMul { tx, ty }, s, s, shape)])?.swap_remove(0)));
        assert_eq!(z, matrix::product(&x, tx, &x, ty));
    }
}

#[test]
fn select_share_picks() {
    let x = edges(63, 100);
    let got = opened(&x, |p, x| {
        let a = x.map(x.shape, |_| Tensor::from_elem((1, x.len()), u64::from(p.id == trefoil_mpc::Id::P0)));
        select_share::select_share(p, &a, x, &x.scale(3))
    });
    assert_eq!(got, x.iter().map(|v| v.wrapping_mul(3)).collect::<Vec<_>>());
}

#[test]
fn truncation_is_floor_or_one_more() {
    let x = edges(62, 3000);
    for f in [1, 16, 61, 62] {
        let got = opened(&x, |p, x| Ok(truncate::truncate(p, &[(x, f)])?.swap_remove(0)));
        for (x, y) in x.iter().zip(got) {
            let floor = *x as i64 >> f;
            assert!([floor, floor + 1].contains(&(y as i64)), "{x} >> {f}: {y}");
        }
    }
}

#[test]
fn division_is_exact() {
    let pairs: Vec<(u64, u64)> = (1..60).flat_map(|y| (0..=y).map(move |x| (x << 30, y << 30))).collect();
    let flat: Vec<u64> = pairs.iter().flat_map(|(x, y)| [*x, *y]).collect();
    let got = opened(&flat, |p, s| {
        let n = s.len() / 2;
        let place = |k: usize| (0..n).map(|i| 2 * i + k).collect::<Vec<_>>();
        let (x, y) = (s.gather(trefoil_engine::Index::Cols(&place(0))), s.gather(trefoil_engine::Index::Cols(&place(1))));
        division::division(p, &x, &y, 16)
    });
    assert_eq!(got, pairs.iter().map(|(x, y)| (x << 16) / y).collect::<Vec<_>>());
}

#[test]
fn maxpool_finds_value_and_place() {
    let values = edges(61, 45);
    for n in [1, 2, 3, 5, 9] {
        let x = Tensor::from_shape_fn((5, n), |(i, j)| values[i * n + j]);
        let max = on_shares(&x, maxpool::maxpool);
        let (_, place) = (0, on_shares(&x, |p, x| Ok(maxpool::dmaxpool(p, x)?.1)));
        for (i, row) in x.rows().into_iter().enumerate() {
            let signed: Vec<i64> = row.iter().map(|v| *v as i64).collect();
            let best = *signed.iter().max().unwrap();
            assert_eq!(max[[i, 0]] as i64, best);
            let first = signed.iter().position(|v| *v == best).unwrap();
            assert!((0..n).all(|j| place[[i, j]] == u64::from(j == first)), "row {i} of {n}");
        }
    }
}
