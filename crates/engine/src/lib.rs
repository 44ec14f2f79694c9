//! The operations that a network is written against.
//!
//! [`Engine`] is the one trait between machine learning and cryptography: layers and losses are written once, in
//! terms of it, and run on floating point ([`Float`]), on the exact ring arithmetic in the clear ([`Fixed`]), on
//! secret shares (the suites of `trefoil-mpc`), and without values ([`Shapes`]), to see whether they fit. [`functions`] builds exp, ln, reciprocal, softmax and argmax on it.

mod error;
pub mod fixed;
mod float;
mod format;
pub mod functions;
mod index;
mod lanes;
mod scatter;
mod shapes;
mod took;

pub use error::{Error, Result};
pub use fixed::{Fixed, FixedNum};
pub use float::{Float, FloatNum, fits};
pub use format::{Format, MAX_BITS};
pub use index::Index;
pub use lanes::{Lane, Told};
pub use scatter::Scatter;
pub use shapes::{ShapeNum, Shapes};
pub use took::Took;

use ndarray::Array2;
use std::ops::Range;

/// A matrix of public values in the clear, or `None` at a party that does not see them: control flow never depends
/// on it.
pub type Opened = Option<Array2<f64>>;

/// What to sum over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sum {
    /// All rows: the result is one row.
    Rows,
    /// All columns: the result is one column.
    Cols,
}

/// The kind of a product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Matrix product op(x) op(y), where op transposes if the flag is set.
    MatMul {
        /// Transpose x.
        tx: bool,
        /// Transpose y.
        ty: bool,
    },
    /// Element by element.
    Mul,
}

/// One product, what is added up and added to it, and the format of its result: `out = truncate(scatter(x * y) + plus)`.
#[derive(Debug)]
pub struct Product<'a, N> {
    /// Matrix product or elementwise.
    pub kind: Kind,
    /// The left factor.
    pub x: &'a N,
    /// The right factor.
    pub y: &'a N,
    /// Where the product's elements are added up, before anything is truncated or sent: only the sums cost anything.
    pub scatter: Option<&'a Scatter>,
    /// Added before truncation; its fraction bits are aligned upward. One row is added to every row.
    pub plus: Option<&'a N>,
    /// Fraction bits and range of the result; at most as many fraction bits as x and y have together.
    pub out: Format,
    /// Whether what follows is what [`Engine::narrow`] promises.
    pub narrow: bool,
}

impl<'a, N> Product<'a, N> {
    /// A matrix product without an addend.
    pub fn matmul(x: &'a N, tx: bool, y: &'a N, ty: bool, out: Format) -> Self {
        Product { kind: Kind::MatMul { tx, ty }, x, y, scatter: None, plus: None, out, narrow: false }
    }
    /// An elementwise product without an addend.
    pub fn mul(x: &'a N, y: &'a N, out: Format) -> Self {
        Product { kind: Kind::Mul, x, y, scatter: None, plus: None, out, narrow: false }
    }
    /// The same with an addend.
    pub fn plus(self, plus: &'a N) -> Self {
        Product { plus: Some(plus), ..self }
    }
    /// The same, whose result is as [`Engine::narrow`] gives it back, if `narrow`.
    pub fn narrow(self, narrow: bool) -> Self {
        Product { narrow, ..self }
    }
}

