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

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;
    use trefoil_engine::{Fixed, Float};

    fn run<E: Engine>(e: &mut E, frac: u8) -> Array2<f64> {
        let u = arr2(&[
            [1.0, 3.0, -2.0, 0.0],
            [-1.0, -2.0, 0.0, -0.5],
            [0.0, 0.0, 0.25, -100.0],
            [200.0, 100.0, 100.0, 0.0],
            [1.0, 1.0, 1.0, -1.0],
        ]);
        let u = e.public(&u, Format::new(16, 8)).unwrap();
        let p = asm(e, &u, frac).unwrap();
        e.open(&p).unwrap().unwrap()
    }

    #[test]
    fn quotients_are_exact_to_the_last_bit() {
        let want = arr2(&[
            [0.25, 0.75, 0.0, 0.0],
            [0.25; 4],
            [0.0, 0.0, 1.0, 0.0],
            [0.5, 0.25, 0.25, 0.0],
            [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0],
        ]);
        for frac in [8, 16] {
            let unit = f64::from(frac).exp2();
            let want = want.mapv(|p| (p * unit).floor() / unit);
            assert_eq!(run(&mut Fixed::default(), frac), want);
            // Floating point has no last place: the divisor of the row without a positive element is not exact.
            assert!((run(&mut Float, frac) - &want).iter().all(|d| d.abs() <= 1.0 / unit));
        }
    }
}
