//! Figures of the records held out, on hidden data and weights: several at once, from one pass. What each opens stands with its [name](Metric).
//!
//! Of classes all comes from the confusion matrix: as the labels are one-hot, and so is what the network takes a record for, it is one matrix product.
//! It is opened where it is asked for, and else used: for precision, recall and F1 a long division on shares gives the quotients, and these
//! alone are opened. A class without a record has a divisor of zero, of which the division makes a quotient of almost 2: more than a share can be.
//!
//! Each figure is bounded by how it is made, as those of [evaluate](crate::evaluate) are: a record adds a bit to each count, and its losses are clipped.

use crate::auc::{self, Way};
use crate::bound::{clipped_sum, within};
use crate::evaluate::{CHUNK, LEAST_LOSS, MOST_LOSS, each_chunk, right_signs};
use crate::figures::Figure;
use crate::squared_error;
use crate::{Data, Error, LABEL, Loss, Metric, Outputs, Result, State, Trainer};
use ndarray::Array2;
use std::collections::BTreeMap;
use trefoil_engine::functions::{argmax, division};
use trefoil_engine::{Engine, Format, Index, Opened, Product, Result as EngineResult, Scatter, Sum};

/// Fraction bits of a quotient of counts.
const QUOTIENT: u8 = 16;
/// Of the squared errors over the targets' spread, and its largest power of two.
const OVER_SPREAD: [u8; 2] = [18, 4];
/// What a record adds to the sum of absolute errors at most: outputs are promised to be below 2^6, targets below 2^3.
const MOST_ERROR: f64 = 128.0;
/// To what they are booked.
const LAYER: &str = "evaluate";

/// What is opened. The order is that in which it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Part {
    /// One count.
    Correct,
    /// A row of counts, by class and what it was taken for.
    Table,
    /// A column of quotients: for each of precision, recall and F1 that is asked for, one for each class.
    Shares,
    /// Concordant less discordant pairs, and positives.
    Pairs,
    /// Sums of losses, squares and absolute errors.
    Losses,
    Squares,
    Absolute,
    /// The squared errors over the targets' spread.
    OverSpread,
}

/// Figures that are not opened yet.
pub(crate) struct HiddenFigures<N> {
    asked: Vec<Metric>,
    /// Records, and classes.
    rows: usize,
    classes: usize,
    parts: BTreeMap<Part, N>,
}

impl Trainer {
    /// The figures that [`Open`](crate::Open) names, of these records, that which is followed first; none at a party to which nothing is opened, and for
    /// no records.
    ///
    /// # Errors
    /// One is out of its bound; those of the engine.
    pub fn figures<E: Engine>(&self, e: &mut E, state: &State<E::Num>, data: &Data<E::Num>) -> Result<Vec<Figure>> {
        self.hidden_figures(e, state, data)?.open(e)
    }

    /// The first of them, or its mean over the classes.
    ///
    /// # Errors
    /// As there.
    pub fn metric<E: Engine>(&self, e: &mut E, state: &State<E::Num>, data: &Data<E::Num>) -> Result<Option<f64>> {
        Ok(self.figures(e, state, data)?.first().and_then(|figure| figure.value))
    }

