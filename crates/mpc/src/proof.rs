//! A proof, to two verifiers, that claims about words or bits are true: what a suite rests on in which a party that lies is noticed. It is worked out in docs/verified.md.
//!
//! Sources: Boneh, Boyle, Corrigan-Gibbs, Gilboa, Ishai, "Zero-Knowledge Proofs on Secret-Shared Data via Fully Linear PCPs" (CRYPTO 2019); Boyle, Gilboa, Ishai, Nof (CCS 2019, and ASIACRYPT 2020
//! for rings). A [`Claim`] says that for every k the sum of x_t\[k\] y_t\[k\] plus what is linear is 0. The prover knows all of it; the first verifier knows x and a part
//! of what is linear, the second y and the rest. The first is the only one who receives the prover's messages, so it alone knows when they are fixed, and releases
//! the challenges; the second knows these, and its shares of what the prover says, from keys.
//!
//! | step | | from, to |
//! |---|---|---|
//! | weights | a seed; each claim is weighed, so that all are one sum: <x, y> = tau, of which both verifiers hold a share | first to prover |
//! | stage | the sum as a polynomial in v variables, at all points of {0, 1, inf}^v; a challenge in all v | prover to first, and back |
//! | folds | g(0) = <x_low, y_low>, g(inf) = <x_high - x_low, y_high - y_low>; a challenge r; x := x_low + r (x_high - x_low), y too, tau := g(r) | prover to first, and back |
//! | end | of the one pair that is left x(X) = x + X (alpha - x), y(X) = y + X (beta - y) with random alpha and beta; g(1), g(inf); a challenge that is not 0 | prover to first, and back |
//! | given | a hash of all challenges that the prover was given; the second verifier says whether they are its own | prover to second, and back |
//! | last | x'' = x(r) and the first verifier's share of g(r); the second accepts if x'' y'' = g(r) | first to second |
//! | verdict | | second to both |
//!
//! **What the prover says is shared**: the second verifier's share comes from a key, the first is sent the difference. So neither sees g, and both can compute what is linear in it.
//! **Nobody sends its last message before its own challenges as a prover were found right**: a first verifier with false challenges would otherwise make another's
//! share of tau wrong by something that depends on secrets, and look at the verdict. Three proofs, one for each prover, run side by side for this reason.
//!
//! **Private.** The first verifier sees one-time pads, its own alpha, and the verdict. The second sees x'' = (1 - r) x + r alpha, uniform since r is a unit, and a share of g(r) that follows from x'', y'' and its own.
//! A first verifier that changes both by e and e' is accepted if e y'' = e', and y'' is uniform. Counted in full at toy widths, on this code, in `crates/mpc/tests/protocols/proof.rs`.
//!
//! **Sound.** If a claim is false, the proof is accepted with a probability of at most (2 + 2v + 2 folds + 2) / |E| with the set E of [challenges](Element::challenge), 2^47 for words: 2^-41.4 for a step (docs/verified.md).
//!
//! Rounds: 2 folds + 9, less 2 if v = 0, for any number of claims. Bytes of a proof of words: 376 for each of 3^v - 1 + 2 folds + 4 elements.

mod beside;
mod bits;
mod claim;
mod galois;
mod messages;
mod stage;
mod vector;

pub(crate) use beside::{Batch, Provers};
pub use bits::{Bits, Field};
pub use claim::{Claim, Factor, First, Sign};
pub use galois::{Element, Galois, OfBits, OfWords};
pub use vector::{Ring, Vector, Words};

use crate::{Error, Id, Pair, Party, Prg, Result};
use claim::{Grouped, Side};
use messages::{Message, Role, Roles, challenge, pass, share};
use sha2::{Digest, Sha256};
use trefoil_net::At;

/// One of three proofs, as a party holds it. What it does not know is 0, and is not used.
struct Proof<'a, R: Ring> {
    roles: Roles,
    /// This party's.
    role: Role,
    claims: Grouped<'a>,
    /// The prover's and the second verifier's: that one's shares of what the prover says.
    pads: Option<Prg>,
    /// The verifiers'.
    challenges: Option<Prg>,
    /// The prover's and the first verifier's.
    alpha: R::Element,
    /// The prover's and the second verifier's.
    beta: R::Element,
    /// All challenges so far.
    given: Sha256,
    x: R::Vector,
    y: R::Vector,
    /// x'' and y''.
    shown: [R::Element; 2],
    /// A verifier's share of what <x, y> has to be.
    tau: R::Element,
}

impl<R: Ring> Proof<'_, R> {
    /// What the prover says, and nobody else.
    fn said(&self, by_prover: impl FnOnce(&Self) -> Vec<R::Element>) -> Vec<R::Element> {
        if self.role == Role::Prover { by_prover(self) } else { vec![] }
    }
}

/// What each of the three proofs has.
type Each<T> = [T; 3];

