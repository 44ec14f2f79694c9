//! A data owner: deals its records to the three parties chunk by chunk, each over a connection of its own.
//!
//! A chunk is kept until the party has it on disk, and no longer: memory is constant. A connection that breaks is made again, and
//! goes on where the party says that it stands. Records are used exactly once: an upload counts when the owner has *committed* it at a
//! party, which it does only after all three have all of it, and a party takes no second one after that. If the owner's process dies
//! before, its next upload replaces the unfinished one; if it dies between two commits, the next try completes the first upload.
//!
//! A party of several ranks may say where the others listen: its chunks then go to all of them in turn ([`parts`]).
//!
//! Each upload has a master seed of its own from the operating system, and each chunk a seed from that: a chunk that is sent again is
//! the same chunk under the same masks, and no mask serves two.

use crate::approval::Approval;
use crate::courier::Courier;
use crate::request::{self, Announcement, Standing, Summary};
use crate::{Address, Error, FINISH, Patience, ROWS, Result, parts};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::borrow::Cow;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};
use trefoil_net::identity::Identity;
use trefoil_net::tls::{Stream, connect};
use trefoil_net::{At, Frame, Part};
use trefoil_ring::Tensor;
use zeroize::Zeroizing;

/// Elements in a chunk, about.
pub const CHUNK: usize = 1 << 18;
/// Chunks that wait for a party's connection, and chunks on their way.
pub(crate) const WINDOW: usize = 2;

/// Rows of one chunk: all to train on, or all held out.
pub struct Chunk {
    /// Whether the rows are held out.
    pub test: bool,
    /// [rows, width], ring elements.
    pub x: Tensor,
}

/// Where an owner's chunks come from.
pub trait Source {
    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    /// What is wrong with the owner's file.
    fn next(&mut self) -> std::result::Result<Option<Chunk>, Box<dyn std::error::Error + Send + Sync>>;
}

/// What an upload came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Receipt {
    /// The upload's name.
    pub upload: String,
    /// Rows and chunks; `None` where an earlier try had sent everything.
    pub summary: Option<Summary>,
}

/// Who shares with whom.
pub struct Sharing<'a> {
    /// P0, P1 and P2.
    pub parties: &'a [Address; 3],
    /// The owner.
    pub identity: &'a Identity,
    /// The owner's approval of the job: to share is to approve.
    pub approval: &'a Approval,
    /// Values in a row.
    pub width: usize,
    /// How long to try.
    pub patience: Patience,
    /// Masks from this seed: insecure, for tests.
    pub insecure_seed: Option<[u8; 32]>,
}

impl Sharing<'_> {
    /// Shares all that `source` has, dealt by `deal` (a chunk and a seed give the messages for P0, P1 and P2).
    ///
    /// # Errors
    /// A party cannot be reached, is not who it should be, or refuses; the source fails; no randomness.
    pub fn run(&self, source: &mut dyn Source, deal: impl Fn(&Tensor, [u8; 32]) -> [Vec<Part>; 3]) -> Result<Receipt> {
        let mut name = [0; 16];
        let mut master = Zeroizing::new([0; 32]);
        getrandom::fill(&mut name).map_err(Error::NoRandomness)?;
        getrandom::fill(&mut *master).map_err(Error::NoRandomness)?;
        if let Some(seed) = self.insecure_seed {
            *master = seed;
        }
        let about = Announcement { job: self.approval.job, upload: hex::encode(name), width: self.width };
        let mut couriers = self.parties.each_ref().map(|party| Courier::new(party, self, &about));
        if let Some(upload) = committed_before(&mut couriers)? {
            return Ok(Receipt { upload, summary: None });
        }
        let mut others = parts::reach(&couriers)?;
        let summary = std::thread::scope(|scope| {
            let mut threads = [vec![], vec![]];
            let mut start = |courier, kind: usize| {
                let (queue, frames) = sync_channel(WINDOW);
                let courier: &mut Courier<'_> = courier;
                threads[kind].push(scope.spawn(move || courier.deliver(&frames)));
                queue
            };
            let firsts = couriers.each_mut().map(|courier| start(courier, 0));
            let ways = others.each_mut().map(|others| others.iter_mut().map(|courier| start(courier, 1)).collect::<Vec<_>>());
            let [first, other] = threads;
            let joined = |threads: Vec<std::thread::ScopedJoinHandle<'_, Result<()>>>| {
                let panicked = |_| Err(Error::upload("courier", "a panic", "a delivery"));
                threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).fold(Ok(()), Result::and)
            };
            let summary = produce(source, &firsts, &ways, &master, deal);
            drop(ways);
            // Rank 0 counts what all have, once they have all of it.
            let mut delivered = joined(other);
            if let (Ok(()), Ok(summary)) = (&delivered, &summary) {
                delivered = firsts.iter().try_for_each(|queue| finish(queue, summary));
            }
            drop(firsts);
            // A party that refuses is the cause of a queue that nobody empties.
            joined(first).and(delivered).and(summary)
        })?;
        for courier in &mut couriers {
            courier.commit(&about.upload)?;
        }
        Ok(Receipt { upload: about.upload, summary: Some(summary) })
    }
}

