//! Whether all three parties take a question: in one round, and alike.
//!
//! Each tells the two others what it finds: that the question is here, fits, and is within the limits, or why not. And each pair compares
//! hashes of what the client must have handed to both. A client that hands P0 one m and P1 another could be told sums of a party's masks
//! of the weights, with which another party would know weights; and the third party, which gives its part of the answer too, holds
//! neither m. So the third hears of each pair as well: both send it the pair's hash under a mask that only the pair can draw. It sees
//! whether the two are equal and, since it cannot draw the mask, nothing of what was hashed: a hash alone would let it try values out.
//! So all three come to the same, and where anything is amiss no pass runs and nobody gives a part of an answer.

use crate::Result;
use sha2::{Digest, Sha256};
use trefoil_client::AGAIN;
use trefoil_mpc::{Pair, Part, Party};
use trefoil_net::Id;

/// What a party finds of a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// It may be answered.
    Good,
    /// Its client has not brought it here.
    NotHere,
    /// A limit is reached.
    Limit,
    /// The service's last day is over.
    Over,
    /// It is no party's part of a question.
    Unfit,
}

impl Finding {
    const ALL: [Finding; 5] = [Finding::Good, Finding::NotHere, Finding::Limit, Finding::Over, Finding::Unfit];

    /// For the client.
    pub fn text(self) -> String {
        match self {
            Finding::Good => "the question may be answered".into(),
            Finding::NotHere => format!("the question is not here{AGAIN}"),
            Finding::Limit => "a limit of the service is reached".into(),
            Finding::Over => "the service is over".into(),
            Finding::Unfit => "found something else than a party's parts of a question".into(),
        }
    }
}

/// Hashes of what P0, P1 and P2 must hold too; `None` where nothing is held in common.
pub type Common = [Option<[u8; 32]>; 3];

/// Words of a hash.
const HASH: usize = 4;

/// Tells the others what this party finds, and gives why the question is refused, if it is: the same at all three, but that each names its own
/// finding first.
///
/// # Errors
/// Those of the network.
pub fn agree(party: &mut Party, own: Finding, common: &Common) -> Result<Option<String>> {
    let (me, [a, b], op) = (party.id, party.id.others(), party.op());
    let hash = |id: Id| common[id.index()].unwrap_or_default();
    // What the other of the two hears of the pair with this one.
    let [of_a, of_b] = [masked(party, op, me, a, &hash(a))?, masked(party, op, me, b, &hash(b))?];
    let words = |with: Id, of_other: [u64; HASH]| [&[own as u64][..], &words(&hash(with)), &of_other].concat();
    let round = party.round(op, "service.agreement");
    let round = round.send(a, Part::words(&words(a, of_b))).send(b, Part::words(&words(b, of_a)));
    let mut heard = round.then()?;
    let [from_a, from_b] = [heard.words(a, 1 + 2 * HASH)?, heard.words(b, 1 + 2 * HASH)?];
    let finding = |told: &[u64]| usize::try_from(told[0]).ok().and_then(|i| Finding::ALL.get(i).copied());
    for (id, found) in [(me, Some(own)), (a, finding(&from_a)), (b, finding(&from_b))] {
        let found = found.unwrap_or(Finding::Unfit);
        if found != Finding::Good {
            return Ok(Some(format!("{id}: {}", found.text())));
        }
    }
    let alike = [(a, b, from_a[1 + HASH..] == from_b[1 + HASH..]), (me, a, from_a[1..=HASH] == self::words(&hash(a)))];
    let alike = alike.into_iter().chain([(me, b, from_b[1..=HASH] == self::words(&hash(b)))]);
    let differ = alike.filter(|(.., alike)| !alike).map(|(x, y, _)| if x < y { [x, y] } else { [y, x] }).min();
    Ok(differ.map(|[x, y]| format!("{x} and {y} were handed different shares of what both must hold")))
}

