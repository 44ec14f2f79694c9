//! A question and its answer in all suites: what comes in is what was split, and what goes out is the answer, row by row, or an error.

use crate::common::{Tested, edges, with_engine};
use ndarray::s;
use trefoil_engine::{Format, Product};
use trefoil_mpc::masked::verified::Verified;
use trefoil_mpc::masked::{Masked, question};
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::{Id, Part, Party, Price, Question, Result, Suite, simulate};
use trefoil_ring::Tensor;

/// This party's part of a question.
fn half(id: Id, x: &Tensor) -> Vec<u64> {
    let parts = SecureNn::deal(x, [7; 32]);
    let [own, _] = SecureNn::accept(id, x.len(), &parts[id.index()]).unwrap().words();
    own
}

/// What P0 and P1 tell of 2 x (or of x itself), all rows and these alone.
fn told<S: Tested>(x: &Tensor, twice: bool, rows: std::ops::Range<usize>) -> [[Vec<Part>; 2]; 2] {
    told_by::<S>(None, x, twice, rows)
}

/// The same, where a party adds 1 to one number of its part of the question.
fn told_by<S: Tested>(liar: Option<Id>, x: &Tensor, twice: bool, rows: std::ops::Range<usize>) -> [[Vec<Part>; 2]; 2] {
    let shape = [x.nrows(), x.ncols()];
    let ends = simulate(3, |p: &mut Party| -> Result<[Vec<Part>; 2]> {
        let mut x_j = half(p.id, x);
        x_j.last_mut().filter(|_| Some(p.id) == liar).into_iter().for_each(|word| *word = word.wrapping_add(1));
        with_engine::<S, _>(p, |e| {
            let x = e.ask(shape, Format { frac: 8, bits: 40 }, x_j)?;
            let answer = match twice {
                true => {
                    let two = e.public(&ndarray::Array2::from_elem((shape[0], shape[1]), 2.0), Format { frac: 8, bits: 10 })?;
                    // It waits for its lift.
                    let [twice] = e.products([Product::mul(&x, &two, Format { frac: 8, bits: 42 })])?;
                    twice
                }
                false => x.clone(),
            };
            let told = e.tell(&x, &answer)?;
            let own = e.party().id != Id::P2;
            Ok(if own { [told.rows(0..shape[0]), told.rows(rows.clone())] } else { [told.rows(0..0), vec![]] })
        })
    });
    let [p0, p1, p2] = ends.map(|end| end.unwrap().0);
    assert!(p2.iter().all(Vec::is_empty), "P2 has nothing to tell");
    [[p0[0].clone(), p1[0].clone()], [p0[1].clone(), p1[1].clone()]]
}

fn in_and_out<S: Tested>() {
    let x = Tensor::from_shape_vec((8, 5), edges(39, 40)).unwrap();
    let [all, some] = told::<S>(&x, false, 2..5);
    let words: Vec<u64> = x.iter().copied().collect();
    assert_eq!(S::hear(&x, 5, &all).unwrap(), words, "{}", S::NAME);
    let own = x.slice(s![2..5, ..]).to_owned();
    assert_eq!(S::hear(&own, 5, &some).unwrap(), words[10..25], "{}: a client's own rows", S::NAME);
    let [doubled, _] = told::<S>(&x, true, 0..0);
    let twice: Vec<u64> = words.iter().map(|x| x.wrapping_mul(2)).collect();
    let found = S::hear(&x, 5, &doubled).unwrap();
    // Where the rounding is not that of the other suites, a whole number may move by a unit.
    let off = found.iter().zip(&twice).map(|(found, twice)| found.wrapping_sub(*twice) as i64);
    assert!(off.into_iter().all(|off| off.unsigned_abs() <= u64::from(S::PROVEN)), "{}: whole numbers are exact", S::NAME);
    for (parts, text) in
        [(vec![], "P0 sent 0 tensors"), (all[0][..].iter().cycle().take(9).cloned().collect(), "P0 sent 9 tensors")]
    {
        assert!(S::hear(&x, 5, &[parts, all[1].clone()]).unwrap_err().contains(text));
    }
    assert!(S::hear(&x.slice(s![..7, ..]).to_owned(), 5, &all).unwrap_err().contains("P0 sent "), "{}: other sizes", S::NAME);
}

#[test]
fn what_goes_in_comes_out() {
    in_and_out::<Masked>();
    in_and_out::<SecureNn>();
    in_and_out::<Verified>();
}

