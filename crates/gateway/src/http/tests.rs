//! The port, with a model in the clear behind it.

use super::*;
use ndarray::Array2;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use trefoil_data::Schema;
use trefoil_job::{Error, evaluate, predict};
use trefoil_nn::Reveal;

const SCHEMA: &str = r#"{"task": "classification", "label": "ill", "classes": ["no", "yes"], "holdout": 0, "columns": [
    {"kind": "number", "name": "age", "mean": 50.0, "deviation": 10.0},
    {"kind": "category", "name": "town", "values": ["here", "there"]},
    {"kind": "pixels", "name": "scan", "count": 4}]}"#;

/// The second of two outputs is the sum of the inputs. Waits for a word of the test's, where it is to; says when it is asked.
#[derive(Default)]
struct Sum {
    wait: Option<Wait>,
    away: bool,
}

type Wait = (Mutex<Sender<()>>, Mutex<Receiver<()>>);

impl Oracle for Sum {
    type Conversation<'a> = &'a Sum;

    fn open(&self, _: bool) -> Result<&Sum, Error> {
        let away = trefoil_client::Error::Refused { peer: "P1".into(), why: "not here; ask again".into() };
        if self.away { Err(away.into()) } else { Ok(self) }
    }

    fn ask(sum: &mut &Sum, x: &Array2<f64>, deadline: Option<Duration>) -> Result<Array2<f64>, Error> {
        // What is left of the test's minute.
        assert!(deadline.is_none_or(|left| left > Duration::ZERO && left < Duration::from_secs(60)));
        if let Some((asked, go)) = &sum.wait {
            asked.lock().unwrap().send(()).unwrap();
            go.lock().unwrap().recv().unwrap();
        }
        Ok(Array2::from_shape_fn((x.nrows(), 2), |(i, j)| if j == 1 { x.row(i).sum() } else { 0.0 }))
    }
}

struct Port {
    at: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

fn port(reveal: Reveal, sum: Sum) -> Port {
    port_of(SCHEMA, reveal, sum)
}

fn port_of(schema: &str, reveal: Reveal, sum: Sum) -> Port {
    let schema: Schema = serde_json::from_str(schema).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let at = listener.local_addr().unwrap();
    runtime.spawn(trefoil_web::listen::serve(
        listener,
        routes(at, Model::new("a ward", &evaluate::input(&schema), &predict::task(&schema), reveal), sum),
    ));
    Port { at, _runtime: runtime }
}

impl Port {
    fn send(&self, head: &str, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // A body that is too large is not read.
        let _ = stream.write_all(body);
        stream
    }

    fn raw(&self, head: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        read(self.send(head, body))
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n", self.at.port());
        let (status, _, body) = self.raw(&head, b"");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    fn head(&self, more: &str, length: usize) -> String {
        format!(
            "POST /v2/models/a%20ward/infer HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{more}Content-Length: {length}\r\n\r\n",
            self.at
        )
    }

    fn infer(&self, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let (status, _, body) = self.raw(&self.head("", body.len()), body.as_bytes());
        (status, serde_json::from_slice(&body).unwrap())
    }
}

fn read(mut stream: TcpStream) -> (u16, String, Vec<u8>) {
    let mut all = vec![];
    let _ = stream.read_to_end(&mut all);
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&all)));
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    (head[9..12].parse().unwrap(), head.to_ascii_lowercase(), all[end + 4..].to_vec())
}

fn question() -> Value {
    json!({ "id": "q", "inputs": [
        { "name": "scan", "shape": [2, 2, 2], "datatype": "UINT8", "data": [[[64, 0], [0, 0]], [[0, 0], [0, 0]]] },
        { "name": "age", "shape": [2, 1], "datatype": "FP64", "data": [60, 35] },
        { "name": "town", "shape": [2], "datatype": "BYTES", "data": ["there", "here"] },
    ]})
}

