//! The model owner: asks each party for its share of the model, and puts it together.

use crate::approval::Approval;
use crate::request::{self, Request};
use crate::share::dial;
use crate::{Address, Error, MODEL, Patience, Result, expect, frame};
use trefoil_net::Part;
use trefoil_net::identity::Identity;
use trefoil_net::tls::Stream;
use trefoil_ring::Tensor;

/// Fetches the matrices of `shapes` (name, rows, columns) of a job's model, with the owner's approval of that job.
///
/// `reconstruct` puts together n elements from what P0, P1 and P2 sent.
///
/// # Errors
/// A party cannot be reached, is not who it should be, refuses, or sends something that does not fit.
pub fn fetch(
    parties: &[Address; 3],
    identity: &Identity,
    approval: &Approval,
    shapes: &[(String, [usize; 2])],
    reconstruct: impl Fn(usize, &[Vec<Part>; 3]) -> std::result::Result<Vec<u64>, String>,
    patience: Patience,
) -> Result<Vec<Tensor>> {
    let mut streams: Vec<Stream> = vec![];
    for party in parties {
        let mut stream = dial(party, identity, patience)?;
        request::ask::<()>(&mut stream, &Request::Fetch { job: approval.job, approval: approval.clone() })?;
        streams.push(stream);
    }
    let mut out = vec![];
    for (name, [rows, cols]) in shapes {
        let mut parts: [Vec<Part>; 3] = Default::default();
        for (stream, parts) in streams.iter_mut().zip(&mut parts) {
            *parts = expect(stream, MODEL)?;
        }
        let words = reconstruct(rows * cols, &parts).map_err(|e| Error::Model(format!("{name}: {e}")))?;
        let tensor = Tensor::from_shape_vec((*rows, *cols), words).map_err(|e| Error::Model(format!("{name}: {e}")))?;
        out.push(tensor);
    }
    streams.into_iter().for_each(|s| {
        // All of the model is here; whether the party hears the farewell changes nothing.
        let _ = s.close();
    });
    Ok(out)
}

/// A party's half: its messages for each matrix.
///
/// # Errors
/// The owner is gone before that; it may come again.
pub fn serve(stream: &mut Stream, matrices: &[Vec<Part>]) -> Result<()> {
    request::accept(stream, &())?;
    for parts in matrices {
        stream.write_frame(&frame(MODEL, parts.clone()))?;
    }
    match stream.read_frame(0)? {
        None => Ok(()),
        Some(f) => Err(Error::Unexpected {
            peer: stream.address().to_owned(),
            found: format!("{:?}", f.label),
            expected: "the end".into(),
        }),
    }
}
