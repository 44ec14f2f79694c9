//! Classes that count alike, however many records each has: a class of c of n records in K classes weighs n / (K c), as scikit-learn has it
//! under the same name, so that the mean over all records is 1.
//!
//! The counts are sums of one-hot labels, and stay hidden, as the weights do: a long division on shares gives each, once, before the first step.
//! Each record's own weight is a product with its label, and from then on a column beside the records. Nothing is opened.
//!
//! A weight is at most 2^6: a class of fewer than n / (64 K) records, or of none, weighs that. It is exact to 2^-14.

use ndarray::Array2;
use trefoil_engine::functions::division;
use trefoil_engine::{Engine, Format, Index, Product, Result, Sum};

/// Weights are at most 2^this.
const MOST: u8 = 6;
/// Of a weight over that.
pub(crate) const WEIGHT: Format = Format::new(20, 1);
/// So many of the fraction bits that weights cost a gradient are given back to it, at the price of its range.
const KEPT: u8 = 3;

/// The weight of each record, over 2^6: one column, from one-hot labels, or labels 0 and 1.
///
/// # Errors
/// Those of the engine.
pub(crate) fn of_records<E: Engine>(e: &mut E, labels: &E::Num) -> Result<E::Num> {
    let [n, outputs] = e.shape(labels);
    let classes = outputs.max(2);
    let count = Format { frac: 0, bits: 1 }.sum(n.max(2));
    let ones = e.claim(&e.sum(labels, Sum::Rows), count.bits);
    let counts = match outputs {
        1 => {
            let all = e.public(&Array2::from_elem((1, 1), n as f64), Format { bits: count.bits + 1, ..count })?;
            let zeros = e.claim(&e.sub(&all, &ones)?, count.bits);
            e.beside(&[&zeros, &ones])?
        }
        _ => ones,
    };
    // n / (K c) over 2^6 is n over this, which is at least n.
    let below = e.times(&counts, (classes << MOST) as f64, 0)?;
    let below = e.gather(&below, Index::Flat([classes, 1], &(0..classes).collect::<Vec<_>>()));
    let format = Format { bits: e.format(&below).bits + 1, ..e.format(&below) };
    let all = e.public(&Array2::from_elem((classes, 1), n as f64), format)?;
    let (above, _) = e.relu(&e.sub(&below, &all)?)?;
    let below = e.claim(&e.add(&all, &above)?, format.bits);
    let weights = division(e, &all, &below, WEIGHT.frac)?;
    if outputs > 1 {
        let [of_records] = e.products([Product::matmul(labels, false, &weights, false, WEIGHT)])?;
        return Ok(of_records);
    }
    let at = |e: &E, class: usize, rows: usize| e.gather(&weights, Index::Flat([rows, 1], &vec![class; rows]));
    let zero = at(e, 0, 1);
    let more = e.sub(&at(e, 1, n), &at(e, 0, n))?;
    let [of_records] = e.products([Product::mul(labels, &more, WEIGHT).plus(&zero)])?;
    Ok(of_records)
}

/// Each row of `x` times its record's weight. One product; the range is wider by three bits, and there are three fraction bits fewer.
///
/// # Errors
/// Those of the engine.
pub(crate) fn apply<E: Engine>(e: &mut E, x: &E::Num, weights: &E::Num) -> Result<E::Num> {
    let ([_, columns], format) = (e.shape(x), e.format(x));
    let weights = e.gather(weights, Index::Cols(&vec![0; columns]));
    let out = Format { frac: format.frac + KEPT, bits: format.bits + KEPT };
    let [weighed] = e.products([Product::mul(x, &weights, out)])?;
    e.times_2(&weighed, MOST.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_engine::{Fixed, Float};

    fn weighed<E: Engine>(e: &mut E, classes: &[usize], outputs: usize) -> Vec<f64> {
        let label = |(i, j): (usize, usize)| f64::from(u8::from(classes[i] == if outputs == 1 { 1 } else { j }));
        let labels = e.public(&Array2::from_shape_fn((classes.len(), outputs), label), crate::LABEL).unwrap();
        let weights = of_records(e, &labels).unwrap();
        let ones = e.public(&Array2::ones((classes.len(), 1)), Format::new(16, 1)).unwrap();
        let weighed = apply(e, &ones, &weights).unwrap();
        e.open(&weighed).unwrap().unwrap().into_iter().collect()
    }

    #[test]
    fn each_class_has_as_much_weight_as_another() {
        fn run<E: Engine>(e: &mut E) {
            // Of 1,000 records 50 are of class 1; of 90 one each of two classes; of three none.
            let few: Vec<usize> = (0..1000).map(|i| usize::from(i % 20 == 7)).collect();
            let rare: Vec<usize> = (0..90).map(|i| if i < 2 { i } else { 2 }).collect();
            for (classes, outputs) in [(&few, 1), (&few, 2), (&rare, 3), (&vec![0, 0, 1], 3), (&vec![1; 300], 1)] {
                let k = outputs.max(2) as f64;
                let n = classes.len() as f64;
                for (class, found) in classes.iter().zip(weighed(e, classes, outputs)) {
                    let count = classes.iter().filter(|c| *c == class).count() as f64;
                    let want = n / (k * count);
                    assert!((found - want).abs() < 2e-4, "{outputs} outputs, class {class}: {found}, expected {want}");
                }
            }
            // One record of 1,000: the most that there is.
            let one: Vec<usize> = (0..1000).map(|i| usize::from(i == 3)).collect();
            let found = weighed(e, &one, 1);
            assert!((found[3] - 64.0).abs() < 2e-4 && (found[4] - 1000.0 / 1998.0).abs() < 2e-4, "{} {}", found[3], found[4]);
        }
        run(&mut Float);
        run(&mut Fixed::default());
    }
}
