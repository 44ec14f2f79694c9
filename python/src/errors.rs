//! Errors of the workspace as the exceptions of `trefoil.errors`, a class for each cause.

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use trefoil_job::Error;
use trefoil_nn::{Error as TrainingError, ModelError};

/// The exception for an error. Messages have no value of a record or of a share.
pub fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let class = match error {
        Error::Interrupted => return PyKeyboardInterrupt::new_err(()),
        Error::Config { .. } | Error::Training(TrainingError::Config { .. }) => "ConfigError",
        Error::Data(_) => "DataError",
        Error::File { .. } | Error::Model(ModelError::Io { .. }) => "FileError",
        Error::Training(TrainingError::Engine(_)) => "ProtocolError",
        Error::Training(_) => "TrainingError",
        Error::Model(_) => "ModelError",
        Error::Client(_) => "NetworkError",
        Error::Refused(_) => "RefusedError",
    };
    named(py, class, &error.to_string())
}

/// An exception of `trefoil.errors` by its class's name.
pub fn named(py: Python<'_>, class: &str, message: &str) -> PyErr {
    let made = py.import("trefoil.errors").and_then(|errors| errors.getattr(class)?.call1((message,)));
    made.map_or_else(|e| e, PyErr::from_value)
}
