//! `docs/deployment.md`, done as it says: its commands in its order, with its files, from two empty folders at each of three
//! organisations to a model. Only addresses and fingerprints are this test's own.

use crate::common::{ends_within, text, trefoil};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};
use trefoil_client::peers::Peers;
use trefoil_job::Job;

const PAGE: &str = include_str!("../../../../docs/deployment.md");
const ORGANISATIONS: [&str; 3] = ["bank", "hospital", "university"];
const LIMIT: Duration = Duration::from_secs(60);

/// The fenced blocks whose first line says this: the lines between the fences.
fn blocks(page: &str, info: &str) -> Vec<String> {
    let (mut found, mut open) = (vec![], None::<(bool, String)>);
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(said), None) => open = Some((said == info, String::new())),
            (Some(_), Some((wanted, block))) => {
                found.extend(wanted.then(|| std::mem::take(block)));
                open = None;
            }
            (None, Some((_, block))) => *block += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    found
}

fn file(info: &str) -> String {
    let [block] = &blocks(PAGE, info)[..] else { panic!("not one block {info:?}") };
    block.clone()
}

/// Where each command is given, and its words after `trefoil`.
fn commands() -> Vec<(String, Vec<String>)> {
    let lines = blocks(PAGE, "console").concat();
    let command = |line: &str| {
        let (place, command) = line.split_once("$ trefoil ").unwrap_or_else(|| panic!("no command: {line:?}"));
        (place.to_owned(), command.split(' ').map(str::to_owned).collect())
    };
    lines.lines().map(command).collect()
}

/// The folders of all, and the parties that run.
struct World {
    dir: tempfile::TempDir,
    /// Pairs of what the page says and what holds here.
    here: Vec<(String, String)>,
    parties: Vec<Child>,
}

impl Drop for World {
    fn drop(&mut self) {
        for party in &mut self.parties {
            let _ = party.kill();
            let _ = party.wait();
        }
    }
}

impl World {
    fn path(&self, place: &str) -> PathBuf {
        self.dir.path().join(place)
    }

    /// Runs a command in a place, to its end.
    fn run(&self, place: &str, words: &[&str]) -> Output {
        let out = |name: &str| self.dir.path().join(name);
        let open = |name: &str| File::create(out(name)).unwrap();
        let mut command = trefoil(words);
        command.current_dir(self.path(place)).env("TREFOIL_PASSPHRASE", "as on the page, asked for");
        let mut child = command.stdout(open("stdout")).stderr(open("stderr")).spawn().unwrap();
        let code = ends_within(&mut child, LIMIT);
        let read = |name: &str| fs::read(out(name)).unwrap();
        let (stdout, stderr) = (read("stdout"), read("stderr"));
        assert_eq!(code, 0, "{place}$ trefoil {words:?}\n{}{}\n{}", text(&stdout), text(&stderr), self.logs());
        Output { status: child.wait().unwrap(), stdout, stderr }
    }

    /// "Move owner.pem", and the fingerprints that were printed in place of the page's.
    fn keys(&mut self, place: &str, printed: &str) {
        let organisation = place.strip_suffix("/party").unwrap();
        fs::rename(self.path(place).join("owner.pem"), self.path(organisation).join("owner/owner.pem")).unwrap();
        let printed: Vec<&str> = printed.lines().filter_map(|l| l.trim().strip_prefix("fingerprint  ")).collect();
        let job: toml::Table = toml::from_str(&file("toml job.toml")).unwrap();
        for (list, name, found) in
            [("party", organisation.to_owned(), printed[0]), ("owner", format!("{organisation}-records"), printed[1])]
        {
            let member = job[list].as_array().unwrap().iter().find(|m| m["name"].as_str() == Some(&name)).unwrap();
            self.here.push((member["fingerprint"].as_str().unwrap().to_owned(), found.to_owned()));
            if list == "party" {
                let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
                self.here.push((member["address"].as_str().unwrap().to_owned(), address));
            }
        }
    }

