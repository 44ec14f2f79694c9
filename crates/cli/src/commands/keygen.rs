//! `trefoil keygen`: long-lived keys.

use crate::output::print;
use clap::{Args, value_parser};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use trefoil_client::keys::{self, KeyError, KeySource, PassphraseSource};
use trefoil_client::{self as client, peers};
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_server::{Error, Result};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a passphrase comes from.
#[derive(Args)]
pub struct PassphraseArgs {
    /// Read the passphrase from this file descriptor, up to the end of its first line [default: the environment's
    /// TREFOIL_PASSPHRASE, else a question on the terminal]
    #[arg(long, value_name = "N")]
    passphrase_fd: Option<u32>,
}

impl PassphraseArgs {
    /// The source that is meant.
    pub fn source(&self) -> PassphraseSource {
        PassphraseSource { fd: self.passphrase_fd }
    }
}

/// Options of `trefoil keygen`.
#[derive(Args)]
pub struct Keygen {
    /// Who the keys are for: a-z, 0-9 and -
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,

    /// Folder for the files NAME.pem; made where there is none
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,

    /// Days for which the certificate is valid
    #[arg(long, value_name = "N", default_value_t = 3653, value_parser = value_parser!(u32).range(1..=36525))]
    days: u32,

    /// Encrypt a key that exists instead of making one: a plain PEM file, env:NAME or fd:N
    #[arg(long, value_name = "SOURCE", conflicts_with = "days")]
    import: Option<KeySource>,

    /// Replace files that exist
    #[arg(long)]
    force: bool,

    /// Print the fingerprint as a QR code too
    #[arg(long, conflicts_with = "quiet")]
    qr: bool,

    /// Print nothing but the fingerprints in hexadecimal
    #[arg(long)]
    quiet: bool,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl Keygen {
    /// Makes the keys, all under one passphrase.
    pub fn run(self) -> Result<()> {
        let mut distinct = BTreeSet::new();
        for name in &self.names {
            peers::check_name(name)?;
            if !distinct.insert(name) {
                return Err(Error::config("NAME", format!("{name} twice"), "each name once"));
            }
        }
        if self.import.is_some() && self.names.len() != 1 {
            return Err(Error::config("--import", format!("{} names", self.names.len()), "one"));
        }
        let files: Vec<PathBuf> = self.names.iter().map(|name| self.dir.join(format!("{name}.pem"))).collect();
        if let Some(file) = files.iter().find(|f| !self.force && f.symlink_metadata().is_ok()) {
            return Err(client::Error::from(KeyError::Exists { file: file.display().to_string() }).into());
        }
        make_folder(&self.dir)?;
        let imported = self.import.as_ref().map(KeySource::load_plain).transpose()?;
        let what = if let [name] = &self.names[..] { name.clone() } else { format!("{} keys", self.names.len()) };
        let passphrase = self.passphrase.source().choose(&format!("Passphrase for {what}: "))?;
        for (name, file) in self.names.iter().zip(&files) {
            let identity = match &imported {
                Some(identity) => identity.clone(),
                None => fresh(name, self.days)?,
            };
            keys::store(file, &identity.to_encrypted_pem(&passphrase)?, self.force)?;
            self.show(name, file, identity.fingerprint())?;
        }
        Ok(())
    }

    fn show(&self, name: &str, file: &Path, fingerprint: Fingerprint) -> Result<()> {
        if self.quiet {
            print(format_args!("{fingerprint}\n"));
            return Ok(());
        }
        print(format_args!("{name}: {}\n  fingerprint  {fingerprint}\n", file.display()));
        let words = fingerprint.words();
        let words: Vec<&str> = words.split(' ').collect();
        for (i, line) in words.chunks(8).enumerate() {
            print(format_args!("  {:11}  {}\n", if i == 0 { "in words" } else { "" }, line.join(" ")));
        }
        if self.qr {
            print(format_args!("\n{}\n\n", qr(fingerprint)?));
        }
        Ok(())
    }
}

fn fresh(name: &str, days: u32) -> Result<Identity> {
    let now = SystemTime::now();
    // A day back: the clocks of two machines need not agree.
    Ok(Identity::generate_for(name, now - DAY..now + days * DAY)?)
}

fn make_folder(dir: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| Error::File { path: dir.display().to_string(), source })
}

/// The fingerprint's digits as half blocks, light on a dark terminal. In capitals they take the least room.
fn qr(fingerprint: Fingerprint) -> Result<String> {
    let code = QrCode::with_error_correction_level(fingerprint.to_string().to_uppercase(), EcLevel::L)
        .map_err(|e| Error::config("--qr", e, "room for 64 digits"))?;
    Ok(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}
