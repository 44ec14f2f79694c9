//! The model owner: asks each party for its share of the model, and puts it together.

use crate::{Address, Error, FETCH, MODEL, Patience, Result, bytes, expect, frame, refuse};
use trefoil_net::Part;
use trefoil_net::identity::Identity;
use trefoil_net::tls::{Stream, connect};
use trefoil_ring::Tensor;

/// Fetches the matrices of `shapes` (name, rows, columns) of the model of `job`.
///
/// `reconstruct` puts together n elements from what P0, P1 and P2 sent.
///
/// # Errors
/// A party cannot be reached, is not who it should be, refuses, or sends something that does not fit.
pub fn fetch(
    parties: &[Address; 3],
    identity: &Identity,
    job: &str,
    shapes: &[(String, [usize; 2])],
    reconstruct: impl Fn(usize, &[Vec<Part>; 3]) -> std::result::Result<Vec<u64>, String>,
    patience: Patience,
) -> Result<Vec<Tensor>> {
    let mut streams: Vec<Stream> = vec![];
    for party in parties {
        let mut stream = connect(&party.address, identity, party.fingerprint, patience.connect)?;
        stream.set_timeouts(Some(patience.answer), Some(patience.answer))?;
        stream.write_frame(&frame(FETCH, vec![bytes(job.as_bytes())]))?;
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

/// A party's half: answers one fetch with its messages for each matrix.
///
/// # Errors
/// The owner asks for another job, or is gone before it has everything; it may come again.
pub fn serve(stream: &mut Stream, job: &str, matrices: &[Vec<Part>]) -> Result<()> {
    let asked = expect(stream, FETCH)?;
    let text: Vec<u8> = match &asked[..] {
        [part] if part.len() <= 256 => part.to_bits(part.len(), 8).unwrap_or_default().iter().map(|b| *b as u8).collect(),
        _ => vec![],
    };
    if text != job.as_bytes() {
        let e = Error::Unexpected {
            peer: stream.address().to_owned(),
            found: "a request for another job".into(),
            expected: job.to_owned(),
        };
        refuse(stream, "this party has trained another job");
        return Err(e);
    }
    for parts in matrices {
        stream.write_frame(&frame(MODEL, parts.clone()))?;
    }
    // The owner says farewell once it has all; without that it may have to ask again.
    match stream.read_frame(0)? {
        None => Ok(()),
        Some(f) => Err(Error::Unexpected {
            peer: stream.address().to_owned(),
            found: format!("{:?}", f.label),
            expected: "the end".into(),
        }),
    }
}
