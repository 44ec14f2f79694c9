//! Whether an epoch was better than all before, agreed on by all three: it decides which model is given, and when training ends.
//!
//! P0 and P1 are shown the figures, and each tells the other and P2 what follows from them. All three compare, so that no party alone
//! steers the training. P2 is shown no figure; it learns this one bit an epoch, or that the figure is undefined.
//!
//! After a crash all three decide alike. What a verdict changes is in the training's state, which goes on from a checkpoint that all three
//! have. An epoch after that checkpoint whose figures one of them had begun to open is closed for all three
//! ([openings](super::openings)): it has no verdict in the new session, whoever had one before, and counts neither as better nor as no
//! better. Epochs beyond are opened to P0 and P1 alike, against the best figure as the checkpoint has it.

use crate::{Error, Result};
use trefoil_mpc::Party;
use trefoil_net::Id;

/// What a party tells: that it was shown nothing, and the verdict of one that was.
const SHOWN_NOTHING: u64 = 0;
const UNDEFINED: u64 = 1;
const NO_BETTER: u64 = 2;
const BETTER: u64 = 3;

/// Tells this party's verdict, and gives what all have come to.
///
/// # Errors
/// [`Error::Handshake`] naming the parties that differ; those of the network.
pub fn agree(party: &mut Party, me: Id, epoch: u64, own: Option<bool>) -> Result<Option<bool>> {
    let word = match (me, own) {
        (Id::P2, _) => SHOWN_NOTHING,
        (_, None) => UNDEFINED,
        (_, Some(false)) => NO_BETTER,
        (_, Some(true)) => BETTER,
    };
    let mut told = vec![(me, word)];
    for (peer, words) in party.tell("node.verdict", &[word])? {
        told.push((peer, words.first().copied().unwrap_or(SHOWN_NOTHING)));
    }
    told.sort_by_key(|(id, _)| *id);
    decide(epoch, &told)
}

/// What follows from what P0, P1 and P2 have told.
fn decide(epoch: u64, told: &[(Id, u64)]) -> Result<Option<bool>> {
    let name = |word| match word {
        SHOWN_NOTHING => "nothing",
        UNDEFINED => "undefined",
        NO_BETTER => "no better",
        BETTER => "better",
        _ => "something else",
    };
    match told.iter().map(|(_, word)| *word).collect::<Vec<_>>()[..] {
        [a, b, SHOWN_NOTHING] if a == b && (UNDEFINED..=BETTER).contains(&a) => Ok((a != UNDEFINED).then_some(a == BETTER)),
        _ => {
            let found: Vec<String> = told.iter().map(|(id, word)| format!("{id} says {:?}", name(*word))).collect();
            let expected = "the same of P0 and P1, and nothing of P2";
            Err(Error::Handshake(format!("verdict on epoch {epoch}: found {}, expected {expected}", found.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_mpc::simulate;

    /// What each of the three comes to.
    fn agreed(own: [Option<bool>; 3]) -> [std::result::Result<Option<bool>, String>; 3] {
        // A result within the result: a party's error must not end the others' before they have heard it.
        let all = simulate(7, move |party| {
            let me = party.id;
            Ok(agree(party, me, 3, own[me.index()]).map_err(|e| e.to_string()))
        });
        all.map(|one| one.unwrap().0)
    }

    #[test]
    fn all_three_come_to_what_both_that_are_shown_figures_say() {
        for verdict in [Some(true), Some(false), None] {
            // P2 knows none, and is not asked.
            for helper in [None, Some(true)] {
                assert_eq!(agreed([verdict, verdict, helper]), [0; 3].map(|_| Ok(verdict)));
            }
        }
    }

    #[test]
    fn a_party_alone_steers_nothing() {
        let text = "handshake: verdict on epoch 3: found P0 says \"better\", P1 says \"no better\", P2 says \"nothing\", \
                    expected the same of P0 and P1, and nothing of P2";
        assert_eq!(agreed([Some(true), Some(false), None]), [0; 3].map(|_| Err(text.to_owned())));
        for told in [[BETTER, BETTER, BETTER], [SHOWN_NOTHING, SHOWN_NOTHING, SHOWN_NOTHING], [9, 9, 0], [UNDEFINED, BETTER, 0]] {
            decide(1, &Id::ALL.into_iter().zip(told).collect::<Vec<_>>()).unwrap_err();
        }
    }
}
