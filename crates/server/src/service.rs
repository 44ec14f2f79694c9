//! Services at this party: models that stay on shares, and answer.
//!
//! | where | what |
//! |---|---|
//! | `entry` | a service at this party: what is on disk of it, and what is going on |
//! | `requests` | approved, ended, asked how it stands |
//! | `ask` | a client's connection: a question on its way in, its answer on its way out |
//! | `quota` | how much may still be asked, also after a restart |
//! | `runner` | one thread a service: sessions, one after the other |
//! | `session` | from two links to answers: which question is next, and its pass |
//! | `agreement` | whether all three take a question, and each pair was handed the same of it |

mod agreement;
mod ask;
mod entry;
mod quota;
mod requests;
mod runner;
mod session;

pub use ask::converse;
pub use entry::{ServiceHere, ServiceStatus, Services, load};
pub use quota::Quotas;
pub use requests::{approve, end, link, statuses};
pub use runner::ensure;
