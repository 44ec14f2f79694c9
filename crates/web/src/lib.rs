//! HTTP on a port of this machine, for programs and for a person with a browser.
//!
//! | where | what |
//! |---|---|
//! | [`listen`] | connections, their number and their timeouts; who calls |
//! | [`host`] | whether a request means this machine, whatever name a browser was told |
//! | [`door`] | a link that works once, and the cookie that it is exchanged for |
//! | [`feed`] | what the page shows, part by part: the newest of each and nothing older |
//! | [`page`] | the page's routes, its files and its stream of events |
//!
//! It knows nothing of jobs, parties or shares: what is shown comes as JSON from who shows it.

pub mod door;
pub mod feed;
pub mod host;
pub mod listen;
pub mod page;
