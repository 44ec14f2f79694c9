//! What is waited for, as far as a program need know it: of two ways to compute the same, it goes the one that takes less.

/// Rounds, and bytes on the links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Took {
    /// Rounds.
    pub rounds: u64,
    /// Bytes on the links, one after the other where they wait for each other.
    pub bytes: u64,
}

impl Took {
    /// This, and then `next`.
    #[must_use]
    pub const fn then(self, next: Took) -> Took {
        Took { rounds: self.rounds + next.rounds, bytes: self.bytes + next.bytes }
    }

    /// Seconds, by the round-trip time and the bits per second of links.
    pub fn seconds(self, rtt: f64, rate: f64) -> f64 {
        self.rounds as f64 * rtt / 2.0 + 8.0 * self.bytes as f64 / rate
    }
}
