//! The projector: from Kafka's event streams to the tables that the query API reads.
//!
//! `consumer` brings records to workers, a worker applies them in batches through a `Projection`,
//! and `checkpoint` makes each batch one transaction that only the partition's owner can commit.

pub mod application;
pub mod audit;
pub mod beside;
pub mod catalog;
pub mod catalog_topic;
pub mod checkpoint;
pub mod cli;
pub mod consumer;
pub mod dead_letters;
pub mod failure;
pub mod migrate;
pub mod parked;
pub mod progress;
mod progress_bar;
pub mod projection;
pub mod projections;
pub mod rebuild;
pub mod replay;
pub mod settings;
mod sql;
pub mod status;
pub mod token_audit;
pub mod viewing_sessions;

pub use application::Application;
pub use settings::Settings;
