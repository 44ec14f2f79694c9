//! Permutations and numbers that a **public** seed fixes: splits between owners, train and test, batch order, initial weights, dropout.
//!
//! This is not secret randomness and must never make a share, mask or key. All parties and owners compute it for
//! themselves and must agree, so the algorithm is part of the format and does not change:
//!
//! - The generator is SplitMix64 (Steele, Lea, Flood 2014): `s += 0x9e3779b97f4a7c15`, the output is `mix(s)`.
//! - It starts at `s = mix(seed)`, and then `s = mix(s ^ a)` for each number `a` of its address, the first of which is the use that is made
//!   of it: 1 which records are held out, 2 which owner has which, 3 the order in an epoch, 4 the records that the loss is
//!   measured on, 5 initial weights, 7 a layer in a step.
//! - A number below `n` is `next mod n`, where outputs at or above the largest multiple of `n` in 2^64 are drawn anew.
//! - A permutation is Fisher-Yates from the top: for `i = n-1, ..., 1`, swap `i` with a number below `i + 1`.

/// A generator. Those of different addresses under one seed are independent of one another.
pub struct Public(u64);

impl Public {
    /// The one of this address.
    #[must_use]
    pub fn new(seed: u64, address: &[u64]) -> Public {
        Public(address.iter().fold(mix(seed), |s, a| mix(s ^ a)))
    }

    /// A permutation of `0..n`, the same on every platform and in every version: see the module's text.
    #[must_use]
    pub fn permutation(mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i as u64 + 1) as usize);
        }
        order
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 53f64.exp2()
    }

    /// Uniform in [-1, 1), a multiple of 2^-52.
    pub fn signed_unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 52f64.exp2() - 1.0
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Uniform below `n`, which is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        // 2^64 mod n: that many outputs at the top would make small results more likely.
        let excess = (u64::MAX % n + 1) % n;
        loop {
            let r = self.next();
            if r <= u64::MAX - excess {
                return r % n;
            }
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permutation(n: usize, seed: u64, address: &[u64]) -> Vec<usize> {
        Public::new(seed, address).permutation(n)
    }

    /// The published first outputs of SplitMix64 from state 1234567.
    #[test]
    fn splitmix64_known_answers() {
        let mut rng = Public(1_234_567);
        let got: Vec<u64> = (0..3).map(|_| rng.next()).collect();
        assert_eq!(got, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    /// Computed apart, from the module's text. A change here changes every split and batch order.
    #[test]
    fn permutations_are_stable() {
        assert_eq!(permutation(10, 0, &[1, 0]), [7, 4, 3, 8, 5, 9, 2, 0, 6, 1]);
        assert_eq!(permutation(10, 7, &[3, 3]), [5, 8, 6, 2, 0, 4, 1, 7, 3, 9]);
    }

    #[test]
    fn every_result_is_a_permutation() {
        for n in [0, 1, 2, 3, 100, 1797] {
            let mut p = permutation(n, 42, &[2, 0]);
            p.sort_unstable();
            assert!(p.iter().copied().eq(0..n));
        }
    }

    #[test]
    fn addresses_and_seeds_differ() {
        let addresses: [&[u64]; 6] = [&[1, 0], &[2, 0], &[3, 0], &[3, 1], &[7, 0, 0], &[7, 0, 1]];
        let all: Vec<_> = addresses.iter().map(|a| permutation(50, 1, a)).chain([permutation(50, 2, &[3, 0])]).collect();
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b));
        }
    }

    /// Each element lands in each place about equally often: chi-square with 16 degrees of freedom for n = 5.
    #[test]
    fn places_are_uniform() {
        let (n, runs) = (5, 20_000_u64);
        let mut count = [[0.0_f64; 5]; 5];
        for seed in 0..runs {
            for (place, &i) in permutation(n, seed, &[3, 0]).iter().enumerate() {
                count[i][place] += 1.0;
            }
        }
        let want = runs as f64 / n as f64;
        let chi: f64 = count.iter().flatten().map(|c| (c - want).powi(2) / want).sum();
        assert!(chi < 60.0, "{chi}");
    }
}
