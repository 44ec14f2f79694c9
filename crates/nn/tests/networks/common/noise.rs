//! Numbers that look random and are the same every time.

use ndarray::Array2;

/// Fixed pseudo-random numbers in [0, 1), multiples of 1/256.
pub fn noise(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut s = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    Array2::from_shape_simple_fn((rows, columns), || {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        (s >> 56) as f64 / 256.0
    })
}
