//! `docs/tutorial.md`, typed as it stands, in three folders of one machine. Only addresses and fingerprints are this test's own.

use crate::pages::{Page, root};
use crate::run::shell;
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const LAPTOPS: [&str; 3] = ["red", "green", "blue"];
const LIMIT: Duration = Duration::from_secs(60);

struct Room {
    dir: tempfile::TempDir,
    page: Page,
    /// Pairs of what the page says and what holds here.
    here: Vec<(String, String)>,
    parties: Vec<Child>,
}

impl Drop for Room {
    fn drop(&mut self) {
        for party in &mut self.parties {
            let _ = party.kill();
            let _ = party.wait();
        }
    }
}

impl Room {
    fn folder(&self, laptop: &str) -> PathBuf {
        self.dir.path().join(laptop)
    }

    /// Types a command at a laptop; what it has said.
    fn types(&self, laptop: &str, command: &str) -> String {
        let out = self.shell(laptop).arg(command).output().unwrap();
        let said = [out.stdout, out.stderr].map(|s| String::from_utf8_lossy(&s).into_owned()).concat();
        assert!(out.status.success(), "{laptop}$ {command}\n{said}\n{}", self.logs());
        said
    }

    fn shell(&self, laptop: &str) -> std::process::Command {
        let mut shell = shell(&self.folder(laptop));
        shell.env("HOME", self.dir.path()).env("TREFOIL_PASSPHRASE", "as on the page, asked for");
        shell
    }

    fn logs(&self) -> String {
        LAPTOPS.map(|l| fs::read_to_string(self.folder(l).join("log")).unwrap_or_default()).join("\n")
    }

    /// The fingerprints that were printed, in place of the page's, and an address that is free.
    fn keys(&mut self, laptop: &str, said: &str) {
        let printed: Vec<&str> = said.lines().filter_map(|l| l.trim().strip_prefix("fingerprint  ")).collect();
        assert_eq!(printed.len(), 2, "{said}");
        let job: toml::Table = toml::from_str(&self.page.files()["job.toml"]).unwrap();
        let member = |list: &str, name: &str| {
            job[list].as_array().unwrap().iter().find(|m| m["name"].as_str() == Some(name)).unwrap().as_table().unwrap().clone()
        };
        let text = |member: &toml::Table, field: &str| member[field].as_str().unwrap().to_owned();
        let (party, owner) = (member("party", laptop), member("owner", &format!("{laptop}-records")));
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        self.here.push((text(&party, "fingerprint"), printed[0].to_owned()));
        self.here.push((text(&owner, "fingerprint"), printed[1].to_owned()));
        self.here.push((text(&party, "address"), address.clone()));
        let config = self.page.files()["party.toml"].replace("0.0.0.0:7001", &address);
        fs::write(self.folder(laptop).join("party.toml"), config).unwrap();
    }

    /// In a second terminal, until it listens and the job is approved.
    fn party(&mut self, laptop: &str, command: &str) {
        let log = self.folder(laptop).join("log");
        let mut shell = self.shell(laptop);
        let party = shell.arg(format!("exec {command}")).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        self.parties.push(party.spawn().unwrap());
        let until = Instant::now() + LIMIT;
        while !fs::read_to_string(&log).unwrap().contains("approved by") {
            assert!(Instant::now() < until, "{laptop}: {}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn rows(file: &Path) -> usize {
    fs::read_to_string(file).unwrap().lines().count() - 1
}

#[test]
fn the_tutorial() {
    let page = Page::read("docs/tutorial.md");
    let mut room = Room { dir: tempfile::tempdir().unwrap(), page, here: vec![], parties: vec![] };
    std::os::unix::fs::symlink(root(), room.dir.path().join("trefoil")).unwrap();
    LAPTOPS.iter().for_each(|l| fs::create_dir(room.folder(l)).unwrap());

    let typed = room.page.of("console").collect::<String>();
    let mut said = String::new();
    for line in typed.lines() {
        let (laptop, command) = line.split_once("$ ").unwrap();
        if command.starts_with("trefoil party") {
            room.party(laptop, command);
            continue;
        }
        let out = room.types(laptop, command);
        if command.starts_with("trefoil keygen") {
            room.keys(laptop, &out);
        }
        // When all have keys, one of them writes the job.
        if room.here.len() == 9 && !room.folder("red").join("job.toml").exists() {
            let job = room.here.iter().fold(room.page.files()["job.toml"].clone(), |text, (page, here)| text.replace(page, here));
            LAPTOPS.iter().for_each(|l| fs::write(room.folder(l).join("job.toml"), &job).unwrap());
        }
        said += &format!("{line}\n{out}");
    }
    println!("{said}");
    assert_eq!(LAPTOPS.map(|l| rows(&room.folder(l).join("records.csv"))).iter().sum::<usize>(), 569);
    assert_eq!(rows(&room.folder("blue").join("said.csv")), rows(&room.folder("blue").join("records.csv")));
    assert!(room.folder("blue").join("model.onnx").exists());
    let model = room.types("blue", "trefoil model show model.safetensors --json 2> /dev/null");
    assert_eq!(serde_json::from_str::<Value>(&model).unwrap()["network"], "6-16-2");
    let status = room.types("red", "trefoil job status job.toml --key party.pem --json 2> /dev/null");
    let accuracy = serde_json::from_str::<Value>(&status).unwrap()["P0 red"]["last"]["metric"].as_f64().unwrap();
    assert!(accuracy > 0.9, "{status}");

    // What the page says of who sees what.
    let blue = room.types("blue", "trefoil job status job.toml --key party.pem");
    assert!(blue.contains("trained") && !blue.contains("loss"), "{blue}");
    let refused = room.shell("red").arg("trefoil model fetch job.toml --key owner.pem").output().unwrap();
    assert!(!refused.status.success() && !room.folder("red").join("model.safetensors").exists());
}
