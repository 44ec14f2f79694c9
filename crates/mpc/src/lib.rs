//! Secure three-party computation.
//!
//! What all suites share comes first: a [`Party`] with its addressed randomness ([`seeds`]), rounds that the reader can
//! see ([`round`]), cost measured at the transport ([`cost`]) and [`simulate`], three parties in one test; the engine on
//! secret shares ([`secure`]), the same without values, which adds up what a program takes ([`plan`]), and what a suite offers to those who compute nothing ([`Suite`]). Then one folder a suite:
//! [`masked`] and [`securenn`].

pub mod cost;
pub mod cut;
mod error;
pub mod flight;
mod kept;
pub mod lanes;
pub mod masked;
mod party;
pub mod plan;
pub mod prg;
mod price;
pub mod proof;
mod question;
pub mod range;
pub mod round;
mod rows;
pub mod secure;
pub mod securenn;
pub mod seeds;
mod simulate;
mod suite;
pub mod tap;

pub use cost::Cost;
pub use error::{Error, Result};
pub use kept::Kept;
pub use lanes::{Channel, Lanes, Ranks, Switch, Wire};
pub use party::{Op, Party};
pub use prg::Prg;
pub use price::Price;
pub use question::{Question, Told};
pub use seeds::{Key, Pair, Seeds};
pub use simulate::{simulate, simulate_over};
pub use suite::Suite;
pub use trefoil_net::{Id, Part};
