//! The gate before what is secret is opened, and the opening.
//!
//! Before anything is opened, kept or given away, all that was claimed is proven, and the three tell each other so: whoever has found a lie says nothing, and the others wait in vain. Then P1 sends l_1 to P0 and P0
//! sends l_0 to P1, and P2 sends each of them a hash of what it is to be sent, with the place in the program inside: a mask that is not the one of P2 is noticed, since one of the two is honest.
//!
//! Rounds: those of the proofs, 1 to tell, and 1. 16 bytes an element and 64 bytes.

use super::super::matrix::{elements, tensor};
use super::super::share::Share;
use crate::{Error, Id, Part, Party, Price, Result};
use sha2::{Digest, Sha256};
use trefoil_net::At;
use trefoil_ring::Tensor;

const GATE: &str = "verified.gate";
const OPEN: &str = "verified.open";

/// For `n` elements, behind the gate.
pub const fn cost(n: usize) -> Price {
    Price::of(1, [32, 32], 16 * n as u64)
}

/// All that was claimed is proven, and all three know it; nothing may be opened before.
///
/// # Errors
/// [`Error::Rejected`] if a party has lied; those of the network.
pub fn gate(p: &mut Party) -> Result<()> {
    p.prove_all()?;
    let [step, op] = p.place();
    p.meet(GATE, &[step, op])
}

/// Opens a matrix to P0 and P1, once all that was claimed is proven; `None` at P2.
///
/// # Errors
/// [`Error::Rejected`] if a party has lied; those of the network.
pub fn open(p: &mut Party, x: &Share) -> Result<Option<Tensor>> {
    gate(p)?;
    let op = p.op();
    if p.id == Id::P2 {
        let at = p.at(op);
        let round = p.round(op, OPEN);
        let sends = [(Id::P0, x.mask(1)), (Id::P1, x.mask(0))].into_iter();
        sends.fold(round, |round, (to, l)| round.send(to, bytes(&hash(at, elements(l))))).then()?;
        return Ok(None);
    }
    let (peer, own) = (p.peer(), elements(x.mask(p.id.index())));
    let mut round = p.round(op, OPEN).send(peer, Part::words(own)).then()?;
    let theirs = round.words(peer, x.len())?;
    let expected = round.bits(Id::P2, 32, 8)?;
    drop(round);
    if expected != hash(p.at(op), &theirs).map(u64::from) {
        let (what, found, expected) = ("a mask", "of another hash".into(), "what P2 says".into());
        return Err(Error::Unexpected { at: p.at(op), label: OPEN, peer, what, found, expected });
    }
    let m = elements(x.m()).iter().zip(own).zip(theirs).map(|((m, own), theirs)| m.wrapping_sub(*own).wrapping_sub(theirs));
    Ok(Some(tensor(x.shape, m.collect())))
}

/// Of what is opened in an operation.
fn hash(At { step, op }: At, words: &[u64]) -> [u8; 32] {
    let begun = Sha256::new_with_prefix("trefoil opening").chain_update(step.to_le_bytes()).chain_update(op.to_le_bytes());
    words.iter().fold(begun, |hash, word| hash.chain_update(word.to_le_bytes())).finalize().into()
}

fn bytes(hash: &[u8; 32]) -> Part {
    Part::bits(&hash.map(u64::from), 8)
}
