//! The masked suite: two servers that see every value under a mask, and a helper that knows the masks alone and runs ahead.
//!
//! x = m - (l_0 + l_1) over Z_2^64. P0 holds (m, l_0), P1 holds (m, l_1), P2 holds (l_0, l_1): no server sees the whole mask, and the
//! helper never sees m. l_0 comes from the generator of P0 and P2, l_1 from that of P1 and P2. P2 receives nothing; all that it
//! sends depends on masks alone. Linear operations are local.
//!
//! Sources: ASTRA (Chaudhari et al., CCSW 2019, eprint 2019/429), ABY2.0's AND of many bits (Patra et al., USENIX Security 2021),
//! HPMPC's Trio (eprint 2024/386); the comparison from one-hot chunks and the exact lift are worked out in docs/masked.md. One
//! protocol, one file; [`Masked`] is the engine that runs networks on them.

pub mod and;
pub mod bit;
mod deal;
pub mod drelu;
mod held;
mod input;
pub mod land;
pub mod lanes;
pub mod lift;
pub(crate) mod matrix;
mod plan;
pub mod powers;
pub mod product;
pub mod question;
pub mod range;
pub mod select;
pub mod share;
pub mod softmax;
mod suite;
pub mod truncate;
pub mod verified;

pub use bit::Bit;
pub use plan::MaskedPlan;
pub use share::Share;
pub use suite::{Masked, Num};
