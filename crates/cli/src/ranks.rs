//! The ranks of a party on several machines, as mpirun starts them.
//!
//! Without the feature `mpi` a party is one process, and says so where it was started as one of several.

use std::sync::PoisonError;
use trefoil_server::Result;
use trefoil_server::config::Config;
use trefoil_server::lanes::Shared;

/// What the ranks say to one another, as long as this process lives.
pub struct Cluster {
    /// For sessions.
    pub lanes: Shared,
    /// Which rank this is.
    rank: usize,
    #[cfg(feature = "mpi")]
    _mpi: mpi::environment::Universe,
}

impl Cluster {
    /// Whether another rank is the party to everybody else.
    pub fn follows(&self) -> bool {
        self.rank > 0
    }

    /// The end, once this rank's work has come to `result`: in good order, where rank 0 has the others stop. A rank that has failed must not wait for them:
    /// it ends without MPI's leave, and mpirun ends them.
    pub fn end<E>(self, result: &std::result::Result<(), E>) {
        if result.is_err() {
            std::mem::forget(self);
        } else if !self.follows() {
            self.lanes.lock().unwrap_or_else(PoisonError::into_inner).leave();
        }
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
    use std::sync::{Arc, Mutex};
    use std::thread;
    use std::time::{Duration, Instant};
    use trefoil_mpc::{Lanes, Ranks};
    use trefoil_server::{Error, lanes};

    /// How long a rank that waits asks without a pause; after that it sleeps, longer and longer up to the second of these.
    const AWAKE: Duration = Duration::from_micros(200);
    const ASLEEP: Duration = Duration::from_millis(2);

    /// The ranks that mpirun has started; `None` where this process is the only one.
    ///
    /// # Errors
    /// There are too many, or something that several ranks cannot do is asked for.
    pub fn start(config: &Config) -> Result<Option<Cluster>> {
        // One thread at a time: the party's lanes are behind a lock.
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
        let lanes = Arc::new(Mutex::new(Lanes::new(Mpi { rank, size })));
        Ok(Some(Cluster { lanes, rank, _mpi: universe }))
    }

    fn place(x: i32) -> usize {
        usize::try_from(x).unwrap_or_default()
    }

    /// The ranks of MPI's world. Its handle is no thread's to give away, so each call takes its own.
    struct Mpi {
        rank: usize,
        size: usize,
    }

    impl Ranks for Mpi {
        fn rank(&self) -> usize {
            self.rank
        }

        fn size(&self) -> usize {
            self.size
        }

        fn send(&mut self, to: usize, words: Vec<u64>) -> std::result::Result<(), String> {
            let there =
                i32::try_from(to).ok().filter(|_| to < self.size).ok_or_else(|| format!("there are {} ranks", self.size))?;
            SimpleCommunicator::world().process_at_rank(there).send(&words[..]);
            Ok(())
        }

        fn receive(&mut self) -> std::result::Result<(usize, Vec<u64>), String> {
            let (since, mut pause) = (Instant::now(), Duration::from_micros(20));
            loop {
                if let Some(message) = SimpleCommunicator::world().any_process().immediate_matched_probe() {
                    let (words, status) = message.matched_receive_vec();
                    return Ok((place(status.source_rank()), words));
                }
                if since.elapsed() < AWAKE {
                    thread::yield_now();
                } else {
                    // MPI's own waiting would keep a core busy that another process of this machine may need.
                    thread::sleep(pause);
                    pause = (pause * 5 / 4).min(ASLEEP);
                }
            }
        }
    }
}
