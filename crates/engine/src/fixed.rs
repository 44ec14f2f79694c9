//! The exact ring arithmetic in the clear: what the secure suites compute, without hiding anything.
//!
//! Truncation rounds down here; a suite may give this result or one more. Every claim about a range is checked
//! against the value, so that a network that leaves its ranges is found out before it is trained in secret.

use crate::float::{NOTHING, all_in_the_clear, broadcast, same_shape};
use crate::{Engine, Error, Format, Index, Kind, Opened, Product, Result, Scatter, Sum};
use ndarray::{Array2, Axis, Zip};
use trefoil_ring::{Tensor, fixed, matrix};

/// The engine over Z_2^64 in the clear.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed {}

/// A matrix over Z_2^64 with its format.
#[derive(Clone, Debug)]
pub struct FixedNum {
    /// The ring elements.
    pub value: Tensor,
    format: Format,
}

impl FixedNum {
    /// Ring elements under a format.
    pub fn new(value: Tensor, format: Format) -> FixedNum {
        FixedNum { value, format }
    }
    fn shape(&self) -> [usize; 2] {
        [self.value.nrows(), self.value.ncols()]
    }
    /// Refuses a value outside of the range that its format promises.
    fn in_range(self, what: &'static str) -> Result<FixedNum> {
        let bits = self.format.bits;
        match self.value.iter().find(|&&v| bits < 63 && (v as i64).unsigned_abs() >= 1 << bits) {
            None => Ok(self),
            Some(&v) => {
                let found = format!("2^{:.1}", ((v as i64).unsigned_abs() as f64).log2());
                Err(Error::Range { what, found, bits })
            }
        }
    }
}

impl Engine for Fixed {
    type Num = FixedNum;
    type Bit = Array2<bool>;

    fn shape(&self, x: &FixedNum) -> [usize; 2] {
        x.shape()
    }
    fn format(&self, x: &FixedNum) -> Format {
        x.format
    }
    fn claim(&self, x: &FixedNum, bits: u8) -> FixedNum {
        FixedNum { format: Format { bits, ..x.format }, ..x.clone() }
    }
    fn public(&self, x: &Array2<f64>, format: Format) -> Result<FixedNum> {
        encode(x, format).map(|value| FixedNum::new(value, format))
    }

    fn add(&self, x: &FixedNum, y: &FixedNum) -> Result<FixedNum> {
        let (sx, sy, format) = x.format.align(y.format, "sum")?;
        let y = broadcast(&y.value, x.shape(), "sum")?;
        let value = Zip::from(&x.value).and(&y).map_collect(|x, y| (x << sx).wrapping_add(y << sy));
        Ok(FixedNum::new(value, format))
    }
    fn sub(&self, x: &FixedNum, y: &FixedNum) -> Result<FixedNum> {
        let (sx, sy, format) = x.format.align(y.format, "difference")?;
        let y = broadcast(&y.value, x.shape(), "difference")?;
        let value = Zip::from(&x.value).and(&y).map_collect(|x, y| (x << sx).wrapping_sub(y << sy));
        Ok(FixedNum::new(value, format))
    }
    fn times(&self, x: &FixedNum, c: f64, frac: u8) -> Result<FixedNum> {
        let format = x.format.times(c, frac)?;
        let c = constant(c, frac);
        Ok(FixedNum::new(x.value.mapv(|v| v.wrapping_mul(c)), format))
    }
    fn times_2(&self, x: &FixedNum, power: i8) -> Result<FixedNum> {
        Ok(FixedNum::new(x.value.clone(), x.format.times_2(power)?))
    }
    fn gather(&self, x: &FixedNum, index: Index<'_>) -> FixedNum {
        FixedNum::new(index.of(&x.value), x.format)
    }
    fn scatter(&self, x: &FixedNum, scatter: &Scatter) -> Result<FixedNum> {
        scatter.check(x.shape())?;
        Ok(FixedNum::new(scatter.words(&x.value), scatter.format(x.format)))
    }
    fn beside(&self, x: &[&FixedNum]) -> Result<FixedNum> {
        let first = x.first().ok_or(NOTHING)?;
        let views: Vec<_> = x.iter().map(|x| x.value.view()).collect();
        let value = ndarray::concatenate(Axis(1), &views).map_err(|_| NOTHING)?;
        Ok(FixedNum::new(value, first.format))
    }
    fn sum(&self, x: &FixedNum, over: Sum) -> FixedNum {
        let (value, n) = sum(&x.value, over);
        FixedNum::new(value, x.format.sum(n))
    }

