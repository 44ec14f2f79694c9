//! What a protocol takes, stated before it runs: each protocol's file has a `cost` of it beside the protocol, and tests hold it to what the
//! transport counts.

use std::ops::{AddAssign, Sub};
use trefoil_engine::Took;

/// Rounds, and bytes of payload by direction.
///
/// ```
/// use trefoil_mpc::Price;
/// let product = Price { rounds: 1, ahead: [0, 8], servers: 16, ..Price::NONE };
/// // One after the other takes both's rounds, at once those of the longer; bytes add up.
/// assert_eq!(product.then(product).rounds, 2);
/// assert_eq!((Price::at_once([product, product]).rounds, Price::at_once([product, product]).bytes()), (1, 48));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Price {
    /// Rounds.
    pub rounds: u64,
    /// Bytes that P2 sends P0 and P1 ahead of time, in no round.
    pub ahead: [u64; 2],
    /// Bytes that P0 and P1 send each other in the rounds, half of them each.
    pub servers: u64,
    /// Bytes that P0 and P1 send P2, half of them each.
    pub to_helper: u64,
    /// Bytes that P2 sends P1 in the rounds.
    pub from_helper: u64,
}

impl Price {
    /// Nothing.
    pub const NONE: Price = Price { rounds: 0, ahead: [0, 0], servers: 0, to_helper: 0, from_helper: 0 };

    /// Rounds, bytes to P0 and P1 ahead of time, and bytes of both servers in the rounds: all that there is in a suite whose helper receives nothing.
    pub const fn of(rounds: u64, ahead: [u64; 2], servers: u64) -> Price {
        Price { rounds, ahead, servers, ..Price::NONE }
    }

    /// What a round weighs, in bytes: as many as a link of 100 Mbit/s carries while a message is on its way for 8 ms, one of 10 Gbit/s for 80 microseconds.
    pub const ROUND: u64 = 100_000;

    /// Rounds and bytes in one number, by which a protocol chooses between two ways to do the same.
    pub const fn weight(&self) -> u64 {
        self.rounds * Price::ROUND + self.bytes()
    }

    /// This, and then `next`.
    pub const fn then(self, next: Price) -> Price {
        Price {
            rounds: self.rounds + next.rounds,
            ahead: [self.ahead[0] + next.ahead[0], self.ahead[1] + next.ahead[1]],
            servers: self.servers + next.servers,
            to_helper: self.to_helper + next.to_helper,
            from_helper: self.from_helper + next.from_helper,
        }
    }

    /// This `n` times, one after the other.
    pub const fn times(self, n: u64) -> Price {
        Price {
            rounds: self.rounds * n,
            ahead: [self.ahead[0] * n, self.ahead[1] * n],
            servers: self.servers * n,
            to_helper: self.to_helper * n,
            from_helper: self.from_helper * n,
        }
    }

    /// All of these in the same rounds.
    pub fn at_once(all: impl IntoIterator<Item = Price>) -> Price {
        all.into_iter().fold(Price::NONE, |sum, one| Price { rounds: sum.rounds.max(one.rounds), ..sum.then(one) })
    }

    /// Bytes of payload on all links.
    pub const fn bytes(&self) -> u64 {
        self.ahead[0] + self.ahead[1] + self.servers + self.to_helper + self.from_helper
    }

    /// What is waited for: rounds, and what is sent in them from one end of a link while the other end sends as much; or what P2 sends ahead, on
    /// the link that has more of it, where that is more.
    pub fn took(&self) -> Took {
        let in_rounds = self.servers / 2 + self.to_helper / 2 + self.from_helper;
        Took { rounds: self.rounds, bytes: self.ahead.into_iter().fold(in_rounds, u64::max) }
    }

    /// Bytes of payload from each party to each other one.
    pub const fn sent(&self) -> [[u64; 3]; 3] {
        let (servers, up) = (self.servers / 2, self.to_helper / 2);
        [[0, servers, up], [servers, 0, up], [self.ahead[0], self.ahead[1] + self.from_helper, 0]]
    }
}

impl AddAssign for Price {
    fn add_assign(&mut self, next: Price) {
        *self = self.then(next);
    }
}

impl Sub for Price {
    type Output = Price;

    /// What has been added since `before`.
    fn sub(self, before: Price) -> Price {
        Price {
            rounds: self.rounds - before.rounds,
            ahead: [self.ahead[0] - before.ahead[0], self.ahead[1] - before.ahead[1]],
            servers: self.servers - before.servers,
            to_helper: self.to_helper - before.to_helper,
            from_helper: self.from_helper - before.from_helper,
        }
    }
}
