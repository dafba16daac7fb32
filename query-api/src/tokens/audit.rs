//! The audit record of a token: durable before anyone has the token.
//!
//! In Kafka, acknowledged by all in-sync replicas; while Kafka is away, in the outbox.

use chrono::{DateTime, SecondsFormat, Utc};
use marquee_domain::MovieId;
use marquee_infra::kafka::{CloudEvent, FactProducer, PublishError};
use serde::Serialize;
use thiserror::Error;
use uuid::Uuid;

use super::{
    ViewerContext,
    cdn::Signed,
    live::TokenRecord,
    outbox::{Entry, Outbox, OutboxError},
};

const EVENT_TYPE: &str = "marquee.stream-token.StreamTokenIssued.v1";

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

/// The token itself is not in it: an audit must not be a way to play.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type")]
enum TokenEvent<'a> {
    /// A viewer is about to get a signed URL.
    StreamTokenIssued {
        token_id: Uuid,
        #[cfg_attr(test, schemars(with = "Uuid"))]
        movie_id: MovieId,
        /// A keyed hash of viewer or session.
        viewer_context: &'a str,
        dialect: &'static str,
        /// Which key signed.
        key_id: &'a str,
        token_sha256: &'a str,
        /// With the digest in the token's place.
        signed_url: &'a str,
        #[cfg_attr(test, schemars(with = "DateTime<Utc>"))]
        issued_at: String,
        #[cfg_attr(test, schemars(with = "DateTime<Utc>"))]
        expires_at: String,
        /// Redis was away, and does not hold the token.
        stateless: bool,
    },
}

impl Audit {
    pub fn new(producer: FactProducer, topic: String, outbox: Outbox) -> Self {
        Self { producer, topic, outbox }
    }

    /// Returns when the record is durable. Repeating it is harmless: the token's id is the event's.
    pub(super) async fn issued(
        &self,
        record: &TokenRecord,
        movie_id: MovieId,
        viewer: &ViewerContext,
        dialect: &'static str,
        signed: &Signed,
        stateless: bool,
    ) -> Result<(), AuditError> {
        let payload = serde_json::to_vec(&TokenEvent::StreamTokenIssued {
            token_id: record.token_id,
            movie_id,
            viewer_context: viewer.as_str(),
            dialect,
            key_id: &record.key_id,
            token_sha256: &signed.token_sha256,
            signed_url: &signed.redacted_url,
            issued_at: rfc3339(record.issued_at),
            expires_at: rfc3339(record.expires_at),
            stateless,
        })
        .expect("plain members with string keys are always JSON");
        let entry = Entry {
            token_id: record.token_id,
            movie_id,
            viewer_context: viewer.as_str().to_owned(),
            issued_at: record.issued_at,
            payload,
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
    let event = CloudEvent::viewer_fact(entry.token_id, EVENT_TYPE, movie_id, entry.issued_at);
    producer.publish(topic, &entry.viewer_context, &event, &entry.payload).await
}

fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use schemars::generate::SchemaSettings;
    use serde_json::{Value, json};

    use super::*;

    const PATH: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../domain/schemas/StreamTokenIssued.v1.json");

    fn schema() -> Value {
        let schema = SchemaSettings::draft2020_12()
            .for_serialize()
            .with(|settings| settings.inline_subschemas = true)
            .into_generator()
            .into_root_schema_for::<TokenEvent<'_>>();
        let mut issued = schema.get("oneOf").expect("an enum is a oneOf")[0].clone();
        issued["$schema"] = schema.get("$schema").expect("its dialect").clone();
        issued["title"] = json!(EVENT_TYPE);
        issued
    }

    /// The contract, for reviewers: a change of the event is a change of this file. To write it anew,
    /// run the tests with `UPDATE_SCHEMAS=1`.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever changes the event")]
    fn the_schema_is_the_committed_one() {
        if std::env::var("UPDATE_SCHEMAS").is_ok() {
            let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
            std::fs::write(PATH, text).unwrap();
        }
        let committed: Value = serde_json::from_slice(&std::fs::read(PATH).unwrap()).unwrap();
        assert!(
            committed == schema(),
            "what was released stays; for a new optional field run the tests with UPDATE_SCHEMAS=1"
        );
    }

    #[test]
    fn what_is_published_is_what_the_schema_says_and_less_is_not() {
        let issued = TokenEvent::StreamTokenIssued {
            token_id: Uuid::from_u128(1),
            movie_id: MovieId::new(Uuid::from_u128(2)),
            viewer_context: "v1.abc",
            dialect: "EDGE_AUTH",
            key_id: "k1",
            token_sha256: "ab",
            signed_url: "https://edge.example/sha256-ab/media/master.m3u8",
            issued_at: rfc3339(DateTime::from_timestamp_micros(1_750_000_000_123_456).unwrap()),
            expires_at: rfc3339(DateTime::from_timestamp_micros(1_750_000_300_000_000).unwrap()),
            stateless: false,
        };
        let payload = serde_json::to_value(&issued).unwrap();
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&schema())
            .unwrap();
        assert!(validator.is_valid(&payload), "{payload}");
        for field in payload.as_object().unwrap().keys() {
            let mut without = payload.clone();
            without.as_object_mut().unwrap().remove(field);
            assert!(!validator.is_valid(&without), "{field}");
            let mut wrong = payload.clone();
            wrong[field] = json!(42);
            assert!(!validator.is_valid(&wrong), "{field}");
        }
    }
}
