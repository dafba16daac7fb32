//! Carrying out commands: load the movie, decide, append, answer. No HTTP here.

mod answer;
mod ingest;
mod request;
mod revalidate;
mod service;

pub use answer::{CommandAnswer, NewIds};
pub use ingest::{CaptionToAdd, Ingest, IngestError, SourceToAttach, Unusable};
pub use request::{CommandRequest, IfMatch};
pub use revalidate::{revalidate_caption, revalidate_source};
pub use service::{CommandError, CommandService, Done};
