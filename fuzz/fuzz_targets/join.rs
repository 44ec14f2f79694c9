//! What the parties and owners of a join are sent: group elements, lists of pseudonyms, places.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_join::lists::{List, from_bytes, intersect, to_bytes};
use trefoil_join::oprf::Key;

fuzz_target!(|bytes: &[u8]| {
    let (elements, _) = bytes.as_chunks::<32>();
    if let (Ok(key), Ok(evaluated)) = (Key::from_bytes(&[1; 32]), Key::from_bytes(&[1; 32]).and_then(|k| k.evaluate(elements))) {
        // What is made of elements are elements.
        assert_eq!(key.evaluate(&evaluated).map(|again| again.len()), Ok(elements.len()));
    }
    if let Ok(list) = List::from_bytes(bytes, bytes.len() as u64 / 16) {
        assert_eq!(list.to_bytes(), bytes);
        assert_eq!(intersect(&[&list, &list], &[1; 32]).concat().len(), 2 * list.len());
    }
    if let Some((rows, bytes)) = bytes.split_first_chunk::<2>()
        && let Ok(places) = from_bytes(bytes, u16::from_le_bytes(*rows).into())
    {
        assert_eq!(to_bytes(&places), bytes);
    }
});
