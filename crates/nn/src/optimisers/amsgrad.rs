//! AMSGrad (Reddi, Kale and Kumar, ICLR 2018, Algorithm 2) in PyTorch's form: Adam whose mean of squares is the largest that there has been.
//! The first moment is corrected for its start as in Adam, and so is the largest mean of squares.

use trefoil_engine::{Engine, Result};

/// max(v, `largest`) = largest + \[v >= largest\] (v - largest): a comparison and a selection, four rounds.
///
/// # Errors
/// Those of the engine.
pub(super) fn larger<E: Engine>(e: &mut E, v: &E::Num, largest: &E::Num) -> Result<E::Num> {
    let more = e.sub(v, largest)?;
    // Both are at least 0.
    let more = e.claim(&more, e.format(v).bits);
    let [is_more] = e.drelu([&more])?;
    let [more] = e.select([(&is_more, &more)])?;
    Ok(e.claim(&e.add(largest, &more)?, e.format(v).bits))
}
