//! Errors of the workspace as the exceptions of `trefoil.errors`, a class for each cause.

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use trefoil_client::Error as ClientError;
use trefoil_data::DataError;
use trefoil_job::{Cause, Error};
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
        Error::Client(ClientError::Source(source)) if source.is::<DataError>() => "DataError",
        Error::Client(ClientError::Key(_) | ClientError::Peers(_)) => "ConfigError",
        Error::Client(ClientError::Refused { .. } | ClientError::Approval { .. }) => "RefusedError",
        Error::Client(ClientError::Net(_)) => "NetworkError",
        Error::Client(_) => "ProtocolError",
        Error::Party { cause, .. } => match cause {
            Cause::Config => "ConfigError",
            Cause::Training => "TrainingError",
            Cause::Link | Cause::Gone => "ProtocolError",
            Cause::Other => "Error",
        },
        Error::Refused(_) => "RefusedError",
    };
    named(py, class, &message(error))
}

/// What it says. Of a value that is no good it says where it stands, and not what it is: tracebacks are logged.
fn message(error: &Error) -> String {
    let data = match error {
        Error::Data(data) => Some(data),
        Error::Client(ClientError::Source(source)) => source.downcast_ref(),
        _ => None,
    };
    let (data, more) = match data {
        Some(DataError::Faults { first, more }) => (Some(&**first), format!(" (and {more} more)")),
        other => (other, String::new()),
    };
    match data {
        Some(DataError::Value { file, record, column, expected, .. }) => {
            format!("{file}: record {record}, column {column}: found something else, expected {expected}{more}")
        }
        _ => error.to_string(),
    }
}

/// An exception of `trefoil.errors` by its class's name.
pub fn named(py: Python<'_>, class: &str, message: &str) -> PyErr {
    let made = py.import("trefoil.errors").and_then(|errors| errors.getattr(class)?.call1((message,)));
    made.map_or_else(|e| e, PyErr::from_value)
}
