//! The optimisers, a file each: what makes gradients into changes of the parameters.
//!
//! Layers compute gradients and nothing else. The learning rate, the division by the batch and what an optimiser remembers are its own
//! affair; it says where they enter, so that they cost as little as they can.

mod adam;
mod amsgrad;
pub(crate) mod clip;
mod kind;
mod nesterov;
mod rows;
mod sgd;

pub use adam::Adam;
pub use kind::OptimiserKind;
pub use nesterov::Nesterov;
pub use sgd::Sgd;

use crate::network::Cut;
use crate::scales::{Rate, Scales};
use crate::{Error, Result, TrainSpec};
use trefoil_engine::{Engine, Error as EngineError, Format, Result as EngineResult};

/// When a step is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct At {
    /// Its epoch, counted from 0.
    pub epoch: u64,
    /// Steps of the training before it.
    pub step: u64,
}

/// What a step changes, and by what.
pub struct Change<'a, N> {
    /// The trained parameters.
    pub params: &'a mut [N],
    /// What the optimiser keeps from step to step: see [`Optimiser::keeps`].
    pub kept: &'a mut [N],
    /// A gradient for each parameter, as [`Optimiser::cuts`] has it truncated.
    pub gradients: Vec<N>,
    /// When the step is.
    pub at: At,
}

/// An optimiser.
///
/// ```
/// use trefoil_nn::optimisers::{Optimiser, Sgd};
/// use trefoil_engine::Format;
/// use trefoil_nn::{Loss, Scales, TrainSpec};
/// let scales = Scales::choices(16, Format::new(8, 0), Loss::default()).unwrap().next().unwrap();
/// // What is kept of 256 x 784 weights from step to step: with momentum a velocity of the same shape, without it nothing.
/// let kept = |momentum| Sgd::new(TrainSpec { momentum, ..TrainSpec::default() }, scales).unwrap().keeps(&[[256, 784]]).len();
/// assert_eq!((kept(0.9), kept(0.0)), (1, 0));
/// ```
pub trait Optimiser {
    /// What costs are booked to.
    fn name(&self) -> &'static str;

    /// The shapes and formats of what it keeps from step to step, for parameters of these shapes. All of it starts at zero.
    fn keeps(&self, params: &[[usize; 2]]) -> Vec<([usize; 2], Format)>;

    /// The learning rate as the numbers carry it. A step's formats depend on its exponent, and on nothing else that changes in a training.
    ///
    /// # Errors
    /// [`Error::Config`] for a rate that cannot be represented.
    fn rate(&self, epoch: u64) -> Result<Rate>;

    /// The gradient by the outputs as it goes through the network, times a public factor that may hold the rate: everything behind it
    /// is linear in it. Local.
    ///
    /// # Errors
    /// Those of the engine.
    fn begin<E: Engine>(&self, e: &E, d: &E::Num, at: At) -> EngineResult<E::Num>;

    /// What becomes of each parameter's gradient where it is a product: its format, and what joins it before it is truncated. Local.
    ///
    /// # Errors
    /// Those of the engine.
    fn cuts<E: Engine>(&self, e: &E, params: &[E::Num], kept: &[E::Num], at: At) -> EngineResult<Vec<Cut<E::Num>>>;

    /// Changes the parameters and what is kept by the gradients that came of it.
    ///
    /// # Errors
    /// Those of the engine.
    fn apply<E: Engine>(&self, e: &mut E, change: Change<'_, E::Num>) -> EngineResult<()>;
}

/// The optimiser of a training.
#[derive(Clone, PartialEq, Debug)]
pub enum Chosen {
    /// Gradient descent, with momentum or without.
    Sgd(Sgd),
    /// With Nesterov's momentum.
    Nesterov(Nesterov),
    /// Adam, or AMSGrad.
    Adam(Adam),
}

impl Chosen {
    /// The one that the settings name.
    ///
    /// # Errors
    /// [`Error::Config`] for settings that it does not take.
    pub fn new(spec: &TrainSpec, scales: Scales) -> Result<Chosen> {
        let of_adam = [("beta1", spec.beta1), ("beta2", spec.beta2), ("epsilon", spec.epsilon)];
        if let (OptimiserKind::Sgd | OptimiserKind::Nesterov, Some((what, Some(found)))) =
            (spec.optimiser, of_adam.into_iter().find(|(_, set)| set.is_some()))
        {
            return Err(Error::config(what, format!("{found} with {}", spec.optimiser), "adam or amsgrad as the optimiser"));
        }
        Ok(match spec.optimiser {
            OptimiserKind::Sgd => Chosen::Sgd(Sgd::new(spec.clone(), scales)?),
            OptimiserKind::Nesterov => Chosen::Nesterov(Nesterov::new(spec.clone(), scales)?),
            OptimiserKind::Adam | OptimiserKind::Amsgrad => Chosen::Adam(Adam::new(spec.clone(), scales)?),
        })
    }
}

/// The same of whichever it is.
macro_rules! each {
    ($chosen:expr, $optimiser:ident => $do:expr) => {
        match $chosen {
            Chosen::Sgd($optimiser) => $do,
            Chosen::Nesterov($optimiser) => $do,
            Chosen::Adam($optimiser) => $do,
        }
    };
}

impl Optimiser for Chosen {
    fn name(&self) -> &'static str {
        each!(self, o => o.name())
    }
    fn keeps(&self, params: &[[usize; 2]]) -> Vec<([usize; 2], Format)> {
        each!(self, o => o.keeps(params))
    }
    fn rate(&self, epoch: u64) -> Result<Rate> {
        each!(self, o => o.rate(epoch))
    }
    fn begin<E: Engine>(&self, e: &E, d: &E::Num, at: At) -> EngineResult<E::Num> {
        each!(self, o => o.begin(e, d, at))
    }
    fn cuts<E: Engine>(&self, e: &E, params: &[E::Num], kept: &[E::Num], at: At) -> EngineResult<Vec<Cut<E::Num>>> {
        each!(self, o => o.cuts(e, params, kept, at))
    }
    fn apply<E: Engine>(&self, e: &mut E, change: Change<'_, E::Num>) -> EngineResult<()> {
        each!(self, o => o.apply(e, change))
    }
}

/// The rate of an epoch over a batch of so many. One that follows from a schedule, and that nobody has written, is at least the smallest that
/// there is.
fn rate(spec: &TrainSpec, scales: &Scales, epoch: u64, batch: usize) -> Result<Rate> {
    let lr = spec.rate(epoch);
    match spec.is_written(epoch) || spec.lr == 0.0 {
        true => scales.rate(lr, batch),
        false => scales.rate(lr.max(scales.least_rate(batch)), batch),
    }
}

/// Takes a change off each parameter, which stays in the range of weights. Local.
fn take_off<E: Engine>(e: &E, params: &mut [E::Num], changes: &[E::Num], scales: &Scales) -> EngineResult<()> {
    for (w, change) in params.iter_mut().zip(changes) {
        *w = e.claim(&e.sub(w, change)?, scales.weight.bits);
    }
    Ok(())
}

/// A rate that a trainer has tried before.
fn tried(rate: Result<Rate>) -> EngineResult<Rate> {
    rate.map_err(|e| EngineError::Protocol(Box::new(e)))
}
