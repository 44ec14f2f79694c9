//! What an answer tells of a network's outputs: it is computed on shares, and nothing else leaves the parties.

use super::Prediction;
use crate::Result;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use trefoil_engine::functions::argmax;
use trefoil_engine::{Engine, Format, Index, Result as EngineResult, ShapeNum, Shapes};

/// What an answer tells.
///
/// ```
/// use ndarray::array;
/// use trefoil_engine::{Engine, Float, Format};
/// use trefoil_nn::Reveal;
/// let mut e = Float;
/// let outputs = e.public(&array![[1.0, 3.0, -2.0]], Format::new(16, 8)).unwrap();
/// // The class alone, one-hot; or each output less the first, which is all that probabilities need.
/// assert_eq!(Reveal::Class.of(&mut e, &outputs).unwrap().value, array![[0.0, 1.0, 0.0]]);
/// assert_eq!(Reveal::Probabilities.of(&mut e, &outputs).unwrap().value, array![[0.0, 2.0, -3.0]]);
/// assert!(Reveal::Class.is_within(Reveal::Probabilities));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reveal {
    /// The likeliest class, and nothing of how likely it is: one-hot, [rows, outputs]; of two classes with one output 1 for the second.
    Class,
    /// The probability of each class. Outputs tell more than that, since softmax is the same for z and z + c: what leaves the parties is
    /// each output less the first one, which is log(p_j / p_0). Of two classes with one output it is the output, log(p_1 / p_0).
    Probabilities,
    /// The value of a regression.
    Value,
}

impl std::fmt::Display for Reveal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Reveal::Class => "class",
            Reveal::Probabilities => "probabilities",
            Reveal::Value => "value",
        })
    }
}

impl Reveal {
    /// Whether this tells nothing that `most` does not tell.
    pub fn is_within(self, most: Reveal) -> bool {
        self == most || (self, most) == (Reveal::Class, Reveal::Probabilities)
    }

    /// What is told of the outputs `z`, [rows, outputs], of the same shape. Only [`Reveal::Class`] costs rounds.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn of<E: Engine>(self, e: &mut E, z: &E::Num) -> EngineResult<E::Num> {
        let [rows, outputs] = e.shape(z);
        match (self, outputs) {
            (Reveal::Value, _) | (Reveal::Probabilities, 1) => Ok(z.clone()),
            (Reveal::Probabilities, _) => e.sub(z, &e.gather(z, Index::Cols(&[0]))),
            (Reveal::Class, _) => {
                let bits = match outputs {
                    1 => {
                        let [bits] = e.drelu([z])?;
                        bits
                    }
                    _ => argmax(e, z)?,
                };
                let one = e.public(&Array2::ones((rows, outputs)), Format { frac: 0, bits: 1 })?;
                let [class] = e.select([(&bits, &one)])?;
                Ok(class)
            }
        }
    }
}

impl Prediction {
    /// The answer for each row of `x`, [rows, outputs].
    ///
    /// # Errors
    /// Those of the engine.
    pub fn answer<E: Engine>(&self, e: &mut E, params: &[E::Num], x: &E::Num, reveal: Reveal) -> EngineResult<E::Num> {
        let z = self.forward(e, params, x)?;
        e.within("reveal", |e| reveal.of(e, &z))
    }

    /// The format of answers.
    ///
    /// # Errors
    /// They do not fit into the ring.
    pub fn answer_format(&self, reveal: Reveal) -> Result<Format> {
        let e = &mut Shapes::default();
        let told = reveal.of(e, &ShapeNum::new([1, self.network.outputs()], self.output))?;
        Ok(e.format(&told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use trefoil_engine::Fixed;

    #[test]
    fn an_answer_tells_no_more_than_it_says() {
        let e = &mut Fixed::default();
        let z = array![[1.5, -2.0, 0.25], [-1.0, 3.0, 3.0]];
        let shared = e.public(&z, Format::new(16, 8)).unwrap();
        let mut told = |reveal: Reveal, z| {
            let told = reveal.of(e, z).unwrap();
            e.open(&told).unwrap().unwrap()
        };
        // Of two that are equally likely the first, as in the clear.
        assert_eq!(told(Reveal::Class, &shared), array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
        assert_eq!(told(Reveal::Value, &shared), z);
        // The same for outputs that are all larger: softmax does not tell them apart, and nothing else is told.
        let moved = Fixed::default().public(&(&z + 7.0), Format::new(16, 8)).unwrap();
        let probabilities = told(Reveal::Probabilities, &shared);
        assert_eq!(probabilities, array![[0.0, -3.5, -1.25], [0.0, 4.0, 4.0]]);
        assert_eq!(told(Reveal::Probabilities, &moved), probabilities);
        let one = Fixed::default().public(&array![[0.0], [-0.5], [2.0]], Format::new(16, 8)).unwrap();
        assert_eq!(told(Reveal::Class, &one), array![[1.0], [0.0], [1.0]]);
        assert_eq!(told(Reveal::Probabilities, &one), array![[0.0], [-0.5], [2.0]]);
    }

    #[test]
    fn names_and_order() {
        for reveal in [Reveal::Class, Reveal::Probabilities, Reveal::Value] {
            assert_eq!(serde_json::to_string(&reveal).unwrap(), format!("\"{reveal}\""));
            assert!(reveal.is_within(reveal));
        }
        assert!(Reveal::Class.is_within(Reveal::Probabilities) && !Reveal::Probabilities.is_within(Reveal::Class));
        assert!(!Reveal::Value.is_within(Reveal::Probabilities) && !Reveal::Class.is_within(Reveal::Value));
    }
}
