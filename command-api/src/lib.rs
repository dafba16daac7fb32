//! The command side: admins' REST API, the append path to the event log, and the relay to Kafka.
//!
//! Talks to MySQL, Kafka, Redis and the URLs that admins give; to no other service of Marquee.

mod application;
pub mod commands;
pub mod http;
pub mod relay;
pub mod revalidation;
mod settings;

pub use application::Application;
pub use settings::Settings;
