//! Classes that count more or less than others: a record's loss is multiplied by its class's weight.
//!
//! Weights that are given are public, the labels are not: a record's weight is a sum over its one-hot label, which is local, and one product
//! multiplies the gradient. The mean is over the records, where PyTorch divides by the sum of their weights: with weights whose mean
//! over the records is 1 both are the same.

use crate::{Error, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use trefoil_engine::{Engine, Format, Index, Product, Result as EngineResult};

/// Fraction bits of the weights, as parts of the largest power of two that is needed.
const FRAC: u8 = 12;
/// Weights are at most this.
const MOST: f64 = 256.0;

/// How much classes count, as it is asked for: `[1, 5]`, or `"balanced"`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub enum ClassWeighting {
    /// So much, in the order of the classes; all alike where there is nothing.
    Given(Vec<f64>),
    /// By the number of their records, which nobody is shown: see [`balanced`](crate::balanced).
    Balanced,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "one number for each class, or \"balanced\"")]
enum Written {
    Given(Vec<f64>),
    Word(Word),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Balanced,
}

impl From<Written> for ClassWeighting {
    fn from(written: Written) -> ClassWeighting {
        match written {
            Written::Given(weights) => ClassWeighting::Given(weights),
            Written::Word(Word::Balanced) => ClassWeighting::Balanced,
        }
    }
}

impl From<ClassWeighting> for Written {
    fn from(weighting: ClassWeighting) -> Written {
        match weighting {
            ClassWeighting::Given(weights) => Written::Given(weights),
            ClassWeighting::Balanced => Written::Word(Word::Balanced),
        }
    }
}

impl Default for ClassWeighting {
    fn default() -> ClassWeighting {
        ClassWeighting::Given(Vec::new())
    }
}

impl From<Vec<f64>> for ClassWeighting {
    fn from(weights: Vec<f64>) -> ClassWeighting {
        ClassWeighting::Given(weights)
    }
}

impl FromStr for ClassWeighting {
    type Err = Error;
    fn from_str(text: &str) -> Result<ClassWeighting> {
        if text == "balanced" {
            return Ok(ClassWeighting::Balanced);
        }
        let weights: std::result::Result<Vec<f64>, _> = text.split(',').map(|w| w.trim().parse()).collect();
        let refused =
            |_| Error::config("class weights", format!("{text:?}"), "one number for each class, such as 1,5, or balanced");
        weights.map(ClassWeighting::Given).map_err(refused)
    }
}

impl ClassWeighting {
    /// As most trainings have it: such a field is not written down.
    pub(crate) fn is_none(&self) -> bool {
        *self == ClassWeighting::default()
    }
}

/// Weights that are given.
#[derive(Clone, PartialEq, Debug)]
pub struct ClassWeights {
    /// By class, at most 1, to be multiplied by 2^power.
    parts: Vec<f64>,
    power: i8,
}

impl ClassWeights {
    /// One for each class, above 0 to 256, rounded to a 2^12th of the power of two at or above the largest. A network with one output has
    /// two classes.
    ///
    /// # Errors
    /// [`Error::Config`] for any others.
    pub fn new(weights: &[f64], outputs: usize) -> Result<ClassWeights> {
        let classes = outputs.max(2);
        let most = weights.iter().fold(0f64, |most, w| most.max(*w));
        let power = most.log2().ceil();
        let least = (power - f64::from(FRAC)).exp2();
        if weights.len() != classes || !(most > 0.0 && most <= MOST) || weights.iter().any(|w| w.is_nan() || *w < least) {
            let expected = format!("{classes} numbers above 0 to {MOST}, none 2^{FRAC} times smaller than another");
            return Err(Error::config("class weights", format!("{weights:?}"), expected));
        }
        let unit = f64::from(FRAC).exp2();
        let parts = weights.iter().map(|w| (w / power.exp2() * unit).round() / unit).collect();
        Ok(ClassWeights { parts, power: power as i8 })
    }

