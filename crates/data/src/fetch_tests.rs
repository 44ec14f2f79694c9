//! `fetch` against a local server that answers what a test tells it to.

use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;

/// SHA-256 of "abc" (FIPS 180-2, appendix B.1).
const ABC: Pinned = Pinned { name: "abc", bytes: 3, sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" };

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut e = GzEncoder::new(Vec::new(), Compression::default());
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

fn ok(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn answer(mut stream: TcpStream, response: &[u8]) {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        request.push(byte[0]);
    }
    assert!(request.starts_with(b"GET /some/abc.gz HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&request));
    // The client may hang up early on a body that is too long.
    let _ = stream.write_all(response);
}

/// The machine's proxy settings have no part in a test.
fn agent() -> Agent {
    Agent::config_builder().proxy(None).timeout_global(Some(Duration::from_secs(10))).build().new_agent()
}

/// One request for "abc" into `dir`, answered with `response`.
fn fetch_from(dir: &Path, response: Vec<u8>) -> Result<Vec<Fetched>> {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/some/", server.local_addr().unwrap());
    let serve = thread::spawn(move || answer(server.accept().unwrap().0, &response));
    let result = fetch(&[ABC], dir, &url, &agent());
    serve.join().unwrap();
    result
}

fn refused(response: Vec<u8>) -> DataError {
    let dir = tempfile::tempdir().unwrap();
    let error = fetch_from(dir.path(), response).unwrap_err();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing may be left behind");
    assert!(!error.to_string().contains('\n'));
    assert!(error.to_string().contains("/some/abc.gz: "), "{error}");
    error
}

#[test]
fn a_right_file_is_kept_and_not_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("new/folder");
    let first = fetch_from(&folder, ok(&gzip(b"abc"))).unwrap();
    assert!(first[0].downloaded);
    assert_eq!(fs::read(&first[0].path).unwrap(), gzip(b"abc"));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    let again = fetch(&[ABC], &folder, "http://127.0.0.1:1/", &agent()).unwrap();
    assert!(!again[0].downloaded);
}

#[test]
fn a_wrong_file_on_disk_is_replaced_only_by_a_right_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("abc.gz");
    fs::write(&path, "old").unwrap();
    assert!(fetch_from(dir.path(), ok(&gzip(b"abd"))).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert!(fetch_from(dir.path(), ok(&gzip(b"abc"))).is_ok());
    assert_eq!(fs::read(&path).unwrap(), gzip(b"abc"));
}

#[test]
fn a_tampered_file_is_refused() {
    assert!(matches!(refused(ok(&gzip(b"abd"))), DataError::Digest { .. }));
    assert!(matches!(refused(ok(&gzip(b"abcd"))), DataError::TooLarge { cap: 3, .. }));
    assert!(matches!(refused(ok(b"<html>login</html>")), DataError::Gzip { .. }));
    assert!(matches!(refused(ok(&[&gzip(b"abc")[..], b"!"].concat())), DataError::Gzip { .. }));
}

#[test]
fn a_truncated_file_is_refused() {
    let packed = gzip(b"abc");
    assert!(matches!(refused(ok(&packed[..packed.len() - 1])), DataError::Gzip { .. }));
    // The connection ends before the announced length.
    let whole = ok(&packed);
    assert!(matches!(refused(whole[..whole.len() - 1].to_vec()), DataError::Fetch { .. }));
}

#[test]
fn an_endless_file_is_cut_off() {
    assert!(matches!(refused(ok(&[0; 100_000])), DataError::TooLarge { cap: 1027, .. }));
}

#[test]
fn an_http_error_names_the_status() {
    let error = refused(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()).to_string();
    assert!(error.ends_with("cannot download: found HTTP status 404, expected 200"), "{error}");
}

#[test]
fn no_network_is_one_clear_line() {
    // A port that was free a moment ago refuses the connection.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dir = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{port}/some");
    let error = fetch(&[ABC], dir.path(), &url, &agent()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{url}/abc.gz: cannot download: ")), "{error}");
    assert!(error.contains("without a network") && !error.contains('\n'), "{error}");
    assert!(fetch(&[ABC], dir.path(), "not a url", &agent()).is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// The pins and the reader against the real files, where they are at hand.
#[test]
fn the_pins_are_those_of_mnist() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/mnist");
    if !dir.is_dir() {
        println!("skipped: no MNIST at {}", dir.display());
        return;
    }
    for pinned in &MNIST {
        let packed = file::read(&dir.join(format!("{}.gz", pinned.name))).unwrap();
        pinned.verify(&packed, pinned.name).unwrap();
    }
    let test = crate::mnist::load(&dir).unwrap();
    assert_eq!((test.train.rows(), test.test.rows(), test.schema.features()), (60_000, 10_000, 784));
    let [_, y] = test.train.take(5).decoded(&test.schema);
    assert!([5, 0, 4, 1, 9].into_iter().enumerate().all(|(i, label)| y[[i, label]] == 1.0));
}
