//! Statistics in a training: computed before its first step, opened if the job says so, and folded into the model that is given away.

use super::{LAYER, Scaling, Statistics, WHOLE, parts};
use crate::bound::within;
use crate::graph::Kind;
use crate::train::{Data, State};
use crate::{Error, Result, Trainer};
use trefoil_engine::{Engine, Format, Result as EngineResult, ShapeNum, Shapes};

/// Records to train on and held out, and how many values of the first were clipped.
type Standardised<N> = ([Data<N>; 2], Option<N>);

impl Trainer {
    /// Statistics of matrices that `matrix` makes of a shape and a format, where there are columns that are standardised on shares.
    ///
    /// # Errors
    /// Those of `matrix`.
    pub fn statistics_of<N>(
        &self,
        mut matrix: impl FnMut([usize; 2], Format) -> EngineResult<N>,
    ) -> EngineResult<Option<Statistics<N>>> {
        let secure = &self.training().secure;
        if secure.is_empty() {
            return Ok(None);
        }
        let [mean, inverse] = parts(secure.len()).map(|(shape, format)| matrix(shape, format));
        Ok(Some(Statistics { mean: mean?, inverse: inverse? }))
    }

    /// Records as the network takes them, from records as they were shared.
    ///
    /// # Errors
    /// Those of the engine; the statistics that they need are not there.
    pub fn standardised<E: Engine>(&self, e: &mut E, state: &State<E::Num>, x: &E::Num) -> EngineResult<E::Num> {
        Ok(self.standardised_counted(e, state, x, false)?.0)
    }