/// Arithmetic on matrices that may be hidden from the one who computes.
///
/// A `Num` is a matrix of numbers with a [`Format`]; a `Bit` is a matrix of bits. Operations that take an array of N
/// do N independent things in the rounds of one. Shapes, formats and control flow are public.
///
/// ```
/// use ndarray::array;
/// use trefoil_engine::{Engine, Fixed, Float, Format, Product, Result};
/// // Written once, for any engine: x w, which may be negative, through a ReLU.
/// fn layer<E: Engine>(e: &mut E, x: &E::Num, w: &E::Num) -> Result<E::Num> {
///     let [z] = e.products([Product::matmul(x, false, w, false, Format::new(16, 8))])?;
///     let [positive] = e.drelu([&z])?;
///     let [y] = e.select([(&positive, &z)])?;
///     Ok(y)
/// }
/// fn run<E: Engine>(mut e: E) -> Result<Option<ndarray::Array2<f64>>> {
///     let format = Format::new(16, 4);
///     let (x, w) = (e.public(&array![[1.5, -2.0]], format)?, e.public(&array![[2.0, -1.0], [0.25, 1.0]], format)?);
///     let y = layer(&mut e, &x, &w)?;
///     e.open(&y)
/// }
/// assert_eq!(run(Float).unwrap().unwrap(), array![[2.5, 0.0]]);
/// assert_eq!(run(Fixed::default()).unwrap().unwrap(), array![[2.5, 0.0]]);
/// ```
pub trait Engine: Sized {
    /// A matrix of numbers.
    type Num: Clone;
    /// A matrix of bits.
    type Bit: Clone;

    /// Rows and columns.
    fn shape(&self, x: &Self::Num) -> [usize; 2];
    /// Fraction bits and range.
    fn format(&self, x: &Self::Num) -> Format;
    /// The same matrix under another claim about its range; the fraction bits must be the same.
    fn claim(&self, x: &Self::Num, bits: u8) -> Self::Num;

    /// A public constant.
    ///
    /// # Errors
    /// [`Error::Range`] if a value is not finite or outside of the format's range.
    fn public(&self, x: &Array2<f64>, format: Format) -> Result<Self::Num>;