    pub(crate) fn hidden_figures<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        data: &Data<E::Num>,
    ) -> Result<HiddenFigures<E::Num>> {
        let asked: Vec<Metric> = self.training().open.metrics().collect();
        let (rows, classes) = (e.shape(&data.x)[0], self.network().outputs().max(2));
        let mut found = HiddenFigures { asked, rows, classes, parts: BTreeMap::new() };
        if rows > 0 && !found.asked.is_empty() {
            e.within(LAYER, |e| self.compute(e, state, data, &mut found))?;
        }
        Ok(found)
    }

    fn compute<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        data: &Data<E::Num>,
        found: &mut HiddenFigures<E::Num>,
    ) -> EngineResult<()> {
        let asked = |any: &[Metric]| any.iter().any(|metric| found.asked.contains(metric));
        let divided = asked(&DIVIDED) && !asked(&[Metric::Confusion]);
        let table = divided || asked(&[Metric::Confusion]);
        let mut parts: BTreeMap<Part, Vec<E::Num>> = BTreeMap::new();
        let mut ranked: [Vec<E::Num>; 2] = Default::default();
        each_chunk(e, data, self.at_a_time(CHUNK), |e, data, _| {
            let (z, y) = (self.outputs(e, state, &data.x, false)?.0, &data.y);
            let mut add = |part, sum| parts.entry(part).or_default().push(sum);
            if table {
                add(Part::Table, self.table(e, &z, y)?);
            } else if asked(&[Metric::Accuracy]) {
                add(Part::Correct, self.right(e, &z, y)?);
            }
            if asked(&[Metric::Auc]) {
                let [scores, labels] = self.ranked(e, &z, y)?;
                ranked[0].push(scores);
                ranked[1].push(labels);
            }
            if asked(&[Metric::LogLoss]) {
                let losses = self.loss_kind().losses(e, &z, y, self.scales())?;
                add(Part::Losses, clipped_sum(e, &losses, LEAST_LOSS, MOST_LOSS)?);
            }
            if asked(&[Metric::SquaredError, Metric::Rmse, Metric::R2]) {
                let squares = self.loss_kind().losses(e, &z, y, self.scales())?;
                add(Part::Squares, clipped_sum(e, &squares, LEAST_LOSS, MOST_LOSS)?);
            }
            if asked(&[Metric::AbsoluteError]) {
                let d = squared_error::gradient(e, &z, y, self.scales())?;
                let (above, _) = e.relu(&d)?;
                let sizes = e.sub(&e.times(&above, 2.0, 0)?, &d)?;
                add(Part::Absolute, clipped_sum(e, &sizes, LEAST_LOSS, MOST_ERROR)?);
            }
            Ok(())
        })?;
        for (part, sums) in parts {
            found.parts.insert(part, total(e, &sums)?);
        }
        if asked(&[Metric::Auc]) {
            let [scores, labels] = ranked.map(|rows| e.beside(&rows.iter().collect::<Vec<_>>()));
            let (scores, labels) = (scores?, labels?);
            let way = Way::of(e, e.shape(&scores)[1], e.format(&scores).bits);
            found.parts.insert(Part::Pairs, auc::counts(e, way, &scores, &labels)?);
        }
        if divided && let Some(table) = found.parts.remove(&Part::Table) {
            if asked(&[Metric::Accuracy]) {
                let diagonal: Vec<usize> = (0..found.classes).map(|i| i * (found.classes + 1)).collect();
                found.parts.insert(Part::Correct, e.sum(&e.gather(&table, Index::Cols(&diagonal)), Sum::Cols));
            }
            let of: Vec<Metric> = DIVIDED.into_iter().filter(|metric| asked(&[*metric])).collect();
            found.parts.insert(Part::Shares, shares(e, &table, found.classes, &of)?);
        }
        if asked(&[Metric::R2])
            && let Some(squares) = found.parts.get(&Part::Squares).cloned()
        {
            let y = e.here(&data.y)?;
            found.parts.insert(Part::OverSpread, over_spread(e, &squares, &y)?);
            if !asked(&[Metric::SquaredError, Metric::Rmse]) {
                found.parts.remove(&Part::Squares);
            }
        }
        Ok(())
    }

    /// How many records are in the class that the network takes them for.
    pub(crate) fn right<E: Engine>(&self, e: &mut E, z: &E::Num, y: &E::Num) -> EngineResult<E::Num> {
        if self.loss_kind() == Loss::BinaryCrossEntropy {
            return right_signs(e, z, y);
        }
        let bits = argmax(e, z)?;
        // The label's place, where the network agrees.
        let [hit] = e.select([(&bits, y)])?;
        Ok(e.sum(&e.sum(&hit, Sum::Cols), Sum::Rows))
    }

    /// How many records of each class were taken for each: one row, class by class.
    fn table<E: Engine>(&self, e: &mut E, z: &E::Num, y: &E::Num) -> EngineResult<E::Num> {
        let rows = e.shape(z)[0];
        let one = |e: &E, columns: usize| e.public(&Array2::ones((rows, columns)), LABEL);
        let (taken, y) = if self.training().records.outputs == Outputs::Binary {
            let [bit] = e.drelu([z])?;
            let zero = e.claim(&e.sub(&one(e, 1)?, y)?, LABEL.bits);
            (e.flip(&e.gather_bits(&bit, Index::Cols(&[0, 0])), &[true, false]), e.beside(&[&zero, y])?)
        } else {
            (argmax(e, z)?, y.clone())
        };
        let classes = e.shape(&y)[1];
        let [taken] = e.select([(&taken, &one(e, classes)?)])?;
        let out = Format { bits: LABEL.bits, frac: 0 }.sum(rows);
        let [table] = e.products([Product::matmul(&y, true, &taken, false, out)])?;
        let all: Vec<usize> = (0..classes * classes).collect();
        Ok(e.gather(&table, Index::Flat([1, all.len()], &all)))
    }

    /// A row of scores, and one of labels: by the second output less the first, or by the only one, which is what two would differ by.
    fn ranked<E: Engine>(&self, e: &mut E, z: &E::Num, y: &E::Num) -> EngineResult<[E::Num; 2]> {
        let [rows, outputs] = e.shape(z);
        let row = |e: &E, x: &E::Num, j: usize| {
            e.gather(x, Index::Flat([1, rows], &(0..rows).map(|i| outputs * i + j).collect::<Vec<_>>()))
        };
        let scores = if outputs == 1 { row(e, z, 0) } else { e.sub(&row(e, z, 1), &row(e, z, 0))? };
        Ok([scores, row(e, y, outputs - 1)])
    }
}

