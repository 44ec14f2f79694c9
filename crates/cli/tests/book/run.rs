//! Pages whose commands are run as they stand, by a shell, in a folder with the files that the page shows.

use crate::pages::Page;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// A shell that finds this program as `trefoil`, in this folder.
pub fn shell(folder: &Path) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_trefoil")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(program.to_owned()).chain(std::env::split_paths(&path));
    let mut bash = Command::new("bash");
    bash.current_dir(folder).env("PATH", std::env::join_paths(all).unwrap()).env_remove("TREFOIL_LOG").env_remove("RUST_LOG");
    bash.stdin(Stdio::null()).args(["-euo", "pipefail", "-c"]);
    bash
}

/// Writes the page's files, runs its commands, and returns the folder.
#[track_caller]
fn runs(path: &str) -> tempfile::TempDir {
    let (page, dir) = (Page::read(path), tempfile::tempdir().unwrap());
    for (name, text) in page.files() {
        fs::write(dir.path().join(name), text).unwrap();
    }
    assert!(page.of("sh").next().is_some(), "{path}: no commands");
    for block in page.of("sh") {
        let out = shell(dir.path()).arg(block).output().unwrap();
        let said = [out.stdout, out.stderr].map(|s| String::from_utf8_lossy(&s).into_owned()).concat();
        assert!(out.status.success(), "{path}:\n{block}\n{said}");
    }
    dir
}

#[test]
fn pages_whose_commands_run_as_they_stand() {
    let dir = runs("docs/howto/csv.md");
    let job = fs::read_to_string(dir.path().join("job.toml")).unwrap();
    assert!(job.contains("classes = [\"no\", \"yes\"]") && job.contains("home"), "{job}");
    runs("docs/performance.md");
}
