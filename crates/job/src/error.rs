/// The result of what an owner does, or of reading a job.
pub type Result<T> = std::result::Result<T, Error>;

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

    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.display().to_string();
        move |source| Error::File { path, source }
    }
}
