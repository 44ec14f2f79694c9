//! Pseudonyms: what P2 is given, and how it matches them.
//!
//! An owner's list is in ascending order, so that it says nothing of the order of the owner's rows; and each pseudonym is there once. P2 tells
//! each owner the places of those that are in all lists, in an order that it makes by a key of its own. In that of the pseudonyms P0 and P1
//! together, which can compute anybody's, would know about where somebody's row must be.
//!
//! A pseudonym has 128 bits. Two of n different identifiers have the same one with a chance below n^2 / 2^129: 2^-89 for a million. P2 refuses
//! a list that has one twice; an owner finds it first.

use crate::oprf::Output;
use crate::{Error, Result};
use hmac::{Hmac, KeyInit, Mac};
use rayon::prelude::*;
use sha2::{Digest, Sha256, Sha512};

/// H(F_k0(x), F_k1(x)), cut to 16 bytes.
pub type Pseudonym = [u8; 16];

/// Of each row, from what the functions of P0 and P1 are of its identifier.
#[must_use]
pub fn pseudonyms(f0: &[Output], f1: &[Output]) -> Vec<Pseudonym> {
    let one = |(f0, f1): (&Output, &Output)| {
        let hash = Sha512::new().chain_update(b"trefoil pseudonym 1").chain_update(f0).chain_update(f1).finalize();
        let mut pseudonym = [0; 16];
        pseudonym.copy_from_slice(&hash[..16]);
        pseudonym
    };
    f0.par_iter().zip(f1).map(one).collect()
}

/// Pseudonyms in ascending order, each once.
#[derive(Clone, PartialEq, Eq)]
pub struct List(Vec<Pseudonym>);

impl List {
    /// As P2 is given it.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::Order`].
    pub fn from_bytes(bytes: &[u8], rows: u64) -> Result<List> {
        let (all, rest) = bytes.as_chunks::<16>();
        if !rest.is_empty() || all.len() as u64 != rows {
            return Err(Error::Length { found: bytes.len(), rows });
        }
        match all.windows(2).position(|two| two[0] >= two[1]) {
            Some(place) => Err(Error::Order { place: place + 1 }),
            None => Ok(List(all.to_vec())),
        }
    }

    /// The other way.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.concat()
    }

    /// Pseudonyms in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where each of `others`, which are in order, too, is in it.
    fn places(&self, others: &[Pseudonym]) -> Vec<Option<u32>> {
        let mut rest = self.0.iter().zip(0..).peekable();
        let place = |other: &Pseudonym| {
            while rest.next_if(|(own, _)| *own < other).is_some() {}
            rest.next_if(|(own, _)| *own == other).map(|(_, place)| place)
        };
        others.iter().map(place).collect()
    }
}

/// An owner's list, and whose each pseudonym is.
pub struct Ranked {
    /// What P2 is given.
    pub list: List,
    /// The owner's row of each.
    rows: Vec<u32>,
}

impl Ranked {
    /// Puts the rows' pseudonyms in order.
    ///
    /// # Errors
    /// [`Error::Collision`]: rows are counted from 1.
    pub fn of(pseudonyms: Vec<Pseudonym>) -> Result<Ranked> {
        let mut all: Vec<(Pseudonym, u32)> = pseudonyms.into_iter().zip(0..).collect();
        all.par_sort_unstable();
        if let Some(two) = all.windows(2).find(|two| two[0].0 == two[1].0) {
            return Err(Error::Collision { first: u64::from(two[0].1) + 1, second: u64::from(two[1].1) + 1 });
        }
        let (list, rows) = all.into_iter().unzip();
        Ok(Ranked { list: List(list), rows })
    }

    /// The owner's rows, counted from 0, at these places of the list.
    #[must_use]
    pub fn rows(&self, places: &[u32]) -> Vec<u32> {
        places.iter().filter_map(|place| self.rows.get(*place as usize).copied()).collect()
    }
}

/// For each list, the places in it of the pseudonyms that are in all lists: each time in the same order, that of a hash of them under P2's key.
#[must_use]
pub fn intersect(lists: &[&List], key: &[u8; 32]) -> Vec<Vec<u32>> {
    let Some((first, rest)) = lists.split_first() else { return vec![] };
    let common = rest.iter().fold(first.0.clone(), |common, list| {
        let places = list.places(&common);
        common.into_iter().zip(places).filter_map(|(pseudonym, place)| place.map(|_| pseudonym)).collect()
    });
    let mut order: Vec<([u8; 32], u32)> =
        common.par_iter().map(|pseudonym| rank(key, pseudonym)).zip(0..common.len() as u32).collect();
    order.par_sort_unstable();
    let in_order = |list: &&List| -> Vec<u32> {
        let places = list.places(&common);
        order.iter().filter_map(|(_, i)| places.get(*i as usize).copied().flatten()).collect()
    };
    lists.iter().map(in_order).collect()
}

/// For each list, the places in it of the pseudonyms that are in none of the lists before it, in their order.
#[must_use]
pub fn without_doubles(lists: &[&List]) -> Vec<Vec<u32>> {
    let of = |(at, list): (usize, &&List)| -> Vec<u32> {
        let mut first = vec![true; list.len()];
        for before in &lists[..at] {
            for (first, place) in first.iter_mut().zip(before.places(&list.0)) {
                *first &= place.is_none();
            }
        }
        (0..).zip(first).filter_map(|(place, first)| first.then_some(place)).collect()
    };
    lists.iter().enumerate().map(of).collect()
}

