//! What the measurements are called.

use std::sync::LazyLock;

/// The names that [`measure`](super::measure) knows: single operations and perceptrons, and training and inference of each network that has a name.
pub fn names() -> Vec<&'static str> {
    static NAMED: LazyLock<Vec<String>> = LazyLock::new(|| {
        let of = |name: &&str| [format!("train-{name}"), format!("infer-{name}-b1"), format!("infer-{name}-b128")];
        trefoil_nn::NAMED.iter().flat_map(of).collect()
    });
    OTHERS.into_iter().chain(NAMED.iter().map(String::as_str)).collect()
}

/// The names without those of named networks.
const OTHERS: [&str; 17] = [
    "train-784x256x10",
    "train-784x128x128x10",
    "infer-784x128x128x10-b1",
    "infer-784x128x128x10-b128",
    "relu-1e6",
    "product-128x784x256",
    "softmax-128x10",
    "check-60000x784-pixels",
    "check-1000000x30-numbers",
    "statistics-1000000x30",
    "extremes-1000000x30",
    "quantiles-1000000x30",
    "missing-1000000x30",
    "standardise-1000000x30",
    "join-100000",
    "join-1000000",
    "gemm-128x784x256",
];
