//! Claims to be proven, and parties that lie in proofs.

use super::views;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use trefoil_mpc::proof::{Claim, Element, prove};
use trefoil_mpc::tap::{Draw, Tap};
use trefoil_mpc::{Error, Id, Pair, Part, Party, Prg, Seeds, simulate_over};
use trefoil_net::{Frame, Net, local};

/// Claims of one prover, as each of the three has them.
#[derive(Clone, Default)]
pub struct Statement {
    /// At the prover, the first verifier and the second.
    x: [Vec<Vec<Vec<u64>>>; 2],
    y: [Vec<Vec<Vec<u64>>>; 2],
    linear: [Vec<Vec<u64>>; 2],
}

impl Statement {
    /// True claims of these numbers of terms and words.
    pub fn honest(shapes: &[(usize, usize)], bits: u32, seed: u64) -> Statement {
        let mut key = [7; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut prg = Prg::from_seed(&key);
        let mask = u64::MAX >> (64 - bits);
        let mut words = |n: usize| prg.words(n).into_iter().map(|word| word & mask).collect::<Vec<_>>();
        let mut all = Statement::default();
        for (terms, n) in shapes {
            let [x, y] = [0, 1].map(|_| (0..*terms).map(|_| words(*n)).collect::<Vec<_>>());
            all.add(x, y, words(*n), bits);
        }
        all
    }

    /// One claim of one term. What makes it true is the first verifier's (or the second's).
    pub fn of(x: &[u64], y: &[u64], linear: &[u64], at_first: bool, bits: u32) -> Statement {
        let mut all = Statement::default();
        all.add(vec![x.to_vec()], vec![y.to_vec()], linear.to_vec(), bits);
        if at_first {
            all.linear.reverse();
        }
        all
    }

    fn add(&mut self, x: Vec<Vec<u64>>, y: Vec<Vec<u64>>, at_first: Vec<u64>, bits: u32) {
        let product = |k: usize| x.iter().zip(&y).fold(0, |sum: u64, (x, y)| sum.wrapping_add(x[k].wrapping_mul(y[k])));
        let rest = |(k, linear): (usize, &u64)| 0u64.wrapping_sub(product(k)).wrapping_sub(*linear) & u64::MAX >> (64 - bits);
        self.linear[1].push(at_first.iter().enumerate().map(rest).collect());
        self.linear[0].push(at_first);
        self.x.iter_mut().for_each(|at| at.push(x.clone()));
        self.y.iter_mut().for_each(|at| at.push(y.clone()));
    }

    fn each_word(&mut self) -> Vec<&mut u64> {
        let factors = self.x.iter_mut().chain(&mut self.y).flatten().flatten();
        factors.chain(self.linear.iter_mut().flatten()).flatten().collect()
    }

    /// All words of all three.
    pub fn words(&self) -> usize {
        self.clone().each_word().len()
    }

    /// One word of one of the three becomes another.
    pub fn change(&mut self, word: usize, by: u64) {
        let word = &mut self.each_word()[word];
        **word = word.wrapping_add(by);
    }

    fn at(&self, prover: Id, id: Id) -> Vec<Claim> {
        let first = if prover == Id::P1 { Id::P0 } else { Id::P1 };
        let claim = |i: usize| match id {
            _ if id == prover => Claim::at_prover(self.x[0][i].clone(), self.y[0][i].clone()),
            _ if id == first => Claim::at_first(self.x[1][i].clone(), self.linear[0][i].clone()),
            _ => Claim::at_second(self.y[1][i].clone(), self.linear[1][i].clone()),
        };
        (0..self.x[0].len()).map(claim).collect()
    }
}

fn prove_all<E: Element>(p: &mut Party, claims: &[Statement; 3], variables: u32) -> Result<(), Error> {
    let claims = [0, 1, 2].map(|i| claims[i].at(Id::ALL[i], p.id));
    prove::<E>(p, &claims, variables)
}

/// How each of the three ends, with its error's text.
pub fn run<E: Element>(seed: u64, claims: &[Statement; 3], variables: u32) -> [Result<(), String>; 3] {
    let seeds = |id| Seeds::insecure(id, seed);
    let ends = simulate_over(local::network(Duration::from_secs(20)), seeds, |p| prove_all::<E>(p, claims, variables));
    ends.map(|end| end.map(|_| ()).map_err(|e: Error| e.to_string()))
}

pub fn all_accept(ends: &[Result<(), String>; 3]) {
    assert!(ends.iter().all(Result::is_ok), "{ends:?}");
}

/// What makes one party a liar: it changes what it sends, and looks at what it receives.
pub trait Lie: Send {
    fn sends(&mut self, to: Id, frame: &mut Frame);
    fn receives(&mut self, _frame: &Frame) {}
}

struct Lying {
    net: Box<dyn Net>,
    lie: Option<Box<dyn Lie>>,
}

impl Net for Lying {
    fn send(&mut self, to: Id, mut frame: Frame) -> trefoil_net::Result<()> {
        self.lie.iter_mut().for_each(|lie| lie.sends(to, &mut frame));
        self.net.send(to, frame)
    }
    fn recv(&mut self, from: Id) -> trefoil_net::Result<Frame> {
        let frame = self.net.recv(from)?;
        self.lie.iter_mut().for_each(|lie| lie.receives(&frame));
        Ok(frame)
    }
}

fn lying(liar: Id, lie: impl Lie + 'static) -> [Lying; 3] {
    let mut lie: Option<Box<dyn Lie>> = Some(Box::new(lie));
    let mut ids = Id::ALL.into_iter();
    local::network(Duration::from_secs(20)).map(|net| {
        let lie = if ids.next() == Some(liar) { lie.take() } else { None };
        Lying { net: Box::new(net), lie }
    })
}

/// Who accepts, where one of the three lies.
pub fn accepted<E: Element>(seed: u64, claims: &[Statement; 3], variables: u32, liar: Id, lie: impl Lie + 'static) -> [bool; 3] {
    let ends = simulate_over(lying(liar, lie), |id| Seeds::insecure(id, seed), |p| prove_all::<E>(p, claims, variables));
    ends.map(|end: Result<_, Error>| end.is_ok())
}

/// Whether P0's proof is accepted by its second verifier where the first lies, and a tap chooses masks.
pub fn tapped<E: Element>(seed: u64, claims: &[Statement; 3], tap: Arc<dyn Tap>, liar: Id, lie: impl Lie + 'static) -> bool {
    let seeds = |id| with(&tap, id, seed);
    let ends = simulate_over(lying(liar, lie), seeds, |p| prove_all::<E>(p, claims, 0));
    ends.into_iter().nth(2).is_some_and(|end: Result<_, Error>| end.is_ok())
}

fn with(tap: &Arc<dyn Tap>, id: Id, seed: u64) -> Seeds {
    let mut seeds = Seeds::insecure(id, seed);
    seeds.insecure_tap(tap.clone());
    seeds
}

/// All that `party` receives of a proof of P0.
pub fn views<E: Element>(party: Id, seed: u64, tap: Arc<dyn Tap>, claims: &Statement) -> Vec<u64> {
    let claims = [claims.clone(), Statement::default(), Statement::default()];
    let runs = views::taped(|id| with(&tap, id, seed), &|p: &mut Party| prove_all::<E>(p, &claims, 0).map(|()| vec![]));
    let frames = runs.into_iter().nth(party.index()).unwrap().0;
    let parts = frames.into_iter().flat_map(|(_, frame)| frame.parts);
    parts.flat_map(|part| views::elements(&part)).collect()
}

/// The draw of P0's proof under a label and a key is this, `block` words of it at a time.
pub struct Chosen {
    pub label: &'static str,
    pub pair: Pair,
    pub words: Vec<u64>,
    pub block: usize,
}

impl Tap for Chosen {
    fn block(&self, draw: &Draw, _: &[u8; 32], index: u64, bytes: &mut [u8]) {
        if (draw.label, draw.pair, draw.at.op) == (self.label, Some(self.pair), 1) {
            let words = self.words.chunks(self.block).nth(index as usize).unwrap_or_default();
            bytes.as_chunks_mut().0.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
        }
    }
}

/// Changes one part of all that it sends.
pub struct Changing<F> {
    which: Option<usize>,
    seen: usize,
    change: F,
    pub lied: Arc<AtomicBool>,
}

impl<F: Fn(&Part, usize) -> Part + Send> Changing<F> {
    /// The part of this number, counted over all frames.
    pub fn new(which: usize, change: F) -> Self {
        Changing { which: Some(which), seen: 0, change, lied: Arc::default() }
    }

