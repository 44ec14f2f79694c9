//! Shares on their way between the ranks of one party.
//!
//! No protocol: a rank gives another what its own party holds. Linear operations act on each part of a share alike, so the sum over ranks of a matrix's shares is the
//! shares of the sum.

use super::held::{Asked, pass};
use super::matrix::{elements, tensor};
use super::share::Share;
use crate::lanes::{ANSWER, BRING, DISMISS, HOLD, STEP, of_another_length};
use crate::secure::Num;
use crate::{Error, Party, Result};
use trefoil_engine::{Format, Index, Lane, Told};

/// Numbers that say what the words behind them are: before each matrix, and before a step.
pub(super) const HEAD: usize = 6;
pub(super) const BEFORE_STEP: usize = 6;
/// And before what lane 0 alone has made.
pub(super) const PLACE: usize = 2;

/// Among the bits that say which parts there are: that the share is narrow.
const NARROW: u64 = 1 << 4;

/// A matrix with its format as words: what it is, then m, both masks and e, as far as this party has them.
pub(super) fn pack(Num { share, format }: &Num<Share>, out: &mut Vec<u64>) {
    let lift = share.pending();
    let parts = [share.m(), share.mask(0), share.mask(1), share.own()];
    let narrow = if share.narrow_bits().is_some() { NARROW } else { 0 };
    let present = parts.iter().enumerate().fold(narrow, |bits, (i, part)| bits | u64::from(part.is_some()) << i);
    let [rows, columns] = share.shape.map(|n| n as u64);
    out.extend([rows, columns, format.frac.into(), format.bits.into(), present, lift.map_or(0, |lift| lift.f.into())]);
    parts.into_iter().flatten().for_each(|part| out.extend(elements(Some(part))));
}

/// The first matrix of `words`, which go on behind it.
pub(super) fn unpack(words: &mut &[u64]) -> Result<Num<Share>> {
    let short = |found: usize, expected: usize| of_another_length(0, found, expected);
    let (head, rest) = words.split_first_chunk::<HEAD>().ok_or_else(|| short(words.len(), HEAD))?;
    let [rows, columns, frac, bits, present, f] = *head;
    let shape = [rows as usize, columns as usize];
    let n = shape[0].checked_mul(shape[1]).filter(|n| *n <= rest.len()).ok_or_else(|| short(rest.len(), usize::MAX))?;
    *words = rest;
    let mut part = |i: u64| -> Result<_> {
        if present >> i & 1 == 0 {
            return Ok(None);
        }
        let (own, rest) = words.split_at_checked(n).ok_or_else(|| short(words.len(), n))?;
        *words = rest;
        Ok(Some(tensor(shape, own.to_vec())))
    };
    let (m, l, own) = (part(0)?, [part(1)?, part(2)?], part(3)?);
    let share = Share::new(shape, m, l);
    let share = match f as u8 {
        0 => share,
        f if present & NARROW > 0 => share.narrow(64 - f.min(63)),
        f => share.with_lift(f, own),
    };
    Ok(Num::new(share, Format { frac: frac as u8, bits: bits as u8 }))
}

/// Lane 0: sends each other lane all of `common` and its rows of `rows`; its own rows. Rows that ranks hold (held.rs) go from the one to the other.
///
/// # Errors
/// A rank is gone.
pub fn lead(
    p: &mut Party,
    held: &[Num<Share>],
    step: u64,
    common: &[&Num<Share>],
    rows: &[&Num<Share>],
) -> Result<Vec<Num<Share>>> {
    let lane = p.lane();
    let place = p.place();
    let part = |x: &Num<Share>, rank: usize| {
        let rows: Vec<usize> = Lane { rank, ..lane }.rows(x.share.shape[0]).collect();
        Num::new(x.share.gather(Index::Rows(&rows)), x.format)
    };
    let asked: Vec<Option<Asked>> = rows.iter().map(|x| x.share.is_elsewhere().map(Asked::of)).collect();
    let mut passed = vec![];
    if let Some(mut lanes) = p.lanes() {
        let mut all = vec![STEP, step, place[0], place[1], common.len() as u64, rows.len() as u64];
        asked.iter().for_each(|asked| Asked::pack(asked.as_ref(), &mut all));
        common.iter().for_each(|x| pack(x, &mut all));
        lanes.spread(all)?;
        let kept: Vec<&Num<Share>> = rows.iter().zip(&asked).filter(|(_, asked)| asked.is_none()).map(|(x, _)| *x).collect();
        for rank in 1..lane.of {
            let mut own = vec![];
            kept.iter().for_each(|x| pack(&part(x, rank), &mut own));
            if !kept.is_empty() {
                lanes.give(rank, own)?;
            }
        }
        passed = pass(&mut lanes, p.id, held, &asked.iter().flatten().collect::<Vec<_>>(), lane.of)?;
    }
    p.set_apart(true);
    let mut passed = passed.into_iter();
    Ok(rows.iter().zip(asked).map(|(x, asked)| asked.and_then(|_| passed.next()).unwrap_or_else(|| part(x, 0))).collect())
}

