//! CloudEvents 1.0 in Kafka's binary mode: the attributes are headers, the data is the value.
//!
//! The record's key is chosen by the publisher; this module knows headers only.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    str::FromStr,
};

use chrono::{DateTime, SecondsFormat, Utc};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use thiserror::Error;
use uuid::Uuid;

pub(super) const SPEC_VERSION: &str = "1.0";
pub(super) const CONTENT_TYPE: &str = "application/json";

/// `ce_source` of what came through a command.
pub const COMMAND_API: &str = "/marquee/command-api";
/// `ce_source` of the facts that viewers cause.
pub const QUERY_API: &str = "/marquee/query-api";
/// `ce_source` of what is derived from events.
pub const PROJECTOR: &str = "/marquee/projector";

mod name {
    pub const SPEC_VERSION: &str = "ce_specversion";
    pub const ID: &str = "ce_id";
    pub const TYPE: &str = "ce_type";
    pub const SOURCE: &str = "ce_source";
    pub const SUBJECT: &str = "ce_subject";
    pub const TIME: &str = "ce_time";
    pub const CONTENT_TYPE: &str = "content-type";
    pub const POSITION: &str = "ce_position";
    pub const SEQUENCE: &str = "ce_sequence";
    pub const ACTOR: &str = "ce_actor";
    pub const COMMAND: &str = "ce_command";
    pub const REQUEST_ID: &str = "ce_requestid";
    pub const TRACE_PARENT: &str = "traceparent";
}

