//! Three party processes on this machine, and what they say.
//!
//! A party is told what it needs in its arguments, its environment and on its standard input; private keys are never in its
//! arguments nor on disk. It reports as JSON [`Line`]s on its standard output. When the launcher dies its standard input ends, and so
//! does the party.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use trefoil_net::Id;
use trefoil_server::lap::Lap;
use trefoil_server::{Error, Event, Result};

/// How one party is started. It may hold a private key, so it has no `Debug`.
pub struct Start {
    /// Which of the three.
    pub id: Id,
    /// The program's arguments.
    pub args: Vec<OsString>,
    /// Names and values that are added to the launcher's environment.
    pub env: Vec<(&'static str, String)>,
    /// The first line of its standard input.
    pub first_line: Option<String>,
}

/// Three running parties. Dropping it ends them.
pub struct Fleet<'s> {
    children: Mutex<Vec<(Child, Option<ChildStdin>)>>,
    lines: Receiver<(Id, Said)>,
    /// What parties that listen have said before all three did.
    early: Mutex<VecDeque<(Id, Line)>>,
    stop: &'s AtomicBool,
    /// Where P0, P1 and P2 listen.
    pub addresses: [String; 3],
}

/// What a party says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// What happens.
    Event(Event),
    /// An iteration of a measurement is done.
    Lap(Lap),
}

/// What comes from a party.
enum Said {
    Line(Line),
    /// Its standard output has ended without a last word.
    Ended,
}

/// Why a party is of no use any more.
struct Fault {
    id: Id,
    message: String,
    code: u8,
    /// It said nothing: its process has gone.
    silent: bool,
}

/// The exit code of what may be the consequence of another's failure: of network errors, and of processes that have gone.
const NETWORK: u8 = 4;

impl<'s> Fleet<'s> {
    /// Starts `program` three times, and waits until all three listen; logs go to `P0.log`, .. in `logs`. `stop` ends everything.
    ///
    /// # Errors
    /// A process cannot be started, or a party fails before it listens.
    pub fn start(program: &Path, parties: [Start; 3], logs: &Path, timeout: Duration, stop: &'s AtomicBool) -> Result<Fleet<'s>> {
        let (sender, lines) = channel();
        let mut fleet = Fleet { children: Mutex::default(), lines, early: Mutex::default(), stop, addresses: Default::default() };
        for party in parties {
            let log = logs.join(format!("{}.log", party.id));
            let log = File::create(&log).map_err(Error::file(&log))?;
            let mut command = Command::new(program);
            command.args(party.args).envs(party.env).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
            // Ctrl-C on a terminal goes to a whole process group: it is for the launcher, which ends its parties.
            #[cfg(unix)]
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            let mut child = command.spawn().map_err(Error::file(program))?;
            let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
            fleet.children().push((child, stdin));
            if let Some(line) = party.first_line {
                fleet.tell(party.id, &line)?;
            }
            let stdout = stdout.ok_or_else(|| Error::config(party.id, "no pipe", "its standard output"))?;
            let (id, sender) = (party.id, sender.clone());
            std::thread::spawn(move || {
                let mut told = false;
                for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
                    let line = serde_json::from_str(&line).unwrap_or_else(|e| {
                        Line::Event(Event::Failed { message: format!("said something that is no event: {e}"), code: 1 })
                    });
                    // What follows a report is a service's.
                    told |= matches!(line, Line::Event(Event::Done(_)));
                    let last = matches!(line, Line::Event(Event::Failed { .. }));
                    if sender.send((id, Said::Line(line))).is_err() || last {
                        return;
                    }
                }
                if !told {
                    let _ = sender.send((id, Said::Ended));
                }
            });
        }
        let (mut known, mut early) = (0, VecDeque::new());
        let deadline = Instant::now() + timeout;
        while known < 3 {
            match fleet.next(deadline)? {
                (id, Line::Event(Event::Listening { address })) => {
                    fleet.addresses[id.index()] = address;
                    known += 1;
                }
                (id, shown @ Line::Event(Event::Shown { .. })) => early.push_back((id, shown)),
                (id, other) => return Err(Error::config(id, format!("{other:?}"), "where it listens")),
            }
        }
        fleet.early = Mutex::new(early);
        Ok(fleet)
    }

    /// A line for a party's standard input.
    ///
    /// # Errors
    /// It reads no more.
    pub fn tell(&self, id: Id, line: &str) -> Result<()> {
        let mut children = self.children();
        let stdin = children.get_mut(id.index()).and_then(|(_, stdin)| stdin.as_mut());
        let written = stdin.map(|stdin| writeln!(stdin, "{line}"));
        written
            .unwrap_or_else(|| Err(std::io::ErrorKind::BrokenPipe.into()))
            .map_err(|e| Error::config(id, e, "a party that listens"))
    }

