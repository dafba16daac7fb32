//! Publishing what waits to be told.

use chrono::{DateTime, Utc};
use futures::future::join_all;
use marquee_domain::stream_token::{Revocation, StreamTokenEvent};
use marquee_infra::kafka::{CloudEvent, FactProducer, PublishError};
use metrics::counter;
use moka::sync::Cache;
use sqlx::MySqlPool;
use thiserror::Error;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{Notice, Revoked, rows};
use crate::mysql_read::{ReadError, in_time};

/// Of what is published together.
const AT_ONCE: usize = 256;

pub(super) struct Teller {
    pub(super) pool: MySqlPool,
    pub(super) producer: FactProducer,
    pub(super) topic: String,
    pub(super) told: Cache<Uuid, ()>,
}

/// Why something is left out.
#[derive(Debug, Error)]
enum TellError {
    /// Its record is on its way, or in the outbox.
    #[error("the token's record is not projected yet")]
    NotProjected,
    #[error(transparent)]
    Mysql(#[from] ReadError),
    #[error("the event cannot be written")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Kafka(#[from] PublishError),
}

impl TellError {
    const fn reason(&self) -> &'static str {
        match self {
            Self::NotProjected => "not_projected",
            Self::Mysql(_) => "mysql",
            Self::Json(_) => "json",
            Self::Kafka(_) => "kafka",
        }
    }
}

impl Teller {
    pub(super) async fn run(self, mut receiver: mpsc::Receiver<Notice>) {
        let mut batch = Vec::with_capacity(AT_ONCE);
        while receiver.recv_many(&mut batch, AT_ONCE).await > 0 {
            join_all(batch.iter().map(|notice| self.tell(notice))).await;
            batch.clear();
        }
    }

    async fn tell(&self, notice: &Notice) {
        match self.publish(notice).await {
            Ok(()) => {
                counter!("marquee_stream_token_notices_total", "type" => notice.name())
                    .increment(1);
            }
            Err(error) => {
                tracing::debug!(%error, "a {} is left out", notice.name());
                notice.left_out(&self.told, error.reason());
            }
        }
    }

    async fn publish(&self, notice: &Notice) -> Result<(), TellError> {
        let event = match notice {
            Notice::Denied(denial) => StreamTokenEvent::StreamTokenDenied(denial.clone()),
            Notice::Revoked(revoked, at) => {
                StreamTokenEvent::StreamTokenRevoked(self.revocation(revoked, *at).await?)
            }
        };
        let about = CloudEvent {
            id: event.event_id(),
            ..CloudEvent::viewer_fact(
                Uuid::nil(),
                event.event_type(),
                event.movie_id().to_string(),
                event.occurred_at(),
            )
        };
        let payload = serde_json::to_vec(&event)?;
        Ok(self.producer.publish(&self.topic, event.viewer_context(), &about, &payload).await?)
    }

    /// The viewer is in the token's record, and the record's row: so this is behind that in the topic,
    /// in the same partition.
    async fn revocation(
        &self,
        revoked: &Revoked,
        revoked_at: DateTime<Utc>,
    ) -> Result<Revocation, TellError> {
        let Revoked { token_id, movie_id, reason } = *revoked;
        let viewer_context = in_time::<_, ReadError>(async {
            let mut connection = self.pool.acquire().await?;
            Ok(rows::viewer_of(&mut connection, token_id, movie_id).await?)
        })
        .await?
        .ok_or(TellError::NotProjected)?;
        Ok(Revocation { token_id, movie_id, viewer_context, reason, revoked_at })
    }
}