    /// What is written by hand.
    fn files(&self) {
        let job = self.here.iter().fold(file("toml job.toml"), |text, (page, here)| text.replace(page, here));
        let config = file("toml party.toml");
        assert_eq!(config.lines().count(), 3);
        for (i, organisation) in ORGANISATIONS.iter().enumerate() {
            let (_, address) = self.here.iter().find(|(page, _)| page.starts_with(&format!("{organisation}.example:"))).unwrap();
            assert!(config.contains("\"0.0.0.0:7001\""));
            fs::write(self.path(organisation).join("party/party.toml"), config.replace("0.0.0.0:7001", address)).unwrap();
            for folder in ["party", "owner"] {
                fs::write(self.path(organisation).join(folder).join("job.toml"), &job).unwrap();
            }
            log_ins(&self.path(organisation).join("owner/logins.csv"), i as u64);
        }
    }

    /// Starts a party, and waits until it listens.
    fn party(&mut self, place: &str, words: &[&str]) {
        let log = self.path(place).join("log");
        let mut command = trefoil(words);
        command.current_dir(self.path(place)).env("TREFOIL_PASSPHRASE", "as on the page, asked for");
        self.parties.push(command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap());
        let until = Instant::now() + LIMIT;
        while !fs::read_to_string(&log).unwrap().contains("approved by") {
            assert!(Instant::now() < until, "{place}: {}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn logs(&self) -> String {
        ORGANISATIONS.map(|o| fs::read_to_string(self.path(o).join("party/log")).unwrap_or_default()).join("\n")
    }
}

/// The page's rows and a few hundred like them.
fn log_ins(file: &Path, seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let mut rows = self::file("csv logins.csv");
    for _ in 0..300 {
        let attack = below(10) < 3;
        let (failures, distance) = if attack { (1 + below(8), below(3000)) } else { (below(3), below(60)) };
        let new = below(10) < if attack { 8 } else { 1 };
        let (device, label) = (["known", "new"][usize::from(new)], ["no", "yes"][usize::from(attack)]);
        rows += &format!("{},{failures},{distance},{device},{label}\n", below(24));
    }
    fs::write(file, rows).unwrap();
}

/// The page's job is one as it stands there, and the test reads all of the page.
#[test]
fn what_the_page_shows() {
    let job = Job::parse(&file("toml job.toml"), "job.toml", &Peers::default()).unwrap();
    assert_eq!((job.party.each_ref().map(|p| &p.name[..]), job.owner.len()), (ORGANISATIONS, 3));
    let commands = commands();
    assert!(commands.len() == 11 && PAGE.contains("in eleven commands"), "{commands:?}");
    assert_eq!(PAGE.lines().filter(|l| l.contains("$ trefoil ")).count(), commands.len());
}

#[test]
fn from_empty_folders_to_a_model() {
    let mut world = World { dir: tempfile::tempdir().unwrap(), here: vec![], parties: vec![] };
    for organisation in ORGANISATIONS {
        for folder in ["party", "owner"] {
            fs::create_dir_all(world.path(organisation).join(folder)).unwrap();
        }
    }
    let mut written = false;
    for (place, words) in commands() {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if words[0] == "keygen" {
            let out = world.run(&place, &words);
            world.keys(&place, &text(&out.stdout));
            continue;
        }
        if !std::mem::replace(&mut written, true) {
            world.files();
        }
        match words[0] {
            "party" => world.party(&place, &words),
            _ => drop(world.run(&place, &words)),
        }
    }
    let show = world.run("university/owner", &["model", "show", "model.safetensors", "--json"]);
    let model: Value = serde_json::from_slice(&show.stdout).unwrap();
    assert_eq!(model["network"], "5-16-2");
    let status = world.run("bank/party", &["job", "status", "job.toml", "--key", "party.pem", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let accuracy = status["P0 bank"]["last"]["metric"].as_f64().unwrap();
    assert!(accuracy > 0.85, "{status:#}");
    // The university's owner gets the model, and has records in it: it is shown no figure.
    let status = world.run("university/owner", &["job", "status", "job.toml", "--key", "owner.pem", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    for (party, standing) in status.as_object().unwrap() {
        assert!(standing["state"]["is"] == "trained" && standing["last"].is_null(), "{party}: {standing}");
    }
}
