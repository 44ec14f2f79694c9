//! Where a process gets its private key from, and the passphrase that the key is encrypted under.

use crate::Result;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use trefoil_net::identity::Identity;
use zeroize::Zeroizing;

/// The environment variable with the passphrase.
pub const PASSPHRASE: &str = "TREFOIL_PASSPHRASE";
/// The longest key file or passphrase, in bytes.
const MOST: usize = 64 << 10;

/// Why there is no key. No message carries a key or a passphrase.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what the fields are
pub enum KeyError {
    #[error("key: found {found:?}, expected a file, env:NAME or fd:N")]
    Source { found: String },
    #[error("{from}: {source}")]
    Io { from: String, source: io::Error },
    #[error("{from}: found {found}, expected {expected}")]
    Content { from: String, found: String, expected: String },
    #[error("{file}: others may read or write it (mode {mode:04o}), expected 0600: chmod 600 {file}")]
    Exposed { file: String, mode: u32 },
    #[error(
        "{file}: the private key is not encrypted: encrypt it with `trefoil keygen NAME --import {file}`, or say --insecure-plain-key"
    )]
    Plain { file: String },
    #[error("{from}: {source}")]
    Unusable { from: String, source: Box<trefoil_net::Error> },
    #[error("{file}: exists already; --force replaces it, and whoever knows the old fingerprint must learn the new one")]
    Exists { file: String },
    #[error("passphrase: found neither {PASSPHRASE} nor --passphrase-fd nor a terminal to ask at")]
    NoPassphrase,
    #[error("passphrase: {0}")]
    Passphrase(&'static str),
}

/// Where a private key is, as the command line and configuration files say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A PEM file that only its owner may read, its key encrypted.
    File(PathBuf),
    /// The PEM text is in this environment variable.
    Env(String),
    /// The PEM text comes from this file descriptor, which whoever started this process has opened.
    Fd(u32),
}

impl FromStr for KeySource {
    type Err = KeyError;

    fn from_str(s: &str) -> std::result::Result<KeySource, KeyError> {
        let wrong = || KeyError::Source { found: s.to_owned() };
        match s.split_once(':') {
            Some(("env", name)) if !name.is_empty() && !name.contains(['=', '\0']) => Ok(KeySource::Env(name.to_owned())),
            Some(("fd", n)) => n.parse().map(KeySource::Fd).map_err(|_| wrong()),
            Some(("env", _)) => Err(wrong()),
            _ if s.is_empty() => Err(wrong()),
            _ => Ok(KeySource::File(s.into())),
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySource::File(path) => write!(f, "{}", path.display()),
            KeySource::Env(name) => write!(f, "env:{name}"),
            KeySource::Fd(n) => write!(f, "fd:{n}"),
        }
    }
}

impl KeySource {
    /// Reads certificate and key; `passphrase` is asked where the key is encrypted. A plain key in a file is refused
    /// unless `insecure_plain`.
    ///
    /// # Errors
    /// The source cannot be read, others may read the file, the text holds no usable key, or the passphrase is wrong.
    pub fn load(&self, passphrase: &PassphraseSource, insecure_plain: bool) -> Result<Identity> {
        let pem = self.read()?;
        let from = self.to_string();
        let identity = if Identity::is_encrypted(&pem) {
            let passphrase = passphrase.read(&format!("Passphrase of {from}: "))?;
            Identity::from_encrypted_pem(&pem, &passphrase)
        } else {
            let read = Identity::from_pem(&pem);
            if read.is_ok() && !insecure_plain && matches!(self, KeySource::File(_)) {
                return Err(KeyError::Plain { file: from }.into());
            }
            read
        };
        Ok(identity.map_err(|e| KeyError::Unusable { from, source: e.into() })?)
    }

    /// Reads certificate and key in the clear, wherever they are: to encrypt them.
    ///
    /// # Errors
    /// The source cannot be read, others may read the file, or the text holds no usable plain key.
    pub fn load_plain(&self) -> Result<Identity> {
        let pem = self.read()?;
        let from = self.to_string();
        if Identity::is_encrypted(&pem) {
            let (found, expected) = ("an encrypted private key".to_owned(), "one in the clear".to_owned());
            return Err(KeyError::Content { from, found, expected }.into());
        }
        Ok(Identity::from_pem(&pem).map_err(|e| KeyError::Unusable { from, source: e.into() })?)
    }

    fn read(&self) -> std::result::Result<Zeroizing<String>, KeyError> {
        let from = self.to_string();
        let failed = |source| KeyError::Io { from: from.clone(), source };
        match self {
            KeySource::File(path) => {
                let file = File::open(path).map_err(failed)?;
                private(&file, path)?;
                text(file, &from)
            }
            KeySource::Env(name) => match std::env::var(name) {
                Ok(pem) => Ok(Zeroizing::new(pem)),
                Err(std::env::VarError::NotPresent) => {
                    Err(KeyError::Content { from, found: "nothing".into(), expected: "a certificate and key as PEM".into() })
                }
                Err(std::env::VarError::NotUnicode(_)) => Err(not_text(&from)),
            },
            KeySource::Fd(n) => text(descriptor(*n).map_err(failed)?, &from),
        }
    }
}

