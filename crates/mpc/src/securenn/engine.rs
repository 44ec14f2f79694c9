//! The engine on the SecureNN suite: what layers call, in terms of the protocols beside it.

use super::matmul::{Factors, matmul, open_masked};
use super::{Share, drelu::drelu, share::reconstruct, truncate};
use crate::{Party, Result};
use trefoil_engine::Result as EngineResult;
use trefoil_engine::{Engine, Error, Format, Index, Kind, Opened, Product, Sum, fixed};
use trefoil_ring::{Tensor, words};

/// How products lose their extra fraction bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Truncation {
    /// With P2's help: exact to one unit, cannot fail.
    #[default]
    Dealer,
    /// Without a message; fails with probability |v| / 2^64 an element. For study.
    Local,
}

/// The engine: a party and its choices.
pub struct SecureNn {
    /// This party.
    pub party: Party,
    truncation: Truncation,
}

/// A shared matrix with its format. A bit matrix is one with no fraction bits.
#[derive(Clone)]
pub struct Num {
    /// This party's share.
    pub share: Share,
    format: Format,
}

impl Num {
    /// A share under a format.
    pub fn new(share: Share, format: Format) -> Num {
        Num { share, format }
    }
}

impl SecureNn {
    /// An engine for `party`.
    pub fn new(party: Party, truncation: Truncation) -> SecureNn {
        SecureNn { party, truncation }
    }

    fn shift_down(&mut self, vs: &[(&Share, u8)]) -> Result<Vec<Share>> {
        match self.truncation {
            Truncation::Dealer => truncate::truncate(&mut self.party, vs),
            Truncation::Local => Ok(vs.iter().map(|(v, f)| truncate::truncate_local(&self.party, v, *f)).collect()),
        }
    }

    fn aligned(&self, x: &Num, y: &Num, what: &'static str, f: fn(&Tensor, &Tensor) -> Tensor) -> EngineResult<Num> {
        let (sx, sy, format) = x.format.align(y.format, what)?;
        let y = broadcast(&y.share, x.share.shape, what)?;
        let value = x.share.zip(&y, |x, y| match (sx, sy) {
            (0, 0) => f(x, y),
            _ => f(&words::shl(x, sx), &words::shl(y, sy)),
        });
        Ok(Num::new(value, format))
    }
}

/// `y` repeated to `shape` if it is one row, one column or one element.
fn broadcast(y: &Share, shape: [usize; 2], what: &'static str) -> EngineResult<Share> {
    if y.shape == shape {
        return Ok(y.clone());
    }
    trefoil_engine::fits(y.shape, shape, what)?;
    Ok(y.map(shape, |y| y.broadcast(shape).map_or_else(|| Tensor::zeros((shape[0], shape[1])), |y| y.to_owned())))
}

fn same_shape(x: &Share, y: &Share, what: &'static str) -> EngineResult<()> {
    if x.shape == y.shape { Ok(()) } else { Err(Error::Shape { what, left: x.shape, right: y.shape }) }
}

/// As many as were asked for.
fn array<T, const N: usize>(x: Vec<T>) -> [T; N] {
    x.try_into().unwrap_or_else(|_| unreachable!("as many results as inputs"))
}

const BIT: Format = Format { frac: 0, bits: 1 };

impl Engine for SecureNn {
    type Num = Num;
    type Bit = Share;

    fn shape(&self, x: &Num) -> [usize; 2] {
        x.share.shape
    }
    fn format(&self, x: &Num) -> Format {
        x.format
    }
    fn claim(&self, x: &Num, bits: u8) -> Num {
        Num::new(x.share.clone(), Format { bits, ..x.format })
    }
    fn public(&self, x: &ndarray::Array2<f64>, format: Format) -> EngineResult<Num> {
        Ok(Num::new(Share::public(&self.party, &fixed::encode(x, format)?), format))
    }

    fn add(&self, x: &Num, y: &Num) -> EngineResult<Num> {
        self.aligned(x, y, "sum", words::add)
    }
    fn sub(&self, x: &Num, y: &Num) -> EngineResult<Num> {
        self.aligned(x, y, "difference", words::sub)
    }
    fn times(&self, x: &Num, c: f64, frac: u8) -> EngineResult<Num> {
        let format = x.format.times(c, frac)?;
        Ok(Num::new(x.share.scale(fixed::constant(c, frac)), format))
    }
    fn times_2(&self, x: &Num, power: i8) -> EngineResult<Num> {
        Ok(Num::new(x.share.clone(), x.format.times_2(power)?))
    }
    fn gather(&self, x: &Num, index: Index<'_>) -> Num {
        Num::new(x.share.gather(index), x.format)
    }
    fn beside(&self, x: &[&Num]) -> EngineResult<Num> {
        let first = x.first().ok_or(Error::Shape { what: "matrices side by side", left: [0, 0], right: [0, 0] })?;
        let rows = first.share.shape[0];
        let mut cols = 0;
        for y in x {
            if y.share.shape[0] != rows {
                return Err(Error::Shape { what: "matrices side by side", left: first.share.shape, right: y.share.shape });
            }
            cols += y.share.shape[1];
        }
        let views: Vec<_> = x.iter().filter_map(|x| x.share.value.as_ref()).map(|v| v.view()).collect();
        let share = Share::new(&self.party, [rows, cols], || {
            ndarray::concatenate(ndarray::Axis(1), &views).unwrap_or_else(|_| Tensor::zeros((rows, cols)))
        });
        // Concatenation may choose another memory order; shares are row by row.
        Ok(Num::new(share.map([rows, cols], |v| v.as_standard_layout().into_owned()), first.format))
    }
    fn sum(&self, x: &Num, over: Sum) -> Num {
        let n = match over {
            Sum::Rows => x.share.shape[0],
            Sum::Cols => x.share.shape[1],
        };
        Num::new(x.share.sum(over), x.format.sum(n))
    }

