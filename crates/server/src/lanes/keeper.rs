//! What another rank than 0 keeps of uploads: it takes an owner's part at its own port, as rank 0 decides ([`parts`](super::parts)), and answers what rank 0 asks of it later.

use super::parts::{Allowed, Ask, Guest, OWNER, as_json, folder_of, job_in, reader, remove, tell, told, words};
use super::{Rank, hear, say};
use crate::config::Config;
use crate::entry::{Slot, Staged};
use crate::intake::{Intake, begin};
use crate::uploads::{Found, ROWS, inspect_from, lock, name};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use trefoil_client::receive::{Incoming, acknowledge, incoming};
use trefoil_client::refuse;
use trefoil_client::request::{self, Announcement, Request};
use trefoil_job::JobHash;
use trefoil_job::suites::Chosen;
use trefoil_mpc::lanes::words_of;
use trefoil_mpc::{Channel, Switch};
use trefoil_net::Id;
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::{Stream, accept_over};
use trefoil_store::{Folder, StorageKey, sealed};

/// Whose upload, of which job.
type Place = (JobHash, Fingerprint);

/// What another rank keeps.
pub(crate) struct Keeper {
    folder: PathBuf,
    key: StorageKey,
    timeout: Duration,
    slots: Mutex<BTreeMap<Place, Arc<Mutex<Slot>>>>,
    /// Where it takes uploads; locked as long as this lives.
    open: Option<Folder>,
}

impl Keeper {
    /// # Errors
    /// The folder cannot be used.
    pub(super) fn of(config: &Config, rank: usize, identity: &Identity) -> Result<Keeper> {
        let folder = folder_of(config, rank);
        let open = config.spread_uploads.then(|| Folder::lock(&folder)).transpose()?;
        let key = StorageKey::derive(&identity.derive("storage")[..]);
        Ok(Keeper { folder, key, timeout: config.timeout(), slots: Mutex::default(), open })
    }

    /// What this rank has of an upload, to read from.
    ///
    /// # Errors
    /// It has nothing of it.
    pub(crate) fn reader(&self, owner: Fingerprint, about: &Announcement) -> Result<sealed::Reader> {
        reader(&self.path(about.job, owner), &self.key, about)
    }

    pub(crate) fn path(&self, job: JobHash, owner: Fingerprint) -> PathBuf {
        job_in(&self.folder, job).join(name(owner))
    }

    /// Takes a part from whoever has called with an owner's hello and this name.
    ///
    /// # Errors
    /// Rank 0 is gone, or the caller.
    pub(super) fn welcome(
        &self,
        switch: &Arc<Switch>,
        identity: &Identity,
        tcp: TcpStream,
        from: SocketAddr,
        name: &[u8; 32],
    ) -> Result<()> {
        if self.open.is_none() {
            return Ok(());
        }
        let channel = switch.open();
        say(&channel, 0, &[&[OWNER][..], &words(name)].concat())?;
        let Some(Guest { owner, job }) = told(&channel, 0)? else { return Ok(()) };
        let (mut stream, _) = accept_over(tcp, &from.to_string(), identity, &[owner])?;
        stream.set_timeouts(Some(self.timeout), Some(self.timeout))?;
        match self.take(&channel, &mut stream, owner, job) {
            // In the log of rank 0, where it has refused it; who has called is told in any case.
            Err(Error::Net(e) | Error::Client(trefoil_client::Error::Net(e))) => tracing::info!("{e}"),
            Err(e) => {
                tracing::warn!("refused: {e}");
                refuse(&mut stream, &e.to_string());
            }
            Ok(()) => {}
        }
        Ok(())
    }

