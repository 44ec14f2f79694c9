//! `party.toml`: what an operator tells a party. Paths are relative to the file.

use crate::{Error, Result};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trefoil_net::Net;
use trefoil_net::shaped::{self, Profile};

/// A party's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where peers, owners and model owners call: `host:port`.
    pub listen: String,
    /// The private key: a file, `env:NAME` or `fd:N`.
    pub key: String,
    /// The folder that the party keeps everything in.
    pub data: PathBuf,
    /// The peers file.
    #[serde(default = "peers")]
    pub peers: PathBuf,
    /// Where peers reach ranks 1, 2 and so on of a party that is a cluster: `host:port` of each, by default the party's own address with the next ports.
    #[serde(default)]
    pub lanes: Vec<String>,
    /// Whether each rank of a party that is a cluster keeps a part of the uploads in a data folder of its own, and owners send to all ranks at once. Without it all is at rank 0.
    #[serde(default)]
    pub spread_uploads: bool,
    /// Where `/healthz`, `/readyz` and `/metrics` answer, on this machine only; nowhere by default.
    pub status: Option<String>,
    /// Whether `status` may be an address that others reach too: they learn of jobs, their steps and owners by number.
    #[serde(default)]
    pub status_public: bool,
    /// Seconds that a peer may be silent.
    #[serde(default = "thirty")]
    pub timeout: f64,
    /// Seconds that a stop waits for the next checkpoint.
    #[serde(default = "thirty")]
    pub grace: f64,
    /// Threads for local arithmetic.
    #[serde(default = "one")]
    pub threads: usize,
    /// Threads that all services together may compute on; by default as many as they have lanes.
    pub serve_threads: Option<usize>,
    /// The largest upload of one owner.
    #[serde(default = "sixteen_gigabytes")]
    pub most_upload_megabytes: u64,
    /// The most rows that one owner may join by their identifiers, in all jobs together.
    #[serde(default = "ten_million")]
    pub most_joined_rows: u64,
    /// Megabytes (2^20 bytes) of frames that may wait at each end of a link between parties: the memory of a helper's lead.
    #[serde(default = "queue_megabytes")]
    pub queue_megabytes: usize,
    /// Handshakes with one address that may be under way at once.
    #[serde(default = "handshakes")]
    pub most_handshakes_per_address: usize,
    /// What to log: error, warn, info, debug or trace.
    #[serde(default = "info")]
    pub log: String,
    /// How: text or json.
    #[serde(default)]
    pub log_format: LogFormat,
    /// The shape of the links between the parties: "40ms,100Mbps".
    pub links: Option<String>,
    /// What is asked for by name, for tests and study only.
    #[serde(default)]
    pub insecure: Insecure,
}

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Options that give up privacy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Insecure {
    /// Masks from this seed instead of the operating system.
    pub mask_seed: Option<u64>,
    /// A folder for every frame received.
    pub record: Option<PathBuf>,
    /// This party lies once, in this step, to the suite `verified`: the others notice, and nothing is opened.
    pub lie: Option<u64>,
    /// The private key's file need not be encrypted.
    pub plain_key: bool,
}

fn peers() -> PathBuf {
    "peers.toml".into()
}
fn thirty() -> f64 {
    30.0
}
fn one() -> usize {
    1
}
fn sixteen_gigabytes() -> u64 {
    16 << 10
}
fn ten_million() -> u64 {
    10_000_000
}
fn queue_megabytes() -> usize {
    trefoil_net::QUEUE_BYTES >> 20
}
fn handshakes() -> usize {
    trefoil_net::tls::HANDSHAKES
}
fn info() -> String {
    "info".into()
}

/// A larger file is no configuration.
const MOST: u64 = 1 << 16;

impl Config {
    /// The network with the delay and bandwidth that are asked for.
    ///
    /// # Errors
    /// `links` is no profile.
    pub(crate) fn shaped(&self, net: Box<dyn Net>) -> Result<Box<dyn Net>> {
        let links = self.links.as_deref();
        shaped::over(net, links).map_err(|e| Error::config("links", links.unwrap_or_default(), e))
    }

    /// Reads a configuration, and makes its paths absolute or relative to the current folder.
    ///
    /// # Errors
    /// The file cannot be read, or a field is missing, unknown or out of range.
    pub fn load(path: &Path) -> Result<Config> {
        let size = std::fs::metadata(path).map_err(Error::file(path))?.len();
        if size > MOST {
            return Err(Error::config(path.display(), format!("{size} bytes"), format!("at most {MOST}")));
        }
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        let mut config = Config::parse(&text, &path.display().to_string())?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for path in [&mut config.data, &mut config.peers].into_iter().chain(config.insecure.record.as_mut()) {
            *path = folder.join(&*path);
        }
        if !config.key.starts_with("env:") && !config.key.starts_with("fd:") {
            config.key = folder.join(&config.key).display().to_string();
        }
        Ok(config)
    }

    /// The same from text, with paths as they stand there; `file` is for errors.
    ///
    /// # Errors
    /// As for [`Config::load`].
    pub fn parse(text: &str, file: &str) -> Result<Config> {
        let config: Config = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            let (found, expected) = match e.message() {
                m if m.starts_with("unknown field `network`") => ("network", "links = \"40ms,100Mbps\": a network is the job's"),
                other => (other, "a party's configuration"),
            };
            Error::config(format!("{file}, line {line}"), found.replace('\n', " "), expected)
        })?;
        for (what, seconds) in [("timeout", config.timeout), ("grace", config.grace)] {
            if !(seconds > 0.0 && seconds <= 86_400.0) {
                return Err(Error::config(format!("{file}: {what}"), seconds, "more than 0 and at most 86400 seconds"));
            }
        }
        if config.most_upload_megabytes > 1 << 30 {
            let found = config.most_upload_megabytes;
            return Err(Error::config(format!("{file}: most_upload_megabytes"), found, format!("at most {}", 1u64 << 30)));
        }
        if let Some(Err(e)) = config.links.as_deref().map(str::parse::<Profile>) {
            return Err(Error::config(format!("{file}: links"), e, "a delay, a rate or both, such as 40ms,100Mbps"));
        }
        for (what, found, most) in [
            ("queue_megabytes", config.queue_megabytes, 1 << 20),
            ("most_handshakes_per_address", config.most_handshakes_per_address, 256),
        ] {
            if found == 0 || found > most {
                return Err(Error::config(format!("{file}: {what}"), found, format!("1 to {most}")));
            }
        }
        for (what, found) in [("threads", config.threads), ("serve_threads", config.serve_threads.unwrap_or(1))] {
            if found == 0 || found > 1024 {
                return Err(Error::config(format!("{file}: {what}"), found, "1 to 1024"));
            }
        }
        Ok(config)
    }

    /// Where health and metrics are served.
    ///
    /// # Errors
    /// It is no address, or one that others reach and nobody said that they may.
    pub fn status_address(&self) -> Result<Option<SocketAddr>> {
        let Some(text) = &self.status else { return Ok(None) };
        let at: SocketAddr = text.parse().map_err(|_| Error::config("status", text, "address:port"))?;
        if !at.ip().is_loopback() && !self.status_public {
            let expected = "an address of this machine alone, such as 127.0.0.1:9100, or status_public = true";
            return Err(Error::config("status", text, expected));
        }
        Ok(Some(at))
    }

    /// How long a peer may be silent.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout)
    }
}
