//! An event of the log as a Kafka record.

use marquee_infra::{event_log::RecordedEvent, kafka::CloudEvent};
use rdkafka::producer::FutureRecord;

/// The key of the event's record: all of a movie's events go to one partition.
pub(super) fn key(event: &RecordedEvent) -> String {
    event.movie_id.to_string()
}

pub(super) fn record<'a>(
    topic: &'a str,
    key: &'a str,
    event: &'a RecordedEvent,
) -> FutureRecord<'a, str, [u8]> {
    FutureRecord::to(topic)
        .key(key)
        .payload(event.payload.get().as_bytes())
        .headers(CloudEvent::from(event).to_headers())
        // So that consumers find a time in the topic by the time of the event.
        .timestamp(event.recorded_at.timestamp_millis())
}
