//! How many bits each quantity has, so that every product stays below 2^61.
//!
//! With f fraction bits (`--fraction-bits`):
//!
//! | quantity | fraction bits | range |
//! |---|---|---|
//! | inputs | their own: 8 for pixels | their own |
//! | activations, logits | f | 2^8 |
//! | weights, biases | f + g, where g is 8, or less if products need the room | 16 |
//! | their update in a step | f + g | 2 |
//! | probabilities minus labels | min(f, 16): softmax is no more exact than that | 1 |
//! | gradient d = (p - y) rate / batch | min(f, 16) + r + k, with the rate written as m 2^-k, m of r <= 10 bits | 2^-k |
//! | gradient by a hidden layer's output | 5 bits less | 2^(5-k) |
//!
//! In a regression:
//!
//! | quantity | fraction bits | range |
//! |---|---|---|
//! | output z | min(f, 12) | 2^6 |
//! | target y | 12 | 2^3 |
//! | z - y | 12 | 2^7 |
//! | gradient d = (z - y) rate / batch | 12 + r + k | 2^(7-k) |
//! | gradient by a hidden layer's output | 4 bits less | 2^(11-k) |
//!
//! The gradient carries the learning rate from its source on, as an integer of r bits and a moved point. Everything
//! after that is linear in it, so neither the rate nor the division by the batch costs a truncation.

use crate::graph::{Graph, Param};
use crate::layers::Formats;
use crate::loss::{Loss, TARGET};
use crate::{Error, Result};
use trefoil_engine::{Engine, Format};

/// Bits before the point: of activations, weights, updates.
const ACTIVATION: i8 = 8;
const WEIGHT: i8 = 4;
const STEP: i8 = 1;
/// Of the output of a regression, and of its difference from a target below 2^3.
const VALUE: i8 = 6;
const ERROR: i8 = 7;
/// Running values have as many bits as weights, and so many more of them before the point: they are below 2^8.
pub const RUNNING: u8 = 4;
/// Most fraction bits that weights have more than activations, and most bits in all: the square of a weight fits into the ring.
const EXTRA: u8 = 8;
const WEIGHT_BITS: u8 = 30;
/// Significant bits of the learning rate: at most, and at least.
const RATE: [u8; 2] = [10, 8];
/// Fraction bits of the momentum.
pub const MOMENTUM: u8 = 16;
/// The learning rate over the batch stays below this: far beyond any use, and the gradient keeps its fraction bits.
const MOST_RATE: f64 = 1024.0;
/// All integers stay below 2^61.
const WORD: u8 = 61;

/// The formats of a network's quantities.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scales {
    /// Inputs.
    pub input: Format,
    /// Activations and logits.
    pub activation: Format,
    /// Weights and biases.
    pub weight: Format,
    /// What a step takes off a weight.
    pub step: Format,
    /// Outputs: logits, or the value of a regression.
    pub output: Format,
    /// Outputs minus labels: p - y or z - y.
    pub error: Format,
    /// By how many bits the range of the gradient by the last hidden layer is wider than that by the outputs.
    pub widen: u8,
    /// Significant bits of the learning rate.
    pub rate: u8,
}

impl Scales {
    /// All that may be tried, the finest first: weights with up to `EXTRA` fraction bits more than activations, then rates with fewer
    /// bits. Whether they fit into the ring is found by trying a step ([`Trainer::new`](crate::Trainer::new)).
    ///
    /// # Errors
    /// [`Error::Config`] for fraction bits with which nothing is worth trying.
    pub fn choices(fraction_bits: u8, input: Format, loss: Loss) -> Result<impl Iterator<Item = Scales>> {
        let f = fraction_bits;
        if !(8..=24).contains(&f) {
            return Err(Error::config("fraction bits", f, "8 to 24"));
        }
        let activation = Format::new(f, ACTIVATION);
        let (output, error, widen) = match loss {
            // A row of |p - y| sums to at most 2, and |w| < 16: 32 times the range of d holds every d W.
            Loss::CrossEntropy(_) => (activation, Format::new(f.min(16), 1), 5),
            // A row is one element.
            Loss::BinaryCrossEntropy => (activation, Format::new(f.min(16), 1), 4),
            // No more fraction bits than targets have; a row is one element.
            Loss::SquaredError => (Format::new(f.min(TARGET.frac), VALUE), Format::new(TARGET.frac, ERROR), 4),
        };
        let choice = move |(extra, rate)| {
            let (weight, step) = (Format::new(f + extra, WEIGHT), Format::new(f + extra, STEP));
            Scales { input, activation, weight, step, output, error, widen, rate }
        };
        let rates = |extra| (RATE[1]..=RATE[0]).rev().map(move |rate| (extra, rate));
        let most = EXTRA.min(WEIGHT_BITS - f - WEIGHT.cast_unsigned());
        Ok((0..=most).rev().flat_map(rates).map(choice))
    }