    fn gather_bits(&self, x: &Share, index: Index<'_>) -> Share {
        x.gather(index)
    }
    fn flip(&self, x: &Share, flip: &[bool]) -> Share {
        let negated = x.minus_from(&self.party, 1);
        x.zip(&negated, |x, n| Tensor::from_shape_fn(x.dim(), |at| if flip[at.1] { n[at] } else { x[at] }))
    }

    fn prepare(&mut self, x: &Num) -> EngineResult<Num> {
        open_masked(&mut self.party, &[&x.share])?;
        Ok(x.clone())
    }

    fn products<const N: usize>(&mut self, ps: [Product<'_, Num>; N]) -> EngineResult<[Num; N]> {
        let mut factors: Vec<Factors<'_>> = Vec::with_capacity(N);
        let mut fracs = Vec::with_capacity(N);
        for p in &ps {
            let (shape, before) = p.check(|n| (n.share.shape, n.format))?;
            factors.push((p.kind, &p.x.share, &p.y.share, shape));
            fracs.push(before.frac);
        }
        let mut zs = matmul(&mut self.party, &factors)?;
        for ((z, p), frac) in zs.iter_mut().zip(&ps).zip(&fracs) {
            if let Some(plus) = p.plus {
                let shift = frac - plus.format.frac;
                let plus = broadcast(&plus.share, z.shape, "product's addend")?;
                *z = z.zip(&plus, |z, y| ndarray::Zip::from(z).and(y).map_collect(|z, y| z.wrapping_add(y << shift)));
            }
        }
        let down: Vec<(&Share, u8)> = zs.iter().zip(&ps).zip(&fracs).map(|((z, p), frac)| (z, frac - p.out.frac)).collect();
        let out = self.shift_down(&down)?;
        Ok(array(out.into_iter().zip(&ps).map(|(z, p)| Num::new(z, p.out)).collect()))
    }
    fn truncate<const N: usize>(&mut self, x: [(&Num, Format); N]) -> EngineResult<[Num; N]> {
        let down: Vec<(&Share, u8)> = x.iter().map(|(x, out)| (&x.share, x.format.frac - out.frac)).collect();
        let out = self.shift_down(&down)?;
        Ok(array(out.into_iter().zip(x).map(|(z, (_, out))| Num::new(z, out)).collect()))
    }
    fn drelu<const N: usize>(&mut self, x: [&Num; N]) -> EngineResult<[Share; N]> {
        // All elements as one row, so that they share the rounds.
        let n = x.iter().map(|x| x.share.len()).sum();
        let all: Vec<u64> = x.iter().flat_map(|x| x.share.words()).copied().collect();
        let row = Share::new(&self.party, [1, n], || Tensor::from_shape_fn((1, n), |(_, j)| all[j]));
        let bits = drelu(&mut self.party, &row)?;
        let mut at = 0;
        Ok(x.map(|x| {
            let part: Vec<usize> = (at..at + x.share.len()).collect();
            at += part.len();
            bits.gather(Index::Flat(x.share.shape, &part))
        }))
    }
    fn select<const N: usize>(&mut self, s: [(&Share, &Num); N]) -> EngineResult<[Num; N]> {
        let mut factors = Vec::with_capacity(N);
        for (b, x) in &s {
            same_shape(b, &x.share, "select")?;
            factors.push((Kind::Mul, *b, &x.share, b.shape));
        }
        let out = matmul(&mut self.party, &factors)?;
        Ok(array(out.into_iter().zip(s).map(|(z, (_, x))| Num::new(z, x.format)).collect()))
    }
    fn all(&mut self, bits: &[&Share]) -> EngineResult<Share> {
        let mut bits: Vec<Share> = bits.iter().map(|b| (*b).clone()).collect();
        let first = bits.first().ok_or(Error::Shape { what: "and of no bits", left: [0, 0], right: [0, 0] })?;
        bits.iter().try_for_each(|b| same_shape(first, b, "and"))?;
        while bits.len() > 1 {
            let factors: Vec<Factors<'_>> = bits.as_chunks::<2>().0.iter().map(|[a, b]| (Kind::Mul, a, b, a.shape)).collect();
            let mut halves = matmul(&mut self.party, &factors)?;
            halves.extend(bits.as_chunks::<2>().1.iter().cloned());
            bits = halves;
        }
        Ok(bits.swap_remove(0))
    }
    fn open(&mut self, x: &Num) -> EngineResult<Opened> {
        let x_open = reconstruct(&mut self.party, &x.share)?;
        Ok(x_open.map(|v| fixed::decode(&v, x.format)))
    }

    fn within<T>(&mut self, layer: &str, f: impl FnOnce(&mut Self) -> EngineResult<T>) -> EngineResult<T> {
        let outer = self.party.set_layer(layer);
        let result = f(self);
        self.party.set_layer(&outer);
        result.map_err(|e| e.within(layer))
    }
    fn begin_step(&mut self, step: u64) {
        self.party.begin_step(step);
    }
}

/// The bits of a comparison as numbers: in this suite they are shares of 0 and 1 over Z_L already.
impl From<Share> for Num {
    fn from(bit: Share) -> Num {
        Num::new(bit, BIT)
    }
}
