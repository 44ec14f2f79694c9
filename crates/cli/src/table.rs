//! Plain tables, aligned with spaces.

use std::fmt;

/// A table: the first row is its header, the first column its names.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this header.
    pub fn new<T: ToString>(header: impl IntoIterator<Item = T>) -> Table {
        Table { rows: vec![cells(header)] }
    }

    /// Adds a row.
    pub fn row<T: ToString>(&mut self, row: impl IntoIterator<Item = T>) {
        self.rows.push(cells(row));
    }
}

fn cells<T: ToString>(row: impl IntoIterator<Item = T>) -> Vec<String> {
    row.into_iter().map(|c| c.to_string()).collect()
}

/// Names to the left, values to the right.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |c: usize| self.rows.iter().filter_map(|r| r.get(c)).map(|t| t.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (i, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (c, (text, &width)) in row.iter().zip(&widths).enumerate() {
                line += &if c == 0 { format!("{text:<width$}") } else { format!("  {text:>width$}") };
            }
            writeln!(f, "{}", line.trim_end())?;
            if i == 0 {
                writeln!(f, "{}", "-".repeat(widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1)))?;
            }
        }
        Ok(())
    }
}

/// A number of bytes for people, in powers of ten.
pub fn bytes(n: u64) -> String {
    match n {
        0..10_000 => format!("{n} B"),
        10_000..10_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.1} GB", n as f64 / 1e9),
    }
}

/// A share of one as a percentage.
pub fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut t = Table::new(["", "P0", "P1"]);
        t.row(["bytes", "7", "1000"]);
        t.row(["é"]);
        assert_eq!(t.to_string(), "       P0    P1\n---------------\nbytes   7  1000\né\n");
        assert_eq!(Table::new::<String>([]).to_string(), "\n\n");
    }

    #[test]
    fn units() {
        let shown = [0, 9_999, 10_000, 9_999_949, 10_000_000, 45_000_000_000].map(bytes);
        assert_eq!(shown, ["0 B", "9999 B", "10.0 kB", "9999.9 kB", "10.0 MB", "45.0 GB"]);
        assert_eq!(percent(0.97222), "97.22%");
    }
}
