//! A network that shows every frame that its party receives: the party's whole view of the protocol.
//!
//! Insecure by purpose: with the views of two parties anyone reconstructs everything. Only ever asked for by name.

use crate::{Error, Frame, Id, Net, Result};
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// What is shown the frames.
pub trait Sink: Send {
    /// Takes note of a frame that arrived from `from`.
    ///
    /// # Errors
    /// It cannot be written down; the `recv` that brought the frame fails with it.
    fn record(&mut self, from: Id, frame: &Frame) -> Result<()>;
}

impl<F: FnMut(Id, &Frame) -> Result<()> + Send> Sink for F {
    fn record(&mut self, from: Id, frame: &Frame) -> Result<()> {
        self(from, frame)
    }
}

/// A network that shows what it receives to a [`Sink`].
pub struct Recorded<N, S> {
    net: N,
    sink: Mutex<S>,
}

impl<N: Net, S: Sink> Recorded<N, S> {
    /// `net`, each received frame shown to `sink`.
    pub fn new(net: N, sink: S) -> Recorded<N, S> {
        Recorded { net, sink: Mutex::new(sink) }
    }
}

impl<N: Net, S: Sink> Net for Recorded<N, S> {
    fn send(&self, to: Id, frame: Frame) -> Result<()> {
        self.net.send(to, frame)
    }

    fn recv(&self, from: Id) -> Result<Frame> {
        let frame = self.net.recv(from)?;
        self.sink.lock().unwrap_or_else(PoisonError::into_inner).record(from, &frame)?;
        Ok(frame)
    }

    fn stop(&self) {
        self.net.stop();
    }

    fn wire_bytes(&self, to: Id) -> u64 {
        self.net.wire_bytes(to)
    }

    fn peak_queued(&self, peer: Id) -> [usize; 2] {
        self.net.peak_queued(peer)
    }
}

/// Writes JSON lines, one for each part of a frame:
/// `{"step":3,"operation":17,"label":"...","from":"P2","ring":"Z_67","length":64,"payload":"<hex of the packed part>"}`.
pub struct Recorder {
    file: BufWriter<File>,
    path: String,
}

#[derive(Serialize)]
struct Line<'a> {
    step: u64,
    operation: u32,
    label: &'a str,
    from: Id,
    ring: String,
    length: usize,
    payload: String,
}

impl Recorder {
    /// Starts a new file at `path`.
    ///
    /// # Errors
    /// The file exists already or cannot be created.
    pub fn create(path: &Path) -> Result<Recorder> {
        let file = File::create_new(path);
        let path = path.display().to_string();
        match file {
            Ok(file) => Ok(Recorder { file: BufWriter::with_capacity(1 << 20, file), path }),
            Err(source) => Err(Error::Record { path, source }),
        }
    }

    /// Writes out everything recorded so far. Dropping does so too, but can only log an error.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|source| Error::Record { path: self.path.clone(), source })
    }

    fn write(&mut self, from: Id, frame: &Frame) -> io::Result<()> {
        for part in &frame.parts {
            let line = Line {
                step: frame.at.step,
                operation: frame.at.op,
                label: &frame.label,
                from,
                ring: part.ring().to_string(),
                length: part.len(),
                payload: hex::encode(part.bytes()),
            };
            serde_json::to_writer(&mut self.file, &line)?;
            self.file.write_all(b"\n")?;
        }
        Ok(())
    }
}

impl Sink for Recorder {
    fn record(&mut self, from: Id, frame: &Frame) -> Result<()> {
        self.write(from, frame).map_err(|source| Error::Record { path: self.path.clone(), source })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Err(e) = self.flush() {
            tracing::error!("{e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{At, Part, local};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    fn frame() -> Frame {
        let parts = vec![Part::words(&[1, 0x0200]), Part::bits(&[5, 2], 3), Part::words(&[])];
        Frame { at: At { step: 3, op: 17 }, depth: 2, label: "a \"b\"".into(), parts }
    }

    #[test]
    fn json_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("P1.jsonl");
        let [a, b, _c] = local::network(Duration::from_secs(1));
        let b = Recorded::new(b, Recorder::create(&path).unwrap());
        a.send(Id::P1, frame()).unwrap();
        assert_eq!(b.recv(Id::P0).unwrap(), frame());
        drop(b);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        let expected = serde_json::json!({"step": 3, "operation": 17, "label": "a \"b\"", "from": "P0",
            "ring": "Z_2^64", "length": 2, "payload": "01000000000000000002000000000000"});
        assert_eq!(lines[0], expected);
        assert_eq!(lines[1]["ring"], "3 bits");
        assert_eq!(lines[2]["payload"], "");
        let again = Recorder::create(&path).err().unwrap().to_string();
        assert!(again.starts_with("recording ") && again.contains("P1.jsonl"), "{again}");
    }

    #[test]
    fn closures_and_errors() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let [a, b, _c] = local::network(Duration::from_secs(1));
        let theirs = seen.clone();
        let b = Recorded::new(b, move |from: Id, frame: &Frame| {
            theirs.lock().unwrap().push((from, frame.label.to_string()));
            if theirs.lock().unwrap().len() < 2 { Ok(()) } else { Err(Error::Closed { peer: from }) }
        });
        a.send(Id::P1, frame()).unwrap();
        a.send(Id::P1, frame()).unwrap();
        assert!(b.recv(Id::P0).is_ok());
        assert!(b.recv(Id::P0).is_err());
        assert_eq!(*seen.lock().unwrap(), vec![(Id::P0, "a \"b\"".to_owned()); 2]);
    }
}
