//! A session as its events add up. Each part of it is a union, a maximum or a "the first hundred of":
//! operations that take the same event twice as once, and any two in either order. So no event has to
//! wait for another, and none has to be remembered as seen.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    MAX_ERRORS, MISSED_HEARTBEATS, Watched,
    event::{Started, ViewingSessionEvent, WatchedRange},
    player::{EndReason, PlayerErrorCode, PlayerState},
};

/// What is known of a session, whichever of its events have come so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewingSession {
    started: Option<Started>,
    /// Whoever it was, is not to be known.
    anonymized: bool,
    watched: Watched,
    /// The state of the highest sequence number that told one.
    state: Option<(u64, PlayerState)>,
    /// What the highest sequence number said: an end, if it was one.
    last: Option<(u64, Option<End>)>,
    /// Of the lowest sequence numbers.
    errors: BTreeSet<(u64, PlayerErrorCode)>,
    /// When the player was last heard of.
    seen_at: Option<DateTime<Utc>>,
    /// The newest sign of life that a time-out knew of.
    silent_since: Option<DateTime<Utc>>,
}

/// The end that a player told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct End {
    pub at: DateTime<Utc>,
    pub reason: EndReason,
}

/// How a session came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Told(EndReason),
    TimedOut,
}

impl Ending {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Told(reason) => reason.as_str(),
            Self::TimedOut => "TIMED_OUT",
        }
    }
}

impl ViewingSession {
    pub fn apply(&mut self, event: &ViewingSessionEvent) {
        match event {
            ViewingSessionEvent::ViewingSessionStarted(event) => {
                self.started = self.started.take().max(Some(event.clone()));
                self.seen(event.started_at);
                self.forget_viewer();
            }
            ViewingSessionEvent::ViewingSessionProgressed(event) => {
                self.said(event.sequence, event.occurred_at, None);
                let state = event.state.map(|state| (event.sequence, state));
                self.state = self.state.max(state);
                self.watch(&event.watched);
            }
            ViewingSessionEvent::PlayerErrorReported(event) => {
                self.said(event.sequence, event.occurred_at, None);
                self.errors.insert((event.sequence, event.code.clone()));
                while self.errors.len() > MAX_ERRORS {
                    self.errors.pop_last();
                }
            }
            ViewingSessionEvent::ViewingSessionEnded(event) => {
                let end = End { at: event.occurred_at, reason: event.reason };
                self.said(event.sequence, event.occurred_at, Some(end));
                self.watch(&event.watched);
            }
            ViewingSessionEvent::ViewingSessionTimedOut(event) => {
                self.silent_since = self.silent_since.max(Some(event.last_seen_at));
            }
            ViewingSessionEvent::ViewingSessionAnonymized(_) => {
                self.anonymized = true;
                self.forget_viewer();
            }
        }
    }

    fn said(&mut self, sequence: u64, at: DateTime<Utc>, end: Option<End>) {
        self.last = self.last.max(Some((sequence, end)));
        self.seen(at);
    }

    fn seen(&mut self, at: DateTime<Utc>) {
        self.seen_at = self.seen_at.max(Some(at));
    }

    fn watch(&mut self, ranges: &[WatchedRange]) {
        for range in ranges {
            self.watched.add(*range);
        }
    }

    fn forget_viewer(&mut self) {
        if let Some(started) = self.started.as_mut().filter(|_| self.anonymized) {
            (started.viewer_id, started.anonymous_id) = (None, None);
        }
    }

    /// None while only later events have come.
    pub const fn started(&self) -> Option<&Started> {
        self.started.as_ref()
    }

    pub fn state(&self) -> Option<PlayerState> {
        self.state.map(|(_, state)| state)
    }

    pub const fn seen_at(&self) -> Option<DateTime<Utc>> {
        self.seen_at
    }

    pub const fn is_anonymized(&self) -> bool {
        self.anonymized
    }

    /// When and how it ended, as far as is known: a player that says more, or something newer than a
    /// time-out knew of, opens it again.
    pub fn ended(&self) -> Option<(DateTime<Utc>, Ending)> {
        let not_before = self.started.as_ref()?.started_at;
        if let Some((_, Some(end))) = self.last {
            return Some((end.at.max(not_before), Ending::Told(end.reason)));
        }
        let seen_at = self.seen_at?;
        (self.silent_since >= Some(seen_at)).then(|| (seen_at.max(not_before), Ending::TimedOut))
    }

    /// When it times out, unless the player is heard of before; none when it has ended.
    pub fn times_out_at(&self) -> Option<DateTime<Utc>> {
        let heartbeat = self.started.as_ref()?.heartbeat_seconds;
        let silence = TimeDelta::seconds(i64::from(heartbeat) * i64::from(MISSED_HEARTBEATS));
        self.seen_at?.checked_add_signed(silence).filter(|_| self.ended().is_none())
    }

    /// 0 to 100: how much of the movie was watched.
    pub fn completion_percent(&self) -> u8 {
        self.started.as_ref().map_or(0, |started| self.watched.percent_of(started.duration_ms))
    }

    pub fn watched_seconds(&self) -> u32 {
        self.watched.seconds()
    }

    /// In the order in which the player numbered them.
    pub fn player_errors(&self) -> impl Iterator<Item = &PlayerErrorCode> {
        self.errors.iter().map(|(_, code)| code)
    }
}
