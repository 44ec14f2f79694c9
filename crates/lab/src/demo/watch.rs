//! What the parties say, followed through a run.

use super::page::Page;
use super::settings::Progress;
use crate::launch::{Fleet, Line};
use crate::run_folder::RunFolder;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};
use trefoil_net::Id;
use trefoil_nn::Figure;
use trefoil_server::report::Report;
use trefoil_server::{Error, Event, Result};

/// Follows the parties through a run. A helper that runs ahead may be through before the others have begun, so that every event counts
/// whenever it comes.
pub struct Watch<'f, 's> {
    fleet: &'f Fleet<'s>,
    page: Option<&'f Page>,
    patience: Duration,
    total: u64,
    shared: usize,
    trained: usize,
    delivered: usize,
    reports: [Option<Report>; 3],
    /// Seconds of each step at P0.
    pub steps: Vec<f64>,
    /// Number, loss and accuracy.
    pub epochs: Vec<(u64, f64, f64)>,
    /// All figures of the records held out after each.
    pub figures: BTreeMap<u64, Vec<Figure>>,
    /// Which epoch's model it is, where the job follows the best one: all three say the same.
    pub model_epoch: Option<u64>,
    /// Bytes of each step and how many parties have told theirs.
    bytes: BTreeMap<u64, (u64, u8)>,
}

impl<'f, 's> Watch<'f, 's> {
    /// A run of `total` steps, in which nobody is silent for longer than `patience`.
    pub fn new(fleet: &'f Fleet<'s>, page: Option<&'f Page>, patience: Duration, total: u64) -> Self {
        let (steps, epochs, figures, bytes, reports) = (vec![], vec![], BTreeMap::new(), BTreeMap::new(), Default::default());
        Watch {
            fleet,
            page,
            patience,
            total,
            shared: 0,
            trained: 0,
            delivered: 0,
            reports,
            steps,
            epochs,
            figures,
            model_epoch: None,
            bytes,
        }
    }

    fn next(&self) -> Result<(Id, Line)> {
        self.fleet.next(Instant::now() + self.patience)
    }

    /// Until all three parties have everything; an owner's failure counts as well, unless a party knows the cause. `owners` ends when
    /// all of them are through.
    pub fn until_shared(
        &mut self,
        owners: &Receiver<Error>,
        folder: &mut RunFolder,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<()> {
        let (mut failed, mut deadline) = (None, None);
        while self.shared < 3 {
            if let Some((id, line)) = self.fleet.poll()? {
                self.take(id, line, folder, progress)?;
            }
            if let Some((at, e)) = failed.take() {
                if Instant::now() > at + Duration::from_secs(1) {
                    return Err(e);
                }
                failed = Some((at, e));
                continue;
            }
            match owners.try_recv() {
                Ok(e) => failed = Some((Instant::now(), e)),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => {
                    if Instant::now() > *deadline.get_or_insert_with(|| Instant::now() + self.patience) {
                        return Err(Error::config("parties", "silence", "a session within the timeout"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Until all three have the model.
    pub fn until_trained(&mut self, folder: &mut RunFolder, progress: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
        while self.trained < 3 {
            let (id, line) = self.next()?;
            self.take(id, line, folder, progress)?;
        }
        Ok(())
    }

    /// Until all three have told what it took.
    pub fn until_done(&mut self, folder: &mut RunFolder, progress: &mut dyn FnMut(Progress<'_>)) -> Result<[Report; 3]> {
        loop {
            match std::mem::take(&mut self.reports) {
                [Some(a), Some(b), Some(c)] => return Ok([a, b, c]),
                other => self.reports = other,
            }
            let (id, line) = self.next()?;
            self.take(id, line, folder, progress)?;
        }
    }

    /// Until the page has how all three stand at the end, or for as long as that should take.
    pub fn until_shown(&mut self, folder: &mut RunFolder, progress: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(2);
        while self.page.is_some() && self.delivered < 3 && Instant::now() < until {
            if let Some((id, line)) = self.fleet.poll()? {
                self.take(id, line, folder, progress)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, id: Id, line: Line, folder: &mut RunFolder, progress: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
        let Line::Event(event) = line else { return Ok(()) };
        folder.event(id, &event)?;
        match event {
            Event::Shared { .. } => self.shared += 1,
            Event::Trained { epoch } => (self.trained, self.model_epoch) = (self.trained + 1, epoch),
            Event::Done(report) => self.reports[id.index()] = Some(*report),
            Event::Step { step, seconds, bytes: sent, .. } => {
                if id == Id::P0 {
                    self.steps.push(seconds);
                }
                let sum = self.bytes.entry(step).or_default();
                *sum = (sum.0 + sent, sum.1 + 1);
                if sum.1 == 3 {
                    let all = sum.0;
                    self.bytes.remove(&step);
                    let seconds = self.steps.last().copied().unwrap_or_default();
                    progress(Progress::Step { step, total: self.total, seconds, bytes: all });
                }
            }
            Event::Epoch { epoch, loss: Some(loss), metric: Some(accuracy), figures, .. } if id == Id::P0 => {
                self.epochs.push((epoch, loss, accuracy));
                self.figures.insert(epoch, figures);
                progress(Progress::Epoch { epoch, loss, accuracy });
            }
            Event::Shown { part, json } => {
                // Nothing changes after that.
                self.delivered += usize::from(part == "jobs" && json.contains(r#""delivered":true"#));
                self.page.iter().for_each(|page| page.party(id, &part, json.clone()));
            }
            _ => {}
        }
        Ok(())
    }
}
