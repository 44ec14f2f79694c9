//! The real program, as people start it: three processes over TLS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod commands;
mod common;
mod demo;
mod deploy;
mod deployment_page;
mod doctor;
#[cfg(unix)]
mod examples;
mod handshake;
mod join;
mod keys;
mod lying;
mod peers;
mod predict;
mod privacy;
#[cfg(target_os = "linux")]
mod signals;
mod verified;
