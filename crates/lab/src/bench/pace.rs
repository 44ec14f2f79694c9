//! When a measurement begins and ends, from what the parties say after each iteration.
//!
//! The masked suite's helper runs ahead. While its lead grows it takes processor time for work that is not yet used, and once it has done
//! its last iteration it takes none: a clock that runs over a helper's beginning or end shows something else than many iterations take.
//! So the parties iterate until they are stopped; the clock starts when the lead has stopped growing, and stops while all three work.

use std::time::{Duration, Instant};
use trefoil_mpc::Id;
use trefoil_server::lap::{Lap, Usage};

/// Iterations before the lead is looked at.
const WARM_UP: usize = 3;

/// When to begin and when to end.
pub(super) struct Pace {
    laps: [Vec<Lap>; 3],
    /// The helper's lead in iterations, after each of P1's.
    leads: Vec<usize>,
    /// How many iterations each had done when the clock started.
    begun: Option<([usize; 3], Instant)>,
    iterations: usize,
    most: Duration,
    over: bool,
}

impl Pace {
    /// Until `iterations` are measured, or for as long as `most` where that is shorter, but for one at least.
    pub(super) fn new(iterations: usize, most: Duration) -> Pace {
        Pace { laps: Default::default(), leads: vec![], begun: None, iterations, most, over: false }
    }

    /// Takes note of an iteration; whether enough is measured.
    pub(super) fn lap(&mut self, id: Id, lap: Lap) -> bool {
        if self.over {
            return true;
        }
        self.laps[id.index()].push(lap);
        let done = self.laps.each_ref().map(Vec::len);
        if id == Id::P1 {
            self.leads.push(done[2].saturating_sub(done[1]));
        }
        match self.begun {
            None if id == Id::P1 && done.iter().all(|n| *n >= WARM_UP) && self.level() => {
                self.begun = Some((done, Instant::now()));
            }
            Some((begun, at)) => {
                let fewest = (0..3).map(|i| done[i] - begun[i]).min().unwrap_or(0);
                self.over = fewest >= self.iterations || (fewest > 0 && at.elapsed() >= self.most);
            }
            None => {}
        }
        self.over
    }

    /// Whether enough is measured.
    pub(super) fn over(&self) -> bool {
        self.over
    }

    /// Whether the lead was no longer in the last iterations than in those before: ten, or as many as a quarter of a second has.
    fn level(&self) -> bool {
        let mean = self.laps[1].last().map_or(0.0, |lap| lap.wall) / self.leads.len().max(1) as f64;
        let few = ((0.25 / mean.max(1e-9)) as usize).clamp(1, 10);
        let most = |leads: &[usize]| leads.iter().max().copied();
        match self.leads.len().checked_sub(2 * few) {
            Some(from) => {
                let (before, last) = self.leads[from..].split_at(few);
                most(last) <= most(before)
            }
            None => false,
        }
    }

    /// A party's iterations that count, each with the one before the first.
    fn counted(&self, i: usize) -> &[Lap] {
        let from = self.begun.map_or(0, |(begun, _)| begun[i].saturating_sub(1));
        &self.laps[i][from..]
    }

    /// The numbers of P1's iterations that count, from 0 on.
    pub(super) fn range(&self) -> std::ops::Range<usize> {
        self.begun.map_or(0, |(begun, _)| begun[1])..self.laps[1].len()
    }

    /// Seconds of P0's iterations that count.
    pub(super) fn seconds(&self) -> Vec<f64> {
        self.counted(0).iter().skip(1).map(|lap| lap.seconds).collect()
    }

    /// Seconds of the wall clock that an iteration took the slowest party.
    pub(super) fn steady(&self) -> f64 {
        (0..3).map(|i| self.per_lap(i, |lap| lap.wall)).fold(0.0, f64::max)
    }