    /// And how many values of each column were clipped, if that is to be `counted`.
    fn standardised_counted<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        x: &E::Num,
        counted: bool,
    ) -> EngineResult<(E::Num, Option<E::Num>)> {
        let (layout, input) = (self.training().layout(), self.training().records.input());
        match &state.statistics {
            _ if layout.places.is_empty() => Ok((x.clone(), None)),
            Some(statistics) => e.within(LAYER, |e| layout.standardised(e, statistics, x, input, counted)),
            None => Err(trefoil_engine::Error::Protocol("the columns' statistics are not here".into())),
        }
    }

    /// Computes the statistics of the training records, if there are any to compute and the state has none yet: whether that is so.
    pub(crate) fn compute_statistics<E: Engine>(
        &self,
        e: &mut E,
        state: &mut State<E::Num>,
        data: &Data<E::Num>,
    ) -> EngineResult<bool> {
        if self.training().secure.is_empty() || state.statistics.is_some() {
            return Ok(false);
        }
        let (of, gaps) = self.training().layout().columns(e, &data.x)?;
        let by: Vec<Scaling> = self.training().secure.iter().map(|(_, by)| *by).collect();
        state.statistics = Some(e.within(LAYER, |e| Statistics::of_present(e, &of, &by, gaps.as_ref()))?);
        Ok(true)
    }

    /// Opens them: of each column mean and deviation, minimum and maximum, or median and the quartiles' difference, in units; `None` at a party to which nothing is opened.
    ///
    /// # Errors
    /// One is out of its bound; those of the engine.
    pub(crate) fn open_statistics<E: Engine>(&self, e: &mut E, state: &State<E::Num>) -> Result<Option<Vec<[f64; 2]>>> {
        let Some(Statistics { mean, inverse }) = &state.statistics else { return Ok(None) };
        let [mean, inverse] = e.within(LAYER, |e| Ok([e.open(mean)?, e.open(inverse)?]))?;
        let (Some(mean), Some(inverse)) = (mean, inverse) else { return Ok(None) };
        let most = f64::from(WHOLE).exp2();
        let of = |((mean, inverse), (_, by)): ((&f64, &f64), &(usize, Scaling))| {
            within("mean, minimum or median of a column", Some(*mean), -most, most)?;
            within("deviation or range of a column", Some(inverse.recip()), 1.0, 2.0 * most)?;
            Ok(match by {
                Scaling::Deviation | Scaling::Quantiles => [*mean, inverse.recip()],
                Scaling::Range => [*mean, mean + inverse.recip()],
            })
        };
        mean.iter().zip(&inverse).zip(&self.training().secure).map(of).collect::<Result<Vec<_>>>().map(Some)
    }

    /// Opens how many values of each column were clipped, where that was counted; `None` at a party to which nothing is opened.
    ///
    /// # Errors
    /// More than there are records; those of the engine.
    pub(crate) fn open_clipped<E: Engine>(&self, e: &mut E, counts: Option<&E::Num>) -> Result<Option<Vec<u64>>> {
        let Some(counts) = counts else { return Ok(None) };
        let Some(told) = e.within(LAYER, |e| e.open(counts))? else { return Ok(None) };
        let rows = self.training().records.train_rows as f64;
        let of = |count: &f64| {
            within("number of clipped values", Some(*count), 0.0, rows)?;
            Ok(count.round() as u64)
        };
        told.iter().map(of).collect::<Result<Vec<_>>>().map(Some)
    }

    /// Both kinds of records standardised, where there are columns to standardise; of those held out none, where nothing is opened of them.
    /// And how many values of those to train on were clipped, if that is to be `counted`.
    pub(crate) fn standardise_all<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        [train, test]: [&Data<E::Num>; 2],
        counted: bool,
    ) -> EngineResult<Option<Standardised<E::Num>>> {
        if self.training().secure.is_empty() {
            return Ok(None);
        }
        let none;
        let test = if self.training().open.metric.is_some() {
            test
        } else {
            none = test.select(e, &[]);
            &none
        };
        let (x, counts) = self.standardised_counted(e, state, &train.x, counted)?;
        let test = Data { x: self.standardised(e, state, &test.x)?, y: test.y.clone() };
        Ok(Some(([Data { x, y: train.y.clone() }, test], counts)))
    }

    /// The parameters as they are given away: the network takes records as they were shared, with the statistics in its first layer.
    ///
    /// # Errors
    /// [`Error::Config`] if a layer that takes the record is not linear; those of the engine.
    pub fn exports<E: Engine>(&self, e: &mut E, state: &State<E::Num>) -> Result<Vec<E::Num>> {
        let (places, mut params) = (self.training().places(), state.params.clone());
        let Some(statistics) = state.statistics.as_ref().filter(|_| !places.is_empty()) else { return Ok(params) };
        // Whatever was evaluated before, and in how many lanes: what is rounded here is rounded alike.
        e.begin_step(self.total_steps());
        let network = self.network();
        for (node, sources) in network.sources().iter().enumerate().filter(|(_, sources)| sources.contains(&None)) {
            let range = network.params_of(node);
            let (Kind::Linear(_), [None], [weight, bias]) =
                (&network.graph().nodes[node].op, &sources[..], &params[range.clone()])
            else {
                let found = format!("{}, whose {} takes the record", network.graph(), network.names()[node]);
                let expected = "a linear layer first, as the model that is given away has the columns' statistics in it; or no model_owner, \
                                and [serve]; or public statistics of the columns";
                return Err(Error::config("network with columns of scale \"secure\"", found, expected));
            };
            let folded = e.within(LAYER, |e| statistics.folded(e, &places, [weight, bias]))?;
            params.splice(range, folded);
        }
        Ok(params)
    }

    /// The formats of [`Trainer::exports`].
    ///
    /// # Errors
    /// As there.
    pub fn exported(&self) -> Result<Vec<Format>> {
        let (e, mut state) = (&mut Shapes::default(), self.state_of(ShapeNum::new));
        state.statistics = self.statistics_of(|shape, format| Ok(ShapeNum::new(shape, format)))?;
        Ok(self.exports(e, &state)?.iter().map(|x| e.format(x)).collect())
    }
}
