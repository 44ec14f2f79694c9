//! Why PrivateCompare needs the zero sharing z_i, shown on the real protocol. See docs/private-compare.md.
//!
//! P2 dealt both shares of the bits of x, and receives both shares d_0 and d_1 of s_i c_i. Without z_i their ratio is that of the two
//! shares of c_i, since s_i cancels, and P2 can compute those for any guess of beta and of the upper bits of r. So it guesses r
//! bit by bit, and drops each guess whose ratio is not the one it received. With z_i the two shares are unrelated.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trefoil_mpc::securenn::private_compare::{bits_of, deal_bits, private_compare, residues};
use trefoil_mpc::{Error, Id, Part, Party, Prg, Result, Seeds, simulate_over};
use trefoil_net::recorded::Recorded;
use trefoil_net::{Frame, local};
use trefoil_ring::residue::Residue;

const RUNS: usize = 200;
const MASK: &str = "securenn.private_compare.z";

fn main() -> Result<ExitCode> {
    let (open, masked) = (recovered(true)?, recovered(false)?);
    println!("without mask: recovered {open}/{RUNS}");
    println!("with mask: recovered {masked}/{RUNS}");
    Ok(if open >= 190 && masked == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many of the pairs (beta, r) P2 finds out, from what it knows and receives alone.
fn recovered(without_mask: bool) -> Result<usize> {
    let mut prg = Prg::from_seed(&[42; 32]);
    let (x, r, beta) = (prg.words(RUNS), prg.words(RUNS), prg.bits(RUNS, 1));
    let view = view_of_p2(&x, &r, &beta, without_mask)?;
    // The attack succeeds where it leaves one candidate, and that is the true one.
    Ok((0..RUNS).filter(|&e| candidates(&view, e)[..] == [(beta[e], r[e])]).count())
}

/// Residues of all elements: bit i of element e is at 64 (64 k + i) + e % 64 with k = e / 64.
struct View {
    /// P0's and P1's shares of the bits of x, which P2 dealt.
    x: [Vec<Residue>; 2],
    /// What they sent.
    d: [Vec<Residue>; 2],
}

/// Runs the protocol; gives what P2 knows: its own draws, and the frames that it received.
fn view_of_p2(x: &[u64], r: &[u64], beta: &[u64], without_mask: bool) -> Result<View> {
    let n = x.len();
    // What P2 receives; the others' networks record nothing.
    let tape: Arc<Mutex<Vec<(Id, Frame)>>> = Arc::default();
    let mut ids = Id::ALL.into_iter();
    let nets = local::network(Duration::from_secs(60)).map(|net| {
        let tape = (ids.next() == Some(Id::P2)).then(|| tape.clone());
        Recorded::new(net, move |from: Id, frame: &Frame| {
            let tape = tape.iter().filter_map(|tape| tape.lock().ok());
            tape.into_iter().for_each(|mut tape| tape.push((from, frame.clone())));
            Ok(())
        })
    });
    let seeds = |id| {
        let mut seeds = Seeds::insecure(id, 1);
        if without_mask {
            seeds.insecure_zero(MASK);
        }
        seeds
    };
    let run = |p: &mut Party| -> Result<Vec<Residue>> {
        let op = p.op();
        match p.id {
            Id::P2 => {
                let share_1 = deal_bits(p, op, n, x)?;
                p.offline(op, "bits").send(Id::P1, Part::residues(&share_1)).then()?;
                private_compare(p, n, &[], &[], &[])?;
                Ok(share_1)
            }
            id => {
                let bits = match id {
                    Id::P0 => deal_bits(p, op, n, &[])?,
                    _ => p.offline(op, "bits").then()?.residues(Id::P2, residues(n))?,
                };
                private_compare(p, n, &bits, r, beta)?;
                Ok(vec![])
            }
        }
    };
    let [_, _, p2] = simulate_over::<_, _, Error>(nets, seeds, run);
    let share_1 = p2?.0;
    let share_0 = bits_of(x).into_iter().zip(&share_1).map(|(bit, share)| bit - *share).collect();
    let tape = tape.lock().map(|tape| tape.clone()).unwrap_or_default();
    let sent_by = |id: Id| {
        let frame = tape.iter().find(|(from, frame)| *from == id && frame.label == "securenn.private_compare.d");
        frame.and_then(|(_, frame)| frame.parts[0].to_residues(residues(n)).ok()).unwrap_or_default()
    };
    Ok(View { x: [share_0, share_1], d: [sent_by(Id::P0), sent_by(Id::P1)] })
}

/// All (beta, r) that agree with the ratios that P2 sees for element `e`.
fn candidates(view: &View, e: usize) -> Vec<(u64, u64)> {
    let at = |i: usize| 64 * (64 * (e / 64) + i) + e % 64;
    let x = |i: usize| view.x.each_ref().map(|x| x[at(i)]);
    let seen: Vec<Ratio> = (0..64).map(|i| ratio(view.d[0][at(i)], view.d[1][at(i)])).collect();
    let mut found = vec![];
    for beta in 0..2 {
        for rotation in 0..64 {
            // Guesses of the upper bits of t = r + beta, each with both shares of the sum of its w.
            let mut guesses = vec![(0u64, [Residue::ZERO; 2])];
            for i in (0..64).rev() {
                let [x_0, x_1] = x(i);
                let mut next = vec![];
                for (t, [w_0, w_1]) in guesses {
                    for bit in [0, 1] {
                        let t_i = Residue::from_bit(bit);
                        let (c_0, c_1) = match beta {
                            0 => (w_0 - x_0, t_i - x_1 + Residue::ONE + w_1),
                            _ => (w_0 + x_0, x_1 - t_i + Residue::ONE + w_1),
                        };
                        if ratio(c_0, c_1) == seen[(i + rotation) % 64] {
                            let w = [w_0 + x_0 - (t_i + t_i) * x_0, w_1 + x_1 + t_i - (t_i + t_i) * x_1];
                            next.push((t << 1 | bit, w));
                        }
                    }
                }
                guesses = next;
            }
            found.extend(guesses.into_iter().map(|(t, _)| (beta, t.wrapping_sub(beta))));
        }
    }
    found
}

#[derive(PartialEq)]
enum Ratio {
    Of(u8),
    Infinite,
    Neither,
}

fn ratio(a: Residue, b: Residue) -> Ratio {
    match (a.get(), b.get()) {
        (0, 0) => Ratio::Neither,
        (_, 0) => Ratio::Infinite,
        // b^65 = 1/b in Z_67.
        _ => Ratio::Of((0..65).fold(a, |power, _| power * b).get()),
    }
}
