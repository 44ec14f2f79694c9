//! The range monitor: how many blocks of weights, and of activations, have left the range that their formats promise. It must be none.
//!
//! The squares of a block are added up before anything is sent, so a block costs a word and a comparison, however many elements it has.
//!
//! | | a block | it counts as out of range where its norm is |
//! |---|---|---|
//! | weights | 8 neighbours of a parameter; a running value is alone | what one weight must stay below, 16, or more |
//! | activations | 4 neighbours of a record's outputs of a node, or what is left of them | as if each were at what it must stay below, so 2^9 for four, or more |
//!
//! The weights of a healthy training are far below 16, so eight of them are held to what holds for one. Activations may come near to
//! their bound, 2^8, in a training in which nothing wraps. So a block in which all keep their promise never counts, and one of four in which a
//! single one is at twice its bound always does. A single one between the two may go unseen. A product with it is at most a bit larger than what formats keep
//! below 2^61, and truncations are right up to 2^62; but the masked suite compares as many bits as the format promises, so that there a ReLU or a
//! max-pooling may take the wrong side of it.
//!
//! Watched are the outputs that are promised and not proven ([`Kind::is_promised`](crate::graph::Kind)): of products and of sums of several
//! nodes, on the loss sample, with the weights at the end of an epoch. Other layers give no more than they are given.
//!
//! Sums of squares are exact for blocks whose norm is below 2^31 units: weights of 2^7 with 24 fraction bits, activations of 2^15 with 16. Beyond
//! that they wrap, and a block is found with a chance of about one half; a network that is so far astray has more than one. Of a convolution whose output goes
//! to max-pooling the masked suite knows 30 to 32 bits ([`Engine::narrow`]): there that holds for activations beyond 2^14 with 14 fraction bits, or 2^12 with 16.

use crate::bound::within;
use crate::evaluate::{Hidden, LOSS_ROWS, each_chunk};
use crate::layers::Mode;
use crate::{Data, Error, Result, State, Trainer};
use ndarray::Array2;
use std::iter::repeat_n;
use trefoil_engine::{Engine, Format, Index, Opened, Product, Result as EngineResult, Scatter};

/// Weights in a block.
pub const BLOCK: usize = 8;
/// Activations of a record in a block.
pub const ACTIVATIONS: usize = 4;
/// Bits of what is squared, at most: the squares of a block and a limit for them stay in the ring.
const ROOM: u8 = 28;
/// Of a limit: the squares of eight elements of so many bits, and a bit.
const LIMIT: Format = Format { frac: 0, bits: 2 * ROOM + 4 };
/// Of a count.
const COUNT: u8 = 40;
/// What is opened.
const FIGURES: [&str; 2] = ["number of blocks of weights", "number of blocks of activations"];
/// A sum of squares is compared as any word of the ring.
const WHOLE: u8 = 63;
/// Blocks that are compared at a time.
const AT_ONCE: usize = 1 << 20;
/// To what the monitor is booked.
const LAYER: &str = "range";

/// The blocks of activations that have been seen.
pub(crate) struct Seen<N> {
    /// The differences from their limits of those that are not compared yet: a row each, not negative where a block is out of range.
    above: Vec<N>,
    waiting: usize,
    /// How many of those that have been compared are out of range, in parts.
    counts: Vec<N>,
    blocks: usize,
    /// How many blocks wait, before they are compared.
    at_once: usize,
}

impl<N> Default for Seen<N> {
    fn default() -> Seen<N> {
        Seen { above: Vec::new(), waiting: 0, counts: Vec::new(), blocks: 0, at_once: AT_ONCE }
    }
}

