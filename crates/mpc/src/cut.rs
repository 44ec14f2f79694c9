//! The arithmetic of exact truncation by f bits, in a ring of 2^K elements.
//!
//! The protocols use K = 64. The width is a parameter so that `crates/mpc/tests/protocols/truncation_proof.rs` can count all cases of these very
//! functions in small rings. Where it comes from is in docs/masked.md, whose letters are used here.

/// Truncation by `f` bits, 1 <= f <= K - 2.
#[derive(Clone, Copy)]
pub struct Cut<const K: u8 = 64> {
    /// How many bits go.
    pub f: u8,
}

/// x modulo 2^bits, 1 <= bits <= 64.
#[inline]
pub const fn low(x: u64, bits: u8) -> u64 {
    x & (u64::MAX >> (64 - bits))
}

impl<const K: u8> Cut<K> {
    /// Truncation by `f` bits.
    pub const fn by(f: u8) -> Self {
        Cut { f }
    }

    /// P1's share of a number of f bits, from P0's.
    #[inline]
    pub const fn other(self, x: u64, x_0: u64) -> u64 {
        low(x.wrapping_sub(x_0), self.f)
    }

    /// e_j = 2^(K-f) (a_j + w q_j), what a server holds of the top f bits.
    #[inline]
    pub const fn lift(self, a: u64, w: u64, q: u64) -> u64 {
        low(a.wrapping_add(w.wrapping_mul(q)) << (K - self.f), K)
    }

    /// Of a value below 2^(K-2) that is opened as c = v + 2^(K-2) + r: (c >> f) - 2^(K-2-f), and w, which is 1 where msb(c) is 0.
    #[inline]
    pub const fn quotient(self, c: u64) -> (u64, u64) {
        ((c >> self.f).wrapping_sub(1 << (K - 2 - self.f)), 1 - (c >> (K - 1)))
    }

    /// Of a value, -2^(K-2-f) <= x < 2^(K-2-f), whose m is known but for its top f bits: what `joined` gives, m' less its top bits and w.
    #[inline]
    pub const fn narrow(self, m: u64) -> (u64, u64) {
        let c = low(m.wrapping_add(1 << (K - 2 - self.f)), K - self.f);
        (c.wrapping_sub(1 << (K - 2 - self.f)), 1 - (c >> (K - 1 - self.f)))
    }

    /// q = msb(r).
    #[inline]
    pub const fn top(r: u64) -> u64 {
        r >> (K - 1)
    }

    /// The mask of a truncated value whose mask was r: (r >> f) + 2^(K-f) a.
    #[inline]
    pub const fn shifted(self, r: u64, a: u64) -> u64 {
        low((r >> self.f).wrapping_add(a << (K - self.f)), K)
    }

    /// What is added to a product before it is cut: 2^(K-2), less one, since the low bits of both halves are cut off and one is
    /// added to what remains.
    pub const OFFSET: u64 = (1 << (K - 2)) - 1;

    /// r = 2^f l', the mask of a product whose result is to be masked by l'.
    #[inline]
    pub const fn mask(self, l: u64) -> u64 {
        low(l << self.f, K)
    }

    /// a, the top f bits of l', and q = msb(r).
    #[inline]
    pub const fn parts(self, l: u64) -> (u64, u64) {
        (l >> (K - self.f), l >> (K - 1 - self.f) & 1)
    }

    /// The K - f bits of c_j that the other server is sent.
    #[inline]
    pub const fn half(self, c: u64) -> u64 {
        low(c, K) >> self.f
    }

    /// From the sum of both halves: what the servers know of m', and w.
    #[inline]
    pub const fn joined(self, halves: u64) -> (u64, u64) {
        let c = low(halves, K - self.f);
        (c.wrapping_add(1).wrapping_sub(1 << (K - 2 - self.f)), 1 - (c >> (K - 1 - self.f)))
    }
}

/// The same for a product that is opened whole, so that what is opened can be proven: its mask is R = rho_0 + rho_1 + 2^(K-2) S, with rho_j of K - 2 bits and S of two. Worked out in
/// docs/verified.md. 1 <= f <= K - 3.
#[derive(Clone, Copy)]
pub struct Open<const K: u8 = 64> {
    /// How many bits go.
    pub f: u8,
}

impl<const K: u8> Open<K> {
    /// Truncation by `f` bits.
    pub const fn by(f: u8) -> Self {
        Open { f }
    }

    /// What is added before it is opened, beside a random bit: 2^(K-3) less half a unit.
    #[inline]
    pub const fn offset(self) -> u64 {
        (1 << (K - 3)) - (1 << (self.f - 1))
    }

    /// R, from the sum of both rho.
    #[inline]
    pub const fn mask(rho: u64, s: u64) -> u64 {
        low(rho.wrapping_add(s << (K - 2)), K)
    }

    /// From what is opened what the servers know of m', and w, which is 1 where its top bit is 0.
    #[inline]
    pub const fn opened(self, c: u64) -> (u64, u64) {
        ((c >> self.f).wrapping_sub(1 << (K - 3 - self.f)), 1 - (c >> (K - 1)))
    }

    /// d_j = a_j + w q_j, of f bits.
    #[inline]
    pub const fn lift(self, a: u64, w: u64, q: u64) -> u64 {
        low(a.wrapping_add(w.wrapping_mul(q)), self.f)
    }

    /// A number of f bits at the top.
    #[inline]
    pub const fn top(self, x: u64) -> u64 {
        low(x << (K - self.f), K)
    }

    /// l'_j from shares of S, its low bit e and its high bit q: (rho_j >> f) + 2^(K-2-f) (e_j + 2 q_j) + 2^(K-f) a_j.
    #[inline]
    pub const fn part(self, rho: u64, e: u64, q: u64, a: u64) -> u64 {
        let s = e.wrapping_add(q << 1) << (K - 2 - self.f);
        low((rho >> self.f).wrapping_add(s).wrapping_add(a << (K - self.f)), K)
    }
}
