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
use trefoil_ring::matrix::{Factor, Gathered};
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

/// m or a mask: whole, or as it was dealt, or elements of another. Of what was dealt rows and columns are taken without the rest; whole any becomes
/// where that is asked for.
pub(super) struct Matrix {
    shape: [usize; 2],
    made_of: Origin,
    whole: OnceLock<Tensor>,
}

/// What a matrix is made of when somebody needs it whole.
enum Origin {
    /// It is whole.
    Itself,
    /// As it was dealt.
    Dealt(Rows),
    /// Elements of another.
    View(View),
}

/// Elements of another matrix, in other places in each block of `of` of them.
#[derive(Clone)]
struct View {
    x: Arc<Matrix>,
    of: usize,
    at: Arc<[u32]>,
}

impl Matrix {
    fn whole(x: Tensor) -> Matrix {
        // Everything sent is read row by row.
        let x = if x.is_standard_layout() { x } else { x.as_standard_layout().into_owned() };
        Matrix { shape: [x.nrows(), x.ncols()], made_of: Origin::Itself, whole: x.into() }
    }

    fn dealt(shape: [usize; 2], rows: Rows) -> Matrix {
        match rows.into_words() {
            Ok(words) => Matrix::whole(tensor(shape, words)),
            Err(rows) => Matrix { shape, made_of: Origin::Dealt(rows.cut(shape[1])), whole: OnceLock::new() },
        }
    }

    fn get(&self) -> &Tensor {
        self.whole.get_or_init(|| {
            let words = match &self.made_of {
                Origin::Itself => vec![],
                Origin::Dealt(rows) => rows.to_words(),
                Origin::View(view) => view.gathered(self.shape).to_words(),
            };
            tensor(self.shape, words)
        })
    }

    /// As a factor of a product, which need not be made whole for it.
    pub fn factor(&self) -> Factor<'_> {
        match self.origin() {
            Origin::View(view) => Factor::Gathered(view.gathered(self.shape)),
            _ => Factor::Whole(self.get()),
        }
    }

    /// What it is made of, if nobody has needed it whole.
    fn origin(&self) -> &Origin {
        if self.whole.get().is_none() { &self.made_of } else { &Origin::Itself }
    }

    /// As it was dealt, if nobody has needed it whole.
    fn rows(&self) -> Option<&Rows> {
        if let Origin::Dealt(rows) = self.origin() { Some(rows) } else { None }
    }

    fn gather(self: &Arc<Self>, index: Index<'_>) -> Matrix {
        let shape = index.shape(self.shape);
        match (self.origin(), index) {
            (Origin::Dealt(dealt), Index::Rows(rows)) => Matrix::whole(tensor(shape, dealt.gather(rows))),
            (Origin::Dealt(dealt), Index::Cols(columns)) => Matrix::dealt(shape, dealt.columns(columns)),
            (_, Index::Blocks { of, at, .. }) if u32::try_from(of).is_ok_and(|of| of > 0) => self.view(shape, of, at),
            _ => Matrix::whole(index.of(self.get())),
        }
    }

    /// What a gather of blocks gives, without making it: a product reads it as it is, and of another gather only what is left is made.
    fn view(self: &Arc<Self>, shape: [usize; 2], of: usize, at: &[usize]) -> Matrix {
        let beyond = |at: &usize| u32::try_from(*at).unwrap_or(u32::MAX);
        let view = match self.origin() {
            Origin::View(view) if view.at.len() == of => {
                let at = at.iter().map(|at| view.at.get(*at).copied().unwrap_or(u32::MAX)).collect();
                View { at, ..view.clone() }
            }
            _ => View { x: self.clone(), of, at: at.iter().map(beyond).collect() },
        };
        view.matrix(shape)
    }

    /// A function of each two elements. Those that stand elsewhere are read where they are.
    fn zip(&self, other: &Matrix, f: impl Fn(u64, u64) -> u64 + Copy) -> Matrix {
        let [rows, columns] = self.shape;
        let (mut out, all) = (Vec::with_capacity(rows * columns), 0..columns);
        match (self.factor(), other.factor()) {
            (Factor::Whole(a), Factor::Whole(b)) => return Matrix::whole(words::zip(a, b, f)),
            (Factor::Gathered(a), Factor::Gathered(b)) => {
                (0..rows).for_each(|i| out.extend(a.row(i, all.clone()).zip(b.row(i, all.clone())).map(|(a, b)| f(a, b))));
            }
            (Factor::Gathered(a), Factor::Whole(b)) => {
                let b = elements(Some(b)).chunks_exact(columns.max(1));
                b.enumerate().for_each(|(i, b)| out.extend(a.row(i, all.clone()).zip(b).map(|(a, b)| f(a, *b))));
            }
            (Factor::Whole(a), Factor::Gathered(b)) => {
                let a = elements(Some(a)).chunks_exact(columns.max(1));
                a.enumerate().for_each(|(i, a)| out.extend(a.iter().zip(b.row(i, all.clone())).map(|(a, b)| f(*a, b))));
            }
        }
        Matrix::whole(tensor(self.shape, out))
    }

    /// Matrices of equal height side by side.
    fn beside(parts: &[&Matrix], shape: [usize; 2]) -> Matrix {
        match parts.iter().map(|x| x.rows()).collect::<Option<Vec<&Rows>>>() {
            Some(dealt) => Matrix::dealt(shape, Rows::beside(&dealt)),
            None => Matrix::whole(side_by_side(&parts.iter().map(|x| x.get()).collect::<Vec<_>>(), shape)),
        }
    }
}

