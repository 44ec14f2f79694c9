//! A service behind the Open Inference Protocol: an application beside the gateway is told what `predict --service` is told.

use super::serve::{ENOUGH, classes, probabilities, serving, told};
use crate::deployment::Deployment;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

/// The page's command, at any port that is free.
struct Gateway {
    process: Child,
    at: String,
}

impl Gateway {
    fn start(d: &Deployment, more: &[&str]) -> Gateway {
        let (_, page) = include_str!("../../../../docs/serving.md").split_once("```sh\ntrefoil ").unwrap();
        let words: Vec<&str> = page.lines().next().unwrap().split(' ').collect();
        let args = [&words[..], &["--listen", "127.0.0.1:0"], more].concat();
        let mut process = d.command(&args).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let (_, at) = line.split_once("model \"a job\" at http://").unwrap_or_else(|| panic!("{line}{}", d.logs()));
        let at = at.split('/').next().unwrap().to_owned();
        Gateway { process, at }
    }

    /// The status, the headers and the body.
    fn raw(&self, line: &str, headers: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.at).unwrap();
        let head = format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut all = vec![];
        stream.read_to_end(&mut all).unwrap();
        let end = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(all[..end].to_vec()).unwrap().to_ascii_lowercase();
        (head[9..12].parse().unwrap(), head, all[end + 4..].to_vec())
    }

    fn ask(&self, line: &str, body: &str) -> (u16, Value) {
        let (status, _, body) = self.raw(line, &format!("Host: {}\r\n", self.at), body.as_bytes());
        (status, serde_json::from_slice(&body).unwrap())
    }

    fn infer(&self, question: &Value) -> (u16, Value) {
        self.ask("POST /v2/models/a%20job/infer", &question.to_string())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The columns of the deployment's records.
fn columns(d: &Deployment) -> [Vec<f64>; 4] {
    let text = fs::read_to_string(d.path("records.csv")).unwrap();
    std::array::from_fn(|i| text.lines().skip(1).map(|line| line.split(',').nth(i).unwrap().parse().unwrap()).collect())
}

fn names() -> std::iter::Zip<std::array::IntoIter<&'static str, 4>, std::ops::RangeFrom<usize>> {
    ["a", "b", "c", "d"].into_iter().zip(0..)
}

#[test]
fn a_program_is_told_what_predict_is_told() {
    let mut d = serving("masked", "probabilities", ENOUGH);
    let told = told(&d, &[]);
    let line = d.refused(&["gateway", "--service", "service.toml", "--key", "keys/ward.pem", "--listen", "0.0.0.0:0"]);
    assert!(line.contains("listen: found 0.0.0.0:0, expected 127.0.0.1"), "{line}");
    let mut gateway = Gateway::start(&d, &["--timeout", "3"]);
    let (status, metadata) = gateway.ask("GET /v2/models/a%20job", "");
    assert_eq!((status, metadata["inputs"].as_array().unwrap().len()), (200, 4));
    assert_eq!(gateway.ask("GET /v2/health/ready", "").0, 200);

    let columns = columns(&d);
    let rows = columns[0].len();
    let tensor = |name: &str, data: &Value| json!({ "name": name, "shape": [rows], "datatype": "FP64", "data": data });
    let inputs: Vec<Value> = names().map(|(name, i)| tensor(name, &json!(columns[i]))).collect();
    let (status, answer) = gateway.infer(&json!({ "inputs": inputs }));
    assert_eq!((status, &answer["outputs"][0]["data"]), (200, &json!(classes(&told))), "{answer}");
    let said = answer["outputs"][1]["data"].as_array().unwrap();
    assert_eq!(said.len(), 2 * rows);
    for (pair, expected) in said.chunks(2).zip(probabilities(&told)) {
        assert!((pair[0].as_f64().unwrap() - expected).abs() < 1e-3, "{pair:?} {expected}");
    }

    // The same in the binary form, both ways.
    let given = |name: &str| {
        let size = json!({ "binary_data_size": 8 * rows });
        json!({ "name": name, "shape": [rows, 1], "datatype": "FP64", "parameters": size })
    };
    let inputs: Vec<Value> = names().map(|(name, _)| given(name)).collect();
    let head = json!({ "inputs": inputs, "parameters": { "binary_data_output": true } }).to_string();
    let mut body = head.clone().into_bytes();
    columns.iter().flatten().for_each(|v| body.extend(v.to_le_bytes()));
    let headers = format!("Host: {}\r\nInference-Header-Content-Length: {}\r\n", gateway.at, head.len());
    let (status, headers, binary) = gateway.raw("POST /v2/models/a%20job/versions/1/infer", &headers, &body);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&binary));
    let (_, json) = headers.split_once("inference-header-content-length: ").unwrap();
    let behind = &binary[json.lines().next().unwrap().parse::<usize>().unwrap()..];
    let texts: Vec<u8> = classes(&told).iter().flat_map(|c| [&1_u32.to_le_bytes(), c.as_bytes()].concat()).collect();
    assert_eq!((&behind[..texts.len()], behind.len()), (&texts[..], texts.len() + 16 * rows));

    // Who is no program of this machine's, and a record that is none.
    for (headers, status, why) in [
        ("Host: evil.example\r\n".to_owned(), 421, "Host: found "),
        (format!("Host: {}\r\nOrigin: https://evil.example\r\n", gateway.at), 403, "Origin: found one"),
    ] {
        let (found, _, body) = gateway.raw("POST /v2/models/a%20job/infer", &headers, b"{}");
        assert!(found == status && String::from_utf8_lossy(&body).contains(why), "{found}");
    }
    let (status, answer) = gateway.infer(&json!({ "inputs": [tensor("e", &json!(columns[0]))] }));
    assert_eq!(
        (status, answer["error"].as_str()),
        (400, Some("tensor \"a\": found none, expected one: it is a column of the records"))
    );

    // A party that is away, and comes back.
    let one = json!({ "inputs": names().map(|(name, i)| json!({ "name": name, "shape": [1], "datatype": "FP64", "data": [columns[i][0]] })).collect::<Vec<_>>() });
    d.signal(1, "KILL");
    let (status, answer) = gateway.infer(&one);
    assert!(status == 503 && !answer["error"].as_str().unwrap().contains('\n'), "{status} {answer}");
    assert_eq!(gateway.ask("GET /v2/health/ready", "").0, 503);
    d.start(1, None);
    let until = std::time::Instant::now() + super::LONG;
    loop {
        let (status, answer) = gateway.infer(&one);
        if status == 200 {
            assert_eq!(answer["outputs"][0]["data"], json!(classes(&told)[..1]));
            break;
        }
        assert!(status == 503 && std::time::Instant::now() < until, "{status} {answer}");
    }
    assert_eq!(gateway.ask("GET /v2/models/a%20job/ready", "").0, 200);

    // It ends when it is told to.
    let stop = std::process::Command::new("kill").args(["-TERM", &gateway.process.id().to_string()]).status().unwrap();
    assert!(stop.success() && gateway.process.wait().unwrap().success());
}
