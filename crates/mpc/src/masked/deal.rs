//! Dealing: shares of numbers that P2 alone knows, ahead of time.
//!
//! P0's share is drawn from k02, so that it is uniform whatever is dealt; P1 is sent the other one, which P0's hides. What is dealt depends on
//! masks alone. The three open a `Deal` in the same operation with the same streams, and give and take in the same order.

use crate::round::Receive;
use crate::{Id, Op, Pair, Part, Party, Prg, Result};

/// What shares are.
#[derive(Clone, Copy)]
pub(super) enum Of {
    /// Words: elements of Z_2^64, or planes of bits.
    Words,
    /// Integers of so many bits, 1 to 63.
    Bits(u8),
}

impl Of {
    fn draw(self, stream: &mut Prg, n: usize) -> Vec<u64> {
        match self {
            Of::Words => stream.words(n),
            Of::Bits(k) => stream.bits(n, k),
        }
    }
}

/// One operation's dealing, as one party sees it.
pub(super) enum Deal<'p> {
    /// P0.
    Draws(Vec<Prg>),
    /// P1.
    Hears(Receive<'p>),
    /// P2.
    Deals { p: &'p mut Party, op: Op, label: &'static str, streams: Vec<Prg>, parts: Vec<Part> },
}

impl<'p> Deal<'p> {
    /// Begins: `streams` are the labels of P0's draws, `label` that of the message to P1.
    ///
    /// # Errors
    /// Those of the network, and of a draw that has been made before.
    pub fn open(p: &'p mut Party, op: Op, label: &'static str, streams: &[&'static str]) -> Result<Deal<'p>> {
        if p.id == Id::P1 {
            return Ok(Deal::Hears(p.offline(op, label).then()?));
        }
        let streams = streams.iter().map(|stream| p.draw(op, Pair::K02, stream)).collect::<Result<Vec<Prg>>>()?;
        Ok(if p.id == Id::P0 { Deal::Draws(streams) } else { Deal::Deals { p, op, label, streams, parts: vec![] } })
    }

    /// P2: `n` numbers. `other` makes P1's shares of P0's, in their place; they are given back.
    pub fn give(&mut self, stream: usize, n: usize, of: Of, other: impl FnOnce(&mut [u64])) -> Vec<u64> {
        let Deal::Deals { streams, parts, .. } = self else { return vec![] };
        let mut shares = of.draw(&mut streams[stream], n);
        other(&mut shares);
        parts.push(match of {
            Of::Words => Part::words(&shares),
            Of::Bits(k) => Part::bits(&shares, k),
        });
        shares
    }

    /// A server's shares of the next `n` numbers; nothing at P2.
    ///
    /// # Errors
    /// Those of the network.
    pub fn take(&mut self, stream: usize, n: usize, of: Of) -> Result<Vec<u64>> {
        match (self, of) {
            (Deal::Draws(streams), _) => Ok(of.draw(&mut streams[stream], n)),
            (Deal::Hears(from), Of::Words) => from.words(Id::P2, n),
            (Deal::Hears(from), Of::Bits(k)) => from.bits(Id::P2, n, k),
            (Deal::Deals { .. }, _) => Ok(vec![]),
        }
    }

    /// Ends: P2 sends.
    ///
    /// # Errors
    /// Those of the network.
    pub fn done(self) -> Result<()> {
        let Deal::Deals { p, op, label, parts, .. } = self else { return Ok(()) };
        parts.into_iter().fold(p.offline(op, label), |round, part| round.send(Id::P1, part)).then()?;
        Ok(())
    }
}
