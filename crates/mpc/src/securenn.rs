//! The SecureNN suite: two servers with additive shares and a helper that takes part in every comparison.
//!
//! Sources: SecureNN (Wagh, Gupta, Chandran; PETS 2019, eprint 2018/442) and SecureML (Mohassel, Zhang; S&P 2017). One
//! protocol, one file; a deviation from the paper stands at the top of its file with its reason. [`SecureNn`] is the
//! engine that runs networks on them. What the paper builds of comparisons and products (ReLU, SelectShare, division, maxima) is written once
//! for both suites, against the engine: `crates/engine/src/functions/` and `crates/nn/src/layers/`; docs/conformance.md says where.

pub mod compute_msb;
pub mod drelu;
mod input;
pub mod matmul;
mod plan;
pub mod private_compare;
mod question;
pub mod range;
pub mod share;
pub mod share_convert;
mod suite;
pub mod truncate;

pub use plan::SecureNnPlan;
pub use share::Share;
pub use suite::{Num, SecureNn, Truncation};
