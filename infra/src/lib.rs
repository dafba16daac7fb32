//! The adapters that the services share. Nothing here knows a business rule.

pub mod breaker;
pub mod clock;
pub mod config;
pub mod event_log;
pub mod http;
pub mod kafka;
pub mod lease;
pub mod mysql;
pub mod probing;
pub mod rate_limit;
pub mod redis;
pub mod sealing;
pub mod settings;
pub mod telemetry;
