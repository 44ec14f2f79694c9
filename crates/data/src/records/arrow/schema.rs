//! What a message says of a file's columns: their names and kinds, and how many nodes and buffers each has in a batch.

use super::Kind;
use super::flat::Table;
use std::ops::AddAssign;

/// Columns within columns.
const DEEPEST: usize = 64;

pub(super) struct Field {
    pub(super) name: String,
    /// Or what its values are that are not read.
    pub(super) kind: Result<Kind, &'static str>,
    pub(super) dictionary: Option<Dictionary>,
    pub(super) extent: Extent,
}

/// By whose places a column says its values.
#[derive(Clone, Copy)]
pub(super) struct Dictionary {
    pub(super) id: i64,
    pub(super) places: Kind,
}

/// What a column takes in a batch.
#[derive(Clone, Copy, Default)]
pub(super) struct Extent {
    pub(super) nodes: usize,
    pub(super) buffers: usize,
    /// Columns that have as many buffers more as the batch says.
    pub(super) views: usize,
}

impl AddAssign for Extent {
    fn add_assign(&mut self, other: Extent) {
        self.nodes += other.nodes;
        self.buffers += other.buffers;
        self.views += other.views;
    }
}

/// The columns of a schema; `version` is its message's.
pub(super) fn fields(schema: Table<'_>, version: i64, message: usize) -> Option<Vec<Field>> {
    let all = schema.vector(1)?;
    // Tables may be shared, and a few bytes be a great many columns so.
    let mut left = message;
    (0..all.len()).map(|i| field(all.table(i)?, version, &mut left)).collect()
}

fn field(of: Table<'_>, version: i64, left: &mut usize) -> Option<Field> {
    let dictionary = match of.table(4) {
        Some(by) => Some(Dictionary {
            id: by.number::<8>(0, 0)?,
            places: by.table(1).map_or(Some(Kind::Integer { bytes: 4, signed: true }), |int| integer(int).ok())?,
        }),
        None => None,
    };
    let name = of.text(0)?;
    *left = left.checked_sub(name.len())?;
    Some(Field { name: name.to_owned(), kind: kind(of)?, dictionary, extent: extent(of, version, left, DEEPEST)? })
}

fn integer(of: Table<'_>) -> Result<Kind, &'static str> {
    let signed = of.number::<1>(1, 0) == Some(1);
    match of.number::<4>(0, 0) {
        Some(bits @ (8 | 16 | 32 | 64)) => Ok(Kind::Integer { bytes: (bits / 8) as u8, signed }),
        _ => Err("integers of no known width"),
    }
}

/// By the union of types in Arrow's `Schema.fbs`.
fn kind(field: Table<'_>) -> Option<Result<Kind, &'static str>> {
    let number = field.number::<1>(2, 0)?;
    // Types without settings may be left out.
    let of = |setting: usize, default: i64| field.table(3).map_or(Some(default), |t| t.number::<4>(setting, default));
    let short = |setting: usize, default: i64| field.table(3).map_or(Some(default), |t| t.number::<2>(setting, default));
    Some(match number {
        1 => Ok(Kind::Null),
        2 => integer(field.table(3)?),
        3 => Ok(Kind::Float { bytes: [2, 4, 8].get(usize::try_from(short(0, 0)?).ok()?).copied()? }),
        4 | 5 => Ok(Kind::Text { bytes: 4 }),
        19 | 20 => Ok(Kind::Text { bytes: 8 }),
        6 => Ok(Kind::Boolean),
        7 => {
            let scale = u8::try_from(of(1, 0)?).ok().filter(|scale| *scale <= 38);
            match (of(2, 128)?, scale) {
                (bits @ (32 | 64 | 128), Some(scale)) => Ok(Kind::Decimal { bytes: (bits / 8) as u8, scale }),
                _ => Err("decimals of more than 38 digits"),
            }
        }
        8 if short(0, 1)? == 0 => Ok(Kind::Date { bytes: 4, day: 1 }),
        8 => Ok(Kind::Date { bytes: 8, day: 86_400_000 }),
        10 => {
            Ok(Kind::Date { bytes: 8, day: 86_400 * 1_000_i64.pow(u32::try_from(short(0, 0)?).ok().filter(|unit| *unit <= 3)?) })
        }
        23 | 24 => Ok(Kind::View),
        12..=14 | 16 | 17 | 21 | 22 | 25 | 26 => Err("nested values"),
        9 => Err("times of day"),
        11 | 18 => Err("spans of time"),
        15 => Err("bytes"),
        _ => Err("values of no known type"),
    })
}

fn extent(field: Table<'_>, version: i64, left: &mut usize, depth: usize) -> Option<Extent> {
    *left = left.checked_sub(1)?;
    let depth = depth.checked_sub(1)?;
    let of = |buffers, views| Extent { nodes: 1, buffers, views };
    if field.has(4) {
        return Some(of(2, 0));
    }
    let (mut all, nested) = match field.number::<1>(2, 0)? {
        1 => (of(0, 0), false),
        2 | 3 | 6..=11 | 15 | 18 => (of(2, 0), false),
        4 | 5 | 19 | 20 => (of(3, 0), false),
        23 | 24 => (of(2, 1), false),
        12 | 17 | 21 => (of(2, 0), true),
        25 | 26 => (of(3, 0), true),
        13 | 16 => (of(1, 0), true),
        22 => (of(0, 0), true),
        14 => {
            // Unions had nulls of their own until the fifth version of messages, which has the number 4.
            let dense = field.table(3).map_or(Some(0), |union| union.number::<2>(0, 0))? == 1;
            (of(1 + usize::from(dense) + usize::from(version < 4), 0), true)
        }
        _ => return None,
    };
    if nested {
        let children = field.vector(5)?;
        for i in 0..children.len() {
            all += extent(children.table(i)?, version, left, depth)?;
        }
    }
    Some(all)
}
