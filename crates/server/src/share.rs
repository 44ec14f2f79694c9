//! Owners' records on their way to the disk: sealed chunk by chunk as they come, read back when complete, and used only once their
//! owner has committed them. An owner has at most one upload that counts; until it counts, a new one replaces it, unless the
//! connection of the other still lives.

use crate::entry::Staged;
use crate::intake::{Intake, announced, begin};
use crate::lanes::parts::{self, Allowed};
use crate::record::{Committed, PartOf, Record, State};
use crate::server::{Here, Server};
use crate::uploads::{Found, inspect_from, lock, path};
use crate::{Error, Result, approvals, join, records, runner};
use serde_json::json;
use trefoil_client::approval::{Approval, Role};
use trefoil_client::receive::{Incoming, acknowledge, incoming};
use trefoil_client::request::{self, Announcement, Standing, Summary};
use trefoil_data::schema::Partition;
use trefoil_net::Id;
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;
use trefoil_store::sealed;

/// What a file may have beyond the limit: it is looked at before the last chunk.
const MOST_FRAME: u64 = 64 << 20;

/// Takes an owner's upload from its announcement on.
pub fn share(here: &Here, stream: &mut Stream, from: Fingerprint, about: &Announcement, approval: Approval) -> Result<()> {
    let record = here.record()?;
    let (id, owner) = may_share(here, &record, from, about)?;
    if let Some(done) = record.uploads.get(&from) {
        return is_complete(here, stream, from, about, done);
    }
    approvals::take(here, from, Role::DataOwner, approval, json!({ "how": "by sharing" }))?;
    let slot = here.live(|e| e.uploads.entry(from).or_default().clone())?;
    let path = path(here, from);
    let mut held = lock(&slot);
    // Another connection may have committed one meanwhile, whose file stays. Who commits holds the slot.
    if let Some(done) = here.live(|e| e.record.uploads.get(&from).cloned())? {
        drop(held);
        return is_complete(here, stream, from, about, &done);
    }
    let (connection, mut standing) = begin(&here.key, &mut held, about, &path, |found| whole(here, from, about, found))?;
    drop(held);
    if let Standing::Open { lanes, .. } = &mut standing {
        *lanes = parts::offered(here, &record.job.addresses()[id.index()])?;
    }
    let (key, suite, most, in_parts) = (&here.key, record.job.chosen(), most(here), parts::are_kept(here));
    let intake = Intake { slot: &slot, connection, about, path, key, id, suite, most, in_parts };
    let mut taking = Taking { here, from, owner: &record.job.owner[owner].name, intake };
    let result = request::accept(stream, &standing).map_err(Error::from).and_then(|()| taking.take(stream));
    let mut slot = lock(&slot);
    if slot.alive == connection {
        slot.alive = 0;
    }
    result
}

/// An owner that has an upload already is told which.
fn is_complete(server: &Server, stream: &mut Stream, from: Fingerprint, about: &Announcement, done: &Committed) -> Result<()> {
    let why = format!("a second upload; {} is complete, and each record is used once", done.upload);
    server.refusal(json!({ "request": "share", "job": about.job, "upload": about.upload }), from, &why);
    Ok(request::accept(stream, &Standing::Committed { upload: done.upload.clone() })?)
}

fn may_share(here: &Here, record: &Record, from: Fingerprint, about: &Announcement) -> Result<(Id, usize)> {
    let refuse = |why: String| Err(Error::Refused(why));
    let job = &record.job;
    let Some(owner) = job.owner_of(from) else {
        return refuse(format!("records are shared by the job's data owners; this is {}", job.role(from)));
    };
    let Some(id) = job.party_of(here.identity.fingerprint()) else { return Err(here.unknown()) };
    if !record.approved {
        return refuse(format!("job {} is not approved by this party", here.hash.short()));
    }
    if let State::Cancelled { .. } | State::Trained = record.state {
        return refuse(format!("the job is {}", record.state));
    }
    let (features, label) = job.widths(owner);
    if about.width != features + label {
        return refuse(format!("rows: found {} values, expected {} of {}", about.width, features + label, job.owner[owner].name));
    }
    if about.upload.len() != 32 || !about.upload.bytes().all(|b| b.is_ascii_hexdigit()) {
        return refuse("upload: found no name, expected 32 hexadecimal digits".into());
    }
    not_withdrawn(record, from, &about.upload)?;
    Ok((id, owner))
}

