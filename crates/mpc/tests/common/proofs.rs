//! Claims to be proven, and parties that lie in proofs.

use super::views;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trefoil_mpc::proof::{Claim, Element, Factor, First, Ring, Sign, prove};
use trefoil_mpc::tap::{Draw, Tap};
use trefoil_mpc::{Error, Id, Pair, Part, Party, Prg, Seeds, simulate_over};
use trefoil_net::{Frame, Net, local};
use trefoil_ring::{self as ring, Tensor};

/// Claims of one prover, as each of the three has them.
#[derive(Clone, Default)]
pub struct Statement {
    /// At the prover, the first verifier and the second.
    x: [Vec<Vec<Vec<u64>>>; 2],
    y: [Vec<Vec<Vec<u64>>>; 2],
    linear: [Vec<Vec<u64>>; 2],
    /// By how many bits the x of the last claims are shifted.
    small: Vec<u8>,
    matrices: Vec<Matrices>,
}

/// A claim of matrices.
#[derive(Clone)]
struct Matrices {
    shape: [usize; 2],
    /// For each term what the first verifier knows, and both factors: at the prover, and at the verifier that knows it.
    terms: Vec<(First, [[Tensor; 2]; 2])>,
    /// What each verifier knows whole.
    own: [Vec<(Sign, [Tensor; 2])>; 2],
    linear: [Vec<u64>; 2],
}

/// A factor that is transposed where its place is odd.
fn factor(x: &Tensor, at: usize) -> Factor {
    let transposed = at % 2 == 1;
    let x = if transposed { x.t().as_standard_layout().into_owned() } else { x.clone() };
    Factor { x: Arc::new(x), transposed }
}

impl Matrices {
    /// A true one: for each term its inner dimension.
    fn honest(shape: [usize; 2], inner: &[usize], mut words: impl FnMut(usize) -> Vec<u64>) -> Matrices {
        let [rows, columns] = shape;
        let mut tensor = |rows: usize, columns: usize| Tensor::from_shape_vec((rows, columns), words(rows * columns)).unwrap();
        let mut factors = |inner: usize| [tensor(rows, inner), tensor(inner, columns)];
        let terms: Vec<[Tensor; 2]> = inner.iter().map(|inner| factors(*inner)).collect();
        let own = [Sign::Plus, Sign::Minus].map(|sign| vec![(sign, factors(2))]);
        let first = |at: usize| if at.is_multiple_of(2) { First::Left } else { First::Right };
        let terms = terms.into_iter().enumerate().map(|(at, both)| (first(at), [both.clone(), both])).collect();
        Matrices { shape, terms, own, linear: [words(rows * columns), vec![]] }.balanced()
    }

    /// The second verifier's linear part is what makes the claim true.
    fn balanced(mut self) -> Matrices {
        let mut sum = Tensor::from_shape_vec((self.shape[0], self.shape[1]), self.linear[0].clone()).unwrap();
        let product = |[x, y]: &[Tensor; 2]| ring::matrix::product(x, false, y, false);
        for (_, [both, _]) in &self.terms {
            sum = ring::words::add(&sum, &product(both));
        }
        for (sign, both) in self.own.iter().flatten() {
            let product = product(both);
            sum = if *sign == Sign::Plus { ring::words::add(&sum, &product) } else { ring::words::sub(&sum, &product) };
        }
        self.linear[1] = sum.iter().map(|word| word.wrapping_neg()).collect();
        self
    }

    fn each_word(&mut self) -> Vec<&mut u64> {
        let factors = self.terms.iter_mut().flat_map(|(_, copies)| copies.iter_mut().flatten());
        let own = self.own.iter_mut().flatten().flat_map(|(_, both)| both);
        factors.chain(own).flat_map(|x| x.iter_mut()).chain(self.linear.iter_mut().flatten()).collect()
    }

    /// At the prover, the first verifier and the second.
    fn claims(&self) -> [Claim; 3] {
        let of = |role: usize| {
            let linear = if role == 0 { vec![] } else { self.linear[role - 1].clone() };
            let mut claim = Claim::of_matrices(self.shape, linear);
            for (at, (first, copies)) in self.terms.iter().enumerate() {
                let knows = |left: bool| role == 0 || (role == 1) == ((*first == First::Left) == left);
                let copy = &copies[role.min(1)];
                let [left, right] = [0, 1].map(|i| knows(i == 0).then(|| factor(&copy[i], at / 2 + i)));
                claim = claim.term(*first, left, right);
            }
            let own = self.own.get(role.wrapping_sub(1)).into_iter().flatten();
            own.fold(claim, |claim, (sign, [x, y])| claim.own(*sign, factor(x, role), factor(y, 0)))
        };
        [of(0), of(1), of(2)]
    }
}

