//! What each party knows of the claims of a product: see the table in [`product`](super).

use super::super::super::matrix::elements;
use super::super::super::product::Factors;
use super::super::super::share::Share;
use super::{Made, Mask};
use crate::cut::Open;
use crate::proof::{Claim, Factor, First, Sign};
use crate::{Id, Party};
use std::sync::Arc;
use trefoil_engine::Kind as Form;
use trefoil_ring::{Tensor, words};

/// What a party knows of both factors: both m, or both of somebody's masks.
type Both = [Arc<Tensor>; 2];

fn both(z: &Factors<'_>, of: impl Fn(&Share) -> Option<&Tensor>) -> Option<Both> {
    let [x, y] = [z.x, z.y].map(|factor| of(factor).map(|x| Arc::new(x.clone())));
    x.zip(y).map(<[_; 2]>::from)
}

/// The sum of X Y' and X' Y, where the first verifier knows X and Y and the second X' and Y', and what is linear; of all that what this party knows.
fn cross(z: &Factors<'_>, linear: Vec<u64>, first: Option<&Both>, second: Option<&Both>, own: Option<(Sign, &Both)>) -> Claim {
    let Form::MatMul { tx, ty } = z.kind else { return cross_elements(z, linear, first, second, own) };
    let left = |both: Option<&Both>| both.map(|both| Factor { x: both[0].clone(), transposed: tx });
    let right = |both: Option<&Both>| both.map(|both| Factor { x: both[1].clone(), transposed: ty });
    let claim = Claim::of_matrices(z.shape, linear);
    let claim = claim.term(First::Left, left(first), right(second)).term(First::Right, left(second), right(first));
    match own.map(|(sign, both)| (sign, left(Some(both)), right(Some(both)))) {
        Some((sign, Some(left), Some(right))) => claim.own(sign, left, right),
        _ => claim,
    }
}

/// The same element by element. Where elements are added up in other places, each that meets others there has terms of its own.
fn cross_elements(
    z: &Factors<'_>,
    mut linear: Vec<u64>,
    first: Option<&Both>,
    second: Option<&Both>,
    own: Option<(Sign, &Both)>,
) -> Claim {
    if let Some((sign, [x, y])) = own {
        let product = words::mul(x, y);
        let product = z.scatter.map_or(product.clone(), |scatter| scatter.words(&product));
        for (linear, product) in linear.iter_mut().zip(&product) {
            *linear = if sign == Sign::Plus { linear.wrapping_add(*product) } else { linear.wrapping_sub(*product) };
        }
    }
    let words = |x: &Arc<Tensor>| match z.scatter {
        None => vec![elements(Some(x)).to_vec()],
        Some(scatter) => scatter.apart(x).into_iter().map(|x| x.into_raw_vec_and_offset().0).collect(),
    };
    let x = first.map(|[x, y]| [words(x), words(y)].concat());
    let y = second.map(|[x, y]| [words(y), words(x)].concat());
    match (x, y) {
        (Some(x), Some(y)) => Claim::at_prover(x, y),
        (Some(x), None) => Claim::at_first(x, linear),
        (_, y) => Claim::at_second(y.unwrap_or_default(), linear),
    }
}

/// An addend in the result's shape: it may be one row that is added to every row.
fn addend(z: &Factors<'_>, of: impl Fn(&Share) -> Option<&Tensor>) -> Option<Vec<u64>> {
    let x = of(z.plus.as_ref()?)?;
    Some(x.broadcast((z.shape[0], z.shape[1]))?.iter().copied().collect())
}

fn less(x: Vec<u64>, y: Option<&[u64]>) -> Vec<u64> {
    let y = y.unwrap_or_default();
    x.into_iter().enumerate().map(|(i, x)| x.wrapping_sub(y.get(i).copied().unwrap_or_default())).collect()
}

fn negative_of(x: &[u64]) -> Vec<u64> {
    x.iter().map(|x| x.wrapping_neg()).collect()
}

