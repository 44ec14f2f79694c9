//! How many of a party's service lanes compute at a time, where its configuration says so: trainings then keep the other threads. A lane has
//! a turn while it computes, and none while it waits for a peer or for questions: so no two parties' lanes wait for one another's turns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use trefoil_net::{Frame, Id, Net, Result};

/// Turns that are free.
pub struct Budget {
    free: Mutex<usize>,
    given: Condvar,
}

impl Budget {
    /// So many lanes at a time; at least one.
    pub fn new(threads: usize) -> Budget {
        Budget { free: Mutex::new(threads.max(1)), given: Condvar::new() }
    }

    fn take(&self) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.given.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
    }

    fn give(&self) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.given.notify_one();
    }
}

/// A lane's turn, shared by its passes and its network, which are one thread's.
#[derive(Clone)]
pub struct Turn {
    budget: Arc<Budget>,
    held: Arc<AtomicBool>,
}

impl Turn {
    /// A lane that is not computing.
    pub fn of(budget: Arc<Budget>) -> Turn {
        Turn { budget, held: Arc::default() }
    }

    /// Computes with a turn, for which it may have to wait.
    pub fn compute<T>(&self, work: impl FnOnce() -> T) -> T {
        let _place = Held::take(self);
        work()
    }

    /// Does something that waits for others, without the turn if it is held.
    fn wait<T>(&self, work: impl FnOnce() -> T) -> T {
        if !self.held.load(Ordering::Relaxed) {
            return work();
        }
        drop(Held(self));
        let out = work();
        std::mem::forget(Held::take(self));
        out
    }
}

/// That a turn is held, which is given back however that ends.
struct Held<'a>(&'a Turn);

impl Held<'_> {
    fn take(turn: &Turn) -> Held<'_> {
        turn.budget.take();
        turn.held.store(true, Ordering::Relaxed);
        Held(turn)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.store(false, Ordering::Relaxed);
        self.0.budget.give();
    }
}

/// A lane's network, whose turn others have while it waits.
pub struct Budgeted<N> {
    pub net: N,
    pub turn: Turn,
}

impl<N: Net> Net for Budgeted<N> {
    fn send(&self, to: Id, frame: Frame) -> Result<()> {
        self.turn.wait(|| self.net.send(to, frame))
    }
    fn recv(&self, from: Id) -> Result<Frame> {
        self.turn.wait(|| self.net.recv(from))
    }
    fn stop(&self) {
        self.net.stop();
    }
    fn wire_bytes(&self, to: Id) -> u64 {
        self.net.wire_bytes(to)
    }
    fn peak_queued(&self, peer: Id) -> [usize; 2] {
        self.net.peak_queued(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;
    use trefoil_net::{At, local};

    fn frame(step: u64) -> Frame {
        Frame { at: At { step, op: 0 }, depth: 0, label: Cow::Borrowed("test"), parts: vec![] }
    }

    /// Four lanes of three parties, each of which lets one compute: none computes beside another, and none waits for ever for one that does
    /// not have its party's turn.
    #[test]
    fn lanes_take_turns_and_never_wait_for_each_others() {
        const LANES: usize = 4;
        let computing: [AtomicUsize; 3] = Default::default();
        let budgets = [(); 3].map(|()| Arc::new(Budget::new(1)));
        std::thread::scope(|scope| {
            for _ in 0..LANES {
                for (id, net) in Id::ALL.into_iter().zip(local::network(Duration::from_secs(60))) {
                    let (turn, computing) = (Turn::of(budgets[id.index()].clone()), &computing[id.index()]);
                    let net = Budgeted { net, turn: turn.clone() };
                    scope.spawn(move || {
                        for step in 0..50 {
                            turn.compute(|| {
                                id.others().into_iter().for_each(|peer| net.send(peer, frame(step)).unwrap());
                                assert_eq!(computing.fetch_add(1, Ordering::SeqCst), 0);
                                std::thread::yield_now();
                                computing.fetch_sub(1, Ordering::SeqCst);
                                id.others().into_iter().for_each(|peer| assert_eq!(net.recv(peer).unwrap(), frame(step)));
                            });
                        }
                    });
                }
            }
        });
        // What was taken was given back.
        assert!(budgets.iter().all(|budget| *budget.free.lock().unwrap() == 1));
    }
}
