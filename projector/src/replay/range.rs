//! From positions and times to the range of positions that is read.

use chrono::{DateTime, TimeDelta, Utc};
use marquee_infra::event_log::EventReader;
use serde::{Deserialize, Serialize};

use super::{
    error::ReplayError,
    request::{Bound, Request},
};

/// By how much the times of two events may contradict their positions: commands wait for their
/// commit, and the clocks of two command-apis differ. What is read around a time is wider by it.
const DISORDER: TimeDelta = TimeDelta::minutes(5);

/// Settled once, when the replay begins: one that is resumed later ends where it would have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    pub first: u64,
    /// Before `first` when there is nothing to read.
    pub last: u64,
    /// The end of the log at that time.
    pub log_head: u64,
}

impl Range {
    pub async fn settle(request: &Request, log: &EventReader) -> Result<Self, ReplayError> {
        let log_head = log.head().await?;
        let first = match request.from {
            None => 1,
            Some(Bound::Position(position)) => in_log("--from", position, log_head)?,
            Some(Bound::Time(time)) => log.position_at(earlier(time)).await? + 1,
        };
        let last = match request.to {
            None => log_head,
            Some(Bound::Position(position)) => in_log("--to", position, log_head)?,
            Some(Bound::Time(time)) => log.position_at(later(time)).await?.min(log_head),
        };
        if let (Some(from), Some(to)) = (request.from, request.to)
            && is_after(from, to)
        {
            return Err(ReplayError::Refused(format!("--from {from} is after --to {to}")));
        }
        Ok(Self { first, last: last.max(first - 1), log_head })
    }

    /// How many positions are read.
    pub const fn positions(&self) -> u64 {
        self.last + 1 - self.first
    }
}

fn in_log(option: &str, position: u64, log_head: u64) -> Result<u64, ReplayError> {
    if position > log_head {
        return Err(ReplayError::Refused(format!(
            "{option} {position} is not in the log, which ends at {log_head}"
        )));
    }
    Ok(position)
}

fn is_after(from: Bound, to: Bound) -> bool {
    match (from, to) {
        (Bound::Position(from), Bound::Position(to)) => from > to,
        (Bound::Time(from), Bound::Time(to)) => from > to,
        (Bound::Position(_), Bound::Time(_)) | (Bound::Time(_), Bound::Position(_)) => false,
    }
}

fn earlier(time: DateTime<Utc>) -> DateTime<Utc> {
    time.checked_sub_signed(DISORDER).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

fn later(time: DateTime<Utc>) -> DateTime<Utc> {
    time.checked_add_signed(DISORDER).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
