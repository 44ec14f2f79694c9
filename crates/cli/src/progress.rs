//! Progress on standard error: a bar on a terminal, plain lines otherwise.

use crate::output::note;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use trefoil_lab::demo::Progress;

/// Without a terminal, at most one line about steps in this time.
const PAUSE: Duration = Duration::from_secs(5);

/// Shows how a run goes on.
pub struct Reporter {
    terminal: bool,
    bar: Option<ProgressBar>,
    rate: Rate,
    said: Instant,
}

/// Steps taken so far: seconds spent in them, and bytes.
#[derive(Default)]
struct Rate {
    steps: u64,
    seconds: f64,
    bytes: u64,
    loss: Option<f64>,
}

impl Rate {
    fn add(&mut self, seconds: f64, bytes: u64) {
        self.steps += 1;
        self.seconds += seconds;
        self.bytes += bytes;
    }

    fn per_second(&self, amount: f64) -> f64 {
        if self.seconds > 0.0 { amount / self.seconds } else { 0.0 }
    }

    fn seconds_left(&self, steps: u64) -> f64 {
        self.seconds / self.steps.max(1) as f64 * steps as f64
    }
}

/// "loss 0.312  6.1 steps/s  120.4 MB/s"; before the first epoch ends no loss is known.
impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(loss) = self.loss {
            write!(f, "loss {loss:.4}  ")?;
        }
        write!(f, "{:.1} steps/s  {:.1} MB/s", self.per_second(self.steps as f64), self.per_second(self.bytes as f64 / 1e6))
    }
}

impl Reporter {
    /// A bar if standard error is a terminal.
    pub fn new() -> Reporter {
        Reporter { terminal: std::io::stderr().is_terminal(), bar: None, rate: Rate::default(), said: Instant::now() }
    }

    /// Shows one event.
    pub fn on(&mut self, event: Progress<'_>) {
        match event {
            Progress::Phase(name) => {
                self.finish();
                note(name);
            }
            Progress::Step { step, total, seconds, bytes } => self.step(step, total, seconds, bytes),
            Progress::Epoch { epoch, loss, accuracy } => {
                self.rate.loss = Some(loss);
                self.line(format!("epoch {epoch}: loss {loss:.4}, accuracy {:.2}% (opened from shares)", accuracy * 100.0));
            }
            Progress::FloatEpoch { epoch, loss, accuracy } => {
                self.line(format!("epoch {epoch}: loss {loss:.4}, accuracy {:.2}% (float)", accuracy * 100.0));
            }
        }
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn step(&mut self, step: u64, total: u64, seconds: f64, bytes: u64) {
        self.rate.add(seconds, bytes);
        if self.terminal {
            let bar = self.bar.get_or_insert_with(|| new_bar(total));
            bar.set_message(self.rate.to_string());
            bar.set_position(step);
        } else if self.said.elapsed() >= PAUSE {
            self.said = Instant::now();
            let left = self.rate.seconds_left(total.saturating_sub(step));
            note(format_args!("step {step} of {total}: {}, {left:.0} s left", self.rate));
        }
    }

    /// A line that stays; it goes above the bar.
    fn line(&self, text: String) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => note(text),
        }
    }
}

fn new_bar(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len}  {msg}  ETA {eta}");
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let mut rate = Rate::default();
        assert_eq!(rate.to_string(), "0.0 steps/s  0.0 MB/s");
        rate.add(0.25, 1_000_000);
        rate.add(0.25, 3_000_000);
        assert_eq!(rate.to_string(), "4.0 steps/s  8.0 MB/s");
        assert_eq!(rate.seconds_left(10), 2.5);
        rate.loss = Some(0.5);
        assert!(rate.to_string().starts_with("loss 0.5000  4.0"));
    }
}
