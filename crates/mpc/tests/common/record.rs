//! Notes all that generators expand over a run, and finds what is used twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use trefoil_mpc::tap::{Draw, Tap};
use trefoil_mpc::{Key, Pair, prg};

/// A block of a stream, and what it was for.
struct Use {
    session: u32,
    draw: Draw,
    seed: [u8; 32],
    index: u64,
    /// What the generator gave first: a seed may be made of it.
    first: [u8; 32],
}

/// One who draws: a party over all its sessions, or an owner.
#[derive(Default)]
pub struct Recorder {
    session: AtomicU32,
    uses: Mutex<Vec<Use>>,
    /// All keys that were handed out to it, used or not.
    keys: Mutex<Vec<(u32, Pair, Key)>>,
}

impl Tap for Recorder {
    fn block(&self, draw: &Draw, seed: &[u8; 32], index: u64, bytes: &mut [u8]) {
        let first = bytes.first_chunk().copied().unwrap_or_default();
        let session = self.session.load(Ordering::Relaxed);
        self.uses.lock().unwrap().push(Use { session, draw: draw.clone(), seed: *seed, index, first });
    }
}

impl Use {
    /// The purpose, without a secret.
    fn name(&self) -> String {
        let (at, pair) = (self.draw.at, self.draw.pair.map_or("no pair".into(), |pair| format!("{pair:?}")));
        format!("{} of {pair}, session {}, step {}, operation {}", self.draw.label, self.session, at.step, at.op)
    }

    /// AES key, and the first counter of the block.
    fn place(&self) -> (u128, u128) {
        let [key, counter] = [0, 16].map(|at| u128::from_le_bytes(self.seed[at..at + 16].try_into().unwrap()));
        (key, counter.wrapping_add(u128::from(self.index) * BLOCKS))
    }
}

/// AES blocks that are expanded at a time.
const BLOCKS: u128 = prg::BLOCK as u128 / 16;

impl Recorder {
    /// A new session begins, with these keys.
    pub fn begin(&self, session: u32, keys: impl Iterator<Item = (Pair, Key)>) {
        self.session.store(session, Ordering::Relaxed);
        self.keys.lock().unwrap().extend(keys.map(|(pair, key)| (session, pair, key)));
    }

    /// Every label, with its pair.
    pub fn labels(&self) -> BTreeSet<(&'static str, Option<Pair>)> {
        self.uses.lock().unwrap().iter().map(|u| (u.draw.label, u.draw.pair)).collect()
    }

    /// Labels of one pair that are drawn in one operation.
    pub fn together(&self) -> BTreeSet<(Option<Pair>, Vec<&'static str>)> {
        let mut all: BTreeMap<_, BTreeSet<&'static str>> = BTreeMap::new();
        for u in self.uses.lock().unwrap().iter() {
            all.entry((u.session, u.draw.at, u.draw.pair)).or_default().insert(u.draw.label);
        }
        all.into_iter().map(|((_, _, pair), labels)| (pair, labels.into_iter().collect())).collect()
    }

    /// What is wrong: bits expanded twice, a key of two pairs or sessions, a label of two pairs.
    pub fn twice(&self) -> Vec<String> {
        let uses = self.uses.lock().unwrap();
        assert!(!uses.is_empty(), "nothing was drawn");
        let mut wrong = vec![];
        let mut order: Vec<&Use> = uses.iter().collect();
        order.sort_by_key(|u| u.place());
        for two in order.windows(2) {
            let ((key, counter), (other, next)) = (two[0].place(), two[1].place());
            if key == other && next - counter < BLOCKS {
                wrong.push(format!("the same bits for {} and {}", two[0].name(), two[1].name()));
            }
        }
        let keys = self.keys.lock().unwrap();
        for (i, (session, pair, key)) in keys.iter().enumerate() {
            if keys[..i].iter().any(|(_, _, other)| other == key) {
                wrong.push(format!("the key of {pair:?} in session {session} has another use"));
            }
        }
        let mut labels = BTreeMap::new();
        for u in uses.iter() {
            let pair = u.draw.pair;
            if *labels.entry(u.draw.label).or_insert(pair) != pair {
                wrong.push(format!("the label of {} has another pair", u.name()));
            }
        }
        wrong.sort();
        wrong.dedup();
        wrong
    }

    /// An owner: what is wrong with the seeds that it sends. Each must be a part of its own of what the generator under the chunk's
    /// seed gave, and no two alike, nor like a seed that it keeps.
    pub fn seeds(&self, sent: &[[u8; 32]], kept: &[[u8; 32]]) -> Vec<String> {
        let uses = self.uses.lock().unwrap();
        let given: BTreeSet<[u8; 32]> = uses.iter().filter(|u| kept.contains(&u.seed)).map(|u| u.first).collect();
        let mut wrong = vec![];
        for (i, seed) in sent.iter().enumerate() {
            if sent[..i].contains(seed) {
                wrong.push(format!("seed {i} was sent before"));
            }
            if kept.contains(seed) {
                wrong.push(format!("seed {i} is one that the owner keeps"));
            }
            if !given.contains(seed) {
                wrong.push(format!("seed {i} is not what the generator of a chunk gave"));
            }
        }
        for (i, seed) in kept.iter().enumerate() {
            if kept[..i].contains(seed) {
                wrong.push(format!("seed {i} of the owner's own is there twice"));
            }
        }
        wrong
    }
}
