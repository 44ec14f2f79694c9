//! `trefoil completions SHELL`.

use super::Cli;
use crate::output::print;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use trefoil_server::Result;

/// Options of `trefoil completions`.
#[derive(Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(self) -> Result<()> {
        let mut script = vec![];
        generate(self.shell, &mut Cli::command(), "trefoil", &mut script);
        print(String::from_utf8_lossy(&script));
        Ok(())
    }
}
