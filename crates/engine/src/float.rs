//! Plain floating point: the baseline that every secure run is compared with.

use crate::{Engine, Error, Format, Index, Kind, Opened, Product, Result, Scatter, Sum};
use ndarray::{Array2, Axis, Zip};

/// The engine over `f64`. Formats are carried along, and change nothing but the scale bookkeeping.
#[derive(Clone, Copy, Debug, Default)]
pub struct Float;

/// A matrix of `f64`.
#[derive(Clone, Debug)]
pub struct FloatNum {
    /// The values.
    pub value: Array2<f64>,
    format: Format,
}

impl FloatNum {
    fn new(value: Array2<f64>, format: Format) -> FloatNum {
        FloatNum { value, format }
    }
    fn shape(&self) -> [usize; 2] {
        [self.value.nrows(), self.value.ncols()]
    }
}

impl Engine for Float {
    type Num = FloatNum;
    type Bit = Array2<bool>;

    fn shape(&self, x: &FloatNum) -> [usize; 2] {
        x.shape()
    }
    fn format(&self, x: &FloatNum) -> Format {
        x.format
    }
    fn claim(&self, x: &FloatNum, bits: u8) -> FloatNum {
        FloatNum { format: Format { bits, ..x.format }, ..x.clone() }
    }
    fn public(&self, x: &Array2<f64>, format: Format) -> Result<FloatNum> {
        match x.iter().find(|v| !v.is_finite()) {
            None => Ok(FloatNum::new(x.clone(), format)),
            Some(v) => Err(Error::Range { what: "constant", found: v.to_string(), bits: format.bits }),
        }
    }

    fn add(&self, x: &FloatNum, y: &FloatNum) -> Result<FloatNum> {
        let (_, _, format) = x.format.align(y.format, "sum")?;
        let y = broadcast(&y.value, x.shape(), "sum")?;
        Ok(FloatNum::new(&x.value + &y, format))
    }
    fn sub(&self, x: &FloatNum, y: &FloatNum) -> Result<FloatNum> {
        let (_, _, format) = x.format.align(y.format, "difference")?;
        let y = broadcast(&y.value, x.shape(), "difference")?;
        Ok(FloatNum::new(&x.value - &y, format))
    }
    fn times(&self, x: &FloatNum, c: f64, frac: u8) -> Result<FloatNum> {
        Ok(FloatNum::new(&x.value * c, x.format.times(c, frac)?))
    }
    fn times_2(&self, x: &FloatNum, power: i8) -> Result<FloatNum> {
        Ok(FloatNum::new(&x.value * f64::from(power).exp2(), x.format.times_2(power)?))
    }
    fn gather(&self, x: &FloatNum, index: Index<'_>) -> FloatNum {
        FloatNum::new(index.of(&x.value), x.format)
    }
    fn scatter(&self, x: &FloatNum, scatter: &Scatter) -> Result<FloatNum> {
        scatter.check(x.shape())?;
        Ok(FloatNum::new(scatter.of(&x.value, 0.0, |a, b| a + b), scatter.format(x.format)))
    }
    fn beside(&self, x: &[&FloatNum]) -> Result<FloatNum> {
        let first = x.first().ok_or(NOTHING)?;
        let views: Vec<_> = x.iter().map(|x| x.value.view()).collect();
        let value = ndarray::concatenate(Axis(1), &views).map_err(|_| NOTHING)?;
        Ok(FloatNum::new(value, first.format))
    }
    fn sum(&self, x: &FloatNum, over: Sum) -> FloatNum {
        let (axis, n) = match over {
            Sum::Rows => (Axis(0), x.value.nrows()),
            Sum::Cols => (Axis(1), x.value.ncols()),
        };
        FloatNum::new(x.value.sum_axis(axis).insert_axis(axis), x.format.sum(n))
    }

    fn gather_bits(&self, x: &Array2<bool>, index: Index<'_>) -> Array2<bool> {
        index.of(x)
    }
    fn flip(&self, x: &Array2<bool>, flip: &[bool]) -> Array2<bool> {
        let mut out = x.clone();
        out.indexed_iter_mut().for_each(|((_, j), b)| *b ^= flip[j]);
        out
    }

