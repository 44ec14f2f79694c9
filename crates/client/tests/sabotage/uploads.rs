//! An owner's upload through the real [`Sharing`] to three listeners that keep every frame, and what is wrong with it.

use crate::common::joint::Columns;
use crate::common::owner::{sent, together};
use crate::common::record::Recorder;
use std::sync::Arc;
use std::time::Duration;
use trefoil_client::approval::{Approval, Role};
use trefoil_client::receive::{Incoming, acknowledge, incoming};
use trefoil_client::request::{self, Request, Standing};
use trefoil_client::share::{Chunk, Sharing, Source};
use trefoil_client::{Address, JobHash, Patience};
use trefoil_mpc::tap::{Tap, Taps};
use trefoil_mpc::{Id, Part, Prg, Suite};
use trefoil_net::Frame;
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::Listener;
use trefoil_ring::Tensor;

const PATIENCE: Patience = Patience { connect: Duration::from_secs(20), answer: Duration::from_secs(20) };

/// Three parties and an owner.
pub struct World {
    parties: [(Address, Listener); 3],
    owner: Identity,
}

/// What is spoiled of an upload.
#[derive(Clone)]
pub struct Spoil {
    /// The master seed, in place of one from the operating system.
    pub master: Option<[u8; 32]>,
    /// A chunk's seed in place of its own: of the number of the chunk among all and among those of its kind, and of its seed and the
    /// first one's.
    pub chunk: fn(u64, u64, [u8; 32], [u8; 32]) -> [u8; 32],
    /// What is drawn.
    pub tap: Option<Arc<dyn Tap>>,
    /// What is sent.
    pub parts: fn(&mut [Vec<Part>; 3]),
}

impl Default for Spoil {
    fn default() -> Self {
        Spoil { master: None, chunk: |_, _, seed, _| seed, tap: None, parts: |_| {} }
    }
}

/// What the parties received of an upload, chunk by chunk, and the chunks' seeds.
pub struct Upload {
    pub chunks: Vec<[Vec<Part>; 3]>,
    pub kept: Vec<[u8; 32]>,
}

/// Chunks of one number over and over; the last third is held out.
struct Constant {
    shape: (usize, usize),
    count: usize,
    next: usize,
}

impl Source for Constant {
    fn next(&mut self) -> Result<Option<Chunk>, Box<dyn std::error::Error + Send + Sync>> {
        self.next += 1;
        let test = 3 * self.next > 2 * self.count;
        Ok((self.next <= self.count).then(|| Chunk { test, x: Tensor::from_elem(self.shape, 5) }))
    }
}

impl World {
    pub fn new() -> World {
        let owner = Identity::generate("owner").unwrap();
        let parties = Id::ALL.map(|id| {
            let identity = Identity::generate(&id.to_string()).unwrap();
            let listener = Listener::bind("127.0.0.1:0", &identity, &[owner.fingerprint()]).unwrap();
            let address = listener.local_addr().to_string();
            (Address { id, address, fingerprint: identity.fingerprint() }, listener)
        });
        World { parties, owner }
    }

