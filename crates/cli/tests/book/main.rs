//! What the README, the book and the other pages say that can be held to something: links, commands, worked numbers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod commands;
mod links;
mod numbers;
mod pages;
#[cfg(unix)]
mod run;
#[cfg(unix)]
mod tutorial;
