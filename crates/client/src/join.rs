//! A data owner's identifiers on their way to pseudonyms, which P2 matches with other owners': see `trefoil-join` for what is computed, and why
//! nobody sees an identifier by it.
//!
//! ```text
//! owner -> P0, P1, P2   how many rows it has: for good
//! owner <-> P0, P1      batch by batch: blinded elements, evaluated elements
//! owner -> P2           the rows' pseudonyms, in ascending order
//! P2 -> owner           once all owners' are there: which of them are in all lists, in an order that is the same for all owners
//! ```
//!
//! Nothing is kept at the owner. If its process dies it begins again, with the same blinds: they follow from its private key, the job and the
//! identifier. So a party that is asked for a batch a second time sees that it is the same one, and counts it once.

use crate::approval::Approval;
use crate::request::{self, Request};
use crate::share::{dial, retry};
use crate::{Address, BLINDED, EVALUATED, Error, PLACES, Patience, Result, expect, frame, pieces};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use trefoil_join::lists::{self, List, Ranked};
use trefoil_join::oprf::{Blinds, Element, Output};
use trefoil_join::{BATCH, rows_of_batch};
use trefoil_net::identity::Identity;
use trefoil_net::tls::Stream;
use trefoil_net::{At, Frame, Part};

/// Until P2 is asked again whether all owners' pseudonyms are there.
const PAUSE: Duration = Duration::from_millis(500);

/// Bytes of an [`Element`], and words.
const ELEMENT: usize = 32;
const WORDS: usize = ELEMENT / 8;

/// P2's answer to [`Request::Joined`]; where nobody is missing the places of the joined rows follow, four bytes each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matched {
    /// The owners whose pseudonyms are not there.
    pub missing: Vec<String>,
    /// Rows that all owners have.
    pub joined: usize,
}

/// How far a join is.
pub enum Progress<'a> {
    /// So many rows have their pseudonyms, of all.
    Rows(u64, u64),
    /// P2 waits for the pseudonyms of these owners.
    Waiting(&'a [String]),
}

/// Is told how far a join is, and may end it.
pub type Tell<'a> = dyn FnMut(Progress<'_>) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> + 'a;

/// Who joins with whom.
pub struct Joining<'a> {
    /// P0, P1 and P2.
    pub parties: &'a [Address; 3],
    /// The owner.
    pub identity: &'a Identity,
    /// The owner's approval of the job: to join is to approve.
    pub approval: &'a Approval,
    /// How long to try; other owners are waited for without end.
    pub patience: Patience,
    /// As many rows as every owner says that it has, where the job hides how many they are.
    pub pad: Option<u64>,
}

