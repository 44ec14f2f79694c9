//! Loss and accuracy, on hidden data and weights. Only aggregates are opened: the sum of the losses, the number of correct records. The
//! [figures of the records held out](crate::metrics) have their own file, and so have the counts of what is [out of range](crate::monitor).
//!
//! Each figure is bounded by how it is made, whatever the network's outputs are: a record adds 0 or 1 to a count, and to a sum of losses at
//! most [`MOST_LOSS`]. The range check of the records is what makes labels 0 and 1; a figure outside of its bound is refused where it is
//! opened, and nothing of it is told.
//!
//! A figure is computed first, hidden, and opened then: what comes between is whoever has to remember that it is opened.

use crate::bound::{clipped_sum, within};
use crate::monitor::Seen;
use crate::{Data, LABEL, Result, State, Trainer};
use ndarray::Array2;
use trefoil_engine::{Engine, Index, Opened, Result as EngineResult, Sum};

/// Records whose loss is measured, at most.
pub const LOSS_ROWS: usize = 1024;
/// Records that are evaluated at a time.
pub const CHUNK: usize = 1000;
/// A loss of this much is no training any more: guessing costs ln(classes), and at most 64 where targets are below 8.
pub const DIVERGED: f64 = 100.0;
/// What one record adds to the opened sum of losses at most, and what it adds if its loss is more.
pub const MOST_LOSS: f64 = 1024.0;
/// What it adds at least: rounding makes a loss of zero a little less than that.
pub const LEAST_LOSS: f64 = -1.0;
/// Values of a layer that are evaluated at a time, where records are wide.
const VALUES: usize = 1 << 22;
/// A figure that is not opened yet.
pub(crate) struct Hidden<N> {
    /// The layer to which its opening is booked.
    pub layer: &'static str,
    /// What is opened; nothing where there are no records.
    pub value: Option<N>,
    /// Records.
    pub n: usize,
    /// What is told of what was opened of so many records, if it is within its bound.
    pub told: fn(&Array2<f64>, f64) -> Result<Option<f64>>,
}

impl<N> Hidden<N> {
    /// Opens it; `None` at a party to which nothing is opened, and where it is undefined.
    ///
    /// # Errors
    /// It is out of its bound; those of the engine.
    pub fn open<E: Engine<Num = N>>(self, e: &mut E) -> Result<Option<f64>> {
        let Some(value) = self.value else { return Ok(None) };
        let opened: Opened = e.within(self.layer, |e| e.open(&value))?;
        opened.map_or(Ok(None), |opened| (self.told)(&opened, self.n as f64))
    }
}

impl Trainer {
    /// How many records of `data` the network puts into the right class, `chunk` at a time; `None` at a party to which
    /// nothing is opened.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn evaluate<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        data: &Data<E::Num>,
        chunk: usize,
    ) -> Result<Option<usize>> {
        Ok(self.correct(e, state, data, chunk)?.open(e)?.map(|n| n as usize))
    }

    fn correct<E: Engine>(&self, e: &mut E, state: &State<E::Num>, data: &Data<E::Num>, chunk: usize) -> Result<Hidden<E::Num>> {
        let layer = "evaluate";
        let value = e.within(layer, |e| {
            in_chunks(e, data, self.at_a_time(chunk), |e, part, _| {
                let (logits, _) = self.outputs(e, state, &part.x, false)?;
                self.right(e, &logits, &part.y)
            })
        })?;
        let told = |opened: &Array2<f64>, rows: f64| {
            Ok(within("number of correct records", element(opened), 0.0, rows)?.map(f64::round))
        };
        Ok(Hidden { layer, value, n: e.shape(&data.x)[0], told })
    }

    /// The mean loss of the records: cross entropy, or (z - y)^2, of each record [`MOST_LOSS`] at most; `None` at a party to which nothing is opened, and for no records.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn loss<E: Engine>(&self, e: &mut E, state: &State<E::Num>, data: &Data<E::Num>) -> Result<Option<f64>> {
        let weights = self.record_weights(e, data)?;
        self.mean_loss(e, "loss", state, data, weights.as_ref(), None)?.open(e)
    }

    /// So many records, or fewer where they are wide.
    pub(crate) fn at_a_time(&self, chunk: usize) -> usize {
        chunk.min((VALUES / self.network().widest().max(1)).max(1))
    }

    /// The loss, and `seen` of the activations on the way there; `weights` are those of the records, where they have some.
    pub(crate) fn mean_loss<E: Engine>(
        &self,
        e: &mut E,
        layer: &'static str,
        state: &State<E::Num>,
        data: &Data<E::Num>,
        weights: Option<&E::Num>,
        mut seen: Option<&mut Seen<E::Num>>,
    ) -> Result<Hidden<E::Num>> {
        let value = e.within(layer, |e| {
            in_chunks(e, data, self.at_a_time(LOSS_ROWS), |e, part, rows| {
                let (z, outputs) = self.outputs(e, state, &part.x, seen.is_some())?;
                let losses = self.loss_kind().losses(e, &z, &part.y, self.scales())?;
                let weights = weights.map(|weights| e.gather(weights, Index::Rows(rows)));
                let losses = self.weighed(e, losses, &part.y, weights.as_ref())?;
                let sum = clipped_sum(e, &losses, LEAST_LOSS, MOST_LOSS)?;
                // Now nothing waits to be finished any more that would have been finished on the way.
                if let Some(seen) = &mut seen {
                    seen.take(e, &outputs)?;
                }
                Ok(sum)
            })
        })?;
        let told = |opened: &Array2<f64>, rows: f64| {
            Ok(within("sum of losses", element(opened), LEAST_LOSS * rows, MOST_LOSS * rows)?.map(|sum| sum / rows))
        };
        Ok(Hidden { layer, value, n: e.shape(&data.x)[0], told })
    }
}

