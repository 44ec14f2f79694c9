//! A whole training for the tests of randomness: an owner's upload in chunks, a session that ends at a checkpoint, and one that goes on
//! from there under other keys.

use super::owner::sent;
use super::record::Recorder;
use super::{Tested, with_engine};
use std::sync::Arc;
use std::time::Duration;
use trefoil_engine::{Engine, Format, fixed};
use trefoil_mpc::tap::Tap;
use trefoil_mpc::{Error, Id, Kept, Key, Pair, Part, Party, Prg, Seeds, simulate_over};
use trefoil_net::local;
use trefoil_nn::{Data, Event, Graph, Scaling, Schedule, State, Trainer, Training};
use trefoil_ring::Tensor;

/// Those who draw: the three parties, and an owner.
#[derive(Default)]
pub struct Record {
    pub parties: [Arc<Recorder>; 3],
    pub owner: Arc<Recorder>,
    /// Seeds that the owner sent, and those it kept: the chunks'.
    pub sent: Vec<[u8; 32]>,
    pub kept: Vec<[u8; 32]>,
}

impl Record {
    /// All that is wrong.
    pub fn twice(&self) -> Vec<String> {
        let each = self.parties.iter().chain([&self.owner]).flat_map(|r| r.twice());
        each.chain(self.owner.seeds(&self.sent, &self.kept)).collect()
    }
}

/// What is done to the randomness of a run.
#[derive(Clone)]
pub struct Spoil {
    /// Of a party's session and pair.
    pub key: fn(u32, Pair) -> Key,
    /// Of an owner's chunk.
    pub chunk: fn(u32) -> [u8; 32],
    /// Changes what is drawn.
    pub tap: Option<Arc<dyn Tap>>,
}

impl Default for Spoil {
    fn default() -> Self {
        Spoil {
            key: |session, pair| Key::from_bytes([1 + 3 * session as u8 + pair as u8; 32]),
            chunk: |i| std::array::from_fn(|at| i.to_le_bytes().get(at).map_or(100, |b| *b)),
            tap: None,
        }
    }
}

impl Spoil {
    /// A party's seeds, seen by `recorder` and changed.
    pub fn seeds(&self, id: Id, session: u32, recorder: &Arc<Recorder>) -> Seeds {
        let key = |other| (self.key)(session, Pair::of(id, other));
        let mut seeds = Seeds::new(id, id.others().map(|other| (other, key(other))));
        recorder.begin(session, id.others().into_iter().map(|other| (Pair::of(id, other), key(other))));
        seeds.insecure_tap(recorder.clone());
        self.tap.iter().for_each(|tap| seeds.insecure_tap(tap.clone()));
        seeds
    }
}

impl Spoil {
    /// What an owner deals of a chunk under a seed.
    pub fn deal<S: Tested>(&self, x: &Tensor, seed: &[u8; 32], recorder: &Arc<Recorder>) -> [Vec<Part>; 3] {
        let mut taps: Vec<Arc<dyn Tap>> = vec![recorder.clone()];
        taps.extend(self.tap.clone());
        S::deal_from(x, &mut Prg::insecure_tapped(seed, "owner.chunk", taps))
    }
}

/// Two of four columns are standardised on shares.
const SHARED: Format = Format::new(8, 10);
const ROWS: usize = 24;
/// Rows of a chunk.
const CHUNK: usize = 8;

fn config() -> Training {
    Training::of(Graph::perceptron(&[4, 5, 3]), ROWS).unwrap().with(|t| {
        t.secure = vec![(0, Scaling::Range), (2, Scaling::Deviation)];
        (t.spec.batch, t.spec.epochs) = (8, 2);
        (t.spec.lr, t.spec.lr_schedule) = (0.25, Schedule::Constant);
    })
}

/// What each party keeps of matrices that an owner uploads in chunks.
struct Upload<'a> {
    spoil: &'a Spoil,
    record: &'a mut Record,
    chunks: u32,
}

/// What each party keeps.
type OfAll = [Kept; 3];