#[test]
fn a_model_is_described_and_asked() {
    let port = port(Reveal::Probabilities, Sum::default());
    assert_eq!(port.get("/v2").1["name"], "trefoil");
    assert_eq!(port.get("/v2/health/live"), (200, json!({ "live": true })));
    assert_eq!(port.get("/v2/health/ready"), (200, json!({ "ready": true })));
    assert_eq!(port.get("/v2/models/a%20ward/versions/1/ready"), (200, json!({ "name": "a ward", "ready": true })));
    let (status, metadata) = port.get("/v2/models/a%20ward");
    assert_eq!((status, &metadata["platform"], &metadata["versions"]), (200, &json!("trefoil"), &json!(["1"])));
    assert_eq!(metadata["inputs"][0], json!({ "name": "age", "datatype": "FP64", "shape": [-1] }));
    assert_eq!(metadata["inputs"][1], json!({ "name": "town", "datatype": "BYTES", "shape": [-1] }));
    assert_eq!(metadata["inputs"][2], json!({ "name": "scan", "datatype": "UINT8", "shape": [-1, 4] }));
    let classes = json!({ "classes": ["no", "yes"] });
    assert_eq!(metadata["outputs"][0], json!({ "name": "class", "datatype": "BYTES", "shape": [-1], "parameters": classes }));
    assert_eq!(metadata["outputs"][1]["shape"], json!([-1, 2]));

    // 1 for the age, 1 for the town, 0.25 for the scan; -1.5 + 1.
    let (status, answer) = port.infer(&question());
    assert_eq!(
        (status, &answer["id"], &answer["model_name"], &answer["model_version"]),
        (200, &json!("q"), &json!("a ward"), &json!("1"))
    );
    assert_eq!(answer["outputs"][0], json!({ "name": "class", "datatype": "BYTES", "shape": [2], "data": ["yes", "no"] }));
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let expected = [1.0 - sigmoid(2.25), sigmoid(2.25), 1.0 - sigmoid(-0.5), sigmoid(-0.5)];
    assert_eq!(answer["outputs"][1]["shape"], json!([2, 2]));
    for (found, expected) in answer["outputs"][1]["data"].as_array().unwrap().iter().zip(expected) {
        assert!((found.as_f64().unwrap() - expected).abs() < 1e-12, "{answer}");
    }
    let mut class_alone = question();
    class_alone["outputs"] = json!([{ "name": "class" }]);
    assert_eq!(port.infer(&class_alone).1["outputs"].as_array().unwrap().len(), 1);
}

