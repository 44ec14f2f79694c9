//! A masked matrix: x = m - (l_0 + l_1) over Z_2^64.
//!
//! Source: ASTRA, section 3. Linear operations act on m, l_0 and l_1 alike; public constants are added to m at both servers.
//!
//! After a truncation the top bits of m are not known at once: m = low + e_0 + e_1 with e_j at P_j (`Lift`). Linear operations act
//! on e_j as well, so that the round which makes m whole (lift.rs) can wait until a whole m is needed, or ride on another.

use crate::rows::Rows;
use crate::{Id, Part, Party, Price, Result};
use std::sync::{Arc, OnceLock};
use trefoil_engine::Index;
use trefoil_ring::{Tensor, words};

/// One party's view of a masked matrix; cheap to clone. It has no `Debug`: it is secret.
#[derive(Clone)]
pub struct Share {
    /// Rows and columns; all three know them.
    pub shape: [usize; 2],
    /// At P0 and P1: x + l_0 + l_1, or the part of it that does not need the lift.
    m: Option<Arc<Matrix>>,
    /// l_0 at P0 and P2, l_1 at P1 and P2.
    l: [Option<Arc<Matrix>>; 2],
    /// What is missing from m.
    pub(crate) lift: Option<Arc<Lift>>,
}

/// m or a mask: whole, or as it was dealt. Of that rows and columns are taken without the rest; whole it becomes where that is asked for.
struct Matrix {
    shape: [usize; 2],
    dealt: Rows,
    whole: OnceLock<Tensor>,
}

impl Matrix {
    fn whole(x: Tensor) -> Matrix {
        // Everything sent is read row by row.
        let x = if x.is_standard_layout() { x } else { x.as_standard_layout().into_owned() };
        Matrix { shape: [x.nrows(), x.ncols()], dealt: Rows::default(), whole: x.into() }
    }

    fn dealt(shape: [usize; 2], rows: Rows) -> Matrix {
        match rows.into_words() {
            Ok(words) => Matrix::whole(tensor(shape, words)),
            Err(rows) => Matrix { shape, dealt: rows.cut(shape[1]), whole: OnceLock::new() },
        }
    }

    fn get(&self) -> &Tensor {
        self.whole.get_or_init(|| tensor(self.shape, self.dealt.to_words()))
    }

    /// As it was dealt, if nobody has needed it whole.
    fn rows(&self) -> Option<&Rows> {
        self.whole.get().is_none().then_some(&self.dealt)
    }

    fn gather(&self, index: Index<'_>) -> Matrix {
        match (self.rows(), index) {
            (Some(dealt), Index::Rows(rows)) => Matrix::whole(tensor(index.shape(self.shape), dealt.gather(rows))),
            (Some(dealt), Index::Cols(columns)) => Matrix::dealt(index.shape(self.shape), dealt.columns(columns)),
            _ => Matrix::whole(index.of(self.get())),
        }
    }

    /// Matrices of equal height side by side.
    fn beside(parts: &[&Matrix], shape: [usize; 2]) -> Matrix {
        match parts.iter().map(|x| x.rows()).collect::<Option<Vec<&Rows>>>() {
            Some(dealt) => Matrix::dealt(shape, Rows::beside(&dealt)),
            None => Matrix::whole(side_by_side(&parts.iter().map(|x| x.get()).collect::<Vec<_>>(), shape)),
        }
    }
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
        let whole = |x: Option<Tensor>| x.map(Matrix::whole);
        Share::from_parts(shape, whole(m), l.map(whole))
    }

    /// The same of what was dealt.
    pub(crate) fn dealt(shape: [usize; 2], m: Option<Rows>, l: [Option<Rows>; 2]) -> Share {
        let dealt = |x: Option<Rows>| x.map(|x| Matrix::dealt(shape, x));
        Share::from_parts(shape, dealt(m), l.map(dealt))
    }

    fn from_parts(shape: [usize; 2], m: Option<Matrix>, l: [Option<Matrix>; 2]) -> Share {
        Share { shape, m: m.map(Arc::new), l: l.map(|l| l.map(Arc::new)), lift: None }
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
            None => self.m.as_ref().map(|m| m.get()),
        }
    }

    /// The lift that m still waits for.
    pub(crate) fn pending(&self) -> Option<&Arc<Lift>> {
        self.lift.as_ref().filter(|lift| lift.whole.get().is_none())
    }

    /// The mask share that P_j holds; `None` at the other server.
    pub fn mask(&self, j: usize) -> Option<&Tensor> {
        self.l[j].as_ref().map(|l| l.get())
    }

    /// l_0 + l_1, at P2; `None` at the servers.
    pub fn full_mask(&self) -> Option<Tensor> {
        self.mask(0).zip(self.mask(1)).map(|(l_0, l_1)| words::add(l_0, l_1))
    }

    /// l_0 and l_1 at P2, row by row; a server has one of them.
    pub(super) fn masks(&self) -> [&[u64]; 2] {
        [0, 1].map(|j| elements(self.mask(j)))
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

    /// Elements rearranged. Rows and columns of what was dealt are taken without making the rest of it.
    pub fn gather(&self, index: Index<'_>) -> Share {
        let shape = index.shape(self.shape);
        if self.lift.is_some() {
            return self.linear(shape, |x| index.of(x));
        }
        let of = |x: &Option<Arc<Matrix>>| x.as_ref().map(|x| x.gather(index));
        Share::from_parts(shape, of(&self.m), self.l.each_ref().map(of))
    }

    /// Matrices of equal height side by side; `None` if there are none or they do not fit.
    pub fn beside(xs: &[&Share]) -> Option<Share> {
        let rows = xs.first()?.shape[0];
        let shape = [rows, xs.iter().map(|x| x.shape[1]).sum()];
        if xs.iter().any(|x| x.shape[0] != rows) {
            return None;
        }
        let of = |part: fn(&Share) -> Option<&Matrix>| {
            Some(Matrix::beside(&xs.iter().map(|x| part(x)).collect::<Option<Vec<_>>>()?, shape))
        };
        let m = match xs.iter().any(|x| x.lift.is_some()) {
            true => xs.iter().map(|x| x.m()).collect::<Option<Vec<_>>>().map(|m| Matrix::whole(side_by_side(&m, shape))),
            false => of(|x| x.m.as_deref()),
        };
        let out = Share::from_parts(shape, m, [of(|x| x.l[0].as_deref()), of(|x| x.l[1].as_deref())]);
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

/// For `n` elements of whole shares.
pub const fn reconstruct_cost(n: usize) -> Price {
    Price::of(1, [0, 0], 16 * n as u64)
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
