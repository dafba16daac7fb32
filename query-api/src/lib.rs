//! The viewers' side: the catalog from memory, stream tokens, and what the edge asks about them.
//!
//! It writes to no table: what viewers do becomes facts in Kafka.

mod application;
pub mod catalog;
pub mod documents;
mod feed;
pub mod history;
pub mod routes;
pub mod sessions;
mod settings;
mod text;
pub mod tokens;

pub use application::{Application, BuildError, StopHandle};
pub use settings::{
    CatalogSettings, CorsSettings, FeedSettings, RateLimitSettings, Settings, StreamTokenSettings,
    ViewerSettings, ViewingSessionSettings,
};