    /// The weight of each row, before its power of two: one column. Local.
    fn of_rows<E: Engine>(&self, e: &E, y: &E::Num) -> EngineResult<E::Num> {
        let format = Format::new(FRAC, 1);
        let one =
            |part: f64, column: &E::Num| -> EngineResult<E::Num> { Ok(e.claim(&e.times(column, part, FRAC)?, format.bits)) };
        if let ([zero, of_one], [rows, 1]) = (&self.parts[..], e.shape(y)) {
            let zero_everywhere = e.public(&Array2::from_elem((rows, 1), *zero), format)?;
            return Ok(e.claim(&e.add(&zero_everywhere, &one(of_one - zero, y)?)?, format.bits));
        }
        let mut sum = e.public(&Array2::zeros((e.shape(y)[0], 1)), format)?;
        for (class, part) in self.parts.iter().enumerate() {
            // In each row, all but one of these are zero.
            sum = e.claim(&e.add(&sum, &one(*part, &e.gather(y, Index::Cols(&[class])))?)?, format.bits);
        }
        Ok(sum)
    }

    /// Each row of `x` times its class's weight, by the labels `y`. One product; the range is wider by the power of two.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn apply<E: Engine>(&self, e: &mut E, x: &E::Num, y: &E::Num) -> EngineResult<E::Num> {
        let (weights, [_, columns], format) = (self.of_rows(e, y)?, e.shape(x), e.format(x));
        let weights = e.gather(&weights, Index::Cols(&vec![0; columns]));
        let [weighed] = e.products([Product::mul(x, &weights, format)])?;
        e.times_2(&weighed, self.power)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;
    use trefoil_engine::{Fixed, Float};

    fn weighed<E: Engine>(e: &mut E, weights: &[f64], y: &Array2<f64>, x: &Array2<f64>) -> Array2<f64> {
        let (x, y) = (e.public(x, Format::new(16, 1)).unwrap(), e.public(y, crate::LABEL).unwrap());
        let found = ClassWeights::new(weights, e.shape(&y)[1]).unwrap().apply(e, &x, &y).unwrap();
        e.open(&found).unwrap().unwrap()
    }

    #[test]
    fn rows_are_multiplied_by_their_classes_weights() {
        let x = arr2(&[[0.5, -0.25, 1.0], [0.125, 0.5, -1.0], [0.25, 0.25, 0.75]]);
        let y = arr2(&[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
        let want = arr2(&[[1.5, -0.75, 3.0], [0.0625, 0.25, -0.5], [5.0, 5.0, 15.0]]);
        let one = arr2(&[[0.5], [-0.25]]);
        for (found, want) in [
            (weighed(&mut Float, &[0.5, 3.0, 20.0], &y, &x), &want),
            (weighed(&mut Fixed::default(), &[0.5, 3.0, 20.0], &y, &x), &want),
            (weighed(&mut Fixed::default(), &[0.5, 3.0], &arr2(&[[1.0], [0.0]]), &one), &arr2(&[[1.5], [-0.125]])),
        ] {
            assert!((&found - want).iter().all(|d| d.abs() < 1e-3), "{found}");
        }
    }

    #[test]
    fn as_it_is_written() {
        for (text, json) in [("1,5", "[1.0,5.0]"), ("0.5, 2", "[0.5,2.0]"), ("balanced", "\"balanced\"")] {
            let weighting: ClassWeighting = text.parse().unwrap();
            assert_eq!(serde_json::to_string(&weighting).unwrap(), json);
            assert_eq!(serde_json::from_str::<ClassWeighting>(json).unwrap(), weighting);
        }
        for text in ["", "1,", "equal", "1;5"] {
            let e = text.parse::<ClassWeighting>().unwrap_err().to_string();
            assert!(e.ends_with("expected one number for each class, such as 1,5, or balanced"), "{e}");
        }
        let e = serde_json::from_str::<ClassWeighting>("\"equal\"").unwrap_err().to_string();
        assert!(e.starts_with("one number for each class, or \"balanced\""), "{e}");
    }

    #[test]
    fn what_are_no_weights_is_refused() {
        for weights in [&[1.0][..], &[1.0, 1.0, 1.0], &[1.0, 0.0], &[1.0, -1.0], &[f64::NAN, 1.0], &[1.0, 1e9], &[256.0, 1e-3]] {
            let error = ClassWeights::new(weights, 2).unwrap_err().to_string();
            assert!(error.starts_with("class weights: found [") && error.contains("expected 2 numbers"), "{error}");
        }
        assert!(ClassWeights::new(&[0.5, 2.0], 1).is_ok());
    }
}
