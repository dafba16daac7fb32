//! The event log against a real MySQL.

mod appending;
mod claims;
mod concurrency;
mod faults;
mod receipts;
mod support;
