//! Owners' identifiers at a party. P0 and P1 evaluate blinded identifiers under a key of their own; P2 has the pseudonyms that come of it, and tells
//! each owner which of its rows are at all owners, and in which order. `trefoil-join` says why none of the three sees an identifier.
//!
//! | limit | kept in | so |
//! |---|---|---|
//! | an owner's rows in a job, committed before anything is evaluated | the table of the owner, which outlives the job | nobody brings more identifiers than it has said |
//! | each batch of them, by its hash | a table of the job | a batch is evaluated again, after a crash, only if it is the same one |
//! | an owner's rows in all jobs: `most_joined_rows` | the table of the owner | who tries identifiers out is stopped by the operator's limit |
//!
//! The key and the lists are sealed, and go when the job is over.

use crate::record::{Record, State};
use crate::server::Here;
use crate::uploads::lock;
use crate::{Error, Result, approvals};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use trefoil_client::approval::{Approval, Role};
use trefoil_client::{join, pieces, request};
use trefoil_job::JobHash;
use trefoil_join::lists::{List, intersect, without_doubles};
use trefoil_join::{MOST_ROWS, oprf};
use trefoil_net::Id;
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;
use trefoil_store::sealed;

/// Bytes in a record of a list's file.
const PIECE: usize = 1 << 20;

/// The folder of a job's key and lists.
pub const FOLDER: &str = "join";

/// The table of how many rows an owner has joined, by jobs.
fn rows_of(owner: Fingerprint) -> String {
    format!("joined rows {owner}")
}

/// The table of the batches that were evaluated in a job, by owner and number: their hashes.
pub fn batches_of(job: JobHash) -> String {
    format!("evaluated {job}")
}

/// Takes the number of an owner's rows; P0 and P1 then evaluate these, for as long as the connection lives.
pub fn begin(here: &Here, stream: &mut Stream, from: Fingerprint, rows: u64, approval: Approval) -> Result<()> {
    let (id, record) = may_join(here, from)?;
    approvals::take(here, from, Role::DataOwner, approval, json!({ "how": "by sharing" }))?;
    if let Some(all) = record.job.data.pad.filter(|all| *all != rows) {
        return Err(Error::Refused(format!(
            "found {rows} rows, expected {all}: the job's data.pad is the number of every owner"
        )));
    }
    commit(here, from, rows)?;
    match id {
        Id::P2 => Ok(request::accept(stream, &None::<String>)?),
        Id::P0 | Id::P1 => evaluate(here, stream, from, rows),
    }
}

/// Which of the three this is, and the job.
fn may_join(here: &Here, from: Fingerprint) -> Result<(Id, Arc<Record>)> {
    let record = here.record()?;
    let refuse = |why: String| Err(Error::Refused(why));
    if record.job.owner_of(from).is_none() {
        return refuse(format!("identifiers are joined by the job's data owners; this is {}", record.job.role(from)));
    }
    let Some(id) = record.job.party_of(here.identity.fingerprint()) else { return Err(here.unknown()) };
    if !record.job.data.joins() {
        return refuse("the job's records are not joined by identifiers".into());
    }
    if !record.approved {
        return refuse(format!("job {} is not approved by this party", here.hash.short()));
    }
    if let State::Cancelled { .. } | State::Trained = record.state {
        return refuse(format!("the job is {}", record.state));
    }
    Ok((id, record))
}

/// Notes how many rows the owner has, unless it is known; then it must be the same number.
fn commit(here: &Here, from: Fingerprint, rows: u64) -> Result<()> {
    let (table, job) = (rows_of(from), here.hash.to_string());
    // Held to the end: of two connections at once the second finds what the first has noted.
    let _jobs = here.jobs();
    let all: Vec<(String, u64)> = here.database.all(&table)?;
    if let Some((_, before)) = all.iter().find(|(of, _)| *of == job) {
        let why = || format!("found {rows} rows, expected {before} as first committed: other records need another job");
        return if *before == rows { Ok(()) } else { Err(Error::Refused(why())) };
    }
    if !(1..=MOST_ROWS).contains(&rows) {
        return Err(Error::Refused(format!("found {rows} rows, expected 1 to {MOST_ROWS}")));
    }
    let most = here.config.most_joined_rows;
    let total = all.iter().fold(rows, |sum, (_, rows)| sum.saturating_add(*rows));
    if total > most {
        let why = format!(
            "found {rows} rows, {total} with those of the owner's other jobs, expected at most {most}: the operator's most_joined_rows"
        );
        return Err(Error::Refused(why));
    }
    here.note(json!({ "what": "rows to join", "job": here.hash, "by": from, "rows": rows, "in all jobs": total }))?;
    Ok(here.database.put(&table, &job, &rows)?)
}

