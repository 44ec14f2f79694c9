//! Several conversations at a time between the ranks of one party: each session that has lanes has one of its own, and so has whatever else ranks do for one another.
//!
//! A rank [opens](Switch::open) a conversation; another rank [accepts](Switch::accept) it with its first message. What came for a conversation waits for whoever works on it, so that
//! none keeps another. No thread stands between them and the wire: of those who wait for something one looks at the wire, and gives the others what is theirs.

use super::Ranks;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What carries words between the ranks of one party, used by one thread at a time.
pub trait Wire: Send {
    /// Which rank this is, counted from 0.
    fn rank(&self) -> usize;
    /// How many there are.
    fn size(&self) -> usize;
    /// Sends; those to one rank arrive in the order in which they were sent. It may wait until the other rank [looks](Wire::poll).
    ///
    /// # Errors
    /// A text that says why it cannot be sent.
    fn send(&mut self, to: usize, words: Vec<u64>) -> Result<(), String>;
    /// The next message and who sent it, if one has come.
    ///
    /// # Errors
    /// A text that says why there will be none.
    fn poll(&mut self) -> Result<Option<(usize, Vec<u64>)>, String>;
}

/// A message and who sent it.
type Message = (usize, Vec<u64>);

/// How long whoever looks at the wire does so without a pause; then it sleeps, longer and longer up to the last of these.
const AWAKE: Duration = Duration::from_micros(200);
const ASLEEP: [Duration; 2] = [Duration::from_micros(20), Duration::from_millis(2)];
/// Whoever waits for the one that looks asks again after so long, whatever happens.
const AGAIN: Duration = Duration::from_millis(100);

/// A rank's end of all conversations.
pub struct Switch {
    rank: usize,
    size: usize,
    /// Nothing once it is closed.
    wire: Mutex<Option<Box<dyn Wire>>>,
    places: Mutex<Places>,
    changed: Condvar,
}

#[derive(Default)]
struct Places {
    open: BTreeMap<u64, Waiting>,
    /// Those that another rank has opened, and nobody here has accepted.
    new: VecDeque<u64>,
    /// How many were opened here.
    opened: u64,
    /// Somebody looks at the wire.
    looked_at: bool,
    /// Somebody has begun to wait: whoever looks at the wire is to hurry.
    hurry: bool,
    /// Why nothing comes any more.
    over: Option<String>,
}

/// What has come for a conversation, and who has left it.
#[derive(Default)]
struct Waiting {
    messages: VecDeque<Message>,
    left: Vec<usize>,
}

/// What the lowest bits of a message's first word say: that its sender opens the conversation, and that it leaves it.
const OPENS: u64 = 1;
const LEAVES: u64 = 2;
const BITS: u32 = 2;

impl Switch {
    /// Over this wire.
    pub fn new(wire: impl Wire + 'static) -> Switch {
        let (rank, size) = (wire.rank(), wire.size());
        Switch { rank, size, wire: Mutex::new(Some(Box::new(wire))), places: Mutex::default(), changed: Condvar::new() }
    }

    /// Which rank this is.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many ranks there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// A new conversation. Another rank hears of it by the first message that it is sent.
    pub fn open(self: &Arc<Self>) -> Channel {
        let mut places = self.places();
        places.opened += 1;
        // No two ranks give the same number.
        let number = places.opened * self.size as u64 + self.rank as u64;
        places.open.insert(number, Waiting::default());
        Channel { switch: self.clone(), number, opens: true, known: Mutex::new(vec![false; self.size]) }
    }

    /// The next conversation that another rank has opened, if one comes within `patience`.
    ///
    /// # Errors
    /// A text that says why there will be none.
    pub fn accept(self: &Arc<Self>, patience: Option<Duration>) -> Result<Option<Channel>, String> {
        let number = self.wait(patience, |places| places.new.pop_front())?;
        Ok(number.map(|number| {
            let opener = (number % self.size as u64) as usize;
            let known = (0..self.size).map(|rank| rank == opener).collect();
            Channel { switch: self.clone(), number, opens: false, known: Mutex::new(known) }
        }))
    }

