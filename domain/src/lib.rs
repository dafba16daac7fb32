//! The domain of a movie streaming portal: values, the `Movie` aggregate and its events, what
//! happens to stream tokens, and what viewing sessions add up to.
//!
//! Pure by construction: no I/O, no clock, no randomness, no HTTP, SQL or Kafka. Whatever the rules
//! need to know of the outside (the time, new ids, what a probe measured) comes in as a value.

#[cfg(test)]
mod contract;
pub mod ids;
pub mod movie;
pub mod stream_token;
pub mod values;
pub mod viewing_session;

pub use ids::{CaptionTrackId, MovieId, StreamSourceId, UserId, ViewingSessionId};
pub use movie::{
    Context, Movie, MovieCommand, MovieError, MovieEvent, decide::decide, evolve::evolve,
};
