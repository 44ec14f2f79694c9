//! Checks 7 and 8 on the masked suite: what the servers see is uniform, and tells no two secrets apart; P2 sees nothing.

use crate::common::Tested;
use crate::common::masked_programs::PROGRAMS;
use crate::common::privacy::{SECRETS, all_is_uniform, all_is_uniform_given_own, no_two_secrets_differ};
use crate::common::programs::Input;
use crate::common::views::taped;
use trefoil_mpc::masked::Masked;
use trefoil_mpc::{Id, Party, Seeds};

/// 10^5 values a field in debug builds, 10^6 in release builds, in whole blocks of 64.
const N: usize = if cfg!(debug_assertions) { 100_032 } else { 1_000_000 };

#[test]
fn all_that_a_party_sees_is_uniform() {
    all_is_uniform(&PROGRAMS, |_| N);
}

#[test]
fn no_view_tells_two_secrets_apart() {
    no_two_secrets_differ(&PROGRAMS);
}

#[test]
fn what_a_party_receives_is_uniform_whatever_it_drew_itself() {
    all_is_uniform_given_own(&PROGRAMS);
}

#[test]
fn the_helper_receives_nothing_and_answers_nothing() {
    let check = |name: &str, run: &(dyn Fn(&mut Party) -> trefoil_mpc::Result<crate::common::programs::End> + Sync)| {
        let [(p0, _), (p1, _), (p2, _)] = taped(|id| Seeds::insecure(id, 1), run);
        assert!(p2.is_empty(), "{name}");
        assert!(!p0.is_empty() && !p1.is_empty(), "{name}");
        let dealt = p0.iter().chain(&p1).filter(|(from, _)| *from == Id::P2);
        assert!(dealt.into_iter().all(|(_, frame)| frame.depth == 0), "{name}: all that P2 sends it sends ahead");
    };
    for program in &PROGRAMS {
        for secret in SECRETS {
            check(program.name, &|p| (program.run)(p, Input::of(70, secret)));
        }
    }
    check("training", &|p| Masked::training(p, 3 << 16));
}
