//! An event of the log as a CloudEvent 1.0: as a record's headers (binary mode), and as one JSON
//! object (structured mode) for feeds and files. Both say the same.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use marquee_domain::MovieId;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::cloud_event::{COMMAND_API, CONTENT_TYPE, CloudEvent, SPEC_VERSION};
use crate::event_log::RecordedEvent;

impl From<&RecordedEvent> for CloudEvent {
    fn from(event: &RecordedEvent) -> Self {
        let metadata = |name: &str| event.metadata.get(name).cloned();
        Self {
            id: Id { movie_id: event.movie_id, sequence: event.sequence }.to_string(),
            event_type: event.event_type.clone(),
            source: COMMAND_API.to_owned(),
            subject: event.movie_id.to_string(),
            time: event.recorded_at,
            position: Some(event.position),
            sequence: Some(event.sequence),
            actor: metadata("actor"),
            command: metadata("command"),
            request_id: metadata("request_id"),
            trace_parent: metadata("traceparent"),
        }
    }
}

/// Serialises as CloudEvents' JSON format, with the payload as `data`, as it is in the log.
#[derive(Debug, Serialize)]
pub struct StructuredEvent<'a> {
    specversion: &'static str,
    id: Id,
    #[serde(rename = "type")]
    event_type: &'a str,
    source: &'static str,
    subject: MovieId,
    #[serde(serialize_with = "to_the_microsecond")]
    time: DateTime<Utc>,
    datacontenttype: &'static str,
    position: u64,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requestid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    data: &'a RawValue,
}

impl<'a> From<&'a RecordedEvent> for StructuredEvent<'a> {
    fn from(event: &'a RecordedEvent) -> Self {
        let metadata = |name: &str| event.metadata.get(name).map(String::as_str);
        Self {
            specversion: SPEC_VERSION,
            id: Id { movie_id: event.movie_id, sequence: event.sequence },
            event_type: &event.event_type,
            source: COMMAND_API,
            subject: event.movie_id,
            time: event.recorded_at,
            datacontenttype: CONTENT_TYPE,
            position: event.position,
            sequence: event.sequence,
            actor: metadata("actor"),
            command: metadata("command"),
            requestid: metadata("request_id"),
            traceparent: metadata("traceparent"),
            data: &event.payload,
        }
    }
}

/// The same however often the event is published, and unlike a position it survives a merged log.
#[derive(Debug, Clone, Copy)]
struct Id {
    movie_id: MovieId,
    sequence: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.movie_id, self.sequence)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn to_the_microsecond<S: Serializer>(
    time: &DateTime<Utc>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn event(metadata: &[(&str, &str)]) -> RecordedEvent {
        RecordedEvent {
            position: 1_042,
            movie_id: MovieId::new(Uuid::from_u128(7)),
            sequence: 3,
            event_type: "marquee.movie.MovieShown.v1".to_owned(),
            event_version: "1".to_owned(),
            payload: RawValue::from_string(r#"{"n": 1.50, "type": "MovieShown"}"#.to_owned())
                .unwrap(),
            metadata: metadata
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<HashMap<_, _>>(),
            recorded_at: DateTime::from_timestamp_micros(1_750_000_000_120_000).unwrap(),
        }
    }

    #[test]
    fn structured_mode_says_what_the_headers_say_and_passes_the_payload_on() {
        let event = event(&[
            ("actor", "a"),
            ("command", "SetVisibility"),
            ("request_id", "r-1"),
            ("traceparent", "00-1-2-01"),
            ("append_id", "ours alone"),
        ]);
        let line = serde_json::to_string(&StructuredEvent::from(&event)).unwrap();
        assert!(line.ends_with(r#","data":{"n": 1.50, "type": "MovieShown"}}"#), "{line}");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            line,
            json!({
                "specversion": "1.0",
                "id": "00000000-0000-0000-0000-000000000007/3",
                "type": "marquee.movie.MovieShown.v1",
                "source": "/marquee/command-api",
                "subject": "00000000-0000-0000-0000-000000000007",
                "time": "2025-06-15T15:06:40.120000Z",
                "datacontenttype": "application/json",
                "position": 1_042, "sequence": 3,
                "actor": "a", "command": "SetVisibility", "requestid": "r-1",
                "traceparent": "00-1-2-01",
                "data": {"n": 1.5, "type": "MovieShown"},
            })
        );
        let headers = CloudEvent::from(&event);
        assert_eq!(line["id"], headers.id.as_str());
        assert_eq!(line["type"], headers.event_type.as_str());
        assert_eq!(line["source"], headers.source.as_str());
        assert_eq!(line["subject"], headers.subject.as_str());
        assert_eq!(line["actor"].as_str(), headers.actor.as_deref());
        assert_eq!(line["command"].as_str(), headers.command.as_deref());
        assert_eq!(line["requestid"].as_str(), headers.request_id.as_deref());
        assert_eq!(line["traceparent"].as_str(), headers.trace_parent.as_deref());
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let line = serde_json::to_value(StructuredEvent::from(&event(&[]))).unwrap();
        for absent in ["actor", "command", "requestid", "traceparent"] {
            assert!(line.get(absent).is_none(), "{absent}");
        }
    }
}
