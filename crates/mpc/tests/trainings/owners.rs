//! Ways in and out: what an owner splits comes back, P0 and P1 can tell that they were dealt the same, and the model owner refuses what
//! the parties contradict each other on, naming the pair.

use crate::common::{Tested, with_engine};
use trefoil_engine::{Engine, Format, Product};
use trefoil_mpc::masked::Masked;
use trefoil_mpc::masked::verified::Verified;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::{Id, Part, Prg, Suite, simulate};
use trefoil_ring::Tensor;

const N: usize = 15;

fn values() -> Tensor {
    let words = Prg::from_seed(&[1; 32]).words(N);
    Tensor::from_shape_fn((3, 5), |(i, j)| words[i * 5 + j])
}

/// What the three parties send the model owner.
fn exported<S: Tested>() -> [Vec<Part>; 3] {
    let parts = S::deal(&values(), [9; 32]);
    let sent = simulate(1, |p| {
        with_engine::<S, _>(p, |e| {
            let id = e.party().id;
            let kept = S::accept(id, N, &parts[id.index()]).unwrap();
            let x = e.input([3, 5], Format::new(16, 20), kept);
            assert_eq!((e.shape(&x), e.format(&x)), ([3, 5], Format::new(16, 20)));
            Ok(e.export(&x)?)
        })
    });
    sent.map(|party| party.unwrap().0)
}

fn comes_back<S: Tested>() {
    let sent = exported::<S>();
    assert_eq!(S::reconstruct(N, &sent).unwrap(), values().iter().copied().collect::<Vec<_>>(), "{}", S::NAME);
    // Another number of elements, and of tensors.
    assert!(S::reconstruct(N + 1, &sent).unwrap_err().contains(" sent 15 x Z_2^64, expected 16 x Z_2^64"));
    let mut none = exported::<S>();
    none[1].clear();
    assert!(S::reconstruct(N, &none).unwrap_err().starts_with("P1 sent 0 tensors, expected "));
}

#[test]
fn what_is_dealt_comes_back() {
    comes_back::<SecureNn>();
    comes_back::<Masked>();
    comes_back::<Verified>();
}

fn kept_and_taken_up<S: Tested>() {
    let parts = S::deal(&values(), [9; 32]);
    let sent = simulate(1, |p| {
        with_engine::<S, _>(p, |e| {
            let id = e.party().id;
            let x = e.input([3, 5], Format::new(16, 20), S::accept(id, N, &parts[id.index()]).unwrap());
            let kept = e.keep(&x)?;
            e.party().meet("test.meet", &[7, 8])?;
            let again = e.input([3, 5], Format::new(16, 20), kept);
            Ok(e.export(&again)?)
        })
    });
    let sent = sent.map(|party| party.unwrap().0);
    assert_eq!(S::reconstruct(N, &sent).unwrap(), values().iter().copied().collect::<Vec<_>>(), "{}", S::NAME);
}

#[test]
fn what_a_checkpoint_keeps_is_the_matrix() {
    kept_and_taken_up::<SecureNn>();
    kept_and_taken_up::<Masked>();
    kept_and_taken_up::<Verified>();
}

#[test]
fn a_meeting_shows_who_differs() {
    let results = simulate(1, |p| {
        let word = u64::from(p.id == Id::P1);
        p.meet("test.meet", &[word])
    });
    // Who finds it first leaves, and the others may find that instead.
    let told = results.map(|r| r.map(|_| ()).unwrap_err().to_string());
    assert!(told.iter().any(|e| e.contains(" sent digest of another state")), "{told:?}");
}

#[test]
fn a_value_that_waits_is_made_whole_before_it_goes_out() {
    let sent = simulate(1, |p| {
        with_engine::<Masked, _>(p, |e| {
            let x = crate::common::secret(e, &Tensor::from_elem((3, 5), 3 << 16), Format::new(16, 4), 1);
            let [y] = e.products([Product::mul(&x, &x, Format::new(8, 8))])?;
            Ok(e.export(&y)?)
        })
    });
    assert_eq!(Masked::reconstruct(N, &sent.map(|party| party.unwrap().0)).unwrap(), vec![9 << 8; N]);
}