/// An upload that was refused does not come back under its name, by which parties tell it from the owner's next one.
fn not_withdrawn(record: &Record, from: Fingerprint, upload: &str) -> Result<()> {
    match record.is_withdrawn(from, upload) {
        true => Err(Error::Refused(format!("found upload {upload} again, which was refused; expected another"))),
        false => Ok(()),
    }
}

/// One connection of an upload.
struct Taking<'a> {
    here: &'a Here,
    from: Fingerprint,
    owner: &'a str,
    intake: Intake<'a>,
}

impl Taking<'_> {
    fn take(&mut self, stream: &mut Stream) -> Result<()> {
        loop {
            match incoming(stream)? {
                Incoming::Rows(frame) => self.intake.rows(&frame)?,
                Incoming::Finish(summary) => self.finish(&summary)?,
                Incoming::Commit(upload) => {
                    let new = commit(self.here, self.from, &upload)?;
                    return Ok(request::accept(stream, &new)?);
                }
                Incoming::End => return Ok(()),
            }
            acknowledge(stream)?;
        }
    }

    fn finish(&self, summary: &Summary) -> Result<()> {
        let (here, about) = (self.here, self.intake.about);
        let record = here.record()?;
        // P2 alone knows how many are joined, and says so before anybody commits.
        if self.intake.id == Id::P2 && record.job.data.joins() {
            join::fits(here, &record, self.from, summary.train_rows.saturating_add(summary.test_rows))?;
        }
        self.intake.finish(summary, |found| whole(here, self.from, about, found))?;
        tracing::info!(job = %here.hash, "all records of {} are here", self.owner);
        Ok(())
    }
}

/// All that the owner has said to have sent is here or at another rank, each chunk once.
fn whole(here: &Here, owner: Fingerprint, about: &Announcement, own: &Found) -> Result<Staged> {
    let others = parts::held(here, owner, about)?;
    let all = || std::iter::once(own).chain(others.iter().map(|(_, found)| found));
    let mut numbers: Vec<u64> = all().flat_map(|found| found.chunks.iter().map(|chunk| chunk.number)).collect();
    numbers.sort_unstable();
    if let Some((place, found)) = numbers.iter().enumerate().find(|(place, number)| **number != *place as u64) {
        return Err(Error::Refused(format!("upload: found chunk {found} as number {place} of all ranks, expected each once")));
    }
    let mut summary = own.summary();
    others.iter().map(|(_, found)| found.summary()).for_each(|more| {
        summary.chunks += more.chunks;
        summary.train_rows = summary.train_rows.saturating_add(more.train_rows);
        summary.test_rows = summary.test_rows.saturating_add(more.test_rows);
    });
    if summary != own.said {
        let Summary { chunks, train_rows, test_rows } = summary;
        let found = format!("{chunks} chunks, {train_rows} and {test_rows} rows");
        return Err(Error::Refused(format!("upload: found {found}, expected what was announced")));
    }
    let most = most(here);
    if all().fold(0, |sum: u64, found| sum.saturating_add(found.bytes)) > most.saturating_add(MOST_FRAME) {
        return Err(Error::Refused(format!("upload: found more than {most} bytes, expected at most this party's limit")));
    }
    let part = |(rank, found): (usize, Found)| PartOf { rank, chunks: found.chunks.len() as u64, sha256: found.sha256 };
    Ok(Staged {
        summary,
        sha256: own.sha256.clone(),
        parts: others.into_iter().map(part).filter(|part| part.chunks > 0).collect(),
    })
}

