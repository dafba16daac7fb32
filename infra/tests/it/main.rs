//! Integration tests of the adapters, against real servers, in one binary (link time).

mod asyncapi;
mod chaos_proxy;
mod event_log;
mod kafka;
mod mysql;
mod probing;
mod rate_limit;
