//! The area under the ROC curve, on hidden scores and labels: the share of the pairs of a positive and a negative record in which
//! the positive one has the higher score.
//!
//! Let L_i be how many records have a lower score than record i, and G_i how many a higher one. Then the sum of y_i (L_i - G_i) is C - D, the
//! concordant pairs less the discordant ones: pairs of two positive records cancel, and pairs of equal scores are in neither. Opened are C - D and
//! the number P of positives; with the N negatives, AUC = (1 + (C - D) / (P N)) / 2: ties count half. It is exact, of all records.
//!
//! There are two ways to it; the one is taken that is faster by what comparisons take in the suite, over a link of 40 ms and 100 Mbit/s
//! ([`Way::of`]). **Few** records are compared each with each: with b = \[s_i >= s_j\], the pair i, j adds
//! b (y_i - y_j), so that i, j and j, i together add 1, -1 or 0. That is n^2 comparisons in the rounds of one. **More** are sorted on shares, by a
//! network whose comparisons are public (Batcher's, as merge exchange: Knuth, The Art of Computer Programming 3, algorithm 5.2.2M): n log^2 n / 4
//! of them in log n (log n + 1) / 2 layers. In sorted order L_i is where the scores equal to s_i begin: a running maximum over the places at which
//! scores rise; and G_i the same from the other end. The two ways are even at about 1,570 records in the masked
//! suite and 770 in the other one.
//! A histogram of scores would open
//! more or be exact less: its error is half the share of pairs in one bin, which depends on where the scores lie.

use ndarray::Array2;
use trefoil_engine::Format;
use trefoil_engine::{Engine, Index, Product, Result as EngineResult, Sum, Took};

/// Records that are compared each with each, at most, where nobody sends anything.
const PAIRED: usize = 1000;
/// Records of which this is looked into: n^2 comparisons of more would take gigabytes.
const MOST_PAIRED: usize = 1 << 13;
/// The links by which the ways are compared: a round-trip time of 40 ms, and 100 Mbit/s. No party knows the others' links, and all must go the
/// same way. Of faster links both waiting and sending take less.
const LINKS: [f64; 2] = [0.04, 1e8];
/// Pairs that are compared at a time.
const PAIRS: usize = 1 << 18;

/// How pairs are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Each record is compared with each.
    Pairs,
    /// Records are sorted.
    Places,
}

impl Way {
    /// The one that takes less time for scores of so many bits.
    pub fn of<E: Engine>(e: &E, records: usize, bits: u8) -> Way {
        let [rtt, rate] = LINKS;
        let [pairs, places] = [Way::Pairs, Way::Places].map(|way| way.takes(e, records, bits).seconds(rtt, rate));
        let pairs = if pairs == places { records <= PAIRED } else { pairs < places };
        if records <= 2 || pairs && records <= MOST_PAIRED { Way::Pairs } else { Way::Places }
    }

    /// What it takes, but for a product at the end and what of the scores waits to be finished.
    pub fn takes<E: Engine>(self, e: &E, records: usize, bits: u8) -> Took {
        let n = records;
        match self {
            Way::Pairs => {
                let pairs = n.saturating_mul(n);
                let blocks = (0..pairs.div_ceil(PAIRS)).map(|i| PAIRS.min(pairs - i * PAIRS));
                blocks.fold(Took::default(), |sum, pairs| sum.then(e.choice(pairs, bits + 1, 1)))
            }
            Way::Places => {
                let exchanged = layers(n).into_iter().map(|layer| e.choice(layer.exchanges(n).count(), bits + 1, 2));
                let sorted = exchanged.fold(Took::default(), Took::then);
                // Where scores rise, and a running maximum from both ends.
                let rises = e.choice(n.saturating_sub(1), bits + 1, 2);
                let maxima = (0..n.next_power_of_two().ilog2()).map(|i| e.choice(2 * (n - (1 << i)), places(n).bits + 1, 1));
                maxima.fold(sorted.then(rises), Took::then)
            }
        }
    }
}

/// Concordant pairs less discordant ones, and positives: [1, 2], from a row of scores and a row of labels 0 and 1.
///
/// # Errors
/// Those of the engine.
pub fn counts<E: Engine>(e: &mut E, way: Way, scores: &E::Num, positive: &E::Num) -> EngineResult<E::Num> {
    let n = e.shape(scores)[1];
    let difference = match way {
        Way::Pairs => of_pairs(e, scores, positive)?,
        Way::Places => of_places(e, scores, positive)?,
    };
    let (bits, positives) = (2 * places(n).bits, e.sum(positive, Sum::Cols));
    e.beside(&[&e.claim(&difference, bits), &e.claim(&positives, bits)])
}

