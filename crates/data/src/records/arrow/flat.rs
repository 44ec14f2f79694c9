//! FlatBuffers, as far as Arrow's messages need them: tables with numbered fields, vectors and texts, read where they are. All places are
//! relative and come from outside; None means that one leads beyond the message.

fn word<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// What a place in the bytes points to.
fn follow(bytes: &[u8], at: usize) -> Option<usize> {
    at.checked_add(u32::from_le_bytes(word(bytes, at)?) as usize)
}

#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where each field is from there, two bytes a field; 0 for one that has its default.
    fields: &'a [u8],
}

impl<'a> Table<'a> {
    pub(super) fn root(bytes: &'a [u8]) -> Option<Table<'a>> {
        Table::new(bytes, follow(bytes, 0)?)
    }

    fn new(bytes: &'a [u8], at: usize) -> Option<Table<'a>> {
        let back = i64::from(i32::from_le_bytes(word(bytes, at)?));
        let places = usize::try_from(i64::try_from(at).ok()?.checked_sub(back)?).ok()?;
        let len = usize::from(u16::from_le_bytes(word(bytes, places)?));
        // Its own length and the table's come first.
        Some(Table { bytes, at, fields: bytes.get(places.checked_add(4)?..places.checked_add(len)?)? })
    }

    fn place(&self, field: usize) -> Option<usize> {
        let from = word(self.fields, 2 * field).map_or(0, u16::from_le_bytes);
        (from != 0).then_some(self.at.checked_add(from.into())?)
    }

    /// Whether it does not have its default.
    pub(super) fn has(&self, field: usize) -> bool {
        self.place(field).is_some()
    }

    /// A number of so many bytes, with its sign.
    pub(super) fn number<const N: usize>(&self, field: usize, default: i64) -> Option<i64> {
        let Some(place) = self.place(field) else { return Some(default) };
        let mut all = [0; 8];
        all.get_mut(8 - N..)?.copy_from_slice(&word::<N>(self.bytes, place)?);
        Some(i64::from_le_bytes(all) >> (64 - 8 * N))
    }

    /// None, too, where there is none.
    pub(super) fn table(&self, field: usize) -> Option<Table<'a>> {
        Table::new(self.bytes, follow(self.bytes, self.place(field)?)?)
    }

    /// Empty where there is none.
    pub(super) fn vector(&self, field: usize) -> Option<Vector<'a>> {
        let Some(place) = self.place(field) else { return Some(Vector { bytes: self.bytes, at: 0, len: 0 }) };
        let at = follow(self.bytes, place)?;
        let len = u32::from_le_bytes(word(self.bytes, at)?) as usize;
        // No element takes less than a byte.
        (len <= self.bytes.len()).then_some(Vector { bytes: self.bytes, at: at.checked_add(4)?, len })
    }

    pub(super) fn text(&self, field: usize) -> Option<&'a str> {
        let Vector { bytes, at, len } = self.vector(field)?;
        std::str::from_utf8(bytes.get(at..at.checked_add(len)?)?).ok()
    }
}

#[derive(Clone, Copy)]
pub(super) struct Vector<'a> {
    bytes: &'a [u8],
    at: usize,
    len: usize,
}

impl<'a> Vector<'a> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn place(&self, element: usize, size: usize) -> Option<usize> {
        (element < self.len).then_some(self.at.checked_add(element.checked_mul(size)?)?)
    }

    pub(super) fn table(&self, element: usize) -> Option<Table<'a>> {
        Table::new(self.bytes, follow(self.bytes, self.place(element, 4)?)?)
    }

    /// Of elements of `size` words each: the first `N` words of one, none of which is below 0.
    pub(super) fn words<const N: usize>(&self, element: usize, size: usize) -> Option<[usize; N]> {
        let at = self.place(element, 8 * size)?;
        let mut words = [0; N];
        for (i, out) in words.iter_mut().enumerate() {
            *out = usize::try_from(i64::from_le_bytes(word(self.bytes, at.checked_add(8 * i)?)?)).ok()?;
        }
        Some(words)
    }
}
