//! Accuracy, loss and the range of the weights, on hidden data and weights. Only aggregates are opened: the number of
//! correct records, the sum of the losses, the number of blocks of weights out of range. AUC has [its own file](crate::auc).
//!
//! Each figure is bounded by how it is made, whatever the network's outputs are: a record adds 0 or 1 to a count, and to a sum of losses at
//! most [`MOST_LOSS`]. The range check of the records is what makes labels 0 and 1; a figure outside of its bound is refused where it is
//! opened, and nothing of it is told.

use crate::bound::{clipped_sum, within};
use crate::{Data, Error, Metric, Result, State, Trainer};
use ndarray::Array2;
use trefoil_engine::functions::argmax;
use trefoil_engine::{Engine, Format, Index, Opened, Product, Result as EngineResult, Sum};

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
/// Weights in a block of the range monitor.
pub const BLOCK: usize = 8;
/// Fraction bits that the monitor takes off the squares, so that a block's sum stays in the ring.
const DROPPED: u8 = 12;
/// Integers stay below 2^62.
const MAX_BITS: u8 = 62;

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
        let opened = e.within("evaluate", |e| {
            in_chunks(e, data, self.at_a_time(chunk), |e, part| {
                let logits = self.forward(e, state, &part.x)?;
                let bits = argmax(e, &logits)?;
                // The label's place, where the network agrees.
                let [hit] = e.select([(&bits, &part.y)])?;
                Ok(e.sum(&e.sum(&hit, Sum::Cols), Sum::Rows))
            })
        })?;
        let rows = e.shape(&data.x)[0] as f64;
        let correct = within("number of correct records", element(opened), 0.0, rows)?;
        Ok(correct.map(|n| n.round() as usize))
    }

    /// The mean loss of the records: cross entropy, or (z - y)^2, of each record [`MOST_LOSS`] at most; `None` at a party to which nothing is opened, and for no records.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn loss<E: Engine>(&self, e: &mut E, state: &State<E::Num>, data: &Data<E::Num>) -> Result<Option<f64>> {
        self.mean_loss(e, "loss", state, data)
    }

    /// So many records, or fewer where they are wide.
    fn at_a_time(&self, chunk: usize) -> usize {
        chunk.min((VALUES / self.network().widest().max(1)).max(1))
    }

    fn mean_loss<E: Engine>(&self, e: &mut E, layer: &str, state: &State<E::Num>, data: &Data<E::Num>) -> Result<Option<f64>> {
        let rows = e.shape(&data.x)[0];
        let opened = e.within(layer, |e| {
            in_chunks(e, data, self.at_a_time(LOSS_ROWS), |e, part| {
                let z = self.forward(e, state, &part.x)?;
                let losses = self.config().loss.losses(e, &z, &part.y, self.scales())?;
                clipped_sum(e, &losses, LEAST_LOSS, MOST_LOSS)
            })
        })?;
        let rows = rows as f64;
        Ok(within("sum of losses", element(opened), LEAST_LOSS * rows, MOST_LOSS * rows)?.map(|sum| sum / rows))
    }

    /// The figure that [`Open`](crate::Open) names, of these records; `None` where none is named, at a party to which nothing is
    /// opened, for no records, and where it is undefined.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn metric<E: Engine>(&self, e: &mut E, state: &State<E::Num>, data: &Data<E::Num>) -> Result<Option<f64>> {
        let rows = e.shape(&data.x)[0];
        match self.config().open.metric {
            Some(Metric::Accuracy) => Ok(self.evaluate(e, state, data, CHUNK)?.map(|correct| correct as f64 / rows as f64)),
            Some(Metric::Auc) => self.auc(e, state, data),
            Some(Metric::SquaredError) => self.mean_loss(e, "evaluate", state, data),
            None => Ok(None),
        }
    }

    /// The number of blocks of [`BLOCK`] neighbouring weights whose norm is as large as a single weight may be (16).
    /// None means that every weight is in range; healthy blocks are far below. One product a weight and one comparison
    /// a block.
    ///
    /// Exact for weights below 2^31 units (128 at 24 fraction bits); beyond that squares wrap, and a block is found with
    /// a chance of about one half.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn weights_out_of_range<E: Engine>(&self, e: &mut E, state: &State<E::Num>) -> Result<Option<u64>> {
        let weight = self.scales().weight;
        let (opened, blocks) = e.within("range", |e| {
            // Blocks are columns; the last block of a matrix is filled up with its first elements.
            let blocks: Vec<E::Num> = state.params.iter().map(|w| in_blocks(e, w)).collect();
            let w = e.beside(&blocks.iter().collect::<Vec<_>>())?;
            // Wide enough for weights that have left their range: all squares below 2^62 before truncation.
            let square = Format { frac: 2 * weight.frac - DROPPED, bits: MAX_BITS - DROPPED };
            let [squares] = e.products([Product::mul(&w, &w, square)])?;
            let norms = e.sum(&squares, Sum::Rows);
            let [_, n] = e.shape(&norms);
            let limit = e.public(&Array2::from_elem((1, 1), self.bound().powi(2)), square)?;
            let above = e.sub(&norms, &limit)?;
            let [out] = e.drelu([&above])?;
            let one = e.public(&Array2::ones((1, n)), Format { frac: 0, bits: 1 })?;
            let [out] = e.select([(&out, &one)])?;
            let count = e.sum(&out, Sum::Cols);
            Ok((e.open(&count)?, n as f64))
        })?;
        Ok(within("number of blocks of weights", element(opened), 0.0, blocks)?.map(|n| n.round() as u64))
    }

    pub(crate) fn check_weights<E: Engine>(&self, e: &mut E, state: &State<E::Num>, epoch: u64) -> Result<()> {
        match self.weights_out_of_range(e, state)? {
            None | Some(0) => Ok(()),
            Some(blocks) => Err(Error::Weights { epoch, blocks, size: BLOCK, bound: self.bound() }),
        }
    }

    /// What every weight must stay below.
    fn bound(&self) -> f64 {
        let weight = self.scales().weight;
        f64::from(weight.bits - weight.frac).exp2()
    }
}

