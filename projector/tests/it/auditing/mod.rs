//! `projector audit`, the binary: planted errors are found at their positions, and nothing else is.

mod event_log;
mod kafka;
mod live;
mod read_models;
mod repair;
pub mod world;
