//! Validating again, on a schedule, what has been attached: origins rot.
//!
//! The schedule is made from the event log alone, and kept in memory: a few dozen bytes for each
//! source and caption. The process that leads the relay does the work, so that it is done once.

mod schedule;
mod worker;

pub use worker::{Revalidation, RevalidationSettings};
