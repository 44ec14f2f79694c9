//! A party's half of an upload: what an owner sends, one frame at a time.

use crate::request::{self, Request, Summary};
use crate::{ACKNOWLEDGED, Error, FINISH, MAX_FRAME, ROWS, Result, frame};
use trefoil_net::Frame;
use trefoil_net::tls::Stream;

/// What comes from an owner.
pub enum Incoming {
    /// A chunk: its number is `at.step`, its rows are `at.op`, and `depth` is 1 for records that are held out.
    Rows(Frame),
    /// All chunks have been sent.
    Finish(Summary),
    /// The upload of this name is complete at all three parties.
    Commit(String),
    /// The owner has closed the connection.
    End,
}

/// The next of it.
///
/// # Errors
/// The owner is gone, or sends something else.
pub fn incoming(stream: &mut Stream) -> Result<Incoming> {
    let found = stream.read_frame(MAX_FRAME)?;
    Ok(match found {
        None => Incoming::End,
        Some(f) if f.label == ROWS => Incoming::Rows(f),
        Some(f) if f.label == FINISH => Incoming::Finish(request::parse(&f.parts, stream.address(), request::MAX)?),
        Some(f) if f.label == request::REQUEST => match request::parse(&f.parts, stream.address(), request::MAX)? {
            Request::Commit { upload, .. } => Incoming::Commit(upload),
            _ => return Err(Error::upload("message", "another request", "rows, or a commit")),
        },
        Some(f) => return Err(Error::upload("message", format!("{:?}", f.label), "rows, or a commit")),
    })
}

/// Tells the owner that what it sent last is on disk.
///
/// # Errors
/// The owner is gone.
pub fn acknowledge(stream: &mut Stream) -> Result<()> {
    Ok(stream.write_frame(&frame(ACKNOWLEDGED, vec![]))?)
}
