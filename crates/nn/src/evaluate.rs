//! Accuracy, loss and the range of the weights, on hidden data and weights. Only aggregates are opened: the number of
//! correct records, the sum of the losses, the number of blocks of weights out of range. AUC has [its own file](crate::auc).
//!
//! Each figure is bounded by how it is made, whatever the network's outputs are: a record adds 0 or 1 to a count, and to a sum of losses at
//! most [`MOST_LOSS`]. The range check of the records is what makes labels 0 and 1; a figure outside of its bound is refused where it is
//! opened, and nothing of it is told.
//!
//! A figure is computed first, hidden, and opened then: what comes between is whoever has to remember that it is opened.

use crate::bound::{clipped_sum, within};
use crate::graph::Param;
use crate::scales::RUNNING;
use crate::{Data, Error, LABEL, Loss, Metric, Result, State, Trainer};
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

/// A figure that is not opened yet.
pub(crate) struct Hidden<N> {
    /// The layer to which its opening is booked.
    pub layer: &'static str,
    /// What is opened; nothing where there are no records.
    pub value: Option<N>,
    /// Records, or blocks of weights.
    pub n: usize,
    /// What is told of what was opened of so many records or blocks, if it is within its bound.
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
            in_chunks(e, data, self.at_a_time(chunk), |e, part| {
                let logits = self.forward(e, state, &part.x)?;
                if self.loss_kind() == Loss::BinaryCrossEntropy {
                    return right_signs(e, &logits, &part.y);
                }
                let bits = argmax(e, &logits)?;
                // The label's place, where the network agrees.
                let [hit] = e.select([(&bits, &part.y)])?;
                Ok(e.sum(&e.sum(&hit, Sum::Cols), Sum::Rows))
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
        self.mean_loss(e, "loss", state, data)?.open(e)
    }

    /// So many records, or fewer where they are wide.
    fn at_a_time(&self, chunk: usize) -> usize {
        chunk.min((VALUES / self.network().widest().max(1)).max(1))
    }

    pub(crate) fn mean_loss<E: Engine>(
        &self,
        e: &mut E,
        layer: &'static str,
        state: &State<E::Num>,
        data: &Data<E::Num>,
    ) -> Result<Hidden<E::Num>> {
        let value = e.within(layer, |e| {
            in_chunks(e, data, self.at_a_time(LOSS_ROWS), |e, part| {
                let z = self.forward(e, state, &part.x)?;
                let losses = self.loss_kind().losses(e, &z, &part.y, self.scales())?;
                let losses = self.weighed(e, losses, &part.y)?;
                clipped_sum(e, &losses, LEAST_LOSS, MOST_LOSS)
            })
        })?;
        let told = |opened: &Array2<f64>, rows: f64| {
            Ok(within("sum of losses", element(opened), LEAST_LOSS * rows, MOST_LOSS * rows)?.map(|sum| sum / rows))
        };
        Ok(Hidden { layer, value, n: e.shape(&data.x)[0], told })
    }

    /// The figure that [`Open`](crate::Open) names, of these records; `None` where none is named, at a party to which nothing is
    /// opened, for no records, and where it is undefined.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn metric<E: Engine>(&self, e: &mut E, state: &State<E::Num>, data: &Data<E::Num>) -> Result<Option<f64>> {
        self.hidden_metric(e, state, data)?.map_or(Ok(None), |hidden| hidden.open(e))
    }

