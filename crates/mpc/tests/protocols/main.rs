//! Each protocol and each operation of both suites, held to the ring in the clear, to its cost, and to what each party may see.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bits_proof;
mod chains;
#[path = "../common/mod.rs"]
mod common;
mod comparisons;
mod draws;
mod engines;
mod flight_proof;
mod joint;
mod masked_correct;
mod masked_cost;
mod masked_privacy;
mod proof;
mod proven;
mod proven_bits;
mod proven_select;
mod proven_truncation;
mod question;
mod sabotage;
mod securenn_correct;
mod securenn_cost;
mod securenn_privacy;
mod shapes;
mod statistics;
mod truncation;
mod truncation_proof;
