# `just` lists the recipes; each is also a line for a shell.

_default:
    @just --list

# Train on secret shares, in three processes: just demo --suite masked
demo *options:
    cargo run --release -- demo {{options}}

# All tests, in the dev profile
test:
    cargo test --workspace

# Everything that must hold before a change lands
ci:
    .ci/run

# Seconds, bytes and rounds of a training step
bench *options="train-784x256x10 train-784x128x128x10":
    cargo run --release -- bench {{options}}

# The book as HTML, with mdBook
book:
    docs/build.sh

# The API's documentation, in a browser
doc:
    cargo doc --workspace --no-deps --open
