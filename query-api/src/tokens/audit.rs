//! The audit record of a token: durable before anyone has the token.
//!
//! In Kafka, acknowledged by all in-sync replicas; while Kafka is away, in the outbox.

use marquee_domain::{
    MovieId,
    stream_token::{IssuedToken, RenewedToken, StreamTokenEvent},
};
use marquee_infra::kafka::{CloudEvent, FactProducer, PublishError};
use thiserror::Error;

use super::{
    ViewerContext,
    cdn::Signed,
    live::TokenRecord,
    outbox::{Entry, Outbox, OutboxError},
};

#[derive(Debug, Clone)]
pub struct Audit {
    producer: FactProducer,
    topic: String,
    outbox: Outbox,
}

/// Neither Kafka nor MySQL is known to have the record.
#[derive(Debug, Error)]
#[error("neither Kafka ({kafka}) nor the outbox took the audit record")]
pub struct AuditError {
    kafka: PublishError,
    #[source]
    outbox: OutboxError,
}

impl Audit {
    pub fn new(producer: FactProducer, topic: String, outbox: Outbox) -> Self {
        Self { producer, topic, outbox }
    }

    /// Returns when the record is durable. Repeating it is harmless: the token's id is the event's.
    pub(super) async fn record(
        &self,
        record: &TokenRecord,
        movie_id: MovieId,
        viewer: &ViewerContext,
        dialect: &'static str,
        signed: &Signed,
        stateless: bool,
    ) -> Result<(), AuditError> {
        let token = IssuedToken {
            token_id: record.token_id,
            movie_id,
            viewer_context: viewer.as_str().to_owned(),
            dialect: dialect.to_owned(),
            key_id: record.key_id.clone(),
            token_sha256: signed.token_sha256.clone(),
            signed_url: signed.redacted_url.clone(),
            issued_at: record.issued_at,
            expires_at: record.expires_at,
            stateless,
        };
        let event = match record.renews {
            None => StreamTokenEvent::StreamTokenIssued(token),
            Some(renews) => StreamTokenEvent::StreamTokenRenewed(RenewedToken { token, renews }),
        };
        let entry = Entry {
            token_id: record.token_id,
            movie_id,
            viewer_context: viewer.as_str().to_owned(),
            issued_at: record.issued_at,
            event_type: event.event_type(),
            payload: serde_json::to_vec(&event)
                .expect("plain members with string keys are always JSON"),
        };
        // Also when Kafka refuses it: the record is kept, and the outbox tells that it waits.
        match publish(&self.producer, &self.topic, &entry).await {
            Ok(()) => Ok(()),
            Err(kafka) => {
                self.outbox.put(entry).await.map_err(|outbox| AuditError { kafka, outbox })
            }
        }
    }
}

/// Returns when Kafka has acknowledged it.
pub(super) async fn publish(
    producer: &FactProducer,
    topic: &str,
    entry: &Entry,
) -> Result<(), PublishError> {
    let movie_id = entry.movie_id.to_string();
    let event =
        CloudEvent::viewer_fact(entry.token_id, &entry.event_type, movie_id, entry.issued_at);
    producer.publish(topic, &entry.viewer_context, &event, &entry.payload).await
}
