//! Which records are held out and which are whose, by a seed that is public ([`trefoil_ring::public`]).

use trefoil_ring::public::Public;

/// What a permutation is for. Different uses of one seed are independent of one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Which records are held out for the test.
    Test,
    /// Which records belong to which data owner.
    Owners,
}

/// A permutation of `0..n`, the same on every platform and in every version.
#[must_use]
pub fn shuffle(n: usize, seed: u64, stream: Stream) -> Vec<usize> {
    let kind = match stream {
        Stream::Test => 1,
        Stream::Owners => 2,
    };
    Public::new(seed, &[kind, 0]).permutation(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change here changes every split.
    #[test]
    fn splits_are_stable() {
        assert_eq!(shuffle(10, 0, Stream::Test), [7, 4, 3, 8, 5, 9, 2, 0, 6, 1]);
        assert_ne!(shuffle(10, 0, Stream::Owners), shuffle(10, 0, Stream::Test));
    }
}
