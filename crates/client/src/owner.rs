//! A data owner: deals its matrices to the three parties, each over a connection of its own.

use crate::{ACCEPTED, Address, Error, MANIFEST, Manifest, Patience, ROWS, Result, TensorInfo, bytes, chunk_rows, expect, frame};
use ndarray::{Axis, Slice};
use trefoil_net::Part;
use trefoil_net::identity::Identity;
use trefoil_net::tls::{Stream, connect};
use trefoil_ring::Tensor;

/// Shares `tensors` with the three parties, and returns once all three have accepted all of it.
///
/// `deal` splits a chunk of rows into the messages for P0, P1 and P2, from a seed that `seed` gives, another one for each chunk:
/// [`fresh_seed`] outside of tests.
///
/// # Errors
/// A party cannot be reached, is not who it should be, or refuses; the operating system gives no randomness.
pub fn upload(
    parties: &[Address; 3],
    identity: &Identity,
    job: &str,
    tensors: &[(String, Tensor, u8)],
    deal: impl Fn(&Tensor, [u8; 32]) -> [Vec<Part>; 3],
    mut seed: impl FnMut() -> Result<[u8; 32]>,
    patience: Patience,
) -> Result<Manifest> {
    let info =
        |(name, x, frac): &(String, Tensor, u8)| TensorInfo { name: name.clone(), rows: x.nrows(), cols: x.ncols(), frac: *frac };
    let manifest = Manifest::new(job, tensors.iter().map(info).collect())?;
    let mut streams: Vec<Stream> = vec![];
    for party in parties {
        let mut stream = connect(&party.address, identity, party.fingerprint, patience.connect)?;
        stream.set_timeouts(Some(patience.answer), Some(patience.answer))?;
        stream.write_frame(&frame(MANIFEST, vec![bytes(&manifest.json())]))?;
        streams.push(stream);
    }
    for stream in &mut streams {
        expect(stream, ACCEPTED)?;
    }
    for (_, x, _) in tensors {
        for chunk in x.axis_chunks_iter(Axis(0), chunk_rows(x.ncols())) {
            let chunk = chunk.slice_axis(Axis(0), Slice::from(..)).to_owned();
            for (stream, parts) in streams.iter_mut().zip(deal(&chunk, seed()?)) {
                stream.write_frame(&frame(ROWS, parts))?;
            }
        }
    }
    for mut stream in streams {
        expect(&mut stream, ACCEPTED)?;
        // The party has it all; whether it hears the farewell changes nothing.
        let _ = stream.close();
    }
    Ok(manifest)
}

/// 256 bits from the operating system.
///
/// # Errors
/// [`Error::NoRandomness`]: without it nothing is shared.
pub fn fresh_seed() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(Error::NoRandomness)?;
    Ok(seed)
}
