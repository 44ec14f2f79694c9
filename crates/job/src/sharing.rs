//! An owner's file on its way to the parties: the client's side of a job.

use crate::compiled::Compiled;
use crate::suites::WithSuite;
use crate::{Error, Job, Result, StartModel};
use serde::de::DeserializeOwned;
use std::sync::mpsc;
use trefoil_client::approval::{Approval, Role};
use trefoil_client::join::{self, Joining};
use trefoil_client::request::{self, Request};
use trefoil_client::share::{Chunk, Receipt, Sharing, Source as Chunks};
use trefoil_client::{Address, JobHash, Patience, share};
use trefoil_data::records::{Account, Checked, Records, Source, Table, check, check_table};
use trefoil_mpc::{Part, Party};
use trefoil_net::identity::Identity;
use trefoil_ring::Tensor;

/// Brings a job, the caller's signed approval of it in each of its roles, and the model to start from where there is one, to the parties
/// that the caller speaks to; each that has them is told to `told`.
///
/// # Errors
/// The identity is none of the job's members; a party refuses, cannot be reached, or makes another job of it.
pub fn approve(
    job: &Job,
    identity: &Identity,
    start: Option<&StartModel>,
    patience: Patience,
    told: &mut dyn FnMut(&Address),
) -> Result<()> {
    let (me, hash) = (identity.fingerprint(), job.hash());
    let signed = job.roles(me).into_iter().map(|role| Approval::sign(identity, hash, role));
    let signed: Vec<Approval> = signed.collect::<std::result::Result<_, _>>()?;
    if signed.is_empty() {
        return Err(Error::config("key", job.role(me), "a member of the job"));
    }
    for party in job.reached_by(me) {
        propose(job, identity, &party, patience)?;
        for approval in &signed {
            let request = Request::Approve { job: hash, approval: approval.clone() };
            request::call::<()>(&party, identity, patience, &request)?;
        }
        if let Some(model) = start {
            job.give_start(model, identity, &party, patience)?;
        }
        told(&party);
    }
    Ok(())
}

/// Brings a job to a party.
///
/// # Errors
/// The party refuses, cannot be reached, or makes another job of it.
pub fn propose(job: &Job, identity: &Identity, party: &Address, patience: Patience) -> Result<()> {
    let value = serde_json::to_value(job).map_err(|e| Error::config("job", e, "a job"))?;
    let found: JobHash = request::call(party, identity, patience, &Request::Propose { job: value })?;
    let hash = job.hash();
    match found == hash {
        true => Ok(()),
        false => Err(Error::config(format!("job's hash at {}", party.id), found, hash)),
    }
}

/// Asks all parties that the caller speaks to at once; each answer is told as it comes.
pub fn ask<T: DeserializeOwned + Send>(
    job: &Job,
    identity: &Identity,
    patience: Patience,
    request: &Request,
    mut told: impl FnMut(Address, Result<T>),
) {
    std::thread::scope(|scope| {
        let (sender, answers) = mpsc::channel();
        for party in job.reached_by(identity.fingerprint()) {
            let sender = sender.clone();
            scope.spawn(move || {
                let answer = request::call(&party, identity, patience, request).map_err(Error::from);
                // Who asked waits for all of them.
                let _ = sender.send((party, answer));
            });
        }
        drop(sender);
        answers.into_iter().for_each(|(party, answer)| told(party, answer));
    });
}

/// How far a sharing is.
pub enum Progress<'a> {
    /// So many rows' identifiers have their pseudonyms, of all.
    Identifiers(u64, u64),
    /// The identifiers of these owners are not there yet; they are waited for.
    Waiting(&'a [String]),
    /// So many of the owner's rows take part, of all.
    Joined(u64, u64),
    /// So many of the owner's records are at no owner before it, of all: the others are left out.
    First(u64, u64),
    /// So many bytes of the file are read, of all.
    Bytes(u64, u64),
}

/// Is told how far a sharing is, and may end it.
pub type Tell<'a> = dyn FnMut(Progress<'_>) -> Result<()> + 'a;

/// Shares all records of a file under a job. It is read twice: before anything leaves the machine, `told` is told what becomes of its
/// values, which is for the owner alone; then, where the job joins rows by identifiers, which of them take part is found, for which all owners
/// are waited for; and `progress` is told how far it is. An error of either ends it.
///
/// # Errors
/// The identity is none of the job's owners; the file does not fit the job's schema, or more of a column would be clipped than the job
/// lets pass; a party refuses or cannot be reached.
pub fn share(
    job: &Job,
    identity: &Identity,
    source: &Source,
    patience: Patience,
    insecure_seed: Option<[u8; 32]>,
    told: &mut dyn FnMut(&Account),
    progress: &mut Tell<'_>,
) -> Result<Receipt> {
    let (columns, labelled) = held_by(job, identity)?;
    let account = good(job, check(source, &job.data, &columns, labelled)?, told)?;
    let records = Records::open(source, &job.data, &columns, labelled)?;
    share_records(job, identity, (records, account), patience, insecure_seed, progress)
}

/// What a table in memory is found to be, before anything leaves the machine: what becomes of its values is for the owner alone.
///
/// # Errors
/// As for [`share()`], but for what is clipped.
pub fn look_at(job: &Job, identity: &Identity, table: &Table) -> Result<Account> {
    let (columns, labelled) = held_by(job, identity)?;
    Ok(check_table(table, &job.data, &columns, labelled)?.good()?)
}

