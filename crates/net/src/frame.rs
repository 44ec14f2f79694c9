use std::{borrow::Cow, fmt};
use trefoil_ring::{bits, odd, residue, residue::Residue};
use zerocopy::IntoBytes;

/// One of the three computing parties. P0 and P1 hold shares, P2 is the helper.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)]
pub enum Id {
    P0,
    P1,
    P2,
}

impl Id {
    /// All three, in order.
    pub const ALL: [Id; 3] = [Id::P0, Id::P1, Id::P2];

    /// The other two, in order.
    pub fn others(self) -> [Id; 2] {
        match self {
            Id::P0 => [Id::P1, Id::P2],
            Id::P1 => [Id::P0, Id::P2],
            Id::P2 => [Id::P0, Id::P1],
        }
    }

    /// 0, 1 or 2: a place in an array of three.
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}", self.index())
    }
}

/// Where in the program a message belongs: the training step and the operation within it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
#[allow(missing_docs)]
pub struct At {
    pub step: u64,
    pub op: u32,
}

/// What the elements of a [`Part`] are, and so how many bits each takes on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ring {
    /// Z_2^64, 64 bits.
    Word,
    /// Z_(2^64-1), 64 bits.
    Odd,
    /// Z_67, 7 bits.
    Residue,
    /// Integers below 2^k, k bits, 1 <= k <= 63.
    Bits(u8),
}

impl Ring {
    /// The bytes that `len` elements take; `None` where that is no `usize`.
    pub fn bytes(self, len: u64) -> Option<usize> {
        let bits = match self {
            Ring::Word | Ring::Odd => 64,
            Ring::Residue => 7,
            Ring::Bits(k) => u128::from(k),
        };
        usize::try_from((u128::from(len) * bits).div_ceil(8)).ok()
    }
}

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ring::Word => write!(f, "Z_2^64"),
            Ring::Odd => write!(f, "Z_(2^64-1)"),
            Ring::Residue => write!(f, "Z_67"),
            Ring::Bits(k) => write!(f, "{k} bits"),
        }
    }
}

/// A tensor on its way: `len` elements of `ring`, packed. Its `Debug` shows no payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    ring: Ring,
    len: usize,
    bytes: Vec<u8>,
}

/// The messages of one round from one party to another.
///
/// ```
/// use trefoil_net::{At, Frame, Part};
/// // A message of one tensor, three words.
/// let parts = vec![Part::words(&[1, 2, 3])];
/// let frame = Frame { at: At { step: 0, op: 1 }, depth: 1, label: "example".into(), parts };
/// assert_eq!(frame.payload(), 24);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The operation it belongs to; the receiver checks it against its own.
    pub at: At,
    /// The length of the longest chain of dependent messages that ends here; 0 for what a helper sends ahead.
    pub depth: u32,
    /// The name of the message; the receiver checks it.
    pub label: Cow<'static, str>,
    /// The tensors of this round to this peer.
    pub parts: Vec<Part>,
}

impl Frame {
    /// Payload in bytes: the packed tensors, without header, framing or TLS.
    pub fn payload(&self) -> usize {
        self.parts.iter().map(|p| p.bytes.len()).sum()
    }
}

impl Part {
    /// Elements of Z_2^64, little-endian.
    pub fn words(x: &[u64]) -> Part {
        #[cfg(target_endian = "big")]
        let x = &x.iter().map(|word| word.to_le()).collect::<Vec<_>>();
        Part { ring: Ring::Word, len: x.len(), bytes: x.as_bytes().to_vec() }
    }

    /// Elements of Z_(2^64-1), little-endian.
    pub fn odds(x: &[u64]) -> Part {
        Part { ring: Ring::Odd, ..Part::words(x) }
    }

    /// Elements of Z_67.
    pub fn residues(x: &[Residue]) -> Part {
        Part { ring: Ring::Residue, len: x.len(), bytes: residue::pack(x) }
    }

    /// The low `k` bits of each element.
    pub fn bits(x: &[u64], k: u8) -> Part {
        Part::bits_of(x.iter().copied(), k)
    }

