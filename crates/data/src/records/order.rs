//! The identifiers of a vertical partition: every owner's file has the same ones in the same order.
//!
//! Where the first identifier is an integer, all must be, and they are compared as numbers; else by their bytes. The
//! digest is that of SHA-256 over each one's length (8 bytes, little-endian) and text; integers are written in decimal
//! without leading zeros, so that "007" in one owner's file is 7 in another's.

use super::calendar;
use super::cell::is_hole;
use super::value::Value;
use crate::error::{Refusal, quote};
use sha2::{Digest, Sha256};

pub(super) struct Order {
    last: Option<Id>,
    hash: Sha256,
}

#[derive(PartialEq, PartialOrd)]
enum Id {
    Integer(i128),
    Text(Vec<u8>),
}

impl Id {
    fn of(value: Value<'_>) -> Result<Id, Refusal> {
        match value {
            Value::Text(text) | Value::Local(text, _) if !is_hole(text) => {
                let integer = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
                Ok(integer.map_or_else(|| Id::Text(text.to_vec()), Id::Integer))
            }
            Value::Integer(v) => Ok(Id::Integer(v.into())),
            Value::Float(v) => Err(Refusal::new(format!("the fraction {v:?}"), "an integer or a text as identifier")),
            Value::Date(days) => Ok(Id::Text(calendar::text(days).into_bytes())),
            Value::Nested => Err(Refusal::new("nested values", "an identifier")),
            Value::Boolean(v) => Err(Refusal::new(format!("the boolean {v}"), "an integer or a text as identifier")),
            Value::Text(_) | Value::Local(..) | Value::Missing => Err(Refusal::hole("an identifier")),
        }
    }

    fn text(&self) -> Vec<u8> {
        match self {
            Id::Integer(v) => v.to_string().into_bytes(),
            Id::Text(text) => text.clone(),
        }
    }

    fn quoted(&self) -> String {
        quote(&String::from_utf8_lossy(&self.text()))
    }
}

impl Order {
    pub(super) fn new() -> Order {
        Order { last: None, hash: Sha256::new() }
    }

    /// Takes the next record's identifier.
    pub(super) fn push(&mut self, value: Value<'_>) -> Result<(), Refusal> {
        let mut id = Id::of(value)?;
        match (&self.last, &id) {
            (Some(Id::Integer(_)), Id::Text(_)) => {
                return Err(Refusal::new(id.quoted(), "an integer as the identifiers before"));
            }
            (Some(Id::Text(_)), Id::Integer(v)) => {
                id = Id::Text(value.text(<[u8]>::to_vec).unwrap_or_else(|_| v.to_string().into_bytes()));
            }
            _ => {}
        }
        if let Some(last) = self.last.as_ref().filter(|&last| id <= *last) {
            let expected = format!("one above {} of the record before: identifiers ascend, each once", last.quoted());
            return Err(Refusal::new(id.quoted(), expected));
        }
        let text = id.text();
        self.hash.update((text.len() as u64).to_le_bytes());
        self.hash.update(&text);
        self.last = Some(id);
        Ok(())
    }

    /// Over all identifiers so far.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}
