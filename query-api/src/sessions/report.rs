//! What a player reports, read from a body: an event, or a list of them.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use marquee_domain::{
    ViewingSessionId,
    viewing_session::{
        Cmcd, EndReason, Ended, ErrorReported, MAX_POSITION_MS, MAX_SEQUENCE, PlayerErrorCode,
        PlayerState, Progressed, ViewingSessionEvent, WatchedRange,
    },
};
use marquee_infra::http::Fields;

/// Events in a body.
pub const MAX_BATCH: usize = 50;
/// Watched parts in an event.
pub const MAX_RANGES: usize = 20;
/// How late a player may tell: a day without a connection.
const MAX_AGE_MS: u64 = 86_400_000;
/// A terabit a second, or eleven days of buffer.
const MAX_CMCD: u64 = 1_000_000_000;

/// An event as a player tells it, without whose and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    sequence: u64,
    age_ms: u64,
    what: What,
    position_ms: Option<u64>,
    watched: Vec<WatchedRange>,
    cmcd: Option<Cmcd>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Progress(Option<PlayerState>),
    Error { code: PlayerErrorCode, fatal: bool },
    End(EndReason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Heartbeat,
    State,
    Error,
    End,
}

impl Kind {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "HEARTBEAT" => Ok(Self::Heartbeat),
            "STATE" => Ok(Self::State),
            "ERROR" => Ok(Self::Error),
            "END" => Ok(Self::End),
            _ => Err("must be one of HEARTBEAT, STATE, ERROR, END"),
        }
    }
}

/// `events`, or what the body says itself if it has none.
pub fn read_reports(fields: &mut Fields, has_list: bool) -> Vec<Report> {
    if !has_list {
        return read_report(fields).into_iter().collect();
    }
    let mut listed = 0;
    let reports = fields.objects("events", MAX_BATCH, |fields| {
        listed += 1;
        read_report(fields)
    });
    if listed == 0 && !fields.has_error("events") {
        fields.error("events", "must have at least one entry");
    }
    reports
}

fn read_report(fields: &mut Fields) -> Option<Report> {
    let kind = fields.required_str("type", Kind::parse);
    let sequence = fields.required_u64("sequence", up_to(1, MAX_SEQUENCE));
    let age_ms = fields.optional_u64("age_ms", up_to(0, MAX_AGE_MS));
    let position_ms = fields.optional_u64("position_ms", up_to(0, MAX_POSITION_MS));
    let cmcd = fields.optional_object("cmcd", |fields| Some(read_cmcd(fields)));

    let state = fields.optional_str("state", PlayerState::parse);
    let code = fields.optional_str("code", PlayerErrorCode::parse);
    let fatal = fields.optional_bool("fatal");
    let reason = fields.optional_str("reason", EndReason::parse);
    let watched = fields.objects("watched", MAX_RANGES, read_range);

    let mut only_of = |name: &str, there: bool, kinds: &[Kind], of: &str| {
        if there && kind.is_some_and(|kind| !kinds.contains(&kind)) {
            fields.error(name, format!("is for events of type {of}"));
        }
    };
    only_of("state", state.is_some(), &[Kind::Heartbeat, Kind::State], "HEARTBEAT and STATE");
    only_of("code", code.is_some(), &[Kind::Error], "ERROR");
    only_of("fatal", fatal.is_some(), &[Kind::Error], "ERROR");
    only_of("reason", reason.is_some(), &[Kind::End], "END");
    let watching = [Kind::Heartbeat, Kind::State, Kind::End];
    only_of("watched", !watched.is_empty(), &watching, "HEARTBEAT, STATE and END");
    let what = match kind? {
        Kind::Heartbeat => What::Progress(state),
        Kind::State => What::Progress(Some(fields.needed("state", state)?)),
        Kind::Error => {
            What::Error { code: fields.needed("code", code)?, fatal: fatal.unwrap_or(false) }
        }
        Kind::End => What::End(reason.unwrap_or(EndReason::Stopped)),
    };
    Some(Report {
        sequence: sequence?,
        age_ms: age_ms.unwrap_or(0),
        what,
        position_ms,
        watched,
        cmcd,
    })
}

fn read_range(fields: &mut Fields) -> Option<WatchedRange> {
    let from_ms = fields.required_u64("from_ms", up_to(0, MAX_POSITION_MS));
    let to_ms = fields.required_u64("to_ms", up_to(0, MAX_POSITION_MS));
    let (from_ms, to_ms) = (from_ms?, to_ms?);
    if from_ms > to_ms {
        fields.error("to_ms", "must not be before from_ms");
    }
    Some(WatchedRange { from_ms, to_ms })
}

fn read_cmcd(fields: &mut Fields) -> Cmcd {
    let mut number = |name| {
        let value = fields.optional_u64(name, up_to(0, MAX_CMCD))?;
        u32::try_from(value).ok()
    };
    let (br, tb, mtp, bl) = (number("br"), number("tb"), number("mtp"), number("bl"));
    let (bs, su) = (fields.optional_bool("bs"), fields.optional_bool("su"));
    Cmcd { br, tb, mtp, bl, bs, su }
}

fn up_to(min: u64, max: u64) -> impl Fn(u64) -> Result<u64, String> {
    move |number| {
        let within = (min..=max).contains(&number);
        within
            .then_some(number)
            .ok_or_else(|| format!("must be a whole number from {min} to {max}"))
    }
}

impl Report {
    /// The event, of this session, which came in at `now`.
    pub fn event(
        self,
        session_id: ViewingSessionId,
        started_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> ViewingSessionEvent {
        let age = TimeDelta::milliseconds(i64::try_from(self.age_ms).unwrap_or(i64::MAX));
        let occurred_at = (now - age).max(started_at).trunc_subsecs(6);
        let Self { sequence, position_ms, watched, cmcd, .. } = self;
        match self.what {
            What::Progress(state) => ViewingSessionEvent::ViewingSessionProgressed(Progressed {
                session_id,
                sequence,
                occurred_at,
                state,
                position_ms,
                watched,
                cmcd,
            }),
            What::Error { code, fatal } => {
                ViewingSessionEvent::PlayerErrorReported(ErrorReported {
                    session_id,
                    sequence,
                    occurred_at,
                    code,
                    fatal,
                    position_ms,
                    cmcd,
                })
            }
            What::End(reason) => ViewingSessionEvent::ViewingSessionEnded(Ended {
                session_id,
                sequence,
                occurred_at,
                reason,
                position_ms,
                watched,
                cmcd,
            }),
        }
    }
}