/// Quotients of counts.
const DIVIDED: [Metric; 3] = [Metric::Precision, Metric::Recall, Metric::F1];

/// The sum of rows of one width.
fn total<E: Engine>(e: &E, rows: &[E::Num]) -> EngineResult<E::Num> {
    // The last chunk is smaller, and so may its range be.
    let bits = rows.iter().map(|row| e.format(row).bits).max().unwrap_or_default();
    let rows: Vec<E::Num> = rows.iter().map(|row| e.claim(row, bits)).collect();
    let all = e.beside(&rows.iter().collect::<Vec<_>>())?;
    let places: Vec<usize> = (0..e.shape(&all)[1]).collect();
    Ok(e.sum(&e.gather(&all, Index::Flat([rows.len(), places.len() / rows.len().max(1)], &places)), Sum::Rows))
}

/// What these figures are of each class: one column, figure by figure.
fn shares<E: Engine>(e: &mut E, table: &E::Num, classes: usize, of: &[Metric]) -> EngineResult<E::Num> {
    // No count is more than all records are, and F1 takes twice as many.
    let bits = e.format(table).bits + 1;
    let sums = |e: &E, place: fn(usize, usize) -> Option<usize>| -> EngineResult<E::Num> {
        let to = (0..classes * classes).map(|i| place(i / classes, i % classes).unwrap_or(usize::MAX)).collect();
        Ok(e.claim(&e.scatter(table, &Scatter::new([1, classes], to))?, bits))
    };
    let right = sums(e, |class, taken| (class == taken).then_some(class))?;
    let (taken, there) = (sums(e, |_, taken| Some(taken))?, sums(e, |class, _| Some(class))?);
    let (mut above, mut below) = (Vec::new(), Vec::new());
    for metric in of {
        let (x, y) = match metric {
            Metric::Precision => (right.clone(), taken.clone()),
            Metric::Recall => (right.clone(), there.clone()),
            _ => (e.times(&right, 2.0, 0)?, e.add(&taken, &there)?),
        };
        above.push(e.claim(&x, bits));
        below.push(e.claim(&y, bits));
    }
    let column = |e: &E, rows: Vec<E::Num>| -> EngineResult<E::Num> {
        let row = e.beside(&rows.iter().collect::<Vec<_>>())?;
        let places: Vec<usize> = (0..e.shape(&row)[1]).collect();
        Ok(e.gather(&row, Index::Flat([places.len(), 1], &places)))
    };
    let (above, below) = (column(e, above)?, column(e, below)?);
    division(e, &above, &below, QUOTIENT)
}

