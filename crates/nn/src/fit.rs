//! Whether a training fits into the ring, and with how many bits: found by trying.
//!
//! Every product's range follows from shapes and formats, so a step and an evaluation are run without values ([`Shapes`]) before anything
//! is trained. The finest formats that pass are taken, first for all layers alike and then layer by layer; all parties try alike, and find
//! the same.

use crate::balanced;
use crate::evaluate::LOSS_ROWS;
use crate::monitor::Seen;
use crate::optimisers::{Chosen, Optimiser};
use crate::train::{Data, State};
use crate::{Best, ClassWeighting, ClassWeights, Error, Loss, Network, Result, Scales, Trainer, Training};
use trefoil_engine::{Format, ShapeNum, Shapes};

/// Fraction bits of activations where nobody says: as many as fit, of these.
const MOST_BITS: u8 = 16;
const LEAST_BITS: u8 = 8;

impl Trainer {
    /// Checks what is to be trained, and finds the finest formats with which a step and an evaluation fit into the ring.
    ///
    /// # Errors
    /// [`Error::Config`] naming what does not fit.
    pub fn new(training: Training) -> Result<Trainer> {
        training.check(&training.graph()?)?;
        if let Some(fraction_bits) = training.spec.fraction_bits {
            return Trainer::with_bits(&training, fraction_bits);
        }
        let most = Trainer::with_bits(&training, MOST_BITS);
        match most {
            Err(Error::Config { what: "scales", .. }) => {
                let fewer = (LEAST_BITS..MOST_BITS).rev().find_map(|bits| Trainer::with_bits(&training, bits).ok());
                fewer.map_or(most, |trainer| Ok(trainer.with_more_bits_where_they_fit()))
            }
            most => most,
        }
    }

    /// With so many fraction bits of activations, and the finest formats of all else that fit.
    fn with_bits(training: &Training, fraction_bits: u8) -> Result<Trainer> {
        let loss = training.spec.loss(&training.records);
        let choices: Vec<Scales> = Scales::choices(fraction_bits, training.records.input(), loss)?.collect();
        let attempt = |scales: &Scales| -> Result<Trainer> {
            let mut trainer = Trainer::with_scales(training.clone(), *scales)?;
            trainer.local_wraps = trainer.try_without_values()?;
            Ok(trainer)
        };
        // What does not fit with the coarsest formats does not fit with any.
        let coarsest = choices.last().ok_or_else(|| Error::config("scales", "none", "formats to try"))?;
        let coarsest = attempt(coarsest).map_err(|e| match e {
            Error::Engine(e) => {
                let (network, batch) = (training.graph().map_or_else(|e| e.to_string(), |g| g.to_string()), training.spec.batch);
                let found = format!("{fraction_bits} fraction bits with {network}, a batch of {batch} ({e})");
                Error::config("scales", found, "fraction bits few enough that every product stays below 2^61")
            }
            other => other,
        })?;
        Ok(choices.iter().find_map(|scales| attempt(scales).ok()).unwrap_or(coarsest))
    }

    /// What makes bits scarce is one layer's sums, such as a convolution's gradient over all places of all records. The others' outputs get
    /// back what it has cost them, from the last layer to the first: all, or else half.
    fn with_more_bits_where_they_fit(mut self) -> Trainer {
        let common = self.scales.activation;
        let missing = MOST_BITS - common.frac;
        let cuts: Vec<bool> = self.network.graph().nodes.iter().map(|node| node.op.has_products()).collect();
        for node in (0..cuts.len().saturating_sub(1)).rev().filter(|node| cuts[*node]) {
            let halves = [missing, missing / 2].into_iter().filter(|more| *more > 0);
            for more in halves {
                self.formats[node].out = Format { frac: common.frac + more, bits: common.bits + more };
                if let Ok(local_wraps) = self.try_without_values() {
                    self.local_wraps = local_wraps;
                    break;
                }
                self.formats[node].out = common;
            }
        }
        self
    }

    /// With these formats, whether they fit or not.
    pub(crate) fn with_scales(training: Training, scales: Scales) -> Result<Trainer> {
        let network = Network::new(training.graph()?)?;
        let formats = scales.formats(network.graph());
        let optimiser = Chosen::new(&training.spec, scales)?;
        let loss = training.spec.loss(&training.records);
        let class_weights = match &training.spec.class_weights {
            weighting if weighting.is_none() => None,
            _ if loss == Loss::SquaredError => return Err(Error::config("class weights", "a regression", "classes")),
            ClassWeighting::Balanced => None,
            ClassWeighting::Given(weights) => Some(ClassWeights::new(weights, network.outputs())?),
        };
        Ok(Trainer { network, loss, scales, formats, optimiser, training, class_weights, local_wraps: 0.0, start: None })
    }

