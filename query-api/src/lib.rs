//! The viewers' side: the catalog from memory, stream tokens, and what the edge asks about them.
//!
//! What viewers do becomes facts in Kafka. The one table that it writes to is an outbox: what could not
//! become a fact in Kafka yet.

mod application;
pub mod catalog;
pub mod documents;
mod feed;
pub mod history;
mod mysql_read;
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
