//! Dealing: shares of numbers that P2 alone knows, ahead of time.
//!
//! One server's share is drawn from the key that it has with P2, so that it is uniform whatever is dealt; the other server is sent the other
//! one, which the first hides. What is dealt depends on masks alone. The three open a `Deal` in the same operation with the same streams, and
//! give and take in the same order.
//!
//! Additive shares are alike: which of the two is drawn and which is made of it is nothing that a view could tell. So it is chosen by what the
//! links carry. Each kind of number that a protocol deals says whose key its share is drawn from, and with that who is sent the other: some
//! kinds go to P0, the others to P1, so that in a ReLU and in a product P2 has about as much to send to the one as to the other.

use crate::prg::BLOCK;
use crate::round::Receive;
use crate::{Id, Op, Pair, Part, Party, Prg, Result};
use trefoil_engine::Lane;
use trefoil_net::Ring;

/// A kind of number that is dealt: the label of the share that is drawn, and the key that it is drawn from. From k02 it is P0's share, and P1
/// is sent the other; from k12 it is P1's, and P0 is sent the other.
pub(super) type Kind = (&'static str, Pair);

/// What shares are.
#[derive(Clone, Copy)]
pub(super) enum Of {
    /// Words: elements of Z_2^64, or planes of bits.
    Words,
    /// Integers of so many bits, 1 to 63.
    Bits(u8),
}

impl Of {
    fn ring(self) -> Ring {
        match self {
            Of::Words => Ring::Word,
            Of::Bits(k) => Ring::Bits(k),
        }
    }

    pub(super) fn bits(self) -> u8 {
        match self {
            Of::Words => 64,
            Of::Bits(k) => k,
        }
    }

    fn draw(self, stream: &mut Prg, n: usize) -> Vec<u64> {
        match self {
            Of::Words => stream.words(n),
            Of::Bits(k) => stream.bits(n, k),
        }
    }
}

/// Numbers that are worked on at a time, where what is done to one needs no other: what is made of a piece is still near when the next thing is
/// done to it, and nothing is made whole that nobody keeps. Whole blocks of every stream.
pub(super) const PIECE: usize = 4 * BLOCK / 8;

/// Numbers that a party draws or was sent, made piece by piece when they are wanted.
pub(super) enum Numbers {
    /// The next of a stream, of so many bits.
    Drawn(Prg, u8),
    /// Those of a part from a place on.
    Sent(Part, usize),
}

impl Numbers {
    /// The next ones, in place of what is there: [`PIECE`] of them, but for the last ones.
    pub fn fill(&mut self, out: &mut [u64]) {
        match self {
            Numbers::Drawn(stream, k) => stream.fill(out, *k),
            Numbers::Sent(part, at) => {
                part.read(*at, out);
                *at += out.len();
            }
        }
    }
}

/// One operation's dealing, as one party sees it.
pub(super) enum Deal<'p> {
    /// A server, P0 if `first`: the streams of its own kinds, and what P2 sends it of the others.
    Takes { streams: Vec<Option<Prg>>, from: Receive<'p>, first: bool },
    /// P2: the streams, and for each server what it is sent.
    Deals { p: &'p mut Party, op: Op, label: &'static str, streams: Vec<(Prg, Id)>, parts: Vec<(Id, Part)> },
}

impl<'p> Deal<'p> {
    /// Begins, with the kinds of numbers that will be dealt and the label of P2's messages.
    ///
    /// # Errors
    /// Those of the network, and of a draw that has been made before.
    pub fn open(p: &'p mut Party, op: Op, label: &'static str, kinds: &[Kind]) -> Result<Deal<'p>> {
        if p.id == Id::P2 {
            let other = |pair: Pair| if pair == Pair::K02 { Id::P1 } else { Id::P0 };
            let streams = kinds.iter().map(|(kind, pair)| Ok((p.draw(op, *pair, kind)?, other(*pair)))).collect::<Result<_>>()?;
            return Ok(Deal::Deals { p, op, label, streams, parts: vec![] });
        }
        let own = Pair::of(p.id, Id::P2);
        let stream = |(kind, pair): &Kind| if *pair == own { p.draw(op, own, kind).map(Some) } else { Ok(None) };
        let streams = kinds.iter().map(stream).collect::<Result<_>>()?;
        let first = p.id == Id::P0;
        Ok(Deal::Takes { streams, from: p.offline(op, label).then()?, first })
    }

    /// P2: `n` numbers of the kind. `other` makes the share that is sent of the one that is drawn, in its place; it is given back.
    pub fn give(&mut self, kind: usize, n: usize, of: Of, other: impl FnOnce(&mut [u64])) -> Vec<u64> {
        let Deal::Deals { streams, parts, p, label, .. } = self else { return vec![] };
        let (stream, to) = &mut streams[kind];
        let mut shares = of.draw(stream, n);
        other(&mut shares);
        p.seeds.says(label, of.bits(), &mut shares);
        let part = match of {
            Of::Words => Part::words(&shares),
            Of::Bits(k) => Part::bits(&shares, k),
        };
        parts.push((*to, part));
        shares
    }

    /// Both shares of `n` numbers, the one from k02 first: P2 has both, and a server its own; the other one is empty. `other` as for [`Deal::give`].
    ///
    /// # Errors
    /// Those of the network.
    pub fn both(&mut self, kind: usize, n: usize, of: Of, other: impl FnOnce(&mut [u64])) -> Result<[Vec<u64>; 2]> {
        let by_place = |first: bool, own, others| if first { [own, others] } else { [others, own] };
        match self {
            Deal::Deals { streams, .. } => {
                let (first, mut drawn) = (streams[kind].1 == Id::P1, vec![]);
                let sent = self.give(kind, n, of, |shares| {
                    drawn = shares.to_vec();
                    other(shares);
                });
                Ok(by_place(first, drawn, sent))
            }
            Deal::Takes { first, .. } => {
                let first = *first;
                Ok(by_place(first, self.take(kind, n, of)?, vec![]))
            }
        }
    }

    /// P2: [`Deal::give`] piece by piece, for who keeps nothing of it. `other` is given the place of a piece's first number.
    pub fn give_pieces(&mut self, kind: usize, n: usize, of: Of, mut other: impl FnMut(usize, &mut [u64])) {
        let Deal::Deals { streams, parts, .. } = self else { return };
        let (stream, to) = &mut streams[kind];
        let (mut stream, mut part, mut piece) = (stream.ahead(n), Part::with_room(of.ring(), n), [0; PIECE]);
        for at in (0..n).step_by(PIECE) {
            let piece = &mut piece[..PIECE.min(n - at)];
            stream.fill(piece, of.bits());
            other(at, piece);
            part.extend(piece);
        }
        parts.push((*to, part));
    }

    /// Whose part of each draw is made from here on.
    pub fn set_lane(&mut self, lane: Lane) {
        match self {
            Deal::Takes { streams, .. } => streams.iter_mut().flatten().for_each(|stream| stream.set_lane(lane)),
            Deal::Deals { streams, .. } => streams.iter_mut().for_each(|(stream, _)| stream.set_lane(lane)),
        }
    }

    /// Leaves out what another lane gives or takes: `n` numbers of the kind.
    pub fn skip(&mut self, kind: usize, n: usize) {
        match self {
            Deal::Takes { streams, .. } => streams[kind].iter_mut().for_each(|stream| stream.skip(n)),
            Deal::Deals { streams, .. } => streams[kind].0.skip(n),
        }
    }

    /// A server's shares of the next `n` numbers of the kind; nothing at P2.
    ///
    /// # Errors
    /// Those of the network.
    pub fn take(&mut self, kind: usize, n: usize, of: Of) -> Result<Vec<u64>> {
        match self {
            Deal::Takes { streams, from, .. } => match (&mut streams[kind], of) {
                (Some(stream), _) => Ok(of.draw(stream, n)),
                (None, Of::Words) => from.words(Id::P2, n),
                (None, Of::Bits(k)) => from.bits(Id::P2, n, k),
            },
            Deal::Deals { .. } => Ok(vec![]),
        }
    }

    /// The same, which the server makes when it wants them.
    ///
    /// # Errors
    /// Those of the network.
    pub fn take_later(&mut self, kind: usize, n: usize, of: Of) -> Result<Numbers> {
        match self {
            Deal::Takes { streams, from, .. } => match &mut streams[kind] {
                Some(stream) => Ok(Numbers::Drawn(stream.ahead(n), of.bits())),
                None => Ok(Numbers::Sent(from.part(Id::P2, of.ring(), n)?, 0)),
            },
            Deal::Deals { .. } => Ok(Numbers::Sent(Part::with_room(of.ring(), 0), 0)),
        }
    }

    /// Ends: P2 sends.
    ///
    /// # Errors
    /// Those of the network.
    pub fn done(self) -> Result<()> {
        let Deal::Deals { p, op, label, parts, .. } = self else { return Ok(()) };
        parts.into_iter().fold(p.offline(op, label), |round, (to, part)| round.send(to, part)).then()?;
        Ok(())
    }
}
