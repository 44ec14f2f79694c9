//! `trefoil keygen` and `trefoil peers`: what they write, and everything that they refuse.
#![cfg(unix)]

use crate::common::{path, refused, run, text, trefoil};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use trefoil_client::peers::Peers;
use trefoil_net::identity::{Fingerprint, Identity};

/// Runs the program in `dir`, with this passphrase in its environment or with none.
fn at(dir: &Path, passphrase: Option<&str>, args: &[&str]) -> Output {
    let mut command = trefoil(args);
    match passphrase {
        Some(passphrase) => command.env("TREFOIL_PASSPHRASE", passphrase),
        None => command.env_remove("TREFOIL_PASSPHRASE"),
    };
    command.current_dir(dir).output().unwrap()
}

fn succeeded(out: &Output) -> String {
    assert!(out.status.success(), "{}", text(&out.stderr));
    text(&out.stdout)
}

fn read(file: &Path, passphrase: &str) -> Identity {
    Identity::from_encrypted_pem(&fs::read_to_string(file).unwrap(), passphrase).unwrap()
}

#[test]
fn keygen() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("secret/keys");
    let out = succeeded(&at(dir.path(), Some("hunter2"), &["keygen", "p0", "clinic-1", "--dir", "secret/keys", "--days", "30"]));
    for name in ["p0", "clinic-1"] {
        let file = keys.join(format!("{name}.pem"));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!fs::read_to_string(&file).unwrap().contains("BEGIN PRIVATE KEY"));
        let it = read(&file, "hunter2");
        let valid = it.valid().unwrap();
        assert_eq!(valid.end.duration_since(valid.start).unwrap().as_secs(), 31 * 24 * 60 * 60);
        assert!(out.contains(&it.fingerprint().to_string()), "{out}");
        let all: Vec<&str> = out.split_whitespace().collect();
        assert!(all.join(" ").contains(&it.fingerprint().words()), "{out}");
    }
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o700);
    // Quiet: the fingerprint and nothing else.
    let out = succeeded(&at(dir.path(), Some("hunter2"), &["keygen", "p1", "--quiet"]));
    assert_eq!(out.trim().parse::<Fingerprint>().unwrap(), read(&dir.path().join("p1.pem"), "hunter2").fingerprint());
    assert_eq!(out.len(), 65);
    // The code is drawn with half blocks, with a margin around it.
    let out = succeeded(&at(dir.path(), Some("hunter2"), &["keygen", "p2", "--qr"]));
    assert!(out.lines().filter(|l| l.starts_with('█')).count() >= 16, "{out}");
}

