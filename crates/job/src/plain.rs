//! The float baseline: the same network, initial weights and batch order, in the clear.

use crate::local::engine;
use crate::train::matrices;
use crate::{Error, Result};
use ndarray::Array2;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use trefoil_data::{Samples, Schema};
use trefoil_engine::Float;
use trefoil_nn::{Event, Figure, Trainer};

/// A finished baseline.
pub struct Plain {
    /// Weights and biases in turn.
    pub params: Vec<Array2<f64>>,
    /// Loss and accuracy after each epoch.
    pub epochs: Vec<(f64, f64)>,
    /// All figures of the held-out records after each.
    pub all: Vec<Vec<Figure>>,
    /// Which epoch's weights they are, counted from 1.
    pub model: usize,
    /// Seconds of all steps and evaluations.
    pub seconds: f64,
}

impl Plain {
    /// Loss and accuracy on the held-out records of the model.
    pub fn figures(&self) -> (f64, f64) {
        self.model.checked_sub(1).and_then(|i| self.epochs.get(i)).copied().unwrap_or_default()
    }

    /// All figures of them.
    pub fn held_out(&self) -> &[Figure] {
        self.model.checked_sub(1).and_then(|i| self.all.get(i)).map_or(&[], Vec::as_slice)
    }
}

/// What hears of an epoch: its number, loss and accuracy, and all figures.
pub type Report<'a> = dyn FnMut(u64, f64, f64, &[Figure]) + 'a;

/// Trains in the clear on records to train on, and evaluates on those held out, calling `report` with (epoch, loss, accuracy) and all figures.
///
/// # Errors
/// Those of training; [`Error::Interrupted`] if `stop` is set.
pub fn train(
    trainer: &Trainer,
    schema: &Schema,
    [train, test]: [&Samples; 2],
    stop: &AtomicBool,
    report: &mut Report<'_>,
) -> Result<Plain> {
    let data = |samples: &Samples| {
        let [x, y] = matrices(trainer, schema, samples);
        trainer.data(&Float, &x, &y).map_err(engine)
    };
    let (data, test) = (data(train)?, data(test)?);
    let started = Instant::now();
    let (mut epochs, mut all) = (vec![], vec![]);
    let mut on = |_: &mut Float, event: Event<'_, _>| {
        if let Event::Epoch { epoch, loss, metric, figures, .. } = event {
            let (loss, accuracy) = (loss.unwrap_or(f64::NAN), metric.unwrap_or(f64::NAN));
            epochs.push((loss, accuracy));
            all.push(figures.to_vec());
            report(epoch, loss, accuracy, figures);
        }
        if stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    };
    let initial = trainer.initial(&Float).map_err(engine)?;
    let state = trainer.train(&mut Float, initial, 0, &data, &test, &mut on)?;
    let model = state.best.given(&trainer.training().spec).map_or(epochs.len(), |epoch| epoch as usize);
    let params = trainer.exports(&mut Float, &state)?.into_iter().map(|p| p.value).collect();
    Ok(Plain { params, epochs, all, model, seconds: started.elapsed().as_secs_f64() })
}
