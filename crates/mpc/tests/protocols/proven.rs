//! A product of the masked suite, whole and without truncation, of which every message is claimed and proven from what the three have drawn and received: the first protocol of a
//! verified suite (docs/verified.md). Each makes its part of the claims from its own transcript alone.

use crate::common::masked_programs::dealt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trefoil_engine::Kind;
use trefoil_mpc::masked::{Share, product};
use trefoil_mpc::proof::{Claim, OfWords, prove};
use trefoil_mpc::secure::Shares;
use trefoil_mpc::tap::{Draw, Tap};
use trefoil_mpc::{Error, Id, Party, Seeds, simulate_over};
use trefoil_net::{Frame, Net, local};
use trefoil_ring::Tensor;

/// What one party has drawn, and received, by label.
#[derive(Clone, Default)]
struct Transcript(Arc<Mutex<BTreeMap<String, Vec<u64>>>>);

impl Transcript {
    fn of(&self, label: &str) -> Vec<u64> {
        self.0.lock().unwrap()[label].clone()
    }
}

impl Tap for Transcript {
    fn block(&self, draw: &Draw, _: &[u8; 32], _: u64, bytes: &mut [u8]) {
        let words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
        self.0.lock().unwrap().entry(draw.label.into()).or_default().extend(words);
    }
}

