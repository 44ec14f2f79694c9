//! Every protocol of the SecureNN suite against the plain ring arithmetic, over random and edge inputs.

use crate::common::{edges, on_shares, opened};
use trefoil_engine::Kind;
use trefoil_mpc::securenn::{drelu, matmul, truncate};
use trefoil_ring::{Tensor, matrix};

#[test]
fn drelu_is_exact() {
    let x = edges(62, 3000);
    let want: Vec<u64> = x.iter().map(|v| u64::from(*v as i64 >= 0)).collect();
    assert_eq!(opened(&x, drelu::drelu), want);
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
