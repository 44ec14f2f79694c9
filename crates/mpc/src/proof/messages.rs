//! Who says what to whom: every message of the three proofs has the same way in each.

use super::claim::Weights;
use super::{Each, Element, Proof, Ring};
use crate::{Error, Id, Part, Party, Result};
use sha2::Digest;
use trefoil_net::At;

/// What a party is in a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Knows all factors.
    Prover,
    /// Knows x; receives what the prover says, and releases the challenges.
    First,
    /// Knows y; gives the verdict.
    Second,
}

/// Who is what.
#[derive(Clone, Copy)]
pub(super) struct Roles {
    pub(super) prover: Id,
    pub(super) first: Id,
    pub(super) second: Id,
}

impl Roles {
    /// By prover. In the masked sharing the first verifier is the only one who receives the prover's messages, if all is dealt to P1.
    pub(super) const ALL: Each<Roles> = [
        Roles { prover: Id::P0, first: Id::P1, second: Id::P2 },
        Roles { prover: Id::P1, first: Id::P0, second: Id::P2 },
        Roles { prover: Id::P2, first: Id::P1, second: Id::P0 },
    ];

    pub(super) fn of(&self, id: Id) -> Role {
        match id {
            _ if id == self.prover => Role::Prover,
            _ if id == self.first => Role::First,
            _ => Role::Second,
        }
    }

    fn id(&self, role: Role) -> Id {
        match role {
            Role::Prover => self.prover,
            Role::First => self.first,
            Role::Second => self.second,
        }
    }
}

/// A message of `n` values of some bits, from one to some others, in each of the three proofs at once.
pub(super) struct Message {
    pub(super) label: &'static str,
    pub(super) from: Role,
    pub(super) to: &'static [Role],
    pub(super) n: usize,
    pub(super) bits: u8,
}

/// Sends a message in those proofs where this party has something to say, and gives what it was told in the others.
pub(super) fn pass<R: Ring>(
    p: &mut Party,
    proofs: &Each<Proof<'_, R>>,
    message: &Message,
    says: impl Fn(usize) -> Vec<u64>,
) -> Result<Each<Option<Vec<u64>>>> {
    let &Message { label, from, to, n, bits } = message;
    let mut told = Each::default();
    if n == 0 {
        return Ok(told);
    }
    let op = p.op();
    let mut round = p.round(op, label);
    for (i, proof) in proofs.iter().enumerate().filter(|(_, proof)| proof.role == from) {
        let words = says(i);
        for to in to {
            let part = if bits == 64 { Part::words(&words) } else { Part::bits(&words, bits) };
            round = round.send(proof.roles.id(*to), part);
        }
    }
    let mut received = round.then()?;
    for (told, proof) in told.iter_mut().zip(proofs).filter(|(_, proof)| to.contains(&proof.role)) {
        let from = proof.roles.id(from);
        *told = Some(if bits == 64 { received.words(from, n)? } else { received.bits(from, n, bits)? });
    }
    Ok(told)
}

/// The coefficients of some elements, one after the other.
pub(super) fn flat<E: Element>(elements: &[E]) -> Vec<u64> {
    elements.iter().flat_map(|element| element.coefficients().iter().copied()).collect()
}

/// Both verifiers have a share of what each prover says, `n` elements: the second from a key, the first is sent the difference. The prover has none.
pub(super) fn share<R: Ring>(
    p: &mut Party,
    proofs: &mut Each<Proof<'_, R>>,
    label: &'static str,
    said: Each<Vec<R::Element>>,
    n: usize,
) -> Result<Each<Vec<R::Element>>> {
    let degree = R::Element::DEGREE;
    let elements = |words: &[u64]| words.chunks(degree).map(R::Element::of).collect::<Vec<_>>();
    let pads = proofs.each_mut().map(|proof| match &mut proof.pads {
        Some(pads) => elements(&pads.words(n * degree)),
        None => vec![],
    });
    let bits = R::Element::BITS as u8;
    let message = Message { label, from: Role::Prover, to: &[Role::First], n: n * degree, bits };
    let hidden = |i: usize| said[i].iter().zip(&pads[i]).map(|(said, pad)| *said - *pad).collect::<Vec<_>>();
    let told = pass(p, proofs, &message, |i| flat(&hidden(i)))?;
    let shares = pads.into_iter().zip(told).zip(proofs).map(|((pads, told), proof)| match proof.role {
        Role::Prover => vec![],
        Role::First => elements(&told.unwrap_or_default()),
        Role::Second => pads,
    });
    Ok(each(shares))
}

/// `n` challenges of each proof, which the first verifier releases.
pub(super) fn challenge<R: Ring>(
    p: &mut Party,
    proofs: &mut Each<Proof<'_, R>>,
    n: usize,
    not_zero: bool,
) -> Result<Each<Vec<R::Element>>> {
    let bits = u64::MAX >> (64 - R::Element::CHALLENGE);
    let right = |words: &[u64]| words.iter().all(|word| *word <= bits && (*word != 0 || !not_zero));
    let words = released(p, proofs, "proof.challenge", n, |drawn| drawn & bits, &right)?;
    Ok(words.map(|words| words.into_iter().map(R::Element::challenge).collect()))
}

/// The weights of each proof, from the seed that the first verifier releases when it has all that the claims are about.
pub(super) fn weights<R: Ring>(p: &mut Party, proofs: &mut Each<Proof<'_, R>>) -> Result<Each<Weights<R::Element>>> {
    let seeds = released(p, proofs, "proof.weights", 4, |drawn| drawn, &|_| true)?;
    let seed = |words: &[u64]| std::array::from_fn(|byte| words[byte / 8].to_le_bytes()[byte % 8]);
    Ok([0, 1, 2].map(|i| proofs[i].claims.weights(&seed(&seeds[i]))))
}

/// Words that both verifiers draw, `cut` to what they are for, and again until they are `right`; the first sends them to the prover.
fn released<R: Ring>(
    p: &mut Party,
    proofs: &mut Each<Proof<'_, R>>,
    label: &'static str,
    n: usize,
    cut: impl Fn(u64) -> u64,
    right: &dyn Fn(&[u64]) -> bool,
) -> Result<Each<Vec<u64>>> {
    let drawn = proofs.each_mut().map(|proof| {
        let challenges = proof.challenges.as_mut()?;
        loop {
            let words: Vec<u64> = challenges.words(n).into_iter().map(&cut).collect();
            if right(&words) {
                return Some(words);
            }
        }
    });
    let message = Message { label, from: Role::First, to: &[Role::Prover], n, bits: 64 };
    let told = pass(p, proofs, &message, |i| drawn[i].clone().unwrap_or_default())?;
    let words = each(drawn.into_iter().zip(told).map(|(drawn, told)| drawn.or(told).unwrap_or_default()));
    for (proof, words) in proofs.iter_mut().zip(&words) {
        if !right(words) {
            let [step, op] = p.place();
            let (peer, found, expected) = (proof.roles.first, "outside their set".into(), "elements of it".into());
            return Err(Error::Unexpected { at: At { step, op: op as u32 }, label, peer, what: "challenges", found, expected });
        }
        words.iter().for_each(|word| proof.given.update(word.to_le_bytes()));
    }
    Ok(words)
}

/// Three of three.
fn each<T: Default>(of: impl Iterator<Item = T>) -> Each<T> {
    let mut each = Each::default();
    each.iter_mut().zip(of).for_each(|(each, of)| *each = of);
    each
}