/// A network that notes what comes, and may change the first frame under a label.
struct Noting {
    net: Box<dyn Net>,
    transcript: Transcript,
    lie: Option<(&'static str, u64)>,
}

impl Net for Noting {
    fn send(&mut self, to: Id, mut frame: Frame) -> trefoil_net::Result<()> {
        if let Some((_, by)) = self.lie.take_if(|(label, _)| *label == frame.label) {
            let mut words = frame.parts[0].to_words(frame.parts[0].len()).unwrap();
            words[1] = words[1].wrapping_add(by);
            frame.parts[0] = trefoil_net::Part::words(&words);
        }
        self.net.send(to, frame)
    }
    fn recv(&mut self, from: Id) -> trefoil_net::Result<Frame> {
        let frame = self.net.recv(from)?;
        if frame.label.starts_with("masked.product") {
            let words = frame.parts.iter().flat_map(|part| part.to_words(part.len()).unwrap()).collect();
            self.transcript.0.lock().unwrap().insert(frame.label.to_string(), words);
        }
        Ok(frame)
    }
}

/// For each inner index of a product two factors, X's column and Y's row, as words for all elements of the result.
fn terms(x: &Tensor, y: &Tensor, [rows, columns]: [usize; 2]) -> Vec<Vec<u64>> {
    let all = |word: &dyn Fn(usize, usize) -> u64| (0..rows * columns).map(|at| word(at / columns, at % columns)).collect();
    (0..x.ncols()).flat_map(|k| [all(&|i, _| x[[i, k]]), all(&|_, j| y[[k, j]])]).collect()
}

/// What those are multiplied by: of the other side's X and Y the row and the column.
fn others(x: &Tensor, y: &Tensor, shape: [usize; 2]) -> Vec<Vec<u64>> {
    let mut words = terms(x, y, shape);
    words.as_chunks_mut::<2>().0.iter_mut().for_each(|two| two.swap(0, 1));
    words
}

fn negative(mut words: Vec<Vec<u64>>) -> Vec<Vec<u64>> {
    words.iter_mut().flatten().for_each(|word| *word = word.wrapping_neg());
    words
}

fn less(a: Vec<u64>, b: impl IntoIterator<Item = u64>) -> Vec<u64> {
    a.into_iter().zip(b).map(|(a, b)| a.wrapping_sub(b)).collect()
}

fn elements(x: &Tensor) -> Vec<u64> {
    x.iter().copied().collect()
}

/// Of Z = X Y what this party knows of the claims of P0, P1 and P2: c_0 = v_0 - m_x l_y0 - l_x0 m_y; c_1 = v_1 + m_x m_y - m_x l_y1 - l_x1 m_y; and
/// v_0 + v_1 = (l_x0 + l_x1) (l_y0 + l_y1) + l'_0 + l'_1.
fn claims(p: &Party, seen: &Transcript, [x, y, z]: [&Share; 3], lie: u64) -> [Vec<Claim>; 3] {
    let shape = [z.shape()[0], z.shape()[1]];
    let n = shape[0] * shape[1];
    let l = |j: usize| [x, y].map(|factor| factor.mask(j).unwrap());
    let open = || [x, y].map(|factor| factor.m().unwrap());
    let masks = |j: usize| others(l(j)[0], l(j)[1], shape);
    let opened = || terms(open()[0], open()[1], shape);
    let of_p2 = || negative(terms(l(1)[0], l(1)[1], shape));
    let product = |[x, y]: [&Tensor; 2]| {
        let (x, y) = (terms(x, y, shape), others(x, y, shape));
        (0..n)
            .map(|at| x.iter().zip(&y).step_by(2).fold(0, |sum: u64, (x, y)| sum.wrapping_add(x[at].wrapping_mul(y[at]))))
            .collect::<Vec<_>>()
    };
    let mask = |j: usize| elements(z.mask(j).unwrap());
    let drawn = |label: &str| seen.of(label)[..n].to_vec();
    let zeros = vec![0; n];
    let claims = match p.id {
        Id::P0 => [
            Claim::at_prover(opened(), masks(0)),
            Claim::at_first(opened(), less(seen.of("masked.product.c"), product(open()))),
            Claim::at_second(masks(0), less(less(drawn("masked.product.v_0"), mask(0)), product(l(0)))),
        ],
        Id::P1 => [
            Claim::at_first(opened(), seen.of("masked.product.c")),
            Claim::at_prover(opened(), masks(1)),
            Claim::at_first(of_p2(), less(less(seen.of("masked.product.deal"), mask(1)), product(l(1)))),
        ],
        Id::P2 => {
            let v_0 = drawn("masked.product.v_0");
            // What P2 has dealt to P1 follows from what it knows.
            let both = [x, y].map(|factor| factor.full_mask().unwrap());
            let v_1 = less(product([&both[0], &both[1]]), v_0.clone());
            let l = mask(0).into_iter().zip(mask(1)).map(|(a, b)| a.wrapping_add(b).wrapping_neg());
            let mut v_1 = less(v_1, l);
            // It goes on with what it has sent.
            v_1[1] = v_1[1].wrapping_add(lie);
            [
                Claim::at_second(masks(0), less(zeros.clone(), v_0)),
                Claim::at_second(masks(1), less(zeros, v_1)),
                Claim::at_prover(of_p2(), masks(0)),
            ]
        }
    };
    claims.map(|claim| vec![claim])
}

/// X Y of the masked suite, and its proof. How each ends: with m of the product, or with what is wrong.
fn proven(liar: Id, lie: Option<(&'static str, u64)>) -> [Result<Option<Tensor>, String>; 3] {
    let transcripts: [Transcript; 3] = Default::default();
    let mut ids = Id::ALL.into_iter();
    let nets = local::network(Duration::from_secs(20)).map(|net| {
        let id = ids.next().unwrap();
        Noting { net: Box::new(net), transcript: transcripts[id.index()].clone(), lie: lie.filter(|_| id == liar) }
    });
    let seeds = |id: Id| {
        let mut seeds = Seeds::insecure(id, 4);
        seeds.insecure_tap(Arc::new(transcripts[id.index()].clone()));
        seeds
    };
    let ends = simulate_over(nets, seeds, |p| {
        let (x, y) = (factor([3, 4]), factor([4, 2]));
        let (x, y) = (dealt(p, &x, 1), dealt(p, &y, 2));
        let factors = product::Factors {
            kind: Kind::MatMul { tx: false, ty: false },
            x: &x,
            y: &y,
            scatter: None,
            plus: None,
            shape: [3, 2],
            f: 0,
        };
        let z = product::products(p, &[factors])?.remove(0);
        let lie = lie.filter(|_| p.id == liar).map_or(0, |(_, by)| by);
        prove::<OfWords>(p, &claims(p, &transcripts[p.id.index()], [&x, &y, &z], lie), 2)?;
        Ok(z.m().cloned().or(z.full_mask()))
    });
    ends.map(|end: Result<_, Error>| end.map(|(z, _)| z).map_err(|e| e.to_string()))
}

fn factor(shape: [usize; 2]) -> Tensor {
    Tensor::from_shape_fn(shape, |(i, j)| (7 * i as u64 + 3 * j as u64).wrapping_sub(9))
}

#[test]
fn a_product_is_proven_and_a_lie_in_it_is_noticed() {
    let [m, other, mask] = proven(Id::P0, None).map(|end| end.unwrap().unwrap());
    assert_eq!(m, other);
    let z = Tensor::from_shape_fn([3, 2], |at| m[at].wrapping_sub(mask[at]));
    assert_eq!(z, trefoil_ring::matrix::product(&factor([3, 4]), false, &factor([4, 2]), false));
    for (liar, label) in [(Id::P0, "masked.product.c"), (Id::P1, "masked.product.c"), (Id::P2, "masked.product.deal")] {
        for by in [1, 1 << 63] {
            let ends = proven(liar, Some((label, by)));
            for id in liar.others() {
                let error = ends[id.index()].as_ref().unwrap_err();
                assert!(error.contains(&format!("the proof of {liar} is rejected")), "{liar}: {id} ends with {error}");
            }
        }
    }
}
