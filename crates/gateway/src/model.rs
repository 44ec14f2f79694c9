//! A service as the protocol describes a model: what goes in is a tensor for each column of the model's records, what comes out is what the service
//! reveals.

use crate::tensors::Datatype;
use serde::Serialize;
use serde_json::{Value, json};
use trefoil_nn::model::{Column, Given, Input};
use trefoil_nn::{Reveal, Task};

/// The one version of a model: another is another service.
pub const VERSION: &str = "1";

/// The outputs' names.
pub(crate) const CLASS: &str = "class";
pub(crate) const PROBABILITIES: &str = "probabilities";
pub(crate) const VALUE: &str = "value";

/// A service, as an application sees it.
#[derive(Debug)]
pub struct Model {
    /// The service's.
    pub name: String,
    /// How records are prepared: a tensor for each of its columns.
    pub input: Input,
    /// What records are put into.
    pub task: Task,
    /// What answers tell.
    pub reveal: Reveal,
    /// What goes in.
    inputs: Vec<Declared>,
    /// What comes out.
    outputs: Vec<Declared>,
}

/// A tensor, as metadata describe it; -1 is the number of records.
#[derive(Debug, Serialize)]
struct Declared {
    name: String,
    datatype: Datatype,
    shape: Vec<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Value>,
}

impl Model {
    /// Of a service of this name, on records that are prepared so, and put into this.
    pub fn new(name: &str, input: &Input, task: &Task, reveal: Reveal) -> Model {
        let tensor = |name: &str, datatype, shape| Declared { name: name.to_owned(), datatype, shape, parameters: None };
        let of = |column: &Column| match column {
            Column::Category { name, .. } | Column::Ordinal { name, .. } => tensor(name, Datatype::Bytes, vec![-1]),
            Column::Numbers { name, count: 1, .. } => tensor(name, Datatype::Fp64, vec![-1]),
            Column::Numbers { name, count, .. } => {
                let datatype = if column.is_pixels() { Datatype::Uint8 } else { Datatype::Fp64 };
                tensor(name, datatype, vec![-1, *count as i64])
            }
        };
        let declared = |given: Given<'_>| match given {
            Given::Dates(dates) => tensor(&dates.name, Datatype::Bytes, vec![-1]),
            Given::Column(column) => of(column),
        };
        let names = match task {
            Task::Classification(names) => &names[..],
            Task::Regression => &[],
        };
        let classes = Some(json!({ "classes": names }));
        let class = || Declared { parameters: classes.clone(), ..tensor(CLASS, Datatype::Bytes, vec![-1]) };
        let outputs = match reveal {
            Reveal::Class => vec![class()],
            Reveal::Probabilities => {
                let shape = vec![-1, names.len() as i64];
                vec![class(), Declared { parameters: classes.clone(), ..tensor(PROBABILITIES, Datatype::Fp64, shape) }]
            }
            Reveal::Value => vec![tensor(VALUE, Datatype::Fp64, vec![-1])],
        };
        Model {
            name: name.to_owned(),
            input: input.clone(),
            task: task.clone(),
            reveal,
            inputs: input.given().into_iter().map(declared).collect(),
            outputs,
        }
    }

    /// What the protocol calls a model's metadata.
    pub fn metadata(&self) -> Value {
        json!({ "name": self.name, "versions": [VERSION], "platform": "trefoil", "inputs": self.inputs, "outputs": self.outputs })
    }

    /// The names of what comes out.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|o| o.name.as_str())
    }
}
