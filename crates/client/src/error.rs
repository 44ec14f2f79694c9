use std::time::Duration;

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
    #[error("{whom}: {why}")]
    Join { whom: String, why: trefoil_join::Error },
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

/// The same where it says how soon.
pub fn again_in(seconds: u64) -> String {
    format!("{AGAIN} in {seconds} s")
}

/// No party makes a client wait longer than this before it asks again, in seconds.
const MOST_PAUSE: u64 = 600;

impl Error {
    /// Whether a question that has come to this may be asked again: a party was gone, busy, or not at one with the others yet.
    pub fn may_pass(&self) -> bool {
        match self {
            Error::Net(_) => true,
            Error::Refused { why, .. } => why.ends_with(AGAIN) || self.pause().is_some(),
            _ => false,
        }
    }

    /// How long to wait before asking again, where a party has said so.
    pub fn pause(&self) -> Option<Duration> {
        let Error::Refused { why, .. } = self else { return None };
        let (_, rest) = why.rsplit_once(AGAIN)?;
        let seconds: u64 = rest.strip_prefix(" in ")?.strip_suffix(" s")?.parse().ok()?;
        Some(Duration::from_secs(seconds.min(MOST_PAUSE)))
    }

    pub(crate) fn upload(what: &'static str, found: impl ToString, expected: impl ToString) -> Error {
        Error::Upload { what, found: found.to_string(), expected: expected.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_busy_says_when_to_ask_again() {
        let said = |why: &str| {
            let e = Error::Refused { peer: "P0".into(), why: why.into() };
            (e.may_pass(), e.pause().map(|pause| pause.as_secs()))
        };
        assert_eq!(said(&format!("busy: 256 questions wait{}", again_in(2))), (true, Some(2)));
        assert_eq!(said(&format!("the party stops{AGAIN}")), (true, None));
        assert_eq!(said(&format!("busy{}", again_in(u64::MAX))), (true, Some(MOST_PAUSE)));
        for why in ["a limit is reached", "late; ask again in -1 s", "late; ask again in  s", "; ask again in 2 s, or not"] {
            assert_eq!(said(why), (false, None), "{why}");
        }
    }
}