    /// Nothing is sent or received any more, and whoever waits is told so.
    pub fn close(&self) {
        drop(self.wire.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.places().over = Some("this rank has stopped".into());
        self.changed.notify_all();
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_wire<T>(&self, work: impl FnOnce(&mut dyn Wire) -> Result<T, String>) -> Result<T, String> {
        match self.wire.lock().unwrap_or_else(PoisonError::into_inner).as_deref_mut() {
            Some(wire) => work(wire),
            None => Err("this rank has stopped".into()),
        }
    }

    /// What is `ready`, or nothing within `patience`. Meanwhile one of those who wait looks at the wire for all of them.
    fn wait<T>(&self, patience: Option<Duration>, mut ready: impl FnMut(&mut Places) -> Option<T>) -> Result<Option<T>, String> {
        let began = Instant::now();
        let (mut looking, mut since, mut pause) = (false, began, ASLEEP[0]);
        let mut places = self.places();
        places.hurry = true;
        self.changed.notify_all();
        let end = loop {
            if let Some(found) = ready(&mut places) {
                break Ok(Some(found));
            }
            if let Some(why) = &places.over {
                break Err(why.clone());
            }
            if patience.is_some_and(|patience| began.elapsed() >= patience) {
                break Ok(None);
            }
            if !looking && places.looked_at {
                (places, _) = self.changed.wait_timeout(places, AGAIN).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            (looking, places.looked_at) = (true, true);
            if std::mem::take(&mut places.hurry) {
                (since, pause) = (Instant::now(), ASLEEP[0]);
            }
            drop(places);
            let came = self.with_wire(|wire| wire.poll());
            let nothing = matches!(came, Ok(None));
            if nothing && since.elapsed() < AWAKE {
                thread::yield_now();
            }
            places = self.places();
            match came {
                Ok(Some((from, words))) => {
                    places.put(from, words);
                    places.hurry = true;
                    self.changed.notify_all();
                }
                Ok(None) if since.elapsed() < AWAKE => {}
                Ok(None) => {
                    // A wire's own waiting would keep a core busy that another process of this machine may need.
                    (places, _) = self.changed.wait_timeout(places, pause).unwrap_or_else(PoisonError::into_inner);
                    pause = (pause * 5 / 4).min(ASLEEP[1]);
                }
                Err(why) => {
                    places.over.get_or_insert(why);
                    self.changed.notify_all();
                }
            }
        };
        if looking {
            places.looked_at = false;
            self.changed.notify_all();
        }
        end
    }
}

impl Places {
    /// A message has come.
    fn put(&mut self, from: usize, mut words: Vec<u64>) {
        let Some(head) = words.first().copied() else { return };
        words.remove(0);
        let number = head >> BITS;
        if head & OPENS > 0 && !self.open.contains_key(&number) {
            self.open.insert(number, Waiting::default());
            self.new.push_back(number);
        }
        // What comes for one that is over here is dropped.
        let Some(waiting) = self.open.get_mut(&number) else { return };
        match head & LEAVES > 0 {
            true => waiting.left.push(from),
            false => waiting.messages.push_back((from, words)),
        }
    }
}

/// One conversation. Whoever drops it leaves it: what comes for it later is lost.
pub struct Channel {
    switch: Arc<Switch>,
    number: u64,
    /// Whether it was opened here.
    opens: bool,
    /// Who is in it, as far as this rank knows: has opened it, or was told something.
    known: Mutex<Vec<bool>>,
}

impl Channel {
    /// Sends words to a rank, whoever of several threads does.
    ///
    /// # Errors
    /// A text that says why they cannot be sent.
    pub fn say(&self, to: usize, words: &[u64]) -> Result<(), String> {
        if to >= self.switch.size {
            return Err(format!("there are {} ranks", self.switch.size));
        }
        // Held until it is on its way: the one that opens is the first.
        let mut known = self.known();
        let first = !std::mem::replace(&mut known[to], true);
        self.send_with(to, if first && self.opens { OPENS } else { 0 }, words)
    }

    /// The next words, and from whom; waits for them.
    ///
    /// # Errors
    /// A text that says why there will be none.
    pub fn hear(&self) -> Result<(usize, Vec<u64>), String> {
        let next = |places: &mut Places| places.open.get_mut(&self.number)?.messages.pop_front();
        self.switch.wait(None, next).map(Option::unwrap_or_default)
    }

    /// The same of a conversation with one other rank, which may have left it.
    ///
    /// # Errors
    /// A text that says why there will be none.
    pub fn hear_of(&self, rank: usize) -> Result<Vec<u64>, String> {
        let next = |places: &mut Places| {
            let waiting = places.open.get_mut(&self.number)?;
            match waiting.messages.pop_front() {
                Some((_, words)) => Some(Ok(words)),
                None => waiting.left.contains(&rank).then(|| Err("has ended the conversation".to_owned())),
            }
        };
        self.switch.wait(None, next)?.unwrap_or_else(|| Err("said nothing".into()))
    }

    fn known(&self) -> MutexGuard<'_, Vec<bool>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_with(&self, to: usize, bits: u64, words: &[u64]) -> Result<(), String> {
        let mut message = Vec::with_capacity(1 + words.len());
        message.push(self.number << BITS | bits);
        message.extend(words);
        self.switch.with_wire(|wire| wire.send(to, message))
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.switch.places().open.remove(&self.number);
        let known: Vec<bool> = self.known().clone();
        for (rank, known) in known.into_iter().enumerate() {
            if known && rank != self.switch.rank {
                // Who does not hear it is gone.
                let _ = self.send_with(rank, LEAVES, &[]);
            }
        }
    }
}

impl Ranks for Channel {
    fn rank(&self) -> usize {
        self.switch.rank
    }
    fn size(&self) -> usize {
        self.switch.size
    }
    fn send(&mut self, to: usize, words: Vec<u64>) -> Result<(), String> {
        self.say(to, &words)
    }
    fn receive(&mut self) -> Result<(usize, Vec<u64>), String> {
        self.hear()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Lanes, Threads};
    use super::*;

    fn switches(n: usize) -> Vec<Arc<Switch>> {
        Threads::new(n).into_iter().map(|wire| Arc::new(Switch::new(wire))).collect()
    }

    /// Four sessions at a time between three ranks, each of which adds up its own words.
    #[test]
    fn conversations_do_not_keep_one_another() {
        let all = switches(3);
        let follow = |switch: &Arc<Switch>| {
            thread::scope(|scope| {
                for _ in 0..4 {
                    let channel = switch.accept(None).unwrap().unwrap();
                    scope.spawn(move || {
                        let mut lanes = Lanes::new(channel);
                        let factor = u64::from(lanes.begun().unwrap()[0]);
                        let rank = lanes.lane().rank as u64;
                        (0..50).for_each(|i| drop(lanes.sum(vec![i * factor * rank]).unwrap()));
                    });
                }
            });
        };
        thread::scope(|scope| {
            all[1..].iter().for_each(|switch| drop(scope.spawn(move || follow(switch))));
            for factor in 1..5 {
                let channel = all[0].open();
                scope.spawn(move || {
                    let mut lanes = Lanes::new(channel);
                    lanes.begin(&[factor as u8], 3).unwrap();
                    for i in 0..50 {
                        assert_eq!(lanes.sum(vec![0]).unwrap(), Some(vec![3 * i * factor]));
                    }
                });
            }
        });
    }

    #[test]
    fn what_is_over_is_over() {
        let all = switches(2);
        let (to, patience) = (all[0].open(), Some(Duration::from_millis(20)));
        assert!(all[1].accept(patience).unwrap().is_none());
        to.say(1, &[7]).unwrap();
        let from = all[1].accept(None).unwrap().unwrap();
        assert_eq!(from.hear().unwrap(), (0, vec![7]));
        // It opens nothing anew.
        drop(from);
        to.say(1, &[8]).unwrap();
        assert!(all[1].accept(patience).unwrap().is_none());
        assert_eq!(to.hear_of(1).unwrap_err(), "has ended the conversation");
        assert_eq!(to.say(2, &[]).unwrap_err(), "there are 2 ranks");
        thread::scope(|scope| {
            let waits = scope.spawn(|| to.hear());
            thread::sleep(Duration::from_millis(10));
            all[0].close();
            assert_eq!(waits.join().unwrap().unwrap_err(), "this rank has stopped");
        });
        assert_eq!(to.say(1, &[9]).unwrap_err(), "this rank has stopped");
    }
}