    pub(crate) fn hidden_metric<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        data: &Data<E::Num>,
    ) -> Result<Option<Hidden<E::Num>>> {
        Ok(match self.training().open.metric {
            Some(Metric::Accuracy) => {
                let correct = self.correct(e, state, data, CHUNK)?;
                let told = |opened: &Array2<f64>, rows: f64| {
                    Ok(within("number of correct records", element(opened), 0.0, rows)?.map(|n| n.round() / rows))
                };
                Some(Hidden { told, ..correct })
            }
            Some(Metric::Auc) => Some(self.hidden_auc(e, state, data)?),
            Some(Metric::SquaredError) => Some(self.mean_loss(e, "evaluate", state, data)?),
            None => None,
        })
    }

    /// The number of blocks of [`BLOCK`] neighbouring weights whose norm is as large as a single weight may be (16). Running values, which
    /// may well be near that, have a block of their own each.
    /// None means that every weight is in range; healthy blocks are far below. One product a weight and one comparison
    /// a block.
    ///
    /// Exact for weights below 2^31 units (128 at 24 fraction bits); beyond that squares wrap, and a block is found with
    /// a chance of about one half.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn weights_out_of_range<E: Engine>(&self, e: &mut E, state: &State<E::Num>) -> Result<Option<u64>> {
        Ok(self.blocks_out_of_range(e, state)?.open(e)?.map(|n| n as u64))
    }

    pub(crate) fn blocks_out_of_range<E: Engine>(&self, e: &mut E, state: &State<E::Num>) -> Result<Hidden<E::Num>> {
        let (layer, weight) = ("range", self.scales().weight);
        let (count, n) = e.within(layer, |e| {
            // Blocks are columns; the last block of a matrix is filled up with its first elements.
            let params = self.network().params().iter().zip(&state.params);
            let block = |(param, w): (&Param, &E::Num)| if param.trained { Ok(in_blocks(e, w)) } else { alone(e, w) };
            let blocks = params.map(block).collect::<EngineResult<Vec<E::Num>>>()?;
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
            Ok((e.sum(&out, Sum::Cols), n))
        })?;
        let told = |opened: &Array2<f64>, blocks: f64| {
            Ok(within("number of blocks of weights", element(opened), 0.0, blocks)?.map(f64::round))
        };
        Ok(Hidden { layer, value: Some(count), n, told })
    }

    /// Opens that number, which must be 0.
    pub(crate) fn check_weights<E: Engine>(&self, e: &mut E, blocks: Hidden<E::Num>, epoch: u64) -> Result<()> {
        match blocks.open(e)? {
            Some(blocks) if blocks > 0.0 => {
                Err(Error::Weights { epoch, blocks: blocks as u64, size: BLOCK, bound: self.bound() })
            }
            _ => Ok(()),
        }
    }

    /// What every weight must stay below.
    fn bound(&self) -> f64 {
        let weight = self.scales().weight;
        f64::from(weight.bits - weight.frac).exp2()
    }
}

/// The sum of what `f` gives, one element, for `chunk` records at a time; nothing for no records.
fn in_chunks<E: Engine>(
    e: &mut E,
    data: &Data<E::Num>,
    chunk: usize,
    mut f: impl FnMut(&mut E, &Data<E::Num>) -> EngineResult<E::Num>,
) -> EngineResult<Option<E::Num>> {
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
    Ok(Some(e.sum(&row, Sum::Cols)))
}

/// How many of a column's outputs are not negative where the label is 1, and negative where it is 0: with b = [z >= 0],
/// 1 - y + b (2 y - 1) is 1 there, and 0 elsewhere.
fn right_signs<E: Engine>(e: &mut E, z: &E::Num, y: &E::Num) -> EngineResult<E::Num> {
    let rows = e.shape(z)[0];
    let one = e.public(&Array2::ones((rows, 1)), LABEL)?;
    let [positive] = e.drelu([z])?;
    let signed = e.sub(&e.times(y, 2.0, 0)?, &one)?;
    let [signed] = e.select([(&positive, &signed)])?;
    let right = e.add(&e.sub(&one, y)?, &signed)?;
    Ok(e.sum(&e.claim(&right, LABEL.bits), Sum::Rows))
}

fn in_blocks<E: Engine>(e: &E, w: &E::Num) -> E::Num {
    let [rows, columns] = e.shape(w);
    let n = rows * columns;
    let blocks = n.div_ceil(BLOCK);
    let at: Vec<usize> = (0..BLOCK * blocks).map(|i| ((i % blocks) * BLOCK + i / blocks) % n).collect();
    e.gather(w, Index::Flat([BLOCK, blocks], &at))
}

/// A row of running values, each with zeros below it, over what their range is wider by than that of weights.
fn alone<E: Engine>(e: &E, w: &E::Num) -> EngineResult<E::Num> {
    let [_, n] = e.shape(w);
    let w = &e.times_2(w, -RUNNING.cast_signed())?;
    let with_zero = e.beside(&[w, &e.public(&Array2::zeros((1, 1)), e.format(w))?])?;
    let at: Vec<usize> = (0..BLOCK * n).map(|i| if i < n { i } else { n }).collect();
    Ok(e.gather(&with_zero, Index::Flat([BLOCK, n], &at)))
}

fn element(opened: &Array2<f64>) -> Option<f64> {
    opened.first().copied()
}
