//! An event of the log as a Kafka record.

use marquee_infra::{
    event_log::RecordedEvent,
    kafka::{CloudEvent, cloud_event::COMMAND_API},
};
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
        .headers(cloud_event(event).to_headers())
        // So that consumers find a time in the topic by the time of the event.
        .timestamp(event.recorded_at.timestamp_millis())
}

fn cloud_event(event: &RecordedEvent) -> CloudEvent {
    let metadata = |name: &str| event.metadata.get(name).cloned();
    let subject = event.movie_id.to_string();
    CloudEvent {
        // The same however often it is published, and unlike a position it survives a merged log.
        id: format!("{subject}/{}", event.sequence),
        event_type: event.event_type.clone(),
        source: COMMAND_API.to_owned(),
        subject,
        time: event.recorded_at,
        position: Some(event.position),
        sequence: Some(event.sequence),
        actor: metadata("actor"),
        command: metadata("command"),
        request_id: metadata("request_id"),
        trace_parent: metadata("traceparent"),
    }
}