/// The sum of what `f` gives, one element, for `chunk` records at a time; nothing for no records.
fn in_chunks<E: Engine>(
    e: &mut E,
    data: &Data<E::Num>,
    chunk: usize,
    f: impl FnMut(&mut E, &Data<E::Num>, &[usize]) -> EngineResult<E::Num>,
) -> EngineResult<Option<E::Num>> {
    let sums = each_chunk(e, data, chunk, f)?;
    if sums.is_empty() {
        return Ok(None);
    }
    // The last chunk is smaller, and so may its range be.
    let bits = sums.iter().map(|sum| e.format(sum).bits).max().unwrap_or_default();
    let sums: Vec<E::Num> = sums.iter().map(|sum| e.claim(sum, bits)).collect();
    let row = e.beside(&sums.iter().collect::<Vec<_>>())?;
    Ok(Some(e.sum(&row, Sum::Cols)))
}

/// What `f` gives for `chunk` records at a time, of which it is told the places. Lanes divide each chunk evenly, but for a last one of fewer records than there are lanes.
pub(crate) fn each_chunk<E: Engine, T>(
    e: &mut E,
    data: &Data<E::Num>,
    chunk: usize,
    mut f: impl FnMut(&mut E, &Data<E::Num>, &[usize]) -> EngineResult<T>,
) -> EngineResult<Vec<T>> {
    let (rows, of): (Vec<usize>, _) = ((0..e.shape(&data.x)[0]).collect(), e.lane().of);
    let part = |rows: &[usize]| {
        let mut part = data.select(e, rows);
        // Figures are made at lane 0.
        part.y = e.here(&part.y)?;
        f(e, &part, rows)
    };
    let chunk = (chunk / of).max(1) * of;
    let (even, rest) = rows.split_at(rows.len() / of * of);
    even.chunks(chunk).chain(rest.chunks(chunk)).map(part).collect()
}

/// How many of a column's outputs are not negative where the label is 1, and negative where it is 0: with b = [z >= 0],
/// 1 - y + b (2 y - 1) is 1 there, and 0 elsewhere.
pub(crate) fn right_signs<E: Engine>(e: &mut E, z: &E::Num, y: &E::Num) -> EngineResult<E::Num> {
    let rows = e.shape(z)[0];
    let one = e.public(&Array2::ones((rows, 1)), LABEL)?;
    let [positive] = e.drelu([z])?;
    let signed = e.sub(&e.times(y, 2.0, 0)?, &one)?;
    let [signed] = e.select([(&positive, &signed)])?;
    let right = e.add(&e.sub(&one, y)?, &signed)?;
    Ok(e.sum(&e.claim(&right, LABEL.bits), Sum::Rows))
}

fn element(opened: &Array2<f64>) -> Option<f64> {
    opened.first().copied()
}
