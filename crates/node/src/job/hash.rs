//! What is approved.

use super::Job;
use sha2::{Digest, Sha256};

impl Job {
    /// SHA-256 of the job without addresses, in hex: what is approved.
    pub fn hash(&self) -> String {
        let mut job = self.clone();
        job.party.iter_mut().chain([&mut job.model_owner]).for_each(|m| m.address = None);
        hex::encode(Sha256::digest(serde_json::to_vec(&job).unwrap_or_default()))
    }
}