/// The sum of squared errors over that of the targets' squared distances from their mean: one element.
fn over_spread<E: Engine>(e: &mut E, squares: &E::Num, y: &E::Num) -> EngineResult<E::Num> {
    let ([rows, _], format) = (e.shape(y), e.format(y));
    let log = (rows.max(2) - 1).ilog2() as u8 + 1;
    let [mean] = e.truncate([(&e.times(&e.sum(y, Sum::Rows), 1.0 / rows as f64, 20 + log)?, format)])?;
    let d = e.sub(y, &mean)?;
    let d = e.claim(&d, format.bits + 1);
    let frac = e.format(squares).frac;
    let [spread] = e.products([Product::mul(&d, &d, Format { frac, bits: frac + 2 * (format.bits + 1 - format.frac) })])?;
    let spread = e.sum(&spread, Sum::Rows);
    // As many fraction bits as the mean of them has: a quotient is no more exact than that.
    let fewer = log.min(frac);
    let shorter = |e: &E, x: &E::Num| Format { frac: frac - fewer, bits: e.format(x).bits - fewer };
    let [squares, spread] = e.truncate([(squares, shorter(e, squares)), (&spread, shorter(e, &spread))])?;
    let [fraction, power] = OVER_SPREAD;
    let spread = e.times(&spread, f64::from(power).exp2(), 0)?;
    let quotient = division(e, &squares, &spread, fraction)?;
    e.times_2(&quotient, power.cast_signed())
}

impl<N> HiddenFigures<N> {
    /// Opens them; none at a party to which nothing is opened.
    ///
    /// # Errors
    /// One is out of its bound; those of the engine.
    pub fn open<E: Engine<Num = N>>(self, e: &mut E) -> Result<Vec<Figure>> {
        let mut opened = BTreeMap::new();
        for (part, value) in &self.parts {
            let values: Opened = e.within(LAYER, |e| e.open(value))?;
            let Some(values) = values else { continue };
            opened.insert(*part, self.bounded(*part, values.into_iter().collect())?);
        }
        if opened.is_empty() {
            return Ok(Vec::new());
        }
        self.asked.iter().map(|metric| Ok(self.told(*metric, &opened))).collect()
    }

    /// What was opened, if it can be.
    fn bounded(&self, part: Part, values: Vec<f64>) -> Result<Vec<f64>> {
        let n = self.rows as f64;
        let whole = |figure, x: f64, least, most| within(figure, Some(x), least, most).map(|x| x.unwrap_or_default().round());
        let real = |figure, x: f64, least, most| within(figure, Some(x), least, most).map(Option::unwrap_or_default);
        let all = |f: &dyn Fn(f64) -> Result<f64>| values.iter().map(|x| f(*x)).collect::<Result<Vec<f64>>>();
        match part {
            Part::Correct => all(&|x| whole("number of correct records", x, 0.0, n)),
            Part::Table => all(&|x| whole("number of records of a class taken for one", x, 0.0, n)),
            Part::Shares => all(&|x| real("share of a class's records", x, 0.0, 2.0)),
            Part::Pairs => match values[..] {
                [difference, positives] => {
                    let positives = whole("number of positive records", positives, 0.0, n)?;
                    // A pair of a positive and a negative record adds 1, 0 or -1, whatever their scores are.
                    let pairs = positives * (n - positives);
                    Ok(vec![whole("concordant less discordant pairs", difference, -pairs, pairs)?, positives])
                }
                _ => Err(Error::config("AUC", format!("{} counts", values.len()), "2")),
            },
            Part::Losses | Part::Squares => all(&|x| real("sum of losses", x, LEAST_LOSS * n, MOST_LOSS * n)),
            Part::Absolute => all(&|x| real("sum of absolute errors", x, LEAST_LOSS * n, MOST_ERROR * n)),
            Part::OverSpread => {
                all(&|x| real("squared error over the targets' spread", x, 0.0, f64::from(OVER_SPREAD[1] + 1).exp2()))
            }
        }
    }

