//! Bit planes: bit i of 64 elements in one word, so that logic on bits works on 64 elements at once.

/// Words that `n` elements take in a plane.
pub fn words(n: usize) -> usize {
    n.div_ceil(64)
}

/// The lowest `count` bits of each element, plane after plane, each of [`words`]`(n)` words; the last word is filled up
/// with zeros.
pub fn split(x: &[u64], count: usize) -> Vec<u64> {
    split_of(x.len(), count, |at, square| square.copy_from_slice(&x[at..at + square.len()]))
}

/// The same of the sums of two elements.
pub fn split_sum(x: &[u64], y: &[u64], count: usize) -> Vec<u64> {
    split_of(x.len().min(y.len()), count, |at, square| {
        square.iter_mut().zip(&x[at..]).zip(&y[at..]).for_each(|((sum, x), y)| *sum = x.wrapping_add(*y));
    })
}

/// The same of `n` elements that `fill` gives from a place on.
fn split_of(n: usize, count: usize, fill: impl Fn(usize, &mut [u64])) -> Vec<u64> {
    let width = words(n);
    let mut out = vec![0; count * width];
    for k in 0..width {
        let mut square = [0; 64];
        fill(64 * k, &mut square[..64.min(n - 64 * k)]);
        transpose(&mut square, count);
        for (plane, word) in square.iter().take(count).enumerate() {
            out[plane * width + k] = *word;
        }
    }
    out
}

/// One plane of `n` elements as words of 0 and 1.
pub fn spread(plane: &[u64], n: usize) -> Vec<u64> {
    let mut out = vec![0; n];
    spread_into(plane, &mut out);
    out
}

/// The same of as many elements as `out` has room for.
pub fn spread_into(plane: &[u64], out: &mut [u64]) {
    for (word, out) in plane.iter().zip(out.chunks_mut(64)) {
        out.iter_mut().enumerate().for_each(|(i, bit)| *bit = word >> i & 1);
    }
}

/// Bit `i` of each element as one plane.
pub fn of_bit(x: impl ExactSizeIterator<Item = u64>, i: u8) -> Vec<u64> {
    let (mut plane, mut filled) = (Vec::with_capacity(words(x.len())), 0);
    let mut word = 0;
    for x in x {
        word |= (x >> i & 1) << filled;
        filled += 1;
        if filled == 64 {
            plane.push(word);
            (word, filled) = (0, 0);
        }
    }
    if filled > 0 {
        plane.push(word);
    }
    plane
}

/// Words of 0 and 1 as one plane.
pub fn pack(bits: &[u64]) -> Vec<u64> {
    bits.chunks(64).map(|c| c.iter().enumerate().fold(0, |w, (i, b)| w | (b & 1) << i)).collect()
}

/// Bit j of word i becomes bit i of word j, for the first `count` words; those behind them are of no use. Halves of halves are swapped (Hacker's
/// Delight, 7-3), and words that no later swap needs are left out.
pub fn transpose(a: &mut [u64; 64], count: usize) {
    let (mut mask, mut j) = (0x0000_0000_ffff_ffffu64, 32);
    while j != 0 {
        for halves in a.chunks_exact_mut(2 * j).take(count.div_ceil(2 * j)) {
            let (lower, upper) = halves.split_at_mut(j);
            for (x, y) in lower.iter_mut().zip(upper) {
                let t = (*x >> j ^ *y) & mask;
                *x ^= t << j;
                *y ^= t;
            }
        }
        j >>= 1;
        mask ^= mask << j;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn planes_hold_the_bits(x in proptest::collection::vec(any::<u64>(), 0..200), count in 0usize..=64) {
            let planes = split(&x, count);
            prop_assert_eq!(planes.len(), count * words(x.len()));
            for i in 0..count {
                let plane = &planes[i * words(x.len())..][..words(x.len())];
                let bits = spread(plane, x.len());
                prop_assert!(bits.iter().zip(&x).all(|(b, x)| *b == x >> i & 1));
                prop_assert_eq!(pack(&bits), plane);
                prop_assert_eq!(of_bit(x.iter().copied(), i as u8), plane);
            }
            let twice: Vec<u64> = x.iter().map(|x| x.wrapping_add(*x)).collect();
            prop_assert_eq!(split_sum(&x, &x, count), split(&twice, count));
        }
    }
}
