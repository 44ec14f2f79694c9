//! A trained network's forward pass on hidden records, on any engine.
//!
//! What all parties know is the network without its batch normalisations, and the [`Ranges`] of its numbers, a few exponents. From these
//! follow the formats: the finest with which a record's way through the network fits into the ring, found by trying without values
//! ([`Shapes`]). The weights stay with the model's owner, who shares them once.

mod ranges;

pub use ranges::Ranges;

mod reveal;

pub use reveal::Reveal;

use crate::graph::Param;
use crate::layers::{Formats, Mode};
use crate::statistics::Layout;
use crate::{Error, Graph, Model, Network, Result, Statistics, Trainer, fold, statistics};
use ndarray::Array2;
use trefoil_engine::{Engine, Format, Result as EngineResult, ShapeNum, Shapes};

/// Fraction bits of activations: as many as fit, of these.
const MOST_BITS: u8 = 16;
const LEAST_BITS: u8 = 10;
/// With fewer, ranges that are promised are taken rather than wider ones that are proven.
const ENOUGH: u8 = 12;
/// Most fraction bits that weights have more than activations.
const EXTRA: u8 = 8;

/// How it is known that no number leaves its range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// No record within the input's range can make it happen.
    Proven,
    /// What can be proven is wider than the ring has room for: a layer's values are expected to stay below 2^this.
    Promised(u8),
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bound::Proven => f.write_str("proven"),
            Bound::Promised(bits) => write!(f, "promised to stay below 2^{bits}"),
        }
    }
}

/// The public side of a prediction: a network and the formats of its numbers.
///
/// ```
/// use ndarray::array;
/// use trefoil_engine::{Engine, Float};
/// use trefoil_nn::{Graph, Prediction, Ranges};
/// // A linear layer of two inputs: all that is public of it are powers of two.
/// let (graph, params) = (Graph::perceptron(&[2, 1]), [array![[2.0, -1.0]], array![[0.5]]]);
/// let prediction = Prediction::new(graph.clone(), &Ranges::of(&graph, &params, 3, None).unwrap()).unwrap();
/// let mut e = Float;
/// let formats = prediction.params().to_vec();
/// let params: Vec<_> = params.iter().zip(formats).map(|(p, format)| e.public(p, format).unwrap()).collect();
/// let x = e.public(&array![[1.0, 3.0]], prediction.input()).unwrap();
/// assert_eq!(prediction.forward(&mut e, &params, &x).unwrap().value, array![[-0.5]]);
/// ```
#[derive(Clone, Debug)]
pub struct Prediction {
    network: Network,
    input: Format,
    params: Vec<Format>,
    formats: Vec<Formats>,
    output: Format,
    /// Values of a record that are standardised first, by statistics on shares, in the format that the network takes.
    secure: Option<(Layout, Format)>,
}

/// The owner's side: what is public, the parameters to share, and how it is known that they fit.
pub struct Prepared {
    /// What the parties know.
    pub prediction: Prediction,
    /// In the order of [`Network::params`] of its network, in the formats [`Prediction::params`].
    pub params: Vec<Array2<f64>>,
    /// What the parties are told of the numbers' sizes.
    pub ranges: Ranges,
    /// Whether the ranges are proven.
    pub bound: Bound,
}

impl Prediction {
    /// Of a network without batch normalisation, with the finest formats that fit.
    ///
    /// # Errors
    /// [`Error::Config`] if it is no network, or does not fit into the ring.
    pub fn new(graph: Graph, ranges: &Ranges) -> Result<Prediction> {
        let network = Network::new(graph)?;
        if ranges.nodes.len() != network.names().len() {
            return Err(Error::config("ranges", format!("{} layers", ranges.nodes.len()), network.names().len()));
        }
        let choices = (LEAST_BITS..=MOST_BITS).rev().flat_map(|f| (f..=f + EXTRA).rev().map(move |weight| (f, weight)));
        let mut last = None;
        for (f, weight) in choices {
            match Prediction::of_bits(&network, ranges, f, weight) {
                Ok(prediction) => return Ok(prediction),
                Err(e) => last = Some(e),
            }
        }
        let why = last.map_or_else(String::new, |e| format!(" ({e})"));
        let found = format!("{} with weights below 2^{}{why}", network.graph(), ranges.weights);
        Err(Error::config("scales", found, "weights, records and layers small enough that every product stays below 2^61"))
    }

    fn of_bits(network: &Network, ranges: &Ranges, f: u8, weight: u8) -> EngineResult<Prediction> {
        let input = ranges.input_frac.unwrap_or(f);
        let of = |frac: u8, whole: u8| Format { frac, bits: frac.saturating_add(whole) };
        let formats = ranges.nodes.iter().map(|whole| Formats { out: of(f, *whole), widen: 0 }).collect();
        let (input, weight) = (of(input, ranges.input), of(weight, ranges.weights));
        let (params, output) = (vec![weight; network.params().len()], input);
        Prediction { network: network.clone(), input, params, formats, output, secure: None }.tried()
    }

    /// What is left is the format of the outputs, which a record without values finds.
    fn tried(self) -> EngineResult<Prediction> {
        let (mut tried, e) = (self, &mut Shapes::default());
        let params: Vec<ShapeNum> = tried.parts().map(|(shape, format)| ShapeNum::new(shape, format)).collect();
        let input = tried.input;
        let z = tried.forward(e, &params, &ShapeNum::new([1, tried.width()], input))?;
        tried.output = e.format(&z);
        Ok(tried)
    }

