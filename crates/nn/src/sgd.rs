//! Stochastic gradient descent with momentum, in the form that Keras has:
//! u' = mu u + (rate / batch) dW, w' = w - u'.
//!
//! The velocity u holds past learning rates: after a change of the rate, what was learned before keeps its own.
//! (PyTorch multiplies by the rate last. With a constant rate, the two are the same.)

use crate::linear::lift;
use crate::scales::{MOMENTUM, Scales};
use crate::{Error, Result};
use trefoil_engine::{Engine, Index, Result as EngineResult};

/// The optimiser. Gradients come with the learning rate and the division by the batch in them already.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sgd {
    momentum: f64,
    scales: Scales,
}

impl Sgd {
    /// With this momentum, rounded to [`MOMENTUM`] fraction bits; 0 for none.
    ///
    /// # Errors
    /// [`Error::Config`] unless 0 <= momentum < 1.
    pub fn new(momentum: f64, scales: Scales) -> Result<Sgd> {
        if !(0.0..1.0).contains(&momentum) {
            return Err(Error::config("momentum", momentum, "at least 0 and below 1"));
        }
        let unit = f64::from(MOMENTUM).exp2();
        Ok(Sgd { momentum: (momentum * unit).round() / unit, scales })
    }

    /// Whether there are velocities at all.
    pub fn has_momentum(&self) -> bool {
        self.momentum > 0.0
    }

    /// mu u for each velocity, to join the gradient before its truncation: local.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn carry<E: Engine>(&self, e: &E, velocity: &[E::Num]) -> EngineResult<Vec<E::Num>> {
        velocity.iter().map(|u| e.times(u, self.momentum, MOMENTUM)).collect()
    }

    /// Takes the updates off the parameters, and keeps them as velocities if there is momentum. Updates with more
    /// fraction bits than a weight has (those of the biases) are truncated, all in one round.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn apply<E: Engine>(
        &self,
        e: &mut E,
        params: Vec<&mut E::Num>,
        velocity: &mut [E::Num],
        mut update: Vec<E::Num>,
    ) -> EngineResult<()> {
        truncate_rows(e, self.scales, &mut update)?;
        e.settle(&update.iter().collect::<Vec<_>>())?;
        for (w, u) in params.into_iter().zip(&update) {
            let next = e.sub(w, u)?;
            *w = e.claim(&next, self.scales.weight.bits);
        }
        for (old, u) in velocity.iter_mut().zip(update) {
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
