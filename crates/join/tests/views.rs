//! What P0 or P1 receives of a join is independent of the identifiers: by every way in which identifiers could show in blinded elements, tried
//! on what is really sent; and each way is tried on a blinding that was spoiled so that it must find something.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use sha2::{Digest, Sha512};
use std::collections::BTreeSet;
use trefoil_join::oprf::{Blinds, Element, Key};

/// Enough that a bit which leans by a tenth is found: four standard errors are 0.03.
const ROWS: usize = 4096;

/// What a party sees of a few owners, each of which has brought these identifiers in a conversation.
struct View {
    identifiers: Vec<Vec<u8>>,
    sent: Vec<Vec<Element>>,
}

fn identifiers(from: usize) -> Vec<Vec<u8>> {
    (from..from + ROWS).map(|i| i.to_string().into_bytes()).collect()
}

/// H1 as the RFC has it, written once more: who tries identifiers out would compute it.
fn h1(x: &[u8]) -> RistrettoPoint {
    let tag = b"HashToGroup-OPRFV1-\x00-ristretto255-SHA512";
    let tag = [&tag[..], &[tag.len() as u8]].concat();
    let b0 = Sha512::digest([&[0; 128][..], x, &[0, 64, 0], &tag].concat());
    let b1 = Sha512::digest([&b0[..], &[1], &tag].concat());
    RistrettoPoint::from_uniform_bytes(&b1.into())
}

fn point(element: &Element) -> RistrettoPoint {
    CompressedRistretto(*element).decompress().unwrap()
}

/// An element is an identifier's own.
fn unblinded(view: &View) -> bool {
    let own: BTreeSet<Element> = view.identifiers.iter().map(|x| h1(x).compress().to_bytes()).collect();
    view.sent.iter().flatten().any(|b| own.contains(b))
}

/// Two elements differ as the identifiers do: one blind for both, in one conversation.
fn one_blind(view: &View) -> bool {
    let own: Vec<RistrettoPoint> = view.identifiers.iter().map(|x| h1(x)).collect();
    view.sent.iter().any(|sent| sent.windows(2).zip(own.windows(2)).any(|(b, h)| point(&b[0]) - point(&b[1]) == h[0] - h[1]))
}

/// The same element in two conversations: who has the same identifiers shows.
fn repeated(view: &View) -> bool {
    let mut seen = BTreeSet::new();
    view.sent.iter().flatten().any(|b| !seen.insert(*b))
}

/// Some bit of the elements' encodings leans otherwise than that of uniform elements does; bits 0 and 255 are always 0 in both.
fn leans(view: &View) -> bool {
    let share =
        |all: &[Element], bit: usize| all.iter().filter(|b| (b[bit / 8] >> (bit % 8)) & 1 == 1).count() as f64 / all.len() as f64;
    let all: Vec<Element> = view.sent.concat();
    let uniform: Vec<Element> = (0..all.len())
        .map(|i| RistrettoPoint::from_uniform_bytes(&Sha512::digest(i.to_le_bytes()).into()).compress().to_bytes())
        .collect();
    // Six standard errors of a difference of two shares near a half.
    let most = 6.0 * (0.5 / all.len() as f64).sqrt();
    (0..256).any(|bit| (share(&all, bit) - share(&uniform, bit)).abs() > most)
}

type Way = (&'static str, fn(&View) -> bool);
const WAYS: [Way; 4] = [("unblinded", unblinded), ("one blind", one_blind), ("repeated", repeated), ("leans", leans)];

/// What a party receives of `conversations`, each an owner's in a job, with these identifiers.
fn view(identifiers: Vec<Vec<u8>>, blind: impl Fn(usize, &[&[u8]]) -> Vec<Element>) -> View {
    let xs: Vec<&[u8]> = identifiers.iter().map(Vec::as_slice).collect();
    let sent = (0..3).map(|conversation| blind(conversation, &xs)).collect();
    View { identifiers, sent }
}

fn found(view: &View) -> Vec<&'static str> {
    WAYS.iter().filter(|(_, way)| way(view)).map(|(name, _)| *name).collect()
}

#[test]
fn a_party_sees_nothing_of_identifiers() {
    let key = Key::fresh().unwrap().public();
    let blind = |conversation: usize, xs: &[&[u8]]| Blinds::new([conversation as u8; 32], &key).unwrap().blind(xs);
    for from in [0, 1_000_000] {
        assert_eq!(found(&view(identifiers(from), blind)), Vec::<&str>::new());
    }
    // It is the seed that hides them: under the same one the same comes out.
    assert_eq!(blind(0, &[b"ada"]), blind(0, &[b"ada"]));
}

/// Each way finds what it is for: blinds that are missing, shared by rows, by owners, or multiplied into a small group.
#[test]
fn each_way_finds_what_was_spoiled() {
    let plain = |_: usize, xs: &[&[u8]]| -> Vec<Element> { xs.iter().map(|x| h1(x).compress().to_bytes()).collect() };
    assert_eq!(found(&view(identifiers(0), plain)), ["unblinded", "one blind", "repeated"]);
    let shared_by_rows = |conversation: usize, xs: &[&[u8]]| -> Vec<Element> {
        let r = h1(format!("blind {conversation}").as_bytes());
        xs.iter().map(|x| (h1(x) + r).compress().to_bytes()).collect()
    };
    assert_eq!(found(&view(identifiers(0), shared_by_rows)), ["one blind"]);
    let key = Key::fresh().unwrap().public();
    let shared_by_owners = |_: usize, xs: &[&[u8]]| Blinds::new([0; 32], &key).unwrap().blind(xs);
    assert_eq!(found(&view(identifiers(0), shared_by_owners)), ["repeated"]);
    let few = |conversation: usize, xs: &[&[u8]]| -> Vec<Element> {
        let few = |i: usize| h1(format!("one of few {conversation} {}", i % 7).as_bytes()).compress().to_bytes();
        (0..xs.len()).map(few).collect()
    };
    assert_eq!(found(&view(identifiers(0), few)), ["repeated", "leans"]);
}
