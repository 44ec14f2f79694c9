//! Layers, losses, optimisers, the training step and model files.
//!
//! Everything is written against [`trefoil_engine::Engine`]: the same code trains in floating point, in the exact ring
//! arithmetic in the clear, and on secret shares.
//!
//! | where | what |
//! |---|---|
//! | [`graph`] | the network as data |
//! | [`layers`] | the layers, each a [`Layer`](layers::Layer) |
//! | [`loss`] | the losses: [`cross_entropy`] with softmax or [`asm`] (the papers' softmax of ReLUs), [`binary_cross_entropy`], [`squared_error`]; [`class_weights`], [`balanced`] |
//! | [`network`] | a graph at work: forward and backward |
//! | [`optimisers`], [`schedule`], [`init`], [`order`] | the optimisers, their rate, initial weights, the order of the records |
//! | [`start_model`] | a training that starts from a model |
//! | [`scales`] | how many bits each quantity has |
//! | [`spec`], [`open`], [`training`] | what determines a training: the settings, what is opened, and with the records all of it |
//! | `fit`, [`train`] | whether it fits into the ring; the training step and the loop around it |
//! | [`evaluate`], [`metrics`], [`auc`], [`figures`], [`monitor`] | loss, metrics and range monitor on shares |
//! | [`statistics`] | mean and deviation of columns on shares, and records standardised by them |
//! | [`held`] | what keeps each quantity in its range |
//! | [`mod@fold`] | batch normalisation folded into the layers before it |
//! | [`model`] | the trained network in the clear, and its file |
//! | [`prediction`] | a model's forward pass on hidden records |

pub mod asm;
pub mod auc;
pub mod balanced;
pub mod best;
pub mod binary_cross_entropy;
mod bound;
mod choice;
pub mod class_weights;
pub mod cross_entropy;
mod error;
pub mod evaluate;
pub mod events;
pub mod figures;
mod fit;
pub mod fold;
pub mod graph;
pub mod held;
pub mod init;
mod lanes;
pub mod layers;
pub mod loss;
pub mod metrics;
pub mod model;
pub mod monitor;
pub mod network;
pub mod open;
pub mod optimisers;
pub mod order;
pub mod prediction;
mod running;
pub mod scales;
pub mod schedule;
pub mod spec;
pub mod squared_error;
pub mod start_model;
pub mod statistics;
pub mod train;
pub mod training;

pub use best::{Best, Keep};
pub use class_weights::{ClassWeighting, ClassWeights};
pub use cross_entropy::SoftmaxKind;
pub use error::{Error, Result};
pub use figures::Figure;
pub use fold::fold;
pub use graph::{Graph, NAMED, Shape};
pub use held::{Bounded, Held, Quantity};
pub use init::Init;
pub use loss::{LABEL, Loss, LossKind, TARGET};
pub use model::{Model, ModelError, Task};
pub use network::Network;
pub use open::{Metric, Metrics, Open};
pub use optimisers::OptimiserKind;
pub use prediction::{Bound, Prediction, Prepared, Ranges, Reveal};
pub use scales::{Rate, Scales};
pub use schedule::Schedule;
pub use spec::TrainSpec;
pub use start_model::ModelHash;
pub use statistics::{Gaps, QUANTILES_OF, Scaling, Statistics};
pub use train::{Data, Event, Report, State, Trainer};
pub use training::{MOST_OF_BATCH, Outputs, Records, Training};