/// From which the gateway makes the numbers that the network takes.
#[test]
fn a_date_is_a_text() {
    let date = r#"{"kind": "date", "name": "seen", "since": "2024-01-01", "mean": 0.0, "deviation": 2.0, "parts": ["weekday"], "encoding": "one-hot"}"#;
    let schema = SCHEMA.replace(r#"{"kind": "pixels", "name": "scan", "count": 4}"#, date);
    let port = port_of(&schema, Reveal::Probabilities, Sum::default());
    let (_, metadata) = port.get("/v2/models/a%20ward");
    assert_eq!(metadata["inputs"].as_array().unwrap().len(), 3);
    assert_eq!(metadata["inputs"][2], json!({ "name": "seen", "datatype": "BYTES", "shape": [-1] }));
    let asked = |seen: &str| {
        port.infer(&json!({ "inputs": [
            { "name": "age", "shape": [1], "datatype": "FP64", "data": [50] },
            { "name": "town", "shape": [1], "datatype": "BYTES", "data": ["here"] },
            { "name": "seen", "shape": [1], "datatype": "BYTES", "data": [seen] },
        ]}))
    };
    // 1 for the town, 1 for the weekday, and 1 for two days.
    let (status, answer) = asked("2024-01-03");
    let found = answer["outputs"][1]["data"][1].as_f64().unwrap();
    assert!(status == 200 && (found - 1.0 / (1.0 + (-3_f64).exp())).abs() < 1e-12, "{answer}");
    let (status, answer) = asked("3.1.2024");
    assert!(status == 400 && answer["error"].as_str().unwrap().contains("expected a date such as"), "{answer}");
}

#[test]
fn the_binary_form_says_the_same() {
    let port = port(Reveal::Probabilities, Sum::default());
    let head = json!({ "parameters": { "binary_data_output": true }, "outputs": [
        { "name": "probabilities" }, { "name": "class", "parameters": { "binary_data": false } }],
        "inputs": [
        { "name": "age", "shape": [2], "datatype": "FP32", "parameters": { "binary_data_size": 8 } },
        { "name": "town", "shape": [2], "datatype": "BYTES", "parameters": { "binary_data_size": 17 } },
        { "name": "scan", "shape": [2, 4], "datatype": "UINT8", "parameters": { "binary_data_size": 8 } },
    ]})
    .to_string();
    let mut body = head.clone().into_bytes();
    [60f32, 35.0].iter().for_each(|v| body.extend(v.to_le_bytes()));
    body.extend(b"\x05\0\0\0there\x04\0\0\0here");
    body.extend([64, 0, 0, 0, 0, 0, 0, 0]);
    let length = format!("Inference-Header-Content-Length: {}\r\n", head.len());
    let (status, headers, answer) = port.raw(&port.head(&length, body.len()), &body);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let (_, json) = headers.split_once("inference-header-content-length: ").unwrap();
    let json: usize = json.lines().next().unwrap().parse().unwrap();
    let said: Value = serde_json::from_slice(&answer[..json]).unwrap();
    assert_eq!(said["outputs"][0]["parameters"], json!({ "binary_data_size": 32 }));
    assert_eq!(said["outputs"][1]["data"], json!(["yes", "no"]));
    let numbers: Vec<Value> = answer[json..].chunks(8).map(|b| json!(f64::from_le_bytes(b.try_into().unwrap()))).collect();
    assert_eq!(port.infer(&question()).1["outputs"][1]["data"], json!(numbers));
    // The same body whose head is not where it is said to be.
    for wrong in ["", "Inference-Header-Content-Length: 5\r\n", "Inference-Header-Content-Length: x\r\n"] {
        assert_eq!(port.raw(&port.head(wrong, body.len()), &body).0, 400, "{wrong}");
    }
}

#[test]
fn what_is_not_a_local_programs_is_refused() {
    let port = port(Reveal::Class, Sum::default());
    let get = |host: &str, more: &str| {
        let (status, headers, body) = port.raw(&format!("GET /v2 HTTP/1.1\r\n{host}Connection: close\r\n{more}\r\n"), b"");
        assert!(!headers.contains("access-control"), "{headers}");
        (status, String::from_utf8(body).unwrap())
    };
    let n = port.at.port();
    for host in [format!("localhost:{n}"), format!("127.0.0.1:{n}"), format!("[::1]:{n}"), format!("LOCALHOST:{n}")] {
        assert_eq!(get(&format!("Host: {host}\r\n"), "").0, 200, "{host}");
    }
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{n}"),
        "localhost".to_owned(),
        format!("localhost:{}", n ^ 1),
        format!("localhost:{n}.evil.example"),
    ] {
        let (status, line) = get(&format!("Host: {host}\r\n"), "");
        assert!(status == 421 && line.starts_with("{\"error\":\"Host: found "), "{host}: {status} {line}");
    }
    let twice = format!("Host: localhost:{n}\r\nHost: evil.example\r\n");
    for none in ["", &twice] {
        assert!((400..500).contains(&get(none, "").0), "{none}");
    }
    let own = format!("Host: localhost:{n}\r\n");
    for origin in ["https://evil.example", "null", &format!("http://localhost:{n}")] {
        let (status, line) = get(&own, &format!("Origin: {origin}\r\n"));
        assert!(status == 403 && line.contains("Origin: found one, expected none"), "{status} {line}");
    }
    // A page that asks whether it may ask.
    let head =
        format!("OPTIONS /v2/models/a%20ward/infer HTTP/1.1\r\n{own}Origin: https://evil.example\r\nConnection: close\r\n\r\n");
    assert_eq!(port.raw(&head, b"").0, 403);
}