/// Where a pseudonym stands among the joined rows.
fn rank(key: &[u8; 32], pseudonym: &Pseudonym) -> [u8; 32] {
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else { unreachable!("any length will do") };
    mac.update(b"trefoil join order 1");
    mac.update(pseudonym);
    mac.finalize().into_bytes().into()
}

/// Places as bytes, four each.
#[must_use]
pub fn to_bytes(places: &[u32]) -> Vec<u8> {
    places.iter().flat_map(|place| place.to_le_bytes()).collect()
}

/// The other way: different places in a list of so many rows.
///
/// # Errors
/// [`Error::Places`].
pub fn from_bytes(bytes: &[u8], rows: usize) -> Result<Vec<u32>> {
    let bad = |found| Error::Places { found, rows };
    let (all, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || all.len() > rows {
        return Err(bad("another number of bytes"));
    }
    let mut seen = vec![false; rows];
    let mut take = |place: u32| match seen.get_mut(place as usize) {
        None => Err(bad("a place after the last row")),
        Some(true) => Err(bad("a place twice")),
        Some(free) => {
            *free = true;
            Ok(place)
        }
    };
    all.iter().map(|place| take(u32::from_le_bytes(*place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn list(of: &BTreeSet<u8>) -> List {
        List(of.iter().map(|v| [*v; 16]).collect())
    }

    proptest! {
        #[test]
        fn as_a_plain_intersection(sets in prop::collection::vec(prop::collection::btree_set(any::<u8>(), 0..200), 1..4)) {
            let lists: Vec<List> = sets.iter().map(list).collect();
            let joined = intersect(&lists.iter().collect::<Vec<_>>(), &[7; 32]);
            let common: BTreeSet<u8> = sets.iter().skip(1).fold(sets[0].clone(), |a, b| &a & b);
            let values = |(set, places): (&BTreeSet<u8>, &Vec<u32>)| -> Vec<u8> {
                let all: Vec<u8> = set.iter().copied().collect();
                places.iter().map(|place| all[*place as usize]).collect()
            };
            let first = values((&sets[0], &joined[0]));
            for (set, places) in sets.iter().zip(&joined) {
                let found = values((set, places));
                prop_assert_eq!(&found, &first);
                prop_assert_eq!(found.len(), common.len());
                prop_assert_eq!(&found.into_iter().collect::<BTreeSet<u8>>(), &common);
                prop_assert_eq!(&from_bytes(&to_bytes(places), set.len()).unwrap(), places);
            }
            // The order is the key's.
            let other = intersect(&lists.iter().collect::<Vec<_>>(), &[8; 32]);
            prop_assert!(common.len() < 20 || other != joined);
        }

        #[test]
        fn each_pseudonym_is_the_first_owners(sets in prop::collection::vec(prop::collection::btree_set(any::<u8>(), 0..200), 1..4)) {
            let lists: Vec<List> = sets.iter().map(list).collect();
            let mut seen = BTreeSet::new();
            for (set, places) in sets.iter().zip(without_doubles(&lists.iter().collect::<Vec<_>>())) {
                let all: Vec<u8> = set.iter().copied().collect();
                let kept: BTreeSet<u8> = places.iter().map(|place| all[*place as usize]).collect();
                prop_assert_eq!(&kept, &(set - &seen));
                prop_assert_eq!(kept.len(), places.len());
                seen.extend(kept);
            }
        }

        #[test]
        fn rows_come_in_the_order_of_their_pseudonyms(mut values in prop::collection::vec(any::<[u8; 16]>(), 1..50)) {
            values.sort();
            values.dedup();
            values.reverse();
            let ranked = Ranked::of(values.clone()).unwrap();
            prop_assert_eq!(List::from_bytes(&ranked.list.to_bytes(), values.len() as u64).unwrap().to_bytes(), ranked.list.to_bytes());
            let rows = ranked.rows(&(0..values.len() as u32).collect::<Vec<_>>());
            prop_assert_eq!(rows, (0..values.len() as u32).rev().collect::<Vec<_>>());
        }
    }

    #[test]
    fn lists_that_are_none() {
        let [a, b] = [[1; 16], [2; 16]];
        let bytes = |all: &[Pseudonym]| all.concat();
        assert_eq!(List::from_bytes(&bytes(&[b, a]), 2).err(), Some(Error::Order { place: 1 }));
        assert_eq!(List::from_bytes(&bytes(&[a, b, b]), 3).err(), Some(Error::Order { place: 2 }));
        assert_eq!(List::from_bytes(&bytes(&[a, b]), 3).err(), Some(Error::Length { found: 32, rows: 3 }));
        assert_eq!(List::from_bytes(&bytes(&[a, b])[1..], 2).err(), Some(Error::Length { found: 31, rows: 2 }));
        assert_eq!(Ranked::of(vec![b, a, b]).err(), Some(Error::Collision { first: 1, second: 3 }));
        let places = |of: &[u32], rows| from_bytes(&to_bytes(of), rows);
        assert_eq!(places(&[2, 0], 3), Ok(vec![2, 0]));
        assert_eq!(places(&[3], 3), Err(Error::Places { found: "a place after the last row", rows: 3 }));
        assert_eq!(places(&[1, 1], 3), Err(Error::Places { found: "a place twice", rows: 3 }));
        assert_eq!(places(&[0, 1], 1), Err(Error::Places { found: "another number of bytes", rows: 1 }));
        assert_eq!(from_bytes(&[0; 5], 3), Err(Error::Places { found: "another number of bytes", rows: 3 }));
    }
}