impl<N: Clone> Seen<N> {
    /// Takes in the outputs of some nodes for the same records.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn take<E: Engine<Num = N>>(&mut self, e: &mut E, outputs: &[N]) -> EngineResult<()> {
        e.within(LAYER, |e| {
            let (mut limits, mut places, mut rows) = (Vec::new(), Vec::new(), 0);
            for y in outputs {
                let (Format { bits, .. }, [records, width]) = (e.format(y), e.shape(y));
                places.extend((0..width).map(|j| limits.len() + j / ACTIVATIONS));
                // The root of a block's elements, each of which is promised to be smaller than the bound.
                let limit = |at: usize| ((width - at).min(ACTIVATIONS) as f64).sqrt() * f64::from(bits).exp2();
                limits.extend((0..width).step_by(ACTIVATIONS).map(limit));
                rows = records;
            }
            let (blocks, scatter) = (rows * limits.len(), Scatter::rows(rows, limits.len(), places));
            self.above.push(above(e, outputs, &scatter, &limits)?);
            (self.waiting, self.blocks) = (self.waiting + blocks, self.blocks + blocks);
            if self.waiting >= self.at_once {
                let row = e.beside(&self.above.iter().collect::<Vec<_>>())?;
                self.counts.push(count(e, &row, &[self.waiting])?);
                (self.above, self.waiting) = (Vec::new(), 0);
            }
            Ok(())
        })
    }
}

/// The mean loss of the loss sample, not opened yet, and what was seen of its activations, where these are wanted.
type OfSample<N> = (Option<Hidden<N>>, Option<Seen<N>>);

/// How many blocks are out of range, not opened yet: whoever computes it has to remember that it is opened.
pub(crate) struct OutOfRange<N> {
    /// One row: of weights, and of activations if any were watched.
    counts: N,
    /// How many blocks there are of each.
    blocks: Vec<usize>,
}

impl<N> OutOfRange<N> {
    /// Opens them, together; `None` at a party to which nothing is opened.
    ///
    /// # Errors
    /// One is more than there are; those of the engine.
    fn open<E: Engine<Num = N>>(self, e: &mut E) -> Result<Option<Vec<u64>>> {
        let opened: Opened = e.within(LAYER, |e| e.open(&self.counts))?;
        let Some(opened) = opened else { return Ok(None) };
        let told = |((figure, count), n): ((&'static str, &f64), &usize)| within(figure, Some(*count), 0.0, *n as f64);
        let counts = FIGURES.into_iter().zip(&opened).zip(&self.blocks).map(told).collect::<Result<Option<Vec<f64>>>>()?;
        Ok(counts.map(|counts| counts.into_iter().map(|count| count.round() as u64).collect()))
    }
}

impl Trainer {
    /// The number of blocks of [`BLOCK`] neighbouring weights whose norm is as large as a single weight may be (16), with running values as blocks of
    /// their own; `None` at a party to which nothing is opened. None of them means that every weight is in range.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn weights_out_of_range<E: Engine>(&self, e: &mut E, state: &State<E::Num>) -> Result<Option<u64>> {
        let found = self.out_of_range(e, state, None)?;
        Ok(found.open(e)?.map(|counts| counts[0]))
    }

    /// The number of blocks of [`ACTIVATIONS`] neighbouring outputs of a node, of all records of `data` and all watched nodes, whose mean square is as
    /// large as that of what a single output must stay below; `None` at a party to which nothing is opened, and for no records.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn activations_out_of_range<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        data: &Data<E::Num>,
    ) -> Result<Option<u64>> {
        let mut seen = Seen::default();
        self.watch(e, state, data, &mut seen)?;
        let found = self.out_of_range(e, state, Some(seen))?;
        Ok(found.open(e)?.and_then(|counts| counts.get(1).copied()))
    }

