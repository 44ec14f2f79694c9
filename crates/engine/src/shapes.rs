//! Shapes and formats without values: a run of anything written against [`Engine`] that costs almost nothing, and finds out whether it
//! fits into the ring.
//!
//! Every operation's result has the shape and the format that it has on any engine, and what could leave the ring is refused in the
//! same words. A training step that runs here runs everywhere, as long as the numbers keep the ranges that their formats promise.

use crate::{Engine, Error, Format, Index, Opened, Product, Result, Scatter, Sum, fits, fixed};
use ndarray::Array2;

/// A truncation alone takes values below 2^62: nothing is added up on its way.
const TRUNCATED: u8 = 62;
/// Any word of the ring, as a signed number.
const WHOLE: u8 = 63;

/// The engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shapes {
    /// How many of the truncations so far a suite would be expected to get wrong if it truncated locally: the sum of
    /// 2^(bits - 64) over all truncated elements, an upper bound by the ranges that formats promise.
    pub local_wraps: f64,
}

/// A matrix of which only shape and format are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShapeNum {
    shape: [usize; 2],
    format: Format,
}

impl ShapeNum {
    /// Any matrix of this shape and format.
    pub fn new(shape: [usize; 2], format: Format) -> ShapeNum {
        ShapeNum { shape, format }
    }
}

impl Shapes {
    fn count(&mut self, before: Format, after: Format, shape: [usize; 2]) {
        if before.frac > after.frac {
            self.local_wraps += (shape[0] * shape[1]) as f64 * (f64::from(before.bits) - 64.0).exp2();
        }
    }
}

fn aligned(x: &ShapeNum, y: &ShapeNum, what: &'static str) -> Result<ShapeNum> {
    let (_, _, format) = x.format.align(y.format, what)?;
    fits(y.shape, x.shape, what)?;
    Ok(ShapeNum::new(x.shape, format))
}

fn same(left: [usize; 2], right: [usize; 2], what: &'static str) -> Result<()> {
    if left == right { Ok(()) } else { Err(Error::Shape { what, left, right }) }
}

impl Engine for Shapes {
    type Num = ShapeNum;
    /// Rows and columns.
    type Bit = [usize; 2];

    fn shape(&self, x: &ShapeNum) -> [usize; 2] {
        x.shape
    }
    fn format(&self, x: &ShapeNum) -> Format {
        x.format
    }
    fn claim(&self, x: &ShapeNum, bits: u8) -> ShapeNum {
        ShapeNum::new(x.shape, Format { bits, ..x.format })
    }
    fn public(&self, x: &Array2<f64>, format: Format) -> Result<ShapeNum> {
        fixed::encode(x, format)?;
        Ok(ShapeNum::new([x.nrows(), x.ncols()], format))
    }

    fn add(&self, x: &ShapeNum, y: &ShapeNum) -> Result<ShapeNum> {
        aligned(x, y, "sum")
    }
    fn sub(&self, x: &ShapeNum, y: &ShapeNum) -> Result<ShapeNum> {
        aligned(x, y, "difference")
    }
    fn times(&self, x: &ShapeNum, c: f64, frac: u8) -> Result<ShapeNum> {
        Ok(ShapeNum::new(x.shape, x.format.times(c, frac)?))
    }
    fn times_2(&self, x: &ShapeNum, power: i8) -> Result<ShapeNum> {
        Ok(ShapeNum::new(x.shape, x.format.times_2(power)?))
    }
    fn gather(&self, x: &ShapeNum, index: Index<'_>) -> ShapeNum {
        ShapeNum::new(index.shape(x.shape), x.format)
    }
    fn scatter(&self, x: &ShapeNum, scatter: &Scatter) -> Result<ShapeNum> {
        scatter.check(x.shape)?;
        Ok(ShapeNum::new(scatter.shape(), scatter.format(x.format)))
    }
    fn beside(&self, x: &[&ShapeNum]) -> Result<ShapeNum> {
        let what = "matrices side by side";
        let first = x.first().ok_or(Error::Shape { what, left: [0, 0], right: [0, 0] })?;
        let [rows, _] = first.shape;
        match x.iter().find(|x| x.shape[0] != rows) {
            Some(other) => Err(Error::Shape { what, left: first.shape, right: other.shape }),
            None => Ok(ShapeNum::new([rows, x.iter().map(|x| x.shape[1]).sum()], first.format)),
        }
    }
    fn sum(&self, x: &ShapeNum, over: Sum) -> ShapeNum {
        let [rows, cols] = x.shape;
        match over {
            Sum::Rows => ShapeNum::new([1, cols], x.format.sum(rows)),
            Sum::Cols => ShapeNum::new([rows, 1], x.format.sum(cols)),
        }
    }

    fn gather_bits(&self, x: &[usize; 2], index: Index<'_>) -> [usize; 2] {
        index.shape(*x)
    }
    fn flip(&self, x: &[usize; 2], _: &[bool]) -> [usize; 2] {
        *x
    }

    fn products<const N: usize>(&mut self, p: [Product<'_, ShapeNum>; N]) -> Result<[ShapeNum; N]> {
        crate::functions::each(p, |p| {
            let (shape, before) = p.check(|n| (n.shape, n.format))?;
            self.count(before, p.out, shape);
            Ok(ShapeNum::new(shape, p.out))
        })
    }
    fn truncate<const N: usize>(&mut self, x: [(&ShapeNum, Format); N]) -> Result<[ShapeNum; N]> {
        crate::functions::each(x, |(x, format)| {
            let Format { frac, bits } = x.format;
            if frac < format.frac || bits > TRUNCATED {
                let found = format!("2^{bits} from {frac} to {} bits", format.frac);
                return Err(Error::Range { what: "truncation", found, bits: TRUNCATED });
            }
            self.count(x.format, format, x.shape);
            Ok(ShapeNum::new(x.shape, format))
        })
    }
    fn drelu<const N: usize>(&mut self, x: [&ShapeNum; N]) -> Result<[[usize; 2]; N]> {
        // No operation's result has more bits than a product may have; whoever claims more, up to all of the ring, says that any word
        // may be there, and compares it as that.
        crate::functions::each(x, |x| match x.format.bits {
            bits if bits > WHOLE => Err(Error::Range { what: "comparison", found: format!("2^{bits}"), bits: WHOLE }),
            _ => Ok(x.shape),
        })
    }
    fn select<const N: usize>(&mut self, s: [(&[usize; 2], &ShapeNum); N]) -> Result<[ShapeNum; N]> {
        crate::functions::each(s, |(b, x)| same(*b, x.shape, "select").map(|()| *x))
    }
    fn all(&mut self, bits: &[&[usize; 2]]) -> Result<[usize; 2]> {
        let first = bits.first().ok_or(Error::Shape { what: "and of no bits", left: [0, 0], right: [0, 0] })?;
        bits.iter().try_for_each(|b| same(**first, **b, "and")).map(|()| **first)
    }
    /// Nothing is known.
    fn open(&mut self, _: &ShapeNum) -> Result<Opened> {
        Ok(None)
    }
}
