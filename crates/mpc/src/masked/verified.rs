//! Protocols of which every message is claimed, so that each party [proves](crate::proof) that it has sent what it had to: what a suite would rest on in which a party that lies is
//! noticed (docs/verified.md). The engine [`Verified`] has these alone.
//!
//! Each notes its claims at the [`Party`] as it goes. A claim is about what both verifiers know anyway: a message as its receiver has it, keys, and values that earlier claims are about.
//! All is dealt to P1, since a proof has one receiver.

pub mod and;
pub mod bit;
pub mod drelu;
pub mod open;
pub mod product;
mod question;
mod range;
pub mod select;
mod suite;

pub use bit::Bit;
pub use suite::{Claimed, Verified};

use crate::{Op, Part, Party, Result};

/// Sends the other server these words, and receives as many of each from it.
fn exchanged(p: &mut Party, op: Op, label: &'static str, own: &mut [Vec<u64>]) -> Result<Vec<Vec<u64>>> {
    own.iter_mut().for_each(|own| p.seeds.says(label, 64, own));
    let peer = p.peer();
    let mut round = own.iter().fold(p.round(op, label), |round, own| round.send(peer, Part::words(own))).then()?;
    own.iter().map(|own| round.words(peer, own.len())).collect()
}