#[test]
fn keygen_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |passphrase, args: &[&str], words: &[&str]| {
        refused(&at(dir.path(), passphrase, &[&["keygen"], args].concat()), 2, words);
    };
    refused(None, &["p0"], &["passphrase: found neither TREFOIL_PASSPHRASE nor --passphrase-fd nor a terminal"]);
    refused(Some(""), &["p0"], &["passphrase: it is empty"]);
    refused(Some("x"), &["p0", "--passphrase-fd", "99"], &["passphrase: fd:99: "]);
    refused(Some("x"), &["P0"], &["name: found \"P0\", expected 1 to 64 of the characters a-z, 0-9 and -"]);
    refused(Some("x"), &["../p0"], &["name: found \"../p0\""]);
    refused(Some("x"), &["p0", "p0"], &["NAME: found p0 twice"]);
    refused(Some("x"), &["p0", "--days", "0"], &["--days", "1..=36525"]);
    refused(Some("x"), &[], &["NAME", "not provided"]);
    refused(Some("x"), &["p0", "--import", "fd:x"], &["key: found \"fd:x\", expected a file, env:NAME or fd:N"]);
    refused(Some("x"), &["p0", "p1", "--import", "k.pem"], &["--import: found 2 names, expected one"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

    // Nothing is overwritten, and of several names all are looked at first.
    succeeded(&at(dir.path(), Some("x"), &["keygen", "p1"]));
    let before = read(&dir.path().join("p1.pem"), "x").fingerprint();
    refused(Some("x"), &["p0", "p1"], &["p1.pem: exists already; --force replaces it"]);
    assert!(!dir.path().join("p0.pem").exists());
    assert_eq!(read(&dir.path().join("p1.pem"), "x").fingerprint(), before);
    succeeded(&at(dir.path(), Some("y"), &["keygen", "p1", "--force"]));
    assert_ne!(read(&dir.path().join("p1.pem"), "y").fingerprint(), before);

    fs::write(dir.path().join("file"), "").unwrap();
    let out = at(dir.path(), Some("x"), &["keygen", "p0", "--dir", "file/keys"]);
    crate::common::refused(&out, 3, &["file/keys: "]);
}

/// A plain key becomes an encrypted one, with the same fingerprint.
#[test]
fn import() {
    let dir = tempfile::tempdir().unwrap();
    let it = Identity::generate("old").unwrap();
    let plain = dir.path().join("old.pem");
    fs::write(&plain, &*it.to_pem()).unwrap();
    fs::set_permissions(&plain, PermissionsExt::from_mode(0o640)).unwrap();
    let out = at(dir.path(), Some("x"), &["keygen", "p0", "--import", "old.pem"]);
    refused(&out, 2, &["old.pem: others may read or write it (mode 0640), expected 0600: chmod 600 old.pem"]);
    fs::set_permissions(&plain, PermissionsExt::from_mode(0o600)).unwrap();
    let out = succeeded(&at(dir.path(), Some("x"), &["keygen", "p0", "--import", "old.pem", "--quiet"]));
    assert_eq!(out.trim(), it.fingerprint().to_string());
    assert_eq!(read(&dir.path().join("p0.pem"), "x").fingerprint(), it.fingerprint());
    let out = at(dir.path(), Some("x"), &["keygen", "p1", "--import", "p0.pem"]);
    refused(&out, 2, &["p0.pem: found an encrypted private key, expected one in the clear"]);

    // From the environment, and the passphrase from a descriptor.
    let script = "exec 3<<<'first line'; exec \"$@\"";
    let mut command = std::process::Command::new("bash");
    command.args([
        "-c",
        script,
        "bash",
        env!("CARGO_BIN_EXE_trefoil"),
        "keygen",
        "p2",
        "--import",
        "env:OLD",
        "--passphrase-fd",
        "3",
    ]);
    let out = command.env("OLD", &*it.to_pem()).env("TREFOIL_PASSPHRASE", "not this").current_dir(dir.path()).output().unwrap();
    succeeded(&out);
    assert_eq!(read(&dir.path().join("p2.pem"), "first line").fingerprint(), it.fingerprint());
}

#[test]
fn peers() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("peers.toml");
    let [a, b] = [1, 2].map(|i| Fingerprint([i; 32]));
    let peers = |args: &[&str]| at(dir.path(), None, &[&["peers"], args].concat());
    let nobody = peers(&["list"]);
    assert!(nobody.status.success() && nobody.stdout.is_empty());
    assert!(!file.exists());
    succeeded(&peers(&["add", "bank", "bank.example:7001", &a.to_string()]));
    // The words one by one, as they are read aloud, or as one argument.
    let words = b.words();
    let by_word: Vec<&str> = ["add", "clinic", "-"].into_iter().chain(words.split(' ')).collect();
    succeeded(&peers(&by_word));
    succeeded(&peers(&["add", "clinic", "-", &words]));
    assert_eq!(succeeded(&peers(&["list"])), format!("bank    bank.example:7001  {a}\nclinic  -                  {b}\n"));
    assert!(succeeded(&peers(&["list", "--words"])).contains(&words));
    assert_eq!(Peers::load(&file).unwrap().named(b).unwrap().0, "clinic");
    // Another file; a new key.
    succeeded(&peers(&["add", "bank", "-", &b.to_string(), "--file", "other.toml"]));
    succeeded(&peers(&["add", "bank", "-", &a.to_string(), "--replace", "--file", "other.toml"]));
    assert_eq!(succeeded(&peers(&["list", "--file", "other.toml"])), format!("bank  -  {a}\n"));
    succeeded(&peers(&["remove", "bank"]));
    assert_eq!(succeeded(&peers(&["list"])), format!("clinic  -  {b}\n"));
}

#[test]
fn peers_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("peers.toml");
    let file = path(&file);
    let [a, b] = [1, 2].map(|i| Fingerprint([i; 32]).to_string());
    let peers = |args: &[&str]| run(&[&["peers", "--file", file], args].concat());
    succeeded(&peers(&["add", "bank", "localhost:7001", &a]));
    let before = fs::read(file).unwrap();
    let short = format!("zoo {}", Fingerprint([3; 32]).words().split(' ').skip(1).collect::<Vec<_>>().join(" "));
    for (args, code, words) in [
        (&["add", "bank", "localhost:7001", &b][..], 2, ["bank: is known with fingerprint", "--replace"]),
        (&["add", "clinic", "-", &a], 2, ["clinic: the fingerprint", "is bank's already"]),
        (&["add", "Clinic", "-", &b], 2, ["name: found \"Clinic\"", "a-z"]),
        (&["add", "clinic", "localhost", &b], 2, ["address: found \"localhost\"", "host:port"]),
        (&["add", "clinic", "localhost:0", &b], 2, ["\"localhost:0\"", "1 to 65535"]),
        (&["add", "clinic", "-", &b[1..]], 2, ["clinic: identity: fingerprint: found 63 characters", "expected 64"]),
        (&["add", "clinic", "-", &short], 2, ["fingerprint: ", "checksum is wrong"]),
        (&["add", "clinic", "-", "zoo", "zoo"], 2, ["fingerprint: found 2 words", "expected 24"]),
        (&["add", "clinic", "-"], 2, ["FINGERPRINT", "not provided"]),
        (&["remove", "clinic"], 2, ["clinic: no such peer", "expected one of bank"]),
    ] {
        refused(&peers(args), code, &words);
    }
    assert_eq!(fs::read(file).unwrap(), before);
    fs::write(file, "[bank]\nfingerprint = \"12\"\n").unwrap();
    refused(&peers(&["list"]), 2, &["peers.toml: line 2: ", "fingerprint: found 2 characters"]);
    refused(&peers(&["add", "clinic", "-", &b]), 2, &["peers.toml: line 2: "]);
    refused(&run(&["peers", "list", "--file", path(dir.path())]), 2, &["directory"]);
}
