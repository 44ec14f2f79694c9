//! A training in lanes: each batch is split between several engines by rows.
//!
//! Lane 0 runs the training as if it were alone: the state, checkpoints and all that is opened are its affair. Each lane holds rows of its own of the records; what lane 0 has stands
//! for all of them. In each step it gives the other lanes the parameters, and says which rows of the batch are whose; lanes that hold others' rows pass them on. All lanes go forward and back through their rows; what is a sum over the batch, the gradients by parameters, comes
//! together in lane 0 before it is truncated, so it is rounded once. The optimiser works in lane 0 alone.
//!
//! Where figures are computed, each lane goes forward through its rows of the records, and lane 0 has all outputs again. What is made of them, and opened, is
//! its affair alone.

use crate::optimisers::At;
use crate::train::{Data, State};
use crate::{Best, Error, Result, Trainer};
use trefoil_engine::{Engine, Error as EngineError, Result as EngineResult, Told};

/// What an evaluation is called in the place of a step: whether the outputs of watched nodes are wanted, too.
const OUTPUTS: u64 = 0;
const WATCHED: u64 = 1;

impl Trainer {
    /// Whether the training can be split between so many lanes.
    ///
    /// # Errors
    /// [`Error::Config`] that names what cannot.
    pub fn fits_lanes(&self, lanes: usize) -> Result<()> {
        let batch = self.training().spec.batch;
        if lanes == 0 || !batch.is_multiple_of(lanes) {
            return Err(Error::config(
                "lanes",
                format!("{lanes} for a batch of {batch} records"),
                "a number that divides the batch",
            ));
        }
        Ok(())
    }

    /// Lane 0: the gradients of a batch that all lanes share.
    pub(crate) fn lead<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        batch: &Data<E::Num>,
        weights: Option<&E::Num>,
        at: At,
    ) -> EngineResult<Vec<E::Num>> {
        let common: Vec<&E::Num> = state.params.iter().collect();
        let rows: Vec<&E::Num> = [&batch.x, &batch.y].into_iter().chain(weights).collect();
        let rows = e.lead(at.step, &common, &rows)?;
        if !e.lane().leads() {
            // A plan of another lane: what an optimiser keeps never gets there.
            let state = State { kept: self.nothing_kept(e)?, ..state.clone() };
            return self.of_own_rows(e, &state, rows, at);
        }
        self.of_own_rows(e, state, rows, at)
    }

    /// Lane 0: what the network makes of these records, and the outputs of its watched nodes, if they are wanted. All lanes go through their rows of them, where
    /// lanes divide these evenly.
    pub(crate) fn outputs<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        x: &E::Num,
        watched: bool,
    ) -> EngineResult<(E::Num, Vec<E::Num>)> {
        let lane = e.lane();
        if !lane.has_others() || !e.shape(x)[0].is_multiple_of(lane.of) {
            let x = e.here(x)?;
            return self.outputs_here(e, state, &x, watched);
        }
        let common: Vec<&E::Num> = state.params.iter().collect();
        let rows = e.lead(if watched { WATCHED } else { OUTPUTS }, &common, &[x])?;
        match &rows[..] {
            [x] => self.outputs_of_own_rows(e, state, x, watched),
            _ => Err(EngineError::Shape { what: "rows of a lane", left: [rows.len(), 1], right: [1, 1] }),
        }
    }

    /// The records at lane 0, where lanes hold them and their columns are to be standardised.
    pub(crate) fn brought_here<E: Engine>(&self, e: &mut E, data: [&Data<E::Num>; 2]) -> EngineResult<Option<[Data<E::Num>; 2]>> {
        if self.training().secure.is_empty() || !e.lane().has_others() {
            return Ok(None);
        }
        let mut here = |data: &Data<E::Num>| Ok::<_, EngineError>(Data { x: e.here(&data.x)?, y: data.y.clone() });
        Ok(Some([here(data[0])?, here(data[1])?]))
    }

    fn outputs_here<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        x: &E::Num,
        watched: bool,
    ) -> EngineResult<(E::Num, Vec<E::Num>)> {
        if watched { self.forward_seen(e, state, x) } else { Ok((self.forward(e, state, x)?, vec![])) }
    }

    fn outputs_of_own_rows<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        x: &E::Num,
        watched: bool,
    ) -> EngineResult<(E::Num, Vec<E::Num>)> {
        let made = self.outputs_here(e, state, x, watched);
        e.whole_batch();
        let (z, mut all) = made?;
        all.push(z);
        let mut all = e.below(all)?;
        let z = all.pop().ok_or(EngineError::Shape { what: "outputs of lanes", left: [0, 0], right: [1, 1] })?;
        Ok((z, all))
    }

    /// Another lane: takes part in one step after the other until lane 0 says that there is no other.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn follow<E: Engine>(&self, e: &mut E) -> EngineResult<()> {
        while let Some(Told { step, common, rows }) = e.follow()? {
            // What an optimiser keeps is in lane 0; here its formats are enough.
            let state = State { params: common, kept: self.nothing_kept(e)?, best: Best::none(vec![]), statistics: None };
            match &rows[..] {
                // Records without labels: to be evaluated.
                [x] if state.params.len() == self.network().params().len() => {
                    let watched = step == WATCHED;
                    // As lane 0 books it.
                    let layer = if watched { "loss" } else { "evaluate" };
                    e.within(layer, |e| self.outputs_of_own_rows(e, &state, x, watched))?;
                }
                _ => drop(self.of_own_rows(e, &state, rows, self.at(step))?),
            }
        }
        Ok(())
    }

    fn of_own_rows<E: Engine>(&self, e: &mut E, state: &State<E::Num>, rows: Vec<E::Num>, at: At) -> EngineResult<Vec<E::Num>> {
        let expected = [self.training().spec.batch / e.lane().of, self.network().width()];
        let mut rows = rows.into_iter();
        let (Some(x), Some(y)) = (rows.next(), rows.next()) else {
            return Err(EngineError::Shape { what: "rows of a lane", left: [0, 0], right: expected });
        };
        if e.shape(&x) != expected || state.params.len() != self.network().params().len() {
            return Err(EngineError::Shape { what: "rows of a lane", left: e.shape(&x), right: expected });
        }
        let gradients = self.gradients(e, state, &Data { x, y }, rows.next().as_ref(), at);
        e.whole_batch();
        gradients
    }
}
