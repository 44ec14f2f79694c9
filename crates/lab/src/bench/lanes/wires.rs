//! What stands between lanes that are threads of one machine, as if they had machines of their own.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};
use trefoil_mpc::lanes::Threads;
use trefoil_mpc::{Id, Ranks};
use trefoil_net::shaped::Profile;
use trefoil_net::{Frame, Net};
use trefoil_ring::matrix;

thread_local! {
    /// Multiply-accumulates of this thread that have been waited for.
    static WAITED_FOR: Cell<u64> = const { Cell::new(0) };
}

/// Waits as long as this thread's products since the last time would have taken longer: before anybody else can hear of them.
fn catch_up(seconds_each: f64) {
    let all = matrix::multiplied_here();
    let new = all - WAITED_FOR.replace(all);
    if new > 0 && seconds_each > 0.0 {
        thread::sleep(Duration::from_secs_f64(new as f64 * seconds_each));
    }
}

/// A network of a party that multiplies more slowly.
pub(super) struct Slowed<N> {
    net: N,
    seconds_each: f64,
}

impl<N> Slowed<N> {
    /// By so many seconds for each multiply-accumulate.
    pub(super) fn new(net: N, seconds_each: f64) -> Slowed<N> {
        Slowed { net, seconds_each }
    }
}

impl<N: Net> Net for Slowed<N> {
    fn send(&self, to: Id, frame: Frame) -> trefoil_net::Result<()> {
        catch_up(self.seconds_each);
        self.net.send(to, frame)
    }
    fn recv(&self, from: Id) -> trefoil_net::Result<Frame> {
        catch_up(self.seconds_each);
        self.net.recv(from)
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

/// Ranks of one party with a wire from each to a switch: messages leave one after the other, and arrive so.
pub(super) struct Between {
    ranks: Threads,
    profile: Profile,
    seconds_each: f64,
    /// From when on all ranks count.
    since: Instant,
    /// Until when this rank's wire is taken, in both directions.
    sending: Duration,
    receiving: Duration,
}

impl Between {
    /// Wires of this shape, between ranks that multiply more slowly.
    pub(super) fn new(ranks: Threads, profile: Profile, seconds_each: f64, since: Instant) -> Between {
        Between { ranks, profile, seconds_each, since, sending: Duration::ZERO, receiving: Duration::ZERO }
    }

    fn takes(&self, words: usize) -> Duration {
        Duration::from_secs_f64(self.profile.bits_per_second.map_or(0.0, |rate| 64.0 * words as f64 / rate))
    }
}

impl Ranks for Between {
    fn rank(&self) -> usize {
        self.ranks.rank()
    }
    fn size(&self) -> usize {
        self.ranks.size()
    }
    fn send(&mut self, to: usize, mut words: Vec<u64>) -> Result<(), String> {
        catch_up(self.seconds_each);
        let leaves = self.sending.max(self.since.elapsed());
        self.sending = leaves + self.takes(words.len());
        words.push(u64::try_from((leaves + self.profile.rtt / 2).as_nanos()).unwrap_or(u64::MAX));
        self.ranks.send(to, words)
    }
    fn receive(&mut self) -> Result<(usize, Vec<u64>), String> {
        catch_up(self.seconds_each);
        let (from, mut words) = self.ranks.receive()?;
        let begins = Duration::from_nanos(words.pop().unwrap_or_default());
        self.receiving = self.receiving.max(begins) + self.takes(words.len());
        thread::sleep(self.receiving.saturating_sub(self.since.elapsed()));
        Ok((from, words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_ring::Tensor;

    #[test]
    fn messages_take_their_time() {
        let since = Instant::now();
        let profile = Profile { rtt: Duration::from_millis(40), bits_per_second: Some(64e3) };
        let mut ranks = Threads::new(2).into_iter().map(|ranks| Between::new(ranks, profile, 0.0, since));
        let (mut a, mut b) = (ranks.next().unwrap(), ranks.next().unwrap());
        // 20 ms on its way, and 30 words of 1 ms each; twice.
        a.send(1, vec![7; 30]).unwrap();
        a.send(1, vec![8; 30]).unwrap();
        assert_eq!(b.receive().unwrap(), (0, vec![7; 30]));
        let one = since.elapsed().as_millis();
        assert_eq!(b.receive().unwrap(), (0, vec![8; 30]));
        assert!(one >= 50 && since.elapsed().as_millis() >= 80, "{one} ms");
    }

    #[test]
    fn products_are_waited_for_once() {
        catch_up(0.0);
        let x = Tensor::ones((10, 10));
        matrix::product(&x, false, &x, false);
        let started = Instant::now();
        catch_up(20e-6);
        assert!(started.elapsed().as_millis() >= 20);
        let started = Instant::now();
        catch_up(20.0);
        assert!(started.elapsed().as_secs() < 10);
    }
}
