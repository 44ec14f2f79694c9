//! What a computing party keeps on its disk.
//!
//! | where | what | protected against |
//! |---|---|---|
//! | [`sealed`] | files of records: owners' shares, checkpoints | reading, change, reordering, torn writes |
//! | [`audit`] | the log of what was approved, uploaded and opened | change, unless its newest hash is known nowhere else |
//! | [`database`] | jobs and what belongs to them, as JSON | crashes; it holds nothing secret |
//! | [`folder`] | the folder of all these | a second process, other users |
//! | [`key`] | the key of the sealed files | being kept at all: it follows from the party's private key |

pub mod audit;
pub mod database;
mod disk;
mod error;
pub mod folder;
pub mod key;
pub mod sealed;
pub mod time;

pub use database::{Change, Database};
pub use error::{Result, StoreError, is_full};
pub use folder::Folder;
pub use key::StorageKey;
