//! Proofs that run beside the program of a party: one thread proves what has been claimed about words, another what has been claimed about bits, while the program claims the next batch.
//!
//! Each thread has a [strand](trefoil_net::Strand) of the network, so its rounds add none to the program's, and addresses of its own, so no draw of a proof is one of the program's. A program that has a batch more waits until the one before is proven:
//! so no party is further ahead of what is proven than two batches, a helper neither, and memory is bounded.

use super::{Bits, Claim, Ring, Words, prove};
use crate::{Cost, Error, Party, Result};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use trefoil_net::{At, Net, Strand};

/// Rows of words have 2^5 slots, those of bits 2^6 words of 64 claims each.
const VARIABLES: [u32; 2] = [5, 6];
/// How long a proof that is on its way may take to say that a peer was right to stop.
const A_WHILE: Duration = Duration::from_secs(2);

/// Claims that are proven together, by prover.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) words: [Vec<Claim>; 3],
    pub(crate) bits: [Vec<Claim>; 3],
    /// How much of them there is: the same number at all three.
    pub(crate) size: usize,
}

/// A party's two threads.
pub(crate) struct Provers {
    of_words: Prover,
    of_bits: Prover,
    /// To interrupt them.
    net: Strand,
}

impl Provers {
    /// For this party.
    pub(crate) fn of(p: &Party) -> Provers {
        let [words, bits] = VARIABLES;
        Provers {
            of_words: Prover::of::<Words>(p.beside(1, "proofs"), words),
            of_bits: Prover::of::<Bits>(p.beside(2, "proofs"), bits),
            net: p.net.beside(1),
        }
    }

    /// A batch more, which was complete at this place; what those before have cost.
    ///
    /// # Errors
    /// Those of a proof of them.
    pub(crate) fn take(&mut self, at: At, batch: Batch) -> Result<Cost> {
        let cost = self.finish()?;
        self.of_words.begin(at, batch.words);
        self.of_bits.begin(at, batch.bits);
        Ok(cost)
    }

    /// Waits for all that is being proven; what it has cost.
    ///
    /// # Errors
    /// Those of a proof.
    pub(crate) fn finish(&mut self) -> Result<Cost> {
        let mut cost = self.of_words.finish()?;
        cost += self.of_bits.finish()?;
        Ok(cost)
    }

    /// That a proof is rejected, if it is.
    pub(crate) fn rejection(&mut self) -> Option<Error> {
        self.of_words.rejection().or_else(|| self.of_bits.rejection())
    }
}

impl Drop for Provers {
    /// A proof that is on its way when a party gives up is given up too.
    fn drop(&mut self) {
        if self.of_words.at_work || self.of_bits.at_work {
            self.net.stop();
        }
    }
}

type Claims = [Vec<Claim>; 3];

/// A thread that proves one batch after the other.
struct Prover {
    /// Dropped to end the thread.
    batches: Option<Sender<(At, Claims)>>,
    ends: Receiver<Result<Cost>>,
    /// Whether there is a batch of which the end is not known.
    at_work: bool,
    thread: Option<JoinHandle<()>>,
}

impl Prover {
    fn of<R: Ring>(mut p: Party, variables: u32) -> Prover {
        let ((batches, taken), (told, ends)) = (channel::<(At, Claims)>(), channel());
        let run = move || {
            for (at, claims) in taken {
                p.begin_step(at.step);
                let end = prove::<R>(&mut p, &claims, variables).map(|()| spent(&mut p));
                // Where the program was is what its operators know.
                let end = end.map_err(|e| {
                    if let Error::Rejected { prover, what, .. } = e { Error::Rejected { at, prover, what } } else { e }
                });
                if told.send(end).is_err() {
                    break;
                }
            }
        };
        Prover { batches: Some(batches), ends, at_work: false, thread: Some(thread::spawn(run)) }
    }

    fn begin(&mut self, at: At, claims: Claims) {
        if claims.iter().any(|claims| !claims.is_empty()) {
            self.at_work = self.batches.as_ref().is_some_and(|batches| batches.send((at, claims)).is_ok());
        }
    }

    fn finish(&mut self) -> Result<Cost> {
        if !std::mem::take(&mut self.at_work) {
            return Ok(Cost::default());
        }
        // A thread that tells nothing has panicked.
        self.ends.recv().unwrap_or(Err(Error::Panicked))
    }

    fn rejection(&mut self) -> Option<Error> {
        if !self.at_work {
            return None;
        }
        match self.ends.recv_timeout(A_WHILE) {
            Ok(Err(e @ Error::Rejected { .. })) => Some(e),
            Err(RecvTimeoutError::Timeout) => None,
            _ => {
                self.at_work = false;
                None
            }
        }
    }
}

impl Drop for Prover {
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there has been reported by its hook
        }
    }
}

/// What a proof has cost. Its rounds, and the time that it has waited, are none of the program's.
fn spent(p: &mut Party) -> Cost {
    let mut cost = std::mem::take(&mut p.cost);
    cost.entries.values_mut().for_each(|entry| (entry.rounds, entry.seconds) = (0, 0.0));
    cost
}
