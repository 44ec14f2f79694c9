//! The engine on the masked suite: what layers call, in terms of the protocols beside it.

use super::and::all;
use super::lift::lift;
use super::product::{Factors, products};
use super::share::reconstruct;
use super::{Bit, Share, drelu::drelu, select::select, truncate::truncate};
use crate::Party;
use trefoil_engine::Result as EngineResult;
use trefoil_engine::{Engine, Error, Format, Index, Opened, Product, Sum, fixed, functions};
use trefoil_ring::{Tensor, words};

/// The engine.
pub struct Masked {
    /// This party.
    pub party: Party,
    /// Values whose lift travels with the next comparison.
    riders: Vec<Share>,
}

/// A masked matrix with its format.
#[derive(Clone)]
pub struct Num {
    /// This party's view.
    pub share: Share,
    format: Format,
}

impl Num {
    /// A share under a format.
    pub fn new(share: Share, format: Format) -> Num {
        Num { share, format }
    }
}

impl Masked {
    /// An engine for `party`.
    pub fn new(party: Party) -> Masked {
        Masked { party, riders: vec![] }
    }

    fn aligned(&self, x: &Num, y: &Num, what: &'static str, f: fn(&Tensor, &Tensor) -> Tensor) -> EngineResult<Num> {
        let (sx, sy, format) = x.format.align(y.format, what)?;
        let y = broadcast(&y.share, x.share.shape, what)?;
        let share = x.share.zip(&y, |x, y| match (sx, sy) {
            (0, 0) => f(x, y),
            _ => f(&words::shl(x, sx), &words::shl(y, sy)),
        });
        Ok(Num::new(share, format))
    }
}

/// product.rs leaves room for its rounding below this.
const MOST_SHIFT: u8 = 58;

/// `y` repeated to `shape` if it is one row, one column or one element.
fn broadcast(y: &Share, shape: [usize; 2], what: &'static str) -> EngineResult<Share> {
    if y.shape == shape {
        return Ok(y.clone());
    }
    trefoil_engine::fits(y.shape, shape, what)?;
    Ok(y.linear(shape, |y| y.broadcast(shape).map_or_else(|| Tensor::zeros((shape[0], shape[1])), |y| y.to_owned())))
}

/// As many as were asked for.
fn array<T, const N: usize>(x: Vec<T>) -> [T; N] {
    x.try_into().unwrap_or_else(|_| unreachable!("as many results as inputs"))
}

impl Engine for Masked {
    type Num = Num;
    type Bit = Bit;

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
        let c = fixed::constant(c, frac);
        Ok(Num::new(x.share.linear(x.share.shape, |x| words::scale(x, c)), format))
    }
    fn times_2(&self, x: &Num, power: i8) -> EngineResult<Num> {
        Ok(Num::new(x.share.clone(), x.format.times_2(power)?))
    }
    fn gather(&self, x: &Num, index: Index<'_>) -> Num {
        Num::new(x.share.gather(index), x.format)
    }
    fn beside(&self, x: &[&Num]) -> EngineResult<Num> {
        let first = x.first().ok_or(Error::Shape { what: "matrices side by side", left: [0, 0], right: [0, 0] })?;
        let share = Share::beside(&x.iter().map(|x| &x.share).collect::<Vec<_>>());
        let share = share.ok_or(Error::Shape { what: "matrices side by side", left: first.share.shape, right: [0, 0] })?;
        Ok(Num::new(share, first.format))
    }
    fn sum(&self, x: &Num, over: Sum) -> Num {
        let n = match over {
            Sum::Rows => x.share.shape[0],
            Sum::Cols => x.share.shape[1],
        };
        Num::new(x.share.sum(over), x.format.sum(n))
    }

    fn gather_bits(&self, x: &Bit, index: Index<'_>) -> Bit {
        x.gather(index)
    }
    fn flip(&self, x: &Bit, flip: &[bool]) -> Bit {
        x.flip(&self.party, flip)
    }

    fn settle(&mut self, x: &[&Num]) -> EngineResult<()> {
        Ok(lift(&mut self.party, &x.iter().map(|x| &x.share).collect::<Vec<_>>())?)
    }

    fn products<const N: usize>(&mut self, ps: [Product<'_, Num>; N]) -> EngineResult<[Num; N]> {
        let mut factors: Vec<Factors<'_>> = Vec::with_capacity(N);
        for p in &ps {
            let (shape, before) = p.check(|n| (n.share.shape, n.format))?;
            let plus = match p.plus {
                None => None,
                Some(plus) => {
                    let shift = before.frac - plus.format.frac;
                    let plus = broadcast(&plus.share, shape, "product's addend")?;
                    Some(plus.linear(shape, |x| words::shl(x, shift)))
                }
            };
            let f = before.frac - p.out.frac;
            if f > MOST_SHIFT {
                return Err(Error::Range { what: "truncated bits", found: f.to_string(), bits: MOST_SHIFT });
            }
            factors.push(Factors { kind: p.kind, x: &p.x.share, y: &p.y.share, plus, shape, f });
        }
        let out = products(&mut self.party, &factors)?;
        Ok(array(out.into_iter().zip(&ps).map(|(z, p)| Num::new(z, p.out)).collect()))
    }
    fn truncate<const N: usize>(&mut self, x: [(&Num, Format); N]) -> EngineResult<[Num; N]> {
        let down: Vec<(&Share, u8)> = x.iter().map(|(x, out)| (&x.share, x.format.frac - out.frac)).collect();
        let out = truncate(&mut self.party, &down)?;
        Ok(array(out.into_iter().zip(x).map(|(z, (_, out))| Num::new(z, out)).collect()))
    }
    fn drelu<const N: usize>(&mut self, x: [&Num; N]) -> EngineResult<[Bit; N]> {
        let work: Vec<(&Share, u8)> = x.iter().map(|x| (&x.share, (x.format.bits + 1).clamp(2, 64))).collect();
        let riders = std::mem::take(&mut self.riders);
        Ok(array(drelu(&mut self.party, &work, &riders)?))
    }
    fn select<const N: usize>(&mut self, s: [(&Bit, &Num); N]) -> EngineResult<[Num; N]> {
        for (b, x) in &s {
            if b.shape != x.share.shape {
                return Err(Error::Shape { what: "select", left: b.shape, right: x.share.shape });
            }
        }
        let out = select(&mut self.party, &s.map(|(b, x)| (b, &x.share)))?;
        Ok(array(out.into_iter().zip(s).map(|(z, (_, x))| Num::new(z, x.format)).collect()))
    }
    fn all(&mut self, bits: &[&Bit]) -> EngineResult<Bit> {
        let first = bits.first().ok_or(Error::Shape { what: "and of no bits", left: [0, 0], right: [0, 0] })?;
        if let Some(other) = bits.iter().find(|b| b.shape != first.shape) {
            return Err(Error::Shape { what: "and", left: first.shape, right: other.shape });
        }
        Ok(all(&mut self.party, bits)?)
    }
    fn open(&mut self, x: &Num) -> EngineResult<Opened> {
        Ok(reconstruct(&mut self.party, &x.share)?.map(|v| fixed::decode(&v, x.format)))
    }
    fn row_max(&mut self, x: &Num) -> EngineResult<Num> {
        // A comparison of all pairs is wider than a tournament, and a quarter as deep. x is lifted on its way.
        self.riders.push(x.share.clone());
        functions::row_max_of_pairs(self, x)
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
