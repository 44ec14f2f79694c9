//! Elementwise arithmetic in Z_(2^64): every operation wraps.
//!
//! `ndarray`'s own operators panic on overflow in debug builds and are not for ring elements.
//! Two operands must have one shape, save that what is added to or taken off a tensor may be one row, for each of its rows; the caller has
//! checked it, and a mismatch panics.

use crate::Tensor;
use ndarray::Zip;

/// `x + y`.
pub fn add(x: &Tensor, y: &Tensor) -> Tensor {
    zip(x, y, u64::wrapping_add)
}

/// `x - y`.
pub fn sub(x: &Tensor, y: &Tensor) -> Tensor {
    zip(x, y, u64::wrapping_sub)
}

/// The elementwise product `x * y`.
pub fn mul(x: &Tensor, y: &Tensor) -> Tensor {
    zip(x, y, u64::wrapping_mul)
}

/// `-x`.
pub fn neg(x: &Tensor) -> Tensor {
    x.mapv(u64::wrapping_neg)
}

/// `factor * x` for a public word.
pub fn scale(x: &Tensor, factor: u64) -> Tensor {
    x.mapv(|x| x.wrapping_mul(factor))
}

/// `2^by * x` for `by < 64`.
pub fn shl(x: &Tensor, by: u8) -> Tensor {
    x.mapv(|x| x << by)
}

/// The logical shift `x >> by` for `by < 64`: zeros enter from the top.
pub fn shr_logical(x: &Tensor, by: u8) -> Tensor {
    x.mapv(|x| x >> by)
}

/// The arithmetic shift `x >> by` for `by < 64`: copies of the sign bit enter from the top.
pub fn shr_arithmetic(x: &Tensor, by: u8) -> Tensor {
    x.mapv(|x| (x.cast_signed() >> by).cast_unsigned())
}

/// `x += y`; y may be one row.
pub fn add_assign(x: &mut Tensor, y: &Tensor) {
    zip_assign(x, y, u64::wrapping_add);
}

/// `y` in so many rows, if it is one row; or as it is.
pub fn of_rows(y: &Tensor, rows: usize) -> Tensor {
    let (n, row) = (y.ncols(), y.as_standard_layout());
    let Some(row) = row.as_slice().filter(|_| y.nrows() == 1) else { return y.clone() };
    let mut out = Vec::with_capacity(rows * n);
    (0..rows).for_each(|_| out.extend_from_slice(row));
    Tensor::from_shape_vec((rows, n), out).unwrap_or_else(|_| unreachable!("as many elements as the rows have"))
}

/// `x -= y`; y may be one row.
pub fn sub_assign(x: &mut Tensor, y: &Tensor) {
    zip_assign(x, y, u64::wrapping_sub);
}

/// A function of each two elements.
pub fn zip(x: &Tensor, y: &Tensor, f: impl Fn(u64, u64) -> u64) -> Tensor {
    assert_eq!(x.dim(), y.dim(), "elementwise operation on tensors of different shapes");
    match (x.as_slice(), y.as_slice()) {
        // One loop over words that follow each other, several at a time.
        (Some(a), Some(b)) => {
            let sums = a.iter().zip(b).map(|(&x, &y)| f(x, y)).collect();
            Tensor::from_shape_vec(x.dim(), sums).unwrap_or_else(|_| unreachable!("as many elements as x has"))
        }
        _ => Zip::from(x).and(y).map_collect(|&x, &y| f(x, y)),
    }
}

fn zip_assign(x: &mut Tensor, y: &Tensor, f: impl Fn(u64, u64) -> u64) {
    let fits = x.ncols() == y.ncols() && (y.nrows() == 1 || y.nrows() == x.nrows());
    assert!(fits, "elementwise operation on tensors of different shapes");
    Zip::from(x).and_broadcast(y).for_each(|x, &y| *x = f(*x, y));
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    const M: u64 = u64::MAX;

    #[test]
    fn every_operation_wraps() {
        let (x, y) = (array![[0, 1, M]], array![[1, M, M]]);
        assert_eq!(add(&x, &y), array![[1, 0, M - 1]]);
        assert_eq!(sub(&x, &y), array![[M, 2, 0]]);
        assert_eq!(mul(&x, &y), array![[0, M, 1]]);
        assert_eq!(neg(&x), array![[0, M, 1]]);
        assert_eq!(scale(&x, 3), array![[0, 3, M - 2]]);
        assert_eq!(shl(&x, 63), array![[0, 1 << 63, 1 << 63]]);
        assert_eq!(shr_logical(&x, 1), array![[0, 0, M >> 1]]);
        assert_eq!(shr_arithmetic(&x, 1), array![[0, 0, M]]);
        let mut z = x.clone();
        add_assign(&mut z, &y);
        sub_assign(&mut z, &y);
        assert_eq!(z, x);
        let mut rows = array![[1, 2], [3, M]];
        add_assign(&mut rows, &array![[1, 1]]);
        assert_eq!(rows, array![[2, 3], [4, 0]]);
    }

    #[test]
    fn empty_tensors_stay_empty() {
        let empty = Tensor::zeros((0, 5));
        assert_eq!(add(&empty, &empty).dim(), (0, 5));
    }
}
