//! What an owner says it is about to share: the job that it agrees to, and the shape of each matrix.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use trefoil_net::Part;

/// One matrix of an upload.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct TensorInfo {
    /// "train.x", "train.y", "test.x" or "test.y".
    pub name: String,
    /// Records.
    pub rows: usize,
    /// Values in a record.
    pub cols: usize,
    /// Fraction bits.
    pub frac: u8,
}

/// An owner's announcement, the same for all three parties.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The digest of the job that the records are meant for, in hex.
    pub job: String,
    /// A random name for this upload, in hex.
    pub upload: String,
    /// The matrices, in the order in which they come.
    pub tensors: Vec<TensorInfo>,
}

/// A manifest is a few hundred bytes; more is refused.
const MAX: usize = 16 << 10;

impl Manifest {
    /// A manifest under a fresh random name.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn new(job: &str, tensors: Vec<TensorInfo>) -> Result<Manifest> {
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(Error::NoRandomness)?;
        Ok(Manifest { job: job.to_owned(), upload: hex::encode(name), tensors })
    }

    /// What the three parties compare.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.json()).into()
    }

    pub(crate) fn json(&self) -> Vec<u8> {
        // Strings and numbers always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// A manifest as it came off the wire.
    ///
    /// # Errors
    /// [`Error::Upload`] if it is too long, no JSON or not of this form.
    pub fn parse(parts: &[Part]) -> Result<Manifest> {
        let [part] = parts else {
            return Err(Error::upload("manifest", format!("{} tensors", parts.len()), "1"));
        };
        if part.len() > MAX {
            return Err(Error::upload("manifest", format!("{} bytes", part.len()), format!("at most {MAX}")));
        }
        let json: Vec<u8> =
            part.to_bits(part.len(), 8).map_err(|e| Error::upload("manifest", e, "bytes"))?.iter().map(|b| *b as u8).collect();
        serde_json::from_slice(&json).map_err(|e| Error::upload("manifest", e, "a manifest in JSON"))
    }
}
