//! Shares of matrices in a sealed file: their shapes and formats at its top, and two records for each.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;
use trefoil_engine::Format;
use trefoil_mpc::{Kept, Suite};

/// What stands at the top of the file, in the clear and authenticated.
#[derive(Serialize, Deserialize)]
pub struct Matrix {
    pub shape: [usize; 2],
    frac: u8,
    bits: u8,
}

/// What is kept of matrices, and what is said of them.
///
/// # Errors
/// Those of the network, where a matrix needs a last round.
pub fn keep<'a, S: Suite>(e: &mut S, all: impl IntoIterator<Item = &'a S::Num>) -> Result<(Vec<Matrix>, Vec<Kept>)>
where
    S::Num: 'a,
{
    let (mut matrices, mut kept) = (vec![], vec![]);
    for x in all {
        let (shape, format) = (e.shape(x), e.format(x));
        matrices.push(Matrix { shape, frac: format.frac, bits: format.bits });
        kept.push(e.keep(x)?);
    }
    Ok((matrices, kept))
}

/// The file's records.
pub fn records(kept: &[Kept]) -> impl Iterator<Item = Vec<u8>> + '_ {
    kept.iter().flat_map(Kept::to_bytes)
}

/// The matrices again, from all of a file's records.
///
/// # Errors
/// They are not of these shapes.
pub fn restore<S: Suite>(e: &S, matrices: &[Matrix], records: Vec<Vec<u8>>, path: &Path) -> Result<Vec<S::Num>> {
    if records.len() != 2 * matrices.len() {
        return Err(Error::config(path.display(), format!("{} records", records.len()), 2 * matrices.len()));
    }
    let mut records = records.into_iter();
    let one = |matrix: &Matrix| {
        let kept = [records.next().unwrap_or_default(), records.next().unwrap_or_default()];
        let kept = Kept::from_bytes(kept, matrix.shape[0] * matrix.shape[1])
            .map_err(|(found, expected)| Error::config(path.display(), found, expected))?;
        Ok(e.input(matrix.shape, Format { frac: matrix.frac, bits: matrix.bits }, kept))
    };
    matrices.iter().map(one).collect()
}
