/// The result of a client's work.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an upload or a fetch failed. No message carries a value of a record.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what the fields are
pub enum Error {
    #[error(transparent)]
    Net(#[from] trefoil_net::Error),
    #[error("{peer}: refused: {why}")]
    Refused { peer: String, why: String },
    #[error("{peer}: found {found}, expected {expected}")]
    Unexpected { peer: String, found: String, expected: String },
    #[error("upload: {what}: found {found}, expected {expected}")]
    Upload { what: &'static str, found: String, expected: String },
    #[error("approval of {role} {by}: {why}")]
    Approval { role: crate::approval::Role, by: trefoil_net::identity::Fingerprint, why: String },
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Key(#[from] crate::keys::KeyError),
    #[error(transparent)]
    Peers(#[from] crate::peers::PeersError),
    #[error("model: {0}")]
    Model(String),
    #[error("the operating system gives no randomness: {0}")]
    NoRandomness(getrandom::Error),
}

impl Error {
    pub(crate) fn upload(what: &'static str, found: impl ToString, expected: impl ToString) -> Error {
        Error::Upload { what, found: found.to_string(), expected: expected.to_string() }
    }
}
