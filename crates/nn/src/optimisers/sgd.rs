//! Stochastic gradient descent with momentum, in the form that Keras has:
//! u' = mu u + (rate / batch) dW, w' = w - u'.
//!
//! The velocity u holds past learning rates: after a change of the rate, what was learned before keeps its own.
//! (PyTorch multiplies by the rate last. With a constant rate, the two are the same.)
//!
//! With weight decay c the update has rate c w as well, which is PyTorch's for a constant rate: it joins the same truncation.
//!
//! No round and no truncation of its own: the gradient by the outputs is multiplied by rate / batch, locally, and mu u joins the
//! truncation that dW needs in any case.

use super::Optimiser;
use crate::network::{Cut, lift};
use crate::scales::{MOMENTUM, Rate, Scales};
use crate::{Error, Result, TrainSpec};
use trefoil_engine::{Engine, Error as EngineError, Index, Result as EngineResult};

/// Fraction bits of the learning rate times the weight decay.
const DECAY: u8 = 24;

/// The optimiser.
#[derive(Clone, PartialEq, Debug)]
pub struct Sgd {
    spec: TrainSpec,
    momentum: f64,
    scales: Scales,
}

impl Sgd {
    /// By these settings; the momentum is rounded to [`MOMENTUM`] fraction bits.
    ///
    /// # Errors
    /// [`Error::Config`] unless 0 <= momentum < 1 and 0 <= weight decay <= 1, or where the decay is too small to be represented.
    pub fn new(spec: TrainSpec, scales: Scales) -> Result<Sgd> {
        let momentum = spec.momentum;
        if !(0.0..1.0).contains(&momentum) {
            return Err(Error::config("momentum", momentum, "at least 0 and below 1"));
        }
        let (decay, lr) = (spec.weight_decay, spec.lr);
        if !(0.0..=1.0).contains(&decay) {
            return Err(Error::config("weight decay", decay, "0 to 1"));
        }
        let least = 16.0 * f64::from(-DECAY.cast_signed()).exp2();
        if decay > 0.0 && lr > 0.0 && decay * lr < least {
            let found = format!("{decay} at a learning rate of {lr}");
            return Err(Error::config("weight decay", found, format!("0, or {least:.1e} and more as their product")));
        }
        let unit = f64::from(MOMENTUM).exp2();
        Ok(Sgd { spec, momentum: (momentum * unit).round() / unit, scales })
    }

    /// The learning rate over the batch in `epoch`, counted from 0. One that follows from a schedule, and that nobody has written, is at
    /// least the smallest that there is.
    ///
    /// # Errors
    /// [`Error::Config`] for a rate that cannot be represented.
    pub fn rate(&self, epoch: u64) -> Result<Rate> {
        let (lr, batch) = (self.spec.rate(epoch), self.spec.batch);
        match self.spec.is_written(epoch) || self.spec.lr == 0.0 {
            true => self.scales.rate(lr, batch),
            false => self.scales.rate(lr.max(self.scales.least_rate(batch)), batch),
        }
    }
}

impl Optimiser for Sgd {
    /// A velocity, if there is momentum.
    fn keeps(&self) -> usize {
        usize::from(self.momentum > 0.0)
    }

    fn begin<E: Engine>(&self, e: &E, d: &E::Num, epoch: u64) -> EngineResult<E::Num> {
        // A trainer has tried every epoch's rate.
        self.rate(epoch).map_err(|e| EngineError::Protocol(Box::new(e)))?.times(e, d)
    }

    fn cuts<E: Engine>(&self, e: &E, params: &[E::Num], kept: &[E::Num], epoch: u64) -> EngineResult<Vec<Cut<E::Num>>> {
        let decay = self.spec.rate(epoch) * self.spec.weight_decay;
        let join = |(i, w): (usize, &E::Num)| -> EngineResult<Option<E::Num>> {
            let past = kept.get(i).map(|u| e.times(u, self.momentum, MOMENTUM)).transpose()?;
            if decay == 0.0 {
                return Ok(past);
            }
            let decayed = e.times(w, decay, DECAY)?;
            Ok(Some(past.map_or(Ok(decayed.clone()), |past| e.add(&past, &decayed))?))
        };
        params.iter().enumerate().map(|at| Ok(Cut { format: self.scales.step, join: join(at)? })).collect()
    }

    /// Takes the updates off the parameters, and keeps them as velocities if there is momentum. Updates with more
    /// fraction bits than a weight has (those of the biases) are truncated, all in one round.
    fn apply<E: Engine>(
        &self,
        e: &mut E,
        params: &mut [E::Num],
        kept: &mut [E::Num],
        mut update: Vec<E::Num>,
    ) -> EngineResult<()> {
        truncate_rows(e, self.scales, &mut update)?;
        e.settle(&update.iter().collect::<Vec<_>>())?;
        for (w, u) in params.iter_mut().zip(&update) {
            let next = e.sub(w, u)?;
            *w = e.claim(&next, self.scales.weight.bits);
        }
        for (old, u) in kept.iter_mut().zip(update) {
            *old = u;
        }
        Ok(())
    }
}

/// Truncates the single rows among `x` together: side by side, at the finest of their scales.
fn truncate_rows<E: Engine>(e: &mut E, scales: Scales, x: &mut [E::Num]) -> EngineResult<()> {
    let format = scales.step;
    let fine: Vec<usize> = (0..x.len()).filter(|&i| e.format(&x[i]).frac != format.frac).collect();
    let Some(frac) = fine.iter().map(|&i| e.format(&x[i]).frac).max() else { return Ok(()) };
    let frac = frac.max(format.frac);
    let lifted = fine.iter().map(|&i| lift(e, &x[i], frac - e.format(&x[i]).frac)).collect::<EngineResult<Vec<_>>>()?;
    let bits = lifted.iter().map(|x| e.format(x).bits).max().unwrap_or(0);
    let lifted: Vec<_> = lifted.iter().map(|x| e.claim(x, bits)).collect();
    let row = e.beside(&lifted.iter().collect::<Vec<_>>())?;
    let [row] = e.truncate([(&row, format)])?;
    let mut from = 0;
    for i in fine {
        let columns: Vec<usize> = (from..from + e.shape(&x[i])[1]).collect();
        from += columns.len();
        x[i] = e.gather(&row, Index::Cols(&columns));
    }
    Ok(())
}
