//! What a step or a query takes, planned and not measured: for all networks that have a name, however large.

use super::Operation;
use crate::plan::Spent;
use serde::Serialize;
use std::collections::BTreeMap;
use trefoil_job::plan::{query, training};
use trefoil_job::suites::Chosen;
use trefoil_mpc::plan::Books;
use trefoil_nn::OptimiserKind;
use trefoil_server::{Error, Result};

/// What is planned: an object of the JSON list.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // the names say it; docs/benchmarks.md lists them
pub struct Planned {
    pub name: String,
    pub suite: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimiser: Option<OptimiserKind>,
    #[serde(flatten)]
    pub spent: Spent,
    pub bytes_by_layer: BTreeMap<String, u64>,
    pub bytes_by_protocol: BTreeMap<String, u64>,
    /// Payload of the first iteration, and before it, in which data and weights are opened under their masks where a suite does that.
    pub bytes_first: u64,
}

/// What a later iteration of `name` takes.
///
/// # Errors
/// A name of something that is neither a training nor inference.
pub fn plan(name: &str, optimiser: OptimiserKind, suite: Chosen) -> Result<Planned> {
    let operation = Operation::parse(name, optimiser)?;
    let (first, later) = match &operation {
        Operation::Train { .. } => {
            let plan = training(&operation.repeated()?.trainer()?, suite)?;
            (plan.setup.total().then(plan.first.total()), plan.step)
        }
        Operation::Infer { batch, .. } => {
            let plan = query(&operation.training()?.trainer()?, suite, *batch)?;
            (plan.first.total(), plan.next)
        }
        _ => return Err(Error::config("plan", name, "a network's training or inference: train-.. or infer-..")),
    };
    Ok(of(name, operation.optimiser(), suite, first.bytes(), &later))
}

fn of(name: &str, optimiser: Option<OptimiserKind>, suite: Chosen, bytes_first: u64, later: &Books) -> Planned {
    Planned {
        name: name.into(),
        suite: suite.suite.to_string(),
        optimiser,
        spent: later.total().into(),
        bytes_by_layer: later.by_layer().into_iter().map(|(layer, price)| (layer.into(), price.bytes())).collect(),
        bytes_by_protocol: later.by_protocol().into_iter().map(|(name, price)| (name.into(), price.bytes())).collect(),
        bytes_first,
    }
}
