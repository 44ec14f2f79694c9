//! A job from its file, or from somebody else.

use super::Job;
use crate::{Error, Result};
use std::path::Path;
use trefoil_client::peers::Peers;
use trefoil_net::identity::Fingerprint;

/// A larger file is no job: ten thousand owners and twenty thousand columns fit.
const MOST: u64 = 8 << 20;

impl Job {
    /// Reads a job's file; members that are names alone are looked up in `peers`.
    ///
    /// # Errors
    /// The file cannot be read, or is no job that can be trained.
    pub fn load(path: &Path, peers: &Peers) -> Result<Job> {
        Job::parse(&load_text(path)?, &path.display().to_string(), peers)
    }

    /// The same from text; `file` is its name in errors.
    ///
    /// # Errors
    /// As for [`Job::load`].
    pub fn parse(text: &str, file: &str, peers: &Peers) -> Result<Job> {
        let job: Job = parse_table(text, file, "a job", |table| resolve_all(table, peers, file))?;
        job.check(file)?;
        Ok(job)
    }

    /// The same from the fields that a file would have, as a program has them; those that are null are left out.
    ///
    /// # Errors
    /// As for [`Job::load`].
    pub fn from_fields(fields: serde_json::Value, peers: &Peers) -> Result<Job> {
        let bad = |e: &dyn std::fmt::Display| Error::config("job", e.to_string().replace('\n', " "), "the fields of a job");
        let mut table = toml::Table::try_from(present(fields)).map_err(|e| bad(&e))?;
        resolve_all(&mut table, peers, "job")?;
        let job: Job = table.try_into().map_err(|e| bad(&e))?;
        job.check("job")?;
        Ok(job)
    }

    /// The text of its file, with every member's fingerprint, and the hash as a comment.
    ///
    /// # Errors
    /// It has something that TOML cannot hold.
    pub fn text(&self) -> Result<String> {
        let text = toml::to_string(self).map_err(|e| Error::config("job", e, "a job that TOML can hold"))?;
        Ok(format!("{text}\n# SHA-256 of the job: {}\n", self.hash()))
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

/// A file's text, if it is short enough to be a job or a service.
///
/// # Errors
/// It cannot be read, or is too long.
pub fn load_text(path: &Path) -> Result<String> {
    let size = std::fs::metadata(path).map_err(Error::file(path))?.len();
    if size > MOST {
        return Err(Error::config(path.display(), format!("{size} bytes"), format!("at most {MOST}")));
    }
    std::fs::read_to_string(path).map_err(Error::file(path))
}

/// What a file's text says, once `complete` has put in what it leaves to the peers file; errors name the line.
///
/// # Errors
/// It is not `expected`; those of `complete`.
pub fn parse_table<T: serde::de::DeserializeOwned>(
    text: &str,
    file: &str,
    expected: &str,
    complete: impl FnOnce(&mut toml::Table) -> Result<()>,
) -> Result<T> {
    let bad = |e: toml::de::Error| {
        let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        let place = if line > 0 { format!("{file}, line {line}") } else { file.to_owned() };
        Error::config(place, e.message().replace('\n', " "), expected)
    };
    let mut table: toml::Table = toml::from_str(text).map_err(bad)?;
    complete(&mut table)?;
    table.try_into().map_err(bad)
}

/// All members of a job.
fn resolve_all(table: &mut toml::Table, peers: &Peers, file: &str) -> Result<()> {
    resolve_members(table, &["party", "owner", "model_owner"], peers, file)?;
    match table.get_mut("serve").and_then(toml::Value::as_table_mut) {
        Some(serve) => resolve_clients(serve, peers, file),
        None => Ok(()),
    }
}

/// Without what is null, at any depth.
fn present(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, present(v))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(present).collect()),
        other => other,
    }
}

/// Members under these names, one or a list of them.
///
/// # Errors
/// One is a name that is not in the peers file, or has another fingerprint there.
pub fn resolve_members(table: &mut toml::Table, names: &[&str], peers: &Peers, file: &str) -> Result<()> {
    for name in names {
        match table.get_mut(*name) {
            Some(toml::Value::Array(members)) => members.iter_mut().try_for_each(|member| resolve(member, peers, file))?,
            Some(member) => resolve(member, peers, file)?,
            None => {}
        }
    }
    Ok(())
}

/// Members under `client`, or who signs their list.
///
/// # Errors
/// As for [`resolve_members`].
pub fn resolve_clients(table: &mut toml::Table, peers: &Peers, file: &str) -> Result<()> {
    match table.get_mut("client") {
        Some(toml::Value::Table(growing)) => resolve_members(growing, &["list"], peers, file),
        _ => resolve_members(table, &["client"], peers, file),
    }
}

/// A member that is a name, or a table without a fingerprint, from the peers file.
fn resolve(member: &mut toml::Value, peers: &Peers, file: &str) -> Result<()> {
    if let toml::Value::String(name) = member {
        *member = toml::Value::Table([("name".to_owned(), toml::Value::String(name.clone()))].into_iter().collect());
    }
    let Some(table) = member.as_table_mut() else { return Ok(()) };
    let Some(name) = table.get("name").and_then(toml::Value::as_str).map(str::to_owned) else { return Ok(()) };
    let known = peers.known(&name);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    /// As many owners as a job may have, and twenty thousand columns with statistics of their own: the file, and what goes to the parties, are no longer
    /// than they may be.
    #[test]
    fn the_largest_jobs() {
        let folder = tempfile::tempdir().unwrap();
        let (path, listed) = (folder.path().join("job.toml"), folder.path().join("peers.toml"));
        let (mut columns, mut owners, mut peers) = (String::new(), String::new(), String::new());
        for i in 0..10_000_usize {
            let fingerprint = hex::encode([&[9; 24][..], &i.to_be_bytes()].concat());
            let name = format!("practice-of-doctor-{i}");
            // Half of them stand in the job's file, and half in that of the peers.
            let _ = match i % 2 {
                0 => write!(owners, "{{ name = {name:?}, fingerprint = {fingerprint:?} }},"),
                _ => write!(owners, "{name:?},").and_then(|()| write!(peers, "[{name:?}]\nfingerprint = {fingerprint:?}\n")),
            };
        }
        for i in 0..20_000 {
            let _ = write!(
                columns,
                "{{ kind = 'number', name = 'ENSG{i:011}', mean = 1234.5, deviation = 67.89, missing = [''], fill = 1234.5 }},"
            );
        }
        std::fs::write(&listed, peers).unwrap();
        let job = crate::job::JOB.replace(r#"{ kind = "range", name = "x", min = -3, max = 12 }"#, &columns);
        let lines: Vec<&str> = job.lines().filter(|line| !line.trim_start().starts_with("owner = ")).collect();
        std::fs::write(&path, lines.join("\n").replace("[data]", &format!("owner = [{owners}]\n[data]"))).unwrap();
        let job = Job::load(&path, &Peers::load(&listed).unwrap()).unwrap();
        assert_eq!((job.owner.len(), job.data.features()), (10_000, 20_000));
        std::fs::write(&path, job.text().unwrap()).unwrap();
        assert_eq!(Job::load(&path, &Peers::default()).unwrap().hash(), job.hash());
        let sent = serde_json::to_string(&job).unwrap();
        assert!(sent.len() < 8 << 20, "{}", sent.len());
        assert_eq!(Job::from_json(serde_json::from_str(&sent).unwrap()).unwrap().hash(), job.hash());
    }
}
