//! The event log against a real MySQL.

mod appending;
mod claims;
mod concurrency;
mod faults;
mod reading;
mod receipts;
mod support;
mod versions;
