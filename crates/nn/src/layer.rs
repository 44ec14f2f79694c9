use trefoil_engine::{Engine, Result};

/// The gradient by a layer's input, if it was wanted, and the gradients by its parameters.
pub type Gradients<N> = (Option<N>, Vec<N>);

/// One layer of a network.
pub trait Layer<E: Engine>: Clone {
    /// What the backward pass needs of the forward pass: the input, the bit.
    type Kept;

    /// The layer's output for the rows of `x`.
    ///
    /// # Errors
    /// Those of the engine.
    fn forward(&self, e: &mut E, x: &E::Num) -> Result<(E::Num, Self::Kept)>;

    /// From the gradient `d` of the loss by this layer's output: the gradient by its input, if `want_dx`, and the
    /// gradients by its parameters, in the order of [`Layer::params`].
    ///
    /// `carry` is empty, or has a matrix for each parameter that joins its gradient before truncation. A gradient
    /// that needs no product may come back with more fraction bits than its parameter has.
    ///
    /// # Errors
    /// Those of the engine.
    fn backward(&self, e: &mut E, kept: &Self::Kept, d: &E::Num, carry: &[E::Num], want_dx: bool) -> Result<Gradients<E::Num>>;

    /// What training changes.
    fn params(&mut self) -> Vec<&mut E::Num>;
}