/// Announces the upload to all three, unless P0 has committed an earlier one: then that is committed everywhere. P0 is always first,
/// here and in committing: of two uploads at once, the one that P0 has not committed has then changed nothing at P1 and P2.
fn committed_before([first, rest @ ..]: &mut [Courier<'_>; 3]) -> Result<Option<String>> {
    if let Standing::Committed { upload } = first.standing()? {
        let mut completed = false;
        for courier in rest {
            completed |= courier.commit(&upload)?;
        }
        if completed {
            return Ok(Some(upload));
        }
        let expected = format!("none: upload {upload} is complete, and each record is used once");
        return Err(Error::upload("records of this owner", "a second upload", expected));
    }
    for courier in rest {
        if let Standing::Committed { upload } = courier.standing()? {
            let found = format!("upload {upload} at {}", courier.party.id);
            return Err(Error::upload("records of this owner", found, "the same at all three parties"));
        }
    }
    Ok(None)
}

/// Reads, deals and hands out, until the source ends or a courier is gone: to each party's rank 0 and the others that take part, in turn. These are told when they have all that is theirs.
fn produce(
    source: &mut dyn Source,
    firsts: &[SyncSender<Frame>; 3],
    others: &[Vec<SyncSender<Frame>>; 3],
    master: &[u8; 32],
    deal: impl Fn(&Tensor, [u8; 32]) -> [Vec<Part>; 3],
) -> Result<Summary> {
    let none = Summary { chunks: 0, train_rows: 0, test_rows: 0 };
    let mut summary = none.clone();
    let mut theirs = others.each_ref().map(|others| vec![none.clone(); others.len()]);
    while let Some(chunk) = source.next().map_err(Error::Source)? {
        let (index, count) = (summary.chunks, chunk.x.nrows());
        let parts = deal(&chunk.x, chunk_seed(master, index));
        for (party, parts) in parts.into_iter().enumerate() {
            let at = At { step: index, op: count as u32 };
            let frame = Frame { at, depth: u32::from(chunk.test), label: Cow::Borrowed(ROWS), parts };
            let turn = (index % (1 + others[party].len() as u64)) as usize;
            let queue = match turn.checked_sub(1) {
                Some(other) => {
                    theirs[party][other].add(chunk.test, count);
                    &others[party][other]
                }
                None => &firsts[party],
            };
            queue.send(frame).map_err(|_| gone())?;
        }
        summary.add(chunk.test, count);
    }
    for (queue, summary) in others.iter().flatten().zip(theirs.iter().flatten()) {
        finish(queue, summary)?;
    }
    Ok(summary)
}

/// Tells a rank what it has, once it has it.
fn finish(queue: &SyncSender<Frame>, summary: &Summary) -> Result<()> {
    let at = At { step: summary.chunks, op: 0 };
    queue.send(Frame { at, depth: 0, label: Cow::Borrowed(FINISH), parts: vec![request::json(summary)] }).map_err(|_| gone())
}

fn gone() -> Error {
    Error::upload("delivery", "an end", "all chunks to be taken")
}

/// The seed of a chunk's masks, from the upload's master seed and the chunk's number.
pub fn chunk_seed(master: &[u8; 32], index: u64) -> [u8; 32] {
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(master) else { unreachable!("any length will do") };
    mac.update(b"trefoil chunk");
    mac.update(&index.to_le_bytes());
    mac.finalize().into_bytes().into()
}

/// Connects to a party as a client.
///
/// # Errors
/// It cannot be reached, or is not who it should be.
pub fn dial(party: &Address, identity: &Identity, patience: Patience) -> Result<Stream> {
    let mut stream = connect(&party.address, identity, party.fingerprint, patience.connect)?;
    stream.set_timeouts(Some(patience.answer), Some(patience.answer))?;
    Ok(stream)
}

/// Tries until it works, is refused, or has not worked for as long as `patience`.
pub(crate) fn retry<T>(patience: Duration, mut f: impl FnMut() -> Result<T>) -> Result<T> {
    let until = Instant::now() + patience;
    loop {
        match f() {
            Err(Error::Net(e)) if Instant::now() < until => {
                tracing::warn!("{e}; trying again");
                std::thread::sleep(Duration::from_millis(200));
            }
            other => return other,
        }
    }
}