    /// What a first verifier sends last, to P2.
    pub fn last(change: F) -> Self {
        Changing { which: None, seen: 0, change, lied: Arc::default() }
    }
}

impl<F: Fn(&Part, usize) -> Part + Send> Lie for Changing<F> {
    fn sends(&mut self, to: Id, frame: &mut Frame) {
        let last = frame.label == "proof.last" && to == Id::P2;
        for part in &mut frame.parts {
            if self.which.map_or(last, |which| which == self.seen) {
                *part = (self.change)(part, self.seen);
                self.lied.store(true, Ordering::Relaxed);
            }
            self.seen += 1;
        }
    }
}

/// A prover, P0, that claims something false of its last word, and adds to each polynomial one with two roots among the challenges, so that its lie is gone if the next is a root.
pub struct Adapting<E> {
    adapts: bool,
    prg: Prg,
    /// By how much what the verifiers have is not what it should be.
    error: E,
    /// The polynomial that was added: factor and roots.
    added: Option<[E; 3]>,
}

impl<E: Element> Adapting<E> {
    pub fn new(adapts: bool, seed: u64) -> Self {
        let mut key = [3; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Adapting { adapts, prg: Prg::from_seed(&key), error: E::ZERO, added: None }
    }

    /// c (X - a) (X - b), whose value at 0, with that at 1 or without, is the error.
    fn polynomial(&mut self, with_1: bool) -> [E; 3] {
        loop {
            let mut root = || E::challenge(self.prg.words(1)[0]);
            let (a, b) = (root(), root());
            let at_1 = (E::one() - a) * (E::one() - b);
            let sum = if with_1 { a * b + at_1 } else { a * b };
            if let Some(inverse) = inverse(sum) {
                return [self.error * inverse, a, b];
            }
        }
    }
}

fn value<E: Element>([c, a, b]: [E; 3], at: E) -> E {
    c * (at - a) * (at - b)
}

/// Of a unit: modulo 2 its power 2^d - 2, and then by Newton's method.
fn inverse<E: Element>(x: E) -> Option<E> {
    x.coefficients().iter().any(|c| c % 2 == 1).then(|| {
        let mut square = x;
        let mut inverse = E::one();
        for _ in 1..E::DEGREE {
            square = square * square;
            inverse = inverse * square;
        }
        (0..7).fold(inverse, |y, _| y * (E::one() + E::one() - x * y))
    })
}

impl<E: Element + Send> Lie for Adapting<E> {
    fn sends(&mut self, to: Id, frame: &mut Frame) {
        let with_1 = frame.label == "proof.fold";
        if to == Id::P1 && self.adapts && (with_1 || frame.label == "proof.end") {
            let added = self.polynomial(with_1);
            let first = value(added, if with_1 { E::ZERO } else { E::one() });
            let mut words = frame.parts[0].to_words(2 * E::DEGREE).unwrap();
            let more = first.coefficients().iter().chain(added[0].coefficients());
            words.iter_mut().zip(more).for_each(|(word, more)| *word = word.wrapping_add(*more));
            frame.parts = vec![Part::words(&words)];
            self.added = Some(added);
        }
    }

    fn receives(&mut self, frame: &Frame) {
        let words = || frame.parts[0].to_words(frame.parts[0].len()).unwrap();
        if frame.label == "proof.weights" {
            let mut seed = [0; 32];
            seed.as_chunks_mut().0.iter_mut().zip(words()).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
            // Two groups, of which the second is false by 2^63.
            self.error = E::ZERO - E::challenge(Prg::from_seed(&seed).words(3)[1]).times(1 << 63);
        }
        if frame.label == "proof.challenge" {
            self.error = self.added.take().map_or(E::ZERO, |added| value(added, E::challenge(words()[0])));
        }
    }
}
