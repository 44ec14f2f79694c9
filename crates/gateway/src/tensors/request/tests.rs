use super::*;
use crate::tensors::{Answer, Tensor, Values as Written};
use proptest::prelude::*;

fn parse(text: &str) -> Result<Request, String> {
    Request::parse(text.as_bytes(), None).map_err(|e| e.line)
}

fn cells(data: &str, shape: &str, datatype: &str) -> Result<Cells, String> {
    let text = format!(r#"{{"inputs": [{{"name": "a", "shape": {shape}, "datatype": "{datatype}", "data": {data}}}]}}"#);
    parse(&text).map(|mut request| request.inputs.remove(0).cells)
}

fn texts(texts: &[&str]) -> Cells {
    Cells::Texts(texts.iter().map(|t| t.as_bytes().to_vec()).collect())
}

#[test]
fn lists_are_read_flat_or_nested() {
    assert_eq!(cells("[1, 2, 3, 4]", "[2, 2]", "INT8"), Ok(Cells::Integers(vec![1, 2, 3, 4])));
    assert_eq!(cells("[[1, 2], [3, 4]]", "[2, 2]", "FP32"), Ok(Cells::Floats(vec![1.0, 2.0, 3.0, 4.0])));
    assert_eq!(cells("[1, 0.5, -2]", "[3]", "FP64"), Ok(Cells::Floats(vec![1.0, 0.5, -2.0])));
    assert_eq!(cells("[true, false, 1]", "[3]", "BOOL"), Ok(Cells::Integers(vec![1, 0, 1])));
    assert_eq!(cells(r#"["here", "there"]"#, "[2, 1]", "BYTES"), Ok(texts(&["here", "there"])));
    assert_eq!(cells("[18446744073709551615]", "[1]", "FP64"), Ok(Cells::Floats(vec![18_446_744_073_709_551_615.0])));
    assert_eq!(cells("[]", "[0]", "BYTES").map(|c| c.len()), Ok(0));
}

#[test]
fn what_does_not_fit_is_named_in_a_line() {
    for (data, shape, datatype, why) in [
        ("[1, 2]", "[3]", "FP64", "tensor \"a\": found 2 values, expected 3 as in its shape [3]"),
        ("[1]", "[4294967296, 4294967296]", "FP64", "expected fewer than 2^64 values"),
        ("[1]", "[-1]", "FP64", "invalid value"),
        ("[1]", "[1]", "FP16", "found datatype \"FP16\", expected one of: BOOL"),
        ("[1]", "[1]", "BF16", "found datatype \"BF16\""),
        ("[256]", "[1]", "UINT8", "found 256, expected 1 of UINT8"),
        ("[2]", "[1]", "BOOL", "found 2, expected 1 of BOOL"),
        ("[1.5]", "[1]", "INT32", "found numbers with fractions, or beyond 64 bits, expected 1 of INT32"),
        ("[18446744073709551615]", "[1]", "UINT64", "beyond 64 bits"),
        ("[1]", "[1]", "BYTES", "found numbers, expected 1 of BYTES"),
        (r#"["x"]"#, "[1]", "FP64", "found texts, expected 1 of FP64"),
        (r#"["x", 1]"#, "[2]", "BYTES", "numbers and texts in one tensor"),
        (r#"[1, "x"]"#, "[2]", "BYTES", "numbers and texts in one tensor"),
        (r#"[0.5, "x"]"#, "[2]", "BYTES", "numbers and texts in one tensor"),
        ("[null]", "[1]", "FP64", "found null"),
        ("1", "[1]", "FP64", "expected lists of numbers or of texts"),
        (r#"[{}]"#, "[1]", "FP64", "expected lists of numbers or of texts"),
        ("[1e999]", "[1]", "FP64", "out of range"),
    ] {
        let error = cells(data, shape, datatype).unwrap_err();
        assert!(error.contains(why) && !error.contains('\n'), "{data} {shape} {datatype}: {error}");
    }
    let deep = "[".repeat(5000) + &"]".repeat(5000);
    assert!(cells(&deep, "[0]", "FP64").unwrap_err().contains("recursion"));
    for (text, why) in [
        ("", "expected JSON of the Open Inference Protocol"),
        ("{}", "missing field `inputs`"),
        (r#"{"inputs": [{"name": "a", "shape": [1], "datatype": "FP64"}]}"#, "neither data nor binary_data_size"),
        (
            r#"{"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "parameters": {"shared_memory_region": "r"}}]}"#,
            "parameter shared_memory_region",
        ),
        (r#"{"inputs": [], "outputs": [{"name": "class", "parameters": {"classification": 3}}]}"#, "parameter classification"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

/// A tensor of FP64 in the binary form that says that it has so many bytes, with so many behind the JSON.
fn binary(size: &str, behind: usize, json: Option<usize>) -> Result<Request, String> {
    let head = format!(
        r#"{{"inputs": [{{"name": "a", "shape": [2], "datatype": "FP64", "parameters": {{"binary_data_size": {size}}}}}]}}"#
    );
    let body = [head.as_bytes(), &vec![0; behind]].concat();
    Request::parse(&body, json.or(Some(head.len()))).map_err(|e| e.line)
}

#[test]
fn binary_sizes_that_lie_are_refused() {
    assert_eq!(binary("16", 16, None).unwrap().inputs[0].cells, Cells::Floats(vec![0.0, 0.0]));
    for (size, behind, json, why) in [
        ("16", 15, None, "binary_data_size 16, expected at most the 15 bytes that follow"),
        ("18446744073709551615", 16, None, "at most the 16 bytes"),
        ("-1", 16, None, "invalid value"),
        ("8", 8, None, "8 bytes for 2 values of 8 bytes"),
        ("16", 17, None, "1 bytes behind the last tensor"),
        ("16", 16, Some(usize::MAX), "bytes of JSON"),
        ("16", 16, Some(3), "expected JSON"),
    ] {
        let error = binary(size, behind, json).unwrap_err();
        assert!(error.contains(why) && !error.contains('\n'), "{error}");
    }
    let both =
        r#"{"inputs": [{"name": "a", "shape": [0], "datatype": "FP64", "data": [], "parameters": {"binary_data_size": 0}}]}"#;
    assert!(parse(both).unwrap_err().contains("data and binary_data_size"));
}

#[test]
fn who_asks_says_in_which_form() {
    let text = r#"{"id": "7", "inputs": [], "parameters": {"binary_data_output": true, "else": {}},
        "outputs": [{"name": "x", "parameters": {"binary_data": false}}, {"name": "y"}]}"#;
    let request = parse(text).unwrap();
    let outputs: Vec<_> = request.outputs.unwrap().into_iter().map(|o| (o.name, o.binary)).collect();
    assert_eq!((request.id.as_deref(), request.binary), (Some("7"), true));
    assert_eq!(outputs, [("x".to_owned(), Some(false)), ("y".to_owned(), None)]);
    assert!(parse(r#"{"inputs": [], "outputs": []}"#).unwrap().outputs.is_none());
}

/// What is written as an answer is read as a request, whose tensors have the same form.
fn again(tensors: &[Tensor]) -> Request {
    let Answer { body, json } = Answer::write("m", Some("id"), tensors);
    let text = String::from_utf8(body[..json.unwrap_or(body.len())].to_vec()).unwrap().replace("\"outputs\":", "\"inputs\":");
    Request::parse(&[text.as_bytes(), &body[json.unwrap_or(body.len())..]].concat(), json.map(|n| n - 1)).unwrap()
}

proptest! {
    #[test]
    fn tensors_come_back_in_both_forms(
        numbers in prop::collection::vec(-1e300..1e300_f64, 0..20),
        texts: Vec<String>,
        forms: (bool, bool),
    ) {
        let tensors = [
            Tensor { name: "class", shape: vec![texts.len()], values: Written::Texts(texts.clone()), binary: forms.0 },
            Tensor { name: "value", shape: vec![numbers.len(), 1], values: Written::Floats(numbers.clone()), binary: forms.1 },
        ];
        let request = again(&tensors);
        prop_assert_eq!(request.id.as_deref(), Some("id"));
        let texts: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
        if !texts.is_empty() {
            prop_assert_eq!(&request.inputs[0].cells, &Cells::Texts(texts));
        }
        if !numbers.is_empty() {
            prop_assert_eq!(&request.inputs[1].cells, &Cells::Floats(numbers.clone()));
        }
        prop_assert_eq!(&request.inputs[1].shape, &vec![numbers.len() as u64, 1]);
    }

    #[test]
    fn whatever_comes_is_read_or_refused(bytes: Vec<u8>, json: Option<usize>) {
        let _ = Request::parse(&bytes, json);
    }

    #[test]
    fn whatever_is_behind_is_read_or_refused(bytes: Vec<u8>, size: u64, shape: [u64; 2], which in 0..Datatype::ALL.len()) {
        let head = format!(
            r#"{{"inputs": [{{"name": "a", "shape": {shape:?}, "datatype": "{}", "parameters": {{"binary_data_size": {size}}}}}]}}"#,
            Datatype::ALL[which].name()
        );
        let _ = Request::parse(&[head.as_bytes(), &bytes].concat(), Some(head.len()));
    }
}
