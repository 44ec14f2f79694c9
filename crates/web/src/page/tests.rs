//! The page, through a real port.

use super::*;
use crate::listen;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

struct Port {
    at: SocketAddr,
    door: Arc<Door>,
    feed: Arc<Feed>,
    _runtime: Runtime,
}

/// A status, a head and a body.
type Answer = (u16, String, String);

impl Port {
    fn open() -> Port {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let (at, door, feed) = (listener.local_addr().unwrap(), Arc::new(Door::new().unwrap()), Arc::<Feed>::default());
        runtime.spawn(listen::serve(listener, routes(door.clone(), feed.clone(), "ask for one")));
        Port { at, door, feed, _runtime: runtime }
    }

    fn send(&self, method: &str, path: &str, host: &str, more: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n").unwrap();
        stream
    }

    fn ask(&self, method: &str, path: &str, host: &str, more: &str) -> Answer {
        let mut text = String::new();
        self.send(method, path, host, more).read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
    }

    fn get(&self, path: &str, more: &str) -> Answer {
        self.ask("GET", path, &self.at.to_string(), more)
    }

    /// The `Cookie` header of who has used a link.
    fn enter(&self) -> String {
        let (status, head, body) = self.get(&format!("/?link={}", self.door.link().unwrap()), "");
        assert!(status == 303 && head.contains("\r\nlocation: /\r\n") && body.is_empty(), "{head}");
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        for word in ["; httponly", "; samesite=strict", "; path=/", "; max-age=43200"] {
            assert!(cookie.contains(word), "{cookie}");
        }
        format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
    }
}

fn paths() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().map(|(path, ..)| *path).chain(["/events"])
}

#[test]
fn a_link_lets_one_browser_in() {
    let port = Port::open();
    for path in paths() {
        let (status, head, body) = port.get(path, "");
        assert!(status == 401 && body == "this page is for its operator: ask for one\n", "{path}: {head}");
    }
    let cookie = port.enter();
    for (path, kind, text) in ASSETS {
        let (status, head, body) = port.get(path, &cookie);
        assert!(status == 200 && head.contains(&format!("content-type: {kind}")) && body == text, "{path}: {head}");
    }
    // A look at the head uses nothing up; the link does, for the first who brings it.
    let link = format!("/?link={}", port.door.link().unwrap());
    assert_eq!(port.ask("HEAD", &link, &port.at.to_string(), "").0, 401);
    assert_eq!(port.get(&link.replace("/?", "/page.js?"), "").0, 401);
    assert_eq!(port.get(&link, "").0, 303);
    let (status, _, body) = port.get(&link, "");
    assert!(status == 401 && body.starts_with("this link is used up, too old, or none"), "{status} {body}");
    let changed = if cookie.ends_with("0\r\n") {
        cookie.replace("0\r\n", "1\r\n")
    } else {
        format!("{}0\r\n", &cookie[..cookie.len() - 3])
    };
    assert_eq!(port.get("/", &changed).0, 401);
    assert_eq!(port.get("/elsewhere", &cookie).0, 404);
}

#[test]
fn nobody_else_gets_in() {
    let port = Port::open();
    let cookie = port.enter();
    let n = port.at.port();
    for host in [format!("localhost:{n}"), "localhost:8080".into(), format!("[::1]:{n}")] {
        assert_eq!(port.ask("GET", "/", &host, &cookie).0, 200, "{host}");
    }
    for host in ["evil.example".to_owned(), format!("evil.example:{n}"), format!("localhost.evil.example:{n}"), String::new()] {
        let (status, _, body) = port.ask("GET", "/", &host, &cookie);
        assert!(status == 421 && body.starts_with("Host: found"), "{host}: {status} {body}");
        // Before a link is looked at.
        let link = format!("/?link={}", port.door.link().unwrap());
        assert_eq!(port.ask("GET", &link, &host, "").0, 421);
        assert_eq!(port.get(&link, "").0, 303);
    }
    for path in paths() {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"] {
            let (status, head, _) = port.ask(method, path, &port.at.to_string(), &cookie);
            assert!(
                status == 405 && head.contains("allow: get, head") && !head.contains("access-control"),
                "{method} {path}: {head}"
            );
        }
        assert_eq!(port.ask("HEAD", path, &port.at.to_string(), &cookie).0, 200, "{path}");
    }
    for (site, status) in [("none", 200), ("same-origin", 200), ("same-site", 403), ("cross-site", 403), ("odd", 403)] {
        assert_eq!(port.get("/", &format!("{cookie}Sec-Fetch-Site: {site}\r\n")).0, status, "{site}");
    }
    // From another machine, where the port is open to others.
    let routes = TowerToHyperService::new(routes(port.door.clone(), port.feed.clone(), "no"));
    let from = |address: &str| {
        let caller = listen::Caller(address.parse().unwrap());
        let (name, value) = cookie.trim().split_once(": ").unwrap();
        let request = Request::builder().uri("/").header("Host", "localhost").header(name, value).extension(caller);
        port._runtime.block_on(routes.call(request.body(Body::empty()).unwrap())).unwrap().status().as_u16()
    };
    assert_eq!(
        ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "192.168.0.7:1", "[2001:db8::1]:1"].map(from),
        [200, 200, 200, 403, 403]
    );
}