/// P0 and P1: batch by batch.
fn evaluate(here: &Here, stream: &mut Stream, from: Fingerprint, rows: u64) -> Result<()> {
    let key = key(here)?;
    request::accept(stream, &Some(hex::encode(key.public())))?;
    while let Some(join::Blinded { batch, elements }) = join::blinded(stream, rows)? {
        // The job may be over meanwhile.
        may_join(here, from)?;
        let bad = |e: trefoil_join::Error| Error::Refused(format!("batch {batch}: {e}"));
        let evaluated = key.evaluate(&elements).map_err(bad)?;
        count(here, from, batch, &elements)?;
        join::evaluated(stream, &evaluated)?;
    }
    Ok(())
}

/// Notes a batch before it is answered; under its number there is one for good.
fn count(here: &Here, from: Fingerprint, batch: u64, elements: &[oprf::Element]) -> Result<()> {
    let digest = hex::encode(Sha256::digest(elements.as_flattened()));
    let same = here.database.update(&batches_of(here.hash), &format!("{from} {batch}"), |old: Option<String>| {
        let same = old.as_ref().is_none_or(|old| *old == digest);
        Ok((Some(old.unwrap_or(digest)), same))
    })?;
    match same {
        true => Ok(()),
        false => Err(Error::Refused(format!(
            "batch {batch}: found other identifiers than before, expected the same ones: each row is evaluated once, other records need another job"
        ))),
    }
}

/// This party's key for the job, which it makes when it is first needed; that of P2 orders the joined rows.
fn key(here: &Here) -> Result<oprf::Key> {
    let folder = here.folder().join(FOLDER);
    let path = folder.join("key.sealed");
    let bad = |e| Error::config(path.display(), e, "the key of this job's joins");
    // One owner's connection makes it; the others wait.
    let _jobs = here.jobs();
    match sealed::Reader::open(&path, &here.key) {
        Ok(mut reader) => {
            let bytes = zeroize::Zeroizing::new(reader.next()?.unwrap_or_default());
            match reader.next()? {
                None => oprf::Key::from_bytes(&bytes).map_err(bad),
                Some(_) => Err(bad(trefoil_join::Error::Key)),
            }
        }
        Err(trefoil_store::StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            let key = oprf::Key::fresh().map_err(bad)?;
            std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
            sealed::write_atomically(&path, &here.key, b"", [&key.to_bytes()[..]])?;
            Ok(key)
        }
        Err(e) => Err(e.into()),
    }
}

/// P2: takes an owner's pseudonyms, unless they are here.
pub fn pseudonyms(here: &Here, stream: &mut Stream, from: Fingerprint, sha256: &str) -> Result<()> {
    for_p2(may_join(here, from)?)?;
    let rows: Option<u64> = here.database.get(&rows_of(from), &here.hash.to_string())?;
    let rows = rows.ok_or_else(|| Error::Refused("found pseudonyms, expected the number of rows first".into()))?;
    let slot = here.live(|e| e.uploads.entry(from).or_default().clone())?;
    // Of two connections at once the second finds what the first has brought.
    let held = lock(&slot);
    if let Some(before) = here.record()?.joined.get(&from) {
        return match before == sha256 {
            true => Ok(request::accept(stream, &false)?),
            false => Err(Error::Refused(
                "found other pseudonyms than before, expected the same: other records need another job".into(),
            )),
        };
    }
    let bytes = pieces::take(stream, rows as usize * 16)?;
    let bad = |why: String| Error::Refused(format!("pseudonyms: {why}"));
    let list = List::from_bytes(&bytes, rows).map_err(|e| bad(e.to_string()))?;
    let digest = hex::encode(Sha256::digest(&bytes));
    if digest != sha256 {
        return Err(bad("found others than were announced, expected those".into()));
    }
    drop(bytes);
    let path = list_of(here, from);
    let folder = here.folder().join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    sealed::write_atomically(&path, &here.key, digest.as_bytes(), list.to_bytes().chunks(PIECE))?;
    here.note(json!({ "what": "pseudonyms", "job": here.hash, "by": from, "rows": rows, "sha256": digest }))?;
    here.advance(|r| drop(r.joined.insert(from, digest)))?;
    drop(held);
    Ok(request::accept(stream, &())?)
}

