//! The training step, and the loop around it.

use crate::balanced;
use crate::evaluate::{DIVERGED, LOSS_ROWS};
use crate::graph::Param;
use crate::layers::{Formats, Mode, Start};
use crate::optimisers::{At, Chosen, Optimiser};
use crate::order::{Use, order};
use crate::start_model::StartValues;
use crate::{Best, ClassWeighting, ClassWeights, Error, Keep, Loss, Network, Result, Scales, Statistics, Training, running};
use ndarray::Array2;
use std::time::Instant;
use trefoil_engine::{Engine, Format, Index, Result as EngineResult};

pub use crate::events::{Event, Report};
pub use crate::loss::LABEL;

/// All that changes in training. A checkpoint is this and the number of steps taken.
#[derive(Clone)]
pub struct State<N> {
    /// Weights and biases, and running values, in the order of [`Network::params`].
    pub params: Vec<N>,
    /// What the optimiser keeps from step to step: see [`Optimiser::keeps`].
    pub kept: Vec<N>,
    /// The best epoch so far; followed only where the settings ask for it.
    pub best: Best<N>,
    /// Those of the columns that are standardised on shares, from the beginning of the training on.
    pub statistics: Option<Statistics<N>>,
}

/// Records with their labels.
#[derive(Clone)]
pub struct Data<N> {
    /// [rows, [width](Training::width)], in the format of [`Training::shared`].
    pub x: N,
    /// One-hot labels, [rows, classes], or targets, [rows, 1], in the format of [`Records::label_format`](crate::Records::label_format).
    pub y: N,
}

impl<N> Data<N> {
    /// The records at these places.
    pub fn select<E: Engine<Num = N>>(&self, e: &E, rows: &[usize]) -> Self {
        Data { x: e.gather(&self.x, Index::Rows(rows)), y: e.gather(&self.y, Index::Rows(rows)) }
    }
}

/// A training that has been checked to fit into the ring.
#[derive(Clone, Debug)]
pub struct Trainer {
    pub(crate) training: Training,
    pub(crate) loss: Loss,
    pub(crate) network: Network,
    pub(crate) scales: Scales,
    pub(crate) formats: Vec<Formats>,
    pub(crate) optimiser: Chosen,
    pub(crate) class_weights: Option<ClassWeights>,
    pub(crate) local_wraps: f64,
    /// Where training starts from a model.
    pub(crate) start: Option<StartValues>,
}