    /// One pass over the loss sample: its mean loss, and what is watched of it, each as far as it is opened.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn seen_of_sample<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        sample: &Data<E::Num>,
        weights: Option<&E::Num>,
    ) -> Result<OfSample<E::Num>> {
        let open = self.training().open;
        let mut seen = open.activations.then(Seen::default);
        let loss = match (open.loss, &mut seen) {
            (true, seen) => Some(self.mean_loss(e, "loss", state, sample, weights, seen.as_mut())?),
            (false, Some(seen)) => self.watch(e, state, sample, seen).map(|()| None)?,
            (false, None) => None,
        };
        Ok((loss, seen))
    }

    /// A pass of which nothing but the activations is wanted.
    fn watch<E: Engine>(&self, e: &mut E, state: &State<E::Num>, data: &Data<E::Num>, seen: &mut Seen<E::Num>) -> Result<()> {
        e.within(LAYER, |e| {
            each_chunk(e, data, self.at_a_time(LOSS_ROWS), |e, part, _| {
                let (_, outputs) = self.outputs(e, state, &part.x, true)?;
                seen.take(e, &outputs)
            })
        })?;
        Ok(())
    }

    /// [`Trainer::forward`], and the outputs of the watched nodes.
    pub(crate) fn forward_seen<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        x: &E::Num,
    ) -> EngineResult<(E::Num, Vec<E::Num>)> {
        let (mut outputs, nodes) = (Vec::new(), &self.network.graph().nodes);
        let seen = |node: usize, y: &E::Num| {
            if nodes[node].op.is_promised() {
                outputs.push(y.clone());
            }
        };
        let (y, _) = self.network.forward_seen(e, &state.params, &self.formats, x, Mode::Evaluate, seen)?;
        Ok((y, outputs))
    }

    /// How many blocks of weights are out of range, and how many of the activations that have been seen: one comparison for all.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn out_of_range<E: Engine>(
        &self,
        e: &mut E,
        state: &State<E::Num>,
        seen: Option<Seen<E::Num>>,
    ) -> Result<OutOfRange<E::Num>> {
        Ok(e.within(LAYER, |e| {
            let weights = self.weights_above(e, state)?;
            let of_weights = e.shape(&weights)[1];
            let Some(seen) = seen else {
                return Ok(OutOfRange { counts: count(e, &weights, &[of_weights])?, blocks: vec![of_weights] });
            };
            let row = e.beside(&[&weights].into_iter().chain(&seen.above).collect::<Vec<_>>())?;
            let mut counts = count(e, &row, &[of_weights, seen.waiting])?;
            for more in seen.counts {
                // Behind the count of weights.
                let more = e.gather(&more, Index::Blocks { of: 1, cols: 2, at: &[1, 0] });
                counts = e.claim(&e.add(&counts, &more)?, COUNT);
            }
            Ok(OutOfRange { counts, blocks: vec![of_weights, seen.blocks] })
        })?)
    }

    /// How far the sum of each block's squares lies above its limit: one row.
    fn weights_above<E: Engine>(&self, e: &mut E, state: &State<E::Num>) -> EngineResult<E::Num> {
        let (mut parts, mut places, mut blocks) = (Vec::new(), Vec::new(), 0);
        for (param, w) in self.network.params().iter().zip(&state.params) {
            let [rows, columns] = e.shape(w);
            let (n, of) = (rows * columns, if param.trained { BLOCK } else { 1 });
            places.extend((0..n).map(|i| blocks + i / of));
            blocks += n.div_ceil(of);
            parts.push(e.gather(w, Index::Flat([1, n], &(0..n).collect::<Vec<_>>())));
        }
        // Running values have as many bits as weights: the limit is the same as an integer.
        let limit = f64::from(self.scales().weight.bits).exp2();
        above(e, &parts, &Scatter::new([1, blocks], places), &vec![limit; blocks])
    }

    /// Opens the counts, which must be 0.
    ///
    /// # Errors
    /// [`Error::Weights`] or [`Error::Activations`]; those of the engine.
    pub(crate) fn check_ranges<E: Engine>(&self, e: &mut E, found: OutOfRange<E::Num>, epoch: u64) -> Result<()> {
        match found.open(e)?.unwrap_or_default()[..] {
            [blocks, ..] if blocks > 0 => Err(Error::Weights { epoch, blocks, size: BLOCK, bound: below(self.scales().weight) }),
            [_, blocks] if blocks > 0 => {
                let nodes = self.network.graph().nodes.iter().zip(&self.formats);
                let bounds = nodes.filter(|(node, _)| node.op.is_promised()).map(|(_, formats)| below(formats.out));
                Err(Error::Activations { epoch, blocks, size: ACTIVATIONS, bound: bounds.fold(0.0, f64::max) })
            }
            _ => Ok(()),
        }
    }
}

