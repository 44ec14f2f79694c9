//! What a suite offers beside its engine: how an owner splits a record, how a party takes it, how the model is opened.

use crate::range::Block;
use crate::{Id, Kept, Part, Party, Prg, Question};
use trefoil_engine::{Engine, Format};
use trefoil_ring::Tensor;

/// A suite: an engine over a [`Party`], and the ways in and out for those who compute nothing.
///
/// ```
/// use ndarray::array;
/// use trefoil_engine::{Engine, Format};
/// use trefoil_mpc::masked::Masked;
/// use trefoil_mpc::{Id, Suite};
/// use trefoil_net::local;
/// # use std::time::Duration;
/// # use trefoil_mpc::{Party, Seeds};
/// // An owner deals a record of two numbers with eight fraction bits: 1.5 and -2, as integers. No message holds them.
/// let format = Format::new(8, 4);
/// let parts = Masked::deal(&array![[384, (-512_i64) as u64]], [7; 32]);
/// // The parties take their messages, add the numbers to themselves, and give the result to the model's owner.
/// let mut nets = local::network(Duration::from_secs(1)).into_iter();
/// let given = Id::ALL.map(|id| {
///     let kept = Masked::accept(id, 2, &parts[id.index()]).unwrap();
///     let mut e = Masked::new(Party::new(id, nets.next().unwrap(), Seeds::insecure(id, 1)));
///     let x = e.input([1, 2], format, kept);
///     let sum = e.add(&x, &x).unwrap();
///     e.export(&sum).unwrap()
/// });
/// assert_eq!(Masked::reconstruct(2, &given).unwrap(), [768, (-1024_i64) as u64]);
/// ```
pub trait Suite: Engine + Question {
    /// The name on the command line and in the handshake.
    const NAME: &'static str;

    /// Whether every message is proven before anything is opened, kept or given away: then what is in a checkpoint is verified.
    const PROVEN: bool = false;

    /// Owner: the messages that carry `x` to P0, P1 and P2. `seed` is fresh from the operating system for each call.
    fn deal(x: &Tensor, seed: [u8; 32]) -> [Vec<Part>; 3] {
        Self::deal_from(x, &mut Prg::from_seed(&seed))
    }

    /// The same from the stream of the seed. What a party is given of it is a seed that comes out of it.
    fn deal_from(x: &Tensor, seed: &mut Prg) -> [Vec<Part>; 3];

    /// Party: what it must keep of a dealt matrix of `n` elements. No seed is expanded: a few bytes may promise any number of elements.
    ///
    /// # Errors
    /// A text that says what was found and expected.
    fn accept(id: Id, n: usize, parts: &[Part]) -> Result<Kept, String>;

    /// Party: hashes of what P0, P1 and P2 must hold too of a dealt matrix, to be compared with them; `None` where nothing is held in common.
    /// `parts` are what [`Suite::accept`] has taken.
    fn common(id: Id, parts: &[Part]) -> [Option<[u8; 32]>; 3];

    /// Party: the [range check](crate::range::violations).
    ///
    /// # Errors
    /// Those of the network.
    fn violations(&mut self, coin: &[u8; 32], owners: usize, blocks: &[Block]) -> crate::Result<Vec<u64>>;

    /// Party: the matrix from what [`Suite::accept`] kept, chunks of rows one after the other.
    fn input(&self, shape: [usize; 2], format: Format, kept: Kept) -> Self::Num;

    /// Party: what is kept of a matrix in a checkpoint: `input` makes the matrix of it again.
    ///
    /// # Errors
    /// Those of the network, where the matrix needs a last round.
    fn keep(&mut self, x: &Self::Num) -> crate::Result<Kept>;

    /// Party: its messages to the model owner.
    ///
    /// # Errors
    /// Those of the network, where the matrix needs a last round.
    fn export(&mut self, x: &Self::Num) -> crate::Result<Vec<Part>>;

    /// Model owner: the matrix of `n` elements from what the three parties sent.
    ///
    /// # Errors
    /// A text that says which party sent something unfit, or that the parties contradict one another.
    fn reconstruct(n: usize, parts: &[Vec<Part>; 3]) -> Result<Vec<u64>, String>;

    /// The party that computes.
    fn party(&mut self) -> &mut Party;

    /// The party, once the engine is done.
    fn into_party(self) -> Party;
}
