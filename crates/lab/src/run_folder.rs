//! The evidence of a run: `config.toml`, `job.toml`, `metrics.jsonl`, `cost.csv`, `summary.json`, `loss.svg`, `model.safetensors` and
//! the parties' logs.

use crate::summary::Summary;
use plotters::prelude::*;
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use trefoil_job::Job;
use trefoil_net::Id;
use trefoil_server::report::CostLine;
use trefoil_server::{Error, Event, Result};

/// An open run folder.
pub struct RunFolder {
    dir: PathBuf,
    metrics: BufWriter<File>,
}

impl RunFolder {
    /// Creates the folder and writes `config.toml`: what the run was asked for.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create(dir: &Path, config: &impl Serialize) -> Result<RunFolder> {
        std::fs::create_dir_all(dir).map_err(Error::file(dir))?;
        let text = toml::to_string(config).map_err(|e| Error::config("config.toml", e, "a configuration that TOML can hold"))?;
        let path = dir.join("config.toml");
        std::fs::write(&path, text).map_err(Error::file(&path))?;
        let path = dir.join("metrics.jsonl");
        let metrics = BufWriter::new(File::create(&path).map_err(Error::file(&path))?);
        Ok(RunFolder { dir: dir.to_owned(), metrics })
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes `job.toml`: what the parties have approved.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn job(&self, job: &Job) -> Result<()> {
        let path = self.path("job.toml");
        let text = toml::to_string(job).map_err(|e| Error::config("job.toml", e, "a job that TOML can hold"))?;
        std::fs::write(&path, text).map_err(Error::file(&path))
    }

    /// A line of `metrics.jsonl`: each step and each epoch, as P0 tells it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn event(&mut self, id: Id, event: &Event) -> Result<()> {
        if id == Id::P0 && matches!(event, Event::Step { .. } | Event::Epoch { .. }) {
            let line = serde_json::to_string(event).unwrap_or_default();
            writeln!(self.metrics, "{line}").map_err(Error::file(&self.dir))?;
        }
        Ok(())
    }

    /// Writes `summary.json`, `cost.csv` and `loss.svg`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(
        mut self,
        summary: &Summary,
        cost: &[CostLine],
        epochs: &[(u64, f64, f64)],
        float: &[(f64, f64)],
    ) -> Result<()> {
        self.metrics.flush().map_err(Error::file(&self.dir))?;
        let path = self.path("summary.json");
        let text = serde_json::to_string_pretty(summary).map_err(|e| Error::config("summary.json", e, "numbers and texts"))?;
        std::fs::write(&path, text + "\n").map_err(Error::file(&path))?;

        let path = self.path("cost.csv");
        let mut csv = String::from("layer,label,rounds,payload_bytes,messages,seconds\n");
        for CostLine { layer, label, rounds, payload_bytes, messages, seconds } in cost {
            csv += &format!("{layer},{label},{rounds},{payload_bytes},{messages},{seconds:.6}\n");
        }
        std::fs::write(&path, csv).map_err(Error::file(&path))?;
        self.plot(epochs, float)
    }

    /// The loss by epoch, on shares and in the clear.
    fn plot(&self, epochs: &[(u64, f64, f64)], float: &[(f64, f64)]) -> Result<()> {
        let path = self.path("loss.svg");
        let secure: Vec<(f64, f64)> = epochs.iter().map(|(epoch, loss, _)| (*epoch as f64, *loss)).collect();
        let float: Vec<(f64, f64)> = float.iter().enumerate().map(|(i, (loss, _))| (i as f64 + 1.0, *loss)).collect();
        let most = secure.iter().chain(&float).fold(0.1f64, |m, p| m.max(p.1)) * 1.05;
        let last = (epochs.len() as f64).max(2.0);
        let draw = || -> std::result::Result<(), Box<dyn std::error::Error>> {
            let root = SVGBackend::new(&path, (720, 440)).into_drawing_area();
            root.fill(&WHITE)?;
            let mut chart = ChartBuilder::on(&root)
                .caption("Cross entropy on 1,024 training records", ("sans-serif", 18))
                .margin(14)
                .x_label_area_size(36)
                .y_label_area_size(52)
                .build_cartesian_2d(1.0..last, 0.0..most)?;
            chart.configure_mesh().light_line_style(WHITE).x_desc("epoch").y_desc("loss").draw()?;
            let series = [
                (float, RGBColor(150, 150, 150), 5, "float, in the clear"),
                (secure, RGBColor(20, 90, 160), 2, "on secret shares"),
            ];
            for (points, colour, width, name) in series {
                let style = colour.stroke_width(width);
                chart
                    .draw_series(LineSeries::new(points, style))?
                    .label(name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], style));
            }
            chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3)).draw()?;
            root.present()?;
            Ok(())
        };
        draw().map_err(|e| Error::config("loss.svg", e, "a picture"))
    }
}
