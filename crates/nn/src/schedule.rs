//! The learning rate of each epoch.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How the learning rate goes. Epochs are counted from 1 in the text, as they are shown, and from 0 in the code.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Schedule {
    /// The same rate throughout.
    Constant,
    /// Half a cosine, from the rate down to almost 0.
    #[default]
    Cosine,
    /// After every so many epochs the rate times this factor.
    Step(u64, f64),
    /// In place of the rate that is set: the first one, then (epoch from which on, rate), in ascending order.
    Rates(f64, Vec<(u64, f64)>),
}

const EXPECTED: &str =
    "constant, cosine, step:EPOCHS:FACTOR such as step:10:0.5, or rates with the epoch they start at, such as 0.1,0.05@5,0.01@10";

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Schedule> {
        let wrong = || Error::config("learning-rate schedule", format!("{text:?}"), EXPECTED);
        match text.trim() {
            "constant" => return Ok(Schedule::Constant),
            "cosine" => return Ok(Schedule::Cosine),
            _ => {}
        }
        if let Some((every, factor)) = text.trim().strip_prefix("step:").and_then(|rest| rest.split_once(':')) {
            let step = every.parse().ok().zip(factor.parse().ok());
            return match step {
                Some((every, factor)) if every > 0 && factor > 0.0 && factor <= 1.0 => Ok(Schedule::Step(every, factor)),
                _ => Err(wrong()),
            };
        }
        let mut parts = text.split(',').map(str::trim);
        let number = |t: &str| t.trim().parse().map_err(|_| wrong()).and_then(rate);
        let first = number(parts.next().ok_or_else(wrong)?)?;
        let mut changes = Vec::new();
        let mut last = 1u64;
        for part in parts {
            let (value, epoch) = part.split_once('@').ok_or_else(wrong)?;
            let epoch: u64 = epoch.trim().parse().map_err(|_| wrong())?;
            if epoch <= last {
                return Err(Error::config(
                    "learning-rate schedule",
                    format!("epoch {epoch} after epoch {last}"),
                    "ascending epochs",
                ));
            }
            last = epoch;
            changes.push((epoch - 1, number(value)?));
        }
        Ok(Schedule::Rates(first, changes))
    }
}

impl TryFrom<String> for Schedule {
    type Error = Error;

    fn try_from(text: String) -> Result<Schedule> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> String {
        schedule.to_string()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Constant => f.write_str("constant"),
            Schedule::Cosine => f.write_str("cosine"),
            Schedule::Step(every, factor) => write!(f, "step:{every}:{factor}"),
            Schedule::Rates(first, changes) => {
                write!(f, "{first}")?;
                changes.iter().try_for_each(|(epoch, rate)| write!(f, ",{rate}@{}", epoch + 1))
            }
        }
    }
}

impl Schedule {
    /// The rate in `epoch`, counted from 0, of `epochs`, where `lr` is the one that is set.
    pub fn rate(&self, lr: f64, epoch: u64, epochs: u64) -> f64 {
        match self {
            Schedule::Constant => lr,
            Schedule::Cosine => lr * (1.0 + cos_pi(epoch as f64 / epochs.max(1) as f64)) / 2.0,
            // By repeated products: the same on every machine.
            Schedule::Step(every, factor) => (0..(epoch / every.max(&1)).min(MOST_STEPS)).fold(lr, |lr, _| lr * factor),
            Schedule::Rates(first, changes) => {
                changes.iter().rev().find(|(from, _)| *from <= epoch).map_or(*first, |(_, rate)| *rate)
            }
        }
    }

    /// Whether the rate of this epoch is one that somebody wrote, rather than one that follows from it.
    pub fn is_written(&self, epoch: u64) -> bool {
        matches!(self, Schedule::Constant | Schedule::Rates(..)) || epoch == 0
    }
}

/// After so many steps down any rate is at the floor.
const MOST_STEPS: u64 = 2_000;

fn rate(lr: f64) -> Result<f64> {
    if lr.is_finite() && lr >= 0.0 { Ok(lr) } else { Err(Error::config("learning rate", lr, "0 or a finite positive number")) }
}

/// cos(pi t) for t in [0, 1] by its power series: the same on every machine, which a library's cosine need not be.
fn cos_pi(t: f64) -> f64 {
    if t > 0.5 {
        return -cos_pi(1.0 - t);
    }
    let square = (std::f64::consts::PI * t).powi(2);
    (1..=12).rev().fold(1.0, |sum, k| 1.0 - sum * square / f64::from((2 * k - 1) * (2 * k)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_rates() {
        let rates = |text: &str| {
            let s: Schedule = text.parse().unwrap();
            assert_eq!(s.to_string().parse::<Schedule>().unwrap(), s);
            assert_eq!(serde_json::from_value::<Schedule>(serde_json::json!(s)).unwrap(), s);
            (0..6).map(|e| s.rate(0.2, e, 6)).collect::<Vec<_>>()
        };
        assert_eq!(rates("constant"), [0.2; 6]);
        assert_eq!(rates("0.3"), [0.3; 6]);
        assert_eq!(rates("0.1, 0.05@3,0@5"), [0.1, 0.1, 0.05, 0.05, 0.0, 0.0]);
        assert_eq!(rates("step:2:0.5"), [0.2, 0.2, 0.1, 0.1, 0.05, 0.05]);
        for (e, r) in rates("cosine").into_iter().enumerate() {
            let want = 0.1 * (1.0 + (std::f64::consts::PI * e as f64 / 6.0).cos());
            assert!((r - want).abs() < 1e-15);
        }
    }

    #[test]
    fn wrong_texts_are_refused() {
        for text in [
            "",
            "fast",
            "0.1,",
            "0.1,0.2",
            "0.1,0.2@x",
            "0.1,0.2@1",
            "0.1,0.2@5,0.3@5",
            "-1",
            "NaN",
            "inf",
            "0.1,-1@2",
            "step:0:0.5",
            "step:2:2",
            "step:2",
            "step:2:NaN",
        ] {
            let error = text.parse::<Schedule>().unwrap_err().to_string();
            assert!(error.contains("found") && error.contains("expected"), "{error}");
        }
    }
}
