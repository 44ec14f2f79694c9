/// The result of an engine's operation.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in an operation. No message carries a secret value.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what the fields are
pub enum Error {
    #[error("{what}: shapes do not fit: found {left:?} and {right:?}")]
    Shape { what: &'static str, left: [usize; 2], right: [usize; 2] },
    #[error("{what}: out of range: found {found}, expected at most 2^{bits}")]
    Range { what: &'static str, found: String, bits: u8 },
    #[error("{layer}: {source}")]
    Within { layer: String, source: Box<Error> },
    /// A suite's own error; `downcast_ref` the source to tell causes apart.
    #[error("{0}")]
    Protocol(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// This error, with the name of the layer it happened in.
    pub fn within(self, layer: &str) -> Error {
        Error::Within { layer: layer.to_owned(), source: Box::new(self) }
    }

    /// The error beneath the layers' names.
    pub fn root(&self) -> &Error {
        match self {
            Error::Within { source, .. } => source.root(),
            other => other,
        }
    }
}
