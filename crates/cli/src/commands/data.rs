//! `trefoil data fetch mnist`.

use crate::args::MNIST_DIR;
use crate::output::print;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use trefoil_data::fetch;
use trefoil_lab::units::bytes;
use trefoil_server::Result;

/// Options of `trefoil data`.
#[derive(Args)]
pub struct Data {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Download a dataset and verify it
    Fetch(Fetch),
}

#[derive(Args)]
struct Fetch {
    /// Which one
    #[arg(value_enum)]
    dataset: Remote,

    /// Folder for the files
    #[arg(long, value_name = "DIR", default_value = MNIST_DIR)]
    data_dir: PathBuf,

    /// Where the files are
    #[arg(long, value_name = "URL", default_value = fetch::MNIST_URL)]
    url: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Remote {
    Mnist,
}

impl Data {
    /// Downloads and verifies.
    pub fn run(self) -> Result<()> {
        let Action::Fetch(Fetch { dataset, data_dir, url }) = self.action;
        let files = match dataset {
            Remote::Mnist => fetch::mnist(&data_dir, &url)?,
        };
        for file in files {
            let what = if file.downloaded { "downloaded and verified" } else { "there already, verified" };
            print(format_args!("{}  {}  {what}\n", file.path.display(), bytes(file.bytes)));
        }
        Ok(())
    }
}
