//! The model that a job's training starts from, on its way to a party: a public file, in pieces.

use crate::request::{self, Request};
use crate::share::dial;
use crate::{Address, JobHash, MODEL, Patience, Result, pieces};
use trefoil_net::identity::Identity;
use trefoil_net::tls::Stream;

/// Brings the file to a party, unless it is there already.
///
/// # Errors
/// The party cannot be reached, is not who it should be, or refuses.
pub fn give(party: &Address, identity: &Identity, patience: Patience, job: JobHash, file: &[u8]) -> Result<()> {
    let mut stream = dial(party, identity, patience)?;
    let wanted: bool = request::ask(&mut stream, &Request::StartModel { job, bytes: file.len() as u64 })?;
    if wanted {
        pieces::write(&mut stream, MODEL, file)?;
        request::answer::<()>(&mut stream)?;
    }
    // The party has it; whether it hears the farewell changes nothing.
    let _ = stream.close();
    Ok(())
}

/// A party's half: the file, of as many bytes as were announced.
///
/// # Errors
/// The caller is gone, or sends something else.
pub fn take(stream: &mut Stream, announced: usize) -> Result<Vec<u8>> {
    request::accept(stream, &true)?;
    pieces::read(stream, MODEL, announced)
}
