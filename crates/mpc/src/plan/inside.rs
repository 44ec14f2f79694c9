//! What the ranks of one party say to one another in a plan of lanes.

use crate::lanes::{FRAME, parent};
use std::ops::{AddAssign, Sub};

/// Messages between ranks, and their words of 64 bits. They are counted at a server, whose shares may wait for a lift: P2's are the same or shorter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// From rank 0 to all, along the tree: on each of its edges.
    pub spread: Said,
    /// From this rank to single others: rows that it holds and that are theirs to work on.
    pub rows: Said,
    /// Sums, from all ranks to rank 0: on each edge of the tree.
    pub summed: Said,
}

/// Some messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// How many.
    pub messages: u64,
    /// Words of all of them.
    pub words: u64,
}

impl Said {
    /// One message of so many words, and of those that every message has.
    pub(crate) fn once(words: usize) -> Said {
        Said { messages: 1, words: (FRAME + words) as u64 }
    }
}

impl Inside {
    /// Seconds until all ranks but the first can begin, and until all sums are at rank 0, where each message is on its way for `latency` seconds, and a word takes `word` seconds to
    /// leave a machine, and as many to arrive.
    pub fn seconds(&self, lanes: usize, latency: f64, word: f64) -> f64 {
        let time = |said: Said| (said.messages as f64 * latency, said.words as f64 * word);
        // Both go along a tree: down, a rank serves one child after the other; up, it takes in one after the other.
        let (down, up) = (time(self.spread), time(self.summed));
        let mut at = vec![0.0; lanes];
        for rank in 1..lanes {
            at[rank] = at[parent(rank)] + down.0 + down.1 * if rank % 2 == 1 { 1.0 } else { 2.0 };
        }
        let begins = at.iter().copied().fold(0.0, f64::max);
        // Every rank gives each other one its rows, all at the same time, once it knows which.
        let rows = if self.rows.messages > 0 && lanes > 1 { latency + self.rows.words as f64 * word } else { 0.0 };
        let begins = begins + rows;
        let mut has = vec![0.0f64; lanes];
        for rank in (1..lanes).rev() {
            let parent = parent(rank);
            has[parent] = has[parent].max(has[rank] + up.0) + up.1;
        }
        begins + has.first().copied().unwrap_or_default()
    }
}

impl AddAssign for Said {
    fn add_assign(&mut self, more: Said) {
        *self = Said { messages: self.messages + more.messages, words: self.words + more.words };
    }
}

impl Sub for Said {
    type Output = Said;
    fn sub(self, before: Said) -> Said {
        Said { messages: self.messages - before.messages, words: self.words - before.words }
    }
}

impl Sub for Inside {
    type Output = Inside;
    fn sub(self, before: Inside) -> Inside {
        Inside { spread: self.spread - before.spread, rows: self.rows - before.rows, summed: self.summed - before.summed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn along_the_tree() {
        let inside = |spread, rows, summed| Inside { spread, rows, summed };
        let (none, one) = (Said::default(), Said { messages: 1, words: 100 });
        // A lane alone says nothing.
        assert_eq!(inside(one, one, one).seconds(1, 1.0, 1.0), 0.0);
        // To one rank, then rows both ways; and back.
        assert_eq!(inside(one, none, none).seconds(2, 1.0, 0.01), 2.0);
        assert_eq!(inside(one, one, none).seconds(2, 1.0, 0.01), 4.0);
        assert_eq!(inside(none, none, one).seconds(2, 1.0, 0.01), 2.0);
        // The second of two children waits for the first, on both ways; four ranks are a level more.
        assert_eq!(inside(one, none, none).seconds(3, 1.0, 0.01), 3.0);
        assert_eq!(inside(none, none, one).seconds(3, 1.0, 0.01), 3.0);
        assert_eq!(inside(one, none, none).seconds(4, 1.0, 0.01), 4.0);
        assert_eq!(inside(none, none, one).seconds(4, 1.0, 0.01), 4.0);
    }
}
