//! The layers, a file each: settings, shapes, parameters, forward and backward.
//!
//! A layer sees matrices with a record in each row. It knows neither a learning rate nor an optimiser: it says what its gradients are,
//! and those that are products are computed by the network, after an optimiser has said what joins them before their truncation.

pub mod add;
pub mod avg_pool2d;
pub mod batch_norm;
pub mod constant;
pub mod conv2d;
pub mod dropout;
pub mod flatten;
pub mod global_avg_pool2d;
pub mod leaky_relu;
pub mod linear;
pub mod max_pool2d;
pub(crate) mod mean;
pub mod relu;
pub mod sigmoid;
pub mod tanh;
pub mod window;

pub use add::Add;
pub use avg_pool2d::AvgPool2d;
pub use batch_norm::BatchNorm;
pub use constant::Constant;
pub use conv2d::Conv2d;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use global_avg_pool2d::GlobalAvgPool2d;
pub use leaky_relu::LeakyRelu;
pub use linear::Linear;
pub use max_pool2d::MaxPool2d;
pub use relu::Relu;
pub use sigmoid::Sigmoid;
pub use tanh::Tanh;
pub use window::Pair;

use crate::graph::Shape;
use trefoil_engine::{Engine, Format, Kind, Result, Scatter};

/// How a parameter starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// At zero.
    Zero,
    /// At one.
    One,
    /// At random: so many values enter an output, and a value enters so many outputs.
    Random {
        /// Values that enter an output.
        fan_in: usize,
        /// Outputs that a value enters.
        fan_out: usize,
    },
}

/// The formats of a layer's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Formats {
    /// Of its output.
    pub out: Format,
    /// By how many bits the range of the gradient by its input is wider than that by its output.
    pub widen: u8,
}

impl Formats {
    /// The format of the gradient by a layer's input, from that by its output: as many bits in all, some of them before the point.
    pub fn wider(&self, d: Format) -> Format {
        Format { frac: d.frac.saturating_sub(self.widen), ..d }
    }
}

/// What a forward pass is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// A step of a training; what is drawn for it follows from public numbers.
    Train {
        /// The training's public seed.
        seed: u64,
        /// The number of the step, counted from 0.
        step: u64,
    },
    /// Evaluation and prediction.
    Evaluate,
}

/// Where a layer works.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a, N> {
    /// What a record is that it is given.
    pub input: Shape,
    /// Its parameters, in the order of [`Layer::params`].
    pub params: &'a [N],
    /// The formats of its numbers.
    pub formats: Formats,
    /// The number of its node.
    pub node: usize,
    /// What the pass is for.
    pub mode: Mode,
    /// Whether all that uses its output does what [`Engine::narrow`] promises.
    pub narrow: bool,
}

/// A product that is to be computed.
pub struct Factors<N> {
    /// Of matrices or element by element.
    pub kind: Kind,
    /// The left factor.
    pub x: N,
    /// The right factor.
    pub y: N,
    /// Where the product's elements are added up before they are truncated.
    pub scatter: Option<Scatter>,
}

/// The gradient by a layer's parameter: there already, with more fraction bits than the parameter may have, of this lane's rows or of the whole batch in lane 0; or a
/// product; or the next value of one that is not trained.
#[allow(missing_docs)] // the line above says it
pub enum Gradient<N> {
    Ready(N),
    Whole(N),
    Product(Factors<N>),
    Next(N),
}

/// The gradient by a layer's input: not asked for, there already, or a product with its format.
#[allow(missing_docs)] // the line above says it
pub enum Onward<N> {
    Nothing,
    Ready(N),
    Product(Factors<N>, Format),
}

/// What the gradient by a layer's output gives.
pub struct Gradients<N> {
    /// By the input.
    pub input: Onward<N>,
    /// By each parameter.
    pub params: Vec<Gradient<N>>,
}

/// One layer; the value holds its settings.
///
/// ```
/// use ndarray::array;
/// use trefoil_engine::{Engine, Float, Format};
/// use trefoil_nn::Shape;
/// use trefoil_nn::layers::{Formats, Layer, Linear, Mode, Place};
/// let layer = Linear { outputs: 1 };
/// let input = Shape::Flat(2);
/// assert_eq!(layer.shape(input).unwrap(), Shape::Flat(1));
/// // Weights 2 and -1, bias 0.5; two records.
/// let (mut e, format) = (Float, Format::new(16, 8));
/// let params = [array![[2.0, -1.0]], array![[0.5]]].map(|p| e.public(&p, format).unwrap());
/// let at = Place { input, params: &params, formats: Formats { out: format, widen: 0 }, node: 0, mode: Mode::Evaluate, narrow: false };
/// let x = e.public(&array![[1.0, 1.0], [0.0, 3.0]], format).unwrap();
/// assert_eq!(layer.forward(&mut e, &at, &x).unwrap().0.value, array![[1.5], [-2.5]]);
/// ```
pub trait Layer {
    /// What the backward pass needs of the forward pass: the input, the bit.
    type Kept<E: Engine>;

    /// What it makes of a record, or what it expects in place of such a one.
    ///
    /// # Errors
    /// A text that says what is expected.
    fn shape(&self, input: Shape) -> std::result::Result<Shape, String>;

    /// What training changes: name, PyTorch's dimensions, and how it starts.
    fn params(&self, input: Shape) -> Vec<(&'static str, Vec<usize>, Start)> {
        let _ = input;
        Vec::new()
    }

    /// What follows the batches, behind the parameters that training changes.
    fn running(&self, input: Shape) -> Vec<(&'static str, Vec<usize>, Start)> {
        let _ = input;
        Vec::new()
    }

    /// The output for the rows of `x`.
    ///
    /// # Errors
    /// Those of the engine.
    fn forward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, Self::Kept<E>)>;

    /// From the gradient `d` of the loss by this layer's output: those by its parameters and, if `want_dx`, by its input.
    ///
    /// # Errors
    /// Those of the engine.
    fn backward<E: Engine>(
        &self,
        e: &mut E,
        at: &Place<'_, E::Num>,
        kept: Self::Kept<E>,
        d: &E::Num,
        want_dx: bool,
    ) -> Result<Gradients<E::Num>>;
}

/// A layer without parameters: values go through it, and gradients back.
pub trait Through {
    /// What the way back needs of the way there.
    type Kept<E: Engine>;

    /// As [`Layer::shape`].
    ///
    /// # Errors
    /// A text that says what is expected.
    fn shape(&self, input: Shape) -> std::result::Result<Shape, String>;

    /// As [`Layer::forward`].
    ///
    /// # Errors
    /// Those of the engine.
    fn forward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, Self::Kept<E>)>;

    /// From the gradient `d` by the output to that by the input. It is not asked for where nothing before the layer is trained.
    ///
    /// # Errors
    /// Those of the engine.
    fn backward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, kept: Self::Kept<E>, d: &E::Num) -> Result<Onward<E::Num>>;
}

impl<T: Through> Layer for T {
    type Kept<E: Engine> = T::Kept<E>;

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        Through::shape(self, input)
    }

    fn forward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, T::Kept<E>)> {
        Through::forward(self, e, at, x)
    }

    fn backward<E: Engine>(
        &self,
        e: &mut E,
        at: &Place<'_, E::Num>,
        kept: T::Kept<E>,
        d: &E::Num,
        want_dx: bool,
    ) -> Result<Gradients<E::Num>> {
        let input = if want_dx { Through::backward(self, e, at, kept, d)? } else { Onward::Nothing };
        Ok(Gradients { input, params: Vec::new() })
    }
}
