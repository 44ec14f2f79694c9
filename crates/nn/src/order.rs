//! The public order of the training records.
//!
//! This is not secret randomness: a seed that everybody knows fixes it, so that all parties take the same records
//! in each step. SplitMix64 (Steele, Lea, Flood 2014) and Fisher-Yates, by the specification of
//! `trefoil_data::shuffle`, with which a test compares it.

/// What a permutation is for. Different uses of one seed are independent of one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The order of the records in an epoch, counted from 0.
    Epoch(u64),
    /// The records that the loss is measured on.
    LossSample,
    /// The test records that the AUC is measured on.
    MetricSample,
}

/// A permutation of `0..rows`, the same on every platform.
pub fn order(rows: usize, seed: u64, what: Use) -> Vec<usize> {
    let mut public = match what {
        Use::Epoch(epoch) => Public::new(seed, 3, epoch),
        Use::LossSample => Public::new(seed, 4, 0),
        Use::MetricSample => Public::new(seed, 6, 0),
    };
    let mut order: Vec<usize> = (0..rows).collect();
    for i in (1..rows).rev() {
        order.swap(i, public.below(i as u64 + 1) as usize);
    }
    order
}

/// Public pseudo-randomness: never for shares, masks or keys.
pub(crate) struct Public(u64);

impl Public {
    pub(crate) fn new(seed: u64, kind: u64, index: u64) -> Public {
        Public(mix(mix(mix(seed) ^ kind) ^ index))
    }

    /// For a node in a step of a training.
    pub(crate) fn of_node(seed: u64, step: u64, node: usize) -> Public {
        Public(mix(Public::new(seed, 7, step).0 ^ node as u64))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Uniform below `n`, which is not 0.
    fn below(&mut self, n: u64) -> u64 {
        // 2^64 mod n: that many outputs at the top would make small results more likely.
        let excess = (u64::MAX % n + 1) % n;
        loop {
            let r = self.next();
            if r <= u64::MAX - excess {
                return r % n;
            }
        }
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 53f64.exp2()
    }

    /// Uniform in [-1, 1), a multiple of 2^-52.
    pub(crate) fn signed_unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 52f64.exp2() - 1.0
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
    use trefoil_data::shuffle::{Stream, shuffle};

    #[test]
    fn the_order_is_that_of_the_data_crate() {
        for (rows, seed, epoch) in [(0, 0, 0), (1, 1, 1), (10, 7, 3), (1000, u64::MAX, 9)] {
            assert_eq!(order(rows, seed, Use::Epoch(epoch)), shuffle(rows, seed, Stream::Epoch(epoch)));
        }
    }

    #[test]
    fn uses_are_independent_permutations() {
        let mut sample = order(100, 5, Use::LossSample);
        assert_ne!(sample, order(100, 5, Use::Epoch(0)));
        sample.sort_unstable();
        assert!(sample.into_iter().eq(0..100));
    }
}
