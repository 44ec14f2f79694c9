//! What goes to standard output and standard error.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;
use trefoil_server::{Error, Result};

/// Prints a text to standard output. A reader that has gone away (`trefoil demo | head`) is no error.
pub fn print(text: impl Display) {
    let _ = write!(std::io::stdout().lock(), "{text}");
}

/// Prints a value as JSON to standard output.
///
/// # Errors
/// It holds something that JSON does not.
pub fn json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::config("JSON", e, "numbers and texts"))?;
    print(format_args!("{text}\n"));
    Ok(())
}

/// A line on standard error.
pub fn note(text: impl Display) {
    // Without standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The one line of a failure, and its exit code.
pub fn fail(error: impl Display, code: u8) -> ExitCode {
    note(format_args!("error: {error}"));
    ExitCode::from(code)
}
