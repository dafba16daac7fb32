//! The viewers' side: the catalog from memory, stream tokens, and what the edge asks about them.
//!
//! It writes to no table: what viewers do becomes facts in Kafka.

mod application;
pub mod catalog;
pub mod documents;
pub mod history;
pub mod routes;
mod settings;
mod text;
pub mod tokens;

pub use application::{Application, BuildError};
pub use settings::{
    CatalogSettings, RateLimitSettings, Settings, StreamTokenSettings, ViewerSettings,
};