    fn gather_bits(&self, x: &Array2<bool>, index: Index<'_>) -> Array2<bool> {
        index.of(x)
    }
    fn flip(&self, x: &Array2<bool>, flip: &[bool]) -> Array2<bool> {
        crate::Float.flip(x, flip)
    }

    fn products<const N: usize>(&mut self, p: [Product<'_, FixedNum>; N]) -> Result<[FixedNum; N]> {
        crate::functions::each(p, |p| {
            let ([rows, cols], before) = p.check(|n| (n.shape(), n.format))?;
            let mut z = match p.kind {
                Kind::Mul => Zip::from(&p.x.value).and(&p.y.value).map_collect(|x, y| x.wrapping_mul(*y)),
                Kind::MatMul { tx, ty } => matrix::product(&p.x.value, tx, &p.y.value, ty),
            };
            if let Some(scatter) = p.scatter {
                z = scatter.words(&z);
            }
            if let Some(plus) = p.plus {
                let shift = before.frac - plus.format.frac;
                let plus = broadcast(&plus.value, [rows, cols], "addend")?;
                Zip::from(&mut z).and(&plus).for_each(|z, p| *z = z.wrapping_add(p << shift));
            }
            FixedNum::new(shift_down(&z, before.frac - p.out.frac), p.out).in_range("product")
        })
    }
    fn truncate<const N: usize>(&mut self, x: [(&FixedNum, Format); N]) -> Result<[FixedNum; N]> {
        crate::functions::each(x, |(x, format)| {
            FixedNum::new(shift_down(&x.value, x.format.frac - format.frac), format).in_range("truncation")
        })
    }
    fn drelu<const N: usize>(&mut self, x: [&FixedNum; N]) -> Result<[Array2<bool>; N]> {
        crate::functions::each(x, |x| Ok(x.clone().in_range("comparison")?.value.mapv(|v| v as i64 >= 0)))
    }
    fn select<const N: usize>(&mut self, s: [(&Array2<bool>, &FixedNum); N]) -> Result<[FixedNum; N]> {
        crate::functions::each(s, |(b, x)| {
            same_shape(b, &x.value, "select")?;
            Ok(FixedNum::new(Zip::from(b).and(&x.value).map_collect(|&b, &v| u64::from(b).wrapping_mul(v)), x.format))
        })
    }
    fn all(&mut self, bits: &[&Array2<bool>]) -> Result<Array2<bool>> {
        all_in_the_clear(bits)
    }
    fn open(&mut self, x: &FixedNum) -> Result<Opened> {
        Ok(Some(decode(&x.value, x.format)))
    }
}

/// Ring elements of a public matrix.
///
/// # Errors
/// [`Error::Range`] if a value is not finite or outside of the format's range.
pub fn encode(x: &Array2<f64>, format: Format) -> Result<Tensor> {
    let bound = (f64::from(format.bits) - f64::from(format.frac)).exp2();
    match x.iter().find(|v| v.is_nan() || v.abs() >= bound) {
        Some(v) => Err(Error::Range { what: "constant", found: v.to_string(), bits: format.bits }),
        None => fixed::encode_all(x, format.frac).map_err(|e| Error::Range {
            what: "constant",
            found: e.to_string(),
            bits: format.bits,
        }),
    }
}

/// The reals behind ring elements.
pub fn decode(x: &Tensor, format: Format) -> Array2<f64> {
    fixed::decode_all(x, format.frac)
}

/// The ring element of a public constant that [`Format::times`] has accepted.
pub fn constant(c: f64, frac: u8) -> u64 {
    (c * f64::from(frac).exp2()).round() as i64 as u64
}

/// The sum over rows or columns, and how many were added.
pub fn sum(x: &Tensor, over: Sum) -> (Tensor, usize) {
    match over {
        Sum::Rows => {
            let mut out = Tensor::zeros((1, x.ncols()));
            for row in x.rows() {
                Zip::from(&mut out.row_mut(0)).and(&row).for_each(|o, v| *o = o.wrapping_add(*v));
            }
            (out, x.nrows())
        }
        Sum::Cols => {
            let column = x.rows().into_iter().map(|r| r.iter().fold(0u64, |s, v| s.wrapping_add(*v))).collect();
            (ndarray::Array1::from_vec(column).insert_axis(Axis(1)), x.ncols())
        }
    }
}

/// floor(x / 2^by), x read as a signed integer.
fn shift_down(x: &Tensor, by: u8) -> Tensor {
    x.mapv(|v| ((v as i64) >> by) as u64)
}
