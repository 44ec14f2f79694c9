//! Nesterov's momentum, as in PyTorch and Keras (Sutskever et al. 2013, with the parameters of the step ahead):
//! u' = mu u + (rate / batch) dW, w' = w - (mu u' + (rate / batch) dW).
//!
//! The velocity is that of `sgd.rs` and costs what it costs there. The gradient itself is no number of its own any more, but what it has
//! added to the velocity: (rate / batch) dW = u' - mu u. So w' = w - ((1 + mu) u' - mu u), which is local but for its 16 fraction bits too
//! many: one truncation more than `sgd.rs`, in all parameters at once, and the round that finishes it.

use super::sgd::keep;
use super::{At, Change, Optimiser, Sgd, rows, take_off};
use crate::network::Cut;
use crate::scales::{MOMENTUM, Rate, Scales};
use crate::{Result, TrainSpec};
use trefoil_engine::{Engine, Format, Result as EngineResult};

/// The optimiser.
#[derive(Clone, PartialEq, Debug)]
pub struct Nesterov(Sgd);

impl Nesterov {
    /// By these settings.
    ///
    /// # Errors
    /// As for [`Sgd::new`]; [`crate::Error::Config`] without momentum.
    pub fn new(spec: TrainSpec, scales: Scales) -> Result<Nesterov> {
        match spec.momentum {
            0.0 => Err(crate::Error::config("momentum", "0 with nesterov", "above 0 and below 1")),
            _ => Sgd::new(spec, scales).map(Nesterov),
        }
    }
}

impl Optimiser for Nesterov {
    fn name(&self) -> &'static str {
        "nesterov"
    }

    fn keeps(&self, params: &[[usize; 2]]) -> Vec<([usize; 2], Format)> {
        self.0.keeps(params)
    }

    fn rate(&self, epoch: u64) -> Result<Rate> {
        self.0.rate(epoch)
    }

    fn begin<E: Engine>(&self, e: &E, d: &E::Num, at: At) -> EngineResult<E::Num> {
        self.0.begin(e, d, at)
    }

    fn cuts<E: Engine>(&self, e: &E, params: &[E::Num], kept: &[E::Num], at: At) -> EngineResult<Vec<Cut<E::Num>>> {
        self.0.cuts(e, params, kept, at)
    }

    fn apply<E: Engine>(&self, e: &mut E, change: Change<'_, E::Num>) -> EngineResult<()> {
        let Change { params, kept, gradients, at } = change;
        let velocity = self.0.updates(e, params, kept, gradients, at)?;
        let (mu, scales) = (self.0.momentum(), self.0.scales());
        let shapes: Vec<_> = velocity.iter().map(|u| e.shape(u)).collect();
        let (new, old) = (rows::row(e, &velocity)?, rows::row(e, kept)?);
        let ahead = e.sub(&e.times(&new, 1.0 + mu, MOMENTUM)?, &e.times(&old, mu, MOMENTUM)?)?;
        let [ahead] = e.truncate([(&ahead, Format { bits: scales.step.bits + 2, ..scales.step })])?;
        e.settle(&[&ahead])?;
        take_off(e, params, &rows::matrices(e, &ahead, &shapes), scales)?;
        keep(kept, velocity);
        Ok(())
    }
}
