//! The ranks of a party on several machines, as mpirun starts them.
//!
//! Without the feature `mpi` a party is one process, and says so where it was started as one of several.

use std::sync::Arc;
use trefoil_mpc::Switch;
use trefoil_server::config::Config;
use trefoil_server::{Result, lanes};

/// What the ranks say to one another, as long as this process lives.
pub struct Cluster {
    /// Their conversations.
    pub ranks: Arc<Switch>,
    #[cfg(feature = "mpi")]
    _mpi: mpi::environment::Universe,
}

impl Cluster {
    /// Whether another rank is the party to everybody else.
    pub fn follows(&self) -> bool {
        self.ranks.rank() > 0
    }

    /// The end, once this rank's work has come to `result`: in good order, where rank 0 has the others stop. A rank that has failed must not wait for them:
    /// it ends without MPI's leave, and mpirun ends them.
    pub fn end<E>(self, result: &std::result::Result<(), E>) {
        if result.is_err() {
            std::mem::forget(self);
            return;
        }
        if !self.follows() {
            lanes::leave(&self.ranks);
        }
        // Before MPI ends: sessions that have not ended may be in the middle of a word.
        self.ranks.close();
    }
}

#[cfg(not(feature = "mpi"))]
pub fn start(_: &Config) -> Result<Option<Cluster>> {
    // As Open MPI, MPICH and Slurm have it.
    let sizes = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"].iter().filter_map(|name| std::env::var(name).ok()?.parse::<usize>().ok());
    match sizes.max() {
        Some(size @ 2..) => {
            let expected = "one, or a trefoil that was built with --features mpi";
            Err(trefoil_server::Error::config("ranks", size, expected))
        }
        _ => Ok(None),
    }
}

#[cfg(feature = "mpi")]
pub use with_mpi::start;

#[cfg(feature = "mpi")]
mod with_mpi {
    use super::{Cluster, Config, Result};
    use mpi::Threading;
    use mpi::topology::SimpleCommunicator;
    use mpi::traits::{Communicator, Destination, MatchedReceiveVec, Source};
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::thread;
    use std::time::{Duration, Instant};
    use trefoil_mpc::{Switch, Wire};
    use trefoil_server::{Error, lanes};

    /// How long a rank whose message is not taken yet asks without a pause, and the pauses that it makes afterwards.
    const AWAKE: Duration = Duration::from_millis(1);
    const PAUSE: Duration = Duration::from_micros(100);

    /// The ranks that mpirun has started; `None` where this process is the only one.
    ///
    /// # Errors
    /// There are too many, or something that several ranks cannot do is asked for.
    pub fn start(config: &Config) -> Result<Option<Cluster>> {
        // One thread at a time: the wire is behind a lock.
        let begun = mpi::initialize_with_threading(Threading::Serialized);
        let (universe, threading) = begun.ok_or_else(|| Error::config("MPI", "begun before", "to begin it here"))?;
        let world = universe.world();
        let (rank, size) = (place(world.rank()), place(world.size()));
        if size == 1 {
            return Ok(None);
        }
        if threading < Threading::Serialized {
            return Err(Error::config("MPI", format!("{threading:?}"), "one that several threads may call in turn"));
        }
        if size > lanes::MOST {
            return Err(Error::config("ranks", size, format!("at most {}", lanes::MOST)));
        }
        if config.insecure.record.is_some() {
            return Err(Error::config("insecure.record", format!("{size} ranks"), "a party of one process"));
        }
        let ranks = Arc::new(Switch::new(Mpi { rank, size, arrived: VecDeque::new() }));
        Ok(Some(Cluster { ranks, _mpi: universe }))
    }

    fn place(x: i32) -> usize {
        usize::try_from(x).unwrap_or_default()
    }

    /// The ranks of MPI's world. Its handle is no thread's to give away, so each call takes its own.
    struct Mpi {
        rank: usize,
        size: usize,
        /// What has come while this rank was sending.
        arrived: VecDeque<(usize, Vec<u64>)>,
    }

    /// The next message that has come, if one has.
    fn arrived() -> Option<(usize, Vec<u64>)> {
        let message = SimpleCommunicator::world().any_process().immediate_matched_probe()?;
        let (words, status) = message.matched_receive_vec();
        Some((place(status.source_rank()), words))
    }

    impl Wire for Mpi {
        fn rank(&self) -> usize {
            self.rank
        }

        fn size(&self) -> usize {
            self.size
        }

        fn send(&mut self, to: usize, words: Vec<u64>) -> std::result::Result<(), String> {
            let there =
                i32::try_from(to).ok().filter(|_| to < self.size).ok_or_else(|| format!("there are {} ranks", self.size))?;
            let world = SimpleCommunicator::world();
            mpi::request::scope(|scope| {
                let mut request = world.process_at_rank(there).immediate_send(scope, &words[..]);
                let since = Instant::now();
                // The other rank may be sending, too: neither takes what it is sent unless both look.
                while let Err(unfinished) = request.test() {
                    request = unfinished;
                    match arrived() {
                        Some(message) => self.arrived.push_back(message),
                        None if since.elapsed() < AWAKE => thread::yield_now(),
                        None => thread::sleep(PAUSE),
                    }
                }
            });
            Ok(())
        }

        fn poll(&mut self) -> std::result::Result<Option<(usize, Vec<u64>)>, String> {
            Ok(self.arrived.pop_front().or_else(arrived))
        }
    }
}