#[test]
fn what_is_wrong_is_said_in_a_line() {
    let port = port(Reveal::Class, Sum::default());
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut question = question();
        change(&mut question);
        let (status, answer) = port.infer(&question);
        let line = answer["error"].as_str().unwrap_or_else(|| panic!("{status} {answer}")).to_owned();
        assert!(status == 400 && !line.contains('\n'), "{status} {line}");
        line
    };
    type Change = dyn Fn(&mut Value);
    let cases: [(&Change, &str); 9] = [
        (&|q| q["inputs"][1]["name"] = json!("years"), "tensor \"age\": found none, expected one"),
        (
            &|q| q["inputs"].as_array_mut().unwrap().push(json!({ "name": "x", "shape": [0], "datatype": "BOOL", "data": [] })),
            "inputs: found tensor \"x\", expected one for each of: age, town, scan",
        ),
        (
            &|q| {
                let again = q["inputs"][1].clone();
                q["inputs"].as_array_mut().unwrap().push(again)
            },
            "tensor \"age\": found two, expected one",
        ),
        (
            &|q| {
                q["inputs"][2]["shape"] = json!([1]);
                q["inputs"][2]["data"] = json!(["here"])
            },
            "tensor \"town\": found shape [1], expected [2]",
        ),
        (&|q| q["inputs"][0]["shape"] = json!([8]), "tensor \"scan\": found shape [8], expected [2, 4]"),
        (&|q| q["inputs"][0]["shape"] = json!([]), "tensor \"scan\": found 8 values, expected 1"),
        (
            &|q| q["inputs"][2]["data"][1] = json!("nowhere"),
            "inputs: record 2, column \"town\": found \"nowhere\", expected one of: \"here\", \"there\"",
        ),
        (
            &|q| q["outputs"] = json!([{ "name": "probabilities" }]),
            "outputs: found \"probabilities\", expected class: what the service reveals",
        ),
        (&|q| q["outputs"] = json!([{ "name": "class" }, { "name": "class" }]), "outputs: found \"class\" twice"),
    ];
    for (change, why) in cases {
        let line = changed(change);
        assert!(line.contains(why), "{line}");
    }
    let none = json!({ "inputs": [
        { "name": "age", "shape": [0], "datatype": "FP64", "data": [] },
        { "name": "town", "shape": [0], "datatype": "BYTES", "data": [] },
        { "name": "scan", "shape": [0, 4], "datatype": "UINT8", "data": [] }]});
    let (status, answer) = port.infer(&none);
    assert!(status == 400 && answer["error"].as_str().unwrap().contains("found no records"), "{answer}");
    for (path, why) in [
        ("/v2/models/other", "model: found \"other\", expected \"a ward\""),
        ("/v2/models/a%20ward/versions/2", "version: found \"2\", expected 1"),
        ("/v2/models/other/ready", "model: found \"other\""),
        ("/v3", "path: found none such"),
    ] {
        let (status, answer) = port.get(path);
        assert!(status == 404 && answer["error"].as_str().unwrap().contains(why), "{path}: {status} {answer}");
    }
    let (status, answer) = port.get("/v2/models/a%20ward/infer");
    assert!(status == 405 && answer["error"].as_str().unwrap().starts_with("method: "), "{status} {answer}");
    let (status, _, body) = port.raw(&port.head("Content-Encoding: gzip\r\n", 0), b"");
    assert!(status == 400 && String::from_utf8_lossy(&body).contains("Content-Encoding"), "{status}");
}

/// A request waits for as long as its `timeout` says, in microseconds; 0 says nothing. The service is told what is left of it.
#[test]
fn a_request_has_a_deadline() {
    let port = port(Reveal::Class, Sum::default());
    let with = |timeout: Value| {
        let mut question = question();
        question["parameters"]["timeout"] = timeout;
        port.infer(&question)
    };
    assert_eq!((with(json!(60_000_000)).0, with(json!(0)).0), (200, 200));
    let (status, answer) = with(json!(1));
    assert_eq!((status, answer["error"].as_str().unwrap()), (503, "late: the request has waited for longer than its timeout"));
    assert_eq!((with(json!(-1)).0, with(json!("soon")).0), (400, 400));
}