impl Statement {
    /// True claims of these numbers of terms and words.
    pub fn honest(shapes: &[(usize, usize)], bits: u32, seed: u64) -> Statement {
        let mut prg = of_seed(seed);
        let mask = u64::MAX >> (64 - bits);
        let mut words = |n: usize| prg.words(n).into_iter().map(|word| word & mask).collect::<Vec<_>>();
        let mut all = Statement::default();
        for (terms, n) in shapes {
            let [x, y] = [0, 1].map(|_| (0..*terms).map(|_| words(*n)).collect::<Vec<_>>());
            all.add(x, y, words(*n), bits);
        }
        all
    }

    /// And some of bits, or of a bit and 16 bits that count, with x shifted by so many bits; after all others of words.
    pub fn and_small(mut self, claims: &[(usize, usize, u8)], seed: u64) -> Statement {
        let mut prg = of_seed(seed);
        for (terms, n, shift) in claims {
            let bits = if *shift < 48 { 1 } else { 20 };
            let x = (0..*terms).map(|_| prg.bits(*n, 1).iter().map(|bit| bit << shift).collect()).collect();
            let y = (0..*terms).map(|_| prg.bits(*n, bits)).collect();
            self.add(x, y, prg.words(*n), 64);
            self.small.push(*shift);
        }
        self
    }

    /// And one of matrices, with terms of these inner dimensions. All words are odd, so that a change of any bit of one makes the claim false.
    pub fn and_matrices(mut self, shape: [usize; 2], inner: &[usize], seed: u64) -> Statement {
        let mut prg = of_seed(seed);
        self.matrices.push(Matrices::honest(shape, inner, |n| prg.words(n).iter().map(|word| word | 1).collect()));
        self
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
        let of_matrices = self.matrices.iter_mut().flat_map(Matrices::each_word);
        factors.chain(self.linear.iter_mut().flatten()).flatten().chain(of_matrices).collect()
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
        let claim = |i: usize| {
            let claim = match id {
                _ if id == prover => Claim::at_prover(self.x[0][i].clone(), self.y[0][i].clone()),
                _ if id == first => Claim::at_first(self.x[1][i].clone(), self.linear[0][i].clone()),
                _ => Claim::at_second(self.y[1][i].clone(), self.linear[1][i].clone()),
            };
            let small = (i + self.small.len()).checked_sub(self.x[0].len()).map(|i| self.small[i]);
            small.map_or(claim.clone(), |shift| claim.small(shift))
        };
        let role = [prover, first].iter().position(|role| *role == id).unwrap_or(2);
        let of_matrices = self.matrices.iter().map(|matrices| matrices.claims()[role].clone());
        (0..self.x[0].len()).map(claim).chain(of_matrices).collect()
    }
}

