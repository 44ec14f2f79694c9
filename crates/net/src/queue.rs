//! A queue of frames between two threads, bounded in bytes.
//!
//! Bytes count from `reserve` until `release`, so that a frame that is being read or written counts too.

use crate::{Fault, Frame};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Fault>;

pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    bound: usize,
    /// Bytes that went through the queue's socket: while it grows, the peer is slow, not gone.
    progress: Arc<AtomicU64>,
    /// The same of the socket in the other direction, where its signs of life count too.
    back: Option<Arc<AtomicU64>>,
    /// Grows while the caller waits for something large that comes.
    work: Arc<AtomicU64>,
}

/// So many bytes are more than signs of life.
const LARGE: u64 = 4096;
/// A caller that waits looks for progress so many times within its patience.
const LOOKS: u32 = 4;

#[derive(Default)]
struct State {
    frames: VecDeque<Frame>,
    bytes: usize,
    peak: usize,
    ended: bool,
    fault: Option<Fault>,
}

impl Queue {
    pub(crate) fn new(bound: usize, progress: Arc<AtomicU64>) -> Queue {
        Queue { state: Mutex::default(), changed: Condvar::new(), bound, progress, back: None, work: Arc::default() }
    }

    /// What comes `back` from the peer shows that it is not gone.
    pub(crate) fn with_back(self, back: Arc<AtomicU64>) -> Queue {
        Queue { back: Some(back), ..self }
    }

    /// Counts in `work` what goes through while a caller waits.
    pub(crate) fn with_work(self, work: Arc<AtomicU64>) -> Queue {
        Queue { work, ..self }
    }

    /// Makes room for `bytes`: waits until they fit under the bound, or until nothing is queued. Fails when nothing
    /// moved for the length of `patience`, or the queue has ended.
    pub(crate) fn reserve(&self, bytes: usize, patience: Option<Duration>) -> Result<()> {
        let room = |state: &mut State| {
            let fits = state.bytes == 0 || state.bytes.saturating_add(bytes) <= self.bound;
            if fits && !state.ended {
                state.bytes = state.bytes.saturating_add(bytes);
                state.peak = state.peak.max(state.bytes);
            }
            (fits && !state.ended).then_some(())
        };
        self.wait(patience, room, |after| Fault::Blocked { after })
    }

    /// Whether it takes frames and has none, not even one that is being written.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.bytes == 0 && !state.ended
    }

    /// Appends a frame for which there is room.
    pub(crate) fn push(&self, frame: Frame) {
        self.lock().frames.push_back(frame);
        self.changed.notify_all();
    }

    /// The next frame, waiting for it while anything moves within `patience`; after the last one, the reason why
    /// there are no more.
    pub(crate) fn pop(&self, patience: Option<Duration>) -> Result<Frame> {
        self.wait(patience, |state| state.frames.pop_front(), |after| Fault::Timeout { after })
    }

    /// Gives back the room of a frame that has been popped.
    pub(crate) fn release(&self, bytes: usize) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
        drop(state);
        self.changed.notify_all();
    }

    /// Takes no more frames; those queued can still be popped, then `fault` comes out once, then `Closed`.
    pub(crate) fn end(&self, fault: Fault) {
        let mut state = self.lock();
        if !state.ended {
            state.ended = true;
            state.fault = Some(fault);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The most bytes that were ever queued.
    pub(crate) fn peak(&self) -> usize {
        self.lock().peak
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<T>(
        &self,
        patience: Option<Duration>,
        mut ready: impl FnMut(&mut State) -> Option<T>,
        late: impl Fn(Duration) -> Fault,
    ) -> Result<T> {
        let mut state = self.lock();
        let moved = || [Some(&self.progress), self.back.as_ref()].map(|n| n.map_or(0, |n| n.load(Ordering::Relaxed)));
        let mut seen = moved();
        let mut since = Instant::now();
        loop {
            if let Some(it) = ready(&mut state) {
                return Ok(it);
            }
            if state.ended {
                return Err(state.fault.take().unwrap_or(Fault::Closed));
            }
            let Some(patience) = patience else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let now = moved();
            if now != seen {
                if now[0] - seen[0] >= LARGE {
                    self.work.fetch_add(1, Ordering::Relaxed);
                }
                (seen, since) = (now, Instant::now());
            }
            let left = patience.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Err(late(patience));
            }
            (state, _) = self.changed.wait_timeout(state, left.min(patience / LOOKS)).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{At, Part};
    use std::thread;

    const SOON: Option<Duration> = Some(Duration::from_millis(20));

    fn frame(op: u32) -> Frame {
        let at = At { step: 0, op };
        Frame { at, depth: 0, label: "t".into(), parts: vec![Part::words(&[1])] }
    }

    #[test]
    fn bound_holds_and_an_oversized_frame_goes_alone() {
        let queue = Queue::new(100, Arc::default());
        queue.reserve(60, SOON).unwrap();
        assert!(matches!(queue.reserve(41, SOON), Err(Fault::Blocked { .. })));
        queue.reserve(40, SOON).unwrap();
        assert_eq!(queue.peak(), 100);
        queue.release(100);
        queue.reserve(1000, SOON).unwrap();
        assert!(matches!(queue.reserve(1, SOON), Err(Fault::Blocked { .. })));
        assert_eq!(queue.peak(), 1000);
    }

    #[test]
    fn order_then_fault_then_closed() {
        let queue = Queue::new(1 << 20, Arc::default());
        assert!(matches!(queue.pop(SOON), Err(Fault::Timeout { .. })));
        for op in 0..3 {
            queue.reserve(8, SOON).unwrap();
            queue.push(frame(op));
        }
        queue.end(Fault::Cut);
        for op in 0..3 {
            assert_eq!(queue.pop(SOON).unwrap().at.op, op);
        }
        assert!(matches!(queue.pop(SOON), Err(Fault::Cut)));
        assert!(matches!(queue.pop(None), Err(Fault::Closed)));
        assert!(matches!(queue.reserve(1, None), Err(Fault::Closed)));
    }

    #[test]
    fn slow_is_not_stuck() {
        let moved = Arc::<AtomicU64>::default();
        let queue = Queue::new(10, moved.clone());
        queue.reserve(10, None).unwrap();
        thread::scope(|s| {
            s.spawn(|| {
                for _ in 0..10 {
                    thread::sleep(Duration::from_millis(30));
                    moved.fetch_add(1, Ordering::Relaxed);
                }
                queue.release(1);
            });
            // It takes 300 ms, but something moves every 30.
            queue.reserve(1, Some(Duration::from_millis(200))).unwrap();
        });
    }
}
