//! `trefoil._core`: what the Python package `trefoil` has of this workspace. It converts arrays, errors and progress; all else is in the
//! crates that the commands use.
//!
//! | where | what |
//! |---|---|
//! | `training` | a training on a thread of its own, followed event by event |
//! | `model` | a trained model |
//! | `job`, `service` | a job between organisations, and what its members do; a model that nobody has |
//! | `key` | whose key |
//! | `waiting` | work that Ctrl-C ends |
//! | `frame` | data frames and arrays as records |
//! | `arrow` | columns that other libraries of the process lend |
//! | `errors` | errors of the workspace as Python's exceptions |

mod arrow;
mod errors;
mod frame;
mod job;
mod key;
mod model;
mod service;
mod training;
mod waiting;

use pyo3::prelude::*;

#[pymodule]
#[pyo3(name = "_core")]
mod core {
    #[pymodule_export]
    use crate::frame::matrix;
    #[pymodule_export]
    use crate::job::{Job, schema};
    #[pymodule_export]
    use crate::key::Key;
    #[pymodule_export]
    use crate::model::Model;
    #[pymodule_export]
    use crate::service::Service;
    #[pymodule_export]
    use crate::training::Run;
    #[pymodule_export]
    use crate::training::party;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