    /// x + y; y may be one row, one column or one element. Fraction bits are aligned upward.
    ///
    /// # Errors
    /// [`Error::Shape`], or [`Error::Range`] if alignment would leave the ring.
    fn add(&self, x: &Self::Num, y: &Self::Num) -> Result<Self::Num>;
    /// x - y, like [`Engine::add`].
    ///
    /// # Errors
    /// As for `add`.
    fn sub(&self, x: &Self::Num, y: &Self::Num) -> Result<Self::Num>;
    /// The product with the public constant `c` rounded to `frac` fraction bits, which the result has in addition.
    ///
    /// # Errors
    /// [`Error::Range`] if the constant or the result does not fit.
    fn times(&self, x: &Self::Num, c: f64, frac: u8) -> Result<Self::Num>;
    /// The product with 2^`power`, by moving the point: free.
    ///
    /// # Errors
    /// [`Error::Range`] if the point would leave the word.
    fn times_2(&self, x: &Self::Num, power: i8) -> Result<Self::Num>;
    /// Elements rearranged.
    fn gather(&self, x: &Self::Num, index: Index<'_>) -> Self::Num;
    /// Elements added up in new places.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a place for each element.
    fn scatter(&self, x: &Self::Num, scatter: &Scatter) -> Result<Self::Num>;
    /// Matrices of equal height and format side by side.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are none or they do not fit.
    fn beside(&self, x: &[&Self::Num]) -> Result<Self::Num>;
    /// The sum over rows or columns.
    fn sum(&self, x: &Self::Num, over: Sum) -> Self::Num;

    /// Elements rearranged.
    fn gather_bits(&self, x: &Self::Bit, index: Index<'_>) -> Self::Bit;
    /// Column j is negated where `flip[j]`.
    fn flip(&self, x: &Self::Bit, flip: &[bool]) -> Self::Bit;

    /// Prepares a matrix that many products will use (the training data), so that its part of their cost is paid once.
    ///
    /// # Errors
    /// Those of the protocol.
    fn prepare(&mut self, x: &Self::Num) -> Result<Self::Num> {
        Ok(x.clone())
    }
    /// Finishes together what operations have left for later. An engine that puts part of a truncation off does it once for
    /// a value that several others are made from, if it is asked before they are.
    ///
    /// # Errors
    /// Those of the protocol.
    fn settle(&mut self, x: &[&Self::Num]) -> Result<()> {
        let _ = x;
        Ok(())
    }
    /// The same matrix, which will be compared, selected, gathered, added and subtracted before anything else happens to it. An engine that can work on
    /// the lower bits of numbers alone does that, as long as their range allows it, and leaves the upper ones for later.
    ///
    /// # Errors
    /// Those of the protocol.
    fn narrow(&mut self, x: &Self::Num) -> Result<Self::Num> {
        Ok(x.clone())
    }
    /// N independent products.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::Range`] if the factors' ranges do not keep every product within 2^61; those of the protocol.
    fn products<const N: usize>(&mut self, p: [Product<'_, Self::Num>; N]) -> Result<[Self::Num; N]>;
    /// Each matrix with its fraction bits reduced to its format's.
    ///
    /// # Errors
    /// Those of the protocol.
    fn truncate<const N: usize>(&mut self, x: [(&Self::Num, Format); N]) -> Result<[Self::Num; N]>;
    /// [x >= 0].
    ///
    /// # Errors
    /// Those of the protocol.
    fn drelu<const N: usize>(&mut self, x: [&Self::Num; N]) -> Result<[Self::Bit; N]>;
    /// b x: x where the bit is 1, 0 elsewhere.
    ///
    /// # Errors
    /// [`Error::Shape`]; those of the protocol.
    fn select<const N: usize>(&mut self, s: [(&Self::Bit, &Self::Num); N]) -> Result<[Self::Num; N]>;
    /// The AND of matrices of bits.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are none or shapes differ; those of the protocol.
    fn all(&mut self, bits: &[&Self::Bit]) -> Result<Self::Bit>;
    /// Opens a matrix to the computing parties.
    ///
    /// # Errors
    /// Those of the protocol.
    fn open(&mut self, x: &Self::Num) -> Result<Opened>;

    /// max(x, 0), and the bit [x >= 0] that the backward pass needs.
    ///
    /// # Errors
    /// Those of the protocol.
    fn relu(&mut self, x: &Self::Num) -> Result<(Self::Num, Self::Bit)> {
        let [b] = self.drelu([x])?;
        let [y] = self.select([(&b, x)])?;
        Ok((y, b))
    }

    /// The largest element of each row, exactly; one column.
    ///
    /// # Errors
    /// Those of the protocol.
    fn row_max(&mut self, x: &Self::Num) -> Result<Self::Num> {
        functions::row_max(self, x)
    }

    /// The softmax of each row in the format `out`, see [`functions::softmax`].
    ///
    /// # Errors
    /// Those of the protocol.
    fn softmax(&mut self, x: &Self::Num, out: Format) -> Result<Self::Num> {
        functions::softmax(self, x, out)
    }

    /// 1 / (1 + exp(-x)) in the format `out`, see [`functions::sigmoid`].
    ///
    /// # Errors
    /// Those of the protocol.
    fn sigmoid(&mut self, x: &Self::Num, out: Format) -> Result<Self::Num> {
        functions::sigmoid(self, x, out)
    }

    /// 1 / sqrt(s) in the format `out` for 2^`powers[0]` <= s < 2^`powers[1]`, see [`functions::inverse_sqrt`].
    ///
    /// # Errors
    /// [`Error::Range`] if the range is too wide for the ring; those of the protocol.
    fn inverse_sqrt(&mut self, s: &Self::Num, powers: [i8; 2], out: Format) -> Result<Self::Num> {
        functions::inverse_sqrt(self, s, powers, out)
    }

    /// x c / sqrt(s) of each element, see [`functions::over_root`].
    ///
    /// # Errors
    /// [`Error::Range`] if the range is too wide for the ring; those of the protocol.
    fn over_root(&mut self, quotient: &functions::OverRoot<'_, Self::Num>) -> Result<Self::Num> {
        functions::over_root(self, quotient)
    }

    /// Runs `f` under the name of a layer: cost is booked to it, and errors name it.
    ///
    /// # Errors
    /// Those of `f`, with the layer's name.
    fn within<T>(&mut self, layer: &str, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        f(self).map_err(|e| e.within(layer))
    }
    /// What it takes to compare so many numbers of so many bits with 0 at once, and to select so many times as many by what that says: nothing
    /// where nobody sends anything. What can be computed in several ways goes the one that takes less.
    fn choice(&self, numbers: usize, bits: u8, selected: usize) -> Took {
        let _ = (numbers, bits, selected);
        Took::default()
    }
    /// Told before each step; randomness and messages are addressed by it. Steps only grow.
    fn begin_step(&mut self, step: u64) {
        let _ = step;
    }
    /// Which lane of how many this is. Each lane works on rows of its own of every batch.
    fn lane(&self) -> Lane {
        Lane::ALONE
    }
    /// Each lane's rows of these, one below the other, at lane 0; the other lanes keep their own.
    ///
    /// # Errors
    /// Another lane is gone, or has something of another shape.
    fn below(&mut self, x: Vec<Self::Num>) -> Result<Vec<Self::Num>> {
        Ok(x)
    }
    /// Lane 0: has the others begin a step, with all of `common` and with their rows of each of `rows`; gives its own rows of those. From here
    /// until [`Engine::whole_batch`] matrices are a lane's rows of a batch.
    ///
    /// # Errors
    /// Another lane is gone.
    fn lead(&mut self, step: u64, common: &[&Self::Num], rows: &[&Self::Num]) -> Result<Vec<Self::Num>> {
        let _ = (step, common);
        Ok(rows.iter().map(|x| (*x).clone()).collect())
    }
    /// Another lane: what lane 0 has it do next; `None` at the end.
    ///
    /// # Errors
    /// Another lane is gone, or sends something else.
    fn follow(&mut self) -> Result<Option<Told<Self::Num>>> {
        Ok(None)
    }
    /// Every lane: `own` are this lane's [rows](Lane::block) of a matrix of `rows` rows. What lane 0 is given stands for the matrix: rows of it can be taken, and [led](Engine::lead) with,
    /// which brings each to the lane that works on it; for anything else it must be brought [here](Engine::here). All lanes do this in the same order.
    fn held(&mut self, own: Self::Num, rows: usize) -> Self::Num {
        let _ = rows;
        own
    }
    /// Lane 0: gives each other lane its rows of a matrix to hold, and keeps its own alone. What stands for it is as of [`Engine::held`].
    ///
    /// # Errors
    /// Another lane is gone; those of the protocol.
    fn spread(&mut self, x: &Self::Num) -> Result<Self::Num> {
        Ok(x.clone())
    }
    /// Lane 0: the matrix itself, whichever lanes hold its rows.
    ///
    /// # Errors
    /// Another lane is gone.
    fn here(&mut self, x: &Self::Num) -> Result<Self::Num> {
        Ok(x.clone())
    }
    /// The rows of this lane are done with; what follows is of whole matrices.
    fn whole_batch(&mut self) {}
    /// The same as [`Engine::products`]; but those with `of_batch` sum over the rows of a batch. Of these lane 0 alone is given the results, and the others zeros
    /// in their places.
    ///
    /// # Errors
    /// As for `products`; another lane is gone.
    fn products_over<const N: usize>(&mut self, p: [Product<'_, Self::Num>; N], of_batch: [bool; N]) -> Result<[Self::Num; N]> {
        let _ = of_batch;
        self.products(p)
    }
    /// The sum of what all lanes have, at lane 0; at the others something of the same shape.
    ///
    /// # Errors
    /// Another lane is gone.
    fn sum_of_lanes(&mut self, x: Self::Num) -> Result<Self::Num> {
        Ok(x)
    }
    /// What belongs to the whole batch and not to a lane's rows: lane 0 alone does `f`, and all lanes are given what comes of it.
    ///
    /// # Errors
    /// Those of `f`; another lane is gone.
    fn in_lane_0<const N: usize>(&mut self, f: impl FnOnce(&mut Self) -> Result<[Self::Num; N]>) -> Result<[Self::Num; N]> {
        f(self)
    }

    /// Owns the loop over steps: `body` is a function of (state, step), and all change is in `state`.
    ///
    /// # Errors
    /// The first error of `body`.
    fn drive<S>(
        &mut self,
        mut state: S,
        steps: Range<u64>,
        mut body: impl FnMut(&mut Self, &mut S, u64) -> Result<()>,
    ) -> Result<S> {
        for step in steps {
            self.begin_step(step);
            body(self, &mut state, step)?;
        }
        Ok(state)
    }
}
