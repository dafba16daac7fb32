//! `projector rebuild catalog` and `projector rollback catalog`: the catalog's tables made anew from the
//! event log, beside the live ones, and put in their place while nobody notices.
//!
//! A second set of tables (`sets`) is filled from the log (`fill`), compared with the live one
//! (`compare`), and swapped with it by one statement (`swap`). Until then it is nobody's but this
//! command's; its progress is in one of its own tables, so that whatever is killed can go on. What the
//! live set was stays, and a rollback brings it up to date and swaps it back. Why nothing can be lost or
//! shown older than before: docs/adr/0013.

mod cache;
mod command;
mod compare;
mod error;
mod fill;
mod guard;
mod part;
mod read_ahead;
mod session;
mod sets;
mod status;
mod swap;
mod write;

pub use self::{
    command::{RebuildArgs, RollbackArgs, rebuild, rollback},
    status::{RebuildStatus, status, watch},
};
