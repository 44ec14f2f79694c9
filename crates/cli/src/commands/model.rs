//! `trefoil model`: a model's file, at its owner.

use super::job::{JobArgs, KeyArgs, answered, statuses};
use crate::output::{json, note, print};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use trefoil_client::peers::Peers;
use trefoil_job::{Service, evaluate, fetching};
use trefoil_nn::Model;
use trefoil_server::{Error, Result};

/// Options of `trefoil model`.
#[derive(Args)]
pub struct ModelCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch a trained model from the three parties
    Fetch(Fetch),
    /// Bring a model's file into another format, one of another tool's into Trefoil's
    #[command(visible_alias = "convert")]
    Import {
        /// The model's file
        #[arg(value_name = "MODEL")]
        file: PathBuf,
        /// Files to write: .safetensors, .npz (NumPy) or .onnx; several with a comma between
        #[arg(long, value_name = "FILE", value_delimiter = ',', default_value = "model.safetensors")]
        out: Vec<PathBuf>,
    },
    /// Share a model with the parties of a service, which answer from the shares
    Share {
        /// The model's file
        #[arg(value_name = "MODEL")]
        file: PathBuf,
        /// The service's file
        #[arg(long, value_name = "SERVICE")]
        service: PathBuf,
        /// Who is who, for members that the service calls by their names alone
        #[arg(long, value_name = "FILE", default_value = "peers.toml")]
        peers: PathBuf,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Show what is in a model's file
    Show {
        /// The model's file
        #[arg(value_name = "MODEL")]
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct Fetch {
    #[command(flatten)]
    job: JobArgs,

    #[command(flatten)]
    key: KeyArgs,

    /// Files to write: .safetensors, .npz (NumPy) or .onnx; several with a comma between
    #[arg(long, value_name = "FILE", value_delimiter = ',', default_value = "model.safetensors")]
    out: Vec<PathBuf>,

    /// Wait for so many seconds until the model is trained
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
}

impl ModelCommand {
    /// Does what was asked for.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Fetch(fetch) => fetch.run(),
            Command::Import { file, out } => {
                check_names(&out)?;
                save(&evaluate::load(&file)?, &out)
            }
            Command::Share { file, service, peers, key } => {
                let service = Service::load(&service, &Peers::load(&peers)?)?;
                service.share_model(&evaluate::load(&file)?, &key.identity()?, key.patience())?;
                print(format_args!("P0, P1 and P2 have their shares of the model for service {}\n", service.hash()));
                Ok(())
            }
            Command::Show { file, json } => show(&file, json),
        }
    }
}

impl Fetch {
    fn run(self) -> Result<()> {
        check_names(&self.out)?;
        let job = self.job.load()?;
        job.model_owner()?;
        let identity = self.key.identity()?;
        let until = Instant::now() + Duration::from_secs(self.wait);
        while Instant::now() < until {
            let all = answered(statuses(&job, &identity, self.key.patience(), |_, _| ()))?;
            // A job that has ended otherwise is refused below, in the party's words.
            if all.iter().all(|(_, s)| s.as_ref().is_none_or(|s| s.state.is_final())) {
                break;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        let model = fetching::fetch_model(&job, &identity, self.key.patience())?;
        save(&model, &self.out)
    }
}

fn check_names(files: &[PathBuf]) -> Result<()> {
    match files.iter().find(|file| !evaluate::is_model_name(file)) {
        Some(file) => Err(Error::config("--out", file.display(), "a name that ends in .safetensors, .npz or .onnx")),
        None => Ok(()),
    }
}

/// Writes the files, each in the format that its name says.
fn save(model: &Model, files: &[PathBuf]) -> Result<()> {
    for file in files {
        evaluate::save(model, file)?;
        note(format_args!("{}: {}", file.display(), model.network()));
    }
    Ok(())
}

fn show(file: &Path, as_json: bool) -> Result<()> {
    let model = evaluate::load(file)?;
    let range = |values: &mut dyn Iterator<Item = &f32>| {
        values.fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)))
    };
    let params: Vec<_> =
        model.params().map(|(p, values)| (p.name.split_once('.').unwrap_or((&p.name, "")), &p.dims, values)).collect();
    let layers: Vec<_> = params
        .chunk_by(|a, b| a.0.0 == b.0.0)
        .map(|of_layer| {
            let (least, most) = range(&mut of_layer.iter().flat_map(|p| p.2));
            let mut layer = serde_json::json!({ "layer": of_layer[0].0.0, "least": least, "most": most });
            of_layer.iter().for_each(|((_, name), dims, _)| layer[*name] = serde_json::json!(dims));
            layer
        })
        .collect();
    if as_json {
        return json(
            &serde_json::json!({ "network": model.network(), "task": model.task().name(), "input": model.input(), "layers": layers }),
        );
    }
    print(format_args!("{}: {}, {}\n", file.display(), model.network(), model.task().name()));
    for layer in layers {
        print(format_args!(
            "{}: weight {}, bias {}, values {} to {}\n",
            layer["layer"].as_str().unwrap_or_default(),
            layer["weight"],
            layer["bias"],
            layer["least"],
            layer["most"]
        ));
    }
    print(format_args!("input: {}\n", model.input()));
    Ok(())
}
