//! How much is parked, for the metrics. Every projector tells it of all of them: take the highest.

use std::{collections::HashMap, time::Duration};

use metrics::gauge;
use sqlx::MySqlPool;
use tokio::time::sleep;

use crate::projections;

const INTERVAL: Duration = Duration::from_secs(5);

/// For ever. While MySQL is away the gauges stay as they were.
pub async fn keep_gauges(pool: MySqlPool) {
    loop {
        match counts(&pool).await {
            Ok(counts) => set(&counts),
            // What is the matter is told by those who need MySQL more.
            Err(error) => tracing::debug!(%error, "parked records could not be counted"),
        }
        sleep(INTERVAL).await;
    }
}

/// Records and movies by projection.
async fn counts(pool: &MySqlPool) -> Result<HashMap<String, (i64, i64)>, sqlx::Error> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT projection, COUNT(*), COUNT(DISTINCT NULLIF(movie_id, ''))
         FROM parked_events GROUP BY projection",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(projection, records, movies)| (projection, (records, movies)))
        .collect())
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn set(counts: &HashMap<String, (i64, i64)>) {
    for projection in projections::NAMES {
        let (records, movies) = counts.get(projection).copied().unwrap_or_default();
        gauge!("marquee_projector_parked_records", "projection" => projection).set(records as f64);
        gauge!("marquee_projector_parked_movies", "projection" => projection).set(movies as f64);
    }
}
