//! Bit planes: bit i of 64 elements in one word, so that logic on bits works on 64 elements at once.

/// Words that `n` elements take in a plane.
pub fn words(n: usize) -> usize {
    n.div_ceil(64)
}

/// The lowest `count` bits of each element, plane after plane, each of [`words`]`(n)` words; the last word is filled up
/// with zeros.
pub fn split(x: &[u64], count: usize) -> Vec<u64> {
    let width = words(x.len());
    let mut out = vec![0; count * width];
    for (k, block) in x.chunks(64).enumerate() {
        let mut square = [0; 64];
        square[..block.len()].copy_from_slice(block);
        transpose(&mut square);
        for (plane, word) in square.iter().take(count).enumerate() {
            out[plane * width + k] = *word;
        }
    }
    out
}

/// One plane of `n` elements as words of 0 and 1.
pub fn spread(plane: &[u64], n: usize) -> Vec<u64> {
    (0..n).map(|i| plane[i / 64] >> (i % 64) & 1).collect()
}

/// Words of 0 and 1 as one plane.
pub fn pack(bits: &[u64]) -> Vec<u64> {
    bits.chunks(64).map(|c| c.iter().enumerate().fold(0, |w, (i, b)| w | (b & 1) << i)).collect()
}

/// Bit j of word i becomes bit i of word j: swaps halves of halves (Hacker's Delight, 7-3).
pub fn transpose(a: &mut [u64; 64]) {
    let mut mask = 0x0000_0000_ffff_ffffu64;
    let mut j = 32;
    while j != 0 {
        let mut k = 0;
        while k < 64 {
            let t = (a[k] >> j ^ a[k + j]) & mask;
            a[k] ^= t << j;
            a[k + j] ^= t;
            k = (k + j + 1) & !j;
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
            }
        }
    }
}
