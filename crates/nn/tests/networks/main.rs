//! Networks in the clear, on floating point and on the ring: layers, losses and optimisers against references, and trainings.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod astray;
mod common;
mod layers;
mod layers_of_pytorch;
mod losses;
mod metrics;
mod optimisers_of_pytorch;
mod ranges;
#[path = "../reference/mod.rs"]
mod reference;
mod statistics;
mod tasks;
mod training;
