//! Lanes: a party that is a cluster of several processes, its ranks.
//!
//! Rank i of P0, of P1 and of P2 form lane i, a session of three parties with links and keys of its own. The ranks of one party hold the same
//! party's shares, so what they say to one another is no message between parties: it needs no protocol, and must not leave the party. Rank 0 holds what all
//! have in common. Each rank holds rows of the records, and gives others those of a batch that are theirs to work on; what is summed over a batch comes back to rank 0.
//!
//! [`Ranks`] is what the machines of a cluster have to offer for that. [`Lanes`] makes of it what a training needs, and of a rank that has failed an error
//! at all others, so that none waits for ever: messages belong to a session, and those of an earlier one are dropped.

use crate::{Error, Result};
use std::collections::VecDeque;
use std::sync::mpsc;
use trefoil_engine::Lane;

mod switch;

pub use switch::{Channel, Switch, Wire};

/// Ranks of one party that can send each other words.
pub trait Ranks: Send {
    /// Which one this is, counted from 0.
    fn rank(&self) -> usize;
    /// How many there are.
    fn size(&self) -> usize;
    /// Sends; those to one rank arrive in the order in which they were sent.
    ///
    /// # Errors
    /// A text that says why it cannot be sent.
    fn send(&mut self, to: usize, words: Vec<u64>) -> std::result::Result<(), String>;
    /// The next message and who sent it; waits for it.
    ///
    /// # Errors
    /// A text that says why there will be none.
    fn receive(&mut self) -> std::result::Result<(usize, Vec<u64>), String>;
}

/// Words of each message before its own: session and kind.
pub(crate) const FRAME: usize = 2;

/// Where a rank's sums go, and its broadcasts come from: two ranks have one above them.
pub(crate) const fn parent(rank: usize) -> usize {
    (rank - 1) / 2
}

/// What a message is.
const DATA: u64 = 0;
const BEGIN: u64 = 1;
const FAILED: u64 = 2;

/// What lane 0 has the others do.
pub(crate) const DISMISS: u64 = 0;
pub(crate) const STEP: u64 = 1;
pub(crate) const ANSWER: u64 = 2;
pub(crate) const HOLD: u64 = 3;
pub(crate) const BRING: u64 = 4;

/// What the ranks of a party say to one another, session by session.
pub struct Lanes {
    ranks: Box<dyn Ranks>,
    /// How many of them take part in the session.
    of: usize,
    session: u64,
    /// What has come of this session, by sender.
    waiting: Vec<VecDeque<Vec<u64>>>,
    /// The beginning of another session, which came before this one was over here.
    next: Option<(u64, Vec<u64>)>,
}

impl Lanes {
    /// Between these ranks.
    pub fn new(ranks: impl Ranks + 'static) -> Lanes {
        let waiting = (0..ranks.size()).map(|_| VecDeque::new()).collect();
        Lanes { of: ranks.size(), ranks: Box::new(ranks), session: 0, waiting, next: None }
    }

    /// Which lane this rank is in.
    pub fn lane(&self) -> Lane {
        Lane { rank: self.ranks.rank(), of: self.of }
    }

    /// How many ranks there are.
    pub fn ranks(&self) -> usize {
        self.ranks.size()
    }

    /// Rank 0: begins a session of so many lanes, and tells their ranks what it is about.
    ///
    /// # Errors
    /// A rank is gone.
    pub fn begin(&mut self, what: &[u8], of: usize) -> Result<()> {
        self.enter(self.session + 1, of.clamp(1, self.ranks.size()));
        let mut words = vec![self.of as u64];
        words.extend(words_of(what));
        (1..self.of).try_for_each(|to| self.put(to, BEGIN, words.clone()))
    }

    /// Another rank: what the next session is about.
    ///
    /// # Errors
    /// Rank 0 is gone.
    pub fn begun(&mut self) -> Result<Vec<u8>> {
        let (session, words) = loop {
            if let Some(next) = self.next.take() {
                break next;
            }
            if let (0, session, BEGIN, words) = self.get()? {
                break (session, words);
            }
        };
        let Some((of, what)) = words.split_first() else { return Err(of_another_length(0, 0, 2)) };
        let rank = self.ranks.rank();
        self.enter(session, (*of as usize).clamp(rank + 1, self.ranks.size()));
        bytes_of(0, what)
    }

    /// Another rank: says something to rank 0, which asks all of them.
    pub(crate) fn answer(&mut self, what: &[u8]) -> Result<()> {
        self.give(0, words_of(what))
    }

