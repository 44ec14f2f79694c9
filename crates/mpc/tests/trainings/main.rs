//! Whole trainings on both suites: layers, owners' uploads and those that lie, faults, and what is planned.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod faults;
mod lanes;
mod layers;
mod lying_owners;
mod metrics;
mod owners;
mod plan;
mod range;
mod ranges;
mod training;
mod verified;