#[test]
fn what_is_too_large_is_refused() {
    let port = port(Reveal::Class, Sum::default());
    // By its announced length, before a byte of it has come; and one that announces nothing.
    let (status, _, body) = port.raw(&port.head("", MOST_BODY + 1), b"");
    assert!(status == 413 && String::from_utf8_lossy(&body).contains("at most 33554432 bytes"), "{status}");
    let head = port.head("", 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let chunk = [format!("{:x}\r\n", MOST_BODY + 1).as_bytes(), &vec![b' '; MOST_BODY + 1], b"\r\n0\r\n\r\n"].concat();
    assert_eq!(port.raw(&head, &chunk).0, 413);
    let long = format!("X: {}\r\n", "x".repeat(64 << 10));
    assert_eq!(port.raw(&port.head(&long, 0), b"").0, 431);
    assert_eq!(port.raw(&port.head(&"X: x\r\n".repeat(100), 0), b"").0, 431);
}

#[test]
fn who_is_away_is_named() {
    let port = port(Reveal::Class, Sum { away: true, ..Sum::default() });
    let line = json!({ "error": "P1: refused: not here; ask again" });
    assert_eq!(port.infer(&question()), (503, line.clone()));
    assert_eq!(port.get("/v2/health/ready"), (503, line.clone()));
    assert_eq!(port.get("/v2/models/a%20ward/ready"), (503, line));
    assert_eq!(port.get("/v2/health/live").0, 200);
}

/// So many are answered at a time, so many wait, and the next is told so at once.
#[test]
fn more_than_a_few_at_a_time_are_busy() {
    let ((asked, is_asked), (go, wait)) = (channel(), channel());
    let port = port(Reveal::Class, Sum { wait: Some((Mutex::new(asked), Mutex::new(wait))), away: false });
    let body = question().to_string();
    let send = || port.send(&port.head("", body.len()), body.as_bytes());
    // More than there are places: some are turned away at once, whichever came last.
    let mut open: Vec<TcpStream> = (0..MOST_REQUESTS + 3).map(|_| send()).collect();
    (0..crate::pool::CONVERSATIONS).for_each(|_| is_asked.recv_timeout(Duration::from_secs(60)).unwrap());
    let until = std::time::Instant::now() + Duration::from_secs(60);
    let mut away = vec![];
    while away.len() < 3 {
        let told = |stream: &mut TcpStream| {
            stream.set_nonblocking(true).unwrap();
            let told = stream.peek(&mut [0]).is_ok();
            stream.set_nonblocking(false).unwrap();
            told
        };
        away.extend(open.extract_if(.., told));
        assert!(std::time::Instant::now() < until);
    }
    for stream in away {
        let (status, _, body) = read(stream);
        assert_eq!((status, &body[..]), (503, &b"{\"error\":\"busy: 16 requests at a time; ask again\"}"[..]));
    }
    (0..MOST_REQUESTS).for_each(|_| go.send(()).unwrap());
    for stream in open {
        assert_eq!(read(stream).0, 200);
    }
}

/// Questions count, so none is asked for nobody.
#[test]
fn who_has_hung_up_is_asked_nothing_for() {
    let ((asked, is_asked), (go, wait)) = (channel(), channel());
    let port = port(Reveal::Class, Sum { wait: Some((Mutex::new(asked), Mutex::new(wait))), away: false });
    let body = question().to_string();
    let open: Vec<TcpStream> =
        (0..crate::pool::CONVERSATIONS).map(|_| port.send(&port.head("", body.len()), body.as_bytes())).collect();
    (0..crate::pool::CONVERSATIONS).for_each(|_| is_asked.recv_timeout(Duration::from_secs(60)).unwrap());
    let waits = port.send(&port.head("", body.len()).replace("Connection: close\r\n", ""), body.as_bytes());
    std::thread::sleep(Duration::from_millis(300));
    drop(waits);
    std::thread::sleep(Duration::from_millis(300));
    (0..crate::pool::CONVERSATIONS + 1).for_each(|_| go.send(()).unwrap());
    for stream in open {
        assert_eq!(read(stream).0, 200);
    }
    assert_eq!(port.infer(&question()).0, 200);
    assert_eq!(is_asked.try_iter().count(), 1);
}
