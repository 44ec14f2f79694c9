//! A masked matrix: x = m - (l_0 + l_1) over Z_2^64.
//!
//! Source: ASTRA, section 3. Linear operations act on m, l_0 and l_1 alike; public constants are added to m at both servers.
//!
//! After a truncation the top bits of m are not known at once: m = low + e_0 + e_1 with e_j at P_j (`Lift`). Linear operations act
//! on e_j as well, so that the round which makes m whole (lift.rs) can wait until a whole m is needed, or ride on another.
//!
//! Of a *narrow* share only some lower bits of m are looked at, and of the rest there is not even e_j: it is dealt when m is to be made whole, if it ever is.

use super::matrix::{Matrix, Origin, View, elements, places, side_by_side, tensor};
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
    lift: Option<Arc<Lift>>,
    /// Where the lift is that of a share with the same elements in other places: where they stand here.
    turned: Option<Arc<Turned>>,
    /// Where ranks of this party hold the rows, and none of them is here.
    elsewhere: Option<Elsewhere>,
}

/// Rows that ranks of one party hold, each its own: of which of the matrices that they hold, and which ones.
#[derive(Clone)]
pub(super) struct Elsewhere {
    pub number: usize,
    /// How many rows the matrix has.
    pub of: usize,
    /// These, or all.
    pub rows: Option<Arc<[usize]>>,
}

/// The part of m that the servers still hold in shares: multiples of 2^(64-f). Shares that have the same elements, in one order or another, have
/// it in common.
pub(crate) struct Lift {
    /// How many top bits are open.
    pub f: u8,
    /// m without it; `None` at P2.
    low: Option<Arc<Matrix>>,
    own: Own,
    /// m made whole; `None` inside at P2, which only knows that it has been.
    whole: OnceLock<Option<Arc<Matrix>>>,
}

/// e_j; `None` at P2.
enum Own {
    Made(Option<Tensor>),
    /// Of a narrow share: when it has been dealt. It is made of the masks, which P2 has whole.
    Later {
        masks: [Option<Arc<Matrix>>; 2],
        made: OnceLock<Tensor>,
    },
}

/// The elements of each block of `of`, as [`Index::Blocks`] has them.
struct Turned {
    of: usize,
    at: Arc<[u32]>,
    own: OnceLock<Option<Tensor>>,
    whole: OnceLock<Option<Arc<Matrix>>>,
}

impl Lift {
    /// The elements of m, as far as they are known, and of e_j; none at P2.
    pub fn parts(&self) -> [&[u64]; 2] {
        [elements(self.low.as_ref().map(|m| m.get())), elements(self.own())]
    }

    fn own(&self) -> Option<&Tensor> {
        match &self.own {
            Own::Made(own) => own.as_ref(),
            Own::Later { made, .. } => made.get(),
        }
    }

    /// Whether it is that of a narrow share.
    pub fn is_narrow(&self) -> bool {
        matches!(self.own, Own::Later { .. })
    }

    /// l_0 and l_1 of a narrow share, row by row; a server has one of them.
    pub fn masks(&self) -> [&[u64]; 2] {
        match &self.own {
            Own::Made(_) => [&[]; 2],
            Own::Later { masks, .. } => masks.each_ref().map(|l| elements(l.as_ref().map(|l| l.get()))),
        }
    }

    /// A server: e_j of a narrow share, which has been dealt now.
    pub fn is_dealt(&self, own: Vec<u64>) {
        if let (Own::Later { made, .. }, Some(low)) = (&self.own, &self.low) {
            let _ = made.set(tensor(low.shape(), own));
        }
    }

    /// The elements of m are these; at P2 it is nothing. It is said once.
    pub fn done(&self, whole: Option<Vec<u64>>) {
        let matrix = |(whole, low): (Vec<u64>, &Arc<Matrix>)| Arc::new(Matrix::whole(tensor(low.shape(), whole)));
        let _ = self.whole.set(whole.zip(self.low.as_ref()).map(matrix));
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
        Share::from_arcs(shape, m.map(Arc::new), l.map(|l| l.map(Arc::new)))
    }

