//! Which epochs' figures have been opened. An epoch that is done again after a fault ends in a state of other rounding: opened again, its
//! figures would say more than they were to say. So each epoch's are opened at most once, over all sessions of a job.
//!
//! P0 and P1 open, each by a message to the other, and each writes down that it *begins* before it sends its own. A session is bound to
//! the highest such epoch of all three: who has it on disk decides, whoever else has died before. P2 runs ahead and is shown nothing; it
//! writes down what the others tell it, at the start of a session and at checkpoints.
//!
//! Statistics of columns are opened once too, before the first step: by the same rule, and with the same flag on the disk before.
//!
//! Figures that were begun and are not on the disks of both P0 and P1 are *lost*. All three come to the same, from what all three tell.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use trefoil_net::Id;

/// What a party has on disk of a job's openings, by epochs counted from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Openings {
    /// Nothing of the epochs up to this one is opened any more.
    pub begun: u64,
    /// The last epoch whose figures are here, and whose check was passed; 0 at P2.
    pub done: u64,
    /// Epochs without figures: they were begun, and a fault came.
    pub lost: BTreeSet<u64>,
    /// Whether statistics of columns were begun to be opened, before the first step. They are not opened again.
    #[serde(default)]
    pub statistics: bool,
}

impl Openings {
    /// What all three are bound to, from what each has told; `done` stays this party's own.
    ///
    /// # Errors
    /// Somebody names an epoch that the job does not have.
    pub fn agree(&self, all: &[(Id, &Openings)], epochs: u64) -> Result<Openings> {
        for (id, told) in all {
            let last = told.lost.last().copied().unwrap_or(0).max(told.begun).max(told.done);
            if last > epochs {
                return Err(Error::Handshake(format!("{id} has opened figures of epoch {last}, expected at most {epochs}")));
            }
        }
        let begun = all.iter().map(|(_, told)| told.begun).max().unwrap_or(self.begun);
        let known = all.iter().filter(|(id, _)| *id != Id::P2).map(|(_, told)| told.done).min().unwrap_or(self.done);
        let lost = all.iter().flat_map(|(_, told)| told.lost.iter().copied()).chain(known + 1..=begun).collect();
        let statistics = all.iter().any(|(_, told)| told.statistics);
        Ok(Openings { begun, done: self.done, lost, statistics })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(begun: u64, done: u64, lost: &[u64]) -> Openings {
        Openings { begun, done, lost: lost.iter().copied().collect(), statistics: false }
    }

    /// What each of the three makes of what all three have told.
    fn agreed(all: [Openings; 3]) -> Result<[Openings; 3]> {
        let told: Vec<(Id, &Openings)> = Id::ALL.into_iter().zip(&all).collect();
        let [a, b, c] = [0, 1, 2].map(|i| all[i].agree(&told, 9));
        Ok([a?, b?, c?])
    }

    #[test]
    fn all_three_decide_alike_from_whatever_each_has_on_disk() {
        for (all, begun, lost) in [
            // Nothing yet; all in step, with P2 behind, as it hears of an epoch at the next checkpoint.
            ([told(0, 0, &[]), told(0, 0, &[]), told(0, 0, &[])], 0, &[][..]),
            ([told(4, 4, &[]), told(4, 4, &[]), told(2, 0, &[])], 4, &[]),
            // Killed after one has begun, after both have, and after one has the figures.
            ([told(5, 4, &[]), told(4, 4, &[]), told(4, 0, &[])], 5, &[5]),
            ([told(4, 4, &[]), told(5, 4, &[]), told(0, 0, &[])], 5, &[5]),
            ([told(5, 4, &[]), told(5, 4, &[]), told(4, 0, &[])], 5, &[5]),
            ([told(5, 5, &[]), told(5, 4, &[]), told(4, 0, &[])], 5, &[5]),
            // An epoch that was lost stays so, whoever has written that down, and a second one joins it.
            ([told(7, 7, &[5]), told(7, 7, &[]), told(6, 0, &[5])], 7, &[5]),
            ([told(6, 5, &[]), told(6, 4, &[5]), told(5, 0, &[5])], 6, &[5, 6]),
            // P0's disk was put back to an older state: the others know better.
            ([told(1, 1, &[]), told(3, 3, &[]), told(3, 0, &[])], 3, &[2, 3]),
            ([told(1, 1, &[]), told(1, 1, &[]), told(3, 0, &[])], 3, &[2, 3]),
        ] {
            let own = all.clone().map(|o| o.done);
            let all = agreed(all).unwrap();
            assert_eq!(all, own.map(|done| told(begun, done, lost)));
            // Whoever dies before it is on disk comes to the same again.
            assert_eq!(agreed(all.clone()).unwrap(), all);
        }
    }

    /// Whoever has it on disk that they were begun decides for all.
    #[test]
    fn statistics_are_opened_once() {
        let with = |statistics| Openings { statistics, ..told(0, 0, &[]) };
        for begun in [[false; 3], [true, false, false], [false, true, false], [true, true, false], [false, false, true]] {
            let all = agreed(begun.map(with)).unwrap();
            assert_eq!(all.map(|o| o.statistics), [begun.contains(&true); 3]);
        }
    }

    #[test]
    fn nobody_makes_up_epochs() {
        for bad in [told(10, 0, &[]), told(0, u64::MAX, &[]), told(2, 2, &[u64::MAX])] {
            let e = agreed([told(2, 2, &[]), told(2, 2, &[]), bad]).unwrap_err().to_string();
            assert!(e.starts_with("handshake: P2 has opened figures of epoch ") && e.ends_with("expected at most 9"), "{e}");
        }
    }
}
