//! Softmax with cross entropy: L = -ln p_label, averaged over the batch, where p = softmax(logits).
//!
//! The gradient by the logits is p - y with one-hot labels y; labels are secret like everything else. The value,
//! ln sum_j exp(u_j - max) - (u_label - max), is computed for evaluation only.

use crate::asm::asm;
use crate::choice::choice;
use crate::scales::Scales;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use trefoil_engine::functions::Softmax;
use trefoil_engine::{Engine, Format, Product, Result as EngineResult, Sum};

/// How logits become probabilities.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SoftmaxKind {
    /// exp(u_i) / sum_j exp(u_j).
    #[default]
    Exact,
    /// ReLU(u_i) / sum_j ReLU(u_j), as in SecureML and SecureNN.
    Asm,
}

impl FromStr for SoftmaxKind {
    type Err = Error;
    fn from_str(text: &str) -> Result<SoftmaxKind> {
        choice("softmax", text, &[("exact", SoftmaxKind::Exact), ("asm", SoftmaxKind::Asm)])
    }
}

/// p - y: [batch, classes], for logits and one-hot labels of that shape.
///
/// # Errors
/// Those of the engine.
pub fn gradient<E: Engine>(e: &mut E, kind: SoftmaxKind, logits: &E::Num, y: &E::Num, scales: &Scales) -> EngineResult<E::Num> {
    let frac = scales.error.frac;
    let p = match kind {
        SoftmaxKind::Exact => e.softmax(logits, Format::new(frac, 1))?,
        SoftmaxKind::Asm => asm(e, logits, frac)?,
    };
    let d = e.sub(&p, y)?;
    // |p - y| <= 1 up to the error of p.
    Ok(e.claim(&d, scales.error.bits))
}

/// -ln softmax(logits)\[label\] of each row: one column.
///
/// # Errors
/// Those of the engine.
pub fn losses<E: Engine>(e: &mut E, logits: &E::Num, y: &E::Num) -> EngineResult<E::Num> {
    let s = Softmax::of(e, logits)?;
    let out = e.format(&s.shifted);
    let log_sum = s.log_sum(e, Format::new(out.frac, 4))?;
    let [at_label] = e.products([Product::mul(&s.shifted, y, out)])?;
    // In each row, all but one of these are zero.
    let at_label = e.claim(&e.sum(&at_label, Sum::Cols), out.bits);
    e.sub(&log_sum, &at_label)
}