/// All three prove `claims`, P0's first, in extensions by [`Element`]; rows have 2^variables slots. All three must have claims of the same number, terms and lengths.
///
/// # Errors
/// [`Error::Rejected`]: a claim is false, or one of the three has deviated in the proof. Other errors are those of the network, and messages that cannot be. After any
/// of them nothing that the claims are about may be used, or opened.
pub fn prove<R: Ring>(p: &mut Party, claims: &Each<Vec<Claim>>, variables: u32) -> Result<()> {
    let mut proofs = begin::<R>(p, claims, variables)?;
    let mut longest = proofs.iter().map(|proof| proof.claims.len()).max().unwrap_or_default();
    first_stage(p, &mut proofs, variables)?;
    while longest > 1 {
        fold(p, &mut proofs)?;
        longest = R::Element::half(longest);
    }
    end(p, &mut proofs)?;
    compare_challenges(p, &proofs)?;
    last(p, &proofs)
}

fn begin<'a, R: Ring>(p: &mut Party, claims: &'a Each<Vec<Claim>>, variables: u32) -> Result<Each<Proof<'a, R>>> {
    let [a, b, c] = claims;
    Ok([
        begun(p, Roles::ALL[0], Grouped::new::<R>(a, variables))?,
        begun(p, Roles::ALL[1], Grouped::new::<R>(b, variables))?,
        begun(p, Roles::ALL[2], Grouped::new::<R>(c, variables))?,
    ])
}

fn begun<'a, R: Ring>(p: &mut Party, roles: Roles, claims: Grouped<'a>) -> Result<Proof<'a, R>> {
    let op = p.op();
    let Roles { prover, first, second } = roles;
    let mut shared = |a: Id, b: Id, label| match p.id == a || p.id == b {
        true => p.draw(op, Pair::of(a, b), label).map(Some),
        false => Ok(None),
    };
    let element = |prg: Option<Prg>| prg.map_or(R::Element::ZERO, |mut prg| R::Element::of(&prg.words(R::Element::DEGREE)));
    let pads = shared(prover, second, "proof.pads")?;
    let challenges = shared(first, second, "proof.challenges")?;
    let alpha = element(shared(prover, first, "proof.alpha")?);
    let beta = element(shared(prover, second, "proof.beta")?);
    let (given, tau) = (Sha256::new(), R::Element::ZERO);
    let [x, y] = [0, 1].map(|_| R::Vector::default());
    Ok(Proof {
        roles,
        role: roles.of(p.id),
        claims,
        pads,
        challenges,
        alpha,
        beta,
        given,
        x,
        y,
        shown: [R::Element::ZERO; 2],
        tau,
    })
}

/// All claims become one sum of products of two vectors, folded over their slots.
fn first_stage<R: Ring>(p: &mut Party, proofs: &mut Each<Proof<'_, R>>, variables: u32) -> Result<()> {
    let weights = messages::weights(p, proofs)?;
    let of_rows = [0, 1, 2].map(|i| proofs[i].claims.of_rows(&weights[i]));
    let rows = proofs.each_ref().map(|proof| [Side::X, Side::Y].map(|side| proof.claims.rows(side)));
    // Of the sums at all points the first is left out: the claim says what the sums at the slots add up to.
    let small = proofs.each_ref().map(|proof| proof.claims.small());
    let sums = |i: usize| R::Vector::sums(&of_rows[i], &rows[i][0], &rows[i][1], variables, &small[i]).split_off(1);
    let said = [0, 1, 2].map(|i| proofs[i].said(|_| sums(i)));
    let shares = share(p, proofs, "proof.stage", said, 3usize.pow(variables) - 1)?;
    let r = challenge(p, proofs, variables as usize, false)?;
    for (i, proof) in proofs.iter_mut().enumerate() {
        if proof.role != Role::Prover {
            // Of matrices nothing is folded yet: what their products have to be is added behind the stage.
            let [of_words, of_matrices] = proof.claims.tau::<R>(&weights[i]);
            let mut values = vec![of_words];
            values.extend(&shares[i]);
            for (slot, weight) in weights[i].slots.iter().enumerate().skip(1) {
                values[0] = values[0] - *weight * values[stage::point(slot, variables)];
            }
            proof.tau = stage::interpolated(&values, &r[i]) + of_matrices;
        }
        let (eq, [x, y]) = (stage::eq(&r[i]), &rows[i]);
        // A verifier knows one side.
        let small = |words: &[u64]| if words.is_empty() { &[][..] } else { &small[i][..] };
        proof.x.push_folded(x, &eq, Some(&of_rows[i]), small(x));
        proof.y.push_folded(y, &eq, None, small(y));
        for (vector, side) in [(&mut proof.x, Side::X), (&mut proof.y, Side::Y)] {
            proof.claims.vectors::<R>(&weights[i], side).into_iter().for_each(|element| vector.push(element));
        }
    }
    Ok(())
}

