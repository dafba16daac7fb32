//! The domain's rules, command by command (given/when/then), its values, and the properties that
//! hold whatever is done in whatever order.

mod caption_tracks;
mod creation;
mod docs;
mod given;
mod golden;
mod properties;
mod removal;
mod revision;
mod stream_sources;
mod upcasting;
mod values;
mod viewing_sessions;
mod visibility;
