//! A client that asks a network about its records: it shares an input, and alone gets the output.

use crate::{Address, Error, MODEL, Patience, ROWS, Result, expect, frame, refuse};
use std::time::Duration;
use trefoil_net::Part;
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::{Listener, Stream, connect};
use trefoil_ring::Tensor;

/// A client's connections to the three parties.
pub struct Session([Stream; 3]);

impl Session {
    /// Connects to all three.
    ///
    /// # Errors
    /// A party cannot be reached, is not who it should be, or refuses.
    pub fn open(parties: &[Address; 3], identity: &Identity, patience: Patience) -> Result<Session> {
        let to = |party: &Address| -> Result<Stream> {
            let mut stream = connect(&party.address, identity, party.fingerprint, patience.connect)?;
            stream.set_timeouts(Some(patience.answer), Some(patience.answer))?;
            Ok(stream)
        };
        Ok(Session([to(&parties[0])?, to(&parties[1])?, to(&parties[2])?]))
    }

    /// Shares `x` and puts together the `outputs` elements of the answer.
    ///
    /// # Errors
    /// A party is gone, or sends something that does not fit; no randomness.
    pub fn ask(
        &mut self,
        x: &Tensor,
        outputs: usize,
        deal: impl Fn(&Tensor, [u8; 32]) -> [Vec<Part>; 3],
        reconstruct: impl Fn(usize, &[Vec<Part>; 3]) -> std::result::Result<Vec<u64>, String>,
    ) -> Result<Vec<u64>> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(Error::NoRandomness)?;
        for (stream, parts) in self.0.iter_mut().zip(deal(x, seed)) {
            stream.write_frame(&frame(ROWS, parts))?;
        }
        let mut answers: [Vec<Part>; 3] = Default::default();
        for (stream, answer) in self.0.iter_mut().zip(&mut answers) {
            *answer = expect(stream, MODEL)?;
        }
        reconstruct(outputs, &answers).map_err(Error::Model)
    }
}

/// A party's half of a session.
pub struct Answers(Stream);

/// Waits for the client.
///
/// # Errors
/// Nobody comes within `timeout`, or somebody else.
pub fn accept(listener: &Listener, client: Fingerprint, timeout: Duration) -> Result<Answers> {
    let (mut stream, from) = listener.accept(timeout)?;
    if from != client {
        refuse(&mut stream, "this party is waiting for another client");
        return Err(Error::Unexpected {
            peer: stream.address().to_owned(),
            found: from.to_string(),
            expected: client.to_string(),
        });
    }
    stream.set_timeouts(Some(timeout), Some(timeout))?;
    Ok(Answers(stream))
}

impl Answers {
    /// The next query, as `accept` reads it.
    ///
    /// # Errors
    /// The client is gone, or sent something unfit.
    pub fn query<T>(&mut self, accept: impl FnOnce(&[Part]) -> std::result::Result<T, String>) -> Result<T> {
        let parts = expect(&mut self.0, ROWS)?;
        accept(&parts).map_err(|e| Error::upload("query", e, "one input"))
    }

    /// Sends this party's part of the answer.
    ///
    /// # Errors
    /// The client is gone.
    pub fn answer(&mut self, parts: Vec<Part>) -> Result<()> {
        Ok(self.0.write_frame(&frame(MODEL, parts))?)
    }
}
