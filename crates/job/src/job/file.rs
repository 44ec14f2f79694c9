//! A job from its file, or from somebody else.

use super::Job;
use crate::{Error, Result};
use std::path::Path;
use trefoil_client::peers::Peers;
use trefoil_net::identity::Fingerprint;

/// A larger file is no job.
const MOST: u64 = 1 << 20;

impl Job {
    /// Reads a job's file; members that are names alone are looked up in `peers`.
    ///
    /// # Errors
    /// The file cannot be read, or is no job that can be trained.
    pub fn load(path: &Path, peers: &Peers) -> Result<Job> {
        let size = std::fs::metadata(path).map_err(Error::file(path))?.len();
        if size > MOST {
            return Err(Error::config(path.display(), format!("{size} bytes"), format!("at most {MOST}")));
        }
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        Job::parse(&text, &path.display().to_string(), peers)
    }

    /// The same from text; `file` is its name in errors.
    ///
    /// # Errors
    /// As for [`Job::load`].
    pub fn parse(text: &str, file: &str, peers: &Peers) -> Result<Job> {
        let bad = |e: toml::de::Error| {
            let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            let place = if line > 0 { format!("{file}, line {line}") } else { file.to_owned() };
            Error::config(place, e.message().replace('\n', " "), "a job")
        };
        let mut table: toml::Table = toml::from_str(text).map_err(bad)?;
        for list in ["party", "owner"] {
            for member in table.get_mut(list).and_then(toml::Value::as_array_mut).into_iter().flatten() {
                resolve(member, peers, file)?;
            }
        }
        if let Some(member) = table.get_mut("model_owner") {
            resolve(member, peers, file)?;
        }
        let job: Job = table.try_into().map_err(bad)?;
        job.check(file)?;
        Ok(job)
    }

    /// A job as it came from somebody else.
    ///
    /// # Errors
    /// It is no job that can be trained.
    pub fn from_json(value: serde_json::Value) -> Result<Job> {
        let job: Job = serde_json::from_value(value).map_err(|e| Error::config("job", e, "the fields of a job"))?;
        job.check("job")?;
        Ok(job)
    }
}

/// A member that is a name, or a table without a fingerprint, from the peers file.
fn resolve(member: &mut toml::Value, peers: &Peers, file: &str) -> Result<()> {
    if let toml::Value::String(name) = member {
        *member = toml::Value::Table([("name".to_owned(), toml::Value::String(name.clone()))].into_iter().collect());
    }
    let Some(table) = member.as_table_mut() else { return Ok(()) };
    let Some(name) = table.get("name").and_then(toml::Value::as_str).map(str::to_owned) else { return Ok(()) };
    let known = peers.get(&name).ok();
    match (table.get("fingerprint").and_then(toml::Value::as_str), known) {
        (None, None) => {
            let expected = "its fingerprint, here or by `trefoil peers add`";
            return Err(Error::config(format!("{file}: {name}"), "a name alone", expected));
        }
        (None, Some(peer)) => {
            table.insert("fingerprint".into(), toml::Value::String(peer.fingerprint.to_string()));
        }
        (Some(found), Some(peer)) if found.parse::<Fingerprint>().ok() != Some(peer.fingerprint) => {
            let expected = format!("{}, as the peers file has it", peer.fingerprint);
            return Err(Error::config(format!("{file}: fingerprint of {name}"), found, expected));
        }
        _ => {}
    }
    if let (None, Some(address)) = (table.get("address"), known.and_then(|p| p.address.clone())) {
        table.insert("address".into(), toml::Value::String(address));
    }
    Ok(())
}
