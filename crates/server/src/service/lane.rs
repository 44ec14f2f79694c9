//! Passes of 1, 8, 32 and 128 records each have a lane: links between the parties, keys and a thread at each of them. A question with one
//! record need not wait while 128 of somebody else's are computed, and P2, which deals ahead without knowing what comes, knows the size of
//! each lane's next pass. Here is what waits for lanes, which of it goes into a lane's next pass, and a lane as the parties meet for it.

use super::entry::{Now, ServiceHere};
use crate::Result;
use crate::links::{Meeting, Meets};
use crate::record::Withdrawn;
use crate::server::Server;
use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};
use trefoil_client::request::Request;
use trefoil_job::service::PASSES;
use trefoil_net::identity::Fingerprint;
use trefoil_net::{Id, Part};

/// Nobody is told to wait longer than this, in seconds.
const MOST_PAUSE: u64 = 60;

/// What a question is known by: its client, its conversation and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub by: Fingerprint,
    pub conversation: [u64; 2],
    pub number: u64,
}

impl Name {
    /// As words of a message, with the question's rows.
    pub fn words(&self, rows: usize) -> [u64; 8] {
        let by = |i: usize| u64::from_be_bytes(std::array::from_fn(|j| self.by.0[8 * i + j]));
        let [a, b] = self.conversation;
        [by(0), by(1), by(2), by(3), a, b, self.number, rows as u64]
    }

    /// The name again, and the rows.
    pub fn from_words(words: &[u64; 8]) -> (Name, usize) {
        let [.., a, b, number, rows] = *words;
        let by = Fingerprint(std::array::from_fn(|i| words[i / 8].to_be_bytes()[i % 8]));
        (Name { by, conversation: [a, b], number }, usize::try_from(rows).unwrap_or(usize::MAX))
    }
}

/// This party's part of an answer, or in a word and in a line why there is none.
pub type Answered = std::result::Result<Vec<Part>, (&'static str, String)>;

/// A question that waits for its pass.
pub struct Question {
    pub name: Name,
    pub rows: usize,
    pub parts: Vec<Part>,
    /// After this it begins no pass.
    pub until: Instant,
    pub answer: SyncSender<Answered>,
}

impl Question {
    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes().len()).sum()
    }

    /// Gives whoever waits this party's part of the answer. A client that is gone has no use for it.
    pub fn answer(self, parts: Vec<Part>) {
        let _ = self.answer.try_send(Ok(parts));
    }

    /// Tells whoever waits why there is none.
    pub fn refuse(self, reason: &'static str, why: String) {
        let _ = self.answer.try_send(Err((reason, why)));
    }
}

/// Passes of one size have links, keys and a thread of their own.
#[derive(Default)]
pub struct Lane {
    /// Whether it has its thread.
    pub running: bool,
    /// Whether the three have met.
    pub open: bool,
    pub meeting: Meeting,
    /// What a pass takes here, in seconds: of those before, the later the more. 0 before the first.
    pub pass: f64,
    /// By rank: whether it works on passes of this size now, and how many it has done since the party was started.
    pub ranks: Vec<(bool, u64)>,
}

impl Lane {
    /// A rank works on passes from now on.
    pub fn joined(&mut self, rank: usize) {
        self.rank(rank).0 = true;
    }

    /// A rank works on none any more.
    pub fn left(&mut self, rank: usize) {
        self.rank(rank).0 = false;
    }

    fn rank(&mut self, rank: usize) -> &mut (bool, u64) {
        if self.ranks.len() <= rank {
            self.ranks.resize(rank + 1, (false, 0));
        }
        &mut self.ranks[rank]
    }

    /// A rank's pass has taken so long.
    pub fn took(&mut self, rank: usize, seconds: f64) {
        self.rank(rank).1 += 1;
        self.pass = if self.pass == 0.0 { seconds } else { 0.9 * self.pass + 0.1 * seconds };
    }
}