    /// Growth of a figure in an iteration of a party.
    pub(super) fn per_lap(&self, i: usize, of: impl Fn(&Lap) -> f64) -> f64 {
        match self.counted(i) {
            [first, .., last] => (of(last) - of(first)) / (self.counted(i).len() - 1) as f64,
            _ => f64::NAN,
        }
    }

    /// Processor seconds and multiply-accumulates of an iteration of a party's process, between the first and the last time that it asked
    /// while the clock ran; from its beginning on, if it asked less than twice.
    pub(super) fn usage(&self, i: usize) -> (f64, f64) {
        let asked = |laps: &[Lap]| -> Vec<(usize, Usage)> {
            laps.iter().enumerate().filter_map(|(n, lap)| lap.usage.map(|usage| (n, usage))).collect()
        };
        let counted = asked(self.counted(i));
        let asked = if counted.len() < 2 { asked(&self.laps[i]) } else { counted };
        match &asked[..] {
            [(from, a), .., (to, b)] => {
                let laps = (to - from) as f64;
                ((b.cpu - a.cpu) / laps, b.macs.saturating_sub(a.macs) as f64 / laps)
            }
            _ => (f64::NAN, f64::NAN),
        }
    }

    /// A party's last word.
    pub(super) fn last(&self, i: usize) -> Lap {
        self.laps[i].last().cloned().unwrap_or_default()
    }

    /// The most memory that a party's process has held.
    pub(super) fn peak_rss(&self, i: usize) -> u64 {
        self.laps[i].iter().filter_map(|lap| lap.usage).map(|usage| usage.peak_rss).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lap(wall: f64) -> Lap {
        Lap {
            seconds: 1.0,
            wall,
            usage: Some(Usage { cpu: wall / 2.0, macs: (wall * 10.0) as u64, peak_rss: 7 }),
            ..Lap::default()
        }
    }

    /// A helper that gets 20 iterations ahead and then waits. The clock starts when it waits.
    #[test]
    fn begins_when_the_lead_is_level() {
        let mut pace = Pace::new(50, Duration::from_secs(1000));
        let (mut ahead, mut done) = (0, 0);
        loop {
            done += 1;
            while ahead < done + 20.min(3 * done) {
                ahead += 1;
                // It ran fast at first, and then as fast as the others.
                assert!(!pace.lap(Id::P2, lap(f64::from(ahead) * if ahead < 20 { 0.1 } else { 0.2 })));
            }
            pace.lap(Id::P0, lap(f64::from(done) * 0.2));
            if pace.lap(Id::P1, lap(f64::from(done) * 0.2)) {
                break;
            }
        }
        // It grows for 7 iterations, and must have been level for one look at 0.2 s an iteration.
        assert_eq!((pace.range(), done), (8..58, 58));
        assert!((pace.steady() - 0.2).abs() < 1e-9 && pace.seconds().len() == 50);
        let (cpu, macs) = pace.usage(1);
        assert!((cpu - 0.1).abs() < 1e-9 && (macs - 2.0).abs() < 0.1 && pace.peak_rss(0) == 7);
    }

    /// The slowest counts, be it the helper.
    #[test]
    fn the_slowest_counts() {
        let mut pace = Pace::new(10, Duration::from_secs(1000));
        let mut over = false;
        for n in 1..40 {
            for (id, pause) in [(Id::P2, 0.5), (Id::P0, 0.4), (Id::P1, 0.4)] {
                over = over || pace.lap(id, lap(f64::from(n) * pause));
            }
        }
        assert!(over && pace.over() && (pace.steady() - 0.5).abs() < 1e-9);
    }

    /// Time is up after one iteration.
    #[test]
    fn time_is_bounded() {
        let mut pace = Pace::new(1000, Duration::ZERO);
        let laps = (1..).take_while(|n| !Id::ALL.into_iter().any(|id| pace.lap(id, lap(f64::from(*n))))).count();
        assert_eq!((laps, pace.range().len()), (4, 1));
    }
}
