//! What brings one rank of one party its chunks of an upload.

use crate::approval::Approval;
use crate::request::{self, Announcement, Request, Standing};
use crate::share::{Sharing, WINDOW, dial, retry};
use crate::{ACKNOWLEDGED, Address, Error, FINISH, Patience, ROWS, Result, expect, parts};
use std::collections::VecDeque;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use trefoil_net::Frame;
use trefoil_net::identity::Identity;
use trefoil_net::tls::{Stream, connect_for};

/// Brings one party its chunks, or one of its ranks, over as many connections as it takes.
pub(crate) struct Courier<'a> {
    pub(crate) party: &'a Address,
    /// Where another rank than 0 listens.
    other: Option<String>,
    identity: &'a Identity,
    approval: &'a Approval,
    about: &'a Announcement,
    patience: Patience,
    stream: Option<Stream>,
    /// Sent or not, not known to be on the party's disk.
    unsettled: VecDeque<Frame>,
    /// Chunks that are.
    settled: u64,
    /// Where the party's other ranks listen, as it has said.
    pub(crate) lanes: Vec<String>,
    /// How many of `unsettled` have been sent on this connection.
    sent: usize,
}

impl<'a> Courier<'a> {
    pub(crate) fn new(party: &'a Address, sharing: &Sharing<'a>, about: &'a Announcement) -> Self {
        let Sharing { identity, approval, patience, .. } = *sharing;
        let (unsettled, lanes) = (VecDeque::new(), vec![]);
        Courier { party, other: None, identity, approval, about, patience, stream: None, unsettled, settled: 0, lanes, sent: 0 }
    }

    /// One for another rank of the same party.
    pub(crate) fn of_rank(&self, address: &str) -> Courier<'a> {
        let (other, unsettled, lanes) = (Some(address.to_owned()), VecDeque::new(), vec![]);
        Courier { other, stream: None, unsettled, settled: 0, lanes, sent: 0, ..*self }
    }

    fn dial(&self, patience: Duration) -> Result<Stream> {
        let (party, identity) = (self.party, self.identity);
        let Some(address) = &self.other else { return dial(party, identity, Patience { connect: patience, ..self.patience }) };
        let hello = parts::hello(self.about.job, identity.fingerprint());
        let mut stream = connect_for(address, &hello, identity, party.fingerprint, patience)?;
        stream.set_timeouts(Some(self.patience.answer), Some(self.patience.answer))?;
        Ok(stream)
    }

    /// Announces the upload on a new connection; the party says how far it is.
    pub(crate) fn standing(&mut self) -> Result<Standing> {
        self.standing_within(self.patience.connect)
    }

    pub(crate) fn standing_within(&mut self, patience: Duration) -> Result<Standing> {
        let request = Request::Share { about: self.about.clone(), approval: self.approval.clone() };
        let (mut standing, stream) = retry(patience, || {
            let mut stream = self.dial(patience)?;
            Ok((request::ask(&mut stream, &request)?, stream))
        })?;
        (self.stream, self.sent) = (Some(stream), 0);
        if let Standing::Open { lanes, .. } = &mut standing {
            self.lanes = std::mem::take(lanes);
        }
        Ok(standing)
    }

    /// Delivers what comes, until it has delivered the last frame.
    pub(crate) fn deliver(&mut self, frames: &Receiver<Frame>) -> Result<()> {
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
            self.settled += 1;
            self.sent -= 1;
        }
        Ok(())
    }

    /// Tells the party that `upload` is complete at all three; whether that was new to it.
    pub(crate) fn commit(&mut self, upload: &str) -> Result<bool> {
        let request = Request::Commit { job: self.about.job, upload: upload.to_owned() };
        // On the connection that the upload came on, so that no other upload comes in between.
        let mut open = self.stream.take();
        retry(self.patience.connect, || {
            let mut stream = match open.take() {
                Some(stream) => stream,
                None => self.dial(self.patience.connect)?,
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
            Standing::Open { chunks, .. } => chunks,
            // Its acknowledgement was lost.
            Standing::Staged => {
                self.unsettled.clear();
                return Ok(());
            }
            Standing::Committed { upload } => {
                return Err(Error::upload("upload", format!("{upload} complete already"), self.about.upload.clone()));
            }
        };
        while self.settled < chunks && self.unsettled.front().is_some_and(|f| f.label == ROWS) {
            self.unsettled.pop_front();
            self.settled += 1;
        }
        if self.settled != chunks {
            let expected = format!("{}; it has lost some, share again", self.settled);
            return Err(Error::upload("chunks at the party", chunks, expected));
        }
        Ok(())
    }
}