    /// The state before the first step, of matrices that `matrix` makes of a shape and a format: for engines without values.
    pub fn state_of<N>(&self, matrix: impl Fn([usize; 2], Format) -> N) -> State<N> {
        let params = self.network.params().iter().map(|p| matrix(p.shape(), self.scales.param(p)));
        let kept = self.keeps().into_iter().map(|(shape, format)| matrix(shape, format));
        State { params: params.collect(), kept: kept.collect(), best: Best::none(vec![]), statistics: None }
    }

    /// So many records with their labels as they are shared, likewise.
    pub fn data_of<N>(&self, rows: usize, matrix: impl Fn([usize; 2], Format) -> N) -> Data<N> {
        self.data_in((self.training.width(), self.training.shared()), rows, matrix)
    }

    fn data_in<N>(&self, (width, input): (usize, Format), rows: usize, matrix: impl Fn([usize; 2], Format) -> N) -> Data<N> {
        let (x, y) = ([rows, width], [rows, self.network.outputs()]);
        Data { x: matrix(x, input), y: matrix(y, self.label_format()) }
    }

    /// Every product's range depends on shapes and formats alone, so it is found out without values whether they fit. The format of the
    /// gradient also depends on the exponent of the rate, so each exponent is tried. What comes of it is the number of truncations in a
    /// step that would be expected to go wrong if they were local.
    fn try_without_values(&self) -> Result<f64> {
        let (spec, e) = (&self.training.spec, &mut Shapes::default());
        let (mut powers, mut step_wraps) = (Vec::new(), 0.0);
        let input = (self.network.width(), self.training.records.input());
        let of = |rows| self.data_in(input, rows, ShapeNum::new);
        let state = self.state_of(ShapeNum::new);
        let weights = |rows| self.is_balanced().then(|| ShapeNum::new([rows, 1], balanced::WEIGHT));
        for epoch in 0..spec.epochs {
            let rate = self.optimiser.rate(epoch)?;
            if !powers.contains(&rate.power()) {
                powers.push(rate.power());
                let (batch, weights) = (of(spec.batch), weights(spec.batch));
                let tried = self.step_on(e, &mut state.clone(), &batch, weights.as_ref(), epoch * self.steps_per_epoch());
                tried.map_err(|e| e.within(&format!("a step at the learning rate of epoch {}", epoch + 1)))?;
                step_wraps = e.local_wraps / powers.len() as f64;
            }
        }
        // Formats must not depend on how many records there are: who fetches a model does not know.
        let mut seen = Seen::default();
        self.mean_loss(e, "loss", &state, &of(LOSS_ROWS), weights(LOSS_ROWS).as_ref(), Some(&mut seen))?;
        self.figures(e, &state, &of(2))?;
        self.out_of_range(e, &state, Some(seen))?;
        Ok(step_wraps)
    }
}

#[cfg(test)]
impl Trainer {
    /// A step on zeros and one without values are refused alike, or end in the same shapes and formats.
    pub(crate) fn agrees_with_the_ring(&self) {
        fn step<E: trefoil_engine::Engine>(t: &Trainer, e: &mut E) -> Option<Vec<([usize; 2], trefoil_engine::Format)>> {
            let zeros = |rows, columns| ndarray::Array2::zeros((rows, columns));
            let rows = t.training.spec.batch;
            let batch = t.data(e, &zeros(rows, t.network.width()), &zeros(rows, t.network.outputs())).ok()?;
            let mut state = t.initial(e).ok()?;
            let weights = t.record_weights(e, &batch).ok()?;
            t.step_on(e, &mut state, &batch, weights.as_ref(), 0).ok()?;
            Some(state.params.iter().chain(&state.kept).map(|x| (e.shape(x), e.format(x))).collect())
        }
        assert_eq!(step(self, &mut Shapes::default()), step(self, &mut trefoil_engine::Fixed::default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LeNet in large batches: the second convolution's gradient is a sum over 64 places of 128 records.
    #[test]
    fn bits_are_scarce_where_sums_are_long_and_nowhere_else() {
        let training = Training::of("lenet".parse().unwrap(), 1024).unwrap().with(|t| t.spec.batch = 128);
        let t = training.trainer().unwrap();
        let of = |name: &str| {
            let node = t.network.names().iter().position(|n| n == name).unwrap();
            t.formats[node].out.frac
        };
        assert_eq!([t.scales.activation.frac, of("conv1"), of("conv2"), of("fc1")], [15, 15, 16, 16]);
        assert!(t.formats.iter().all(|f| f.out.bits - f.out.frac == t.scales.activation.bits - t.scales.activation.frac));
        let told = training.with(|t| t.spec.fraction_bits = Some(14)).trainer().unwrap();
        assert!(told.formats.iter().all(|f| f.out.frac == 14));
    }
}
