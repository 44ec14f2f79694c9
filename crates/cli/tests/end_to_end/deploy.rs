//! What is under `deploy/`, as far as it can be tried without systemd, Docker or Kubernetes: configurations, command lines, and that the
//! figures which must fit together do.
#![cfg(unix)]

use crate::common::{ends_within, run, text, trefoil};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use trefoil_client::keys::KeySource;
use trefoil_client::peers::Peers;
use trefoil_net::identity::Identity;
use trefoil_server::config::{Config, LogFormat};

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(deploy(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn all(folder: PathBuf, name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|p| if p.is_dir() { all(p, name) } else { vec![p] }).filter(|p| p.ends_with(name)).collect()
}

/// The program takes these arguments: with `--help` behind them it reads them all, and does nothing.
#[track_caller]
fn accepted(args: &[&str]) {
    let out = run(&[args, &["--help"]].concat());
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    assert!(!run(&[args, &["--no-such-option", "--help"]].concat()).status.success());
}

/// The value behind `key` in the first line that has it.
fn value<'a>(file: &'a str, key: &str) -> &'a str {
    file.lines().find_map(|l| l.trim().strip_prefix(key)).unwrap_or_else(|| panic!("no {key}")).trim()
}

#[test]
fn configurations() {
    let files = all(deploy(""), "party.toml");
    assert_eq!(files.len(), 5, "{files:?}");
    for file in &files {
        let config = Config::load(file).unwrap_or_else(|e| panic!("{e}"));
        let container = !file.ends_with("systemd/party.toml");
        config.key.parse::<KeySource>().unwrap();
        assert!(config.listen.ends_with(":7001"), "{file:?}");
        let status = config.status_address().unwrap().unwrap();
        assert_eq!((status.port(), status.ip().is_loopback()), (9100, !container), "{file:?}");
        assert_eq!(config.log_format == LogFormat::Json, container, "{file:?}");
        // A stop has time for the next checkpoint before it is a kill.
        let most: f64 = if container {
            value(&read("kubernetes/base/statefulset.yaml"), "terminationGracePeriodSeconds:").parse().unwrap()
        } else {
            value(&read("systemd/trefoil-party.service"), "TimeoutStopSec=").parse().unwrap()
        };
        assert!(config.grace + 10.0 <= most, "{file:?}");
        // Not the volume's own folder.
        assert_eq!(config.data.ends_with("/var/lib/trefoil/party"), container, "{file:?}");
        assert!(!config.insecure.plain_key && config.insecure.mask_seed.is_none() && config.insecure.record.is_none());
        assert_eq!(Peers::load(&config.peers).unwrap(), Peers::default(), "{file:?}");
    }
}

#[test]
fn overlays() {
    for organisation in ["bank", "hospital", "university"] {
        let text = read(&format!("kubernetes/{organisation}/kustomization.yaml"));
        let config = Config::load(&deploy(&format!("kubernetes/{organisation}/party.toml"))).unwrap();
        assert_eq!(value(&text, "namespace:"), format!("trefoil-{organisation}"));
        assert_eq!(value(&text, "newTag:"), env!("CARGO_PKG_VERSION"));
        assert_eq!(value(&text, "value:").trim_matches('"').parse::<usize>().unwrap(), config.threads, "{organisation}");
        for file in ["party.toml", "peers.toml"] {
            assert!(text.contains(&format!("- {file}\n")) && deploy(&format!("kubernetes/{organisation}/{file}")).exists());
        }
    }
    let pod = read("kubernetes/base/statefulset.yaml");
    let docker = read("docker/Dockerfile");
    for words in
        ["containerPort: 7001", "containerPort: 9100", "mountPath: /etc/trefoil", "mountPath: /var/lib/trefoil", "path: /readyz"]
    {
        assert!(pod.contains(words), "{words}");
    }
    let user = value(&docker, "USER ").split(':').next().unwrap();
    assert_eq!(value(&pod, "runAsUser:"), user);
    assert_eq!(value(&docker, "EXPOSE "), "7001 9100");
}

#[test]
fn command_lines() {
    let (docker, pod) = (read("docker/Dockerfile"), read("kubernetes/base/statefulset.yaml"));
    assert_eq!(value(&docker, "ENTRYPOINT "), "[\"/usr/local/bin/trefoil\"]");
    for list in [value(&docker, "CMD "), value(&pod, "args:")] {
        let args: Vec<String> = serde_json::from_str(list).unwrap();
        accepted(&args.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let unit = read("systemd/trefoil-party.service");
    let (_, line) = value(&unit, "ExecStart=").split_once("/usr/local/bin/trefoil ").unwrap();
    let args: Vec<&str> = line.split(" 3<").next().unwrap().split(' ').collect();
    accepted(&args);

    // Those of the page.
    let page = read("README.md");
    let mut count = 0;
    for (i, block) in page.split("```").enumerate().filter(|(i, _)| i % 2 == 1) {
        assert!(block.starts_with("sh\n"), "block {i}");
        for line in block.replace("\\\n", " ").lines() {
            let command = line.split('#').next().unwrap();
            let args = command.strip_prefix("trefoil ").or_else(|| Some(command.split_once("/usr/local/bin/trefoil ")?.1));
            if let Some(args) = args {
                accepted(&args.split_whitespace().collect::<Vec<_>>());
                count += 1;
            }
            for word in command.split_whitespace().filter(|w| w.starts_with("deploy/")) {
                assert!(deploy(&word["deploy/".len()..]).exists(), "{word}");
            }
        }
    }
    assert!(count >= 8, "{count}");
}

/// The unit's own command line starts a party: key and passphrase arrive by descriptors.
#[test]
fn the_unit_starts() {
    let dir = tempfile::tempdir().unwrap();
    let private = |name: &str, text: &str| {
        use std::io::Write;
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o400).open(dir.path().join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let identity = Identity::generate("bank").unwrap();
    private("key", &identity.to_encrypted_pem("open sesame").unwrap());
    private("passphrase", "open sesame\n");
    let config = read("systemd/party.toml").replace("0.0.0.0:7001", "127.0.0.1:0").replace("127.0.0.1:9100", "127.0.0.1:0");
    let config = config.replace("/var/lib/trefoil", dir.path().join("state").to_str().unwrap());
    fs::write(dir.path().join("party.toml"), config).unwrap();

    let unit = read("systemd/trefoil-party.service");
    let line = value(&unit, "ExecStart=").strip_prefix("/bin/sh -c '").unwrap().strip_suffix('\'').unwrap();
    // systemd writes one $ for two.
    let line = line.replace("$$", "$").replace("/usr/local/bin/trefoil", env!("CARGO_BIN_EXE_trefoil"));
    let line = line.replace("/etc/trefoil/", &format!("{}/", dir.path().display()));
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &line]).env_clear().env("CREDENTIALS_DIRECTORY", dir.path()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(|l| l.unwrap());
    let started = log.find(|l| l.contains("listening") || l.starts_with("error"));
    assert!(started.as_deref().is_some_and(|l| l.contains(&identity.fingerprint().to_string())), "{started:?}");
    // It stops as systemd stops it.
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(ends_within(&mut child, Duration::from_secs(10)), 0);
    let out = trefoil(&["audit"]).arg(dir.path().join("state/audit.jsonl")).output().unwrap();
    assert!(text(&out.stderr).contains("2 entries, unbroken"), "{}", text(&out.stderr));
}