    /// The network, without batch normalisation.
    pub fn network(&self) -> &Network {
        &self.network
    }
    /// Numbers of a record as it is shared: [its inputs](Network::width), and what says of some of them whether they are missing.
    pub fn width(&self) -> usize {
        self.secure.as_ref().map_or(self.network.width(), |(layout, _)| layout.width)
    }
    /// The format of a record's values.
    pub fn input(&self) -> Format {
        self.input
    }
    /// The formats of weights and biases, in the order of [`Network::params`]; behind them, of a training's whose records are standardised on
    /// shares, those of its [statistics](crate::Statistics).
    pub fn params(&self) -> &[Format] {
        &self.params
    }
    /// The same with the shapes.
    pub fn parts(&self) -> impl Iterator<Item = ([usize; 2], Format)> {
        let statistics = self.secure.iter().flat_map(|(of, _)| statistics::parts(of.places.len()).map(|(shape, _)| shape));
        self.network.params().iter().map(Param::shape).chain(statistics).zip(self.params.iter().copied())
    }
    /// The format of the outputs.
    pub fn output(&self) -> Format {
        self.output
    }
    /// Fraction bits of the layers' values.
    pub fn fraction_bits(&self) -> u8 {
        self.formats.first().map_or(0, |f| f.out.frac)
    }

    /// The outputs for each row of `x`, [rows, outputs]: logits, or the value of a regression.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn forward<E: Engine>(&self, e: &mut E, params: &[E::Num], x: &E::Num) -> EngineResult<E::Num> {
        let standardised = match (&self.secure, params) {
            (Some((layout, input)), [_, .., mean, inverse]) => {
                let statistics = Statistics { mean: mean.clone(), inverse: inverse.clone() };
                Some(layout.standardised(e, &statistics, x, *input, false)?.0)
            }
            _ => None,
        };
        let params = &params[..self.network.params().len().min(params.len())];
        Ok(self.network.forward(e, params, &self.formats, standardised.as_ref().unwrap_or(x), Mode::Evaluate)?.0)
    }
}

impl Trainer {
    /// The prediction of a network as it is trained, batch normalisations and all: its parameters are a
    /// [state's](crate::State::params), in the formats that they are trained in, and its statistics.
    ///
    /// # Errors
    /// A single record does not fit into the ring; no training is checked without that.
    pub fn prediction(&self) -> Result<Prediction> {
        let mut params: Vec<Format> = self.network().params().iter().map(|p| self.scales().param(p)).collect();
        let (training, output) = (self.training(), self.training().records.input());
        let secure = (!training.secure.is_empty()).then(|| (training.layout(), output));
        params.extend(secure.iter().flat_map(|(of, _)| statistics::parts(of.places.len()).map(|(_, format)| format)));
        let (network, formats) = (self.network().clone(), self.formats.clone());
        Ok(Prediction { network, input: training.shared(), params, formats, output, secure }.tried()?)
    }
}

impl Model {
    /// The network without its batch normalisations, which become part of the layers before them, and its parameters.
    ///
    /// # Errors
    /// [`Error::Config`] for a batch normalisation that no layer can take up.
    pub fn folded(&self) -> Result<(Graph, Vec<Array2<f64>>)> {
        let params: Vec<Array2<f64>> = self.params().map(|(_, values)| values.mapv(f64::from)).collect();
        fold::without_norms(self.graph(), &params)
    }

    /// What it takes to predict with this model on hidden records whose values are below 2^`input` in magnitude, and of `input_frac`
    /// fraction bits where that is given.
    ///
    /// Every range is proven from the weights, as far as the ring has room for it; else a layer's values are promised to stay below a
    /// power of two, the largest of a few that fit.
    ///
    /// # Errors
    /// [`Error::Config`] if it does not fit into the ring.
    pub fn prepare(&self, input: u8, input_frac: Option<u8>) -> Result<Prepared> {
        let (graph, params) = self.folded()?;
        let proven = Ranges::of(&graph, &params, input, input_frac)?;
        let promised = |most: u8| Ranges { nodes: proven.nodes.iter().map(|n| *n.min(&most)).collect(), ..proven.clone() };
        let caps =
            [(Bound::Proven, proven.clone())].into_iter().chain([16, 12, 8].map(|most| (Bound::Promised(most), promised(most))));
        let mut best: Option<(Prediction, Ranges, Bound)> = None;
        let mut refused = None;
        for (bound, ranges) in caps {
            match Prediction::new(graph.clone(), &ranges) {
                Ok(found) => {
                    let (bits, before) = (found.fraction_bits(), best.as_ref().map_or(0, |(p, ..)| p.fraction_bits()));
                    if before < bits {
                        best = Some((found, ranges, bound));
                    }
                    if bits >= ENOUGH {
                        break;
                    }
                }
                Err(e) => refused = Some(e),
            }
        }
        match (best, refused) {
            (Some((prediction, ranges, bound)), _) => Ok(Prepared { prediction, params, ranges, bound }),
            (None, Some(e)) => Err(e),
            (None, None) => Err(Error::config("scales", graph, "formats to try")),
        }
    }
}

#[cfg(test)]
mod tests;
