//! Settings that are one of a few words.

use crate::{Error, Result};

/// What a word stands for, of these.
///
/// # Errors
/// [`Error::Config`] naming the setting, and the words that it may be.
pub(crate) fn choice<T: Copy>(what: &'static str, text: &str, all: &[(&str, T)]) -> Result<T> {
    if let Some((_, value)) = all.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
    let expected = match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    };
    Err(Error::config(what, format!("{text:?}"), expected))
}