    /// Uploads `count` chunks of this shape, spoiled; `recorder` hears of all that is drawn.
    pub fn upload<S: Suite>(&self, shape: (usize, usize), count: usize, spoil: &Spoil, recorder: &Arc<Recorder>) -> Upload {
        let addresses = self.parties.each_ref().map(|(address, _)| address.clone());
        let approval = Approval::sign(&self.owner, JobHash([0; 32]), Role::DataOwner).unwrap();
        let sharing = Sharing {
            parties: &addresses,
            identity: &self.owner,
            approval: &approval,
            width: shape.1,
            patience: PATIENCE,
            insecure_seed: spoil.master,
        };
        let kept = std::sync::Mutex::new(vec![]);
        let deal = |x: &Tensor, seed: [u8; 32]| {
            let mut kept = kept.lock().unwrap();
            let (index, trained) = (kept.len() as u64, (2 * count / 3) as u64);
            let first = kept.first().map_or(seed, |(_, first)| *first);
            let spoiled = (spoil.chunk)(index, if index < trained { index } else { index - trained }, seed, first);
            kept.push((spoiled, seed));
            let mut taps: Taps = vec![recorder.clone()];
            taps.extend(spoil.tap.clone());
            let mut parts = S::deal_from(x, &mut Prg::insecure_tapped(&spoiled, "owner.chunk", taps));
            (spoil.parts)(&mut parts);
            parts
        };
        let frames = std::thread::scope(|scope| {
            let parties = self.parties.each_ref().map(|(_, listener)| scope.spawn(|| listen(listener, self.owner.fingerprint())));
            sharing.run(&mut Constant { shape, count, next: 0 }, deal).unwrap();
            parties.map(|party| party.join().unwrap())
        });
        assert!(frames.iter().all(|f| f.len() == count));
        let chunks = (0..count).map(|i| [0, 1, 2].map(|party: usize| frames[party][i].parts.clone())).collect();
        Upload { chunks, kept: kept.into_inner().unwrap().into_iter().map(|(seed, _)| seed).collect() }
    }
}

/// A party that takes one upload, and keeps its rows.
fn listen(listener: &Listener, owner: Fingerprint) -> Vec<Frame> {
    let (mut stream, who) = listener.accept(PATIENCE.answer).unwrap();
    assert!(who == owner && matches!(request::next(&mut stream).unwrap(), Request::Share { .. }));
    request::accept(&mut stream, &Standing::Open { chunks: 0, lanes: vec![] }).unwrap();
    let mut rows = vec![];
    loop {
        match incoming(&mut stream).unwrap() {
            Incoming::Rows(frame) => rows.push(frame),
            Incoming::Finish(summary) => assert_eq!(summary.chunks, rows.len() as u64),
            Incoming::Commit(_) => {
                request::accept(&mut stream, &true).unwrap();
                return rows;
            }
            Incoming::End => panic!("the owner left"),
        }
        acknowledge(&mut stream).unwrap();
    }
}

/// Elements of a chunk.
const SHAPE: (usize, usize) = (1024, 8);

/// What is wrong with two uploads of three chunks, of two owners or of one that begins again: with each party's view, with the seeds and
/// with what was drawn for them.
pub fn failures<S: Suite>(world: &World, spoil: &Spoil) -> Vec<String> {
    let recorder = Arc::<Recorder>::default();
    let uploads = [0, 1].map(|_| world.upload::<S>(SHAPE, 3, spoil, &recorder));
    let chunks: Vec<[Vec<Part>; 3]> = uploads.iter().flat_map(|u| u.chunks.clone()).collect();
    let kept: Vec<[u8; 32]> = uploads.iter().flat_map(|u| u.kept.clone()).collect();
    let seeds: Vec<[u8; 32]> = chunks.iter().flat_map(sent).collect();
    let mut wrong = together::<S>(SHAPE.0 * SHAPE.1, &chunks, false);
    wrong.extend(recorder.seeds(&seeds, &kept));
    wrong.extend(recorder.twice());
    wrong.extend(
        spoil.master.filter(|master| kept.iter().chain(&seeds).any(|s| s == master)).map(|_| "the master seed is used".into()),
    );
    wrong
}

/// What is wrong with the seeds of a long upload: bits of the seeds of one chunk, those that the owner keeps and those that it sends.
pub fn seeds_together<S: Suite>(world: &World) -> Vec<String> {
    let recorder = Arc::<Recorder>::default();
    let upload = world.upload::<S>((1, 1), 896, &Spoil::default(), &recorder);
    let row = |(parts, kept): (&[Vec<Part>; 3], &[u8; 32])| -> Vec<u64> {
        let all: Vec<[u8; 32]> = sent(parts).into_iter().chain([*kept]).collect();
        all.as_flattened().as_chunks().0.iter().map(|w| u64::from_le_bytes(*w)).collect()
    };
    let columns = Columns::from_rows(&upload.chunks.iter().zip(&upload.kept).map(row).collect::<Vec<_>>());
    columns.pairs().into_iter().chain(columns.sums()).chain(recorder.twice()).collect()
}
