//! A masked matrix: x = m - (l_0 + l_1) over Z_2^64.
//!
//! Source: ASTRA, section 3. Linear operations act on m, l_0 and l_1 alike; public constants are added to m at both servers.
//!
//! After a truncation the top bits of m are not known at once: m = low + e_0 + e_1 with e_j at P_j (`Lift`). Linear operations act
//! on e_j as well, so that the round which makes m whole (lift.rs) can wait until a whole m is needed, or ride on another.

use crate::{Id, Part, Party, Result};
use std::sync::{Arc, OnceLock};
use trefoil_engine::Index;
use trefoil_ring::{Tensor, words};

/// One party's view of a masked matrix; cheap to clone. It has no `Debug`: it is secret.
#[derive(Clone)]
pub struct Share {
    /// Rows and columns; all three know them.
    pub shape: [usize; 2],
    /// At P0 and P1: x + l_0 + l_1, or the part of it that does not need the lift.
    m: Option<Arc<Tensor>>,
    /// l_0 at P0 and P2, l_1 at P1 and P2.
    l: [Option<Arc<Tensor>>; 2],
    /// What is missing from m.
    pub(crate) lift: Option<Arc<Lift>>,
}

/// The part of m that the servers still hold in shares: multiples of 2^(64-f).
pub(crate) struct Lift {
    /// How many top bits are open.
    pub f: u8,
    /// e_j; `None` at P2.
    pub own: Option<Tensor>,
    /// m made whole; `None` inside at P2, which only knows that it has been.
    pub whole: OnceLock<Option<Tensor>>,
}

impl Share {
    /// A share from its parts; `m` at P0 and P1.
    pub fn new(shape: [usize; 2], m: Option<Tensor>, l: [Option<Tensor>; 2]) -> Share {
        // Everything sent is read row by row.
        let rows =
            |x: Option<Tensor>| x.map(|x| Arc::new(if x.is_standard_layout() { x } else { x.as_standard_layout().into_owned() }));
        Share { shape, m: rows(m), l: l.map(rows), lift: None }
    }

    pub(crate) fn with_lift(self, f: u8, own: Option<Tensor>) -> Share {
        Share { lift: Some(Arc::new(Lift { f, own, whole: OnceLock::new() })), ..self }
    }