/// A pair's hash under a mask that only the pair can draw.
fn masked(party: &mut Party, op: trefoil_mpc::Op, x: Id, y: Id, hash: &[u8; 32]) -> Result<[u64; HASH]> {
    let mask = party.draw(op, Pair::of(x, y), "service.pair")?.words(HASH);
    let mut digest = Sha256::new_with_prefix("trefoil pair");
    mask.iter().for_each(|word| digest.update(word.to_be_bytes()));
    Ok(words(&digest.chain_update(hash).finalize().into()))
}

/// A hash, or a fingerprint, as words.
pub fn words(bytes: &[u8; 32]) -> [u64; HASH] {
    std::array::from_fn(|i| u64::from_be_bytes(std::array::from_fn(|j| bytes[8 * i + j])))
}

/// The bytes again.
pub fn bytes(words: [u64; HASH]) -> [u8; 32] {
    std::array::from_fn(|i| words[i / 8].to_be_bytes()[i % 8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_mpc::simulate;

    /// What each of the three comes to.
    fn agreed(own: [(Finding, Common); 3]) -> [Option<String>; 3] {
        simulate(7, move |party| {
            let (finding, common) = own[party.id.index()];
            Ok(agree(party, finding, &common).unwrap())
        })
        .map(|one| one.unwrap().0)
    }

    /// What P0, P1 and P2 hold in common: m, the seed of l_0, the seed of l_1.
    fn common() -> [Common; 3] {
        let [m, l_0, l_1] = [1, 2, 3].map(|byte| Some([byte; 32]));
        [[None, m, l_0], [m, None, l_1], [l_0, l_1, None]]
    }

    #[test]
    fn all_three_hear_what_one_finds() {
        let all = |findings: [Finding; 3]| agreed(std::array::from_fn(|i| (findings[i], common()[i])));
        assert_eq!(all([Finding::Good; 3]), [const { None }; 3]);
        for finding in [Finding::NotHere, Finding::Limit, Finding::Over, Finding::Unfit] {
            for at in Id::ALL {
                let mut findings = [Finding::Good; 3];
                findings[at.index()] = finding;
                assert_eq!(all(findings), [0; 3].map(|_| Some(format!("{at}: {}", finding.text()))));
            }
        }
    }

    /// The third as well, which holds nothing of what differs; and it is told a hash that it cannot compute itself.
    #[test]
    fn all_three_hear_of_a_pair_that_was_handed_different_shares() {
        for (x, y) in [(0, 1), (0, 2), (1, 2)] {
            let mut all = common();
            all[x][y] = Some([9; 32]);
            let why = format!("P{x} and P{y} were handed different shares of what both must hold");
            assert_eq!(agreed(std::array::from_fn(|i| (Finding::Good, all[i]))), [0; 3].map(|_| Some(why.clone())));
        }
        let of_third = |step: u64, hash: [u8; 32]| {
            let [p0, p1, p2] = simulate(7, move |party| {
                party.begin_step(step);
                let op = party.op();
                let pair = |party: &mut Party| masked(party, op, Id::P0, Id::P1, &hash).map_err(|e| e.to_string());
                Ok(pair(party))
            });
            let [p0, p1, p2] = [p0, p1, p2].map(|one| one.unwrap().0);
            assert_eq!(p0, p1);
            assert!(p2.unwrap_err().contains("key"), "P2 can draw the mask of P0 and P1");
            p0.unwrap()
        };
        assert_ne!(of_third(1, [1; 32]), words(&[1; 32]));
        assert_ne!(of_third(1, [1; 32]), of_third(2, [1; 32]), "the same question twice looks alike");
    }

    #[test]
    fn to_words_and_back() {
        let bytes_of = std::array::from_fn(|i| i as u8 * 7);
        assert_eq!(bytes(words(&bytes_of)), bytes_of);
        assert_eq!(words(&bytes_of)[0], 0x0007_0e15_1c23_2a31);
    }
}