fn of_seed(seed: u64) -> Prg {
    let mut key = [7; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    Prg::from_seed(&key)
}

fn prove_all<R: Ring>(p: &mut Party, claims: &[Statement; 3], variables: u32) -> Result<(), Error> {
    let claims = [0, 1, 2].map(|i| claims[i].at(Id::ALL[i], p.id));
    prove::<R>(p, &claims, variables)
}

/// How each of the three ends, with its error's text.
pub fn run<R: Ring>(seed: u64, claims: &[Statement; 3], variables: u32) -> [Result<(), String>; 3] {
    let seeds = |id| Seeds::insecure(id, seed);
    let ends = simulate_over(local::network(Duration::from_secs(20)), seeds, |p| prove_all::<R>(p, claims, variables));
    ends.map(|end| end.map(|_| ()).map_err(|e: Error| e.to_string()))
}

pub fn all_accept(ends: &[Result<(), String>; 3]) {
    assert!(ends.iter().all(Result::is_ok), "{ends:?}");
}

/// What makes one party a liar: it changes what it sends, and looks at what it receives.
pub trait Lie: Send {
    fn sends(&mut self, to: Id, frame: &mut Frame);
    fn receives(&mut self, _frame: &Frame) {}
    /// Whether what was just asked about is not sent.
    fn withholds(&self) -> bool {
        false
    }
}

struct Lying {
    net: Box<dyn Net>,
    lie: Mutex<Option<Box<dyn Lie>>>,
}

impl Net for Lying {
    fn send(&self, to: Id, mut frame: Frame) -> trefoil_net::Result<()> {
        let mut lie = self.lie.lock().unwrap();
        lie.iter_mut().for_each(|lie| lie.sends(to, &mut frame));
        if lie.as_ref().is_some_and(|lie| lie.withholds()) {
            return Ok(());
        }
        self.net.send(to, frame)
    }
    fn recv(&self, from: Id) -> trefoil_net::Result<Frame> {
        let frame = self.net.recv(from)?;
        self.lie.lock().unwrap().iter_mut().for_each(|lie| lie.receives(&frame));
        Ok(frame)
    }
    fn stop(&self) {
        self.net.stop();
    }
}

fn lying(liar: Id, lie: impl Lie + 'static) -> [Lying; 3] {
    lying_within(Duration::from_secs(20), liar, lie)
}

fn lying_within(patience: Duration, liar: Id, lie: impl Lie + 'static) -> [Lying; 3] {
    let mut lie: Option<Box<dyn Lie>> = Some(Box::new(lie));
    let mut ids = Id::ALL.into_iter();
    local::network(patience).map(|net| {
        let lie = Mutex::new(if ids.next() == Some(liar) { lie.take() } else { None });
        Lying { net: Box::new(net), lie }
    })
}

/// Who accepts, where one of the three lies.
pub fn accepted<R: Ring>(seed: u64, claims: &[Statement; 3], variables: u32, liar: Id, lie: impl Lie + 'static) -> [bool; 3] {
    let ends = simulate_over(lying(liar, lie), |id| Seeds::insecure(id, seed), |p| prove_all::<R>(p, claims, variables));
    ends.map(|end: Result<_, Error>| end.is_ok())
}

/// Whether P0's proof is accepted by its second verifier where the first lies, and a tap chooses masks.
pub fn tapped<R: Ring>(seed: u64, claims: &[Statement; 3], tap: Arc<dyn Tap>, liar: Id, lie: impl Lie + 'static) -> bool {
    let seeds = |id| with(&tap, id, seed);
    let ends = simulate_over(lying(liar, lie), seeds, |p| prove_all::<R>(p, claims, 0));
    ends.into_iter().nth(2).is_some_and(|end: Result<_, Error>| end.is_ok())
}

fn with(tap: &Arc<dyn Tap>, id: Id, seed: u64) -> Seeds {
    let mut seeds = Seeds::insecure(id, seed);
    seeds.insecure_tap(tap.clone());
    seeds
}

/// All that `party` receives of a proof of P0.
pub fn views<R: Ring>(party: Id, seed: u64, tap: Arc<dyn Tap>, claims: &Statement) -> Vec<u64> {
    let claims = [claims.clone(), Statement::default(), Statement::default()];
    let runs = views::taped(|id| with(&tap, id, seed), &|p: &mut Party| prove_all::<R>(p, &claims, 0).map(|()| vec![]));
    let frames = runs.into_iter().nth(party.index()).unwrap().0;
    let parts = frames.into_iter().flat_map(|(_, frame)| frame.parts);
    parts.flat_map(|part| views::elements(&part)).collect()
}

/// Every frame that each of the three receives, and whether all accept.
pub fn frames<R: Ring>(seed: u64, claims: &[Statement; 3], variables: u32) -> (Vec<(Id, Frame)>, bool) {
    let accepted = Mutex::new(vec![]);
    let program = |p: &mut Party| {
        let end = prove_all::<R>(p, claims, variables);
        accepted.lock().unwrap().push(end.is_ok());
        Ok(vec![])
    };
    let runs = views::taped(|id| Seeds::insecure(id, seed), &program);
    let frames = runs.into_iter().flat_map(|(frames, _)| frames).collect();
    (frames, accepted.into_inner().unwrap() == [true; 3])
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

/// How a message is changed.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    PlusOne,
    TopBit,
    AnyBit,
    /// This bit, or the highest there is.
    Bit(u8),
    /// Two elements.
    Swap,
}

impl Change {
    /// Whether there is something to change.
    fn apply(self, at: usize, bits: u8, words: &mut [u64]) -> bool {
        let (mask, i) = (u64::MAX >> (64 - bits), at % words.len().max(1));
        let Some(word) = words.get_mut(i) else { return false };
        match self {
            Change::PlusOne => *word = word.wrapping_add(1) & mask,
            Change::TopBit => *word ^= 1 << (bits - 1),
            Change::AnyBit => *word ^= 1 << ((11 * at + 5) % usize::from(bits)),
            Change::Bit(bit) => *word ^= 1 << bit.min(bits - 1),
            Change::Swap => {
                let Some(other) = (0..words.len()).find(|other| words[*other] != words[i]) else { return false };
                words.swap(i, other);
            }
        }
        true
    }
}

/// One message of a protocol, counted over what a party sends, is changed.
#[derive(Clone, Debug)]
pub struct Tampered {
    pub liar: Id,
    pub which: usize,
    pub change: Change,
    /// Whether the liar goes on with what it has sent, or with what it should have sent.
    pub goes_on: bool,
}

/// Numbers of bits in a message on its way, or as they are said.
struct Tampering {
    lie: Tampered,
    seen: AtomicUsize,
    lied: Arc<AtomicBool>,
}

impl Tampering {
    fn change(&self, bits: u8, words: &mut [u64]) {
        let at = self.seen.fetch_add(1, Ordering::Relaxed);
        if at == self.lie.which && self.lie.change.apply(at, bits, words) {
            self.lied.store(true, Ordering::Relaxed);
        }
    }
}

impl Tap for Tampering {
    fn says(&self, _: u64, _: &'static str, bits: u8, words: &mut [u64]) {
        self.change(bits, words);
    }
}

impl Lie for Tampering {
    fn sends(&mut self, _: Id, frame: &mut Frame) {
        if frame.label.starts_with("proof.") {
            return;
        }
        for part in &mut frame.parts {
            let mut words = views::elements(part);
            match part.ring() {
                trefoil_net::Ring::Bits(k) => {
                    self.change(k, &mut words);
                    *part = Part::bits(&words, k);
                }
                _ => {
                    self.change(64, &mut words);
                    *part = Part::words(&words);
                }
            }
        }
    }
}

/// What becomes of a frame, proofs' and all others.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// It is sent in place of the next one to the same party.
    Replayed,
    /// Its last number is missing.
    Truncated,
    /// It is not sent.
    Withheld,
}

