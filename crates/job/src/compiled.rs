//! Training and prediction on shares, compiled once for each suite.
//!
//! What is written against an engine is compiled anew in every crate that calls it. A training is most of this workspace's code, and three crates
//! train: this one, a party, and the benchmarks. So they call it here, where all suites' engines are named; [`suites`](crate::suites) hands
//! them out as [`Compiled`] ones.

use trefoil_engine::Result as EngineResult;
use trefoil_mpc::Suite;
use trefoil_mpc::masked::Masked;
use trefoil_mpc::masked::verified::Verified;
use trefoil_mpc::securenn::SecureNn;
use trefoil_nn::{Data, Prediction, Report, Reveal, State, Trainer};

/// Why a training did not end: what it says itself, or whoever it reported to had enough.
#[derive(Debug)]
pub enum Halted {
    /// Of the training.
    Training(trefoil_nn::Error),
    /// The report's own error, which it has kept.
    Report,
}

impl From<trefoil_nn::Error> for Halted {
    fn from(e: trefoil_nn::Error) -> Halted {
        Halted::Training(e)
    }
}

/// A suite's engine with the work that is compiled here.
pub trait Compiled: Suite {
    /// [`Trainer::train`], with an error that says only who stopped it; [`train`] is this for any error.
    ///
    /// # Errors
    /// As there.
    fn train(
        &mut self,
        trainer: &Trainer,
        state: State<Self::Num>,
        from: u64,
        data: [&Data<Self::Num>; 2],
        report: &mut Report<'_, Self, Halted>,
    ) -> Result<State<Self::Num>, Halted>;

    /// [`Trainer::follow`].
    ///
    /// # Errors
    /// Those of the engine.
    fn follow(&mut self, trainer: &Trainer) -> EngineResult<()>;

    /// [`Trainer::step`].
    ///
    /// # Errors
    /// Those of the engine.
    fn step(&mut self, trainer: &Trainer, state: &mut State<Self::Num>, data: &Data<Self::Num>, step: u64) -> EngineResult<()>;

    /// [`Trainer::initial`].
    ///
    /// # Errors
    /// Those of the engine.
    fn initial(&self, trainer: &Trainer) -> EngineResult<State<Self::Num>>;

    /// [`Prediction::answer`].
    ///
    /// # Errors
    /// Those of the engine.
    fn answer(&mut self, prediction: &Prediction, params: &[Self::Num], x: &Self::Num, reveal: Reveal)
    -> EngineResult<Self::Num>;
}

macro_rules! compiled {
    ($engine:ty) => {
        impl Compiled for $engine {
            fn train(
                &mut self,
                trainer: &Trainer,
                state: State<Self::Num>,
                from: u64,
                [data, test]: [&Data<Self::Num>; 2],
                report: &mut Report<'_, Self, Halted>,
            ) -> Result<State<Self::Num>, Halted> {
                trainer.train(self, state, from, data, test, report)
            }
            fn follow(&mut self, trainer: &Trainer) -> EngineResult<()> {
                trainer.follow(self)
            }
            fn step(
                &mut self,
                trainer: &Trainer,
                state: &mut State<Self::Num>,
                data: &Data<Self::Num>,
                step: u64,
            ) -> EngineResult<()> {
                trainer.step(self, state, data, step)
            }
            fn initial(&self, trainer: &Trainer) -> EngineResult<State<Self::Num>> {
                trainer.initial(self)
            }
            fn answer(
                &mut self,
                prediction: &Prediction,
                params: &[Self::Num],
                x: &Self::Num,
                reveal: Reveal,
            ) -> EngineResult<Self::Num> {
                prediction.answer(self, params, x, reveal)
            }
        }
    };
}

compiled!(Masked);
compiled!(SecureNn);
compiled!(Verified);

/// [`Trainer::train`] from step `from`, on training and held-out records; what `report` fails with is what this fails with.
///
/// # Errors
/// Those of the training and of `report`.
pub fn train<E: Compiled, X: From<trefoil_nn::Error>>(
    e: &mut E,
    trainer: &Trainer,
    state: State<E::Num>,
    from: u64,
    data: [&Data<E::Num>; 2],
    report: &mut Report<'_, E, X>,
) -> Result<State<E::Num>, X> {
    let mut kept = None;
    let halted = e.train(trainer, state, from, data, &mut |e, event| {
        report(e, event).map_err(|x| {
            kept = Some(x);
            Halted::Report
        })
    });
    halted.map_err(|halted| match (halted, kept) {
        (Halted::Training(e), _) => e.into(),
        (Halted::Report, Some(x)) => x,
        (Halted::Report, None) => unreachable!("a report that fails is kept"),
    })
}
