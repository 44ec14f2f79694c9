//! Numbers for people.

/// A number of bytes, in powers of ten.
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

/// A duration.
pub fn time(seconds: f64) -> String {
    match seconds {
        ..1.0 => format!("{:.1} ms", 1e3 * seconds),
        1.0..120.0 => format!("{seconds:.1} s"),
        120.0..7200.0 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// A whole number with a comma after each three digits from the right.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        let shown = [0, 9_999, 10_000, 9_999_949, 10_000_000, 45_000_000_000].map(bytes);
        assert_eq!(shown, ["0 B", "9999 B", "10.0 kB", "9999.9 kB", "10.0 MB", "45.0 GB"]);
        assert_eq!(percent(0.97222), "97.22%");
        assert_eq!([0.0345, 1.26, 119.0, 7200.0].map(time), ["34.5 ms", "1.3 s", "119.0 s", "2.0 h"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }
}
