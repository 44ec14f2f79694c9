//! A training on shares by three parties of one user, with the real protocols and fresh keys: on threads of this process, with queues in
//! place of connections, or in processes. It is for trying what training on shares gives and what it costs; whoever runs it sees everything.

use crate::compiled::{self, Compiled};
use crate::local::{self, Ends, Parts, engine, gone, together};
use crate::suites::{Chosen, WithSuite};
use crate::{Error, Result, fetching, processes};
use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use trefoil_data::schema::Task;
use trefoil_data::{Dataset, Samples, Schema};
use trefoil_engine::fixed;
use trefoil_mpc::{Id, Part, Party};
use trefoil_nn::{Data, Event, Figure, Metric, Open, Outputs, Records, TrainSpec, Trainer, Training};
use trefoil_ring::Tensor;

/// What a training says while it goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// So many steps are done, of so many.
    Step(u64, u64),
    /// An epoch is done, at all three parties.
    Epoch(Epoch),
}

/// Where the three parties are.
#[derive(Clone, Copy)]
pub enum Parties<'a> {
    /// Threads of this process, with queues in memory between them.
    Threads,
    /// Processes on this machine that this starts, each of which calls [`processes::party`]; TLS is between them.
    Processes(&'a (dyn Fn() -> Command + Sync)),
}

/// What is opened after an epoch, and what it took, its figures included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u64,
    /// The mean over a fixed sample of training records, where it is opened.
    pub loss: Option<f64>,
    /// The figure of the held-out records, where one is opened: the first, where there are several.
    pub metric: Option<f64>,
    /// All of them.
    pub figures: Vec<Figure>,
    /// By P0's clock.
    pub seconds: f64,
    /// Payload on all links.
    pub bytes: u64,
    /// P0's or P1's, whichever has more.
    pub rounds: u64,
}

/// A training on records of one user, who is shown every figure.
pub fn training(spec: TrainSpec, data: &Dataset) -> Training {
    let (input_frac, input_bits) = data.schema.input();
    let (labels, metric) = match data.schema.task {
        Task::Classification => (Outputs::Classes(data.schema.outputs()), Metric::Accuracy),
        Task::Regression => (Outputs::Value, Metric::SquaredError),
    };
    let (features, outputs) = (data.schema.features(), spec.outputs(labels));
    let (train_rows, test_rows) = (data.train.rows(), data.test.rows());
    let records = Records { features, outputs, input_frac, input_bits, train_rows, test_rows };
    Training {
        spec,
        records,
        open: Open { loss: true, activations: true, metric: Some(metric), ..Open::default() },
        secure: crate::job::secure(&data.schema),
        missing: data.schema.filled_on_shares(),
    }
}

