//! Making sessions anonymous, on a viewer's request: an event for each session, so that it holds
//! whatever is read again, and whoever else keeps a copy learns of it.

use anyhow::Context;
use marquee_domain::{
    UserId, ViewingSessionId,
    viewing_session::{Anonymized, ViewingSessionEvent},
};
use marquee_infra::{
    clock,
    kafka::{Fact, FactProducer, cloud_event::PROJECTOR, viewing_session},
};
use sqlx::MySqlPool;

const AT_ONCE: u32 = 500;

/// Whose sessions.
#[derive(Debug, Clone)]
pub enum Whose {
    Viewer(UserId),
    /// As in the rows: a keyed hash.
    AnonymousViewer(String),
}

/// Publishes an event for each of the viewer's sessions that is known. Answers how many there were.
pub async fn anonymize(
    pool: &MySqlPool,
    producer: &FactProducer,
    topic: &str,
    whose: &Whose,
) -> anyhow::Result<u64> {
    let (column, value) = match whose {
        Whose::Viewer(id) => ("viewer_id", id.to_string()),
        Whose::AnonymousViewer(hash) => ("anonymous_id", hash.clone()),
    };
    let select = format!(
        "SELECT CONVERT(session_id USING utf8mb4) FROM viewing_sessions
         WHERE {column} = ? AND session_id > ? ORDER BY session_id LIMIT ?"
    );
    let mut published = 0;
    let mut after = String::new();
    loop {
        let ids: Vec<String> = sqlx::query_scalar(&select)
            .bind(&value)
            .bind(&after)
            .bind(AT_ONCE)
            .fetch_all(pool)
            .await
            .context("MySQL can't be asked for the sessions")?;
        let Some(last) = ids.last() else { return Ok(published) };
        after.clone_from(last);
        let facts = ids.iter().map(|id| fact(id)).collect::<anyhow::Result<Vec<Fact>>>()?;
        producer
            .publish_all(topic, &facts)
            .await
            .with_context(|| format!("Kafka did not take all of it; {published} are done"))?;
        published += facts.len() as u64;
    }
}

fn fact(session_id: &str) -> anyhow::Result<Fact> {
    let session_id: ViewingSessionId = session_id.parse()?;
    let event = ViewingSessionEvent::ViewingSessionAnonymized(Anonymized {
        session_id,
        anonymized_at: clock::now(),
    });
    Ok(viewing_session::fact(&event, PROJECTOR, None)?)
}