/// The opened sum of what `f` gives, one element, for `chunk` records at a time.
fn in_chunks<E: Engine>(
    e: &mut E,
    data: &Data<E::Num>,
    chunk: usize,
    mut f: impl FnMut(&mut E, &Data<E::Num>) -> EngineResult<E::Num>,
) -> EngineResult<Opened> {
    let rows: Vec<usize> = (0..e.shape(&data.x)[0]).collect();
    let mut sums = Vec::new();
    for rows in rows.chunks(chunk.max(1)) {
        let part = data.select(e, rows);
        sums.push(f(e, &part)?);
    }
    if sums.is_empty() {
        return Ok(None);
    }
    // The last chunk is smaller, and so may its range be.
    let bits = sums.iter().map(|sum| e.format(sum).bits).max().unwrap_or_default();
    let sums: Vec<E::Num> = sums.iter().map(|sum| e.claim(sum, bits)).collect();
    let row = e.beside(&sums.iter().collect::<Vec<_>>())?;
    e.open(&e.sum(&row, Sum::Cols))
}

fn in_blocks<E: Engine>(e: &E, w: &E::Num) -> E::Num {
    let [rows, columns] = e.shape(w);
    let n = rows * columns;
    let blocks = n.div_ceil(BLOCK);
    let at: Vec<usize> = (0..BLOCK * blocks).map(|i| ((i % blocks) * BLOCK + i / blocks) % n).collect();
    e.gather(w, Index::Flat([BLOCK, blocks], &at))
}

fn element(opened: Opened) -> Option<f64> {
    opened.and_then(|m| m.first().copied())
}