    /// A public value: its mask is zero.
    pub fn public(p: &Party, x: &Tensor) -> Share {
        let zero = || Some(Tensor::zeros(x.dim()));
        let l = [if p.id == Id::P1 { None } else { zero() }, if p.id == Id::P0 { None } else { zero() }];
        Share::new([x.nrows(), x.ncols()], (p.id != Id::P2).then(|| x.clone()), l)
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// m, as far as it is known; `None` at P2.
    pub fn m(&self) -> Option<&Tensor> {
        match self.lift.as_ref().and_then(|lift| lift.whole.get()) {
            Some(whole) => whole.as_ref(),
            None => self.m.as_deref(),
        }
    }

    /// The lift that m still waits for.
    pub(crate) fn pending(&self) -> Option<&Arc<Lift>> {
        self.lift.as_ref().filter(|lift| lift.whole.get().is_none())
    }

    /// The mask share that P_j holds; `None` at the other server.
    pub fn mask(&self, j: usize) -> Option<&Tensor> {
        self.l[j].as_deref()
    }

    /// l_0 + l_1, at P2; `None` at the servers.
    pub fn full_mask(&self) -> Option<Tensor> {
        match &self.l {
            [Some(l_0), Some(l_1)] => Some(words::add(l_0, l_1)),
            _ => None,
        }
    }

    /// A linear function of each of m, l_0, l_1 and e_j.
    pub fn linear(&self, shape: [usize; 2], f: impl Fn(&Tensor) -> Tensor) -> Share {
        let out = Share::new(shape, self.m().map(&f), [self.mask(0).map(&f), self.mask(1).map(&f)]);
        match self.pending() {
            Some(lift) => out.with_lift(lift.f, lift.own.as_ref().map(&f)),
            None => out,
        }
    }

    /// x + y or x - y (`f`), linear in each of the two, of one shape.
    pub fn zip(&self, y: &Share, f: impl Fn(&Tensor, &Tensor) -> Tensor) -> Share {
        let both = |a: Option<&Tensor>, b: Option<&Tensor>| a.zip(b).map(|(a, b)| f(a, b));
        let l = [both(self.mask(0), y.mask(0)), both(self.mask(1), y.mask(1))];
        let out = Share::new(self.shape, both(self.m(), y.m()), l);
        match (self.pending(), y.pending()) {
            (None, None) => out,
            (a, b) => {
                let bits = a.map_or(0, |a| a.f).max(b.map_or(0, |b| b.f));
                let zero = Tensor::zeros((self.shape[0], self.shape[1]));
                let [a, b] = [a, b].map(|lift| lift.and_then(|lift| lift.own.as_ref()).unwrap_or(&zero));
                let sum = self.m.as_ref().map(|_| f(a, b));
                out.with_lift(bits, sum)
            }
        }
    }

    /// Elements rearranged.
    pub fn gather(&self, index: Index<'_>) -> Share {
        self.linear(index.shape(self.shape), |x| index.of(x))
    }

    /// Matrices of equal height side by side; `None` if there are none or they do not fit.
    pub fn beside(xs: &[&Share]) -> Option<Share> {
        let rows = xs.first()?.shape[0];
        let shape = [rows, xs.iter().map(|x| x.shape[1]).sum()];
        let join = |parts: Option<Vec<&Tensor>>| parts.map(|parts| side_by_side(&parts, shape));
        if xs.iter().any(|x| x.shape[0] != rows) {
            return None;
        }
        let of = |part: fn(&Share) -> Option<&Tensor>| join(xs.iter().map(|x| part(x)).collect());
        let out = Share::new(shape, of(Share::m), [of(|x| x.mask(0)), of(|x| x.mask(1))]);
        let f = xs.iter().filter_map(|x| x.pending()).map(|lift| lift.f).max();
        Some(match f {
            None => out,
            Some(f) if out.m.is_none() => out.with_lift(f, None),
            Some(f) => {
                let zeros: Vec<Tensor> = xs.iter().map(|x| Tensor::zeros((x.shape[0], x.shape[1]))).collect();
                let own = xs.iter().zip(&zeros).map(|(x, zero)| x.pending().and_then(|l| l.own.as_ref()).unwrap_or(zero));
                out.with_lift(f, Some(side_by_side(&own.collect::<Vec<_>>(), shape)))
            }
        })
    }
}

/// Matrices of equal height side by side, row by row.
fn side_by_side(parts: &[&Tensor], shape: [usize; 2]) -> Tensor {
    let mut out = Vec::with_capacity(shape[0] * shape[1]);
    for i in 0..shape[0] {
        parts.iter().for_each(|x| out.extend(x.row(i).iter()));
    }
    tensor(shape, out)
}

/// A matrix from its elements, row by row.
pub(crate) fn tensor(shape: [usize; 2], x: Vec<u64>) -> Tensor {
    Tensor::from_shape_vec((shape[0], shape[1]), x).unwrap_or_else(|_| Tensor::zeros((shape[0], shape[1])))
}

/// The elements, row by row.
pub(crate) fn elements(x: Option<&Tensor>) -> &[u64] {
    x.and_then(|x| x.as_slice()).unwrap_or(&[])
}

/// Rounds, bytes ahead of time and bytes in the round, for `n` elements of whole shares.
pub const fn reconstruct_cost(n: usize) -> (u64, u64, u64) {
    (1, 0, 16 * n as u64)
}

/// Opens a matrix to P0 and P1: each sends its mask share. 1 round, 2 words an element; `None` at P2.
///
/// # Errors
/// Those of the network.
pub fn reconstruct(p: &mut Party, x: &Share) -> Result<Option<Tensor>> {
    super::lift::lift(p, &[x])?;
    let op = p.op();
    if p.id == Id::P2 {
        return Ok(None);
    }
    let (peer, own) = (p.peer(), elements(x.mask(p.id.index())));
    let theirs = p.round(op, "masked.share.open").send(peer, Part::words(own)).then()?.words(peer, x.len())?;
    let m = elements(x.m()).iter().zip(own).zip(theirs).map(|((m, own), theirs)| m.wrapping_sub(*own).wrapping_sub(theirs));
    Ok(Some(tensor(x.shape, m.collect())))
}
