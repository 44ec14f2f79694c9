/// The result of training and evaluation.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a training does not start or does not go on. No message carries a secret value.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what the fields are
pub enum Error {
    #[error("{what}: found {found}, expected {expected}")]
    Config { what: &'static str, found: String, expected: String },
    /// The opened loss shows that training has gone astray; the state of the epoch before is the last good one.
    #[error("epoch {epoch}: training diverged: found a loss of {loss}, expected 0 to {most}; a smaller learning rate may help")]
    Diverged { epoch: u64, loss: f64, most: f64 },
    /// Weights have left the range that their format promises, or are about to.
    #[error(
        "epoch {epoch}: weights out of range: found {blocks} blocks of {size} neighbouring weights with a norm of {bound} or more, \
         expected none; a smaller learning rate may help"
    )]
    Weights { epoch: u64, blocks: u64, size: usize, bound: f64 },
    /// Activations have left the range that their format promises, or are about to.
    #[error(
        "epoch {epoch}: activations out of range: found {blocks} blocks of {size} neighbouring outputs of a layer whose mean \
         square is that of their bound ({bound}) or more, expected none; a smaller learning rate, weight decay or batch normalisation may help"
    )]
    Activations { epoch: u64, blocks: u64, size: usize, bound: f64 },
    /// An opened figure is what no records that keep their promise can give. Nothing of it is told.
    #[error("{figure}: opened was a figure outside of its bound, {bound}; it is not told, and nothing is trained any more")]
    Bound { figure: &'static str, bound: String },
    #[error(transparent)]
    Engine(#[from] trefoil_engine::Error),
}

impl Error {
    pub(crate) fn config(what: &'static str, found: impl ToString, expected: impl ToString) -> Error {
        Error::Config { what, found: found.to_string(), expected: expected.to_string() }
    }
}