/// Trains on records to train on, and evaluates on those held out; gives the parameters as [`Graph::params`](trefoil_nn::Graph::params)
/// has them. `say` is called by the parties' threads.
///
/// # Errors
/// No randomness; those of training; [`Error::Party`] of what goes wrong in a process; [`Error::Interrupted`] if `stop` is set.
pub fn on_shares(
    trainer: &Trainer,
    chosen: Chosen,
    schema: &Schema,
    samples: [&Samples; 2],
    parties: Parties<'_>,
    stop: &AtomicBool,
    say: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Array2<f64>>> {
    chosen.trains(trainer.network().graph())?;
    let ends = Ends::of(chosen);
    let mut dealt = [const { Vec::new() }; 3];
    for samples in samples {
        let [x, y] = matrices(trainer, schema, samples);
        for (matrix, format) in [(x, trainer.training().shared()), (y, trainer.label_format())] {
            let words = fixed::encode(&matrix, format).map_err(engine)?;
            let parts = (ends.deal)(&words, *local::key()?.bytes());
            dealt.iter_mut().zip(parts).for_each(|(party, parts)| party.push((matrix.dim().into(), parts)));
        }
    }
    let tally = Mutex::new(Tally { started: Instant::now(), steps: trainer.total_steps(), told: Vec::new() });
    let told = |id, said| {
        let progress = tally.lock().unwrap_or_else(PoisonError::into_inner).told(id, said);
        if let Some(progress) = progress {
            say(progress);
        }
    };
    let parts = match parties {
        Parties::Threads => threads(trainer, chosen, dealt, stop, &told)?,
        Parties::Processes(command) => processes::train(trainer, chosen, dealt, command, stop, &told)?,
    };
    let mut parts = parts.map(Vec::into_iter);
    let tensor = |shape: [usize; 2]| -> Result<Tensor> {
        let of_all: Parts = parts.each_mut().map(|party| party.next().unwrap_or_default());
        let expected = "parts that fit";
        let words = (ends.reconstruct)(shape[0] * shape[1], &of_all).map_err(|e| Error::config("parameters", e, expected))?;
        Tensor::from_shape_vec(shape, words).map_err(|e| Error::config("parameters", e, expected))
    };
    let tensors: Vec<Tensor> = trainer.network().params().iter().map(|p| p.shape()).map(tensor).collect::<Result<_>>()?;
    fetching::parameters(trainer, &tensors)
}

/// Features and labels as a network takes and gives them: of two classes with one output the column that is learnt.
pub(crate) fn matrices(trainer: &Trainer, schema: &Schema, samples: &Samples) -> [Array2<f64>; 2] {
    let [x, y] = samples.decoded(schema);
    match trainer.training().records.outputs.column() {
        Some(class) => [x, y.select(Axis(1), &[class])],
        None => [x, y],
    }
}

/// A matrix on its way to a party. Features come first and labels after them, of records to train on and then of those held out.
pub(crate) type Dealt = ([usize; 2], Vec<Part>);

/// What a party says, when it has happened.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Said {
    Step(u64),
    /// The end of one, with what was opened to this party; bytes that it has sent and rounds since the beginning.
    Epoch {
        epoch: u64,
        loss: Option<f64>,
        metric: Option<f64>,
        figures: Vec<Figure>,
        bytes: u64,
        rounds: u64,
    },
}

/// Called by each party's thread.
pub(crate) type Tell<'a> = &'a (dyn Fn(Id, Said) + Sync);

/// What the parties have told of their epochs. The helper is ahead of the others.
struct Tally {
    started: Instant,
    steps: u64,
    /// By epoch, from the first one on.
    told: Vec<Told>,
}

#[derive(Clone, Default)]
struct Told {
    parties: usize,
    /// Since the beginning.
    so_far: Epoch,
}

impl Tally {
    /// What there is to say after a party's word: of P0's steps, and of an epoch once the last of the three has ended it.
    fn told(&mut self, id: Id, said: Said) -> Option<Progress> {
        let (epoch, loss, metric, figures, bytes, rounds) = match said {
            Said::Step(step) => return (id == Id::P0).then_some(Progress::Step(step, self.steps)),
            Said::Epoch { epoch, loss, metric, figures, bytes, rounds } => (epoch, loss, metric, figures, bytes, rounds),
        };
        let seconds = self.started.elapsed().as_secs_f64();
        let at = usize::try_from(epoch).ok()?.checked_sub(1)?;
        if self.told.len() <= at {
            self.told.resize(at + 1, Told::default());
        }
        let before = at.checked_sub(1).and_then(|i| self.told.get(i)).map_or_else(Epoch::default, |told| told.so_far.clone());
        let Told { parties, so_far } = self.told.get_mut(at)?;
        (*parties, so_far.epoch) = (*parties + 1, epoch);
        so_far.bytes += bytes;
        if id == Id::P0 {
            (so_far.loss, so_far.metric, so_far.figures, so_far.seconds) = (loss, metric, figures, seconds);
        }
        if id != Id::P2 {
            so_far.rounds = so_far.rounds.max(rounds);
        }
        let (seconds, bytes, rounds) = (so_far.seconds, so_far.bytes, so_far.rounds);
        (*parties == 3).then(|| {
            let (seconds, bytes, rounds) = (seconds - before.seconds, bytes - before.bytes, rounds - before.rounds);
            Progress::Epoch(Epoch { seconds, bytes, rounds, ..so_far.clone() })
        })
    }
}

