//! Sources that work and sources that are refused. The environment belongs to the whole process: the end-to-end tests
//! look at it.

use super::*;
use std::os::unix::fs::PermissionsExt;

const NOBODY: PassphraseSource = PassphraseSource { fd: Some(9999) };

/// A descriptor that this process has open, with `text` to be read from it.
fn fd(text: &str) -> (File, u32) {
    use std::os::fd::AsRawFd;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let file = file.reopen().unwrap();
    let n = file.as_raw_fd() as u32;
    (file, n)
}

fn why<T>(result: Result<T>) -> String {
    let e = result.err().unwrap().to_string();
    assert!(!e.contains('\n'), "{e}");
    e
}

#[test]
fn sources_as_text() {
    for (text, source) in [
        ("keys/p0.pem", KeySource::File("keys/p0.pem".into())),
        ("C:\\keys\\p0.pem", KeySource::File("C:\\keys\\p0.pem".into())),
        ("env:TREFOIL_KEY", KeySource::Env("TREFOIL_KEY".into())),
        ("fd:3", KeySource::Fd(3)),
    ] {
        assert_eq!(text.parse::<KeySource>().unwrap(), source);
        assert_eq!(source.to_string(), text);
    }
    for wrong in ["", "env:", "env:A=B", "fd:", "fd:-1", "fd:three"] {
        let e = wrong.parse::<KeySource>().unwrap_err().to_string();
        assert_eq!(e, format!("key: found {wrong:?}, expected a file, env:NAME or fd:N"));
    }
}

#[test]
fn a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p0.pem");
    let name = file.display().to_string();
    let source = KeySource::File(file.clone());
    let it = Identity::generate("p0").unwrap();
    assert!(why(source.load(&NOBODY, false)).starts_with(&format!("{name}: No such file")));

    store(&file, &it.to_encrypted_pem("secret").unwrap(), false).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (_open, n) = fd("secret\r\nand more\n");
    let right = PassphraseSource { fd: Some(n) };
    assert_eq!(source.load(&right, false).unwrap().fingerprint(), it.fingerprint());
    let (_open, n) = fd("another");
    let e = why(source.load(&PassphraseSource { fd: Some(n) }, false));
    assert_eq!(e, format!("{name}: identity: wrong passphrase, or the encrypted private key is damaged"));
    let (_open, n) = fd("\nsecret");
    assert_eq!(why(source.load(&PassphraseSource { fd: Some(n) }, false)), "passphrase: it is empty");
    assert!(why(source.load(&NOBODY, false)).starts_with("passphrase: fd:9999: No such file"));

    for mode in [0o640, 0o604, 0o620] {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let expected = format!("{name}: others may read or write it (mode {mode:04o}), expected 0600: chmod 600 {name}");
        assert_eq!(why(source.load(&right, false)), expected);
    }
}

#[test]
fn a_plain_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p0.pem");
    let source = KeySource::File(file.clone());
    let it = Identity::generate("p0").unwrap();
    store(&file, &it.to_pem(), false).unwrap();
    let e = why(source.load(&NOBODY, false));
    assert!(e.contains("p0.pem: the private key is not encrypted") && e.contains("trefoil keygen NAME --import"), "{e}");
    assert!(e.contains("--insecure-plain-key"), "{e}");
    assert_eq!(source.load(&NOBODY, true).unwrap().fingerprint(), it.fingerprint());

    for (content, expected) in [
        (&b"rubbish"[..], "identity: no certificate in PEM"),
        (&[0xff; 9], "found bytes that are no text, expected UTF-8"),
        (&[b'x'; MOST + 1], "found more than 65536 bytes"),
    ] {
        std::fs::write(&file, content).unwrap();
        let e = why(source.load(&NOBODY, true));
        assert!(e.contains("p0.pem: ") && e.contains(expected), "{e}");
    }
}

#[test]
fn a_descriptor() {
    let it = Identity::generate("p0").unwrap();
    let (_open, n) = fd(&it.to_pem());
    assert_eq!(KeySource::Fd(n).load(&NOBODY, false).unwrap().fingerprint(), it.fingerprint());
    let (_open, n) = fd(&it.to_encrypted_pem("secret").unwrap());
    let (_secret, m) = fd("secret");
    let got = KeySource::Fd(n).load(&PassphraseSource { fd: Some(m) }, false).unwrap();
    assert_eq!(got.fingerprint(), it.fingerprint());
    let e = why(KeySource::Env("TREFOIL_NOT_SET".into()).load(&NOBODY, false));
    assert_eq!(e, "env:TREFOIL_NOT_SET: found nothing, expected a certificate and key as PEM");
}

#[test]
fn nothing_is_overwritten_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p0.pem");
    store(&file, "one", false).unwrap();
    assert!(why(store(&file, "two", false)).contains("p0.pem: exists already; --force replaces it"));
    assert_eq!(std::fs::read(&file).unwrap(), b"one");
    store(&file, "two", true).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"two");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    assert!(why(store(&dir.path().join("no/p0.pem"), "x", false)).contains("no/p0.pem: No such file"));
}
