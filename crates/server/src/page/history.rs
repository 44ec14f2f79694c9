//! What the page draws of a job. A series that has become long is joined, two points to one, so that however long a training is, memory is as it was.

use crate::record::Figures;
use crate::report::{CostLine, OfRanks};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Points of a series.
const MOST: usize = 256;
/// Steps a second are those of so long.
const RECENT: Duration = Duration::from_secs(10);
/// And are looked at so often, which bounds how many are kept.
const APART: Duration = Duration::from_millis(200);
/// What a session took is taken down so often.
const COST: Duration = Duration::from_millis(500);

/// Points in order, at most [`MOST`] of them: each joins `every` that came.
pub struct Series<T> {
    points: Vec<T>,
    join: fn(&T, &T) -> T,
    every: u64,
    /// The last point, and how many it joins so far.
    open: Option<(T, u64)>,
}

/// A series that keeps the last of those that it joins.
pub fn keep_later<T: Copy>(_: &T, later: &T) -> T {
    *later
}

impl<T: Copy> Series<T> {
    pub fn new(join: fn(&T, &T) -> T) -> Series<T> {
        Series { points: vec![], join, every: 1, open: None }
    }

    pub fn push(&mut self, point: T) {
        let (joined, of) = match &self.open {
            Some((last, of)) if *of < self.every => ((self.join)(last, &point), of + 1),
            open => {
                self.points.extend(open.map(|(last, _)| last));
                (point, 1)
            }
        };
        self.open = Some((joined, of));
        if self.points.len() == MOST {
            self.points = self.points.chunks(2).map(|two| (self.join)(&two[0], &two[1])).collect();
            self.every *= 2;
        }
    }

    pub fn points(&self) -> impl Iterator<Item = T> {
        self.points.iter().copied().chain(self.open.map(|(last, _)| last))
    }
}

/// Steps, the last of them, and their seconds.
#[derive(Clone, Copy)]
pub struct Pace {
    pub step: u64,
    steps: u64,
    seconds: f64,
}

impl Pace {
    /// Seconds of one of them.
    pub fn seconds(&self) -> f64 {
        self.seconds / self.steps as f64
    }
}

/// What a session took so far at this party, all its ranks together.
#[derive(Clone, Serialize)]
pub struct Spent {
    pub lines: Vec<CostLine>,
    /// Payload sent to P0, P1 and P2.
    pub sent: [u64; 3],
    /// The same with headers and TLS.
    pub wire: [u64; 3],
    /// Payload that each lane sent, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<[u64; 3]>,
}

impl Spent {
    pub fn of(ranks: &OfRanks) -> Spent {
        Spent { sent: ranks.sent(), wire: ranks.wire(), lanes: ranks.by_lane(), lines: ranks.cost() }
    }
}

/// A job's.
pub struct History {
    pub epochs: Series<Figures>,
    pub pace: Series<Pace>,
    recent: VecDeque<(Instant, u64)>,
    spent: Option<(Instant, Spent)>,
    /// The network in words, once somebody has asked.
    pub network: OnceLock<String>,
}

impl Default for History {
    fn default() -> History {
        let join = |a: &Pace, b: &Pace| Pace { step: b.step, steps: a.steps + b.steps, seconds: a.seconds + b.seconds };
        History {
            epochs: Series::new(keep_later),
            pace: Series::new(join),
            recent: VecDeque::new(),
            spent: None,
            network: OnceLock::new(),
        }
    }
}

impl History {
    /// Whether it is time to find out again what the session took.
    pub fn is_old(&self) -> bool {
        self.is_old_at(Instant::now())
    }

    fn is_old_at(&self, now: Instant) -> bool {
        self.spent.as_ref().is_none_or(|(at, _)| now.duration_since(*at) >= COST)
    }

    /// A step is done; `spent` is what the session took, where that was found out.
    pub fn step(&mut self, step: u64, time: Duration, spent: Option<Spent>) {
        self.step_at(step, time, Instant::now(), spent);
    }