/// An event's attributes. Its data, JSON always, is the record's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudEvent {
    /// Unique within `source`.
    pub id: String,
    /// Name and version: `marquee.movie.MovieCreated.v1`.
    pub event_type: String,
    pub source: String,
    /// What it happened to: a movie's id, for movie events.
    pub subject: String,
    pub time: DateTime<Utc>,
    /// The place in the event log, for what is in it.
    pub position: Option<u64>,
    /// The place among its movie's events, from 1.
    pub sequence: Option<u64>,
    /// The user who caused it.
    pub actor: Option<String>,
    /// The command that caused it.
    pub command: Option<String>,
    pub request_id: Option<String>,
    /// W3C trace context.
    pub trace_parent: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CloudEventError {
    #[error("header {0} is missing")]
    Missing(&'static str),
    #[error("header {0} is there twice")]
    Repeated(&'static str),
    #[error("header {0} is not UTF-8 text")]
    NotText(&'static str),
    #[error("header {header}: {value:?} is not {expected}")]
    Invalid { header: &'static str, value: String, expected: &'static str },
    #[error("a header's name is not UTF-8 text")]
    NameNotText,
}

impl CloudEvent {
    /// A fact of the query API: it is in no event log, so it has no position.
    pub fn viewer_fact(
        id: Uuid,
        event_type: impl Into<String>,
        subject: impl Into<String>,
        time: DateTime<Utc>,
    ) -> Self {
        Self {
            id: id.to_string(),
            event_type: event_type.into(),
            source: QUERY_API.to_owned(),
            subject: subject.into(),
            time,
            position: None,
            sequence: None,
            actor: None,
            command: None,
            request_id: None,
            trace_parent: None,
        }
    }

    pub fn to_headers(&self) -> OwnedHeaders {
        let text = |headers: OwnedHeaders, key: &str, value: &str| {
            headers.insert(Header { key, value: Some(value) })
        };
        let mut headers = OwnedHeaders::new_with_capacity(13);
        headers = text(headers, name::SPEC_VERSION, SPEC_VERSION);
        headers = text(headers, name::ID, &self.id);
        headers = text(headers, name::TYPE, &self.event_type);
        headers = text(headers, name::SOURCE, &self.source);
        headers = text(headers, name::SUBJECT, &self.subject);
        let time = self.time.to_rfc3339_opts(SecondsFormat::Micros, true);
        headers = text(headers, name::TIME, &time);
        headers = text(headers, name::CONTENT_TYPE, CONTENT_TYPE);
        for (key, number) in [(name::POSITION, self.position), (name::SEQUENCE, self.sequence)] {
            if let Some(number) = number {
                headers = text(headers, key, &number.to_string());
            }
        }
        for (key, value) in [
            (name::ACTOR, &self.actor),
            (name::COMMAND, &self.command),
            (name::REQUEST_ID, &self.request_id),
            (name::TRACE_PARENT, &self.trace_parent),
        ] {
            if let Some(value) = value {
                headers = text(headers, key, value);
            }
        }
        headers
    }

    /// Reads a record's headers. Those it does not know are none of its business.
    pub fn from_headers<H: Headers>(headers: &H) -> Result<Self, CloudEventError> {
        let found = Attributes::collect(headers)?;
        found.expect(name::SPEC_VERSION, "the CloudEvents version 1.0", |v| v == SPEC_VERSION)?;
        found.expect(name::CONTENT_TYPE, "JSON", |v| {
            v.split(';').next().is_some_and(|media| media.trim() == CONTENT_TYPE)
        })?;
        Ok(Self {
            id: found.text(name::ID)?,
            event_type: found.text(name::TYPE)?,
            source: found.text(name::SOURCE)?,
            subject: found.text(name::SUBJECT)?,
            time: found.parsed(name::TIME, "an RFC 3339 time", |text| {
                DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
            })?,
            position: found.number(name::POSITION)?,
            sequence: found.number(name::SEQUENCE)?,
            actor: found.optional(name::ACTOR)?.map(str::to_owned),
            command: found.optional(name::COMMAND)?.map(str::to_owned),
            request_id: found.optional(name::REQUEST_ID)?.map(str::to_owned),
            trace_parent: found.optional(name::TRACE_PARENT)?.map(str::to_owned),
        })
    }
}

/// A record's headers, looked at as text one by one.
struct Attributes<'a>(Vec<(&'a str, Option<&'a [u8]>)>);

impl<'a> Attributes<'a> {
    fn collect<H: Headers>(headers: &'a H) -> Result<Self, CloudEventError> {
        (0..headers.count())
            .map(|index| {
                // rdkafka panics on a name that is not UTF-8. Anyone may write such a record, and
                // it must be refused like every other that can't be read, not end the consumer.
                let header = catch_unwind(AssertUnwindSafe(|| headers.get(index)))
                    .map_err(|_| CloudEventError::NameNotText)?;
                Ok((header.key, header.value))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn optional(&self, header: &'static str) -> Result<Option<&'a str>, CloudEventError> {
        let mut values = self.0.iter().filter(|(key, _)| *key == header).map(|(_, value)| *value);
        let value = values.next().flatten();
        if values.next().is_some() {
            return Err(CloudEventError::Repeated(header));
        }
        value
            .map(|bytes| std::str::from_utf8(bytes).map_err(|_| CloudEventError::NotText(header)))
            .transpose()
    }

    fn text(&self, header: &'static str) -> Result<String, CloudEventError> {
        self.parsed(header, "a text", |text| (!text.is_empty()).then(|| text.to_owned()))
    }

    fn parsed<T>(
        &self,
        header: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, CloudEventError> {
        let text = self.optional(header)?.ok_or(CloudEventError::Missing(header))?;
        parse(text).ok_or_else(|| invalid(header, text, expected))
    }

    fn number(&self, header: &'static str) -> Result<Option<u64>, CloudEventError> {
        self.optional(header)?
            .map(|text| {
                u64::from_str(text)
                    .ok()
                    .filter(|number| *number > 0)
                    .ok_or_else(|| invalid(header, text, "a number from 1"))
            })
            .transpose()
    }

    fn expect(
        &self,
        header: &'static str,
        expected: &'static str,
        holds: impl FnOnce(&str) -> bool,
    ) -> Result<(), CloudEventError> {
        self.parsed(header, expected, |text| holds(text).then_some(()))
    }
}

fn invalid(header: &'static str, value: &str, expected: &'static str) -> CloudEventError {
    // The value came from outside and goes into logs and tables: only its beginning.
    CloudEventError::Invalid { header, value: value.chars().take(64).collect(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> CloudEvent {
        CloudEvent {
            id: "7".to_owned(),
            event_type: "marquee.movie.MovieShown.v1".to_owned(),
            source: COMMAND_API.to_owned(),
            subject: "0197d2a5-0000-7000-8000-000000000001".to_owned(),
            time: DateTime::from_timestamp_micros(1_750_000_000_123_456).unwrap(),
            position: Some(7),
            sequence: Some(3),
            actor: Some("0197d2a5-0000-7000-8000-000000000002".to_owned()),
            command: Some("ShowMovie".to_owned()),
            request_id: Some("r-1".to_owned()),
            trace_parent: Some(
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
            ),
        }
    }

    fn changed(header: &str, value: Option<&[u8]>) -> Result<CloudEvent, CloudEventError> {
        let sent = event().to_headers();
        let mut headers = OwnedHeaders::new();
        for kept in sent.iter().filter(|kept| kept.key != header) {
            headers = headers.insert(kept);
        }
        if let Some(value) = value {
            headers = headers.insert(Header { key: header, value: Some(value) });
        }
        CloudEvent::from_headers(&headers)
    }

    #[test]
    fn headers_are_read_back_as_they_were_written() {
        assert_eq!(CloudEvent::from_headers(&event().to_headers()), Ok(event()));
        let fact = CloudEvent::viewer_fact(
            Uuid::from_u128(9),
            "marquee.stream-token.StreamTokenIssued.v1",
            "viewer",
            event().time,
        );
        assert_eq!(CloudEvent::from_headers(&fact.to_headers()), Ok(fact));
    }

    #[test]
    fn each_required_header_is_missed_by_name() {
        for header in [
            name::SPEC_VERSION,
            name::ID,
            name::TYPE,
            name::SOURCE,
            name::SUBJECT,
            name::TIME,
            name::CONTENT_TYPE,
        ] {
            assert_eq!(changed(header, None), Err(CloudEventError::Missing(header)));
        }
    }

    #[test]
    fn a_header_that_cannot_be_read_is_named_with_what_was_expected() {
        for (header, value) in [
            (name::SPEC_VERSION, "0.3"),
            (name::CONTENT_TYPE, "application/avro"),
            (name::TIME, "yesterday"),
            (name::POSITION, "0"),
            (name::POSITION, "-1"),
            (name::SEQUENCE, "one"),
            (name::ID, ""),
        ] {
            let refused = changed(header, Some(value.as_bytes()));
            assert!(
                matches!(&refused, Err(CloudEventError::Invalid { header: named, value: shown, .. })
                    if *named == header && shown == value),
                "{header}: {refused:?}"
            );
        }
        assert_eq!(
            changed(name::SUBJECT, Some(b"\xff")),
            Err(CloudEventError::NotText(name::SUBJECT))
        );
    }

    #[test]
    fn a_repeated_header_is_refused_and_an_unknown_one_is_not() {
        let twice = event().to_headers().insert(Header { key: name::POSITION, value: Some("8") });
        assert_eq!(
            CloudEvent::from_headers(&twice),
            Err(CloudEventError::Repeated(name::POSITION))
        );
        assert_eq!(changed("tenant", Some(b"\xff")), Ok(event()));
    }
}
