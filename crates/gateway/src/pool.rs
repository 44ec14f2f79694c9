//! A few conversations with the service, each on a thread of its own, so that one application's question does not wait for another's.

use crate::Refusal;
use crate::infer::unanswered;
use crate::model::Model;
use crate::tensors::{Answer, Request};
use ndarray::Array2;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use trefoil_client::Patience;
use trefoil_job::service::Asking;
use trefoil_job::{Error, Service};
use trefoil_net::identity::Identity;

/// Conversations at a time.
pub const CONVERSATIONS: usize = 4;

/// Requests that wait for one of them.
pub const WAITING: usize = 12;

/// How long an answer shows that the parties are there.
const FRESH: Duration = Duration::from_secs(10);

/// Who answers: a service, or in tests a model in the clear.
pub trait Oracle: Send + Sync + 'static {
    /// A conversation, which is one thread's.
    type Conversation<'a>;

    /// Begins a conversation; `brief` where somebody only wants to know whether one can.
    ///
    /// # Errors
    /// A party cannot be reached, or refuses.
    fn open(&self, brief: bool) -> Result<Self::Conversation<'_>, Error>;

    /// The network's outputs, [records, outputs], for its inputs, [records, inputs], which wait no longer than the deadline.
    ///
    /// # Errors
    /// What has kept the parties from answering.
    fn ask(conversation: &mut Self::Conversation<'_>, x: &Array2<f64>, deadline: Option<Duration>) -> Result<Array2<f64>, Error>;
}

/// A service, and the client that asks it.
pub(crate) struct Client {
    pub(crate) service: Service,
    pub(crate) identity: Identity,
    pub(crate) patience: Patience,
}

impl Oracle for Client {
    type Conversation<'a> = Asking<'a>;

    fn open(&self, brief: bool) -> Result<Asking<'_>, Error> {
        let briefly = Duration::from_secs(2);
        let patience = if brief { Patience { connect: briefly, answer: briefly } } else { self.patience };
        Asking::open(&self.service, &self.identity, patience)
    }

    fn ask(asking: &mut Asking<'_>, x: &Array2<f64>, deadline: Option<Duration>) -> Result<Array2<f64>, Error> {
        asking.set_deadline(deadline);
        asking.answers(x)
    }
}

/// The body of a request, and how much of it is JSON where tensors in the binary form follow.
pub(crate) struct Asked {
    pub(crate) body: axum::body::Bytes,
    pub(crate) json: Option<usize>,
    /// When it had come.
    pub(crate) since: Instant,
}

type Reply = oneshot::Sender<Result<Answer, Refusal>>;

/// The threads, and the way to them.
pub(crate) struct Pool<O> {
    oracle: Arc<O>,
    work: SyncSender<(Asked, Reply)>,
    /// When the parties last answered, or let a conversation begin.
    heard: Arc<Mutex<Option<Instant>>>,
}

impl<O: Oracle> Pool<O> {
    /// Starts the threads. They end when this is dropped.
    pub(crate) fn start(oracle: O, model: Arc<Model>) -> Pool<O> {
        let (work, coming) = sync_channel(CONVERSATIONS + WAITING);
        let (oracle, coming, heard) = (Arc::new(oracle), Arc::new(Mutex::new(coming)), Arc::default());
        for _ in 0..CONVERSATIONS {
            let (oracle, coming, model, heard) =
                (Arc::clone(&oracle), Arc::clone(&coming), Arc::clone(&model), Arc::clone(&heard));
            std::thread::spawn(move || converse(&*oracle, &coming, &model, &heard));
        }
        Pool { oracle, work, heard }
    }

    /// Answers a request, when a conversation is free.
    ///
    /// # Errors
    /// Too many wait, the request is not in order, or the service does not answer.
    pub(crate) async fn ask(&self, asked: Asked) -> Result<Answer, Refusal> {
        let (reply, answer) = oneshot::channel();
        match self.work.try_send((asked, reply)) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(unanswered())),
            Err(TrySendError::Full(_)) => Err(Refusal::busy(format_args!("{WAITING} requests wait"))),
            Err(TrySendError::Disconnected(_)) => Err(unanswered()),
        }
    }

    /// Whether the parties are there. Blocks for a few seconds, where nothing was heard of them of late.
    ///
    /// # Errors
    /// Why they are not.
    pub(crate) fn reachable(&self) -> Result<(), Error> {
        // One at a time looks.
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.is_none_or(|at| at.elapsed() > FRESH) {
            *heard = None;
            self.oracle.open(true)?;
            *heard = Some(Instant::now());
        }
        Ok(())
    }
}

/// A thread's work, until nobody can ask any more.
fn converse<O: Oracle>(oracle: &O, coming: &Mutex<Receiver<(Asked, Reply)>>, model: &Model, heard: &Mutex<Option<Instant>>) {
    let mut conversation = None;
    loop {
        let next = coming.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((asked, reply)) = next else { return };
        // Who has hung up is asked nothing for: questions count.
        if reply.is_closed() {
            continue;
        }
        let since = asked.since;
        let mut ask = |x: &Array2<f64>, deadline: Option<Duration>| -> Result<Array2<f64>, Error> {
            // It has waited for a conversation, too.
            let left = deadline.map(|deadline| deadline.saturating_sub(since.elapsed()));
            if left == Some(Duration::ZERO) {
                return Err(Error::Refused("late: the request has waited for longer than its timeout".into()));
            }
            // A conversation that has ended with an error is of no use.
            let current = conversation.take().map_or_else(|| oracle.open(false), Ok);
            let outputs = current.and_then(|mut current| {
                let outputs = O::ask(&mut current, x, left)?;
                conversation = Some(current);
                Ok(outputs)
            });
            if let Ok(mut heard) = heard.try_lock() {
                *heard = outputs.is_ok().then(Instant::now);
            }
            outputs
        };
        let answer = Request::parse(&asked.body, asked.json).and_then(|request| model.infer(request, &mut ask));
        // The body is gone before the next is waited for. Who has hung up meanwhile is told nothing.
        drop(asked);
        let _ = reply.send(answer);
    }
}