/// Bytes that an upload may have.
fn most(here: &Here) -> u64 {
    here.config.most_upload_megabytes << 20
}

/// Whether another rank may take a part of this upload, and as what: rank 0 has it announced, and it does not count yet.
///
/// # Errors
/// [`Error::Refused`]: it may not.
pub fn may_take_part(here: &Here, from: Fingerprint, about: &Announcement) -> Result<Allowed> {
    let record = here.record()?;
    let (id, _) = may_share(here, &record, from, about)?;
    let slot = here.live(|e| e.uploads.entry(from).or_default().clone())?;
    let slot = lock(&slot);
    if here.record()?.uploads.contains_key(&from) {
        return Err(Error::Refused("an upload of this owner is complete".into()));
    }
    let begun = match &slot.about {
        Some(begun) => begun == about,
        None => announced(&path(here, from), &here.key).as_ref() == Some(about),
    };
    match begun {
        true => Ok(Allowed { id, suite: record.job.chosen(), most: most(here) }),
        false => Err(Error::Refused("another upload than the one that rank 0 was told of".into())),
    }
}

/// The owner says that all three parties have all of it: from now on the upload counts. Whether that is new.
pub fn commit(here: &Here, from: Fingerprint, upload: &str) -> Result<bool> {
    let record = here.record()?;
    if record.job.owner_of(from).is_none() {
        return Err(Error::Refused(format!("records are shared by the job's data owners; this is {}", record.job.role(from))));
    }
    // Held to the end: no other upload takes this one's place meanwhile.
    let slot = here.live(|e| e.uploads.entry(from).or_default().clone())?;
    let slot = lock(&slot);
    let record = here.record()?;
    if let Some(done) = record.uploads.get(&from) {
        return match done.upload == upload {
            true => Ok(false),
            false => Err(Error::Refused(format!("a second upload; {} is complete, and each record is used once", done.upload))),
        };
    }
    if record.state.is_final() {
        return Err(Error::Refused(format!("the job is {}", record.state)));
    }
    not_withdrawn(&record, from, upload)?;
    let named = |about: &Announcement| about.job == here.hash && about.upload == upload;
    let not_here = || {
        let upload: String = upload.chars().take(32).collect();
        Error::Refused(format!("upload {} is not here; share again", upload.escape_debug()))
    };
    let Staged { summary, sha256, parts } = match (&slot.staged, &slot.about) {
        (Some(staged), Some(about)) if named(about) => staged.clone(),
        (_, Some(about)) if !named(about) => return Err(not_here()),
        // After a restart of this party only the disk knows.
        _ => {
            let path = path(here, from);
            let reader = sealed::Reader::open(&path, &here.key).map_err(|_| not_here())?;
            let about: Option<Announcement> = serde_json::from_slice(reader.about()).ok();
            let about = about.filter(named).ok_or_else(not_here)?;
            whole(here, from, &about, &inspect_from(reader, &path, None)?)?
        }
    };
    let committed = Committed { upload: upload.to_owned(), summary, sha256, parts, checked: false };
    // Owners of columns of the same records learn at once if theirs are not the same.
    if record.job.data.partition == Partition::Vertical {
        let mut with = Record::clone(&record);
        with.uploads.insert(from, committed.clone());
        records::rows(&with)?;
    }
    drop(record);
    let mut note = json!({ "what": "uploaded", "job": here.hash, "by": from, "upload": upload, "rows": committed.summary, "sha256": committed.sha256 });
    if !committed.parts.is_empty() {
        note["other ranks"] = json!(committed.parts);
    }
    here.note(note)?;
    here.update(|r| r.uploads.insert(from, committed))?;
    drop(slot);
    runner::ensure(here);
    Ok(true)
}
