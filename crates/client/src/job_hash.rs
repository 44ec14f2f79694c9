//! What a job is known by: the hash that its members approve, and that uploads, checkpoints and sessions are bound to.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// SHA-256 of a job's canonical text. Each has one text: 64 hexadecimal digits, in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct JobHash(pub [u8; 32]);

/// Not the text of a [`JobHash`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("found {0} as a job's hash, expected 64 hexadecimal digits in lower case")]
pub struct NoJobHash(String);

impl JobHash {
    /// The first digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }
}

impl fmt::Display for JobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for JobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for JobHash {
    type Err = NoJobHash;

    fn from_str(text: &str) -> Result<JobHash, NoJobHash> {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if !text.bytes().any(|b| b.is_ascii_uppercase()) => Ok(JobHash(bytes)),
            _ => {
                let found: String = text.chars().take(64).collect();
                Err(NoJobHash(format!("{found:?}, of {} characters,", text.chars().count())))
            }
        }
    }
}

impl From<JobHash> for String {
    fn from(hash: JobHash) -> String {
        hash.to_string()
    }
}

impl TryFrom<String> for JobHash {
    type Error = NoJobHash;
    fn try_from(text: String) -> Result<JobHash, NoJobHash> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_each() {
        let hash = JobHash(std::array::from_fn(|i| i as u8 * 7));
        let text = hash.to_string();
        assert_eq!(text.parse::<JobHash>().unwrap(), hash);
        assert_eq!(serde_json::to_string(&hash).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<JobHash>(&format!("\"{text}\"")).unwrap(), hash);
        assert!(text.starts_with(&hash.short()) && hash.short().len() == 12);
        for bad in ["", "00", &text[1..], &format!("{text}0"), &text.replace('0', "g"), &text.to_uppercase(), &"é\n".repeat(32)]
        {
            let e = bad.parse::<JobHash>().unwrap_err().to_string();
            assert!(e.contains("expected 64 hexadecimal digits") && !e.contains('\n'), "{e}");
        }
    }
}
