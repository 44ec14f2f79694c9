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
}
