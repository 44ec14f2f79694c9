//! `peers.toml`: everybody that a process deals with, by name.
//!
//! ```toml
//! [bank]
//! address = "bank.example:7001"
//! fingerprint = "5d0c...64 hexadecimal digits"
//!
//! [clinic]            # never called: a data owner has no address
//! fingerprint = "93ab..."
//! ```

use crate::{Result, keys};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use trefoil_net::identity::Fingerprint;

/// The longest file that is read, in bytes.
const MOST: u64 = 4 << 20;

/// What is wrong with a list of peers or a change to it.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what the fields are
pub enum PeersError {
    #[error("{file}: {source}")]
    Io { file: String, source: io::Error },
    #[error("{file}: {what}")]
    File { file: String, what: String },
    #[error("name: found {found:?}, expected 1 to 64 of the characters a-z, 0-9 and -")]
    Name { found: String },
    #[error("{name}: address: found {found:?}, expected host:port with a port from 1 to 65535")]
    Address { name: String, found: String },
    #[error("{name}: {source}")]
    Fingerprint { name: String, source: Box<trefoil_net::Error> },
    #[error("{name}: the fingerprint {fingerprint} is {known}'s already")]
    Taken { name: String, known: String, fingerprint: Fingerprint },
    #[error("{name}: is known with fingerprint {known}, not {fingerprint}; --replace where it has a new key")]
    Changed { name: String, known: Fingerprint, fingerprint: Fingerprint },
    #[error("{name}: no such peer{}", among(.known))]
    Unknown { name: String, known: Vec<String> },
}

fn among(known: &[String]) -> String {
    if known.is_empty() { "; none is known".to_owned() } else { format!(", expected one of {}", known.join(", ")) }
}

/// Somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// `host:port`; none where it is never called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Its certificate's fingerprint.
    pub fingerprint: Fingerprint,
}

/// Peers by name. No two have one fingerprint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers(BTreeMap<String, Peer>);

