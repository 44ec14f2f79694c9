//! The area under the ROC curve, on hidden scores and labels: the share of the pairs of a positive and a negative record in which
//! the positive one has the higher score.
//!
//! Every record is compared with every other, whatever their labels. With b = \[s_i >= s_j\], the pair i, j adds b (y_i - y_j), and i, j
//! and j, i together 1 if they are concordant, -1 if they are discordant, 0 if the scores or the labels are equal. The labels enter by
//! a difference, so that apart from the comparisons only a selection is needed. Opened are the sum, C - D, and the number P of
//! positives; with the N negatives, AUC = (1 + (C - D) / (P N)) / 2: ties count half.

use crate::bound::within;
use crate::evaluate::Hidden;
use crate::order::{Use, order};
use crate::{Data, Error, Loss, Result, State, Trainer};
use ndarray::Array2;
use trefoil_engine::{Engine, Index, Result as EngineResult, Sum};

/// Records that are compared with one another, at most: a public random sample of all.
pub const ROWS: usize = 1000;
/// Pairs that are compared at a time.
const PAIRS: usize = 1 << 18;
/// Counts of pairs, and their differences, stay below 2^this: ROWS^2 < 2^20.
const COUNT: u8 = 24;

impl Trainer {
    /// The AUC of `data`, or of a sample of [`ROWS`] records, by the second output less the first, or by the only one; class 1 is positive. `None` at a
    /// party to which nothing is opened, and if not both classes occur.
    ///
    /// # Errors
    /// [`crate::Error::Config`] unless the network has two classes; those of the engine.
    pub fn auc<E: Engine>(&self, e: &mut E, state: &State<E::Num>, data: &Data<E::Num>) -> Result<Option<f64>> {
        self.hidden_auc(e, state, data)?.open(e)
    }

    pub(crate) fn hidden_auc<E: Engine>(&self, e: &mut E, state: &State<E::Num>, data: &Data<E::Num>) -> Result<Hidden<E::Num>> {
        let outputs = self.network().outputs();
        if !matches!((self.loss_kind(), outputs), (Loss::CrossEntropy(_), 2) | (Loss::BinaryCrossEntropy, 1)) {
            return Err(Error::config("outputs for the AUC", outputs, "2 classes"));
        }
        let sample: Vec<usize> =
            order(e.shape(&data.x)[0], self.training().spec.seed, Use::MetricSample).into_iter().take(ROWS).collect();
        let (layer, n) = ("evaluate", sample.len());
        let counted = |e: &mut E| {
            let part = data.select(e, &sample);
            let z = self.forward(e, state, &part.x)?;
            let as_row = |e: &E, x: &E::Num, j: usize| {
                e.gather(x, Index::Flat([1, n], &(0..n).map(|i| outputs * i + j).collect::<Vec<_>>()))
            };
            // The one output is what two would differ by.
            let scores = if outputs == 1 { as_row(e, &z, 0) } else { e.sub(&as_row(e, &z, 1), &as_row(e, &z, 0))? };
            counts(e, &scores, &as_row(e, &part.y, outputs - 1))
        };
        let value = if n > 0 { Some(e.within(layer, counted)?) } else { None };
        Ok(Hidden { layer, value, n, told })
    }
}

/// The area, from what was opened of so many records.
fn told(opened: &Array2<f64>, n: f64) -> Result<Option<f64>> {
    let count = |j: usize| opened.get([0, j]).copied();
    let Some(positives) = within("number of positive records", count(1), 0.0, n)? else { return Ok(None) };
    // A pair of a positive and a negative record adds 1, 0 or -1, whatever their scores are.
    let pairs = positives * (n - positives);
    let difference = within("concordant less discordant pairs", count(0), -pairs, pairs)?;
    Ok(difference.and_then(|difference| area(difference, positives, n)))
}

/// Concordant pairs less discordant ones, and positives: [1, 2], from a row of scores and a row of labels 0 and 1.
fn counts<E: Engine>(e: &mut E, scores: &E::Num, positive: &E::Num) -> EngineResult<E::Num> {
    let n = e.shape(scores)[1];
    let mut parts = Vec::new();
    for block in (0..n * n).step_by(PAIRS) {
        // Among the pairs is each record with itself, which adds nothing.
        let (left, right): (Vec<usize>, Vec<usize>) = (block..(block + PAIRS).min(n * n)).map(|k| (k / n, k % n)).unzip();
        let difference = |e: &E, x: &E::Num| e.sub(&e.gather(x, Index::Cols(&left)), &e.gather(x, Index::Cols(&right)));
        let labels = difference(e, positive)?;
        let [higher] = e.drelu([&difference(e, scores)?])?;
        let [signed] = e.select([(&higher, &labels)])?;
        parts.push(e.claim(&e.sum(&signed, Sum::Cols), COUNT));
    }
    let difference = e.sum(&e.beside(&parts.iter().collect::<Vec<_>>())?, Sum::Cols);
    let positives = e.sum(positive, Sum::Cols);
    e.beside(&[&e.claim(&difference, COUNT), &e.claim(&positives, COUNT)])
}

fn area(difference: f64, positives: f64, records: f64) -> Option<f64> {
    let pairs = positives * (records - positives);
    (pairs > 0.0).then(|| (difference / pairs + 1.0) / 2.0)
}
