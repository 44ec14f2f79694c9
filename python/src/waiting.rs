//! Work that takes its time, without the interpreter's lock, and that Ctrl-C ends.

use crate::errors::{exception, named};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use trefoil_job::Result;

/// How often signals are looked for.
pub const MOMENT: Duration = Duration::from_millis(50);

/// Does it on a thread of its own. Where a signal ends it, `work` is told by its flag, and nobody waits for it any more.
pub fn wait<T: Send + 'static>(py: Python<'_>, work: impl FnOnce(&AtomicBool) -> Result<T> + Send + 'static) -> PyResult<T> {
    let (stop, (sender, answer)) = (Arc::new(AtomicBool::new(false)), channel());
    let stopped = stop.clone();
    std::thread::spawn(move || sender.send(work(&stopped)).unwrap_or(()));
    let answer = Mutex::new(answer);
    loop {
        if let Err(signal) = py.check_signals() {
            stop.store(true, Ordering::Relaxed);
            return Err(signal);
        }
        match py.detach(|| answer.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(MOMENT)) {
            Ok(done) => return done.map_err(|e| exception(py, &e)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(named(py, "Error", "found its end, expected an answer")),
        }
    }
}
