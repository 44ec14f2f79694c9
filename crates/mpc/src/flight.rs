//! The arithmetic of a value in flight: a number that was opened cut by f bits, and is used again before its top bits are known.
//!
//! cut.rs leaves a truncated value waiting for its lift, since the servers lack w q 2^(K-f): q is the helper's, and w shows only when the value
//! is opened. But the helper can deal what comes next for *both* values of w, and the servers then use the words for the w that they see. So
//! the value is used as it is, as t = m - L_w: m and w at both servers, L_0 and L_1 at P2. Worked out in docs/masked.md, whose letters are used here.
//!
//! m and L_w are integers, and t equals m - L_w as integers: so t can go on in a ring of any width. They are kept modulo 2^128, as signed
//! numbers. The protocols use rings of 64 to 128 bits. The widths are fields so that `crates/mpc/tests/protocols/flight_proof.rs` can
//! count all cases of these very functions in small rings.

/// An opening of a number z, |z| < 2^(k-3), of which two servers hold additive shares in a ring of 2^k elements; cut by f bits, 1 <= f < k - 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Bits of the ring.
    pub k: u8,
    /// How many bits go.
    pub f: u8,
}

/// x modulo 2^bits, 1 <= bits <= 128.
#[inline]
pub const fn low(x: u128, bits: u8) -> u128 {
    x & (u128::MAX >> (128 - bits))
}

impl Opening {
    /// How many bits a server sends: those above the ones that are cut.
    pub const fn bits(self) -> u8 {
        self.k - self.f
    }

    /// What P_j sends of its share z_j: the upper bits, under the mask l_j of k - f bits. P1 adds 2^(k-2) - 1 before, so that the sum is not
    /// negative, and one comes back when it is put together.
    #[inline]
    pub const fn half(self, z: u128, l: u128, first: bool) -> u128 {
        let offset = if first { 0 } else { (1 << (self.k - 2)) - 1 };
        low((low(z.wrapping_add(offset), self.k) >> self.f).wrapping_add(l), self.bits())
    }

    /// From the sum of both halves: m, and w, which is 1 where the top bit of what was opened is 0.
    #[inline]
    pub const fn joined(self, halves: u128) -> (u128, u64) {
        let c = low(halves, self.bits());
        (c.wrapping_add(1).wrapping_sub(1 << (self.k - 2 - self.f)), 1 - (c >> (self.bits() - 1)) as u64)
    }

    /// L_0 and L_1, from the masks of both servers.
    #[inline]
    pub const fn masks(self, l_0: u128, l_1: u128) -> [u128; 2] {
        let lambda = low(l_0.wrapping_add(l_1), self.bits());
        let q = lambda >> (self.bits() - 1);
        [lambda, lambda.wrapping_sub(q << self.bits())]
    }
}

/// Of a number x, -2^62 <= x < 2^62, that is open in 64 bits under a mask: m and w at the servers. Nothing is sent.
#[inline]
pub const fn of_word(m: u64) -> (u128, u64) {
    let m = m.wrapping_add(1 << 62);
    ((m as u128).wrapping_sub(1 << 62), 1 - (m >> 63))
}

/// L_0 and L_1 of its mask.
#[inline]
pub const fn masks_of_word(l: u64) -> [u128; 2] {
    let whole = l as u128;
    [whole, whole.wrapping_sub(((l >> 63) as u128) << 64)]
}

/// Of a masked bit b = m_b XOR l_b, as the number 0 or 1: m and w at the servers are m_b; these are L_0 and L_1.
#[inline]
pub const fn masks_of_bit(l_b: u64) -> [u128; 2] {
    [(l_b as u128).wrapping_neg(), l_b as u128]
}
