//! The first folds, all at once and in the base ring: a row's words are the values of a multilinear polynomial at {0, 1}^v, and of products of two such polynomials
//! their values at {0, 1, inf}^v say everything. These are all points that a ring of words has; at inf stands the highest coefficient.
//!
//! Points are counted in base 3, a slot's lowest bit in the lowest digit. [`trefoil_ring::proof`] has the same, fast, at one size.

use super::Element;

/// The point of a slot.
pub(super) fn point(slot: usize, variables: u32) -> usize {
    (0..variables).map(|v| (slot >> v & 1) * 3usize.pow(v)).sum()
}

/// A row's values at all points.
fn points(row: &[u64]) -> Vec<u64> {
    if let [value] = row {
        return vec![*value];
    }
    // The highest bit of a slot last: its digit is the highest.
    let (at_0, at_1) = row.split_at(row.len() / 2);
    let inf: Vec<u64> = at_1.iter().zip(at_0).map(|(b, a)| b.wrapping_sub(*a)).collect();
    [at_0, at_1, &inf].into_iter().flat_map(points).collect()
}

/// G(p), the weighted sum over rows of the products of both sides, at all points.
pub(super) fn sums<E: Element>(weights: &[u64], x: &[u64], y: &[u64], variables: u32) -> Vec<E> {
    let slots = 1 << variables;
    let mut sums = vec![E::ZERO; 3usize.pow(variables)];
    for ((weight, x), y) in weights.iter().zip(x.chunks(slots)).zip(y.chunks(slots)) {
        let weight = E::challenge(*weight);
        for ((sum, x), y) in sums.iter_mut().zip(points(x)).zip(points(y)) {
            *sum = *sum + weight.times(x.wrapping_mul(y));
        }
    }
    sums
}

/// G(r).
pub(super) fn interpolated<E: Element>(values: &[E], r: &[E]) -> E {
    match (values, r) {
        ([value], _) | ([value, ..], []) => *value,
        (_, [r, rest @ ..]) => {
            let bound: Vec<E> = values.as_chunks().0.iter().map(|[at_0, at_1, inf]| quadratic(*at_0, *at_1, *inf, *r)).collect();
            interpolated(&bound, rest)
        }
        ([], _) => E::ZERO,
    }
}

/// Of the polynomial of degree 2 with these values at 0 and 1 and this highest coefficient the value at r.
pub(super) fn quadratic<E: Element>(at_0: E, at_1: E, inf: E, r: E) -> E {
    at_0 + r * (at_1 - at_0 - inf + r * inf)
}

/// Each row's polynomial at r is the sum of its words times these.
pub(super) fn eq<E: Element>(r: &[E]) -> Vec<E> {
    r.iter().fold(vec![E::one()], |eq, r| {
        let low = eq.iter().map(|eq| *eq * (E::one() - *r));
        low.chain(eq.iter().map(|eq| *eq * *r)).collect()
    })
}