/// What numbers of this format stay below.
fn below(format: Format) -> f64 {
    f64::from(format.bits - format.frac).exp2()
}

/// How far the sum of each block's squares lies above the square of its limit, which is told in units: one row, not negative where the norm is as
/// large as the limit. The blocks are where `scatter` adds up what `parts` hold side by side.
///
/// Where there is no room for the squares, the last bits of all elements are cut off first.
fn above<E: Engine>(e: &mut E, parts: &[E::Num], scatter: &Scatter, limits: &[f64]) -> EngineResult<E::Num> {
    e.settle(&parts.iter().collect::<Vec<_>>())?;
    let bits = parts.iter().map(|x| e.format(x).bits).max().unwrap_or_default();
    let over = bits.saturating_sub(ROOM);
    let integer = |x: &E::Num| e.times_2(x, e.format(x).frac.cast_signed() - over.cast_signed());
    let parts = parts.iter().map(integer).collect::<EngineResult<Vec<E::Num>>>()?;
    let mut x = e.claim(&e.beside(&parts.iter().collect::<Vec<_>>())?, bits);
    if over > 0 {
        let [short] = e.truncate([(&x, Format { frac: 0, bits: WHOLE })])?;
        x = e.claim(&short, ROOM);
    }
    let unit = f64::from(over).exp2();
    let limits = Array2::from_shape_fn((1, limits.len()), |(_, i)| -(limits[i] / unit).powi(2));
    let limits = e.public(&limits, LIMIT)?;
    let squares = Product { scatter: Some(scatter), ..Product::mul(&x, &x, Format { frac: 0, bits: WHOLE }) };
    let [above] = e.products([squares.plus(&limits)])?;
    let [rows, columns] = e.shape(&above);
    let n = rows * columns;
    Ok(e.gather(&above, Index::Flat([1, n], &(0..n).collect::<Vec<_>>())))
}

/// How many elements of a row are not negative, of each of these groups of neighbours: one row.
fn count<E: Engine>(e: &mut E, row: &E::Num, groups: &[usize]) -> EngineResult<E::Num> {
    let [_, n] = e.shape(row);
    let [out] = e.drelu([row])?;
    let one = e.public(&Array2::ones((1, n)), Format { frac: 0, bits: 1 })?;
    let [out] = e.select([(&out, &one)])?;
    let places = groups.iter().enumerate().flat_map(|(group, n)| repeat_n(group, *n)).collect();
    let counts = e.scatter(&out, &Scatter::new([1, groups.len()], places))?;
    Ok(e.claim(&counts, COUNT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_engine::Fixed;

    /// Six records with three outputs of one node and five of another; in the fourth one of each is 600.
    #[test]
    fn counts_do_not_depend_on_how_many_blocks_are_compared_at_a_time() {
        let training = crate::Training::of(crate::Graph::perceptron(&[2, 2]), 8).unwrap().with(|t| t.spec.batch = 4);
        let (t, e) = (training.trainer().unwrap(), &mut Fixed::default());
        let state = t.initial(e).unwrap();
        for at_once in [1, 7, 18, AT_ONCE] {
            let mut seen = Seen { at_once, ..Seen::default() };
            for record in 0..6 {
                let outputs = [3, 5].map(|n| {
                    let value = |(_, j)| if record == 3 && j == n - 1 { 600.0 } else { 250.0 };
                    let x = e.public(&Array2::from_shape_fn((1, n), value), Format::new(16, 10)).unwrap();
                    e.claim(&x, 24)
                });
                seen.take(e, &outputs).unwrap();
            }
            let found = t.out_of_range(e, &state, Some(seen)).unwrap();
            assert_eq!(found.blocks[1], 18);
            assert_eq!(found.open(e).unwrap().unwrap(), [0, 2], "{at_once} at a time");
        }
    }
}
