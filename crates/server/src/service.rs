//! Services at this party: models that stay on shares, and answer.
//!
//! | where | what |
//! |---|---|
//! | `entry` | a service at this party: what is on disk of it, and what is going on |
//! | `lane` | passes of one size, and the questions that wait for them |
//! | `model` | the model that answers: a job's, or one that its owner brings |
//! | `requests` | approved, ended, asked how it stands |
//! | `clients` | the list of a service's clients, where it grows |
//! | `budget` | how many lanes compute at a time |
//! | `ask` | a client's connection: a question on its way in, its answer on its way out |
//! | `quota` | how much may still be asked, also after a restart |
//! | `runner` | a thread for each lane: sessions, one after the other |
//! | `session` | from two links to what passes need |
//! | `passes` | one pass after the other, as each of the three sees it |
//! | `desk` | which questions are next and taken, and who gets which rows: decided at rank 0 |
//! | `crew` | passes at the other ranks of a party on several machines |

mod ask;
mod budget;
mod clients;
mod crew;
mod desk;
mod entry;
mod lane;
mod model;
mod passes;
mod quota;
mod requests;
mod runner;
mod session;

pub use ask::converse;
pub use budget::Budget;
pub use clients::{give, take};
pub(crate) use crew::serve_lane;
pub use entry::{ServiceHere, ServiceStatus, Services, load};
pub use model::take as take_model;
pub use quota::Quotas;
pub use requests::{approve, end, link, statuses};
pub use runner::ensure;