impl Joining<'_> {
    /// Which of the rows with these identifiers take part, in the order that all owners' rows are to have. Identifiers are different ones,
    /// each at most [`MOST_IDENTIFIER`](trefoil_join::MOST_IDENTIFIER) bytes long.
    ///
    /// # Errors
    /// A party cannot be reached, is not who it should be, refuses, or sends what is none; `tell` ends it.
    pub fn run(&self, identifiers: &[Vec<u8>], tell: &mut Tell<'_>) -> Result<Vec<u32>> {
        let dummies = self.dummies(identifiers.len())?;
        let identifiers: Vec<&[u8]> = identifiers.iter().chain(&dummies).map(Vec::as_slice).collect();
        let rows = identifiers.len() as u64;
        let [p0, p1, p2] = self.parties;
        // P2 first: what it would refuse at the end it refuses before anything is evaluated.
        retry(self.patience.connect, || request::call::<Option<String>>(p2, self.identity, self.patience, &self.request(rows)))?;
        let mut evaluators = [Evaluator::new(self, p0, rows), Evaluator::new(self, p1, rows)];
        let mut pseudonyms = Vec::with_capacity(identifiers.len());
        // In an order of their own, so that a file that was put in another one is the same to a party.
        let mut order: Vec<u32> = (0..).take(identifiers.len()).collect();
        order.sort_unstable_by_key(|row| identifiers[*row as usize]);
        for (batch, rows_of_batch) in (0..).zip(order.chunks(BATCH)) {
            let xs: Vec<&[u8]> = rows_of_batch.iter().map(|row| identifiers[*row as usize]).collect();
            let [e0, e1] = &mut evaluators;
            let (f0, f1) = std::thread::scope(|scope| {
                let other = scope.spawn(|| e1.batch(batch, &xs));
                let own = e0.batch(batch, &xs);
                (own, other.join().unwrap_or_else(|_| Err(Error::upload("evaluation", "a panic", "an answer"))))
            });
            pseudonyms.extend(lists::pseudonyms(&f0?, &f1?));
            tell(Progress::Rows(pseudonyms.len() as u64, rows)).map_err(Error::Source)?;
        }
        evaluators.into_iter().for_each(Evaluator::close);
        let ranked = Ranked::of(pseudonyms).map_err(|why| Error::Join { whom: "identifiers".into(), why })?;
        self.hand_in(&ranked.list)?;
        let places = self.matched(identifiers.len(), tell)?;
        let found: Vec<u32> = ranked.rows(&places).into_iter().map(|place| order[place as usize]).collect();
        // Nobody else has a row that is made up: a party that says so is wrong.
        match found.iter().find(|row| **row as usize >= identifiers.len() - dummies.len()) {
            None => Ok(found),
            Some(_) => Err(Error::Unexpected {
                peer: p2.id.to_string(),
                found: "a row that only makes up their number".into(),
                expected: "rows that all owners have".into(),
            }),
        }
    }

    /// Identifiers that make up the number of rows: random to who lacks the owner's key, and the same whenever the owner begins again.
    fn dummies(&self, rows: usize) -> Result<Vec<Vec<u8>>> {
        let Some(all) = self.pad else { return Ok(vec![]) };
        let missing = all.checked_sub(rows as u64).ok_or_else(|| Error::Unexpected {
            peer: "identifiers".into(),
            found: format!("{rows} rows"),
            expected: format!("at most {all}, as many as the job's data.pad says that every owner has"),
        })?;
        let seed = self.identity.derive(&format!("rows that make up a number in job {}", self.approval.job));
        let of = |i: u64| {
            let hash = Sha256::new().chain_update(*seed).chain_update(i.to_le_bytes()).finalize();
            // No text begins so.
            [&[0xff][..], &hash].concat()
        };
        Ok((0..missing).map(of).collect())
    }

    fn request(&self, rows: u64) -> Request {
        Request::Join { job: self.approval.job, rows, approval: self.approval.clone() }
    }

    /// Brings P2 the pseudonyms, unless it has them.
    fn hand_in(&self, list: &List) -> Result<()> {
        let bytes = list.to_bytes();
        let request = Request::Pseudonyms { job: self.approval.job, sha256: hex::encode(Sha256::digest(&bytes)) };
        retry(self.patience.connect, || pieces::give(&self.parties[2], self.identity, self.patience, &request, &bytes))
    }

    /// Asks P2 until it has the pseudonyms of all owners.
    fn matched(&self, rows: usize, tell: &mut Tell<'_>) -> Result<Vec<u32>> {
        loop {
            let missing = match retry(self.patience.connect, || self.ask(rows))? {
                Ok(places) => return Ok(places),
                Err(missing) => missing,
            };
            tell(Progress::Waiting(&missing)).map_err(Error::Source)?;
            std::thread::sleep(PAUSE);
        }
    }

    /// The places of the joined rows in the owner's list, or whose pseudonyms are not there yet.
    fn ask(&self, rows: usize) -> Result<std::result::Result<Vec<u32>, Vec<String>>> {
        let mut stream = dial(&self.parties[2], self.identity, self.patience)?;
        let found = match request::ask(&mut stream, &Request::Joined { job: self.approval.job })? {
            Matched { missing, .. } if !missing.is_empty() => Err(missing),
            Matched { joined, .. } => {
                // No more than there are rows, whatever the party says.
                let bytes = pieces::read(&mut stream, PLACES, joined.min(rows) * 4)?;
                Ok(lists::from_bytes(&bytes, rows).map_err(|why| Error::Join { whom: stream.address().to_owned(), why })?)
            }
        };
        // All of the answer is here; whether the party hears the farewell changes nothing.
        let _ = stream.close();
        Ok(found)
    }
}

/// P0 or P1, over as many connections as it takes.
struct Evaluator<'a> {
    joining: &'a Joining<'a>,
    party: &'a Address,
    rows: u64,
    stream: Option<Stream>,
    /// What the party says that its public key is, and the blinds for that.
    blinds: Option<(String, Blinds)>,
}

