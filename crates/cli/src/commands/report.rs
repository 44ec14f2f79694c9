//! `trefoil report`: a run as one page.

use crate::output::print;
use clap::Args;
use std::path::PathBuf;
use trefoil_lab::report;
use trefoil_server::Result;

/// Options of `trefoil report`.
#[derive(Args)]
pub struct Report {
    /// The run folder of a demo
    #[arg(value_name = "RUN_DIR")]
    dir: PathBuf,

    /// Where the page goes [default: report.html in the run folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Report {
    /// Writes the page, and says where it is.
    pub fn run(self) -> Result<()> {
        let path = report::write(&self.dir, self.out.as_deref())?;
        print(format_args!("{}\n", path.display()));
        Ok(())
    }
}
