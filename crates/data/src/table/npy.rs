//! NumPy's `.npy`, version 1: C order, little-endian.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::io::{Error, Result};

/// Bytes before the first value: a multiple of 64, as NumPy writes them, and room for the longest shape.
const HEADER: usize = 128;

/// What one value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// `<f8`
    Float,
    /// `<i8`
    Integer,
}

/// An array on its way into a file. How many rows it has is put into the header at the end.
pub struct Npy<W: Write + Seek> {
    out: BufWriter<W>,
    element: Element,
    columns: Option<usize>,
    values: u64,
}

impl<W: Write + Seek> Npy<W> {
    /// Begins an array of shape \[rows, columns\], or without columns \[rows\].
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(out: W, element: Element, columns: Option<usize>) -> Result<Npy<W>> {
        let mut out = BufWriter::new(out);
        out.write_all(&[0; HEADER])?;
        Ok(Npy { out, element, columns, values: 0 })
    }

    /// The next values, row by row. An integer is a number without a fraction.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn append(&mut self, values: impl IntoIterator<Item = f64>) -> Result<()> {
        for value in values {
            let bytes = match self.element {
                Element::Float => value.to_le_bytes(),
                Element::Integer => (value as i64).to_le_bytes(),
            };
            self.out.write_all(&bytes)?;
            self.values += 1;
        }
        Ok(())
    }

    /// Writes the header and gives back the file.
    ///
    /// # Errors
    /// Those of `out`; values that are no whole rows.
    pub fn finish(mut self) -> Result<W> {
        let width = self.columns.unwrap_or(1).max(1) as u64;
        if !self.values.is_multiple_of(width) {
            return Err(Error::other(format!("{} values in rows of {width}", self.values)));
        }
        let rows = self.values / width;
        let shape = self.columns.map_or_else(|| format!("({rows},)"), |columns| format!("({rows}, {columns})"));
        let descr = match self.element {
            Element::Float => "<f8",
            Element::Integer => "<i8",
        };
        let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        let mut header = b"\x93NUMPY\x01\x00".to_vec();
        header.extend(((HEADER - 10) as u16).to_le_bytes());
        header.extend(dict.as_bytes());
        header.resize(HEADER - 1, b' ');
        header.push(b'\n');
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&header)?;
        self.out.into_inner().map_err(|e| e.into_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Raw, RawColumn};
    use std::io::Cursor;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        for (element, value) in [(Element::Float, 0.1), (Element::Integer, 7.0)] {
            let mut npy = Npy::new(Cursor::new(Vec::new()), element, Some(2)).unwrap();
            npy.append([1.0, 2.0, 3.0]).unwrap();
            npy.append([value]).unwrap();
            std::fs::write(&path, npy.finish().unwrap().into_inner()).unwrap();
            let column = |name: &str| RawColumn::new(name, vec![]);
            let mut raw = Raw::open(&crate::Source::of(&path), &[column("a"), column("b")], false, None, None).unwrap();
            let mut values = Vec::new();
            while raw.next(&mut values).unwrap() {}
            assert_eq!(values, [1.0, 2.0, 3.0, value]);
        }
    }

    #[test]
    fn the_bytes_are_numpys() {
        let mut npy = Npy::new(Cursor::new(Vec::new()), Element::Integer, None).unwrap();
        npy.append([3.0, 0.0]).unwrap();
        let bytes = npy.finish().unwrap().into_inner();
        // numpy.save of an array of two integers, 3 and 0.
        let dict = "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }";
        let want = format!("{dict:<117}\n");
        assert_eq!(bytes, [b"\x93NUMPY\x01\x00\x76\x00", want.as_bytes(), &[3, 0, 0, 0, 0, 0, 0, 0], &[0; 8]].concat());
    }

    #[test]
    fn halves_of_rows_and_the_longest_shape() {
        let mut npy = Npy::new(Cursor::new(Vec::new()), Element::Float, Some(2)).unwrap();
        npy.append([1.0]).unwrap();
        assert!(npy.finish().unwrap_err().to_string().contains("1 values in rows of 2"));
        let longest = Npy { values: u64::MAX, ..Npy::new(Cursor::new(Vec::new()), Element::Float, Some(1)).unwrap() };
        assert_eq!(longest.finish().unwrap().into_inner().len(), HEADER);
    }
}