impl<'a> Evaluator<'a> {
    fn new(joining: &'a Joining<'a>, party: &'a Address, rows: u64) -> Evaluator<'a> {
        Evaluator { joining, party, rows, stream: None, blinds: None }
    }

    /// F of each identifier under the party's key. After a fault of the network the same batch is brought again.
    fn batch(&mut self, batch: u64, xs: &[&[u8]]) -> Result<Vec<Output>> {
        retry(self.joining.patience.connect, || {
            let outputs = self.attempt(batch, xs);
            if outputs.is_err() {
                self.stream = None;
            }
            outputs
        })
    }

    fn attempt(&mut self, batch: u64, xs: &[&[u8]]) -> Result<Vec<Output>> {
        if self.stream.is_none() {
            self.open()?;
        }
        let (Some(stream), Some((_, blinds))) = (&mut self.stream, &self.blinds) else { return Ok(vec![]) };
        let at = At { step: batch, op: xs.len() as u32 };
        stream.write_frame(&Frame { at, ..frame(BLINDED, vec![words(&blinds.blind(xs))]) })?;
        let evaluated = elements(&expect(stream, EVALUATED)?, xs.len(), stream.address())?;
        blinds.finalize(xs, &evaluated).map_err(|why| Error::Join { whom: stream.address().to_owned(), why })
    }

    fn open(&mut self) -> Result<()> {
        let Joining { identity, patience, approval, .. } = *self.joining;
        let mut stream = dial(self.party, identity, patience)?;
        let unexpected = |found: String, expected: &str| Error::Unexpected {
            peer: self.party.id.to_string(),
            found,
            expected: expected.to_owned(),
        };
        let said: Option<String> = request::ask(&mut stream, &self.joining.request(self.rows))?;
        let said = said.ok_or_else(|| unexpected("no public key".into(), "one"))?;
        match &self.blinds {
            Some((before, _)) if *before == said => {}
            Some(_) => return Err(unexpected("another public key than before".into(), "the same for a whole job")),
            None => {
                let mut key: Element = [0; ELEMENT];
                hex::decode_to_slice(&said, &mut key).map_err(|e| unexpected(e.to_string(), "a public key in hex"))?;
                let seed = identity.derive(&format!("blinds for {} in job {}", self.party.id, approval.job));
                let blinds = Blinds::new(*seed, &key).map_err(|why| Error::Join { whom: self.party.id.to_string(), why })?;
                self.blinds = Some((said, blinds));
            }
        }
        self.stream = Some(stream);
        Ok(())
    }

    fn close(self) {
        // The party has evaluated everything; whether it hears the farewell changes nothing.
        self.stream.into_iter().for_each(|stream| drop(stream.close()));
    }
}

/// Elements as words of a frame.
fn words(elements: &[Element]) -> Part {
    let (words, _) = elements.as_flattened().as_chunks::<8>();
    Part::words(&words.iter().map(|word| u64::from_le_bytes(*word)).collect::<Vec<_>>())
}

/// So many elements of a frame; whether they are any is looked at where they are used.
fn elements(parts: &[Part], expected: usize, peer: &str) -> Result<Vec<Element>> {
    let unexpected = |found: String| Error::Unexpected {
        peer: peer.to_owned(),
        found,
        expected: format!("{expected} elements of {ELEMENT} bytes"),
    };
    let [part] = parts else { return Err(unexpected(format!("{} tensors", parts.len()))) };
    let words = part.to_words(expected * WORDS).map_err(unexpected)?;
    let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
    Ok(bytes.as_chunks::<ELEMENT>().0.to_vec())
}

/// A batch as it has come to P0 or P1.
pub struct Blinded {
    /// From 0 on.
    pub batch: u64,
    /// As many as such a batch of the owner's rows has.
    pub elements: Vec<Element>,
}

/// A party's half: the next batch of an owner that has committed `rows`; `None` where it has hung up.
///
/// # Errors
/// The owner is gone, or sends something else.
pub fn blinded(stream: &mut Stream, rows: u64) -> Result<Option<Blinded>> {
    let Some(f) = stream.read_frame(BATCH * ELEMENT)? else { return Ok(None) };
    let (batch, expected) = (f.at.step, rows_of_batch(rows, f.at.step));
    if f.label != BLINDED || expected == 0 {
        let found = format!("batch {batch} of {:?}", f.label.chars().take(64).collect::<String>());
        let expected = format!("a batch of {BLINDED:?} of {rows} rows");
        return Err(Error::Unexpected { peer: stream.address().to_owned(), found, expected });
    }
    Ok(Some(Blinded { batch, elements: elements(&f.parts, expected, stream.address())? }))
}

/// Sends what was made of it.
///
/// # Errors
/// The owner is gone.
pub fn evaluated(stream: &mut Stream, elements: &[Element]) -> Result<()> {
    Ok(stream.write_frame(&frame(EVALUATED, vec![words(elements)]))?)
}

/// P2's half: whose pseudonyms are missing, or the places of the joined rows in the owner's list.
///
/// # Errors
/// The owner is gone.
pub fn answer(stream: &mut Stream, found: std::result::Result<&[u32], Vec<String>>) -> Result<()> {
    match found {
        Err(missing) => request::accept(stream, &Matched { missing, joined: 0 }),
        Ok(places) => {
            request::accept(stream, &Matched { missing: vec![], joined: places.len() })?;
            pieces::write(stream, PLACES, &lists::to_bytes(places))
        }
    }
}