    /// The format of a parameter: that of weights, or of running values.
    pub fn param(&self, param: &Param) -> Format {
        if param.trained { self.weight } else { Format { frac: self.weight.frac - RUNNING, ..self.weight } }
    }

    /// The formats of each node's numbers. The outputs' own are the last node's; and only the gradient there has rows whose sum is
    /// bounded, so that behind it the range is wider.
    pub fn formats(&self, network: &Graph) -> Vec<Formats> {
        let last = |i| i + 1 == network.nodes.len();
        let formats = |i| match last(i) {
            true => Formats { out: self.output, widen: self.widen },
            false => Formats { out: self.activation, widen: 0 },
        };
        (0..network.nodes.len()).map(formats).collect()
    }

    /// The learning rate over the batch, as the gradient carries it.
    ///
    /// # Errors
    /// [`Error::Config`] if the rate is negative, not finite or too small for the fraction bits.
    pub fn rate(&self, lr: f64, batch: usize) -> Result<Rate> {
        let wanted = lr / batch as f64;
        if !(0.0..MOST_RATE).contains(&wanted) {
            return Err(Error::config("learning rate", lr, format!("at least 0 and below {}", MOST_RATE * batch as f64)));
        }
        let (bits, most) = (self.rate, self.most_shift());
        let (mut mantissa, mut power) = (wanted, 0i8);
        while mantissa >= 1.0 {
            (mantissa, power) = (mantissa / 2.0, power + 1);
        }
        while mantissa < 0.5 && -power < most {
            (mantissa, power) = (mantissa * 2.0, power - 1);
        }
        let unit = f64::from(bits).exp2();
        let mantissa = (mantissa * unit).round() / unit;
        let rate = Rate { mantissa, bits, power };
        if (rate.value() - wanted).abs() > wanted / 64.0 {
            let found = format!("{lr} with a batch of {batch}");
            let least = self.least_rate(batch);
            return Err(Error::config("learning rate", found, format!("0 or at least {least:.1e} at these fraction bits")));
        }
        Ok(rate)
    }

    /// The smallest learning rate above 0 that [`Scales::rate`] takes, with 32 units of its last place.
    pub fn least_rate(&self, batch: usize) -> f64 {
        32.0 * f64::from(-self.rate.cast_signed() - self.most_shift()).exp2() * batch as f64
    }

    /// How far a rate's point may be moved. More fraction bits would push the momentum, aligned to them, out of the ring.
    fn most_shift(&self) -> i8 {
        (WORD - 2).saturating_sub(self.activation.frac.max(self.input.frac) + self.error.frac + self.rate).cast_signed()
    }
}

/// A learning rate over a batch, as m 2^power where m has few bits.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rate {
    mantissa: f64,
    bits: u8,
    power: i8,
}

impl Rate {
    /// The rate that training uses: within 2^-8 of the one asked for, relatively, save for tiny rates.
    pub fn value(&self) -> f64 {
        self.mantissa * f64::from(self.power).exp2()
    }

    /// The exponent; it shifts the gradient's point.
    pub fn power(&self) -> i8 {
        self.power
    }

