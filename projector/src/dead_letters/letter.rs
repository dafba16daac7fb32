//! A dead letter: the record as it came, and at the end of its headers what became of it.

use chrono::SecondsFormat;
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::FutureRecord,
};

use super::outbox::Row;
use crate::parked::headers_from_json;

/// The headers that a copy has more than the record had. Projection, topic, partition and offset
/// together tell records apart, and a copy from a copy of the same.
pub mod header {
    pub const PROJECTION: &str = "dead_letter_projection";
    pub const TOPIC: &str = "dead_letter_topic";
    pub const PARTITION: &str = "dead_letter_partition";
    pub const OFFSET: &str = "dead_letter_offset";
    pub const ERROR: &str = "dead_letter_error";
    pub const PARKED_AT: &str = "dead_letter_parked_at";
    /// There only if the record was too large: then nothing of it is in the copy.
    pub const OMITTED_BYTES: &str = "dead_letter_omitted_bytes";
}

/// What is published for a row.
pub struct Letter<'a> {
    row: &'a Row,
    headers: OwnedHeaders,
    whole: bool,
}

impl<'a> Letter<'a> {
    pub fn of(row: &'a Row) -> Self {
        Self { row, headers: added(row, headers_from_json(&row.headers.0)), whole: true }
    }

    /// For a topic that takes no record as large as this one.
    pub fn without_record(row: &'a Row) -> Self {
        let size = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let omitted = (size(&row.payload) + size(&row.record_key)).to_string();
        let headers = text(added(row, OwnedHeaders::new()), header::OMITTED_BYTES, &omitted);
        Self { row, headers, whole: false }
    }

    pub fn record(&self, topic: &'a str) -> FutureRecord<'a, [u8], [u8]> {
        let mut record = FutureRecord::to(topic).headers(self.headers.clone());
        if let Some(key) = self.row.record_key.as_deref().filter(|_| self.whole) {
            record = record.key(key);
        }
        if let Some(payload) = self.row.payload.as_deref().filter(|_| self.whole) {
            record = record.payload(payload);
        }
        record
    }
}

fn added(row: &Row, mut headers: OwnedHeaders) -> OwnedHeaders {
    let parked_at = row.parked_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    for (key, value) in [
        (header::PROJECTION, row.projection.as_str()),
        (header::TOPIC, row.topic.as_str()),
        (header::PARTITION, &row.kafka_partition.to_string()),
        (header::OFFSET, &row.kafka_offset.to_string()),
        (header::ERROR, row.error.as_str()),
        (header::PARKED_AT, parked_at.as_str()),
    ] {
        headers = text(headers, key, value);
    }
    headers
}

fn text(headers: OwnedHeaders, key: &str, value: &str) -> OwnedHeaders {
    headers.insert(Header { key, value: Some(value) })
}
