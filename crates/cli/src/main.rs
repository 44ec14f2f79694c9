//! `trefoil`: train a neural network on data that its owners may not show to each other.

mod allocator;
mod args;
mod commands;
mod output;
mod progress;
mod ranks;
mod reading;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    allocator::keep();
    let command = match commands::parse() {
        Ok(command) => command,
        Err(code) => return code,
    };
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => output::fail(&e, e.exit_code()),
    }
}
