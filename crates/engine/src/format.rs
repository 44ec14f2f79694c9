use crate::{Error, Kind, Product, Result};

/// The integer behind a product or sum stays below 2^61 in absolute value: comparisons and truncations need it.
pub const MAX_BITS: u8 = 61;

/// How reals are held as ring elements: x is round(x 2^frac), and |x 2^frac| < 2^bits is promised.
///
/// ```
/// use trefoil_engine::Format;
/// // Sixteen fraction bits, values below 2^8: the integers stay below 2^24.
/// let x = Format::new(16, 8);
/// assert_eq!(x.bits, 24);
/// // A sum of 784 of them may be 1024 times as large.
/// assert_eq!(x.sum(784).bits, 34);
/// // A factor of 2 moves the point, and the integer stays what it is.
/// assert_eq!(x.times_2(1).unwrap(), Format { frac: 15, bits: 24 });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Format {
    /// Fraction bits.
    pub frac: u8,
    /// Range: the integer is below 2^bits in absolute value.
    pub bits: u8,
}

impl Format {
    /// `frac` fraction bits for values below 2^`whole` in absolute value.
    pub const fn new(frac: u8, whole: i8) -> Format {
        Format { frac, bits: frac.saturating_add_signed(whole) }
    }

    /// The format after adding `n` values of it: the bound grows by a bit for every doubling.
    pub fn sum(self, n: usize) -> Format {
        Format { bits: self.bits.saturating_add(log2_up(n)), ..self }
    }

    /// The left shifts that align two formats, and the format of the aligned sum.
    ///
    /// # Errors
    /// [`Error::Range`] if the sum does not stay below 2^61.
    pub fn align(self, y: Format, what: &'static str) -> Result<(u8, u8, Format)> {
        let frac = self.frac.max(y.frac);
        let (sx, sy) = (frac - self.frac, frac - y.frac);
        let bits = (self.bits.saturating_add(sx)).max(y.bits.saturating_add(sy)).saturating_add(1);
        check(bits, what)?;
        Ok((sx, sy, Format { frac, bits }))
    }

    /// The format of x times the constant `c` of `frac` fraction bits.
    ///
    /// # Errors
    /// [`Error::Range`] if it does not stay below 2^61.
    pub fn times(self, c: f64, frac: u8) -> Result<Format> {
        let size = (c.abs() * f64::from(frac).exp2()).round();
        if !size.is_finite() || size >= f64::from(MAX_BITS).exp2() {
            return Err(Error::Range { what: "constant", found: format!("{c}"), bits: MAX_BITS });
        }
        let grow = size.max(1.0).log2().ceil() as u8;
        let bits = self.bits.saturating_add(grow);
        check(bits, "product with a constant")?;
        Ok(Format { frac: self.frac + frac, bits })
    }

    /// The format of x 2^`power`, the integer being the same.
    ///
    /// # Errors
    /// [`Error::Range`] if the point would leave the word.
    pub fn times_2(self, power: i8) -> Result<Format> {
        let frac = i16::from(self.frac) - i16::from(power);
        match u8::try_from(frac) {
            Ok(frac) if frac <= MAX_BITS => Ok(Format { frac, ..self }),
            _ => Err(Error::Range { what: "fraction bits", found: frac.to_string(), bits: MAX_BITS }),
        }
    }
}

impl<N> Product<'_, N> {
    /// The shape of the result and its format before truncation, from the operands' shapes and formats.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes do not fit; [`Error::Range`] if the sum of products is not below 2^61 or the result
    /// has more fraction bits than the operands.
    pub fn check(&self, of: impl Fn(&N) -> ([usize; 2], Format)) -> Result<([usize; 2], Format)> {
        let ((sx, fx), (sy, fy)) = (of(self.x), of(self.y));
        let (shape, inner) = match self.kind {
            Kind::Mul if sx == sy => (sx, 1),
            Kind::Mul => return Err(Error::Shape { what: "elementwise product", left: sx, right: sy }),
            Kind::MatMul { tx, ty } => {
                let flip = |s: [usize; 2], t: bool| if t { [s[1], s[0]] } else { s };
                let ([rows, k], [k2, cols]) = (flip(sx, tx), flip(sy, ty));
                if k != k2 {
                    return Err(Error::Shape { what: "matrix product", left: sx, right: sy });
                }
                ([rows, cols], k)
            }
        };
        let frac = fx.frac + fy.frac;
        let mut z = Format { frac, bits: fx.bits.saturating_add(fy.bits) }.sum(inner);
        let shape = match self.scatter {
            None => shape,
            Some(scatter) => {
                scatter.check(shape)?;
                z = scatter.format(z);
                scatter.shape()
            }
        };
        if let Some(plus) = self.plus {
            let (sp, fp) = of(plus);
            if sp != shape && sp != [1, shape[1]] {
                return Err(Error::Shape { what: "product's addend", left: shape, right: sp });
            }
            let (shift, _, sum) = z.align(fp, "product with addend")?;
            if shift > 0 {
                return Err(Error::Range { what: "addend's fraction bits", found: fp.frac.to_string(), bits: frac });
            }
            z = sum;
        }
        check(z.bits, "product")?;
        if self.out.frac > frac {
            return Err(Error::Range { what: "result's fraction bits", found: self.out.frac.to_string(), bits: frac });
        }
        Ok((shape, z))
    }
}

fn check(bits: u8, what: &'static str) -> Result<()> {
    if bits > MAX_BITS {
        return Err(Error::Range { what, found: format!("2^{bits}"), bits: MAX_BITS });
    }
    Ok(())
}

/// ceil(log2 n), 0 for n <= 1.
pub fn log2_up(n: usize) -> u8 {
    n.max(1).next_power_of_two().trailing_zeros() as u8
}