/// Another lane: what lane 0 has it do. What is only to be held or brought to lane 0 is done at once.
///
/// # Errors
/// A rank is gone, or says something else.
pub fn follow(p: &mut Party, held: &mut Vec<Num<Share>>) -> Result<Option<Told<Num<Share>>>> {
    let Some(mut lanes) = p.lanes() else { return Ok(None) };
    let of = lanes.lane().of;
    let all = loop {
        let all = lanes.spread(vec![])?;
        match &all[..] {
            [ANSWER] => lanes.answer(&p.answer())?,
            [HOLD] => held.push(unpack(&mut &lanes.take(0)?[..])?),
            [BRING, words @ ..] => {
                let asked = Asked::unpack(&mut &words[..], held)?;
                pass(&mut lanes, p.id, held, &asked.iter().collect::<Vec<_>>(), 1)?;
            }
            _ => break all,
        }
    };
    let (step, place, [common, rows], mut words) = match &all[..] {
        [STEP, step, a, b, common, rows, words @ ..] => (*step, [*a, *b], [*common, *rows], words),
        [DISMISS] => return Ok(None),
        _ => return Err(Error::Lane { rank: 0, why: "sent something else than a step".into() }),
    };
    let asked = (0..rows).map(|_| Asked::unpack(&mut words, held)).collect::<Result<Vec<_>>>()?;
    let common = (0..common).map(|_| unpack(&mut words)).collect::<Result<Vec<_>>>()?;
    let mut given = vec![];
    if asked.iter().any(Option::is_none) {
        let own = lanes.take(0)?;
        let mut words = &own[..];
        while !words.is_empty() {
            given.push(unpack(&mut words)?);
        }
    }
    let passed = pass(&mut lanes, p.id, held, &asked.iter().flatten().collect::<Vec<_>>(), of)?;
    drop(lanes);
    let (mut given, mut passed) = (given.into_iter(), passed.into_iter());
    let rows = asked.iter().filter_map(|asked| if asked.is_some() { passed.next() } else { given.next() }).collect();
    p.go_to(place);
    p.set_apart(true);
    Ok(Some(Told { step, common, rows }))
}

/// The sum of all lanes' shares, at lane 0.
///
/// # Errors
/// A rank is gone, or has something of another shape.
pub fn sum(p: &mut Party, x: Num<Share>) -> Result<Num<Share>> {
    let Some(mut lanes) = p.lanes() else { return Ok(x) };
    let x = Num { format: x.format.sum(lanes.lane().of), ..x };
    let mut words = vec![];
    pack(&x, &mut words);
    let head: Vec<u64> = words.drain(..HEAD).collect();
    let Some(sum) = lanes.sum(words)? else { return Ok(x) };
    let words: Vec<u64> = head.into_iter().chain(sum).collect();
    unpack(&mut &words[..])
}

/// Each lane's rows of these matrices, one below the other, at lane 0; the other lanes keep their own.
///
/// # Errors
/// A rank is gone, or has something of another shape.
pub fn below(p: &mut Party, x: Vec<Num<Share>>) -> Result<Vec<Num<Share>>> {
    let Some(mut lanes) = p.lanes() else { return Ok(x) };
    let Lane { rank, of } = lanes.lane();
    let words = |x: &Num<Share>| {
        let mut words = vec![];
        pack(x, &mut words);
        words
    };
    if rank > 0 {
        x.iter().try_for_each(|x| lanes.give(0, words(x)))?;
        return Ok(x);
    }
    let mut all_rows = |x: &Num<Share>| {
        let mut each = vec![words(x)];
        for rank in 1..of {
            let theirs = lanes.take(rank)?;
            if theirs.len() != each[0].len() || theirs[..HEAD] != each[0][..HEAD] {
                return Err(of_another_length(rank, theirs.len(), each[0].len()));
            }
            each.push(theirs);
        }
        // Words are row by row, so rows below one another are words behind one another, part by part.
        let [rows, columns] = x.share.shape;
        let mut all = each[0][..HEAD].to_vec();
        all[0] = (rows * of) as u64;
        for part in (HEAD..each[0].len()).step_by((rows * columns).max(1)) {
            each.iter().for_each(|words| all.extend(&words[part..part + rows * columns]));
        }
        unpack(&mut &all[..])
    };
    x.iter().map(&mut all_rows).collect()
}

/// Lane 0's matrices at all lanes, which go on where lane 0 is in the program.
///
/// # Errors
/// A rank is gone, or sends something else.
pub fn from_lane_0(p: &mut Party, x: Vec<Num<Share>>) -> Result<Vec<Num<Share>>> {
    let place = p.place();
    let Some(mut lanes) = p.lanes() else { return Ok(x) };
    let mut words = place.to_vec();
    x.iter().for_each(|x| pack(x, &mut words));
    let words = lanes.spread(words)?;
    if lanes.lane().leads() {
        return Ok(x);
    }
    drop(lanes);
    let (place, mut words) = words.split_first_chunk::<PLACE>().ok_or_else(|| of_another_length(0, words.len(), PLACE))?;
    p.go_to(*place);
    let mut all = vec![];
    while !words.is_empty() {
        all.push(unpack(&mut words)?);
    }
    Ok(all)
}
