//! A party's half of an upload.

use crate::{ACCEPTED, Error, MANIFEST, Manifest, ROWS, Result, chunk_rows, expect, frame, refuse};
use trefoil_net::Part;
use trefoil_net::tls::Stream;

/// What one owner has shared, as this party holds it.
pub struct Upload {
    /// What the owner announced.
    pub manifest: Manifest,
    /// For each matrix, the words that this party keeps: what they are is the suite's affair.
    pub tensors: Vec<[Vec<u64>; 2]>,
    /// Payload received, in bytes.
    pub bytes: u64,
}

/// Takes one upload: `allow` looks at the manifest before anything else is read, `accept` turns the messages for a
/// chunk of n elements into the words to keep.
///
/// # Errors
/// The owner is told why it is refused; the error says the same.
pub fn upload(
    stream: &mut Stream,
    allow: impl FnOnce(&Manifest) -> Result<()>,
    accept: impl Fn(usize, &[Part]) -> std::result::Result<[Vec<u64>; 2], String>,
) -> Result<Upload> {
    let result = take(stream, allow, accept);
    if let Err(e @ Error::Upload { .. }) = &result {
        refuse(stream, &e.to_string());
    }
    result
}

fn take(
    stream: &mut Stream,
    allow: impl FnOnce(&Manifest) -> Result<()>,
    accept: impl Fn(usize, &[Part]) -> std::result::Result<[Vec<u64>; 2], String>,
) -> Result<Upload> {
    let manifest = Manifest::parse(&expect(stream, MANIFEST)?)?;
    allow(&manifest)?;
    stream.write_frame(&frame(ACCEPTED, vec![]))?;
    let mut tensors = vec![];
    let mut bytes = 0;
    for info in &manifest.tensors {
        let mut kept = [vec![], vec![]];
        let mut left = info.rows;
        while left > 0 {
            let rows = left.min(chunk_rows(info.cols));
            let parts = expect(stream, ROWS)?;
            bytes += parts.iter().map(|p| p.bytes().len() as u64).sum::<u64>();
            let [a, b] = accept(rows * info.cols, &parts)
                .map_err(|e| Error::upload("rows", e, format!("{rows} rows of {}", info.name)))?;
            for (kept, new) in kept.iter_mut().zip([a, b]) {
                // The manifest was found to fit the job, so that its size may be believed.
                kept.reserve_exact(if kept.is_empty() { new.len().div_ceil(rows.max(1)) * info.rows } else { 0 });
                kept.extend(new);
            }
            left -= rows;
        }
        tensors.push(kept);
    }
    Ok(Upload { manifest, tensors, bytes })
}

/// Tells the owner that its upload is complete and agreed upon.
///
/// # Errors
/// The owner is gone.
pub fn accepted(stream: &mut Stream) -> Result<()> {
    Ok(stream.write_frame(&frame(ACCEPTED, vec![]))?)
}
