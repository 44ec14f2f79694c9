//! Functions built from an engine's operations, each with its maximum error. A suite that knows a better way for one
//! of them may take it; the error bounds are the contract.

mod argmax;
mod chebyshev;
mod division;
mod exp;
mod inverse_sqrt;
mod ln;
mod maximum;
mod over_root;
mod reciprocal;
mod sigmoid;
mod softmax;

pub use argmax::argmax;
pub use chebyshev::{coefficients, series};
pub use division::division;
pub use exp::{EXP_FLOOR, exp};
pub use inverse_sqrt::inverse_sqrt;
pub use ln::ln;
pub use maximum::{row_max, row_max_of_pairs};
pub use over_root::{OverRoot, over_root};
pub use reciprocal::reciprocal;
pub use sigmoid::{SIGMOID_REACH, sigmoid};
pub use softmax::{Softmax, softmax};

use crate::Result;

/// Fraction bits inside of the functions: values near 1 can be multiplied with room to spare below 2^62.
pub const INNER: u8 = 28;

/// `f` over an array, stopping at the first error.
pub fn each<T, U, const N: usize>(x: [T; N], f: impl FnMut(T) -> Result<U>) -> Result<[U; N]> {
    let all = x.into_iter().map(f).collect::<Result<Vec<U>>>()?;
    Ok(all.try_into().unwrap_or_else(|_| unreachable!("as many results as inputs")))
}

#[cfg(test)]
mod tests;
