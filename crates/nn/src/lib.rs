//! Layers, losses, optimisers, the training step and model files.
//!
//! Everything is written against [`trefoil_engine::Engine`]: the same code trains in floating point, in the exact ring
//! arithmetic in the clear, and on secret shares.
//!
//! | where | what |
//! |---|---|
//! | [`linear`], [`relu`] | the layers, each a [`Layer`] |
//! | [`cross_entropy`], [`asm`] | softmax with cross entropy; the papers' softmax of ReLUs |
//! | [`network`] | layers in a row |
//! | [`sgd`], [`schedule`], [`init`], [`order`] | the optimiser, its rate, initial weights, the order of the records |
//! | [`scales`] | how many bits each quantity has |
//! | [`train`], [`evaluate`] | the training step and the loop around it; accuracy, loss and range monitor on shares |
//! | [`model`] | the trained network in the clear, and its file |

#![forbid(unsafe_code)]

pub mod asm;
pub mod cross_entropy;
mod error;
pub mod evaluate;
pub mod init;
mod layer;
pub mod linear;
pub mod model;
pub mod network;
pub mod order;
pub mod relu;
pub mod scales;
pub mod schedule;
pub mod sgd;
pub mod train;

pub use cross_entropy::SoftmaxKind;
pub use error::{Error, Result};
pub use init::Init;
pub use layer::{Gradients, Layer};
pub use linear::Linear;
pub use model::{Model, ModelError};
pub use network::Network;
pub use relu::Relu;
pub use scales::{Rate, Scales};
pub use schedule::Schedule;
pub use sgd::Sgd;
pub use train::{Config, Data, Event, Report, State, Trainer};
