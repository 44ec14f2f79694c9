//! A network of three parties over TLS: one connection for each directed link, so that no lock is shared between
//! reading and writing. The sender connects, the receiver listens.
//!
//! A thread writes to each peer, so that whoever sends goes on while a large frame is on its way. A small one, with nothing before it, is
//! written by the sender itself: in a round of a few words what takes longest is to wake threads.

use super::life::{self, Life};
use super::stream::Stream;
use crate::queue::Queue;
use crate::{Error, Fault, Frame, Id, Net, QUEUE_BYTES, Result, wire};
use socket2::SockRef;
use std::convert::Infallible;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Frames of at most so many bytes are written by whoever sends them, if nothing waits before them.
const AT_ONCE: usize = 32 * 1024;

/// How a [`TlsNet`] behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long `recv` waits while no byte arrives, and `send` while the peer takes none and none arrives from it. A peer whose work goes
    /// on gives a sign of it (life.rs) in this time, if it has nothing else to say.
    pub timeout: Duration,
    /// How long [`mesh`](super::mesh) waits for the peers to start.
    pub gather: Duration,
    /// The bound of each of the four queues in bytes; one frame that is larger may be in a queue on its own.
    pub queue_bytes: usize,
    /// The largest payload of a frame that is accepted, in bytes.
    pub max_frame: usize,
    /// The size of the sockets' buffers; `None` leaves it to the operating system.
    pub socket_bytes: Option<usize>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            timeout: Duration::from_secs(30),
            gather: Duration::from_secs(60),
            queue_bytes: QUEUE_BYTES,
            max_frame: 1 << 30,
            socket_bytes: None,
        }
    }
}

/// One party's end of a network over TLS. Dropping it sends what is queued (for as long as its timeout), says
/// farewell and ends its four threads.
pub struct TlsNet {
    outgoing: [(Id, Outgoing); 2],
    incoming: [(Id, Link); 2],
    timeout: Duration,
    /// Grows with every frame sent and received.
    work: Arc<AtomicU64>,
    life: Option<Life>,
    /// Disconnected once both writers are done.
    writers: Mutex<Receiver<()>>,
}

struct Link {
    queue: Arc<Queue>,
    written: Arc<AtomicU64>,
    tcp: TcpStream,
    thread: Option<JoinHandle<()>>,
}

/// A link to a peer. The stream belongs to its thread while something is queued, and to the sender while nothing is.
struct Outgoing {
    link: Link,
    stream: Arc<Mutex<Stream>>,
}

impl TlsNet {
    /// A network over streams to (`outgoing`) and from (`incoming`) the two peers.
    ///
    /// # Errors
    /// The operating system gives no thread or no descriptor.
    pub fn new(outgoing: [(Id, Stream); 2], incoming: [(Id, Stream); 2], options: Options) -> Result<TlsNet> {
        let (done, writers) = channel();
        let work = Arc::<AtomicU64>::default();
        let back =
            |peer: Id| incoming.iter().find(|(id, _)| *id == peer).map(|(_, stream)| stream.received()).unwrap_or_default();
        let queue = |(to, stream): &(Id, Stream)| Queue::new(options.queue_bytes, stream.sent()).with_back(back(*to));
        let [to_a, to_b] = outgoing.each_ref().map(|link| Arc::new(queue(link).with_work(work.clone())));
        let [a, b] = outgoing;
        let outgoing = [writer(a, to_a, &options, done.clone())?, writer(b, to_b, &options, done)?];
        let [a, b] = incoming;
        let incoming = [reader(a, &options, &work)?, reader(b, &options, &work)?];
        let queues = outgoing.each_ref().map(|(_, out)| out.link.queue.clone());
        let life =
            Life::begin(work.clone(), queues, options.timeout).map_err(|source| Error::Io { peer: outgoing[0].0, source })?;
        let writers = Mutex::new(writers);
        Ok(TlsNet { outgoing, incoming, timeout: options.timeout, work, life: Some(life), writers })
    }
}