/// Where a passphrase comes from: a file descriptor where there is one, else the environment, else whoever sits at the
/// terminal.
#[derive(Clone, Copy, Debug, Default)]
pub struct PassphraseSource {
    /// The descriptor; its first line is the passphrase.
    pub fd: Option<u32>,
}

impl PassphraseSource {
    /// The passphrase of a key that exists.
    ///
    /// # Errors
    /// There is none, or it is empty.
    pub fn read(&self, prompt: &str) -> Result<Zeroizing<String>> {
        match self.given()? {
            Some(passphrase) => Ok(passphrase),
            None => Ok(ask(prompt)?),
        }
    }

    /// A passphrase for a new key: asked twice at a terminal.
    ///
    /// # Errors
    /// There is none, it is empty, or the second one is another.
    pub fn choose(&self, prompt: &str) -> Result<Zeroizing<String>> {
        if let Some(passphrase) = self.given()? {
            return Ok(passphrase);
        }
        let first = ask(prompt)?;
        if *ask("The same again: ")? != *first {
            return Err(KeyError::Passphrase("the two are not the same").into());
        }
        Ok(first)
    }

    /// The passphrase, where nobody needs to be asked.
    fn given(&self) -> std::result::Result<Option<Zeroizing<String>>, KeyError> {
        let given = match self.fd {
            Some(n) => {
                let from = format!("passphrase: fd:{n}");
                let mut all = text(descriptor(n).map_err(|source| KeyError::Io { from: from.clone(), source })?, &from)?;
                let end = all.find(['\n', '\r']).unwrap_or(all.len());
                all.truncate(end);
                Some(all)
            }
            None => match std::env::var(PASSPHRASE) {
                Ok(passphrase) => Some(Zeroizing::new(passphrase)),
                Err(std::env::VarError::NotPresent) => None,
                Err(std::env::VarError::NotUnicode(_)) => return Err(not_text(PASSPHRASE)),
            },
        };
        given.map(not_empty).transpose()
    }
}

fn ask(prompt: &str) -> std::result::Result<Zeroizing<String>, KeyError> {
    if !io::stdin().is_terminal() {
        return Err(KeyError::NoPassphrase);
    }
    let from = || "passphrase: terminal".to_owned();
    let answer = rpassword::prompt_password(prompt).map_err(|source| KeyError::Io { from: from(), source })?;
    not_empty(Zeroizing::new(answer))
}

fn not_empty(passphrase: Zeroizing<String>) -> std::result::Result<Zeroizing<String>, KeyError> {
    if passphrase.is_empty() { Err(KeyError::Passphrase("it is empty")) } else { Ok(passphrase) }
}

/// Writes a new key file that only its owner may read: whole or not at all.
///
/// # Errors
/// The file exists and `replace` is not set, or cannot be written.
pub fn store(path: &Path, pem: &str, replace: bool) -> Result<()> {
    let failed = |source| KeyError::Io { from: path.display().to_string(), source };
    // Created with O_EXCL and mode 0600.
    let file = tempfile::NamedTempFile::new_in(folder(path)).map_err(failed)?;
    file.as_file().write_all(pem.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    let kept = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    kept.map_err(|e| match e.error.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists { file: path.display().to_string() },
        _ => failed(e.error),
    })?;
    Ok(sync(folder(path)).map_err(failed)?)
}

/// The folder that a file is in.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a folder survive a power failure. Windows does so itself.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(unix)]
fn private(file: &File, path: &Path) -> std::result::Result<(), KeyError> {
    let name = || path.display().to_string();
    let found = file.metadata().map_err(|source| KeyError::Io { from: name(), source })?;
    let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyError::Exposed { file: name(), mode }) }
}

/// Here the system's access lists say who may read a file; a user's folder is the user's alone.
#[cfg(not(unix))]
fn private(_: &File, _: &Path) -> std::result::Result<(), KeyError> {
    Ok(())
}

#[cfg(unix)]
fn descriptor(n: u32) -> io::Result<File> {
    File::open(format!("/dev/fd/{n}"))
}

#[cfg(not(unix))]
fn descriptor(_: u32) -> io::Result<File> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "file descriptors have no numbers on this system"))
}

/// All of it, as text.
fn text(from: impl Read, name: &str) -> std::result::Result<Zeroizing<String>, KeyError> {
    // Room for all of it at once: growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MOST + 1));
    match from.take(MOST as u64 + 1).read_to_string(&mut text) {
        Ok(n) if n <= MOST => Ok(text),
        Ok(_) => Err(KeyError::Content {
            from: name.to_owned(),
            found: format!("more than {MOST} bytes"),
            expected: "a certificate and key as PEM".into(),
        }),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Err(not_text(name)),
        Err(source) => Err(KeyError::Io { from: name.to_owned(), source }),
    }
}

fn not_text(from: &str) -> KeyError {
    KeyError::Content { from: from.to_owned(), found: "bytes that are no text".into(), expected: "UTF-8".into() }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
