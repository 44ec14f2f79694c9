//! Means from sums: a division by a public number.

use trefoil_engine::{Engine, Format, MAX_BITS, Result};

/// Fraction bits of what is left of 1/n without its power of two.
const SHARE: u8 = 16;

/// `sum` / `n` in the format `out`, or with fewer fraction bits where it has no more: the point moves by a power of two, and the rest is
/// a product with a constant, relatively within 2^-16, and a truncation.
pub(super) fn over<E: Engine>(e: &mut E, sum: &E::Num, n: usize, out: Format) -> Result<E::Num> {
    over_finely(e, sum, n, SHARE, out)
}

/// The same within 2^-`share`, and the last bits of the sum, which are cut off first where there is no room for the constant.
pub(crate) fn over_finely<E: Engine>(e: &mut E, sum: &E::Num, n: usize, share: u8, out: Format) -> Result<E::Num> {
    let power = n.max(1).ilog2();
    let rest = f64::from(power).exp2() / n.max(1) as f64;
    let mut x = e.times_2(sum, -(power as i8))?;
    if rest < 1.0 {
        let Format { frac, bits } = e.format(&x);
        let over = (bits + share).saturating_sub(MAX_BITS).min(frac);
        if over > 0 {
            [x] = e.truncate([(&x, Format { frac: frac - over, bits: bits - over })])?;
        }
        x = e.times(&x, rest, share)?;
    }
    if e.format(&x).frac > out.frac {
        let [x] = e.truncate([(&x, out)])?;
        return Ok(x);
    }
    let bits = out.bits.saturating_sub(out.frac - e.format(&x).frac);
    Ok(e.claim(&x, bits))
}
