//! The public order of the training records.
//!
//! This is not secret randomness: a seed that everybody knows fixes it ([`trefoil_ring::public`]), so that all parties take the same
//! records in each step.

use trefoil_ring::public::Public;

/// What a permutation is for. Different uses of one seed are independent of one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The order of the records in an epoch, counted from 0.
    Epoch(u64),
    /// The records that the loss is measured on.
    LossSample,
    /// The records that quantiles are of.
    Quantiles,
}

/// A permutation of `0..rows`, the same on every platform.
pub fn order(rows: usize, seed: u64, what: Use) -> Vec<usize> {
    let address = match what {
        Use::Epoch(epoch) => [3, epoch],
        Use::LossSample => [4, 0],
        Use::Quantiles => [8, 0],
    };
    Public::new(seed, &address).permutation(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change here changes every batch.
    #[test]
    fn the_order_is_stable() {
        assert_eq!(order(10, 7, Use::Epoch(3)), [5, 8, 6, 2, 0, 4, 1, 7, 3, 9]);
    }

    #[test]
    fn uses_are_independent_permutations() {
        let mut sample = order(100, 5, Use::LossSample);
        assert_ne!(sample, order(100, 5, Use::Epoch(0)));
        sample.sort_unstable();
        assert!(sample.into_iter().eq(0..100));
    }
}