/// The format of a place among so many.
fn places(n: usize) -> Format {
    Format { frac: 0, bits: n.ilog2() as u8 + 2 }
}

/// From the comparison of all pairs.
fn of_pairs<E: Engine>(e: &mut E, scores: &E::Num, positive: &E::Num) -> EngineResult<E::Num> {
    let n = e.shape(scores)[1];
    let (mut parts, bits) = (Vec::new(), 2 * places(n).bits);
    for block in (0..n * n).step_by(PAIRS) {
        // Among the pairs is each record with itself, which adds nothing.
        let (left, right): (Vec<usize>, Vec<usize>) = (block..(block + PAIRS).min(n * n)).map(|k| (k / n, k % n)).unzip();
        let difference = |e: &E, x: &E::Num| e.sub(&e.gather(x, Index::Cols(&left)), &e.gather(x, Index::Cols(&right)));
        let labels = difference(e, positive)?;
        let [higher] = e.drelu([&difference(e, scores)?])?;
        let [signed] = e.select([(&higher, &labels)])?;
        parts.push(e.claim(&e.sum(&signed, Sum::Cols), bits));
    }
    Ok(e.sum(&e.beside(&parts.iter().collect::<Vec<_>>())?, Sum::Cols))
}

/// From the places that records have by their scores.
fn of_places<E: Engine>(e: &mut E, scores: &E::Num, positive: &E::Num) -> EngineResult<E::Num> {
    // What is put off is done once for all layers.
    e.settle(&[scores, positive])?;
    let scores = on_a_grid(e, scores)?;
    let (scores, positive) = sorted(e, scores, positive.clone())?;
    let n = e.shape(&scores)[1];
    let format = places(n);
    // Where scores rise: [s_i > s_(i-1)] = 1 - [s_(i-1) >= s_i], for i from 1 on.
    let all_but = |skip: usize| (0..n).filter(|i| *i != skip).collect::<Vec<_>>();
    let (before, after) = (e.gather(&scores, Index::Cols(&all_but(n - 1))), e.gather(&scores, Index::Cols(&all_but(0))));
    let [not] = e.drelu([&e.sub(&before, &after)?])?;
    let rises = e.flip(&not, &vec![true; n - 1]);
    // A rise before place i is one before place n - i from the other end.
    let reversed = e.gather_bits(&rises, Index::Cols(&(0..n - 1).rev().collect::<Vec<_>>()));
    let place = e.public(&Array2::from_shape_fn((1, n - 1), |(_, i)| (i + 1) as f64), format)?;
    let starts = e.select([(&rises, &place), (&reversed, &place)])?;
    let first = e.public(&Array2::zeros((1, 1)), format)?;
    let mut ends = Vec::new();
    for start in &starts {
        ends.push(e.beside(&[&first, start])?);
    }
    let both = running_max(e, &e.beside(&ends.iter().collect::<Vec<_>>())?, n)?;
    let lower = e.gather(&both, Index::Cols(&(0..n).collect::<Vec<_>>()));
    let higher = e.gather(&both, Index::Cols(&(n..2 * n).rev().collect::<Vec<_>>()));
    let difference = e.sub(&lower, &higher)?;
    let out = Format { frac: 0, bits: 2 * format.bits };
    let [sum] = e.products([Product::matmul(&positive, false, &difference, true, out)])?;
    Ok(sum)
}

/// The same scores. In floating point they are rounded to multiples of 2^-21, so that differences are exact, and those that are equal stay so when
/// they are exchanged; in the ring what is added goes away again.
fn on_a_grid<E: Engine>(e: &E, scores: &E::Num) -> EngineResult<E::Num> {
    let Format { frac, bits } = e.format(scores);
    let far = e.public(&Array2::from_elem((1, 1), 3.0 * 30f64.exp2()), Format::new(frac, 32))?;
    Ok(e.claim(&e.sub(&e.add(scores, &far)?, &far)?, bits))
}