impl Trainer {
    /// How many truncations of the whole training's steps would be expected to go wrong if they were local (SecureML's): an
    /// upper bound from shapes and promised ranges, before anything is trained.
    pub fn local_wraps(&self) -> f64 {
        self.local_wraps * self.total_steps() as f64
    }
    /// What determines it.
    pub fn training(&self) -> &Training {
        &self.training
    }
    /// The loss.
    pub fn loss_kind(&self) -> Loss {
        self.loss
    }
    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }
    /// The formats of all quantities.
    pub fn scales(&self) -> &Scales {
        &self.scales
    }
    /// Full batches in an epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        (self.training.records.train_rows / self.training.spec.batch) as u64
    }
    /// Steps of the whole training.
    pub fn total_steps(&self) -> u64 {
        self.steps_per_epoch() * self.training.spec.epochs
    }
    /// Fraction bits and range of the labels.
    pub fn label_format(&self) -> Format {
        self.training.records.label_format()
    }

    /// Public data, for training in the clear: inputs [rows, inputs] and labels [rows, outputs].
    ///
    /// # Errors
    /// Those of the engine.
    pub fn data<E: Engine>(&self, e: &E, x: &Array2<f64>, y: &Array2<f64>) -> EngineResult<Data<E::Num>> {
        Ok(Data { x: e.public(x, self.training.shared())?, y: e.public(y, self.label_format())? })
    }

    /// The state before the first step: the same public weights on every engine, those of the seed or of
    /// [the model to start from](Trainer::starting_from).
    ///
    /// # Errors
    /// Those of the engine; the settings name a model to start from, and it was not given.
    pub fn initial<E: Engine>(&self, e: &E) -> EngineResult<State<E::Num>> {
        let params = self.start_values(e)?.map_or_else(|| self.random(e), Ok)?;
        let kept = self.nothing_kept(e)?;
        let best = Best::none(if self.training.spec.keep == Keep::Best { params.clone() } else { vec![] });
        Ok(State { params, kept, best, statistics: None })
    }

    /// The same to be filled from a checkpoint, with zeros in place of statistics: these are computed once, before the first step.
    ///
    /// # Errors
    /// As for [`Trainer::initial`].
    pub fn to_restore<E: Engine>(&self, e: &E) -> EngineResult<State<E::Num>> {
        let statistics = self.statistics_of(|shape, format| e.public(&Array2::zeros(shape), format))?;
        Ok(State { statistics, ..self.initial(e)? })
    }

    /// Weights as the public seed makes them.
    fn random<E: Engine>(&self, e: &E) -> EngineResult<Vec<E::Num>> {
        let spec = &self.training.spec;
        let (mut params, mut layer) = (Vec::new(), 0);
        for param in self.network.params() {
            let format = self.scales.param(param);
            params.push(e.public(&spec.init.values(param.shape(), param.start, spec.seed, layer, format), format)?);
            layer += usize::from(matches!(param.start, Start::Random { .. }));
        }
        Ok(params)
    }

    /// Shapes and formats of what the optimiser keeps.
    pub(crate) fn keeps(&self) -> Vec<([usize; 2], Format)> {
        let trained = self.network.params().iter().filter(|p| p.trained);
        self.optimiser.keeps(&trained.map(Param::shape).collect::<Vec<_>>())
    }

    /// What it keeps before the first step.
    pub(crate) fn nothing_kept<E: Engine>(&self, e: &E) -> EngineResult<Vec<E::Num>> {
        self.keeps().into_iter().map(|(shape, format)| e.public(&Array2::zeros(shape), format)).collect()
    }

    /// Step number `step`, counted from 0, on its batch of `data`.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn step<E: Engine>(&self, e: &mut E, state: &mut State<E::Num>, data: &Data<E::Num>, step: u64) -> EngineResult<()> {
        let epoch = step / self.steps_per_epoch();
        let (order, weights) = (self.epoch_order(epoch), self.record_weights(e, data)?);
        let rows = self.batch(&order, step);
        let (batch, weights) = (data.select(e, rows), weights.map(|weights| e.gather(&weights, Index::Rows(rows))));
        self.step_on(e, state, &batch, weights.as_ref(), step)
    }

    /// The outputs of the network (logits, or the value of a regression) for each row of `x`: [rows, outputs].
    ///
    /// # Errors
    /// Those of the engine.
    pub fn forward<E: Engine>(&self, e: &mut E, state: &State<E::Num>, x: &E::Num) -> EngineResult<E::Num> {
        Ok(self.network.forward(e, &state.params, &self.formats, x, Mode::Evaluate)?.0)
    }

    /// Each row of `x` times the weight of its class, where classes have weights, or its own, where it has one.
    pub(crate) fn weighed<E: Engine>(
        &self,
        e: &mut E,
        x: E::Num,
        y: &E::Num,
        of_records: Option<&E::Num>,
    ) -> EngineResult<E::Num> {
        match (&self.class_weights, of_records) {
            (Some(weights), _) => weights.apply(e, &x, y),
            (None, Some(of_records)) => balanced::apply(e, &x, of_records),
            (None, None) => Ok(x),
        }
    }

    /// Whether classes count by the number of their records.
    pub(crate) fn is_balanced(&self) -> bool {
        self.training.spec.class_weights == ClassWeighting::Balanced
    }

    /// The weights of these records, where classes count by the number of theirs.
    pub(crate) fn record_weights<E: Engine>(&self, e: &mut E, data: &Data<E::Num>) -> EngineResult<Option<E::Num>> {
        let of = |e: &mut E| {
            let labels = e.here(&data.y)?;
            balanced::of_records(e, &labels)
        };
        if self.is_balanced() { e.within("class weights", of).map(Some) } else { Ok(None) }
    }

    fn epoch_order(&self, epoch: u64) -> Vec<usize> {
        order(self.training.records.train_rows, self.training.spec.seed, Use::Epoch(epoch))
    }

    /// The records of a step, from the order of its epoch.
    fn batch<'a>(&self, order: &'a [usize], step: u64) -> &'a [usize] {
        let size = self.training.spec.batch;
        let at = (step % self.steps_per_epoch()) as usize * size;
        &order[at..at + size]
    }

    pub(crate) fn step_on<E: Engine>(
        &self,
        e: &mut E,
        state: &mut State<E::Num>,
        batch: &Data<E::Num>,
        weights: Option<&E::Num>,
        step: u64,
    ) -> EngineResult<()> {
        let (optimiser, at) = (&self.optimiser, self.at(step));
        let gradients = if e.lane().has_others() {
            self.lead(e, state, batch, weights, at)?
        } else {
            self.gradients(e, state, batch, weights, at)?
        };
        e.within(optimiser.name(), |e| running::apply(e, optimiser, self.network.params(), state, gradients, at))
    }

    pub(crate) fn at(&self, step: u64) -> At {
        At { epoch: step / self.steps_per_epoch(), step }
    }

    /// Forward, and back: what becomes of each parameter's gradient, or a lane's part of it.
    pub(crate) fn gradients<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        batch: &Data<E::Num>,
        weights: Option<&E::Num>,
        at: At,
    ) -> EngineResult<Vec<E::Num>> {
        let mode = Mode::Train { seed: self.training.spec.seed, step: at.step };
        let (outputs, tape) = self.network.forward(e, &state.params, &self.formats, &batch.x, mode)?;
        let d = e.within("softmax", |e| {
            let d = self.loss.gradient(e, &outputs, &batch.y, &self.scales)?;
            self.weighed(e, d, &batch.y, weights)
        })?;
        let d = self.optimiser.begin(e, &d, at)?;
        let cuts = running::cuts(e, &self.optimiser, self.network.params(), state, at)?;
        self.network.backward(e, tape, d, cuts)
    }

    /// Trains from step number `from` (0, or where a checkpoint was taken) to the end. `report` is called after each
    /// step and each epoch, and before an epoch's figures are opened; its error stops the training there. The last state that it was
    /// given with an epoch that was checked is a good one.
    ///
    /// # Errors
    /// [`Error::Config`] if the data is not of the configured shape; [`Error::Diverged`], [`Error::Weights`] or
    /// [`Error::Activations`] naming the epoch; those of the engine; those of `report`.
    pub fn train<E: Engine, X: From<Error>>(
        &self,
        e: &mut E,
        mut state: State<E::Num>,
        from: u64,
        data: &Data<E::Num>,
        test: &Data<E::Num>,
        report: &mut Report<'_, E, X>,
    ) -> std::result::Result<State<E::Num>, X> {
        self.fits(e, data, Some(self.training.records.train_rows), "training data")?;
        self.fits(e, test, None, "test data")?;
        // From here on each lane holds rows of its own.
        let prepare = |e: &mut E, d: &Data<E::Num>| {
            let x = e.prepare(&d.x)?;
            Ok(Data { x: e.spread(&x)?, y: e.spread(&d.y)? })
        };
        // Statistics of columns are of all rows, and so are the columns that are standardised by them.
        let here = self.brought_here(e, [data, test]).map_err(Error::Engine)?;
        let [data, test] = here.as_ref().map_or([data, test], |both| both.each_ref());
        let computed = self.compute_statistics(e, &mut state, data).map_err(Error::Engine)?;
        let opens = self.training.open;
        let standardised = self.standardise_all(e, &state, [data, test], computed && opens.clipped).map_err(Error::Engine)?;
        let (standardised, clipped) = standardised.map_or((None, None), |(both, clipped)| (Some(both), clipped));
        if computed && (opens.statistics || opens.clipped) {
            let mut open = true;
            report(e, Event::Statistics { open: &mut open })?;
            if open {
                let told = if opens.statistics { self.open_statistics(e, &state)? } else { None };
                let clipped = self.open_clipped(e, clipped.as_ref())?;
                report(e, Event::OpenedStatistics { told, clipped })?;
            }
        }
        let [data, test] = standardised.as_ref().map_or([data, test], |both| both.each_ref());
        let data = e.within("data", |e| prepare(e, data)).map_err(Error::Engine)?;
        let test = match self.training.open.metric {
            Some(_) if e.shape(&test.x)[0] > 0 => Some(e.within("data", |e| prepare(e, test)).map_err(Error::Engine)?),
            _ => None,
        };
        drop((standardised, here));
        let weights = self.record_weights(e, &data).map_err(Error::Engine)?;
        let of = |e: &E, rows: &[usize]| weights.as_ref().map(|weights| e.gather(weights, Index::Rows(rows)));
        let Training { spec, records, open, .. } = &self.training;
        let sample: Vec<usize> = order(records.train_rows, spec.seed, Use::LossSample).into_iter().take(LOSS_ROWS).collect();
        let sample = (open.loss || open.activations).then(|| (data.select(e, &sample), of(e, &sample)));

        report(e, Event::Start)?;
        let per_epoch = self.steps_per_epoch();
        for epoch in from / per_epoch..spec.epochs {
            // Also where a session begins at the checkpoint of the last epoch.
            if state.best.is_over(spec) {
                break;
            }
            let steps = from.max(epoch * per_epoch)..(epoch + 1) * per_epoch;
            let order = self.epoch_order(epoch);
            let mut stopped = None;
            let driven = e.drive(state, steps, |e, state, step| {
                let start = Instant::now();
                let rows = self.batch(&order, step);
                let (batch, weights) = (data.select(e, rows), of(e, rows));
                self.step_on(e, state, &batch, weights.as_ref(), step)
                    .map_err(|e| e.within(&format!("epoch {}, step {}", epoch + 1, step + 1)))?;
                report(e, Event::Step { step: step + 1, time: start.elapsed(), state }).map_err(|x| {
                    stopped = Some(x);
                    protocol("stopped between steps".into())
                })
            });
            state = match (driven, stopped) {
                (_, Some(x)) => return Err(x),
                (driven, None) => driven.map_err(Error::Engine)?,
            };
            let epoch = epoch + 1;
            let mut checked = true;
            report(e, Event::Figures { epoch, open: &mut checked })?;
            if !checked {
                // Without a verdict the epoch counts neither as better nor as no better.
                let last = epoch == spec.epochs;
                report(e, Event::Epoch { epoch, loss: None, metric: None, figures: &[], checked, last, state: &state })?;
                continue;
            }
            let of_sample =
                |(sample, weights): &(Data<E::Num>, Option<E::Num>)| self.seen_of_sample(e, &state, sample, weights.as_ref());
            let seen = sample.as_ref().map(of_sample).transpose()?;
            let (loss, activations) = seen.unwrap_or_default();
            let out_of_range = self.out_of_range(e, &state, activations)?;
            let figures = test.as_ref().map(|test| self.hidden_figures(e, &state, test)).transpose()?;
            report(e, Event::Opening { epoch })?;
            let loss = loss.map_or(Ok(None), |loss| loss.open(e))?;
            if let Some(loss) = loss.filter(|l| !(-0.01..DIVERGED).contains(l)) {
                return Err(Error::Diverged { epoch, loss, most: DIVERGED }.into());
            }
            self.check_ranges(e, out_of_range, epoch)?;
            let figures = figures.map_or(Ok(Vec::new()), |figures| figures.open(e))?;
            let metric = figures.first().and_then(|first| first.value);
            let (figure, follows) = (self.training.figure(loss, metric), spec.follows_best());
            let mut better = figure.map(|figure| self.training.is_better(figure, state.best.figure));
            report(e, Event::Opened { epoch, loss, metric, figures: &figures, verdict: follows.then_some(&mut better) })?;
            if follows {
                state.best.take(better, epoch, figure, &state.params);
            }
            let last = epoch == spec.epochs || state.best.is_over(spec);
            report(e, Event::Epoch { epoch, loss, metric, figures: &figures, checked, last, state: &state })?;
        }
        // The best epoch's parameters, with their running values, unless no epoch's figures were opened.
        if state.best.given(spec).is_some() {
            state.params = std::mem::take(&mut state.best.params);
        }
        Ok(state)
    }

    fn fits<E: Engine>(&self, e: &E, data: &Data<E::Num>, rows: Option<usize>, what: &'static str) -> Result<()> {
        let (x, y) = (e.shape(&data.x), e.shape(&data.y));
        let rows = rows.unwrap_or(x[0]);
        let expected = ([rows, self.training.width()], [rows, self.network.outputs()]);
        if (x, y) != expected {
            return Err(Error::config(
                what,
                format!("records {x:?} and labels {y:?}"),
                format!("{:?} and {:?}", expected.0, expected.1),
            ));
        }
        let (formats, expected) = ((e.format(&data.x), e.format(&data.y)), (self.training.shared(), self.label_format()));
        if formats != expected {
            let text = |(x, y): (Format, Format)| format!("{x:?} and {y:?}");
            return Err(Error::config(what, text(formats), text(expected)));
        }
        Ok(())
    }
}

fn protocol(source: Box<dyn std::error::Error + Send + Sync>) -> trefoil_engine::Error {
    trefoil_engine::Error::Protocol(source)
}
