//! Three parties as servers on this machine, each with a folder in the run folder.

use super::job::Keys;
use super::settings::Demo;
use crate::launch::{Fleet, Start};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use trefoil_net::Id;
use trefoil_server::{Error, Result};

/// The variable of a party's environment that its key comes in.
const KEY: &str = "TREFOIL_KEY";

/// `party.toml`, with the names of [`crate::server::config::Config`].
#[derive(Serialize)]
struct Config<'a> {
    listen: &'a str,
    key: String,
    data: &'a str,
    timeout: f64,
    grace: f64,
    threads: usize,
    links: Option<&'a str>,
    insecure: Insecure,
}

#[derive(Serialize)]
struct Insecure {
    mask_seed: Option<u64>,
    record: Option<PathBuf>,
}

/// Starts the parties. Their keys are in their environments, and what they write ends with the run: [`Folders`].
///
/// # Errors
/// A folder cannot be written, a process cannot be started, or a party fails before it listens.
pub fn start<'s>(demo: &Demo, keys: &Keys, folders: &Folders, stop: &'s AtomicBool) -> Result<Fleet<'s>> {
    let record = demo.insecure_record.as_ref().map(|dir| std::path::absolute(dir).map_err(Error::file(dir))).transpose()?;
    let start = |id: Id| -> Result<Start> {
        let config = Config {
            listen: "127.0.0.1:0",
            key: format!("env:{KEY}"),
            data: DATA,
            timeout: demo.timeout.as_secs_f64(),
            // Nobody will go on from a checkpoint.
            grace: 1.0,
            threads: demo.threads,
            links: demo.links.as_deref(),
            insecure: Insecure { mask_seed: demo.insecure_mask_seed, record: record.clone() },
        };
        let file = folders.0[id.index()].join(CONFIG);
        let text =
            toml::to_string(&config).map_err(|e| Error::config(file.display(), e, "a configuration that TOML can hold"))?;
        std::fs::write(&file, text).map_err(Error::file(&file))?;
        let mut args = vec!["party".into(), "--events".into(), "--config".into(), file.into_os_string()];
        args.extend(demo.page.is_some().then(|| "--shown".into()));
        Ok(Start { id, args, env: vec![(KEY, keys.parties[id.index()].to_pem().to_string())], first_line: None })
    };
    Fleet::start(&demo.program, [start(Id::P0)?, start(Id::P1)?, start(Id::P2)?], &demo.run_dir, demo.timeout, stop)
}

const CONFIG: &str = "party.toml";
const DATA: &str = "data";

/// The parties' folders: `P0`, `P1` and `P2`, each with a configuration and a data folder. What is in them is sealed under keys that end
/// with the run, so that it goes when this is dropped.
pub struct Folders([PathBuf; 3]);

impl Folders {
    /// Makes them in `run`, without what an earlier run may have left.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn create(run: &Path) -> Result<Folders> {
        let folders = Folders(Id::ALL.map(|id| run.join(id.to_string())));
        folders.remove();
        for folder in &folders.0 {
            std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
        }
        Ok(folders)
    }

    fn remove(&self) {
        for folder in &self.0 {
            // Where there is nothing there is nothing to remove; a folder with other things in it stays.
            let _ = std::fs::remove_dir_all(folder.join(DATA));
            let _ = std::fs::remove_file(folder.join(CONFIG));
            let _ = std::fs::remove_dir(folder);
        }
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        self.remove();
    }
}
