//! Three parties in one process, a channel for each directed link. For tests, `simulate` and in-process benches.

use crate::{Error, Frame, Id, Net, Result};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// One party's end of an in-memory network.
pub struct Local {
    to: [Option<Sender<Frame>>; 3],
    from: [Option<Receiver<Frame>>; 3],
    timeout: Duration,
}

/// A network for P0, P1 and P2, in that order; `recv` gives up after `timeout`.
pub fn network(timeout: Duration) -> [Local; 3] {
    let mut nets = Id::ALL.map(|_| Local { to: [None, None, None], from: [None, None, None], timeout });
    for a in Id::ALL {
        for b in a.others() {
            let (tx, rx) = channel();
            nets[a.index()].to[b.index()] = Some(tx);
            nets[b.index()].from[a.index()] = Some(rx);
        }
    }
    nets
}

impl Net for Local {
    fn send(&mut self, to: Id, frame: Frame) -> Result<()> {
        if frame.parts.len() > usize::from(u8::MAX) {
            // As on the wire, so that tests see it too.
            let (found, expected) = (frame.parts.len().to_string(), "at most 255".into());
            return Err(Error::Frame { peer: to, what: "tensors", found, expected });
        }
        let link = self.to[to.index()].as_ref().ok_or(Error::Closed { peer: to })?;
        link.send(frame).map_err(|_| Error::Closed { peer: to })
    }

    fn recv(&mut self, from: Id) -> Result<Frame> {
        let link = self.from[from.index()].as_ref().ok_or(Error::Closed { peer: from })?;
        link.recv_timeout(self.timeout).map_err(|e| match e {
            RecvTimeoutError::Timeout => Error::Timeout { peer: from, after: self.timeout },
            RecvTimeoutError::Disconnected => Error::Closed { peer: from },
        })
    }
}