impl Now {
    /// In how many seconds what waits now will have been answered, if it goes into passes of the largest size: at least one.
    pub fn busy_for(&self) -> u64 {
        let rows: usize = self.questions.iter().map(|question| question.rows).sum();
        let largest = PASSES.iter().zip(&self.lanes).rfind(|(_, lane)| lane.open);
        let at_a_time = |lane: &Lane| lane.ranks.iter().filter(|(works, _)| *works).count().max(1);
        let seconds = largest.map_or(0.0, |(size, lane)| rows.div_ceil(*size).div_ceil(at_a_time(lane)) as f64 * lane.pass);
        (seconds.ceil() as u64).clamp(1, MOST_PAUSE)
    }

    /// Takes the questions of a lane's next pass out: those that wait longest, as far as they fit. The smallest pass that holds all who wait
    /// is theirs, and while that is busy they wait for it, or for others to come that make a larger one worth its while.
    pub fn batch(&mut self, lane: usize) -> Vec<Question> {
        let open = || PASSES.iter().zip(&self.lanes).filter(|(_, lane)| lane.open).map(|(size, _)| *size);
        let largest = open().max().unwrap_or(0);
        // Who waits no longer is told so by the thread that has the connection.
        let now = Instant::now();
        let waits = |question: &&Question| question.rows <= largest && question.until > now;
        let rows: usize = self.questions.iter().filter(waits).map(|question| question.rows).sum();
        let size = open().find(|size| *size >= rows.min(largest));
        if rows == 0 || size != Some(PASSES[lane]) {
            return vec![];
        }
        let (mut taken, mut left, mut room) = (vec![], VecDeque::new(), PASSES[lane]);
        for question in std::mem::take(&mut self.questions) {
            match room.checked_sub(question.rows).filter(|_| question.until > now) {
                Some(rest) => {
                    room = rest;
                    taken.push(question);
                }
                None => left.push_back(question),
            }
        }
        self.questions = left;
        taken
    }

    /// Takes a question out.
    pub fn remove(&mut self, name: &Name, rows: usize) -> Option<Question> {
        let at = self.questions.iter().position(|question| question.name == *name && question.rows == rows)?;
        self.questions.remove(at)
    }
}

/// A lane of a service, and the party that it is at.
#[derive(Clone)]
pub struct LaneHere {
    pub here: ServiceHere,
    /// Which of [`PASSES`].
    pub lane: usize,
}

impl Deref for LaneHere {
    type Target = ServiceHere;
    fn deref(&self) -> &ServiceHere {
        &self.here
    }
}

impl LaneHere {
    /// Those that a service has: passes that hold more than a question may have are never needed.
    pub fn all(here: &ServiceHere) -> impl Iterator<Item = LaneHere> + use<> {
        let (here, most) = (here.clone(), here.service.limits.records_a_question);
        let lanes = (0..PASSES.len()).filter(move |lane| PASSES[*lane] as u64 <= most);
        lanes.map(move |lane| LaneHere { here: here.clone(), lane })
    }

    /// Records of a pass.
    pub fn size(&self) -> usize {
        PASSES[self.lane]
    }
}

impl Meets for LaneHere {
    fn server(&self) -> &Server {
        &self.server
    }
    fn request(&self) -> Request {
        Request::LinkService { service: self.hash, pass: self.size() }
    }
    fn meeting<T>(&self, change: impl FnOnce(&mut Meeting) -> T) -> Result<T> {
        Ok(self.change(|now| change(&mut now.lanes[self.lane].meeting)))
    }
    fn wait(&self, time: Duration) {
        self.serving.wait(time);
    }
    fn heard(&self, _: Id, _: &[Withdrawn]) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    fn waiting(open: &[usize], rows: &[usize]) -> Now {
        let question = |(number, rows): (usize, &usize)| Question {
            name: Name { by: Fingerprint([3; 32]), conversation: [1, 2], number: number as u64 },
            rows: *rows,
            parts: vec![],
            until: Instant::now() + Duration::from_secs(600),
            answer: sync_channel(1).0,
        };
        let mut now = Now { questions: rows.iter().enumerate().map(question).collect(), ..Now::default() };
        for (size, lane) in PASSES.iter().zip(&mut now.lanes) {
            lane.open = open.contains(size);
        }
        now
    }