/// Both rows in ascending order of the first.
fn sorted<E: Engine>(e: &mut E, mut keys: E::Num, mut values: E::Num) -> EngineResult<(E::Num, E::Num)> {
    let (n, formats) = (e.shape(&keys)[1], [e.format(&keys), e.format(&values)]);
    for layer in exchanges(n) {
        let (low, high): (Vec<usize>, Vec<usize>) = layer.into_iter().unzip();
        let difference = |e: &E, x: &E::Num| e.sub(&e.gather(x, Index::Cols(&low)), &e.gather(x, Index::Cols(&high)));
        let (of_keys, of_values) = (difference(e, &keys)?, difference(e, &values)?);
        let [swap] = e.drelu([&of_keys])?;
        let moved = e.select([(&swap, &of_keys), (&swap, &of_values)])?;
        // Where each place's element changes, and how: none, less, or more by what is moved.
        let mut from = vec![(0, 0); n];
        low.iter().zip(&high).enumerate().for_each(|(i, (low, high))| (from[*low], from[*high]) = ((1, i), (2, i)));
        for ((x, moved), format) in [&mut keys, &mut values].into_iter().zip(&moved).zip(formats) {
            let (a, b) = (e.gather(x, Index::Cols(&low)), e.gather(x, Index::Cols(&high)));
            let parts = [x.clone(), e.claim(&e.sub(&a, moved)?, format.bits), e.claim(&e.add(&b, moved)?, format.bits)];
            let all = e.beside(&parts.iter().collect::<Vec<_>>())?;
            let place = |(at, (part, i)): (usize, &(usize, usize))| [at, n + i, n + low.len() + i][*part];
            *x = e.gather(&all, Index::Cols(&from.iter().enumerate().map(place).collect::<Vec<_>>()));
        }
    }
    Ok((keys, values))
}

/// A layer of a sorting network: it exchanges i and i + d where i & p = r.
struct Layer {
    p: usize,
    r: usize,
    d: usize,
}

impl Layer {
    /// Of so many elements.
    fn exchanges(&self, n: usize) -> impl Iterator<Item = (usize, usize)> {
        let Layer { p, r, d } = *self;
        (0..n.saturating_sub(d)).filter(move |i| i & p == r).map(move |i| (i, i + d))
    }
}

/// All of them, one after the other.
fn layers(n: usize) -> Vec<Layer> {
    let (top, mut layers) = (n.next_power_of_two() / 2, Vec::new());
    let mut p = top;
    while p > 0 {
        let (mut q, mut r, mut d) = (top, 0, p);
        loop {
            layers.push(Layer { p, r, d });
            if q == p {
                break;
            }
            (d, q, r) = (q - p, q / 2, p);
        }
        p /= 2;
    }
    layers
}

/// The exchanges of a sorting network, by layer: within one no place occurs twice.
fn exchanges(n: usize) -> Vec<Vec<(usize, usize)>> {
    layers(n).into_iter().map(|layer| layer.exchanges(n).collect()).collect()
}

/// The largest of each element and those before it, in each of a row's blocks of `n`.
fn running_max<E: Engine>(e: &mut E, x: &E::Num, n: usize) -> EngineResult<E::Num> {
    let (mut x, [_, all], bits) = (x.clone(), e.shape(x), e.format(x).bits);
    let mut distance = 1;
    while distance < n {
        // Those nearer to the beginning than that are done.
        let at: Vec<usize> = (0..all).filter(|i| i % n >= distance).collect();
        let (here, there) =
            (e.gather(&x, Index::Cols(&at)), e.gather(&x, Index::Cols(&at.iter().map(|i| i - distance).collect::<Vec<_>>())));
        let (gain, _) = e.relu(&e.sub(&there, &here)?)?;
        let larger = e.claim(&e.add(&here, &gain)?, bits);
        let both = e.beside(&[&x, &larger])?;
        let mut next = all..;
        let place = |i: usize| if i % n >= distance { next.next().unwrap_or(i) } else { i };
        x = e.gather(&both, Index::Cols(&(0..all).map(place).collect::<Vec<_>>()));
        distance *= 2;
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network sorts everything if it sorts all rows of zeros and ones.
    #[test]
    fn the_exchanges_sort() {
        for n in 0..=11usize {
            let layers = exchanges(n);
            for layer in &layers {
                let mut places: Vec<usize> = layer.iter().flat_map(|(i, j)| [*i, *j]).collect();
                places.sort_unstable();
                assert!(places.windows(2).all(|two| two[0] < two[1]) && places.last().is_none_or(|last| *last < n));
            }
            for row in 0..1u32 << n {
                let mut x: Vec<bool> = (0..n).map(|i| row >> i & 1 == 1).collect();
                for (i, j) in layers.iter().flatten() {
                    if x[*i] & !x[*j] {
                        x.swap(*i, *j);
                    }
                }
                assert!(x.is_sorted(), "{n} {row:b}");
            }
        }
        let layers = exchanges(10_000);
        assert_eq!((layers.len(), layers.iter().map(Vec::len).sum::<usize>()), (105, 425_695));
    }
}
