use super::*;

fn integers(values: &[i64]) -> Bytes {
    values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>().into()
}

fn numbers(column: &Column) -> Vec<Option<f64>> {
    (0..column.len).map(|at| column.get(at).ok().and_then(|v| v.number().ok())).collect()
}

const LONG: Kind = Kind::Integer { bytes: 8, signed: true };

#[test]
fn parts_of_buffers_are_columns() {
    let values = integers(&[1, 2, 3, 4, 5]);
    let column = |start, len, valid| Column::new(LONG, [start, len], valid, vec![values.clone()], None);
    assert_eq!(numbers(&column(1, 3, None).unwrap()), [Some(2.0), Some(3.0), Some(4.0)]);
    // Nulls have a place of their own to begin at.
    let bits = Bytes::from_static(&[0b0101_1000]);
    assert_eq!(numbers(&column(1, 3, Some((bits.clone(), 3))).unwrap()), [Some(2.0), Some(3.0), None]);
    for (start, len) in [(0, 6), (3, 3), (usize::MAX, 1), (1, usize::MAX), (usize::MAX, usize::MAX)] {
        assert!(column(start, len, None).is_none(), "{start} {len}");
    }
    assert!(column(0, 5, Some((bits, 4))).is_none());
    assert!(column(9, 0, None).is_some());
    assert!(Column::new(Kind::Null, [0, usize::MAX], None, vec![], None).is_none());
    assert!(Column::new(Kind::Null, [0, 2], None, vec![], None).is_some());
    assert_eq!(format!("{:?}", column(0, 5, None).unwrap()), "Column(5)");
}

#[test]
fn chunks_are_one_column() {
    let mut chunks = Chunks::default();
    for values in [&[1, 2][..], &[], &[3], &[4, 5, 6]] {
        chunks.push(Column::new(LONG, [0, values.len()], None, vec![integers(values)], None).unwrap());
    }
    let all: Vec<f64> = (0..6).map(|at| chunks.get(at).unwrap().number().unwrap()).collect();
    assert_eq!((chunks.len(), all), (6, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    assert!(chunks.get(6).is_err() && Chunks::default().get(0).is_err() && Chunks::default().is_empty());
}

#[test]
fn places_that_lead_nowhere_are_refused() {
    let broken = |column: Column| column.get(0).err().map(|why| why.found);
    let places =
        |v: i64, dictionary: Chunks| Column::new(LONG, [0, 1], None, vec![integers(&[v])], Some(dictionary.into())).unwrap();
    let mut two = Chunks::default();
    two.push(Column::new(LONG, [0, 2], None, vec![integers(&[7, 8])], None).unwrap());
    assert_eq!(numbers(&places(1, two.clone())), [Some(8.0)]);
    for place in [2, -1, i64::MIN, i64::MAX] {
        assert!(broken(places(place, two.clone())).unwrap().starts_with("broken Arrow (a place b"), "{place}");
    }
    assert!(broken(places(0, Chunks::default())).is_some());
    let text = |from: i64, to: i64| {
        let buffers = vec![integers(&[from, to]), Bytes::from_static(b"abc")];
        Column::new(Kind::Text { bytes: 8 }, [0, 1], None, buffers, None).unwrap()
    };
    assert!(broken(text(0, 3)).is_none() && broken(text(3, 3)).is_none());
    for (from, to) in [(0, 4), (2, 1), (-1, 2), (0, i64::MAX), (i64::MIN, 0)] {
        assert_eq!(broken(text(from, to)).unwrap(), "broken Arrow (a text beyond its buffer)", "{from} {to}");
    }
    let view = |len: u32, buffer: u32, from: u32| {
        let words = [len, u32::from_le_bytes(*b"abcd"), buffer, from].map(u32::to_le_bytes).concat();
        Column::new(Kind::View, [0, 1], None, vec![words.into(), Bytes::from_static(b"abcdefghijklmnop")], None).unwrap()
    };
    assert!(broken(view(16, 0, 0)).is_none() && broken(view(4, 9, 9)).is_none());
    for (len, buffer, from) in [(17, 0, 0), (13, 0, 4), (13, 1, 0), (u32::MAX, 0, 0), (13, 0, u32::MAX)] {
        assert!(broken(view(len, buffer, from)).is_some(), "{len} {buffer} {from}");
    }
}
