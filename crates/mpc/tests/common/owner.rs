//! What an owner sends, judged like what a party sends.

use super::Tested;
use super::joint::Columns;
use super::privacy::{each_is_uniform, pairs_are_uniform};
use super::record::Recorder;
use super::training::{Spoil, sent};
use super::views::Field;
use std::sync::Arc;
use trefoil_mpc::Id;
use trefoil_net::Ring;
use trefoil_ring::Tensor;

/// Elements of a chunk, and chunks that are looked at together.
const N: usize = 16_384;
const CHUNKS: u32 = 3;
/// Chunks whose seeds are looked at: more than a chunk's seeds have bits.
const SEEDS: u32 = 704;

/// What is wrong with what each party is sent and expands, and with the seeds.
pub fn failures<S: Tested>(spoil: &Spoil) -> Vec<String> {
    let recorder = Arc::<Recorder>::default();
    let mut views: Vec<Field> = vec![];
    for chunk in 0..CHUNKS {
        let parts = spoil.deal::<S>(&Tensor::from_elem((N / 8, 8), 5), &(spoil.chunk)(chunk), &recorder);
        for id in Id::ALL {
            for (place, values) in
                S::accept(id, N, &parts[id.index()]).unwrap().into_iter().enumerate().filter(|(_, v)| !v.is_empty())
            {
                views.push(Field { receiver: id, op: chunk, name: format!("dealt {place}"), ring: Ring::Word, values });
            }
        }
    }
    let mut wrong = each_is_uniform(&views);
    wrong.extend(pairs_are_uniform(&views));
    for id in Id::ALL {
        let columns = Columns::of(&views.iter().filter(|f| f.receiver == id).cloned().collect::<Vec<_>>(), N, true);
        wrong.extend(columns.pairs().into_iter().chain(columns.sums()).map(|w| format!("{w} of {id}")));
    }

    let kept: Vec<[u8; 32]> = (0..SEEDS).map(spoil.chunk).collect();
    let seeds: Vec<Vec<[u8; 32]>> =
        kept.iter().map(|seed| sent(&spoil.deal::<S>(&Tensor::from_elem((1, 1), 5), seed, &recorder))).collect();
    let words = |seeds: &Vec<[u8; 32]>| seeds.concat().as_chunks().0.iter().map(|w| u64::from_le_bytes(*w)).collect();
    let columns = Columns::from_rows(&seeds.iter().map(words).collect::<Vec<Vec<u64>>>());
    wrong.extend(columns.pairs().into_iter().chain(columns.sums()).map(|w| format!("{w} of the seeds")));
    wrong.extend(recorder.seeds(&seeds.concat(), &kept));
    wrong
}
