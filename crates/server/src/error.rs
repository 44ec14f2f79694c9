use trefoil_net::Id;

/// The result of a node's work.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a run failed, each with an exit code of its own.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what the fields are
pub enum Error {
    #[error("{what}: found {found}, expected {expected}")]
    Config { what: String, found: String, expected: String },
    #[error(transparent)]
    Data(#[from] trefoil_data::DataError),
    #[error(transparent)]
    Net(#[from] trefoil_net::Error),
    #[error(transparent)]
    Client(#[from] trefoil_client::Error),
    #[error("handshake: {peer} differs in {field}: found {found}, expected {expected}")]
    Differs { peer: Id, field: String, found: String, expected: String },
    #[error("handshake: {0}")]
    Handshake(String),
    #[error(transparent)]
    Protocol(#[from] trefoil_mpc::Error),
    #[error(transparent)]
    Training(trefoil_nn::Error),
    #[error(transparent)]
    Model(#[from] trefoil_nn::ModelError),
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("{id}: {message}")]
    Party { id: Id, message: String, code: u8 },
    #[error(transparent)]
    Store(#[from] trefoil_store::StoreError),
    #[error("{file}, line {line}: {what}: found {found}, expected {expected}")]
    Log { file: String, line: u64, what: String, found: String, expected: String },
    #[error("{peer}: {why}")]
    Peer { peer: Id, why: String },
    #[error("failed checks: {failed}, the first: {first}")]
    Unhealthy { failed: usize, first: String, code: u8 },
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

    /// A file or folder that the system does not let one use.
    pub fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.display().to_string();
        move |source| Error::File { path, source }
    }

    /// What has gone wrong in a protocol, if it was one.
    pub fn of_protocol(&self) -> Option<&trefoil_mpc::Error> {
        match self {
            Error::Protocol(e) => Some(e),
            Error::Training(trefoil_nn::Error::Engine(e)) => match e.root() {
                trefoil_engine::Error::Protocol(e) => e.downcast_ref(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The process's exit code: 2 configuration, 3 data or files, 4 network, 5 handshake, 6 training, 7 model, 130 stopped.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Config { .. } => 2,
            Error::Data(_) | Error::File { .. } | Error::Store(_) | Error::Log { .. } => 3,
            Error::Client(trefoil_client::Error::Key(_) | trefoil_client::Error::Peers(_)) => 2,
            Error::Client(trefoil_client::Error::Source(_)) => 3,
            Error::Client(
                trefoil_client::Error::Refused { .. }
                | trefoil_client::Error::Approval { .. }
                | trefoil_client::Error::Clients { .. },
            ) => 5,
            Error::Net(_) | Error::Protocol(_) | Error::Client(_) | Error::Peer { .. } => 4,
            Error::Differs { .. } | Error::Handshake(_) | Error::Refused(_) => 5,
            Error::Training(trefoil_nn::Error::Config { .. }) => 2,
            Error::Training(e) if protocol_error(e) => 4,
            Error::Training(_) => 6,
            Error::Model(_) => 7,
            Error::Party { code, .. } | Error::Unhealthy { code, .. } => *code,
            Error::Interrupted => 130,
        }
    }
}

/// Whether a training failed because of the network rather than of the numbers.
fn protocol_error(e: &trefoil_nn::Error) -> bool {
    matches!(e, trefoil_nn::Error::Engine(e) if matches!(e.root(), trefoil_engine::Error::Protocol(_)))
}

impl From<trefoil_nn::Error> for Error {
    fn from(e: trefoil_nn::Error) -> Self {
        Error::Training(e)
    }
}

impl From<trefoil_job::Error> for Error {
    fn from(e: trefoil_job::Error) -> Self {
        use trefoil_job::{Cause, Error as Job};
        match e {
            Job::Config { what, found, expected } => Error::Config { what, found, expected },
            Job::File { path, source } => Error::File { path, source },
            Job::Data(e) => Error::Data(e),
            Job::Client(e) => Error::Client(e),
            Job::Training(e) => Error::Training(e),
            Job::Model(e) => Error::Model(e),
            Job::Party { id, message, cause } => {
                let code = match cause {
                    Cause::Config => 2,
                    Cause::Link | Cause::Gone => 4,
                    Cause::Training => 6,
                    Cause::Other => 1,
                };
                Error::Party { id, message, code }
            }
            Job::Refused(why) => Error::Refused(why),
            Job::Interrupted => Error::Interrupted,
        }
    }
}

impl From<trefoil_engine::Error> for Error {
    fn from(e: trefoil_engine::Error) -> Self {
        Error::Training(e.into())
    }
}
