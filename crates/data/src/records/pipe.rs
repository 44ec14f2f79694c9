//! Bytes that come as somebody sends them. A thread of its own takes them, so that it can be told whether more is there.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Without anything for so long, whoever sends has paused.
const PAUSE: Duration = Duration::from_millis(50);

/// Bytes taken at once, and how many such pieces may wait to be read.
const PIECE: usize = 1 << 16;
const AHEAD: usize = 4;

type Piece = io::Result<Vec<u8>>;

/// The reading end. Its copies read the same bytes.
#[derive(Clone)]
pub(super) struct Pipe(Arc<Mutex<State>>);

struct State {
    pieces: Receiver<Piece>,
    /// Was taken to see whether it is there.
    next: Option<Piece>,
    piece: Vec<u8>,
    /// Of the piece.
    read: usize,
}

impl Pipe {
    /// Begins to take what `source` sends.
    pub(super) fn new(source: impl Read + Send + 'static) -> io::Result<Pipe> {
        let (sends, pieces) = sync_channel(AHEAD);
        std::thread::Builder::new().name("input".to_owned()).spawn(move || take(source, &sends))?;
        Ok(Pipe(Arc::new(Mutex::new(State { pieces, next: None, piece: Vec::new(), read: 0 }))))
    }

    /// Whether all that was sent is read, and nothing more comes for a moment. False at the end.
    pub(super) fn pauses(&self) -> bool {
        let mut state = self.state();
        if state.read < state.piece.len() || state.next.is_some() {
            return false;
        }
        match state.pieces.recv_timeout(PAUSE) {
            Ok(piece) => {
                state.next = Some(piece);
                false
            }
            Err(e) => e == RecvTimeoutError::Timeout,
        }
    }

    /// Nothing that holds it can panic half-way.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until the end, or until nobody reads any more.
fn take(mut source: impl Read, sends: &SyncSender<Piece>) {
    loop {
        let mut piece = vec![0; PIECE];
        let piece = match source.read(&mut piece) {
            Ok(0) => return,
            Ok(n) => {
                piece.truncate(n);
                Ok(piece)
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => Err(e),
        };
        let last = piece.is_err();
        if sends.send(piece).is_err() || last {
            return;
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        if state.read == state.piece.len() {
            let Some(next) = state.next.take().or_else(|| state.pieces.recv().ok()) else { return Ok(0) };
            (state.piece, state.read) = (next?, 0);
        }
        let left = &state.piece[state.read..];
        let n = left.len().min(out.len());
        out[..n].copy_from_slice(&left[..n]);
        state.read += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_pause_is_no_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut pipe = Pipe::new(reader).unwrap();
        assert!(pipe.pauses());
        writer.write_all(b"abc").unwrap();
        assert!(!pipe.pauses());
        let mut out = [0; 2];
        assert_eq!((pipe.read(&mut out).unwrap(), out), (2, *b"ab"));
        assert!(!pipe.pauses());
        assert_eq!((pipe.read(&mut out).unwrap(), out[0]), (1, b'c'));
        assert!(pipe.pauses());
        drop(writer);
        assert!(!pipe.pauses());
        assert_eq!(pipe.read(&mut out).unwrap(), 0);
    }

    #[test]
    fn an_error_comes_behind_what_was_read() {
        let broken = io::Cursor::new(b"ab").chain(Broken);
        let mut pipe = Pipe::new(broken).unwrap();
        let mut all = Vec::new();
        assert_eq!((pipe.read_to_end(&mut all).unwrap_err().kind(), &all[..]), (ErrorKind::ConnectionReset, &b"ab"[..]));
    }

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(ErrorKind::ConnectionReset.into())
        }
    }
}