    /// Rank 0: asks the other ranks of the session, which wait for what is next; what each of them says.
    pub(crate) fn ask(&mut self) -> Result<Vec<Vec<u8>>> {
        self.spread(vec![ANSWER])?;
        (1..self.of).map(|rank| self.take(rank).and_then(|words| bytes_of(rank, &words))).collect()
    }

    /// This rank's part of the session has failed: the others hear of it, and need not wait.
    pub fn fail(&mut self, why: &str) {
        let words: Vec<u64> = why.bytes().map(u64::from).collect();
        let Lane { rank, of } = self.lane();
        for to in (0..of).filter(|to| *to != rank) {
            // Whoever does not hear it is gone too.
            let _ = self.put(to, FAILED, words.clone());
        }
        self.enter(self.session, self.of);
    }

    /// Sends words to a rank.
    ///
    /// # Errors
    /// It is gone.
    pub fn give(&mut self, to: usize, words: Vec<u64>) -> Result<()> {
        self.put(to, DATA, words)
    }

    /// The next words from a rank.
    ///
    /// # Errors
    /// A rank is gone or has failed.
    pub fn take(&mut self, from: usize) -> Result<Vec<u64>> {
        loop {
            if let Some(words) = self.waiting[from].pop_front() {
                return Ok(words);
            }
            let (sender, session, kind, words) = self.get()?;
            let lane = |why: String| Err(Error::Lane { rank: sender, why });
            match kind {
                DATA if session == self.session => self.waiting[sender].push_back(words),
                FAILED if session == self.session => {
                    return lane(words.iter().filter_map(|c| char::from_u32(*c as u32)).take(300).collect());
                }
                BEGIN => {
                    self.next = Some((session, words));
                    return lane("has ended the session".into());
                }
                _ => {}
            }
        }
    }

    /// The sum of all ranks' words modulo 2^64, at rank 0: along a tree, so that no rank adds up more than two others'.
    ///
    /// # Errors
    /// A rank is gone or has failed, or has another number of words.
    pub fn sum(&mut self, mut words: Vec<u64>) -> Result<Option<Vec<u64>>> {
        let Lane { rank, of } = self.lane();
        for child in [2 * rank + 1, 2 * rank + 2].into_iter().filter(|child| *child < of) {
            let theirs = self.take(child)?;
            if theirs.len() != words.len() {
                return Err(of_another_length(child, theirs.len(), words.len()));
            }
            words.iter_mut().zip(theirs).for_each(|(word, theirs)| *word = word.wrapping_add(theirs));
        }
        if rank == 0 {
            return Ok(Some(words));
        }
        self.give(parent(rank), words)?;
        Ok(None)
    }

    /// Rank 0's words, at all ranks: along the same tree. The other ranks' own are not looked at.
    ///
    /// # Errors
    /// A rank is gone or has failed.
    pub fn spread(&mut self, words: Vec<u64>) -> Result<Vec<u64>> {
        let Lane { rank, of } = self.lane();
        let words = if rank == 0 { words } else { self.take(parent(rank))? };
        for child in [2 * rank + 1, 2 * rank + 2].into_iter().filter(|child| *child < of) {
            self.give(child, words.clone())?;
        }
        Ok(words)
    }

    fn enter(&mut self, session: u64, of: usize) {
        (self.session, self.of) = (session, of);
        self.waiting.iter_mut().for_each(VecDeque::clear);
    }

    fn put(&mut self, to: usize, kind: u64, words: Vec<u64>) -> Result<()> {
        let mut message = Vec::with_capacity(FRAME + words.len());
        message.extend([self.session, kind]);
        message.extend(words);
        self.ranks.send(to, message).map_err(|why| Error::Lane { rank: to, why })
    }

    /// Sender, session, kind and words of the next message.
    fn get(&mut self) -> Result<(usize, u64, u64, Vec<u64>)> {
        let (sender, mut words) = self.ranks.receive().map_err(|why| Error::Lane { rank: self.ranks.rank(), why })?;
        match words[..] {
            [session, kind, ..] if sender < self.waiting.len() => {
                words.drain(..FRAME);
                Ok((sender, session, kind, words))
            }
            _ => Err(of_another_length(sender, words.len(), FRAME)),
        }
    }
}

/// Bytes as words: how many they are, and eight of them in each.
pub fn words_of(bytes: &[u8]) -> Vec<u64> {
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    std::iter::once(bytes.len() as u64).chain(bytes.chunks(8).map(word)).collect()
}

