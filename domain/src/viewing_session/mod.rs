//! A viewing session: one viewer watches one movie on one device.
//!
//! What happens in it are facts that its player reports; there is nothing to decide and no order to
//! rely on. So there is no aggregate: a session is what its events add up to, whichever of them come
//! late, twice or out of order ([`ViewingSession`]).

#[cfg(test)]
mod contract;
mod event;
mod fold;
mod player;
mod watched;

pub use event::{
    Anonymized, DecodeError, Ended, ErrorReported, Progressed, Started, TimedOut,
    ViewingSessionEvent, WatchedRange, decode,
};
pub use fold::{End, Ending, ViewingSession};
pub use player::{Cmcd, DeviceType, EndReason, PlayerErrorCode, PlayerState};
pub use watched::Watched;

/// Sequence numbers are from 1 to this. One heartbeat a second reaches it after eleven days.
pub const MAX_SEQUENCE: u64 = 1_000_000;
/// Places in a movie are up to this: the longest movie has 10,000 minutes.
pub const MAX_POSITION_MS: u64 = 10_000 * 60_000;
/// Of so many errors of a session the codes are kept: the first ones, which the others follow from.
pub const MAX_ERRORS: usize = 100;
/// A session times out when so many heartbeats in a row have not come.
pub const MISSED_HEARTBEATS: u32 = 3;
