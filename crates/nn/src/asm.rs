//! ASM, the softmax of SecureML and SecureNN: ReLU(u_i) / sum_j ReLU(u_j).
//!
//! Where the sum is 0 the papers divide by zero. Here, with c = [sum = 0], ReLU(u_i) + c is divided by sum + n c in
//! units of the last place: every class then gets 1/n. The quotient is exact to the last fraction bit. The backward
//! pass uses p - y, as the papers do, although it is not the gradient of any loss in these p.

use ndarray::Array2;
use trefoil_engine::{Engine, Format, Result, Sum, functions};

/// The probabilities of each row of `u`, with `frac` fraction bits, rounded down.
///
/// # Errors
/// Those of the engine.
pub fn asm<E: Engine>(e: &mut E, u: &E::Num, frac: u8) -> Result<E::Num> {
    let [rows, n] = e.shape(u);
    let (x, _) = e.relu(u)?;
    let sum = e.sum(&x, Sum::Cols);
    let last = e.format(u).frac;
    let unit = e.public(&Array2::from_elem((rows, 1), (-f64::from(last)).exp2()), Format { frac: last, bits: 1 })?;
    let [positive] = e.drelu([&e.sub(&sum, &unit)?])?;
    let zero = e.flip(&positive, &[true]);
    let [guard] = e.select([(&zero, &unit)])?;
    let x = e.add(&x, &guard)?;
    let sum = e.add(&sum, &e.times(&guard, n as f64, 0)?)?;
    functions::division(e, &x, &sum, frac)
}
