//! What the shares of a plan hold: each counts as many bytes at each party as a share of its shape does there, from when the program makes it
//! until it drops it. So what is held at once follows from the program itself: records, weights, what an optimiser keeps, and the
//! activations that wait for the way back.
//!
//! Shares are made in many places that know no [`Books`](super::Books), and a plan is made by one thread: it counts for itself.

use std::cell::Cell;

/// Bytes at P0, P1 and P2.
pub type Held = [u64; 3];

thread_local! {
    static NOW: Cell<Held> = const { Cell::new([0; 3]) };
    static MOST: Cell<Held> = const { Cell::new([0; 3]) };
}

/// The bytes of a matrix, counted until they are dropped; a clone's are counted again.
pub(crate) struct Bytes(Held);

impl Bytes {
    /// So many elements, of which each party holds so many bytes.
    pub(crate) fn of(elements: usize, each: Held) -> Bytes {
        let bytes = each.map(|each| each * elements as u64);
        NOW.set(sum(NOW.get(), bytes));
        at_work([0; 3]);
        Bytes(bytes)
    }
}

impl Clone for Bytes {
    fn clone(&self) -> Bytes {
        Bytes::of(1, self.0)
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        let now = NOW.get();
        NOW.set([0, 1, 2].map(|i: usize| now[i].saturating_sub(self.0[i])));
    }
}

/// A protocol is at work, with so many bytes beside those that shares hold.
pub(crate) fn at_work(more: Held) {
    let (now, most) = (sum(NOW.get(), more), MOST.get());
    MOST.set([0, 1, 2].map(|i: usize| most[i].max(now[i])));
}

/// The most that was held at once while `f` was planned by this thread, beside what was held before.
pub fn most<T>(f: impl FnOnce() -> T) -> (T, Held) {
    let before = NOW.get();
    MOST.set(before);
    let out = f();
    let most = MOST.get();
    (out, [0, 1, 2].map(|i: usize| most[i].saturating_sub(before[i])))
}

/// The most that was held at once since the innermost [`most`] that is at work began; with what was held before.
pub fn so_far() -> Held {
    MOST.get()
}

fn sum(a: Held, b: Held) -> Held {
    [0, 1, 2].map(|i: usize| a[i].saturating_add(b[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_at_once_counts() {
        let outer = Bytes::of(1000, [1, 1, 1]);
        let (kept, found) = most(|| {
            let a = Bytes::of(10, [8, 16, 0]);
            drop(Bytes::of(5, [8, 8, 8]));
            let b = a.clone();
            drop(a);
            at_work([0, 0, 500]);
            b
        });
        assert_eq!(found, [160, 320, 500]);
        drop((kept, outer));
        assert_eq!(most(|| ()).1, [0; 3]);
    }
}
