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
    assert_eq!(files.len(), 7, "{files:?}");
    for file in &files {
        let config = Config::load(file).unwrap_or_else(|e| panic!("{e}"));
        let [systemd, slurm] = ["systemd", "slurm"].map(|folder| file.ends_with(format!("{folder}/party.toml")));
        let container = !systemd && !slurm;
        config.key.parse::<KeySource>().unwrap();
        assert!(config.listen.ends_with(":7001"), "{file:?}");
        let status = config.status_address().unwrap().unwrap();
        assert_eq!((status.port(), status.ip().is_loopback()), (9100, !container), "{file:?}");
        assert_eq!(config.log_format == LogFormat::Json, container, "{file:?}");
        // A stop has time for the next checkpoint before it is a kill.
        let most: f64 = if slurm {
            // Slurm's KillWait.
            30.0
        } else if systemd {
            value(&read("systemd/trefoil-party.service"), "TimeoutStopSec=").parse().unwrap()
        } else {
            value(&read("kubernetes/base/statefulset.yaml"), "terminationGracePeriodSeconds:").parse().unwrap()
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

/// What starts a rank: its own command line, as a shell has it in `text`.
fn rank(text: &str) -> Vec<&str> {
    let (_, line) = text.split_once("exec trefoil ").unwrap();
    line.split(" 3<").next().unwrap().split(' ').collect()
}

/// A party of several ranks: each has a service, an address and a worker, and what they say to one another stays among them.
#[test]
fn ranks_in_kubernetes() {
    let [job, lanes, policy, overlay] =
        ["mpijob", "lanes", "networkpolicy", "kustomization"].map(|f| read(&format!("kubernetes-mpi/{f}.yaml")));
    let config = Config::load(&deploy("kubernetes-mpi/party.toml")).unwrap();
    let ranks = config.lanes.len() + 1;
    assert_eq!(config.lanes_of("bank.example:7001", ranks).unwrap().len() + 1, ranks);
    for place in [format!("- \"{ranks}\"\n"), format!("replicas: {ranks}\n"), format!("cpu: \"{}\"\n", config.threads)] {
        assert!(job.contains(&place), "{place}");
    }
    for rank in 0..ranks {
        assert!(lanes.contains(&format!("replica-index: \"{rank}\"\n")) && lanes.contains(&format!("name: rank-{rank}\n")));
        // Each has a pod and an address of its own, and so the same port.
        assert_eq!(config.lane_listens(rank.max(1)).unwrap(), config.listen);
        assert!(rank == 0 || config.lanes[rank - 1].starts_with(&format!("rank-{rank}.")));
    }
    // mpirun kills later than a rank is done, and earlier than the pod is killed.
    let timeout: f64 = job.split_once("odls_base_sigkill_timeout").unwrap().1.split('"').nth(1).unwrap().parse().unwrap();
    let grace: f64 = value(&job, "terminationGracePeriodSeconds:").parse().unwrap();
    assert!(config.grace < timeout && timeout < grace, "{} {timeout} {grace}", config.grace);
    let args = rank(&job);
    assert_eq!(args[..3], ["party", "--config", "/etc/trefoil/party.toml"]);
    accepted(&args);
    // Nothing but the job's own pods may send to a rank at any port; peers and owners come to the party's.
    assert_eq!((policy.matches("- podSelector:").count(), policy.matches("port: party").count()), (2, 2));
    assert_eq!((value(&job, "name:"), value(&policy, "training.kubeflow.org/job-name:")), ("party", "party"));
    assert_eq!((value(&overlay, "newTag:"), value(&overlay, "namespace:")), (env!("CARGO_PKG_VERSION"), "trefoil-bank"));
    let docker = read("kubernetes-mpi/Dockerfile");
    assert!(docker.contains("--features mpi") && value(&docker, "USER ").starts_with(value(&job, "runAsUser:")));
}

/// Slurm's script with stand-ins for what Slurm has: the rank that peers know comes first, the others are named, and all are started again where one has died.
#[test]
fn ranks_under_slurm() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let program = |name: &str, text: &str| {
        fs::write(at(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("scontrol", "printf 'node1\\nnode2\\nnode3\\n'");
    let srun = "cp \"$TREFOIL_CONFIG\" \"$0.toml\"; cp \"$SLURM_HOSTFILE\" \"$0.hosts\"; for last; do :; done; echo \"$last\" > \"$0.line\"";
    program("srun", &format!("{srun}; echo run >> \"$0.runs\"; [ $(wc -l < \"$0.runs\") -gt 1 ]"));
    fs::copy(deploy("slurm/party.toml"), at("party.toml")).unwrap();
    let start = |first: &str| {
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
        let job = [("SLURM_JOB_ID", "7"), ("SLURM_JOB_NODELIST", "node[1-3]"), ("TREFOIL_FIRST", first), ("TREFOIL_PAUSE", "0")];
        let mut bash = Command::new("bash");
        bash.arg(deploy("slurm/party.sbatch")).envs(job).env("PATH", path).env("TREFOIL_HOME", dir.path());
        bash.env("TREFOIL_DOMAIN", "hpc.example").output().unwrap()
    };
    let out = start("node2");
    assert!(out.status.success(), "{}", text(&out.stderr));
    let read = |name: &str| fs::read_to_string(at(name)).unwrap();
    assert_eq!((read("srun.hosts"), read("srun.runs")), ("node2\nnode1\nnode3\n".into(), "run\nrun\n".into()));
    let config = Config::load(&at("srun.toml")).unwrap();
    assert_eq!(config.lanes_of("node2.hpc.example:7001", 3).unwrap(), ["node1.hpc.example:7001", "node3.hpc.example:7001"]);
    assert_eq!(config.lane_listens(2).unwrap(), "0.0.0.0:7001");
    let line = read("srun.line").replace("\"$TREFOIL_CONFIG\"", "party.toml");
    accepted(&rank(&line));
    // Nothing is left of it, and a node that is not there is named.
    assert!(!at("party-7.toml").exists() && !at("hosts-7").exists());
    let out = start("node9");
    assert_eq!(out.status.code(), Some(2));
    assert!(
        text(&out.stderr).contains("TREFOIL_FIRST: found node9, expected one of this allocation's nodes: node1 node2 node3"),
        "{}",
        text(&out.stderr)
    );
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