impl View {
    fn gathered(&self, [_, columns]: [usize; 2]) -> Gathered<'_> {
        Gathered { x: elements(Some(self.x.get())), of: self.of, at: &self.at, columns }
    }

    /// Of this shape, as a matrix.
    fn matrix(self, shape: [usize; 2]) -> Matrix {
        Matrix { shape, made_of: Origin::View(self), whole: OnceLock::new() }
    }
}

/// The part of m that the servers still hold in shares: multiples of 2^(64-f).
pub(crate) struct Lift {
    /// How many top bits are open.
    pub f: u8,
    /// e_j; `None` at P2.
    pub own: Option<Tensor>,
    /// m made whole; `None` inside at P2, which only knows that it has been.
    whole: OnceLock<Option<Arc<Matrix>>>,
}

impl Lift {
    /// m is this; at P2 it is nothing. It is said once.
    pub fn done(&self, whole: Option<Tensor>) {
        let _ = self.whole.set(whole.map(|m| Arc::new(Matrix::whole(m))));
    }
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
        self.m_matrix().map(|m| m.get())
    }

    fn m_matrix(&self) -> Option<&Arc<Matrix>> {
        match self.lift.as_ref().and_then(|lift| lift.whole.get()) {
            Some(whole) => whole.as_ref(),
            None => self.m.as_ref(),
        }
    }

    /// m and P_j's mask share as factors of a product; `None` where m is not known.
    pub(super) fn factors(&self, j: usize) -> Option<[Factor<'_>; 2]> {
        Some([self.m_matrix()?.factor(), self.l[j].as_ref()?.factor()])
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

    /// The same for a product: of elements of others, elements of their sum.
    pub(super) fn full(&self) -> Option<Matrix> {
        let (l_0, l_1) = self.l[0].as_ref().zip(self.l[1].as_ref())?;
        match (l_0.origin(), l_1.origin()) {
            (Origin::View(a), Origin::View(b)) if a.at == b.at && a.of == b.of => {
                let sum = Matrix::whole(words::add(a.x.get(), b.x.get()));
                Some(View { x: Arc::new(sum), ..a.clone() }.matrix(self.shape))
            }
            _ => self.full_mask().map(Matrix::whole),
        }
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

    /// x + y or x - y (`f`), linear in each of two elements.
    pub fn zip(&self, y: &Share, f: impl Fn(u64, u64) -> u64 + Copy) -> Share {
        let both = |a: Option<&Arc<Matrix>>, b: Option<&Arc<Matrix>>| a.zip(b).map(|(a, b)| a.zip(b, f));
        let l = [0, 1].map(|j| both(self.l[j].as_ref(), y.l[j].as_ref()));
        let out = Share::from_parts(self.shape, both(self.m_matrix(), y.m_matrix()), l);
        let bits = [self, y].into_iter().filter_map(Share::pending).map(|lift| lift.f).max();
        let Some(bits) = bits else { return out };
        let own = [self, y].map(|x| x.pending().and_then(|lift| lift.own.as_ref()));
        let own = match own {
            [Some(a), Some(b)] => Some(words::zip(a, b, f)),
            [Some(a), None] => Some(a.mapv(|a| f(a, 0))),
            [None, Some(b)] => Some(b.mapv(|b| f(0, b))),
            [None, None] => None,
        };
        out.with_lift(bits, own)
    }

    /// Elements rearranged. Rows and columns of what was dealt are taken without making the rest of it.
    pub fn gather(&self, index: Index<'_>) -> Share {
        let shape = index.shape(self.shape);
        let of = |x: Option<&Arc<Matrix>>| x.map(|x| x.gather(index));
        let out = Share::from_parts(shape, of(self.m_matrix()), self.l.each_ref().map(|l| of(l.as_ref())));
        match self.pending() {
            Some(lift) => out.with_lift(lift.f, lift.own.as_ref().map(|own| index.of(own))),
            None => out,
        }
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
        let m = of(|x| x.m_matrix().map(|m| &**m));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(rows: usize, cols: usize, seed: u64) -> Tensor {
        let word = |i: usize| (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_mul(2 * seed + 1);
        Tensor::from_shape_fn((rows, cols), |(i, j)| word(i * cols + j))
    }

    /// What is gathered later is what would have been gathered at once: once, twice, of blocks of other sizes, and with places beyond a block's end.
    #[test]
    fn gathers_are_made_when_they_are_needed() {
        let (x, y) = (numbers(6, 10, 1), numbers(6, 10, 2));
        let server = Share::new([6, 10], Some(x.clone()), [Some(y.clone()), None]);
        let helper = Share::new([6, 10], None, [Some(x.clone()), Some(y.clone())]);
        let first = Index::Blocks { of: 10, cols: 5, at: &[9, 0, 3, 99, 3, 4, 4, 10, 1, 2, 7, 8, 6, 5, 0] };
        let of_same = Index::Blocks { of: 15, cols: 2, at: &[14, 3, 0, 15, 7, 7] };
        let of_two = Index::Blocks { of: 30, cols: 4, at: &[29, 0, 31, 16] };
        for then in [of_same, of_two] {
            let wanted = [&x, &y].map(|x| then.of(&first.of(x)));
            for made in [false, true] {
                let once = server.gather(first);
                assert!(!made || once.m() == Some(&first.of(&x)));
                let twice = once.gather(then);
                let [m, l] = twice.factors(0).unwrap().map(|factor| factor.to_tensor().into_owned());
                assert!([m, l] == wanted && twice.m() == Some(&wanted[0]) && twice.mask(0) == Some(&wanted[1]));
                assert!(twice.factors(1).is_none() && twice.full().is_none());
            }
            let twice = helper.gather(first).gather(then);
            let sum = words::add(&wanted[0], &wanted[1]);
            let full = twice.full().unwrap().factor().to_tensor().into_owned();
            assert!(full == sum && twice.full_mask() == Some(sum));
        }
    }

    /// A lift that waits is gathered too.
    #[test]
    fn what_is_missing_is_gathered() {
        let (m, e) = (numbers(2, 4, 3), numbers(2, 4, 4));
        let index = Index::Blocks { of: 4, cols: 2, at: &[3, 0, 1, 9] };
        let waits = Share::new([2, 4], Some(m.clone()), [None, Some(m.clone())]).with_lift(5, Some(e.clone()));
        let gathered = waits.gather(index);
        assert!(gathered.pending().unwrap().own.as_ref() == Some(&index.of(&e)) && gathered.m() == Some(&index.of(&m)));
        waits.pending().unwrap().done(Some(e.clone()));
        let whole = waits.gather(index);
        assert!(whole.pending().is_none() && whole.m() == Some(&index.of(&e)) && gathered.pending().is_some());
    }
}