/// Two halves become one.
fn fold<R: Ring>(p: &mut Party, proofs: &mut Each<Proof<'_, R>>) -> Result<()> {
    let said = proofs.each_ref().map(|proof| proof.said(|Proof { x, y, .. }| x.halves(y).to_vec()));
    let shares = share(p, proofs, "proof.fold", said, 2)?;
    let r = challenge(p, proofs, 1, false)?;
    for (proof, (share, r)) in proofs.iter_mut().zip(shares.iter().zip(&r)) {
        if let [at_0, inf] = share[..] {
            proof.tau = stage::quadratic(at_0, proof.tau - at_0, inf, r[0]);
        }
        proof.x.bind(r[0]);
        proof.y.bind(r[0]);
    }
    Ok(())
}

/// The pair that is left is hidden: what is shown of it lies on lines to random elements, and not at their beginning.
fn end<R: Ring>(p: &mut Party, proofs: &mut Each<Proof<'_, R>>) -> Result<()> {
    let lines = |Proof { x, y, alpha, beta, .. }: &Proof<'_, R>| vec![*alpha * *beta, (*alpha - x.first()) * (*beta - y.first())];
    let said = proofs.each_ref().map(|proof| proof.said(lines));
    let shares = share(p, proofs, "proof.end", said, 2)?;
    let r = challenge(p, proofs, 1, true)?;
    for (proof, (share, r)) in proofs.iter_mut().zip(shares.iter().zip(&r)) {
        if let [at_1, inf] = share[..] {
            proof.tau = stage::quadratic(proof.tau, at_1, inf, r[0]);
        }
        proof.shown = [(proof.x.first(), proof.alpha), (proof.y.first(), proof.beta)].map(|(z, mask)| z + r[0] * (mask - z));
    }
    Ok(())
}

/// A second verifier says whether the prover was given its own challenges. Before this nobody sends what would tell a first verifier something if they were others.
fn compare_challenges<R: Ring>(p: &mut Party, proofs: &Each<Proof<'_, R>>) -> Result<()> {
    const GIVEN: Message = Message { label: "proof.given", from: Role::Prover, to: &[Role::Second], n: 4, bits: 64 };
    const RIGHT: Message = Message { label: "proof.right", from: Role::Second, to: &[Role::Prover], n: 1, bits: 64 };
    let digest = |proof: &Proof<'_, R>| -> Vec<u64> {
        let digest = proof.given.clone().finalize();
        digest.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
    };
    let digests = proofs.each_ref().map(digest);
    let given = pass(p, proofs, &GIVEN, |i| digests[i].clone())?;
    hold(p, proofs, "was given other challenges", |i| given[i].as_ref().is_none_or(|given| *given == digests[i]))?;
    let right = pass(p, proofs, &RIGHT, |_| vec![1])?;
    hold(p, proofs, "was given other challenges, says the second verifier", |i| {
        right[i].as_ref().is_none_or(|right| *right == [1])
    })
}

/// The second verifier puts both shares together.
fn last<R: Ring>(p: &mut Party, proofs: &Each<Proof<'_, R>>) -> Result<()> {
    let message = Message {
        label: "proof.last",
        from: Role::First,
        to: &[Role::Second],
        n: 2 * R::Element::DEGREE,
        bits: R::Element::BITS as u8,
    };
    const VERDICT: Message =
        Message { label: "proof.verdict", from: Role::Second, to: &[Role::Prover, Role::First], n: 1, bits: 64 };
    let theirs = pass(p, proofs, &message, |i| messages::flat(&[proofs[i].shown[0], proofs[i].tau]))?;
    let accepts = |i: usize| {
        let words = theirs[i].iter().flat_map(|theirs| theirs.chunks(R::Element::DEGREE));
        let parts: Vec<R::Element> = words.map(R::Element::of).collect();
        matches!(parts[..], [x, tau] if x * proofs[i].shown[1] == tau + proofs[i].tau)
    };
    let accepted = [0, 1, 2].map(accepts);
    let verdicts = pass(p, proofs, &VERDICT, |i| vec![u64::from(accepted[i])])?;
    hold(p, proofs, "is rejected", |i| match proofs[i].role {
        Role::Second => accepted[i],
        _ => verdicts[i].as_ref().is_some_and(|verdict| *verdict == [1]),
    })
}

/// All three proofs are as they should be.
fn hold<R: Ring>(p: &Party, proofs: &Each<Proof<'_, R>>, what: &'static str, holds: impl Fn(usize) -> bool) -> Result<()> {
    let [step, op] = p.place();
    match (0..3).find(|i| !holds(*i)) {
        None => Ok(()),
        Some(i) => Err(Error::Rejected { at: At { step, op: op as u32 }, prover: proofs[i].roles.prover, what }),
    }
}
