//! `projector replay`, run as data teams run it.

mod arguments;
mod faults;
mod files;
mod filters;
mod kafka;
mod parquet;
mod resume;
mod stand;