    fn step_at(&mut self, step: u64, time: Duration, now: Instant, spent: Option<Spent>) {
        self.pace.push(Pace { step, steps: 1, seconds: time.as_secs_f64() });
        // A session that goes on from a checkpoint does steps again.
        if self.recent.back().is_some_and(|(_, last)| step <= *last) {
            self.recent.clear();
        }
        if self.recent.back().is_none_or(|(at, _)| now.duration_since(*at) >= APART) {
            self.recent.push_back((now, step));
        }
        while self.recent.front().is_some_and(|(at, _)| now.duration_since(*at) > RECENT) {
            self.recent.pop_front();
        }
        if let Some(spent) = spent {
            self.spent = Some((now, spent));
        }
    }

    /// A session is over: this is what it took, and it goes on at no pace.
    pub fn ended(&mut self, spent: Spent) {
        self.recent.clear();
        self.spent = Some((Instant::now(), spent));
    }

    /// What the last session took.
    pub fn spent(&self) -> Option<&Spent> {
        self.spent.as_ref().map(|(_, spent)| spent)
    }

    /// Steps a second of late; nothing is done while it stands.
    pub fn steps_per_second(&self) -> Option<f64> {
        let ((first, from), (_, to)) = (self.recent.front()?, self.recent.back()?);
        let seconds = first.elapsed().as_secs_f64();
        (to > from).then(|| (to - from) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_stay_short_and_say_the_same() {
        let mut sums = Series::new(|a: &(u64, u64), b: &(u64, u64)| (b.0, a.1 + b.1));
        for i in 1..=100_000u64 {
            sums.push((i, i));
            let points: Vec<_> = sums.points().collect();
            if i.is_multiple_of(997) || i < 600 {
                assert!(points.len() <= MOST, "{i}: {}", points.len());
                assert_eq!(points.iter().map(|(_, sum)| sum).sum::<u64>(), i * (i + 1) / 2);
                assert!(points.is_sorted() && points.last().unwrap().0 == i);
            }
        }
    }

    /// A day of steps, twenty a second, an epoch every two seconds: memory is what it was after ten minutes.
    #[test]
    fn a_day_takes_no_more_memory_than_ten_minutes() {
        let (mut history, start) = (History::default(), Instant::now());
        let line = |i: u64| CostLine {
            layer: format!("layer {}", i % 20),
            label: "label".into(),
            rounds: i,
            payload_bytes: i,
            messages: i,
            seconds: i as f64,
        };
        let held = |history: &History| {
            let epochs = history.epochs.points.capacity() * size_of::<Figures>();
            let pace = history.pace.points.capacity() * size_of::<Pace>();
            let spent = history.spent().map_or(0, |spent| spent.lines.capacity() * size_of::<CostLine>());
            epochs + pace + history.recent.capacity() * size_of::<(Instant, u64)>() + spent
        };
        let mut early = 0;
        let steps = 24 * 3600 * 20;
        for step in 1..=steps {
            let now = start + Duration::from_millis(50 * step);
            let spent = || Spent { lines: (0..60).map(line).collect(), sent: [step; 3], wire: [step; 3], lanes: vec![] };
            let spent = history.is_old_at(now).then(spent);
            history.step_at(step, Duration::from_millis(50), now, spent);
            if step.is_multiple_of(40) {
                history.epochs.push(Figures { epoch: step / 40, loss: Some(1.0), metric: Some(0.5), lost: false });
            }
            if step == 600 * 20 {
                early = held(&history);
            }
        }
        assert!(held(&history) <= early && early < 100_000, "{early} bytes, then {}", held(&history));
        assert_eq!(history.epochs.points().last().unwrap().epoch, steps / 40);
        assert!(history.pace.points().all(|pace| (pace.seconds() - 0.05).abs() < 1e-9));
    }
}
