//! Which rows of several owners are of the same person, while nobody is shown an identifier.
//!
//! An identifier x becomes a *pseudonym*, H(F_k0(x), F_k1(x)): the same at all owners, and noise to who lacks one of the two keys. P0 has
//! k0, P1 has k1, both fresh for each job. The functions are [oblivious](oprf): an owner has them evaluated, and the party that evaluates sees
//! a uniform group element. The pseudonyms go to P2, which has neither key, and [matches](lists) them.
//!
//! Nothing here does I/O. The conversation is `trefoil-client`'s and `trefoil-server`'s.
//!
//! ```
//! use trefoil_join::{lists, oprf};
//! let keys = [oprf::Key::fresh().unwrap(), oprf::Key::fresh().unwrap()];
//! // What an owner does, with P0 and P1 at hand.
//! let pseudonyms = |owner: u8, identifiers: &[&str]| -> Vec<lists::Pseudonym> {
//!     let xs: Vec<&[u8]> = identifiers.iter().map(|x| x.as_bytes()).collect();
//!     let [f0, f1] = [0, 1].map(|party| {
//!         let blinds = oprf::Blinds::new([10 * owner + party; 32], &keys[party as usize].public()).unwrap();
//!         let evaluated = keys[party as usize].evaluate(&blinds.blind(&xs)).unwrap();
//!         blinds.finalize(&xs, &evaluated).unwrap()
//!     });
//!     lists::pseudonyms(&f0, &f1)
//! };
//! // P2 sees sorted lists of noise; the owner of each learns which of its rows take part.
//! let bank = lists::Ranked::of(pseudonyms(1, &["ada", "bob", "eve"])).unwrap();
//! let telecom = lists::Ranked::of(pseudonyms(2, &["eve", "zoe", "ada"])).unwrap();
//! let common = lists::intersect(&[&bank.list, &telecom.list], &[3; 32]);
//! let [of_bank, of_telecom] = [bank.rows(&common[0]), telecom.rows(&common[1])];
//! // The same people, in the same order.
//! let names = |rows: Vec<u32>, of: [&'static str; 3]| rows.into_iter().map(|row| of[row as usize]).collect::<Vec<_>>();
//! let joined = names(of_bank, ["ada", "bob", "eve"]);
//! assert_eq!(joined, names(of_telecom, ["eve", "zoe", "ada"]));
//! assert_eq!(joined.len(), 2);
//! ```

mod error;
pub mod lists;
pub mod oprf;

pub use error::{Error, Result};

/// Rows of a batch: what an owner has evaluated at a time, and what is counted. 512 kB of group elements.
pub const BATCH: usize = 1 << 14;

/// The most rows of one owner.
pub const MOST_ROWS: u64 = 1 << 28;

/// Bytes of the longest identifier.
pub const MOST_IDENTIFIER: usize = 1 << 10;

/// Rows of the batch with this number, of `rows` in all; 0 after the last.
#[must_use]
pub fn rows_of_batch(rows: u64, batch: u64) -> usize {
    let before = batch.saturating_mul(BATCH as u64);
    rows.saturating_sub(before).min(BATCH as u64) as usize
}
