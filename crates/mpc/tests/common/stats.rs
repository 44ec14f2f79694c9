//! Chi-square tests. Keys are fixed, so a test passes always or never; a failure by chance has p < 1e-9.

/// Six standard deviations of a normal variable: p = 1e-9.
const LIMIT: f64 = 6.0;

/// Chi-square with `freedom` degrees as a nearly normal variable (Wilson and Hilferty).
pub fn deviation(chi_square: f64, freedom: f64) -> f64 {
    let spread = 2.0 / (9.0 * freedom);
    ((chi_square / freedom).cbrt() - (1.0 - spread)) / spread.sqrt()
}

/// How far `counts` are from uniform, if too far.
pub fn not_uniform(counts: &[u64]) -> Option<f64> {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    if expected < 5.0 {
        return Some(f64::INFINITY); // too few to say anything: no test may pass for lack of data
    }
    let chi_square = counts.iter().map(|c| (*c as f64 - expected).powi(2) / expected).sum();
    Some(deviation(chi_square, counts.len() as f64 - 1.0)).filter(|z| *z > LIMIT)
}

/// How far two histograms of equally many values are from one distribution, if too far.
pub fn not_alike(a: &[u64], b: &[u64]) -> Option<f64> {
    let bins: Vec<(f64, f64)> = a.iter().zip(b).map(|(a, b)| (*a as f64, *b as f64)).filter(|(a, b)| a + b > 0.0).collect();
    if bins.len() < 2 {
        return None; // both constant, and the same constant
    }
    let chi_square = bins.iter().map(|(a, b)| (a - b).powi(2) / (a + b)).sum();
    Some(deviation(chi_square, bins.len() as f64 - 1.0)).filter(|z| *z > LIMIT)
}

/// How often each value below `bins` occurs.
pub fn histogram(values: impl Iterator<Item = u64>, bins: usize) -> Vec<u64> {
    let mut counts = vec![0; bins];
    values.for_each(|v| counts[v as usize] += 1);
    counts
}
