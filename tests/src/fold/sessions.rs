//! The rows that the events of viewing sessions add up to. Pure, and by other means than the domain's fold, which adds
//! one event to what it has: here all of a session's events are looked at together, in the order of their numbers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use marquee_infra::kafka::partition_of;
use serde_json::{Value, json};

use super::{
    Cell, Row, Table,
    expected::{flag, row, time},
};

const MISSED_HEARTBEATS: i64 = 3;
const ERRORS_KEPT: usize = 100;
const LONGEST_MOVIE_MS: u64 = 10_000 * 60_000;

/// The table of viewing sessions after these payloads of their topic, which has so many partitions.
///
/// # Panics
/// When one of them is no event of a session, or when a player tells of two states under one number: a test that does
/// so would have to say which one counts.
pub fn viewing_sessions<'a>(payloads: impl IntoIterator<Item = &'a str>, partitions: i32) -> Table {
    let mut sessions: BTreeMap<String, Session> = BTreeMap::new();
    for payload in payloads {
        let event: Value = serde_json::from_str(payload).expect("a session's event is JSON");
        sessions.entry(text(&event, "session_id").to_owned()).or_default().hear(event);
    }
    let table = sessions.into_iter().map(|(id, session)| {
        let row = session.row(&id, partition_of(id.as_bytes(), partitions));
        (vec![id], row)
    });
    table.collect()
}

/// What was heard of a session.
#[derive(Default)]
struct Session {
    start: Option<Value>,
    /// What its player said, by the player's number. What is said again comes at another time.
    said: BTreeMap<u64, Vec<Value>>,
    /// The last signs of life that time-outs knew of.
    silences: Vec<Value>,
    anonymized: bool,
}

/// With the event's own text of it, which is what the column `fold` has.
type Instant = (DateTime<Utc>, Value);

impl Session {
    fn hear(&mut self, event: Value) {
        match text(&event, "type") {
            "ViewingSessionStarted" => {
                let before = self.start.replace(event.clone());
                assert!(before.is_none_or(|before| before == event), "another start: {event}");
            }
            "ViewingSessionTimedOut" => self.silences.push(event),
            "ViewingSessionAnonymized" => self.anonymized = true,
            _ => {
                let number = event["sequence"].as_u64().expect("players number what they say");
                self.said.entry(number).or_default().push(event);
            }
        }
    }

    fn row(&self, id: &str, partition: i32) -> Row {
        let start = self.known_start();
        let of_start = |name: &str| {
            let value = start.as_ref().and_then(|start| start[name].as_str());
            value.map_or(Cell::Null, Cell::text)
        };
        let (seconds, ended, seen) = (self.seconds(), self.ended(), self.seen());
        let errors = self.errors();
        let codes: Vec<&str> = errors.iter().map(|(_, code)| *code).collect();
        let instant = |at: Option<DateTime<Utc>>| at.map_or(Cell::Null, time);
        row([
            ("session_id", Cell::text(id)),
            ("movie_id", of_start("movie_id")),
            ("device_type", of_start("device_type")),
            ("started_at", instant(self.started_at())),
            ("viewer_id", of_start("viewer_id")),
            ("anonymous_id", of_start("anonymous_id")),
            ("token_id", of_start("token_id")),
            ("ended_at", instant(ended.map(|(at, _)| at))),
            ("end_reason", ended.map_or(Cell::Null, |(_, reason)| Cell::text(reason))),
            ("completion_percent", Cell::text(self.percent(&seconds))),
            ("watched_seconds", Cell::text(seconds.len())),
            ("player_errors", Cell::Json(json!(codes))),
            ("has_errors", flag(!codes.is_empty())),
            ("player_state", self.state().map_or(Cell::Null, |(_, state)| Cell::text(state))),
            ("last_seen_at", instant(seen.as_ref().map(|(at, _)| *at))),
            ("times_out_at", instant(self.times_out_at())),
            ("kafka_partition", Cell::text(partition)),
            ("fold", Cell::Json(self.fold(&seconds, &errors))),
        ])
    }

    /// The start, without what nobody may know any more.
    fn known_start(&self) -> Option<Value> {
        let mut start = self.start.clone()?;
        let members = start.as_object_mut().expect("an event is an object");
        members.remove("type");
        if self.anonymized {
            members.remove("viewer_id");
            members.remove("anonymous_id");
        }
        Some(start)
    }

    fn started_at(&self) -> Option<DateTime<Utc>> {
        Some(instant(self.start.as_ref()?, "started_at").0)
    }

    /// What its player said, with the numbers.
    fn said(&self) -> impl DoubleEndedIterator<Item = (u64, &Value)> {
        self.said.iter().flat_map(|(number, events)| events.iter().map(|event| (*number, event)))
    }