impl Net for TlsNet {
    fn send(&self, to: Id, frame: Frame) -> Result<()> {
        let out = find(&self.outgoing, to).ok_or(Error::Closed { peer: to })?;
        let queue = &out.link.queue;
        if !out.write_at_once(&frame).map_err(|fault| fault.of(to))? {
            queue.reserve(wire::footprint(&frame), Some(self.timeout)).map_err(|fault| fault.of(to))?;
            queue.push(frame);
        }
        self.work.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn recv(&self, from: Id) -> Result<Frame> {
        let link = find(&self.incoming, from).ok_or(Error::Closed { peer: from })?;
        let frame = link.queue.pop(Some(self.timeout)).map_err(|fault| fault.of(from))?;
        link.queue.release(wire::footprint(&frame));
        self.work.fetch_add(1, Ordering::Relaxed);
        Ok(frame)
    }

    fn stop(&self) {
        self.incoming.iter().for_each(|(_, link)| link.queue.end(Fault::Closed));
    }

    fn wire_bytes(&self, to: Id) -> u64 {
        find(&self.outgoing, to).map_or(0, |out| out.link.written.load(Ordering::Relaxed))
    }

    fn peak_queued(&self, peer: Id) -> [usize; 2] {
        [find(&self.outgoing, peer).map(|out| &out.link), find(&self.incoming, peer)]
            .map(|link| link.map_or(0, |link| link.queue.peak()))
    }
}

impl Drop for TlsNet {
    fn drop(&mut self) {
        self.life = None;
        // Incoming first: a peer that is being dropped too would wait for this one to read, and this one for it.
        self.incoming.iter_mut().for_each(|(_, link)| link.stop());
        for (_, out) in &self.outgoing {
            out.link.queue.end(Fault::Closed);
        }
        // Nothing is ever sent there: it ends when both writers have dropped their ends, or with the timeout.
        let _ = self.writers.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(self.timeout);
        self.outgoing.iter_mut().for_each(|(_, out)| out.link.stop());
    }
}

impl Link {
    fn stop(&mut self) {
        self.queue.end(Fault::Closed);
        let _ = self.tcp.shutdown(Shutdown::Both); // wakes the thread; fails where the peer has closed already
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there has been reported by its hook
        }
    }
}

impl Outgoing {
    /// Writes a small frame if nothing is before it; false if it was not written. Nothing is waited for: what the socket does not take at
    /// once is left to the thread.
    fn write_at_once(&self, frame: &Frame) -> std::result::Result<bool, Fault> {
        let queue = &self.link.queue;
        if wire::footprint(frame) > AT_ONCE || !queue.is_idle() {
            return Ok(false);
        }
        let Ok(mut stream) = self.stream.try_lock() else { return Ok(false) };
        match stream.put_at_once(frame) {
            Ok(true) => Ok(true),
            Ok(false) => {
                // Whatever is written next takes along what is left.
                life::give(queue);
                Ok(true)
            }
            Err(fault) => {
                queue.end(Fault::Closed);
                Err(fault)
            }
        }
    }
}

fn find<T>(links: &[(Id, T); 2], peer: Id) -> Option<&T> {
    links.iter().find(|(id, _)| *id == peer).map(|(_, link)| link)
}

fn writer((to, stream): (Id, Stream), queue: Arc<Queue>, options: &Options, done: Sender<()>) -> Result<(Id, Outgoing)> {
    link(&stream, queue.clone(), options)
        .and_then(|mut link| {
            let stream = Arc::new(Mutex::new(stream));
            let of_thread = stream.clone();
            let run = move || {
                let _done = done;
                write(&of_thread, &queue);
            };
            link.thread = Some(thread::Builder::new().name(format!("to {to}")).spawn(run)?);
            Ok((to, Outgoing { link, stream }))
        })
        .map_err(|source| Error::Io { peer: to, source })
}

fn reader((from, mut stream): (Id, Stream), options: &Options, work: &Arc<AtomicU64>) -> Result<(Id, Link)> {
    let queue = Arc::new(Queue::new(options.queue_bytes, stream.received()).with_work(work.clone()));
    let max = options.max_frame;
    link(&stream, queue.clone(), options)
        .and_then(|mut link| {
            let run = move || {
                let Err(fault) = read(&mut stream, &queue, max);
                queue.end(fault);
            };
            link.thread = Some(thread::Builder::new().name(format!("from {from}")).spawn(run)?);
            Ok((from, link))
        })
        .map_err(|source| Error::Io { peer: from, source })
}

fn link(stream: &Stream, queue: Arc<Queue>, options: &Options) -> io::Result<Link> {
    let tcp = stream.tcp().try_clone()?;
    // The threads wait for ever; those who wait for them have the timeouts.
    tcp.set_read_timeout(None)?;
    tcp.set_write_timeout(None)?;
    if let Some(bytes) = options.socket_bytes {
        SockRef::from(&tcp).set_send_buffer_size(bytes)?;
        SockRef::from(&tcp).set_recv_buffer_size(bytes)?;
    }
    Ok(Link { queue, written: stream.sent(), tcp, thread: None })
}

fn write(stream: &Mutex<Stream>, queue: &Queue) {
    let stream = || stream.lock().unwrap_or_else(PoisonError::into_inner);
    while let Ok(frame) = queue.pop(None) {
        if let Err(fault) = stream().put(&frame) {
            return queue.end(fault);
        }
        queue.release(wire::footprint(&frame));
    }
    let _ = stream().farewell(); // the peer may have gone first
}

fn read(stream: &mut Stream, queue: &Queue, max: usize) -> std::result::Result<Infallible, Fault> {
    loop {
        let header = wire::read_header(stream, max)?.ok_or(Fault::Closed)?;
        if life::is_sign(header.label()) {
            header.read_parts(stream)?;
            continue;
        }
        queue.reserve(header.footprint(), None)?;
        queue.push(header.read_parts(stream)?);
    }
}