#[test]
fn every_answer_has_its_headers() {
    let port = Port::open();
    let cookie = port.enter();
    let host = port.at.to_string();
    let answers = paths().filter(|path| *path != "/events").map(|path| port.get(path, &cookie));
    let others = [
        port.get("/", ""),
        port.ask("POST", "/", &host, ""),
        port.ask("GET", "/", "evil.example", ""),
        port.ask("HEAD", "/events", &host, &cookie),
    ];
    for (status, head, _) in answers.chain(others) {
        for (name, value) in HEADERS {
            assert!(head.contains(&format!("{name}: {}", value.to_lowercase())), "{status}: {name} in {head}");
        }
    }
    for word in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
        assert!(POLICY.contains(word) && !POLICY.contains("unsafe") && !POLICY.contains('*'));
    }
}

/// Nothing is asked of another machine, and nothing in the page needs an exception from the policy.
#[test]
fn the_files_are_small_and_stand_alone() {
    let bytes: usize = ASSETS.iter().map(|(.., text)| text.len()).sum();
    assert!(bytes < 60_000, "{bytes} bytes");
    for (path, _, text) in ASSETS {
        let outside = text.replace("http://www.w3.org/2000/svg", "");
        for word in
            ["http:", "https:", "//cdn", "url(", "@import", "innerHTML", "eval(", "<style", " style=", " onclick", "javascript:"]
        {
            assert!(!outside.contains(word), "{word} in {path}");
        }
        for src in outside.split("src=\"").skip(1).chain(outside.split("href=\"").skip(1)) {
            assert!(src.starts_with('#') || src.starts_with('/') && !src.starts_with("//"), "{path}: {}", &src[..20]);
        }
    }
}

/// The next event's data.
fn event(stream: &mut impl BufRead) -> String {
    stream.lines().map_while(Result::ok).find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap_or_default()
}

#[test]
fn what_changes_is_told_at_once() {
    let port = Port::open();
    let cookie = port.enter();
    port.feed.show("party", vec![("jobs", r#"["x"]"#.into()), ("audit", "[]".into())]);
    let mut stream = BufReader::new(port.send("GET", "/events", &port.at.to_string(), &cookie));
    assert_eq!(event(&mut stream), r#"[["party","audit",[]],["party","jobs",["x"]]]"#);
    for step in 0..5 {
        let shown = Instant::now();
        port.feed.show("party", vec![("jobs", format!("[{step}]"))]);
        assert_eq!(event(&mut stream), format!(r#"[["party","jobs",[{step}]]]"#));
        assert!(shown.elapsed() < Duration::from_secs(1), "{:?}", shown.elapsed());
    }
    // Of many changes at once a reader gets the last.
    (0..1000).for_each(|n| drop(port.feed.show("party", vec![("jobs", n.to_string())])));
    let mut told = vec![];
    while told.last().is_none_or(|last| last != r#"[["party","jobs",999]]"#) {
        told.push(event(&mut stream));
    }
    assert!(told.len() <= 3, "{}", told.len());
    drop(stream);
    // One browser more than there are places; each place is free again once its browser is gone.
    let open = |_| {
        let mut stream = BufReader::new(port.send("GET", "/events", &port.at.to_string(), &cookie));
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        (line.contains("200"), stream)
    };
    let until = Instant::now() + Duration::from_secs(30);
    while port.feed.is_watched() {
        port.feed.show("party", vec![("time", format!("{:?}", until.elapsed().as_nanos()))]);
        assert!(Instant::now() < until, "a place is still taken");
        std::thread::sleep(Duration::from_millis(20));
    }
    let streams: Vec<_> = (0..MOST_STREAMS + 1).map(open).collect();
    assert_eq!(streams.iter().filter(|(taken, _)| *taken).count(), MOST_STREAMS);
}