pub(super) fn claim_at_server(p: &mut Party, z: &Factors<'_>, mask: &Mask, theirs: Vec<u64>, kappa: &[u64]) {
    let j = p.id.index();
    let (Some(open), Some(masks)) = (both(z, Share::m), both(z, |x| x.mask(j))) else { return };
    let other = [Id::P1, Id::P0][j];
    let own = cross(z, vec![], Some(&open), Some(&masks), None);
    let of_other = match other {
        Id::P0 => cross(z, less(theirs, addend(z, Share::m).as_deref()), Some(&open), None, None),
        _ => {
            let offset = if z.f > 0 { Open::<64>::by(z.f).offset() } else { 0 };
            let less_offset = theirs.iter().zip(kappa).map(|(c, kappa)| c.wrapping_sub(offset).wrapping_sub(*kappa)).collect();
            cross(z, less_offset, Some(&open), None, Some((Sign::Minus, &open)))
        }
    };
    let linear = less(mask.part(), Some(&mask.v));
    let (first, second) = if j == 1 { (Some(&masks), None) } else { (None, Some(&masks)) };
    let of_dealt = cross(z, linear, first, second, Some((Sign::Plus, &masks)));
    p.claim(p.id, own);
    p.claim(other, of_other);
    p.claim(Id::P2, of_dealt);
    if z.f > 0 {
        for (kind, bit) in [(&mask.e, 0), (&mask.q, 1)] {
            let own = bits(&mask.s, bit);
            let scale = 62 - z.f + bit;
            let linear = less(kind.clone(), Some(&own)).iter().map(|x| x << scale).collect();
            let claim = match j {
                1 => Claim::at_first(vec![shifted(&own, scale + 1)], linear),
                _ => Claim::at_second(vec![own], linear),
            };
            p.claim(Id::P2, claim.small(scale + 1));
        }
    }
}

pub(super) fn claim_at_p2(p: &mut Party, z: &Factors<'_>, made: &Made) {
    let [Some(mask_0), Some(mask_1)] = &made.masks else { return };
    let [Some(l_0), Some(l_1)] = [0, 1].map(|j| both(z, |x| x.mask(j))) else { return };
    for (j, (mask, l)) in [(mask_0, &l_0), (mask_1, &l_1)].into_iter().enumerate() {
        // The addend's mask was taken off, and is added.
        let of_addend = addend(z, |x| x.mask(j)).map(|l| negative_of(&l));
        p.claim(Id::ALL[j], cross(z, less(negative_of(&mask.v), of_addend.as_deref()), None, Some(l), None));
    }
    p.claim(Id::P2, cross(z, vec![], Some(&l_1), Some(&l_0), None));
    if z.f > 0 {
        for bit in [0, 1] {
            let scale = 62 - z.f + bit;
            let [own_0, own_1] = [mask_0, mask_1].map(|mask| bits(&mask.s, bit));
            p.claim(Id::P2, Claim::at_prover(vec![shifted(&own_1, scale + 1)], vec![own_0]).small(scale + 1));
        }
    }
}

/// 2^(64-f) (a_j + w q_j - d_j) = 0 for both servers; `theirs` is what this one was sent.
pub(super) fn claim_lift(p: &mut Party, f: u8, made: &Made, theirs: Option<&[u64]>) {
    let open = Open::<64>::by(f);
    let w = || vec![made.c.iter().map(|c| open.top(open.opened(*c).1)).collect::<Vec<u64>>()];
    for (j, mask) in made.masks.iter().enumerate() {
        let claim = match mask {
            Some(mask) if p.id == Id::P2 => Claim::at_second(vec![mask.q.clone()], shifted(&mask.a, 64 - f)),
            Some(mask) => Claim::at_prover(w(), vec![mask.q.clone()]),
            None => Claim::at_first(w(), shifted(&negative_of(theirs.unwrap_or_default()), 64 - f)),
        };
        // w is a bit, and of a short lift no more than 16 bits count.
        p.claim(Id::ALL[j], if f <= 16 { claim.small(64 - f) } else { claim });
    }
}

/// A bit of each.
fn bits(x: &[u64], bit: u8) -> Vec<u64> {
    x.iter().map(|x| x >> bit & 1).collect()
}

fn shifted(x: &[u64], by: u8) -> Vec<u64> {
    x.iter().map(|x| x << by).collect()
}
