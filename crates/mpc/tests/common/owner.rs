//! What an owner sends, judged like what a party sends.

use super::Tested;
use super::joint::Columns;
use super::privacy::{each_is_uniform, pairs_are_uniform};
use super::record::Recorder;
use super::training::Spoil;
use super::views::Field;
use std::sync::Arc;
use trefoil_mpc::{Id, Part, Suite};
use trefoil_net::Ring;
use trefoil_ring::Tensor;

/// Elements of a chunk, and chunks that are looked at together.
const N: usize = 16_384;
const CHUNKS: u32 = 3;
/// Chunks whose seeds are looked at: more than a chunk's seeds have bits.
const SEEDS: u32 = 704;

/// The seeds among what an owner sends: that of P0 and that of P1. P2 is sent the same.
pub fn sent(parts: &[Vec<Part>; 3]) -> Vec<[u8; 32]> {
    let seed = |part: &Part| -> Option<[u8; 32]> {
        let bytes = part.to_bits(32, 8).ok()?;
        Some(std::array::from_fn(|i| bytes[i] as u8))
    };
    [Id::P0, Id::P1].iter().filter_map(|id| parts[id.index()].first().and_then(seed)).collect()
}

/// What is wrong with what each party is sent and expands of chunks of `n` elements, all of one number. `all`: sums of bits are looked
/// at, too, for which there must be more elements than bits in a view.
pub fn together<S: Suite>(n: usize, chunks: &[[Vec<Part>; 3]], all: bool) -> Vec<String> {
    let (mut views, mut wrong): (Vec<Field>, Vec<String>) = (vec![], vec![]);
    for (chunk, parts) in chunks.iter().enumerate() {
        for id in Id::ALL {
            let kept = S::accept(id, n, &parts[id.index()]).unwrap_or_else(|e| {
                wrong.push(format!("chunk {chunk}: {id} was sent {e}"));
                Default::default()
            });
            for (place, values) in kept.words().into_iter().enumerate().filter(|(_, values)| !values.is_empty()) {
                views.push(Field { receiver: id, op: chunk as u32, name: format!("dealt {place}"), ring: Ring::Word, values });
            }
        }
    }
    wrong.extend(each_is_uniform(&views));
    wrong.extend(pairs_are_uniform(&views));
    for id in Id::ALL {
        let own: Vec<Field> = views.iter().filter(|f| f.receiver == id).cloned().collect();
        let columns = Columns::of(&own, n, all);
        let sums = if all { columns.sums() } else { vec![] };
        wrong.extend(columns.pairs().into_iter().chain(sums).map(|w| format!("{w} of {id}")));
    }
    wrong
}

/// What is wrong with what an owner deals, and with its seeds.
pub fn failures<S: Tested>(spoil: &Spoil) -> Vec<String> {
    let recorder = Arc::<Recorder>::default();
    let x = Tensor::from_elem((N / 8, 8), 5);
    let chunks: Vec<_> = (0..CHUNKS).map(|chunk| spoil.deal::<S>(&x, &(spoil.chunk)(chunk), &recorder)).collect();
    let mut wrong = together::<S>(N, &chunks, true);

    let kept: Vec<[u8; 32]> = (0..SEEDS).map(spoil.chunk).collect();
    let one = Tensor::from_elem((1, 1), 5);
    let seeds: Vec<Vec<[u8; 32]>> = kept.iter().map(|seed| sent(&spoil.deal::<S>(&one, seed, &recorder))).collect();
    let words = |seeds: &Vec<[u8; 32]>| seeds.as_flattened().as_chunks().0.iter().map(|w| u64::from_le_bytes(*w)).collect();
    let columns = Columns::from_rows(&seeds.iter().map(words).collect::<Vec<Vec<u64>>>());
    wrong.extend(columns.pairs().into_iter().chain(columns.sums()).map(|w| format!("{w} of the seeds")));
    wrong.extend(recorder.seeds(&seeds.concat(), &kept));
    wrong
}
