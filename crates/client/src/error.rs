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
    #[error("list of clients{}: {why}", if *.version == 0 { String::new() } else { format!(", version {version}") })]
    Clients { version: u64, why: String },
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Key(#[from] crate::keys::KeyError),
    #[error(transparent)]
    Peers(#[from] crate::peers::PeersError),
    #[error("model: {0}")]
    Model(String),
    #[error("answer: {0}")]
    Answer(String),
    #[error("the operating system gives no randomness: {0}")]
    NoRandomness(getrandom::Error),
}

/// How a party ends what it says where the same may be asked again.
pub const AGAIN: &str = "; ask again";

impl Error {
    /// Whether a question that has come to this may be asked again: a party was gone, busy, or not at one with the others yet.
    pub fn may_pass(&self) -> bool {
        match self {
            Error::Net(_) => true,
            Error::Refused { why, .. } => why.ends_with(AGAIN),
            _ => false,
        }
    }

    pub(crate) fn upload(what: &'static str, found: impl ToString, expected: impl ToString) -> Error {
        Error::Upload { what, found: found.to_string(), expected: expected.to_string() }
    }
}
