//! What a file may hold is counted before anything of it is put into messages: an empty message takes two bytes in a file and a
//! hundred in memory.

use super::super::{Result, content};

/// Messages, names and numbers of a graph, all together.
const MOST_FIELDS: usize = 1 << 19;
/// Bytes of lists of integers, each of which takes up to eight times as many in memory.
const MOST_PACKED: usize = 1 << 23;

/// The messages that are looked into.
#[derive(Clone, Copy)]
enum At {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    /// An input's description, its type, that of a tensor, its shape.
    Value,
    Type,
    Dense,
    Shape,
}

/// Refuses a file that is no protocol buffer, or would take far more memory than it is long.
pub fn check(bytes: &[u8], file: &str) -> Result<()> {
    let mut left = (MOST_FIELDS, MOST_PACKED);
    match walk(bytes, At::Model, &mut left) {
        Some(()) => Ok(()),
        None if left.0 == 0 || left.1 == 0 => {
            let expected = format!("at most {MOST_FIELDS} fields, and {MOST_PACKED} bytes of integers");
            Err(content(file, "size of the graph", "more fields than a network has", expected))
        }
        None => Err(content(file, "ONNX", "bytes that are no protocol buffer", "a whole ONNX file")),
    }
}

/// `None` for what is broken, or too much.
fn walk(mut bytes: &[u8], at: At, left: &mut (usize, usize)) -> Option<()> {
    while !bytes.is_empty() {
        left.0 = left.0.saturating_sub(1);
        if left.0 == 0 {
            return None;
        }
        let key = varint(&mut bytes)?;
        match key & 7 {
            0 => {
                varint(&mut bytes)?;
            }
            1 => bytes = bytes.get(8..)?,
            5 => bytes = bytes.get(4..)?,
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (inside, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                let next = match (at, key >> 3) {
                    (At::Model, 7) => At::Graph,
                    (At::Graph, 11 | 12) => At::Value,
                    (At::Value, 2) => At::Type,
                    (At::Type, 1) => At::Dense,
                    (At::Dense, 2) => At::Shape,
                    (At::Graph, 1) => At::Node,
                    (At::Node, 5) => At::Attribute,
                    (At::Graph, 5) | (At::Attribute, 5) => At::Tensor,
                    (At::Tensor, 1 | 5 | 7) | (At::Attribute, 8) => {
                        left.1 = left.1.saturating_sub(length);
                        if left.1 == 0 {
                            return None;
                        }
                        continue;
                    }
                    _ => continue,
                };
                walk(inside, next, left)?;
            }
            _ => return None,
        }
    }
    Some(())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for i in 0..10 {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f).checked_shl(7 * i).unwrap_or(0);
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