/// Whatever one party changes of what it tells, the client notices.
#[test]
fn a_changed_answer_is_noticed() {
    change_each::<Masked>(3);
    // The question, and its answer.
    change_each::<Verified>(6);
}

fn change_each<S: Tested>(columns: usize) {
    let x = Tensor::from_shape_fn((2, 3), |(i, j)| (i * 3 + j) as u64);
    let [all, _] = told::<S>(&x, true, 0..0);
    let mut tried = 0;
    for party in 0..2 {
        for part in 0..4 {
            let words = all[party][part].to_words(all[party][part].len()).unwrap();
            for at in 0..words.len() {
                let (mut changed, mut words) = (all.clone(), words.clone());
                words[at] ^= 1 << (at % 64);
                changed[party][part] = Part::words(&words);
                let e = S::hear(&x, 3, &changed).unwrap_err();
                assert!(e.starts_with("P0 and P1 contradict each other on "), "{e}");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 2 * (2 * columns + 2 + 4) + 2 * (columns + 2 + 4 + 4));
}

/// Where messages are proven, a client also notices that its question was changed on the way in, by whichever party.
#[test]
fn a_changed_question_is_noticed() {
    let x = Tensor::from_shape_fn((2, 3), |(i, j)| (i * 3 + j) as u64);
    for liar in [Id::P0, Id::P1] {
        let [all, _] = told_by::<Verified>(Some(liar), &x, true, 0..0);
        let e = Verified::hear(&x, 3, &all).unwrap_err();
        assert!(e.contains("the answer is to another one"), "{e}");
        let [all, _] = told_by::<Masked>(Some(liar), &x, true, 0..0);
        assert!(Masked::hear(&x, 3, &all).is_ok(), "masked promises nothing of the kind");
    }
}

/// P2 takes its part without hearing a word: it may be at any pass.
#[test]
fn costs_and_who_waits_for_whom() {
    for (rows, columns) in [(1, 784), (8, 1), (128, 10)] {
        let ends = simulate(5, |p: &mut Party| -> Result<[(u64, [u64; 3]); 2]> {
            let x_j = half(p.id, &Tensor::zeros((rows, columns)));
            let (id, mut now) = (p.id, (0, [0; 3]));
            with_engine::<Masked, _>(p, |e| {
                let mut since = |e: &mut Masked| {
                    let then = std::mem::replace(&mut now, (u64::from(e.party().depth()), e.party().cost.sent));
                    (now.0 - then.0, [0, 1, 2].map(|to: usize| now.1[to] - then.1[to]))
                };
                let x = e.ask([rows, columns], Format::new(8, 8), x_j)?;
                let asked = since(e);
                e.tell(&x, &x)?;
                let told = since(e);
                assert!(
                    id != Id::P2 || (asked, told.0) == ((0, [0; 3]), 0),
                    "P2 sends nothing for a question, and waits for nobody"
                );
                Ok([asked, told])
            })
        });
        let [p0, p1, p2] = ends.map(|end| end.unwrap().0);
        let price = |i: usize| Price::of(p0[i].0, [p2[i].1[0], p2[i].1[1]], [p0[i].1, p1[i].1].concat().iter().sum());
        assert_eq!((price(0), price(1)), (question::ask_cost(rows * columns), question::tell_cost(rows)));
    }
}

/// A hash of a class alone, one word, would be tried out by who has it: its salt hides it, and is another one in each row.
#[test]
fn what_is_vouched_for_is_hidden() {
    let x = Tensor::zeros((4, 1));
    let of = |seed: Option<&str>| -> Vec<u64> {
        let ends = simulate(9, |p: &mut Party| -> Result<Vec<u64>> {
            // The same mask in all rows.
            p.seeds.insecure_zero("masked.question.l");
            seed.iter().for_each(|label| p.seeds.insecure_zero(label));
            let x_j = half(p.id, &x);
            with_engine::<Masked, _>(p, |e| {
                let x = e.ask([4, 1], Format::new(8, 8), x_j)?;
                let told = e.tell(&x, &x)?.rows(0..4);
                Ok(told.last().map(|dealt| dealt.to_words(16).unwrap()).unwrap_or_default())
            })
        });
        ends.into_iter().next().unwrap().unwrap().0
    };
    let rows = |words: &[u64]| words.chunks(4).map(<[u64]>::to_vec).collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!(rows(&of(None)), 4, "rows with one mask look different");
    assert_eq!(rows(&of(Some("masked.question.salt"))), 1, "without salts they do not: this test would notice");
}
