//! The audit record of a token: in Kafka before anyone has the token.

use chrono::{DateTime, SecondsFormat, Utc};
use marquee_domain::MovieId;
use marquee_infra::kafka::{CloudEvent, FactProducer, PublishError};
use serde::Serialize;
use uuid::Uuid;

use super::{ViewerContext, live::TokenRecord};

const EVENT_TYPE: &str = "marquee.stream-token.StreamTokenIssued.v1";

#[derive(Debug, Clone)]
pub struct Audit {
    producer: FactProducer,
    topic: String,
}

/// The token itself is not in it: an audit must not be a way to play.
#[derive(Serialize)]
#[serde(tag = "type")]
enum TokenEvent<'a> {
    StreamTokenIssued {
        token_id: Uuid,
        movie_id: MovieId,
        viewer_context: &'a str,
        dialect: &'static str,
        key_id: &'a str,
        token_sha256: &'a str,
        signed_url: &'a str,
        issued_at: String,
        expires_at: String,
        stateless: bool,
    },
}

impl Audit {
    pub fn new(producer: FactProducer, topic: String) -> Self {
        Self { producer, topic }
    }

    /// Returns when Kafka has acknowledged it. Repeating it is harmless: the token's id is the
    /// event's.
    pub(super) async fn issued(
        &self,
        record: &TokenRecord,
        movie_id: MovieId,
        viewer: &ViewerContext,
        redacted_url: &str,
        stateless: bool,
    ) -> Result<(), PublishError> {
        let payload = serde_json::to_vec(&TokenEvent::StreamTokenIssued {
            token_id: record.token_id,
            movie_id,
            viewer_context: viewer.as_str(),
            dialect: "EDGE_AUTH",
            key_id: &record.key_id,
            token_sha256: &record.token_sha256,
            signed_url: redacted_url,
            issued_at: rfc3339(record.issued_at),
            expires_at: rfc3339(record.expires_at),
            stateless,
        })
        .expect("plain members with string keys are always JSON");
        let event = CloudEvent::viewer_fact(
            record.token_id,
            EVENT_TYPE,
            movie_id.to_string(),
            record.issued_at,
        );
        self.producer.publish(&self.topic, viewer.as_str(), &event, &payload).await
    }
}

fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