    /// When anything was last heard of it.
    fn seen(&self) -> Option<Instant> {
        let start = self.start.iter().map(|event| instant(event, "started_at"));
        let said = self.said().map(|(_, event)| instant(event, "occurred_at"));
        start.chain(said).max_by_key(|(at, _)| *at)
    }

    fn silent_since(&self) -> Option<Instant> {
        let since = self.silences.iter().map(|event| instant(event, "last_seen_at"));
        since.max_by_key(|(at, _)| *at)
    }

    /// When and how: by what was said last, or else by a silence that nothing has broken.
    fn ended(&self) -> Option<(DateTime<Utc>, &str)> {
        let started_at = self.started_at()?;
        if let Some((_, Some(end))) = self.last() {
            return Some((instant(end, "occurred_at").0.max(started_at), text(end, "reason")));
        }
        let seen_at = self.seen()?.0;
        let (silent_since, _) = self.silent_since()?;
        (silent_since >= seen_at).then_some((seen_at, "TIMED_OUT"))
    }

    /// The highest number, and the end that it told of, if it did.
    fn last(&self) -> Option<(u64, Option<&Value>)> {
        let (number, events) = self.said.last_key_value()?;
        let ends = events.iter().filter(|event| event["type"] == "ViewingSessionEnded");
        Some((*number, ends.max_by_key(|end| instant(end, "occurred_at").0)))
    }

    fn times_out_at(&self) -> Option<DateTime<Utc>> {
        let heartbeat = self.start.as_ref()?["heartbeat_seconds"].as_i64().expect("seconds");
        let silence = TimeDelta::seconds(heartbeat * MISSED_HEARTBEATS);
        self.ended().is_none().then_some(self.seen()?.0 + silence)
    }

    fn state(&self) -> Option<(u64, &str)> {
        let states =
            self.said().filter_map(|(number, event)| Some((number, event["state"].as_str()?)));
        let mut latest = states.rev();
        let (number, state) = latest.next()?;
        let other = latest.find(|other| other.0 == number && other.1 != state);
        assert_eq!(other, None, "two states under one number, {state} being the other");
        Some((number, state))
    }

    fn errors(&self) -> Vec<(u64, &str)> {
        let errors = self.said().filter(|(_, event)| event["type"] == "PlayerErrorReported");
        let errors: BTreeSet<(u64, &str)> =
            errors.map(|(number, event)| (number, text(event, "code"))).collect();
        errors.into_iter().take(ERRORS_KEPT).collect()
    }

    /// Those of the movie that were watched: from the second nearest to a part's begin to the one before that nearest
    /// to its end.
    fn seconds(&self) -> BTreeSet<u64> {
        let parts = self.said().filter_map(|(_, event)| event["watched"].as_array()).flatten();
        parts.flat_map(|part| second(&part["from_ms"])..second(&part["to_ms"])).collect()
    }

    fn percent(&self, watched: &BTreeSet<u64>) -> usize {
        let Some(start) = &self.start else { return 0 };
        let whole = second(&start["duration_ms"]).max(1);
        let watched = watched.range(..whole).count();
        watched * 100 / usize::try_from(whole).expect("a movie's seconds")
    }

    /// What the next event is added to.
    fn fold(&self, seconds: &BTreeSet<u64>, errors: &[(u64, &str)]) -> Value {
        let end = |end: &Value| json!({ "at": end["occurred_at"], "reason": end["reason"] });
        json!({
            "started": self.known_start(),
            "anonymized": self.anonymized,
            "watched": bits(seconds),
            "state": self.state(),
            "last": self.last().map(|(number, told)| (number, told.map(end))),
            "errors": errors,
            "seen_at": self.seen().map(|(_, text)| text),
            "silent_since": self.silent_since().map(|(_, text)| text),
        })
    }
}

/// Two hexadecimal digits for eight seconds, the first of which is the lowest bit.
fn bits(seconds: &BTreeSet<u64>) -> String {
    let bytes = seconds.last().map_or(0, |last| last / 8 + 1);
    let mut bits = vec![0; usize::try_from(bytes).expect("a movie's seconds")];
    for second in seconds {
        bits[usize::try_from(second / 8).expect("one of them")] |= 1_u8 << (second % 8);
    }
    hex::encode(bits)
}

fn second(milliseconds: &Value) -> u64 {
    let milliseconds = milliseconds.as_u64().expect("milliseconds").min(LONGEST_MOVIE_MS);
    (milliseconds + 500) / 1_000
}

fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event[name].as_str().unwrap_or_else(|| panic!("{name}: {event}"))
}

fn instant(event: &Value, name: &str) -> Instant {
    (text(event, name).parse().expect("an instant"), event[name].clone())
}
