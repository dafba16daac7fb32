//! A movie as a record of the topic.

use marquee_domain::MovieId;
use marquee_infra::kafka::{CloudEvent, cloud_event::PROJECTOR};
use rdkafka::producer::FutureRecord;

use super::{document::DOCUMENT_TYPE, rows::MovieRow};

pub struct Message {
    pub movie_id: MovieId,
    pub version: u64,
    key: String,
    about: CloudEvent,
    /// None: a tombstone.
    pub value: Option<Vec<u8>>,
}

impl Message {
    pub fn of(row: &MovieRow, value: Option<Vec<u8>>) -> Self {
        let key = row.movie_id.to_string();
        let about = CloudEvent {
            // The same however often it is published.
            id: format!("{key}/{}", row.version),
            event_type: DOCUMENT_TYPE.to_owned(),
            source: PROJECTOR.to_owned(),
            subject: key.clone(),
            time: row.updated_at,
            position: Some(row.position),
            sequence: Some(row.version),
            actor: None,
            command: None,
            request_id: None,
            trace_parent: None,
        };
        Self { movie_id: row.movie_id, version: row.version, key, about, value }
    }

    pub fn record<'a>(&'a self, topic: &'a str) -> FutureRecord<'a, str, [u8]> {
        let record =
            FutureRecord::to(topic).key(self.key.as_str()).headers(self.about.to_headers());
        match &self.value {
            Some(value) => record.payload(value.as_slice()),
            None => record,
        }
    }
}
