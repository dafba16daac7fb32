//! Publishing what players report. Kafka's acknowledgement is its durability.

use marquee_domain::viewing_session::ViewingSessionEvent;
use marquee_infra::kafka::{
    Fact, FactProducer, PublishError, cloud_event::QUERY_API, viewing_session,
};
use thiserror::Error;

#[derive(Debug, Clone)]
pub struct Reporter {
    producer: FactProducer,
    topic: String,
}

#[derive(Debug, Error)]
pub enum ReportError {
    #[error("the events cannot be published")]
    Publish(#[from] PublishError),
    #[error("an event cannot be written")]
    Json(#[from] serde_json::Error),
}

impl Reporter {
    pub fn new(producer: FactProducer, topic: String) -> Self {
        Self { producer, topic }
    }

    /// Returns when Kafka has all of them. After a failure it may have some: sending all of them again
    /// does no harm.
    pub async fn publish(
        &self,
        events: &[ViewingSessionEvent],
        request_id: Option<&str>,
    ) -> Result<(), ReportError> {
        let facts: Vec<Fact> = events
            .iter()
            .map(|event| viewing_session::fact(event, QUERY_API, request_id.map(Into::into)))
            .collect::<Result<_, _>>()?;
        Ok(self.producer.publish_all(&self.topic, &facts).await?)
    }
}