    /// A figure, from what was opened.
    fn told(&self, metric: Metric, opened: &BTreeMap<Part, Vec<f64>>) -> Figure {
        let (n, k) = (self.rows as f64, self.classes);
        let first = |part: Part| opened.get(&part).and_then(|values| values.first()).copied();
        let of = |value: Option<f64>| match value {
            Some(value) => Figure::of(metric, value),
            None => Figure::undefined(metric, "it was not opened".into()),
        };
        let table = opened.get(&Part::Table).map(|t| t.chunks(k).map(|row| row.iter().map(|x| *x as u64).collect()).collect());
        let table: Option<Vec<Vec<u64>>> = table;
        match metric {
            Metric::Accuracy => match table {
                Some(table) => of(Figure::table(table).value),
                None => of(first(Part::Correct).map(|x| x / n)),
            },
            Metric::Confusion => table.map_or_else(|| of(None), Figure::table),
            Metric::Precision | Metric::Recall | Metric::F1 => {
                let classes = match table {
                    Some(table) => of_table(metric, &table),
                    None => {
                        let at = DIVIDED.iter().filter(|m| self.asked.contains(m)).position(|m| *m == metric).unwrap_or(0);
                        let shares = opened.get(&Part::Shares).map_or(&[][..], Vec::as_slice);
                        shares.iter().skip(at * k).take(k).map(|x| Some(*x).filter(|x| *x <= 1.0)).collect()
                    }
                };
                Figure::of_classes(metric, classes, self.rows)
            }
            Metric::Auc => match opened.get(&Part::Pairs).map(Vec::as_slice) {
                Some([_, 0.0]) => Figure::undefined(metric, format!("no positive among {} held out", self.rows)),
                Some([_, positives]) if *positives == n => {
                    Figure::undefined(metric, format!("no negative among {} held out", self.rows))
                }
                Some([difference, positives]) => of(Some((difference / (positives * (n - positives)) + 1.0) / 2.0)),
                _ => of(None),
            },
            Metric::LogLoss => of(first(Part::Losses).map(|x| x / n)),
            Metric::SquaredError => of(first(Part::Squares).map(|x| x / n)),
            Metric::Rmse => of(first(Part::Squares).map(|x| (x / n).max(0.0).sqrt())),
            Metric::AbsoluteError => of(first(Part::Absolute).map(|x| x / n)),
            Metric::R2 => match first(Part::OverSpread) {
                // All bits of the quotient: its divisor is 0, or it is more than can be told.
                Some(q) if q >= f64::from(OVER_SPREAD[1] + 1).exp2() - 1e-3 => {
                    let why = format!("the targets of {} held out are all alike, or it is below -31", self.rows);
                    Figure::undefined(metric, why)
                }
                q => of(q.map(|q| 1.0 - q)),
            },
        }
    }
}

/// What this figure is of each class, by a confusion matrix in the clear.
fn of_table(metric: Metric, table: &[Vec<u64>]) -> Vec<Option<f64>> {
    let of = |class: usize| {
        let at = |i: usize, j: usize| table.get(i).and_then(|row| row.get(j)).copied().unwrap_or_default();
        let right = at(class, class);
        let taken: u64 = (0..table.len()).map(|i| at(i, class)).sum();
        let there: u64 = (0..table.len()).map(|j| at(class, j)).sum();
        let (above, below) = match metric {
            Metric::Precision => (right, taken),
            Metric::Recall => (right, there),
            _ => (2 * right, taken + there),
        };
        (below > 0).then(|| above as f64 / below as f64)
    };
    (0..table.len()).map(of).collect()
}
