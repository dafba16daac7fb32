//! The `Movie` aggregate. Stream sources and caption tracks live inside it, because the rules
//! span them.

mod aggregate;
mod command;
pub mod decide;
mod decode;
mod error;
mod event;
mod event_type;
pub mod evolve;
mod state;
pub mod upcast;

pub use command::{
    CreateMovie, MovieCommand, NewCaptionTrack, NewStreamSource, RevisePatch, Trigger,
    ValidationOutcome,
};
pub use decode::{DecodeError, decode, decode_value};
pub use error::{MovieError, Unmet};
pub use event::{MovieEvent, Stamp};
pub use event_type::{EventName, EventType, EventTypeError};
pub use state::{CaptionTrack, ListedMovie, Movie, StreamSource};

use chrono::{DateTime, Utc};

use crate::ids::UserId;

/// What a decision needs to know of the outside.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    pub now: DateTime<Utc>,
    /// Who sent the command.
    pub actor: UserId,
}