    fn from_arcs(shape: [usize; 2], m: Option<Arc<Matrix>>, l: [Option<Arc<Matrix>>; 2]) -> Share {
        Share { shape, m, l, lift: None, turned: None, elsewhere: None }
    }

    /// What stands for rows that ranks hold. Of them it has the number alone: whatever else is asked of it has no elements, which no other party takes for any.
    pub(super) fn elsewhere(shape: [usize; 2], elsewhere: Elsewhere) -> Share {
        Share { elsewhere: Some(elsewhere), ..Share::from_parts(shape, None, [None, None]) }
    }

    /// Where the rows are, if not here.
    pub(super) fn is_elsewhere(&self) -> Option<&Elsewhere> {
        self.elsewhere.as_ref()
    }

    pub(crate) fn with_lift(self, f: u8, own: Option<Tensor>) -> Share {
        self.with(f, Own::Made(own))
    }

    fn with(self, f: u8, own: Own) -> Share {
        let lift = Lift { f, low: self.m.clone(), own, whole: OnceLock::new() };
        Share { lift: Some(Arc::new(lift)), turned: None, ..self }
    }

    /// The same value, of which only the lower `k` bits of m count from now on: no more of them are known, or are to be. 3 <= k < 64.
    pub fn narrow(&self, k: u8) -> Share {
        Share::from_arcs(self.shape, self.m_matrix().cloned(), self.l.clone()).narrowed(64 - k)
    }

    fn narrowed(self, f: u8) -> Share {
        let own = Own::Later { masks: self.l.clone(), made: OnceLock::new() };
        self.with(f, own)
    }

    /// How many lower bits of m count, where it is narrow and has not been made whole.
    pub fn narrow_bits(&self) -> Option<u8> {
        self.pending().filter(|lift| lift.is_narrow()).map(|lift| 64 - lift.f)
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
        let Some(whole) = self.lift.as_ref().and_then(|lift| lift.whole.get()) else { return self.m.as_ref() };
        let Some(turned) = &self.turned else { return whole.as_ref() };
        let view = |x: &Arc<Matrix>| Arc::new(x.view(self.shape, turned.of, turned.at.clone()));
        turned.whole.get_or_init(|| whole.as_ref().map(view)).as_ref()
    }

    /// m and P_j's mask share as factors of a product; `None` where m is not known.
    pub(super) fn factors(&self, j: usize) -> Option<[Factor<'_>; 2]> {
        Some([self.m_matrix()?.factor(), self.l[j].as_ref()?.factor()])
    }

    /// The lift that m still waits for.
    pub(crate) fn pending(&self) -> Option<&Arc<Lift>> {
        self.lift.as_ref().filter(|lift| lift.whole.get().is_none())
    }