/// P2: tells an owner which of its pseudonyms are in the lists of all, or whose are missing.
pub fn joined(here: &Here, stream: &mut Stream, from: Fingerprint) -> Result<()> {
    let (id, record) = may_join(here, from)?;
    let record = for_p2((id, record))?;
    let missing = missing(&record);
    if !missing.is_empty() {
        return Ok(join::answer(stream, Err(missing))?);
    }
    let owner = record.job.owner_of(from).unwrap_or_default();
    let places = matched(here, &record)?.into_iter().nth(owner).unwrap_or_default();
    Ok(join::answer(stream, Ok(&places))?)
}

/// P2: that an owner brings as many records as are joined.
pub fn fits(here: &Here, record: &Record, from: Fingerprint, rows: u64) -> Result<()> {
    let missing = missing(record);
    if !missing.is_empty() {
        return Err(Error::Refused(format!("found records, expected the identifiers of {} first", missing.join(", "))));
    }
    let joined = matched(here, record)?.get(record.job.owner_of(from).unwrap_or_default()).map_or(0, Vec::len);
    match rows == joined as u64 {
        true => Ok(()),
        false => Err(Error::Refused(format!("found {rows} records, expected {joined}, as many as take part"))),
    }
}

fn for_p2((id, record): (Id, Arc<Record>)) -> Result<Arc<Record>> {
    match id {
        Id::P2 => Ok(record),
        Id::P0 | Id::P1 => Err(Error::Refused(format!("pseudonyms are matched by P2; this is {id}"))),
    }
}

/// Owners whose pseudonyms are not here.
fn missing(record: &Record) -> Vec<String> {
    let without = record.job.owner.iter().filter(|o| !record.joined.contains_key(&o.fingerprint));
    without.map(|o| o.name.clone()).collect()
}

fn list_of(here: &Here, owner: Fingerprint) -> PathBuf {
    here.folder().join(FOLDER).join(format!("{}.sealed", &owner.to_string()[..32]))
}

/// For each owner of the job, the places in its list of the joined rows, in their order; or of those that no owner before it has.
fn matched(here: &Here, record: &Record) -> Result<Vec<Vec<u32>>> {
    let read = |owner: Fingerprint| -> Result<List> {
        let path = list_of(here, owner);
        let (mut reader, mut bytes) = (sealed::Reader::open(&path, &here.key)?, vec![]);
        while let Some(piece) = reader.next()? {
            bytes.extend(piece);
        }
        let digest = hex::encode(Sha256::digest(&bytes));
        if record.joined.get(&owner) != Some(&digest) {
            return Err(Error::config(path.display(), "another list", "the one that was handed in"));
        }
        List::from_bytes(&bytes, bytes.len() as u64 / 16).map_err(|e| Error::config(path.display(), e, "a list of pseudonyms"))
    };
    let lists = record.job.owner.iter().map(|o| read(o.fingerprint)).collect::<Result<Vec<List>>>()?;
    let lists: Vec<&List> = lists.iter().collect();
    match record.job.data.leaves_out_doubles() {
        true => Ok(without_doubles(&lists)),
        false => Ok(intersect(&lists, &key(here)?.to_bytes())),
    }
}
