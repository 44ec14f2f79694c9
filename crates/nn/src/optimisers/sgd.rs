//! Stochastic gradient descent with momentum, in the form that Keras has:
//! u' = mu u + (rate / batch) dW, w' = w - u'.
//!
//! The velocity u holds past learning rates: after a change of the rate, what was learned before keeps its own.
//! (PyTorch multiplies by the rate last. With a constant rate, the two are the same.)
//!
//! With weight decay c the update has rate c w as well, which is PyTorch's for a constant rate: it joins the same truncation.
//!
//! No round and no truncation of its own: the gradient by the outputs is multiplied by rate / batch, locally, and mu u joins the
//! truncation that dW needs in any case. Only where gradients are clipped does mu u have to wait until they are, and takes a second one.

use super::{At, Change, Optimiser, clip, rows, take_off, tried};
use crate::network::Cut;
use crate::scales::{MOMENTUM, Rate, Scales};
use crate::{Error, Result, TrainSpec};
use trefoil_engine::{Engine, Format, Result as EngineResult};

/// Fraction bits of the learning rate times the weight decay.
pub(super) const DECAY: u8 = 24;

/// Gradients that are to be clipped may be so many bits larger than updates.
const ROOM: u8 = 8;

/// The optimiser.
#[derive(Clone, PartialEq, Debug)]
pub struct Sgd {
    spec: TrainSpec,
    momentum: f64,
    scales: Scales,
}

/// Keeps the updates as velocities, if there is momentum.
pub(super) fn keep<N>(kept: &mut [N], updates: Vec<N>) {
    kept.iter_mut().zip(updates).for_each(|(old, u)| *old = u);
}

/// Refuses a weight decay that is none, or that is too small to be represented.
///
/// # Errors
/// [`Error::Config`].
pub(super) fn check_decay(spec: &TrainSpec) -> Result<()> {
    let (decay, lr) = (spec.weight_decay, spec.lr);
    if !(0.0..=1.0).contains(&decay) {
        return Err(Error::config("weight decay", decay, "0 to 1"));
    }
    let least = 16.0 * f64::from(-DECAY.cast_signed()).exp2();
    if decay > 0.0 && lr > 0.0 && decay * lr < least {
        let found = format!("{decay} at a learning rate of {lr}");
        return Err(Error::config("weight decay", found, format!("0, or {least:.1e} and more as their product")));
    }
    Ok(())
}

impl Sgd {
    /// By these settings; the momentum is rounded to [`MOMENTUM`] fraction bits.
    ///
    /// # Errors
    /// [`Error::Config`] unless 0 <= momentum < 1 and 0 <= weight decay <= 1, where the decay is too small to be represented, or for a
    /// bound that cannot be one.
    pub fn new(spec: TrainSpec, scales: Scales) -> Result<Sgd> {
        let momentum = spec.momentum;
        if !(0.0..1.0).contains(&momentum) {
            return Err(Error::config("momentum", momentum, "at least 0 and below 1"));
        }
        check_decay(&spec)?;
        clip::check(spec.clip)?;
        let unit = f64::from(MOMENTUM).exp2();
        Ok(Sgd { spec, momentum: (momentum * unit).round() / unit, scales })
    }

    /// The momentum, rounded.
    pub(super) fn momentum(&self) -> f64 {
        self.momentum
    }

    /// The formats of all quantities.
    pub(super) fn scales(&self) -> &Scales {
        &self.scales
    }

    /// The format of a gradient times the rate: an update's, or one with room for what is clipped.
    fn gradient(&self) -> Format {
        match self.spec.clip {
            Some(_) => Format { bits: self.scales.step.bits + ROOM, ..self.scales.step },
            None => self.scales.step,
        }
    }

    /// What a parameter's update has beside its gradient.
    fn beside<E: Engine>(&self, e: &E, param: &E::Num, kept: Option<&E::Num>, at: At) -> EngineResult<Option<E::Num>> {
        let past = kept.map(|u| e.times(u, self.momentum, MOMENTUM)).transpose()?;
        let decay = self.spec.rate(at.epoch) * self.spec.weight_decay;
        if decay == 0.0 {
            return Ok(past);
        }
        let decayed = e.times(param, decay, DECAY)?;
        Ok(Some(past.map_or(Ok(decayed.clone()), |past| e.add(&past, &decayed))?))
    }