    /// e_j, where m waits for its lift; `None` at P2.
    pub(super) fn own(&self) -> Option<&Tensor> {
        let own = self.pending()?.own();
        let Some(Turned { of, at, own: turned, .. }) = self.turned.as_deref() else { return own };
        let gathered =
            |x: &Tensor| tensor(self.shape, Gathered { x: elements(Some(x)), of: *of, at, columns: self.shape[1] }.to_words());
        turned.get_or_init(|| own.map(gathered)).as_ref()
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
            None => out,
            Some(lift) if lift.is_narrow() => out.narrowed(lift.f),
            Some(lift) => out.with_lift(lift.f, self.own().map(&f)),
        }
    }

    /// x + y or x - y (`f`), linear in each of two elements.
    pub fn zip(&self, y: &Share, f: impl Fn(u64, u64) -> u64 + Copy) -> Share {
        let both = |a: Option<&Arc<Matrix>>, b: Option<&Arc<Matrix>>| a.zip(b).map(|(a, b)| a.zip(b, f));
        let l = [0, 1].map(|j| both(self.l[j].as_ref(), y.l[j].as_ref()));
        let out = Share::from_parts(self.shape, both(self.m_matrix(), y.m_matrix()), l);
        let bits = [self, y].into_iter().filter_map(Share::pending).map(|lift| lift.f).max();
        let Some(bits) = bits else { return out };
        if [self, y].iter().any(|x| x.narrow_bits().is_some()) {
            return out.narrowed(bits);
        }
        let own = [self, y].map(Share::own);
        let own = match own {
            [Some(a), Some(b)] => Some(words::zip(a, b, f)),
            [Some(a), None] => Some(a.mapv(|a| f(a, 0))),
            [None, Some(b)] => Some(b.mapv(|b| f(0, b))),
            [None, None] => None,
        };
        out.with_lift(bits, own)
    }

    /// Elements rearranged. Rows and columns of what was dealt are taken without making the rest of it. A share that waits for its lift has it in common
    /// with one of as many elements that is gathered from it.
    pub fn gather(&self, index: Index<'_>) -> Share {
        let shape = index.shape(self.shape);
        if let (Some(elsewhere), Index::Rows(rows)) = (&self.elsewhere, index) {
            let place = |row: &usize| elsewhere.rows.as_ref().map_or(*row, |rows| rows[*row]);
            return Share::elsewhere(shape, Elsewhere { rows: Some(rows.iter().map(place).collect()), ..elsewhere.clone() });
        }
        let of = |x: Option<&Arc<Matrix>>| x.map(|x| x.gather(index));
        let out = Share::from_parts(shape, of(self.m_matrix()), self.l.each_ref().map(|l| of(l.as_ref())));
        match (self.pending(), index) {
            (None, _) => out,
            (Some(lift), Index::Blocks { of, at, .. })
                if out.len() == self.len() && self.turned.is_none() && u32::try_from(of).is_ok_and(|of| of > 0) =>
            {
                let turned = Turned { of, at: places(at), own: OnceLock::new(), whole: OnceLock::new() };
                Share { lift: Some(lift.clone()), turned: Some(Arc::new(turned)), ..out }
            }
            (Some(lift), _) if lift.is_narrow() => out.narrowed(lift.f),
            (Some(lift), _) => out.with_lift(lift.f, self.own().map(|own| index.of(own))),
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
            Some(f) if xs.iter().any(|x| x.narrow_bits().is_some()) => out.narrowed(f),
            Some(f) if out.m.is_none() => out.with_lift(f, None),
            Some(f) => {
                let zeros: Vec<Tensor> = xs.iter().map(|x| Tensor::zeros((x.shape[0], x.shape[1]))).collect();
                let own = xs.iter().zip(&zeros).map(|(x, zero)| x.own().unwrap_or(zero));
                out.with_lift(f, Some(side_by_side(&own.collect::<Vec<_>>(), shape)))
            }
        })
    }
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

    /// A lift that waits is gathered too: of as many elements it is the same lift, and of fewer it is one of their own.
    #[test]
    fn what_is_missing_is_gathered() {
        let (m, e) = (numbers(2, 4, 3), numbers(2, 4, 4));
        let [all, some] = [&[3, 0, 1, 9][..], &[3, 1]].map(|at| Index::Blocks { of: 4, cols: 2, at });
        let waits = Share::new([2, 4], Some(m.clone()), [None, Some(m.clone())]).with_lift(5, Some(e.clone()));
        let (turned, fewer) = (waits.gather(all), waits.gather(some));
        let twice = turned.gather(all);
        assert!(twice.own() == Some(&all.of(&all.of(&e))) && twice.m() == Some(&all.of(&all.of(&m))));
        assert!(turned.own() == Some(&all.of(&e)) && turned.m() == Some(&all.of(&m)));
        assert!(fewer.own() == Some(&some.of(&e)) && fewer.m() == Some(&some.of(&m)));
        waits.pending().unwrap().done(Some(e.iter().copied().collect()));
        assert!(
            waits.pending().is_none() && turned.pending().is_none() && fewer.pending().is_some() && twice.pending().is_some()
        );
        assert!(turned.m() == Some(&all.of(&e)) && turned.factors(1).unwrap()[0].to_tensor().into_owned() == all.of(&e));
        let whole = waits.gather(all);
        assert!(whole.pending().is_none() && whole.m() == Some(&all.of(&e)));
    }
}
