use serde::{Deserialize, Serialize};
use trefoil_net::Id;

/// The result of what an owner does, or of reading a job.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of thing went wrong in a party's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Its settings cannot be.
    Config,
    /// The training went astray.
    Training,
    /// It has lost another one.
    Link,
    /// Its process has ended without a word.
    Gone,
    /// Something else.
    Other,
}

/// Why a job, or what somebody does about it, is refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what the fields are
pub enum Error {
    #[error("{what}: found {found}, expected {expected}")]
    Config { what: String, found: String, expected: String },
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error(transparent)]
    Data(#[from] trefoil_data::DataError),
    #[error(transparent)]
    Client(#[from] trefoil_client::Error),
    #[error(transparent)]
    Training(#[from] trefoil_nn::Error),
    #[error(transparent)]
    Model(#[from] trefoil_nn::ModelError),
    #[error("{id}: {message}")]
    Party { id: Id, message: String, cause: Cause },
    #[error("{0}")]
    Refused(String),
    #[error("stopped")]
    Interrupted,
}

impl Error {
    /// A configuration that cannot be used.
    pub fn config(what: impl ToString, found: impl ToString, expected: impl ToString) -> Error {
        Error::Config { what: what.to_string(), found: found.to_string(), expected: expected.to_string() }
    }

    /// What kind it is of, where a party's process tells of it.
    pub(crate) fn cause(&self) -> Cause {
        match self {
            Error::Config { .. } | Error::Training(trefoil_nn::Error::Config { .. }) => Cause::Config,
            Error::Client(trefoil_client::Error::Net(_)) => Cause::Link,
            error if crate::local::of_a_link(error) => Cause::Link,
            Error::Training(_) => Cause::Training,
            Error::Party { cause, .. } => *cause,
            _ => Cause::Other,
        }
    }

    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.display().to_string();
        move |source| Error::File { path, source }
    }
}
