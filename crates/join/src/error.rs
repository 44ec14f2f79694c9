/// The result of a step of a join.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong with what somebody else has sent, or with this machine. No message has an identifier, a pseudonym or a key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages say what the fields are
pub enum Error {
    #[error("element {place}: found {found}, expected the encoding of a group element other than the identity")]
    Element { place: usize, found: &'static str },
    #[error("key: found no scalar, expected a canonical one other than 0, of 32 bytes")]
    Key,
    #[error("elements: found {found}, expected {expected}")]
    Count { found: usize, expected: usize },
    #[error("pseudonyms: found {found} bytes, expected 16 for each of {rows} rows")]
    Length { found: usize, rows: u64 },
    #[error("pseudonym {place}: found one that is not above the one before, expected each once, in ascending order")]
    Order { place: usize },
    #[error("rows {first} and {second} have the same pseudonym, expected another for each")]
    Collision { first: u64, second: u64 },
    #[error("places of joined rows: found {found}, expected different ones of {rows} rows, of four bytes")]
    Places { found: &'static str, rows: usize },
    #[error("the operating system gives no randomness: {0}")]
    NoRandomness(getrandom::Error),
}
