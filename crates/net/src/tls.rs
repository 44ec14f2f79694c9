//! Links over TLS 1.3, both ends authenticated by the fingerprint of a self-signed certificate.
//!
//! [`Listener`] and [`connect`] make [`Stream`]s; [`TlsNet`] is a network of three parties over four of them.

mod connect;
mod handshake;
mod life;
mod listener;
mod mesh;
mod net;
mod socket;
mod stream;
mod verify;

pub use connect::{accept_over, connect, connect_for, connect_over};
pub use listener::{HANDSHAKES, Listener};
pub use mesh::mesh;
pub use net::{Options, TlsNet};
pub use stream::Stream;