    /// Who is taken into the next pass of each lane, by their places in the queue.
    fn taken(open: &[usize], rows: &[usize]) -> [Vec<u64>; 4] {
        std::array::from_fn(|lane| waiting(open, rows).batch(lane).iter().map(|question| question.name.number).collect())
    }

    #[test]
    fn questions_go_together_into_the_smallest_pass_that_holds_them() {
        let all = &PASSES[..];
        assert_eq!(taken(all, &[]), [const { Vec::<u64>::new() }; 4]);
        assert_eq!(taken(all, &[1]), [vec![0], vec![], vec![], vec![]]);
        assert_eq!(taken(all, &[1, 1, 1]), [vec![], vec![0, 1, 2], vec![], vec![]]);
        assert_eq!(taken(all, &[8, 1]), [vec![], vec![], vec![0, 1], vec![]]);
        // What does not fit waits, and what comes behind it may fit.
        assert_eq!(taken(all, &[32, 128, 8]), [vec![], vec![], vec![], vec![0, 2]]);
        assert_eq!(taken(all, &[1; 300])[3], (0..128).collect::<Vec<_>>());
        let mut now = waiting(all, &[128, 128, 1]);
        assert_eq!(now.batch(3).len(), 1);
        assert_eq!(now.questions.iter().map(|question| question.rows).collect::<Vec<_>>(), [128, 1]);
    }

    /// Lanes that have not met: their questions wait, and keep nobody else.
    #[test]
    fn only_open_lanes_count() {
        assert_eq!(taken(&[], &[1, 1]), [const { Vec::<u64>::new() }; 4]);
        assert_eq!(taken(&[8, 128], &[1]), [vec![], vec![0], vec![], vec![]]);
        assert_eq!(taken(&[1, 8], &[128, 1, 8]), [vec![], vec![1], vec![], vec![]]);
        assert_eq!(taken(&[1, 8], &[128, 1]), [vec![1], vec![], vec![], vec![]]);
    }

    /// A question whose deadline is over is in no pass, and counts for none.
    #[test]
    fn who_waits_no_longer_is_in_no_pass() {
        let mut now = waiting(&PASSES, &[1, 1, 1]);
        now.questions[0].until = Instant::now();
        now.questions[2].until = Instant::now();
        let numbers: Vec<u64> = now.batch(0).into_iter().map(|question| question.name.number).collect();
        assert_eq!((numbers, now.questions.len()), (vec![1], 2));
        assert!((0..4).all(|lane| now.batch(lane).is_empty()));
    }

    #[test]
    fn who_is_busy_says_for_how_long() {
        let busy = |open: &[usize], rows: &[usize], seconds: f64| {
            let mut now = waiting(open, rows);
            now.lanes.iter_mut().for_each(|lane| lane.took(0, seconds));
            now.busy_for()
        };
        assert_eq!([0.0, 0.004, 1.6, 1e9].map(|seconds| busy(&PASSES, &[128; 2], seconds)), [1, 1, 4, MOST_PAUSE]);
        assert_eq!((busy(&[8], &[1; 20], 1.0), busy(&[], &[1], 5.0)), (3, 1));
        let mut lane = Lane::default();
        [1.0, 2.0].into_iter().for_each(|seconds| lane.took(1, seconds));
        assert!((lane.pass - 1.1).abs() < 1e-12, "{}", lane.pass);
        assert_eq!(lane.ranks, [(false, 0), (false, 2)]);
        // Two ranks are done with what waits in half the time.
        let mut now = waiting(&PASSES, &[128; 4]);
        (0..2).for_each(|rank| now.lanes[3].joined(rank));
        now.lanes[3].took(0, 2.0);
        assert_eq!(now.busy_for(), 4);
    }

    #[test]
    fn a_name_travels_as_words() {
        let name = Name { by: Fingerprint(std::array::from_fn(|i| i as u8 * 7)), conversation: [u64::MAX, 5], number: 9 };
        assert_eq!(Name::from_words(&name.words(32)), (name, 32));
    }
}