#[test]
fn every_part_is_vouched_for_by_two() {
    let word = Part::words(&[7; N]);
    let hash = Part::bits(&[7; 32], 8);
    // P0 sends m and H(l_0), P1 l_1 and H(m), P2 l_0 and H(l_1).
    for (id, place, lie, pair) in [
        (Id::P0, 0, &word, "P0 and P1 on m"),
        (Id::P1, 1, &hash, "P0 and P1 on m"),
        (Id::P2, 0, &word, "P0 and P2 on l_0"),
        (Id::P0, 1, &hash, "P0 and P2 on l_0"),
        (Id::P1, 0, &word, "P1 and P2 on l_1"),
        (Id::P2, 1, &hash, "P1 and P2 on l_1"),
    ] {
        let mut sent = exported::<Masked>();
        sent[id.index()][place] = lie.clone();
        let error = Masked::reconstruct(N, &sent).unwrap_err();
        assert_eq!(error, format!("{pair} contradict each other"), "{id}, tensor {place}");
        sent[id.index()][place] = Part::words(&[7]);
        assert!(Masked::reconstruct(N, &sent).is_err(), "another length");
    }
}

/// Each pair of parties compares what both must have been dealt: P0 and P1 the masked words, either of them with P2 a seed.
#[test]
fn each_pair_can_tell_that_it_was_dealt_the_same() {
    let hash = |a: Id, b: Id, parts: &[Vec<Part>; 3]| Masked::common(a, &parts[a.index()])[b.index()];
    let (one, other) = (Masked::deal(&values(), [9; 32]), Masked::deal(&values(), [8; 32]));
    let m = hash(Id::P0, Id::P1, &one);
    for a in Id::ALL {
        assert_eq!(hash(a, a, &one), None);
        for b in a.others() {
            assert!(hash(a, b, &one).is_some() && hash(a, b, &one) == hash(b, a, &one));
            assert_ne!(hash(a, b, &one), hash(b, a, &other), "{a} was dealt something else than {b}");
        }
        // P2 could try values out until their hash is that of m.
        assert!(hash(a, Id::P2, &one) != m && hash(Id::P2, a, &one) != m);
    }
    // One bit of one element, at one server.
    for (server, at) in [(0, 0), (1, N - 1)] {
        let mut parts = Masked::deal(&values(), [9; 32]);
        let mut m = parts[server][1].to_words(N).unwrap();
        m[at] ^= 1 << 63;
        parts[server][1] = Part::words(&m);
        assert_ne!(hash(Id::P0, Id::P1, &parts), hash(Id::P1, Id::P0, &parts), "P{server} was dealt another m");
    }
}

#[test]
fn parts_of_another_kind_are_refused() {
    fn all<S: Suite>() {
        let parts = S::deal(&values(), [9; 32]);
        for (id, parts) in Id::ALL.into_iter().zip(&parts) {
            assert!(S::accept(id, N, parts).is_ok());
            let more = [&parts[..], &[Part::words(&[1])]].concat();
            assert!(S::accept(id, N, &more).unwrap_err().contains("tensors, expected"));
            if id == Id::P1 {
                assert!(S::accept(id, N + 1, parts).unwrap_err().contains("15 x Z_2^64, expected 16 x Z_2^64"));
            }
        }
    }
    all::<SecureNn>();
    all::<Masked>();
}

/// Whoever sends a few bytes that stand for more elements than fit into memory costs a few bytes.
fn no_seed_is_expanded<S: Tested>(few: &[Id]) {
    let dealt = S::deal(&values(), [9; 32]);
    for id in Id::ALL {
        assert_eq!(S::accept(id, 1 << 60, &dealt[id.index()]).is_ok(), few.contains(&id), "{}, {id}", S::NAME);
    }
}

#[test]
fn an_upload_is_taken_without_expanding_it() {
    // P2 of securenn is sent nothing at all.
    no_seed_is_expanded::<SecureNn>(&[Id::P0, Id::P2]);
    no_seed_is_expanded::<Masked>(&[Id::P2]);
}