impl Upload<'_> {
    fn matrix<S: Tested>(&mut self, x: &Tensor) -> OfAll {
        let mut kept = OfAll::default();
        for rows in x.axis_chunks_iter(ndarray::Axis(0), CHUNK) {
            let seed = (self.spoil.chunk)(self.chunks);
            self.chunks += 1;
            let parts = self.spoil.deal::<S>(&rows.to_owned(), &seed, &self.record.owner);
            self.record.kept.push(seed);
            self.record.sent.extend(sent(&parts));
            for (id, kept) in Id::ALL.into_iter().zip(&mut kept) {
                let more = S::accept(id, rows.len(), &parts[id.index()]).unwrap();
                kept.extend_columns(&more, rows.ncols(), 0..rows.ncols());
            }
        }
        kept
    }
}

/// Trains for four of six steps, keeps the state, and goes on from it in a second session.
pub fn run<S: Tested>(spoil: &Spoil) -> Record {
    let mut record = Record::default();
    let t = Trainer::new(config()).unwrap();
    let label = t.label_format();
    let x = Tensor::from_shape_fn((ROWS, 4), |(i, j)| (i * 7 + j * 3) as u64 % 256);
    let y = ndarray::Array2::from_shape_fn((ROWS, 3), |(i, j)| f64::from(u8::from(i % 3 == j)));
    let mut upload = Upload { spoil, record: &mut record, chunks: 0 };
    let (x, y) = (upload.matrix::<S>(&x), upload.matrix::<S>(&fixed::encode(&y, label).unwrap()));

    let mut state: Option<[Words; 3]> = None;
    for (session, from) in [(0, 0), (1, 4)] {
        let program = |p: &mut Party| {
            let id = p.id.index();
            with_engine::<S, _>(p, |e| {
                let data =
                    |e: &S| Data { x: e.input([ROWS, 4], SHARED, x[id].clone()), y: e.input([ROWS, 3], label, y[id].clone()) };
                let (train, test) = (data(e), data(e).select(e, &[0, 5, 9]));
                let mut start = t.initial(e)?;
                if let Some(kept) = &state {
                    start = t.to_restore(e)?;
                    put(e, &mut start, &kept[id]);
                }
                let mut kept = None;
                let end = t.train(e, start, from, &train, &test, &mut |e, event| match event {
                    Event::Step { step: 4, state, .. } if from == 0 => {
                        kept = Some(take(e, state));
                        Err(trefoil_nn::Error::Diverged { epoch: 0, loss: 0.0, most: 0.0 })
                    }
                    _ => Ok(()),
                });
                assert_eq!(end.is_ok(), from > 0);
                Ok(kept)
            })
        };
        let seeds = |id: Id| spoil.seeds(id, session, &record.parties[id.index()]);
        let ends = simulate_over::<_, _, Error>(local::network(Duration::from_secs(60)), seeds, program);
        let kept = ends.map(|end| end.unwrap().0);
        if from == 0 {
            state = Some(kept.map(Option::unwrap));
        }
    }
    record
}

/// Shape, format and a party's words of a parameter.
type Words = Vec<([usize; 2], Format, Kept)>;

fn parameters<S: Tested>(state: &mut State<S::Num>) -> Vec<&mut S::Num> {
    let statistics = state.statistics.iter_mut().flat_map(|s| [&mut s.mean, &mut s.inverse]);
    state.params.iter_mut().chain(&mut state.kept).chain(statistics).collect()
}

fn take<S: Tested>(e: &mut S, state: &State<S::Num>) -> Words {
    parameters::<S>(&mut state.clone()).into_iter().map(|x| (e.shape(x), e.format(x), e.keep(x).unwrap())).collect()
}

fn put<S: Tested>(e: &S, state: &mut State<S::Num>, kept: &Words) {
    for (x, (shape, format, words)) in parameters::<S>(state).into_iter().zip(kept) {
        *x = e.input(*shape, *format, words.clone());
    }
}
