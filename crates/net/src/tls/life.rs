//! Signs of life: an empty frame on each link, now and then, for as long as this party's work goes on.
//!
//! A party may have nothing to say to a peer for a long time and be all right: while two exchange a large tensor, the third waits for
//! both. So every party tells the two others, four times a timeout, that its work has *moved on* since the last time: a frame was sent or
//! received by whoever uses the network, or a good piece of one came in for which it waits. Signs themselves are no work: a party that
//! hangs, or waits for one that hangs, falls silent, and is found out within the timeout. A sign says nothing else; its receiver drops it.

use crate::queue::Queue;
use crate::{At, Frame, wire};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Signs of life in a timeout.
const SIGNS: u32 = 4;
const LABEL: &str = "net.alive";

/// The thread that gives signs. Dropping it ends it.
pub(super) struct Life {
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Life {
    /// Gives signs through these queues while `work` grows.
    pub(super) fn begin(work: Arc<AtomicU64>, outgoing: [Arc<Queue>; 2], timeout: Duration) -> io::Result<Life> {
        let (stop, stopped) = channel();
        let run = move || {
            let mut told = work.load(Ordering::Relaxed);
            while stopped.recv_timeout(timeout / SIGNS) == Err(RecvTimeoutError::Timeout) {
                let now = work.load(Ordering::Relaxed);
                if std::mem::replace(&mut told, now) != now {
                    outgoing.iter().for_each(|queue| give(queue));
                }
            }
        };
        let thread = Some(thread::Builder::new().name("life".into()).spawn(run)?);
        Ok(Life { stop: Some(stop), thread })
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there has been reported by its hook
        }
    }
}

/// One sign.
pub(super) fn give(queue: &Queue) {
    let sign = Frame { at: At::default(), depth: 0, label: LABEL.into(), parts: vec![] };
    // Where there is no room, what is on its way is a sign itself.
    if queue.reserve(wire::footprint(&sign), Some(Duration::ZERO)).is_ok() {
        queue.push(sign);
    }
}

/// Whether a frame is a sign of life.
pub(super) fn is_sign(label: &str) -> bool {
    label == LABEL
}
