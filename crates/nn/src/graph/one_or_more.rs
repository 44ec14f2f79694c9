//! A list of names in a file: nothing, one name, or several.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a node's name, or a list of names")]
enum Names {
    One(String),
    All(Vec<String>),
}

pub fn serialize<S: Serializer>(names: &[String], to: S) -> Result<S::Ok, S::Error> {
    match names {
        [name] => name.serialize(to),
        names => names.serialize(to),
    }
}

pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(match Names::deserialize(from)? {
        Names::One(name) => vec![name],
        Names::All(names) => names,
    })
}