/// Shares all records of a table that was looked at; its columns are found by their names.
///
/// # Errors
/// As for [`share()`].
pub fn share_table(
    job: &Job,
    identity: &Identity,
    (table, account): (&Table, Account),
    patience: Patience,
    progress: &mut Tell<'_>,
) -> Result<Receipt> {
    let (columns, labelled) = held_by(job, identity)?;
    let account = within(job, account)?;
    let records = Records::in_memory(table, &job.data, &columns, labelled)?;
    share_records(job, identity, (records, account), patience, None, progress)
}

/// The columns of one of the job's owners, and whether it has the label.
fn held_by(job: &Job, identity: &Identity) -> Result<(Vec<String>, bool)> {
    let me = identity.fingerprint();
    let owner = job.owner_of(me).ok_or_else(|| Error::config("key", job.role(me), "one of the job's data owners"))?;
    Ok(job.holding(owner))
}

/// What a file was found to be, if it may be shared.
fn good(job: &Job, checked: Checked, told: &mut dyn FnMut(&Account)) -> Result<Account> {
    let account = checked.good()?;
    told(&account);
    within(job, account)
}

/// The same, if no more of a column is clipped than the job lets pass.
fn within(job: &Job, account: Account) -> Result<Account> {
    match account.too_many_clipped(&job.data) {
        None => Ok(account),
        Some(refused) => Err(refused.into()),
    }
}

/// Shares records that are open, and were read once before.
fn share_records(
    job: &Job,
    identity: &Identity,
    (records, mut account): (Records, Account),
    patience: Patience,
    insecure_seed: Option<[u8; 32]>,
    progress: &mut Tell<'_>,
) -> Result<Receipt> {
    let records = match account.identifiers.take() {
        None => records.counted_in(&account),
        Some(identifiers) => {
            let rows = join(job, identity, &identifiers, patience, progress)?;
            records.in_order(&rows, identifiers)?
        }
    };
    let width = records.width();
    let mut chunks = FileChunks { rows: (share::CHUNK / width.max(1)).max(1), width, records, progress };
    send(job, identity, &mut chunks, width, patience, insecure_seed, &|_, _| ())
}

/// Which of the rows with these identifiers take part, in the order of all owners' rows.
fn join(
    job: &Job,
    identity: &Identity,
    identifiers: &[Vec<u8>],
    patience: Patience,
    progress: &mut Tell<'_>,
) -> Result<Vec<u32>> {
    let parties = job.addresses();
    let approval = Approval::sign(identity, job.hash(), Role::DataOwner)?;
    let joining = Joining { parties: &parties, identity, approval: &approval, patience, pad: job.data.pad };
    let mut tell = |at: join::Progress<'_>| {
        let at = match at {
            join::Progress::Rows(done, all) => Progress::Identifiers(done, all),
            join::Progress::Waiting(missing) => Progress::Waiting(missing),
        };
        Ok(progress(at)?)
    };
    let mut rows = joining.run(identifiers, &mut tell)?;
    let (some, all) = (rows.len() as u64, identifiers.len() as u64);
    let doubles = job.data.leaves_out_doubles();
    progress(if doubles { Progress::First(some, all) } else { Progress::Joined(some, all) })?;
    if doubles {
        // Of rows that are not joined with others', the owner's order is the one that there is.
        rows.sort_unstable();
    }
    match rows.is_empty() {
        true if doubles => Err(Error::Refused("found no record that no earlier owner has, expected some".into())),
        true => Err(Error::Refused("found no identifier that all owners have, expected some".into())),
        false => Ok(rows),
    }
}

/// Shares chunks from anywhere. `told` is shown each chunk, and what P0, P1 and P2 are sent of it.
///
/// # Errors
/// As for [`share()`].
pub fn send(
    job: &Job,
    identity: &Identity,
    chunks: &mut dyn Chunks,
    width: usize,
    patience: Patience,
    insecure_seed: Option<[u8; 32]>,
    told: &dyn Fn(&Tensor, &[Vec<Part>; 3]),
) -> Result<Receipt> {
    let parties = job.addresses();
    let approval = Approval::sign(identity, job.hash(), Role::DataOwner)?;
    let sharing = Sharing { parties: &parties, identity, approval: &approval, width, patience, insecure_seed };
    job.chosen().with(Upload { sharing, chunks, told })
}

/// Chunks on their way, split as the suite does it.
struct Upload<'a> {
    sharing: Sharing<'a>,
    chunks: &'a mut dyn Chunks,
    told: &'a dyn Fn(&Tensor, &[Vec<Part>; 3]),
}

impl WithSuite for Upload<'_> {
    type Out = Result<Receipt>;

    fn run<S: Compiled>(self, _: impl Fn(Party) -> S) -> Result<Receipt> {
        let deal = |x: &Tensor, seed| {
            let sent = S::deal(x, seed);
            (self.told)(x, &sent);
            sent
        };
        Ok(self.sharing.run(self.chunks, deal)?)
    }
}

/// A file's records as ring elements.
struct FileChunks<'a> {
    records: Records,
    rows: usize,
    width: usize,
    progress: &'a mut Tell<'a>,
}

impl Chunks for FileChunks<'_> {
    fn next(&mut self) -> std::result::Result<Option<Chunk>, Box<dyn std::error::Error + Send + Sync>> {
        let Some(chunk) = self.records.next(self.rows)? else { return Ok(None) };
        let (read, all) = self.records.progress();
        (self.progress)(Progress::Bytes(read, all))?;
        // Two's complement: the ring's way to have negative numbers.
        let words = chunk.values.iter().map(|v| *v as u64).collect();
        Ok(Some(Chunk { test: chunk.test, x: Tensor::from_shape_vec((chunk.rows, self.width), words)? }))
    }
}
