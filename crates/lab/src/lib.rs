//! Whole runs on one machine: three parties as processes, their clients, and the evidence.
//!
//! | where | what |
//! |---|---|
//! | [`launch`] | three party processes, and what they say |
//! | [`demo`] | keys, parties, owners, training, model and baseline in one call |
//! | [`mod@plan`] | what a training will take, before anything runs |
//! | [`mod@bench`] | steps of a network on random records |
//! | [`wraps`] | how many truncations are expected to fail |
//! | [`summary`], [`run_folder`] | the evidence that a run leaves |
//! | [`report`], [`charts`], `html` | the same as one page |
//! | [`units`] | numbers for people |

pub mod bench;
pub mod charts;
pub mod demo;
mod html;
pub mod launch;
pub mod plan;
pub mod report;
pub mod run_folder;
pub mod summary;
pub mod units;
pub mod wraps;