    /// x times the rate: local.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn times<E: Engine>(&self, e: &E, x: &E::Num) -> trefoil_engine::Result<E::Num> {
        e.times_2(&e.times(x, self.mantissa, self.bits)?, self.power)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Metric, OptimiserKind, Schedule, SoftmaxKind, Trainer, Training};
    use proptest::prelude::*;

    const CLASSES: Loss = Loss::CrossEntropy(SoftmaxKind::Exact);
    const PIXELS: Format = Format::new(8, 0);

    fn training(network: Graph, fraction_bits: u8, batch: usize) -> Training {
        Training::of(network, batch).unwrap().with(|t| {
            (t.spec.batch, t.spec.fraction_bits, t.spec.epochs) = (batch, Some(fraction_bits), 1);
            (t.spec.lr, t.spec.lr_schedule) = (0.1, Schedule::Constant);
        })
    }

    fn chosen(network: &str, fraction_bits: u8, batch: usize) -> Result<(u8, u8)> {
        let trainer = training(network.parse().unwrap(), fraction_bits, batch).trainer()?;
        Ok((trainer.scales().weight.frac, trainer.scales().rate))
    }

    #[test]
    fn the_papers_networks_fit() {
        let found = ["784-256-10", "784-128-128-10"].map(|network| chosen(network, 16, 128).unwrap());
        assert_eq!(found, [(24, 10), (24, 9)]);
        // The thesis's 20 fraction bits leave less room, and so do sums over all places of an image.
        assert!(chosen("784-128-128-10", 20, 128).unwrap().0 < 24);
        assert_eq!(chosen("lenet", 14, 128).unwrap(), (22, 9));
        assert!(chosen("784-256-10", 16, 1 << 14).is_err() && chosen("lenet", 20, 128).is_err());
    }

    fn first() -> Scales {
        Scales::choices(16, PIXELS, CLASSES).unwrap().next().unwrap()
    }

    proptest! {
        /// A step without values finds the shapes and formats that a step on zeros has, and refuses what that refuses.
        #[test]
        fn steps_without_values_are_those_of_the_ring(f in 8u8..=24, inputs in 1usize..40, hidden in prop::collection::vec(1usize..40, 0..3),
            classes in 2usize..12, batch in 1usize..100, lr in 1e-3f64..1.0, input in 0u8..20, task in 0..4, choice in 0usize..27,
            kind in 0usize..4, clip in prop::option::of(0.01f64..8.0)) {
            let (loss, outputs, metric) = [
                (CLASSES, classes, Metric::Accuracy), (Loss::CrossEntropy(SoftmaxKind::Asm), 2, Metric::Auc), (Loss::SquaredError, 1, Metric::SquaredError),
                (Loss::BinaryCrossEntropy, 1, Metric::Auc),
            ][task as usize];
            let sizes: Vec<usize> = [inputs].into_iter().chain(hidden).chain([outputs]).collect();
            let training = training(Graph::perceptron(&sizes), f, batch).with(|t| {
                t.records = t.records.with_input(Format { frac: input, bits: input + 3 });
                (t.spec.lr, t.open.metric) = (lr, Some(metric));
                (t.spec.optimiser, t.spec.clip) = (OptimiserKind::ALL[kind], clip);
                if let Loss::CrossEntropy(softmax) = loss {
                    t.spec.softmax = softmax;
                }
            });
            let choices: Vec<Scales> = Scales::choices(f, training.records.input(), loss).unwrap().collect();
            let scales = choices[choice % choices.len()];
            // Adam may find its smallest eps too small for the bound.
                if let Ok(trainer) = Trainer::with_scales(training, scales) {
                    trainer.agrees_with_the_ring();
                }
        }

        #[test]
        fn rates_are_close(lr in 1e-4f64..100.0, batch in 1usize..1000) {
            if let Ok(rate) = first().rate(lr, batch) {
                let wanted = lr / batch as f64;
                prop_assert!((rate.value() / wanted - 1.0).abs() <= 1.0 / 64.0);
                prop_assert!(wanted < 2f64.powi(-18) || (rate.value() / wanted - 1.0).abs() <= 1.0 / 1024.0);
            }
        }
    }

    #[test]
    fn no_rate_is_a_rate_and_tiny_ones_are_refused() {
        let s = first();
        assert_eq!(s.rate(0.0, 128).unwrap().value(), 0.0);
        assert_eq!(s.rate(0.5, 128).unwrap().value(), 0.5 / 128.0);
        let error = s.rate(1e-7, 128).unwrap_err().to_string();
        assert!(error.contains("found 0.0000001 with a batch of 128, expected 0 or at least "), "{error}");
        for lr in [-0.1, f64::NAN, f64::INFINITY, 1e9] {
            assert!(s.rate(lr, 128).is_err());
        }
    }
}