    /// The updates, finished: with as many fraction bits as a step has. Those of the biases have more until here; all are truncated in one
    /// round.
    ///
    /// # Errors
    /// Those of the engine.
    pub(super) fn updates<E: Engine>(
        &self,
        e: &mut E,
        params: &[E::Num],
        kept: &[E::Num],
        mut update: Vec<E::Num>,
        at: At,
    ) -> EngineResult<Vec<E::Num>> {
        rows::truncate(e, self.gradient(), &mut update)?;
        if let Some(bound) = self.spec.clip {
            update = self.clipped(e, params, kept, update, (bound, at))?;
        }
        e.settle(&update.iter().collect::<Vec<_>>())?;
        Ok(update)
    }

    /// The gradients clipped, in all parameters at once, and only then what is beside them.
    fn clipped<E: Engine>(
        &self,
        e: &mut E,
        params: &[E::Num],
        kept: &[E::Num],
        gradients: Vec<E::Num>,
        (bound, at): (f64, At),
    ) -> EngineResult<Vec<E::Num>> {
        let shapes: Vec<_> = gradients.iter().map(|g| e.shape(g)).collect();
        let all = rows::row(e, &gradients)?;
        // The gradient is that of the mean times the rate, and so is the bound.
        let rate = tried(self.rate(at.epoch))?.value() * self.spec.batch as f64;
        let mut all = clip::clip(e, &all, bound * rate, self.scales.step.bits)?;
        let beside = params.iter().enumerate().map(|(i, w)| self.beside(e, w, kept.get(i), at));
        let beside: Vec<_> = beside.collect::<EngineResult<Vec<_>>>()?.into_iter().flatten().collect();
        if !beside.is_empty() {
            let sum = e.add(&rows::row(e, &beside)?, &all)?;
            [all] = e.truncate([(&sum, self.scales.step)])?;
        }
        Ok(rows::matrices(e, &all, &shapes))
    }
}

impl Optimiser for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    /// A velocity for each parameter, if there is momentum.
    fn keeps(&self, params: &[[usize; 2]]) -> Vec<([usize; 2], Format)> {
        let velocities = params.iter().map(|shape| (*shape, self.scales.step));
        velocities.filter(|_| self.momentum > 0.0).collect()
    }

    /// Over the batch. One at which a clipped gradient may change a weight by 2 or more is refused.
    fn rate(&self, epoch: u64) -> Result<Rate> {
        let rate = super::rate(&self.spec, &self.scales, epoch, self.spec.batch)?;
        let most = 2.0 / self.spec.clip.unwrap_or(0.0);
        match rate.value() * (self.spec.batch as f64) < most {
            true => Ok(rate),
            false => Err(Error::config("learning rate", self.spec.rate(epoch), format!("below {most:.2e}, 2 over clip"))),
        }
    }

    fn begin<E: Engine>(&self, e: &E, d: &E::Num, at: At) -> EngineResult<E::Num> {
        tried(self.rate(at.epoch))?.times(e, d)
    }

    fn cuts<E: Engine>(&self, e: &E, params: &[E::Num], kept: &[E::Num], at: At) -> EngineResult<Vec<Cut<E::Num>>> {
        let join = |(i, w): (usize, &E::Num)| match self.spec.clip {
            Some(_) => Ok(None),
            None => self.beside(e, w, kept.get(i), at),
        };
        params.iter().enumerate().map(|of| Ok(Cut { format: self.gradient(), join: join(of)? })).collect()
    }

    /// Takes the updates off the parameters, and keeps them as velocities if there is momentum.
    fn apply<E: Engine>(&self, e: &mut E, change: Change<'_, E::Num>) -> EngineResult<()> {
        let Change { params, kept, gradients, at } = change;
        let update = self.updates(e, params, kept, gradients, at)?;
        take_off(e, params, &update, &self.scales)?;
        keep(kept, update);
        Ok(())
    }
}