    fn products<const N: usize>(&mut self, p: [Product<'_, FloatNum>; N]) -> Result<[FloatNum; N]> {
        crate::functions::each(p, |p| {
            p.check(|n| (n.shape(), n.format))?;
            let mut z = match p.kind {
                Kind::Mul => &p.x.value * &p.y.value,
                Kind::MatMul { tx, ty } => {
                    let turn = |a: &FloatNum, t: bool| if t { a.value.t().to_owned() } else { a.value.clone() };
                    turn(p.x, tx).dot(&turn(p.y, ty))
                }
            };
            if let Some(scatter) = p.scatter {
                z = scatter.of(&z, 0.0, |a, b| a + b);
            }
            if let Some(plus) = p.plus {
                z += &plus.value;
            }
            Ok(FloatNum::new(z, p.out))
        })
    }
    fn truncate<const N: usize>(&mut self, x: [(&FloatNum, Format); N]) -> Result<[FloatNum; N]> {
        Ok(x.map(|(x, format)| FloatNum::new(x.value.clone(), format)))
    }
    fn drelu<const N: usize>(&mut self, x: [&FloatNum; N]) -> Result<[Array2<bool>; N]> {
        Ok(x.map(|x| x.value.mapv(|v| v >= 0.0)))
    }
    fn select<const N: usize>(&mut self, s: [(&Array2<bool>, &FloatNum); N]) -> Result<[FloatNum; N]> {
        crate::functions::each(s, |(b, x)| {
            same_shape(b, &x.value, "select")?;
            Ok(FloatNum::new(Zip::from(b).and(&x.value).map_collect(|&b, &v| if b { v } else { 0.0 }), x.format))
        })
    }
    fn all(&mut self, bits: &[&Array2<bool>]) -> Result<Array2<bool>> {
        all_in_the_clear(bits)
    }
    fn open(&mut self, x: &FloatNum) -> Result<Opened> {
        Ok(Some(x.value.clone()))
    }
    /// The function itself, for the baseline.
    fn sigmoid(&mut self, x: &FloatNum, out: Format) -> Result<FloatNum> {
        Ok(FloatNum::new(x.value.mapv(|v| 1.0 / (1.0 + (-v).exp())), out))
    }
    /// The function itself, for the baseline, whatever the range.
    fn inverse_sqrt(&mut self, s: &FloatNum, _: [i8; 2], out: Format) -> Result<FloatNum> {
        Ok(FloatNum::new(s.value.mapv(|v| v.sqrt().recip()), out))
    }
    /// The function itself, for the baseline, whatever the range.
    fn over_root(&mut self, q: &crate::functions::OverRoot<'_, FloatNum>) -> Result<FloatNum> {
        same_shape(&q.x.value, &q.s.value, "quotient by a root")?;
        let y = Zip::from(&q.x.value).and(&q.s.value).map_collect(|x, s| x * q.factor / s.sqrt());
        match q.plus {
            Some(plus) => Ok(FloatNum::new(y + broadcast(&plus.value, q.x.shape(), "addend")?, q.out)),
            None => Ok(FloatNum::new(y, q.out)),
        }
    }
}

/// Matrices that cannot stand side by side.
pub(crate) const NOTHING: Error = Error::Shape { what: "matrices side by side", left: [0, 0], right: [0, 0] };

/// Refuses a shape that cannot be repeated to another: each side must be the same, or 1.
///
/// # Errors
/// [`Error::Shape`].
pub fn fits(found: [usize; 2], shape: [usize; 2], what: &'static str) -> Result<()> {
    let side = |i: usize| found[i] == shape[i] || found[i] == 1;
    if side(0) && side(1) { Ok(()) } else { Err(Error::Shape { what, left: shape, right: found }) }
}

/// `y` repeated to `shape` if it is one row, one column or one element.
pub(crate) fn broadcast<T: Copy>(y: &Array2<T>, shape: [usize; 2], what: &'static str) -> Result<Array2<T>> {
    let found = [y.nrows(), y.ncols()];
    fits(found, shape, what)?;
    y.broadcast(shape).map(|y| y.to_owned()).ok_or(Error::Shape { what, left: shape, right: found })
}

pub(crate) fn same_shape<A, B>(a: &Array2<A>, b: &Array2<B>, what: &'static str) -> Result<()> {
    let (left, right) = ([a.nrows(), a.ncols()], [b.nrows(), b.ncols()]);
    if left == right { Ok(()) } else { Err(Error::Shape { what, left, right }) }
}

pub(crate) fn all_in_the_clear(bits: &[&Array2<bool>]) -> Result<Array2<bool>> {
    let (first, rest) = bits.split_first().ok_or(Error::Shape { what: "and of no bits", left: [0, 0], right: [0, 0] })?;
    rest.iter().try_fold((*first).clone(), |and, b| {
        same_shape(&and, b, "and")?;
        Ok(Zip::from(&and).and(*b).map_collect(|a, b| a & b))
    })
}