    fn take(&self, channel: &Channel, stream: &mut Stream, owner: Fingerprint, job: JobHash) -> Result<()> {
        let Request::Share { about, .. } = request::next(stream)? else {
            return Err(Error::Refused("another rank than 0 takes records alone".into()));
        };
        let slots = || self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots().entry((job, owner)).or_default().clone();
        let mut held = lock(&slot);
        // Asked while the slot is held: what rank 0 has allowed later comes later.
        tell(channel, 0, &about)?;
        let allowed: std::result::Result<Allowed, String> = told(channel, 0)?;
        let Allowed { id, suite, most } = allowed.map_err(Error::Refused)?;
        let path = self.path(job, owner);
        let (connection, standing) = begin(&self.key, &mut held, &about, &path, part)?;
        drop(held);
        let (about, key) = (&about, &self.key);
        let intake = Intake { slot: &slot, connection, about, path, key, id, suite, most, in_parts: true };
        let taken = request::accept(stream, &standing).map_err(Error::from).and_then(|()| {
            loop {
                match incoming(stream)? {
                    Incoming::Rows(frame) => intake.rows(&frame)?,
                    Incoming::Finish(summary) => intake.finish(&summary, part)?,
                    Incoming::Commit(_) => return Err(Error::Refused("found a commit, expected it at rank 0".into())),
                    Incoming::End => return Ok(()),
                }
                acknowledge(stream)?;
            }
        });
        let mut slot = lock(&slot);
        if slot.alive == connection {
            slot.alive = 0;
        }
        taken
    }

    fn held(&self, owner: Fingerprint, about: &Announcement, common: Option<(Chosen, Id)>) -> Result<Option<Found>> {
        let path = self.path(about.job, owner);
        match reader(&path, &self.key, about) {
            Ok(reader) => inspect_from(reader, &path, common).map(Some),
            Err(Error::Refused(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn chunks(&self, channel: &Channel, owner: Fingerprint, about: &Announcement) -> Result<()> {
        let mut reader = self.reader(owner, about)?;
        let mut first = true;
        while let Some(record) = reader.next()? {
            if record.first() != Some(&ROWS) {
                continue;
            }
            if !std::mem::take(&mut first) {
                hear(channel, 0)?;
            }
            say(channel, 0, &[&[1][..], &words_of(&record)].concat())?;
        }
        if !first {
            hear(channel, 0)?;
        }
        Ok(())
    }

    fn forget(&self, job: JobHash, owner: Option<Fingerprint>) {
        let gone = |(of, by): &Place| *of == job && owner.is_none_or(|owner| owner == *by);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, slot) in slots.iter().filter(|(place, _)| gone(place)) {
            let mut slot = lock(slot);
            *slot = Slot { connections: slot.connections, ..Slot::default() };
        }
        slots.retain(|place, _| !gone(place));
        drop(slots);
        remove(&job_in(&self.folder, job), owner);
    }

    fn keep(&self, jobs: &[JobHash]) {
        let Ok(all) = std::fs::read_dir(self.folder.join("uploads")) else { return };
        let is_kept = |name: &str| jobs.iter().any(|job| job.to_string() == name);
        for folder in all.flatten().filter(|folder| !folder.file_name().to_str().is_some_and(is_kept)) {
            remove(&folder.path(), None);
        }
    }
}

impl Rank {
    /// Answers what rank 0 asks.
    pub(super) fn answer(&self, channel: &Channel) {
        if let Err(e) = self.try_answer(channel) {
            tracing::warn!(rank = self.number, "{e}");
        }
    }

    fn try_answer(&self, channel: &Channel) -> Result<()> {
        match told(channel, 0)? {
            Ask::Held { owner, about, common } => {
                tell(channel, 0, &self.keeper.held(owner, &about, common).map_err(|e| e.to_string()))
            }
            Ask::Chunks { owner, about } => {
                let end = self.keeper.chunks(channel, owner, &about).map_err(|e| e.to_string());
                say(channel, 0, &[&[0][..], &words_of(&as_json(&end)?)].concat())
            }
            Ask::Forget { job, owner } => {
                self.keeper.forget(job, owner);
                Ok(())
            }
            Ask::Keep { jobs } => {
                self.keeper.keep(&jobs);
                Ok(())
            }
        }
    }
}

/// Of a part nothing is known but that the owner has said what it is.
fn part(found: &Found) -> Result<Staged> {
    let Found { chunks, said, sha256, .. } = found;
    match found.summary() == *said {
        true => Ok(Staged { summary: said.clone(), sha256: sha256.clone(), parts: vec![] }),
        false => Err(Error::Refused(format!("upload: found {} chunks here, expected what was announced", chunks.len()))),
    }
}
