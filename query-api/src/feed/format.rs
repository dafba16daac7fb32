//! How a feed is written: newline-delimited JSON, or server-sent events. Each event is a CloudEvent
//! in JSON, its payload passed on as MySQL gave it.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};
use marquee_infra::{event_log::RecordedEvent, kafka::StructuredEvent};
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Ndjson,
    EventStream,
}

impl Format {
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::EventStream => "text/event-stream",
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::EventStream => "sse",
        }
    }

    pub(super) fn event(
        self,
        event: &RecordedEvent,
        buffer: &mut BytesMut,
    ) -> serde_json::Result<()> {
        if self == Self::EventStream {
            text(buffer, format_args!("id: {}\ndata: ", event.position));
        }
        serde_json::to_writer(buffer.writer(), &StructuredEvent::from(event))?;
        buffer.extend_from_slice(match self {
            Self::Ndjson => b"\n",
            Self::EventStream => b"\n\n",
        });
        Ok(())
    }

    /// All that is wanted up to `position` has been sent. In an event stream nobody hears of it, but a
    /// client that comes back sends it as `Last-Event-ID`.
    pub(super) fn heartbeat(self, position: u64, buffer: &mut BytesMut) {
        match self {
            Self::Ndjson => {
                text(buffer, format_args!("{{\"heartbeat\":true,\"position\":{position}}}\n"));
            }
            Self::EventStream => text(buffer, format_args!(": heartbeat\nid: {position}\n\n")),
        }
    }

    /// Nothing more will come, though there is more: all that is wanted up to `position` was sent.
    pub(super) fn problem(self, problem: &Value, position: u64, buffer: &mut BytesMut) {
        let record = json!({ "error": problem, "position": position });
        match self {
            Self::Ndjson => text(buffer, format_args!("{record}\n")),
            Self::EventStream => {
                text(buffer, format_args!("event: problem\nid: {position}\ndata: {record}\n\n"));
            }
        }
    }
}

fn text(buffer: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    // It grows as needed: writing to it cannot fail.
    let _ = buffer.write_fmt(text);
}
