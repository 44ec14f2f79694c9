//! A data owner: deals its records to the three parties chunk by chunk, each over a connection of its own.
//!
//! A chunk is kept until the party has it on disk, and no longer: memory is constant. A connection that breaks is made again, and
//! goes on where the party says that it stands. Records are used exactly once: an upload counts when the owner has *committed* it at a
//! party, which it does only after all three have all of it, and a party takes no second one after that. If the owner's process dies
//! before, its next upload replaces the unfinished one; if it dies between two commits, the next try completes the first upload.
//!
//! Each upload has a master seed of its own from the operating system, and each chunk a seed from that: a chunk that is sent again is
//! the same chunk under the same masks, and no mask serves two.

use crate::approval::Approval;
use crate::request::{self, Announcement, Request, Standing, Summary};
use crate::{ACKNOWLEDGED, Address, Error, FINISH, Patience, ROWS, Result, expect};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use trefoil_net::identity::Identity;
use trefoil_net::tls::{Stream, connect};
use trefoil_net::{At, Frame, Part};
use trefoil_ring::Tensor;
use zeroize::Zeroizing;

/// Elements in a chunk, about.
pub const CHUNK: usize = 1 << 18;
/// Chunks that wait for a party's connection, and chunks on their way.
const WINDOW: usize = 2;

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
        let summary = std::thread::scope(|scope| {
            let (mut queues, mut threads) = (vec![], vec![]);
            for courier in &mut couriers {
                let (queue, frames) = sync_channel(WINDOW);
                queues.push(queue);
                threads.push(scope.spawn(move || courier.deliver(&frames)));
            }
            let summary = produce(source, &queues, &master, deal);
            drop(queues);
            let mut delivered = Ok(());
            for thread in threads {
                let result = thread.join().unwrap_or_else(|_| Err(Error::upload("courier", "a panic", "a delivery")));
                delivered = delivered.and(result);
            }
            // A party that refuses is the cause of a queue that nobody empties.
            delivered.and(summary)
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

/// Reads, deals and hands out, until the source ends or a party's courier is gone.
fn produce(
    source: &mut dyn Source,
    queues: &[SyncSender<Frame>],
    master: &[u8; 32],
    deal: impl Fn(&Tensor, [u8; 32]) -> [Vec<Part>; 3],
) -> Result<Summary> {
    let gone = || Error::upload("delivery", "an end", "all chunks to be taken");
    let mut rows = [0u64; 2];
    let mut index = 0u64;
    while let Some(chunk) = source.next().map_err(Error::Source)? {
        let count = chunk.x.nrows();
        let parts = deal(&chunk.x, chunk_seed(master, index));
        for (queue, parts) in queues.iter().zip(parts) {
            let at = At { step: index, op: count as u32 };
            let frame = Frame { at, depth: u32::from(chunk.test), label: Cow::Borrowed(ROWS), parts };
            queue.send(frame).map_err(|_| gone())?;
        }
        rows[usize::from(chunk.test)] += count as u64;
        index += 1;
    }
    let summary = Summary { chunks: index, train_rows: rows[0], test_rows: rows[1] };
    for queue in queues {
        let at = At { step: index, op: 0 };
        let frame = Frame { at, depth: 0, label: Cow::Borrowed(FINISH), parts: vec![request::json(&summary)] };
        queue.send(frame).map_err(|_| gone())?;
    }
    Ok(summary)
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

/// Brings one party its chunks, over as many connections as it takes.
struct Courier<'a> {
    party: &'a Address,
    identity: &'a Identity,
    approval: &'a Approval,
    about: &'a Announcement,
    patience: Patience,
    stream: Option<Stream>,
    /// Sent or not, not known to be on the party's disk.
    unsettled: VecDeque<Frame>,
    /// How many of `unsettled` have been sent on this connection.
    sent: usize,
}

impl<'a> Courier<'a> {
    fn new(party: &'a Address, sharing: &Sharing<'a>, about: &'a Announcement) -> Self {
        let Sharing { identity, approval, patience, .. } = *sharing;
        Courier { party, identity, approval, about, patience, stream: None, unsettled: VecDeque::new(), sent: 0 }
    }

    /// Announces the upload on a new connection; the party says how far it is.
    fn standing(&mut self) -> Result<Standing> {
        let (party, identity, patience) = (self.party, self.identity, self.patience);
        let request = Request::Share { about: self.about.clone(), approval: self.approval.clone() };
        let (standing, stream) = retry(patience.connect, || {
            let mut stream = dial(party, identity, patience)?;
            Ok((request::ask(&mut stream, &request)?, stream))
        })?;
        (self.stream, self.sent) = (Some(stream), 0);
        Ok(standing)
    }

    /// Delivers what comes, until it has delivered the last frame.
    fn deliver(&mut self, frames: &Receiver<Frame>) -> Result<()> {
        for frame in frames {
            let last = frame.label == FINISH;
            self.unsettled.push_back(frame);
            self.settle(if last { 0 } else { WINDOW })?;
            if last {
                return Ok(());
            }
        }
        // The source has failed, and says why itself.
        Ok(())
    }

    /// Sends what is not sent, and waits until at most `most` chunks are not on the party's disk.
    fn settle(&mut self, most: usize) -> Result<()> {
        let mut deadline = Instant::now() + self.patience.connect;
        loop {
            match self.try_settle(most) {
                Err(Error::Net(e)) if Instant::now() < deadline => {
                    tracing::warn!("{}: {e}; connecting again", self.party.id);
                    self.stream = None;
                    std::thread::sleep(Duration::from_millis(100));
                    let before = self.unsettled.len();
                    self.resume()?;
                    if self.unsettled.len() < before {
                        deadline = Instant::now() + self.patience.connect;
                    }
                }
                other => return other,
            }
        }
    }

    fn try_settle(&mut self, most: usize) -> Result<()> {
        if self.stream.is_none() {
            self.resume()?;
        }
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while self.sent < self.unsettled.len() {
            stream.write_frame(&self.unsettled[self.sent])?;
            self.sent += 1;
        }
        while self.unsettled.len() > most {
            expect(stream, ACKNOWLEDGED)?;
            self.unsettled.pop_front();
            self.sent -= 1;
        }
        Ok(())
    }

    /// Tells the party that `upload` is complete at all three; whether that was new to it.
    fn commit(&mut self, upload: &str) -> Result<bool> {
        let request = Request::Commit { job: self.about.job, upload: upload.to_owned() };
        // On the connection that the upload came on, so that no other upload comes in between.
        let mut open = self.stream.take();
        retry(self.patience.connect, || {
            let mut stream = match open.take() {
                Some(stream) => stream,
                None => dial(self.party, self.identity, self.patience)?,
            };
            let new = request::ask(&mut stream, &request)?;
            // The party has it; whether it hears the farewell changes nothing.
            let _ = stream.close();
            Ok(new)
        })
    }

    /// A new connection, and what the party has is settled.
    fn resume(&mut self) -> Result<()> {
        let standing = self.standing()?;
        let chunks = match standing {
            Standing::Open { chunks } => chunks,
            // Its acknowledgement was lost.
            Standing::Staged => {
                self.unsettled.clear();
                return Ok(());
            }
            Standing::Committed { upload } => {
                return Err(Error::upload("upload", format!("{upload} complete already"), self.about.upload.clone()));
            }
        };
        while self.unsettled.front().is_some_and(|f| f.label == ROWS && f.at.step < chunks) {
            self.unsettled.pop_front();
        }
        let next = self.unsettled.front().map_or(chunks, |f| f.at.step);
        if next != chunks {
            return Err(Error::upload("chunks at the party", chunks, format!("{next}; it has lost some, share again")));
        }
        Ok(())
    }
}