/// The bytes again, which a rank has sent.
///
/// # Errors
/// It has sent nothing.
pub fn bytes_of(rank: usize, words: &[u64]) -> Result<Vec<u8>> {
    let (n, words) = words.split_first().ok_or_else(|| of_another_length(rank, 0, 1))?;
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.truncate(*n as usize);
    Ok(bytes)
}

pub(crate) fn of_another_length(rank: usize, found: usize, expected: usize) -> Error {
    Error::Lane { rank, why: format!("sent {found} words, expected {expected}") }
}

/// Ranks that are threads of one process.
pub struct Threads {
    rank: usize,
    to: Vec<mpsc::Sender<(usize, Vec<u64>)>>,
    from: mpsc::Receiver<(usize, Vec<u64>)>,
}

impl Threads {
    /// So many of them, one for each thread.
    pub fn new(n: usize) -> Vec<Threads> {
        let (to, from): (Vec<_>, Vec<_>) = (0..n).map(|_| mpsc::channel()).unzip();
        from.into_iter().enumerate().map(|(rank, from)| Threads { rank, to: to.clone(), from }).collect()
    }
}

impl Wire for Threads {
    fn rank(&self) -> usize {
        self.rank
    }
    fn size(&self) -> usize {
        self.to.len()
    }
    fn send(&mut self, to: usize, words: Vec<u64>) -> std::result::Result<(), String> {
        Ranks::send(self, to, words)
    }
    fn poll(&mut self) -> std::result::Result<Option<(usize, Vec<u64>)>, String> {
        match self.from.try_recv() {
            Ok(message) => Ok(Some(message)),
            Err(mpsc::TryRecvError::Empty) => Ok(None),
            Err(mpsc::TryRecvError::Disconnected) => Err("all other threads have ended".into()),
        }
    }
}

impl Ranks for Threads {
    fn rank(&self) -> usize {
        self.rank
    }
    fn size(&self) -> usize {
        self.to.len()
    }
    fn send(&mut self, to: usize, words: Vec<u64>) -> std::result::Result<(), String> {
        let there = self.to.get(to).ok_or_else(|| format!("there are {} ranks", self.to.len()))?;
        there.send((self.rank, words)).map_err(|_| "its thread has ended".into())
    }
    fn receive(&mut self) -> std::result::Result<(usize, Vec<u64>), String> {
        self.from.recv().map_err(|_| "all other threads have ended".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn each<T: Send + 'static>(n: usize, f: impl Fn(Lanes) -> T + Clone + Send + 'static) -> Vec<T> {
        let ranks = Threads::new(n).into_iter().map(|ranks| {
            let f = f.clone();
            thread::spawn(move || f(Lanes::new(ranks)))
        });
        ranks.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
    }

    #[test]
    fn sums_and_what_is_spread() {
        for n in 1..=7 {
            let sums = each(n, |mut lanes| {
                let rank = lanes.lane().rank as u64;
                let sum = lanes.sum(vec![rank, u64::MAX]).unwrap();
                (sum, lanes.spread(vec![rank + 5]).unwrap())
            });
            let all = (0..n as u64).sum::<u64>();
            assert_eq!(sums[0].0, Some(vec![all, (n as u64).wrapping_neg()]));
            assert!(sums[1..].iter().all(|(sum, _)| sum.is_none()));
            assert!(sums.iter().all(|(_, spread)| spread == &[5]));
        }
    }

    #[test]
    fn a_rank_that_fails_is_waited_for_by_nobody() {
        let ends = each(4, |mut lanes| {
            let rank = lanes.lane().rank;
            if rank == 0 {
                lanes.begin(b"the first of two", 4).unwrap();
            } else {
                assert_eq!(lanes.begun().unwrap(), b"the first of two");
            }
            let why = match rank {
                3 => "a link is gone".to_owned(),
                _ => lanes.sum(vec![1]).and_then(|_| lanes.spread(vec![])).err().unwrap().to_string(),
            };
            lanes.fail(&why);
            // What is left of the first session does not disturb the second.
            match rank {
                0 => lanes.begin(b"", 4).unwrap(),
                _ => assert_eq!(lanes.begun().unwrap(), b""),
            }
            (why, lanes.sum(vec![1]).unwrap())
        });
        assert!(ends[..3].iter().all(|(why, _)| why.ends_with("a link is gone")), "{:?}", ends[0].0);
        assert_eq!(ends[0].1, Some(vec![4]));
    }
}