struct Fated {
    which: usize,
    fate: Fate,
    seen: usize,
    kept: Option<(Id, Frame)>,
    lied: Arc<AtomicBool>,
}

impl Lie for Fated {
    fn sends(&mut self, to: Id, frame: &mut Frame) {
        let mut lied = self.seen == self.which;
        self.seen += 1;
        match self.fate {
            Fate::Replayed if lied => {
                self.kept = Some((to, frame.clone()));
                lied = false;
            }
            Fate::Replayed => {
                if let Some((_, before)) = self.kept.take_if(|(kept, _)| *kept == to) {
                    *frame = before;
                    lied = true;
                }
            }
            Fate::Truncated if lied => {
                let Some(part) = frame.parts.last_mut() else { return };
                let mut words = views::elements(part);
                words.pop();
                *part = match part.ring() {
                    trefoil_net::Ring::Bits(k) => Part::bits(&words, k),
                    _ => Part::words(&words),
                };
            }
            Fate::Truncated | Fate::Withheld => {}
        }
        self.lied.fetch_or(lied, Ordering::Relaxed);
    }

    fn withholds(&self) -> bool {
        matches!(self.fate, Fate::Withheld) && self.seen == self.which + 1
    }
}

/// How each ends where a frame of a liar has another fate; `None` if it sends no such frame.
pub fn fated(
    liar: Id,
    which: usize,
    fate: Fate,
    program: impl Fn(&mut Party) -> Result<(), Error> + Sync,
) -> Option<[Result<(), Error>; 3]> {
    let lied: Arc<AtomicBool> = Arc::default();
    let lie = Fated { which, fate, seen: 0, kept: None, lied: lied.clone() };
    let nets = lying_within(Duration::from_secs(2), liar, lie);
    let ends = simulate_over(nets, |id| Seeds::insecure(id, 3), program);
    lied.load(Ordering::Relaxed).then(|| ends.map(|end| end.map(|_| ())))
}

/// How each ends where one message is changed; `None` if there is no such message, or nothing in it to change.
pub fn tampered(lie: &Tampered, program: impl Fn(&mut Party) -> Result<(), Error> + Sync) -> Option<[Result<(), Error>; 3]> {
    let lied: Arc<AtomicBool> = Arc::default();
    let tampering = || Tampering { lie: lie.clone(), seen: AtomicUsize::new(0), lied: lied.clone() };
    let seeds = |id: Id| {
        let mut seeds = Seeds::insecure(id, 3);
        if lie.goes_on && id == lie.liar {
            seeds.insecure_tap(Arc::new(tampering()));
        }
        seeds
    };
    let ends = match lie.goes_on {
        false => simulate_over(lying(lie.liar, tampering()), seeds, program),
        true => simulate_over(local::network(Duration::from_secs(20)), seeds, program),
    };
    lied.load(Ordering::Relaxed).then(|| ends.map(|end| end.map(|_| ())))
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
