//! Three party processes on this machine, and what they say.
//!
//! A party gets its configuration on its standard input, never in its arguments or on disk, since the private key is in it. It
//! says where it listens, is told the three addresses, and reports events as JSON lines on its standard output. When the
//! launcher dies its standard input ends, and so does the party.

use crate::party::{Event, PartyConfig};
use crate::{Error, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use trefoil_net::Id;

/// Three running parties. Dropping it ends them.
pub struct Fleet<'s> {
    children: Mutex<Vec<(Child, ChildStdin)>>,
    events: Receiver<(Id, Event)>,
    stop: &'s AtomicBool,
    /// Where P0, P1 and P2 listen.
    pub addresses: [String; 3],
}

impl<'s> Fleet<'s> {
    /// Starts `program party` three times; logs go to `P0.log`, .. in `logs`. `stop` ends everything.
    ///
    /// # Errors
    /// A process cannot be started, or a party fails before it listens.
    pub fn start(program: &Path, configs: &[PartyConfig; 3], logs: &Path, stop: &'s AtomicBool) -> Result<Fleet<'s>> {
        let (sender, events) = channel();
        let mut fleet = Fleet { children: Mutex::default(), events, stop, addresses: Default::default() };
        for config in configs {
            let log = logs.join(format!("{}.log", config.id));
            let log = File::create(&log).map_err(Error::file(&log))?;
            let mut command = Command::new(program);
            command.arg("party").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
            // Ctrl-C on a terminal goes to a whole process group: it is for the launcher, which ends its parties.
            #[cfg(unix)]
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            let mut child = command.spawn().map_err(Error::file(program))?;
            let gone = || Error::config(config.id, "no pipes", "standard input and output");
            let (mut stdin, stdout) = (child.stdin.take().ok_or_else(gone)?, child.stdout.take().ok_or_else(gone)?);
            let line = serde_json::to_string(config).map_err(|e| Error::config(config.id, e, "a configuration"))?;
            writeln!(stdin, "{line}").map_err(Error::file(program))?;
            fleet.children().push((child, stdin));
            let (id, sender) = (config.id, sender.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
                    let event = serde_json::from_str(&line)
                        .unwrap_or_else(|e| Event::Failed { message: format!("said something that is no event: {e}"), code: 1 });
                    let last = matches!(event, Event::Done(_) | Event::Failed { .. });
                    if sender.send((id, event)).is_err() || last {
                        return;
                    }
                }
                let _ = sender.send((id, Event::Failed { message: "ended without a report".into(), code: 1 }));
            });
        }
        let mut known = 0;
        let deadline = Instant::now() + Duration::from_secs_f64(configs[0].timeout);
        while known < 3 {
            match fleet.next(deadline)? {
                (id, Event::Listening { address }) => {
                    fleet.addresses[id.index()] = address;
                    known += 1;
                }
                (id, other) => return Err(Error::config(id, format!("{other:?}"), "where it listens")),
            }
        }
        let line = serde_json::to_string(&fleet.addresses).map_err(|e| Error::config("addresses", e, "three texts"))?;
        for (_, stdin) in fleet.children().iter_mut() {
            writeln!(stdin, "{line}").map_err(Error::file(program))?;
        }
        Ok(fleet)
    }

    /// The next event of any party. A party's failure is this call's error, and so is `stop`.
    ///
    /// # Errors
    /// A party failed, nothing was said until `deadline`, or the run was stopped.
    pub fn next(&self, deadline: Instant) -> Result<(Id, Event)> {
        loop {
            match self.poll()? {
                Some(event) => return Ok(event),
                None if Instant::now() < deadline => {}
                None => return Err(Error::config("parties", "silence", "progress within the timeout")),
            }
        }
    }

    /// The same without a deadline: `None` if nothing was said for a moment.
    ///
    /// # Errors
    /// A party failed, or the run was stopped.
    pub fn poll(&self) -> Result<Option<(Id, Event)>> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        match self.events.recv_timeout(Duration::from_millis(50)) {
            Ok((id, Event::Failed { message, code })) => Err(self.first_cause(id, message, code)),
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Error::config("parties", "silence", "progress within the timeout")),
        }
    }

    /// When one party fails the others lose it; the party that knows the cause is the one to quote.
    fn first_cause(&self, id: Id, message: String, code: u8) -> Error {
        let mut failures = vec![(id, message, code)];
        let until = Instant::now() + Duration::from_millis(500);
        while let Ok((id, event)) = self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if let Event::Failed { message, code } = event {
                failures.push((id, message, code));
            }
        }
        // A network error (4) may be the consequence of another's failure; anything else is a cause, a silent end (1) too. Among
        // network errors, one that blames a party which reports nothing itself says more than one that blames a victim.
        let reported = |id: Id| failures.iter().any(|(by, _, _)| *by == id);
        let blames = |message: &str, id: Id| message.contains(&format!("{id}: "));
        let cause = failures.iter().position(|(_, _, code)| ![1, 4].contains(code));
        let cause = cause.or_else(|| failures.iter().position(|(_, _, code)| *code == 1));
        let cause =
            cause.or_else(|| failures.iter().position(|(_, m, _)| Id::ALL.iter().any(|id| !reported(*id) && blames(m, *id))));
        let cause = cause.unwrap_or(0);
        let (id, message, code) = failures.swap_remove(cause);
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

    fn children(&self) -> MutexGuard<'_, Vec<(Child, ChildStdin)>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the processes to end by themselves, for a while.
    pub fn finish(self) {
        let until = Instant::now() + Duration::from_secs(10);
        for (child, _) in self.children().iter_mut() {
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

/// The body of `trefoil party`: configuration and addresses from standard input, events to standard output.
///
/// # Errors
/// Those of [`crate::party::run`]; they have been reported as an event too.
pub fn party_process() -> Result<()> {
    let line = || {
        let line = std::io::stdin().lines().next().and_then(std::io::Result::ok);
        line.ok_or_else(|| Error::config("standard input", "its end", "a line of JSON"))
    };
    let mut emit = |event: Event| {
        if let Ok(line) = serde_json::to_string(&event) {
            // Without a reader there is no launcher, and the end of standard input says so too.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    };
    let result = line().and_then(|text| {
        let config: PartyConfig =
            serde_json::from_str(&text).map_err(|e| Error::config("party configuration", e, "its fields in JSON"))?;
        let addresses = |own: String| {
            let listening = Event::Listening { address: own };
            if let Ok(text) = serde_json::to_string(&listening) {
                let _ = writeln!(std::io::stdout().lock(), "{text}");
            }
            let addresses = serde_json::from_str(&line()?).map_err(|e| Error::config("addresses", e, "three texts in JSON"))?;
            std::thread::spawn(move || {
                while line().is_ok() {}
                std::process::exit(130);
            });
            Ok(addresses)
        };
        crate::party::run(&config, addresses, &mut emit)
    });
    if let Err(e) = &result {
        tracing::error!("{e}");
        emit(Event::Failed { message: e.to_string(), code: e.exit_code() });
    }
    result
}