    /// The next line of any party. A party's failure is this call's error, and so is `stop`.
    ///
    /// # Errors
    /// A party failed, nothing was said until `deadline`, or the run was stopped.
    pub fn next(&self, deadline: Instant) -> Result<(Id, Line)> {
        loop {
            match self.poll()? {
                Some(line) => return Ok(line),
                None if Instant::now() < deadline => {}
                None => return Err(Error::config("parties", "silence", "progress within the timeout")),
            }
        }
    }

    /// The same without a deadline: `None` if nothing was said for a moment.
    ///
    /// # Errors
    /// A party failed, or the run was stopped.
    pub fn poll(&self) -> Result<Option<(Id, Line)>> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        if let Some(line) = self.early.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            return Ok(Some(line));
        }
        match self.lines.recv_timeout(Duration::from_millis(50)) {
            Ok((id, said)) => match fault(id, said) {
                Ok(line) => Ok(Some((id, line))),
                Err(fault) => Err(self.first_cause(fault)),
            },
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Error::config("parties", "silence", "progress within the timeout")),
        }
    }

    /// When one party fails the others lose it; the party that knows the cause is the one to quote.
    fn first_cause(&self, first: Fault) -> Error {
        let mut faults = vec![first];
        let until = Instant::now() + Duration::from_millis(500);
        while let Ok((id, said)) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            faults.extend(fault(id, said).err());
        }
        let Fault { id, message, code, .. } = faults.swap_remove(cause(&faults));
        Error::Party { id, message, code }
    }

    /// Ends the processes at once; connections to them break.
    pub fn end(&self) {
        for (child, _) in self.children().iter_mut() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn children(&self) -> MutexGuard<'_, Vec<(Child, Option<ChildStdin>)>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends their standard input, and waits for the processes to end by themselves, for a while.
    pub fn finish(self) {
        let until = Instant::now() + Duration::from_secs(10);
        let mut children = self.children();
        children.iter_mut().for_each(|(_, stdin)| drop(stdin.take()));
        for (child, _) in children.iter_mut() {
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// A line, or that the party is of no use any more: there is no second try on one machine.
fn fault(id: Id, said: Said) -> std::result::Result<Line, Fault> {
    match said {
        Said::Line(Line::Event(Event::Failed { message, code })) => Err(Fault { id, message, code, silent: false }),
        Said::Line(Line::Event(Event::Interrupted { message })) => Err(Fault { id, message, code: NETWORK, silent: false }),
        Said::Line(line) => Ok(line),
        Said::Ended => Err(Fault { id, message: "ended without a report".into(), code: NETWORK, silent: true }),
    }
}

/// Which of the faults is the cause. A network error may be the consequence of another's failure; anything else is a cause, a silent end
/// too. Among network errors, one that blames a party which reports nothing itself says more than one that blames a victim.
fn cause(faults: &[Fault]) -> usize {
    let reported = |id: Id| faults.iter().any(|f| f.id == id);
    let blames = |message: &str, id: Id| message.contains(&format!("{id}: "));
    let cause = faults.iter().position(|f| f.code != NETWORK);
    let cause = cause.or_else(|| faults.iter().position(|f| f.silent));
    let cause = cause.or_else(|| faults.iter().position(|f| Id::ALL.iter().any(|id| !reported(*id) && blames(&f.message, *id))));
    cause.unwrap_or(0)
}

/// Calls `f` when standard input ends: the launcher has died, or wants this process to.
pub fn when_input_ends(f: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        std::io::stdin().lines().map_while(std::io::Result::ok).for_each(drop);
        f();
    });
}

/// Prints an event, or a [`Lap`], as a line. Without a reader there is no launcher, and the end of standard input says so too.
pub fn emit(said: &impl Serialize) {
    if let Ok(line) = serde_json::to_string(said) {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(id: Id, message: &str) -> Fault {
        Fault { id, message: message.into(), code: NETWORK, silent: false }
    }

    #[test]
    fn the_cause_is_quoted() {
        let gone = |id| Fault { id, message: "ended without a report".into(), code: NETWORK, silent: true };
        let lost = || network(Id::P0, "masked.open of step 3: P1: connection closed");
        assert_eq!(cause(&[lost(), gone(Id::P1)]), 1);
        let diverged = Fault { id: Id::P2, message: "diverged".into(), code: 6, silent: false };
        assert_eq!(cause(&[lost(), gone(Id::P1), diverged]), 2);
        assert_eq!(cause(&[network(Id::P2, "P0: connection closed"), network(Id::P0, "P1: nothing arrived within 4 s")]), 1);
        assert_eq!(cause(&[lost()]), 0);
    }
}