impl Peers {
    /// Reads a list; a file that does not exist is an empty one.
    ///
    /// # Errors
    /// The file cannot be read, is no such list, or breaks one of its rules.
    pub fn load(path: &Path) -> Result<Peers> {
        let name = || path.display().to_string();
        let failed = |source| PeersError::Io { file: name(), source };
        let mut text = String::new();
        match File::open(path) {
            Ok(file) => file.take(MOST + 1).read_to_string(&mut text).map_err(failed)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Peers::default()),
            Err(e) => return Err(failed(e).into()),
        };
        let wrong = |what: String| PeersError::File { file: name(), what };
        if text.len() as u64 > MOST {
            return Err(wrong(format!("found more than {MOST} bytes, expected a list of peers")).into());
        }
        Ok(Peers::parse(&text).map_err(wrong)?)
    }

    fn parse(text: &str) -> std::result::Result<Peers, String> {
        let read: BTreeMap<String, Peer> = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |s| text.bytes().take(s.start).filter(|&b| b == b'\n').count() + 1);
            let message: Vec<&str> = e.message().split_whitespace().collect();
            format!("line {line}: {}", message.join(" "))
        })?;
        let mut peers = Peers::default();
        for (name, peer) in read {
            peers.add(&name, peer.address.as_deref(), peer.fingerprint, false).map_err(|e| e.to_string())?;
        }
        Ok(peers)
    }

    /// Changes the list in a file. Whoever else changes it with this function at the same time waits; the file is
    /// replaced as a whole, or not at all.
    ///
    /// # Errors
    /// Those of [`load`](Self::load) and of `change`; the file cannot be written.
    pub fn update<T>(path: &Path, change: impl FnOnce(&mut Peers) -> Result<T>) -> Result<T> {
        let failed = |source| PeersError::Io { file: path.display().to_string(), source };
        let folder = keys::folder(path);
        // The folder carries the lock: the file is another one after each change.
        let _lock = if cfg!(unix) {
            let lock = File::open(folder).map_err(failed)?;
            lock.lock().map_err(failed)?;
            Some(lock)
        } else {
            None
        };
        let mut peers = Peers::load(path)?;
        let result = change(&mut peers)?;
        let text = toml::to_string(&peers.0).map_err(|e| failed(io::Error::other(e)))?;
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644)); // it is no secret
        let mut file = builder.tempfile_in(folder).map_err(failed)?;
        file.write_all(b"# Changed by `trefoil peers`, which keeps no comments.\n\n")
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.as_file().sync_all())
            .map_err(failed)?;
        file.persist(path).map_err(|e| failed(e.error))?;
        keys::sync(folder).map_err(failed)?;
        Ok(result)
    }

    /// Adds a peer, or gives the one of that name a new address. A new fingerprint for a known name needs `replace`.
    ///
    /// # Errors
    /// The name, the address or the fingerprint is not possible here.
    pub fn add(&mut self, name: &str, address: Option<&str>, fingerprint: Fingerprint, replace: bool) -> Result<()> {
        check_name(name)?;
        if let Some(address) = address.filter(|a| !is_address(a)) {
            return Err(PeersError::Address { name: name.to_owned(), found: address.to_owned() }.into());
        }
        if let Some((known, _)) = self.named(fingerprint).filter(|(known, _)| *known != name) {
            return Err(PeersError::Taken { name: name.to_owned(), known: known.to_owned(), fingerprint }.into());
        }
        if let Some(known) = self.0.get(name).map(|p| p.fingerprint).filter(|&known| known != fingerprint && !replace) {
            return Err(PeersError::Changed { name: name.to_owned(), known, fingerprint }.into());
        }
        self.0.insert(name.to_owned(), Peer { address: address.map(str::to_owned), fingerprint });
        Ok(())
    }

    /// Takes a peer out.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn remove(&mut self, name: &str) -> Result<Peer> {
        self.0.remove(name).ok_or_else(|| self.unknown(name))
    }

    /// The peer of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, name: &str) -> Result<&Peer> {
        self.0.get(name).ok_or_else(|| self.unknown(name))
    }

    /// The same, if there is one: among thousands nobody reads a list of all others.
    pub fn known(&self, name: &str) -> Option<&Peer> {
        self.0.get(name)
    }

    /// The peer with that fingerprint, and its name.
    pub fn named(&self, fingerprint: Fingerprint) -> Option<(&str, &Peer)> {
        self.iter().find(|(_, peer)| peer.fingerprint == fingerprint)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Peer)> {
        self.0.iter().map(|(name, peer)| (name.as_str(), peer))
    }

    fn unknown(&self, name: &str) -> crate::Error {
        PeersError::Unknown { name: name.to_owned(), known: self.0.keys().cloned().collect() }.into()
    }
}

/// Whether a name is one that a peer, and a key's file, may have.
///
/// # Errors
/// It is not.
pub fn check_name(name: &str) -> Result<()> {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    Err(PeersError::Name { found: name.chars().take(70).collect() }.into())
}