/// Trains with each party on a thread.
fn threads(
    trainer: &Trainer,
    chosen: Chosen,
    dealt: [Vec<Dealt>; 3],
    stop: &AtomicBool,
    tell: Tell<'_>,
) -> Result<[Vec<Vec<Part>>; 3]> {
    std::thread::scope(|scope| {
        let start = |(party, dealt): (Party, Vec<Dealt>)| {
            let name = std::thread::Builder::new().name(party.id.to_string());
            let thread = name.spawn_scoped(scope, move || chosen.with(Work { party, trainer, dealt, stop, tell }));
            thread.map_err(|e| Error::config("threads", e, "one for each party"))
        };
        // A party without its peers ends by itself.
        let threads: Vec<_> = local::parties()?.into_iter().zip(dealt).map(start).collect();
        together(threads.into_iter().map(|thread| thread?.join().unwrap_or_else(|_| Err(gone()))))
    })
}

/// What a party does: it takes the records, trains, and gives its parts of the parameters.
pub(crate) struct Work<'a> {
    pub party: Party,
    pub trainer: &'a Trainer,
    pub dealt: Vec<Dealt>,
    pub stop: &'a AtomicBool,
    pub tell: Tell<'a>,
}

impl WithSuite for Work<'_> {
    type Out = Result<Vec<Vec<Part>>>;

    fn run<S: Compiled>(self, engine: impl Fn(Party) -> S) -> Self::Out {
        let Work { party, trainer, dealt, stop, tell } = self;
        work(&mut engine(party), trainer, dealt, stop, tell)
    }
}

fn work<S: Compiled>(
    e: &mut S,
    trainer: &Trainer,
    dealt: Vec<Dealt>,
    stop: &AtomicBool,
    tell: Tell<'_>,
) -> Result<Vec<Vec<Part>>> {
    let formats = [trainer.training().shared(), trainer.label_format()];
    let mut numbers = Vec::new();
    for ((shape, parts), format) in dealt.into_iter().zip(formats.into_iter().cycle()) {
        let kept = S::accept(e.party().id, shape[0] * shape[1], &parts)
            .map_err(|found| Error::config("dealt matrix", found, "its own parts"))?;
        numbers.push(e.input(shape, format, kept));
    }
    let Ok([x, y, test_x, test_y]) = <[S::Num; 4]>::try_from(numbers) else { return Err(gone()) };
    let (data, test) = (Data { x, y }, Data { x: test_x, y: test_y });
    let mut on = |e: &mut S, event: Event<'_, S::Num>| {
        let party = e.party();
        match event {
            Event::Step { step, .. } => tell(party.id, Said::Step(step)),
            Event::Opened { verdict: Some(better), .. } => *better = verdict(party, *better)?,
            Event::Epoch { epoch, loss, metric, figures, .. } => {
                let figures = figures.to_vec();
                let (bytes, rounds) = (party.cost.sent.iter().sum(), party.depth().into());
                tell(party.id, Said::Epoch { epoch, loss, metric, figures, bytes, rounds });
            }
            _ => {}
        }
        if stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    };
    let initial = e.initial(trainer).map_err(engine)?;
    let state = compiled::train(e, trainer, initial, 0, [&data, &test], &mut on)?;
    let params = trainer.exports(e, &state)?;
    params.iter().map(|param| e.export(param).map_err(|e| engine(e.into()))).collect()
}

/// Whether an epoch was better than all before, as P0 has seen it and tells the others.
fn verdict(party: &mut Party, own: Option<bool>) -> Result<Option<bool>> {
    let word = own.map_or(0, |better| 1 + u64::from(better));
    let told = party.tell("train.verdict", &[word]).map_err(|e| engine(e.into()))?;
    let of_p0 = told.iter().find(|(id, _)| *id == Id::P0).and_then(|(_, words)| words.first()).copied();
    Ok(of_p0.map_or(own, |word| (word > 0).then_some(word == 2)))
}