    /// The same of elements that are computed on the way.
    pub fn bits_of(x: impl ExactSizeIterator<Item = u64>, k: u8) -> Part {
        Part { ring: Ring::Bits(k), len: x.len(), bytes: bits::pack(x, k) }
    }

    /// None yet of `n` words, or of `n` integers of some bits.
    pub fn with_room(ring: Ring, n: usize) -> Part {
        let bytes = Vec::with_capacity(ring.bytes(n as u64).unwrap_or(0) + 8);
        Part { ring, len: 0, bytes }
    }

    /// Appends words, or integers of some bits: a multiple of eight of them, but for the last ones.
    pub fn extend(&mut self, x: &[u64]) {
        self.len += x.len();
        match self.ring {
            Ring::Bits(k) => bits::append(&mut self.bytes, x.iter().copied(), k),
            #[cfg(target_endian = "little")]
            _ => self.bytes.extend_from_slice(x.as_bytes()),
            #[cfg(target_endian = "big")]
            _ => x.iter().for_each(|word| self.bytes.extend(word.to_le_bytes())),
        }
    }

    /// A part as it came off the wire; `None` unless `bytes` is as long as `len` elements of `ring` are.
    pub fn from_wire(ring: Ring, len: u64, bytes: Vec<u8>) -> Option<Part> {
        (ring.bytes(len)? == bytes.len()).then_some(Part { ring, len: usize::try_from(len).ok()?, bytes })
    }

    /// The ring of the elements.
    pub fn ring(&self) -> Ring {
        self.ring
    }
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// The packed elements.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The `n` words that this part must hold; an error says what it holds instead.
    pub fn to_words(&self, n: usize) -> Result<Vec<u64>, String> {
        self.check(Ring::Word, n)?;
        Ok(self.raw_words())
    }

    /// The `n` elements of Z_(2^64-1) that this part must hold; 2^64-1 itself is refused.
    pub fn to_odds(&self, n: usize) -> Result<Vec<u64>, String> {
        self.check(Ring::Odd, n)?;
        let x = self.raw_words();
        match x.iter().position(|&v| !odd::is_canonical(v)) {
            None => Ok(x),
            Some(i) => Err(format!("element {i} is not below 2^64-1")),
        }
    }

    /// The `n` residues that this part must hold; values of 67 and above are refused.
    pub fn to_residues(&self, n: usize) -> Result<Vec<Residue>, String> {
        self.check(Ring::Residue, n)?;
        residue::unpack(&self.bytes, n).map_err(|e| e.to_string())
    }

    /// The `n` values of `k` bits that this part must hold.
    pub fn to_bits(&self, n: usize, k: u8) -> Result<Vec<u64>, String> {
        self.check(Ring::Bits(k), n)?;
        bits::unpack(&self.bytes, k, n).map_err(|e| e.to_string())
    }

    /// This part, if it holds `n` words or `n` integers of some bits; an error says what it holds instead.
    pub fn holding(self, ring: Ring, n: usize) -> Result<Part, String> {
        self.check(ring, n)?;
        if let Ring::Bits(k) = ring {
            bits::check(&self.bytes, k, n).map_err(|e| e.to_string())?;
        }
        Ok(self)
    }

    /// The elements from place `at` on, a multiple of eight, as many as `out` has room for; of a part that was [seen to hold](Part::holding) them.
    pub fn read(&self, at: usize, out: &mut [u64]) {
        match self.ring {
            Ring::Bits(k) => bits::read(&self.bytes, k, at, out),
            _ => {
                let (words, _) = self.bytes[8 * at..].as_chunks::<8>();
                out.iter_mut().zip(words).for_each(|(out, word)| *out = u64::from_le_bytes(*word));
            }
        }
    }

    fn check(&self, ring: Ring, n: usize) -> Result<(), String> {
        if self.ring == ring && self.len == n {
            return Ok(());
        }
        Err(format!("{} x {}, expected {n} x {ring}", self.len, self.ring))
    }

    fn raw_words(&self) -> Vec<u64> {
        let (words, _) = self.bytes.as_chunks::<8>();
        words.iter().map(|w| u64::from_le_bytes(*w)).collect()
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", self.len, self.ring)
    }
}