fn is_address(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let host = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .map_or(!host.contains(':') && !host.is_empty(), |h| h.parse::<std::net::Ipv6Addr>().is_ok());
    host && !address.contains(|c: char| c.is_whitespace() || c.is_control())
        && port.bytes().all(|b| b.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|p| p > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn print(n: u8) -> Fingerprint {
        Fingerprint([n; 32])
    }

    fn why<T>(result: Result<T>) -> String {
        let e = result.err().unwrap().to_string();
        assert!(!e.contains('\n'), "{e}");
        e
    }

    #[test]
    fn added_changed_and_removed() {
        let mut peers = Peers::default();
        peers.add("bank", Some("bank.example:7001"), print(1), false).unwrap();
        peers.add("clinic-2", None, print(2), false).unwrap();
        assert_eq!(peers.get("bank").unwrap().address.as_deref(), Some("bank.example:7001"));
        assert_eq!(peers.named(print(2)).unwrap().0, "clinic-2");
        assert!(peers.named(print(3)).is_none());
        // The same again, and a new address, are no questions; a new key is.
        peers.add("bank", Some("[::1]:7001"), print(1), false).unwrap();
        let e = why(peers.add("bank", None, print(3), false));
        assert!(e.contains(&print(1).to_string()) && e.contains(&format!("not {}; --replace", print(3))), "{e}");
        assert!(why(peers.add("hospital", None, print(2), true)).contains("is clinic-2's already"));
        assert!(why(peers.add("bank", None, print(2), true)).contains("is clinic-2's already"));
        peers.add("bank", None, print(3), true).unwrap();
        assert_eq!(peers.remove("bank").unwrap(), Peer { address: None, fingerprint: print(3) });
        assert_eq!(why(peers.remove("bank")), "bank: no such peer, expected one of clinic-2");
        peers.remove("clinic-2").unwrap();
        assert_eq!(why(peers.get("x")), "x: no such peer; none is known");
    }

    #[test]
    fn names_and_addresses() {
        let mut peers = Peers::default();
        for name in ["a", "0-9", &"x".repeat(64)] {
            peers.add(name, None, print(1), false).unwrap();
            peers.remove(name).unwrap();
        }
        for name in ["", "Bank", "a b", "ä", "../x", "a.b", "a_b", &"x".repeat(65)] {
            assert!(why(peers.add(name, None, print(1), false)).starts_with("name: found "), "{name}");
        }
        for address in ["localhost:1", "10.0.0.1:65535", "[fe80::1]:80"] {
            peers.add("a", Some(address), print(1), false).unwrap();
        }
        for address in
            ["", ":", ":80", "host", "host:", "host:0", "host:65536", "host:+80", "::1:80", "[]:80", "[x]:80", "a b:80"]
        {
            assert!(why(peers.add("a", Some(address), print(1), false)).starts_with("a: address: found "), "{address}");
        }
    }

    #[test]
    fn files() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("peers.toml");
        assert_eq!(Peers::load(&file).unwrap(), Peers::default());
        Peers::update(&file, |p| p.add("bank", Some("bank.example:7001"), print(1), false)).unwrap();
        Peers::update(&file, |p| p.add("clinic", None, print(2), false)).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let expected = format!(
            "[bank]\naddress = \"bank.example:7001\"\nfingerprint = \"{}\"\n\n[clinic]\nfingerprint = \"{}\"\n",
            print(1),
            print(2)
        );
        assert!(text.ends_with(&expected), "{text}");
        // A change that fails changes nothing.
        assert!(Peers::update(&file, |p| p.remove("bank").and_then(|_| p.remove("nobody"))).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        let peers = Peers::load(&file).unwrap();
        assert_eq!(peers.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["bank", "clinic"]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(why(Peers::load(dir.path())).contains("directory"));
    }

    /// Nobody's change is lost.
    #[test]
    fn many_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("peers.toml");
        std::thread::scope(|s| {
            for i in 0..8 {
                let file = &file;
                s.spawn(move || Peers::update(file, |p| p.add(&format!("owner-{i}"), None, print(i), false)).unwrap());
            }
        });
        assert_eq!(Peers::load(&file).unwrap().iter().count(), 8);
    }

    #[test]
    fn files_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("peers.toml");
        let (a, b) = (print(1), print(2));
        for (text, expected) in [
            ("[bank\n", "line 1: "),
            ("\n[bank]\naddress = \"a:1\"\n", "line 2: missing field `fingerprint`"),
            ("[bank]\nfingerprint = \"12\"\n", "line 2: identity: fingerprint: found 2 characters"),
            (&format!("[bank]\nfingerprint = \"{a}\"\nport = 1\n"), "line 3: unknown field `port`"),
            (&format!("[bank]\nfingerprint = \"{a}\"\n[bank]\nfingerprint = \"{b}\"\n"), "line 3: duplicate key"),
            (&format!("[bank]\nfingerprint = \"{a}\"\n[b2]\nfingerprint = \"{a}\"\n"), "is b2's already"),
            (&format!("[Bank]\nfingerprint = \"{a}\"\n"), "name: found \"Bank\""),
            (&format!("[bank]\nfingerprint = \"{a}\"\naddress = \"x\"\n"), "bank: address: found \"x\""),
        ] {
            std::fs::write(&file, text).unwrap();
            let e = why(Peers::load(&file));
            assert!(e.contains("peers.toml: ") && e.contains(expected), "{e}");
        }
        // Words are as good as digits.
        std::fs::write(&file, format!("[bank]\nfingerprint = \"{}\"\n", a.words())).unwrap();
        assert!(Peers::load(&file).unwrap().named(a).is_some());
    }

    proptest! {
        #[test]
        fn any_text(text: String) {
            if let Err(e) = Peers::parse(&text) {
                prop_assert!(!e.contains('\n'), "{e}");
            }
        }
    }
}
