//! Downloads MNIST and verifies it.
//!
//! The SHA-256 digests are those of the *decompressed* files: mirrors offer them packed by different gzip versions, and
//! the content is what training uses. Nothing that fails the check is ever written to the folder.

use crate::{DataError, Result, file};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;

/// Where [`mnist`] looks unless told otherwise.
pub const MNIST_URL: &str = "https://ossci-datasets.s3.amazonaws.com/mnist/";

/// A file to download as `NAME.gz`.
struct Pinned {
    name: &'static str,
    /// Decompressed length in bytes.
    bytes: u64,
    /// Of the decompressed content.
    sha256: &'static str,
}

const MNIST: [Pinned; 4] = [
    Pinned {
        name: "train-images-idx3-ubyte",
        bytes: 47_040_016,
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    Pinned {
        name: "train-labels-idx1-ubyte",
        bytes: 60_008,
        sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    Pinned {
        name: "t10k-images-idx3-ubyte",
        bytes: 7_840_016,
        sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    Pinned {
        name: "t10k-labels-idx1-ubyte",
        bytes: 10_008,
        sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
];

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is now.
    pub path: PathBuf,
    /// Its compressed length.
    pub bytes: u64,
    /// False where it was there already, whole and right.
    pub downloaded: bool,
}

/// Brings MNIST's four files, gzip, into `dir`, which is created if need be, from `base_url` ([`MNIST_URL`]).
/// Files that are there and right are kept; each file appears whole and verified or not at all.
///
/// # Errors
/// [`DataError::Fetch`] without a network, at an HTTP status other than 200 or a connection that breaks,
/// [`DataError::Gzip`], [`DataError::TooLarge`] or [`DataError::Digest`] for a content that is not the pinned one,
/// [`DataError::Io`] where it cannot be written. One line each.
pub fn mnist(dir: &Path, base_url: &str) -> Result<Vec<Fetched>> {
    let config = Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_recv_body(Some(Duration::from_secs(600)));
    fetch(&MNIST, dir, base_url, &config.build().new_agent())
}

fn fetch(files: &[Pinned], dir: &Path, base_url: &str, agent: &Agent) -> Result<Vec<Fetched>> {
    fs::create_dir_all(dir).map_err(|source| DataError::Io { file: dir.display().to_string(), source })?;
    files.iter().map(|pinned| pinned.fetch(dir, base_url, agent)).collect()
}

impl Pinned {
    fn fetch(&self, dir: &Path, base_url: &str, agent: &Agent) -> Result<Fetched> {
        let path = dir.join(format!("{}.gz", self.name));
        // A file that is there but unreadable or wrong is replaced.
        if let Ok(present) = file::read(&path)
            && self.verify(&present, "").is_ok()
        {
            return Ok(Fetched { path, bytes: present.len() as u64, downloaded: false });
        }
        let url = format!("{}/{}.gz", base_url.trim_end_matches('/'), self.name);
        let packed = self.download(&url, agent)?;
        self.verify(&packed, &url)?;
        file::replace(&path, &packed)?;
        Ok(Fetched { path, bytes: packed.len() as u64, downloaded: true })
    }

    /// At most as many bytes as the content has plain, with room for gzip's header.
    fn download(&self, url: &str, agent: &Agent) -> Result<Vec<u8>> {
        let cap = self.bytes + 1024;
        let failed = |why| DataError::Fetch { url: url.to_string(), why };
        let response = agent.get(url).call().map_err(|e| failed(reason(&e)))?;
        let mut packed = Vec::new();
        let mut body = response.into_body().into_reader().take(cap + 1);
        body.read_to_end(&mut packed).map_err(|e| failed(format!("the connection broke after {} bytes: {e}", packed.len())))?;
        if packed.len() as u64 > cap {
            return Err(DataError::TooLarge { file: url.to_string(), found: packed.len() as u128, cap });
        }
        Ok(packed)
    }

    fn verify(&self, packed: &[u8], url: &str) -> Result<()> {
        let content = file::inflate(packed, url, self.bytes)?;
        let found = hex::encode(Sha256::digest(&content));
        if found == self.sha256 {
            return Ok(());
        }
        Err(DataError::Digest { url: url.to_string(), found, expected: self.sha256.to_string() })
    }
}

/// One line, with advice where there seems to be no network.
fn reason(e: &ureq::Error) -> String {
    const ADVICE: &str = "without a network, copy the four files into a folder by other means";
    match e {
        ureq::Error::StatusCode(code) => format!("found HTTP status {code}, expected 200"),
        ureq::Error::HostNotFound => format!("found no such host; {ADVICE}"),
        ureq::Error::Io(io) => format!("{io}; {ADVICE}"),
        ureq::Error::ConnectionFailed | ureq::Error::Timeout(_) => format!("{e}; {ADVICE}"),
        other => other.to_string().replace('\n', " "),
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
