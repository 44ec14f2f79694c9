//! What jobs and services are known by: the hash that is approved, and that uploads, checkpoints, questions and sessions are bound to.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Not the text of a hash.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("found {found} as a {of}'s hash, expected 64 hexadecimal digits in lower case")]
pub struct NoHash {
    found: String,
    of: &'static str,
}

/// A hash with a type of its own, so that none is taken for another.
macro_rules! hash {
    ($(#[$doc:meta])* $name:ident, $of:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The first digits, for people.
            #[must_use]
            pub fn short(&self) -> String {
                hex::encode(&self.0[..6])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NoHash;

            fn from_str(text: &str) -> Result<$name, NoHash> {
                parse(text).map($name).ok_or_else(|| {
                    let found: String = text.chars().take(64).collect();
                    NoHash { found: format!("{found:?}, of {} characters,", text.chars().count()), of: $of }
                })
            }
        }

        impl From<$name> for String {
            fn from(hash: $name) -> String {
                hash.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NoHash;
            fn try_from(text: String) -> Result<$name, NoHash> {
                text.parse()
            }
        }
    };
}

hash! {
    /// SHA-256 of a job's canonical text. Each has one text: 64 hexadecimal digits, in lower case.
    JobHash, "job"
}

hash! {
    /// SHA-256 of a service's canonical text, likewise.
    ServiceHash, "service"
}

fn parse(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok().filter(|()| !text.bytes().any(|b| b.is_ascii_uppercase())).map(|()| bytes)
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
