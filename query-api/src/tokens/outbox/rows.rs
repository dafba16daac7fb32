//! The table, and the SQL for it.

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use sqlx::{MySqlConnection, MySqlPool, QueryBuilder, Row};
use uuid::Uuid;

const NEXT: &str = "SELECT token_id, movie_id, viewer_context, issued_at, event_type, payload
     FROM stream_token_outbox ORDER BY token_id LIMIT ?";
const WAITING: &str = "SELECT COUNT(*) FROM stream_token_outbox";
/// Those that are the same each time.
pub const STATEMENTS: [&str; 2] = [NEXT, WAITING];

/// An audit record: what Kafka gets of it.
#[derive(Debug, Clone)]
pub struct Entry {
    pub token_id: Uuid,
    pub movie_id: MovieId,
    pub viewer_context: String,
    pub issued_at: DateTime<Utc>,
    pub event_type: String,
    pub payload: Vec<u8>,
}

/// All or none of them; those that are there already stay as they are.
pub(super) async fn insert<'a>(
    connection: &mut MySqlConnection,
    entries: impl Iterator<Item = &'a Entry>,
) -> Result<(), sqlx::Error> {
    let mut insert = QueryBuilder::new(
        "INSERT INTO stream_token_outbox
             (token_id, movie_id, viewer_context, issued_at, event_type, payload) ",
    );
    insert.push_values(entries, |mut row, entry| {
        row.push_bind(entry.token_id.to_string())
            .push_bind(entry.movie_id.to_string())
            .push_bind(&entry.viewer_context)
            .push_bind(entry.issued_at)
            .push_bind(&entry.event_type)
            .push_bind(&entry.payload);
    });
    insert.push(
        " ON DUPLICATE KEY UPDATE stream_token_outbox.token_id = stream_token_outbox.token_id",
    );
    // A text for each number of rows: none of them is worth being kept.
    insert.build().persistent(false).execute(connection).await.map(drop)
}

/// The oldest, by their tokens' ids.
pub(super) async fn next(pool: &MySqlPool, max_rows: u32) -> Result<Vec<Entry>, sqlx::Error> {
    let rows = sqlx::query(NEXT).bind(max_rows).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            // sqlx takes text of a binary collation for bytes, unless it is told not to look.
            let text = |column| row.try_get_unchecked::<String, _>(column);
            let damaged = |column: &str| sqlx::Error::ColumnDecode {
                index: column.to_owned(),
                source: "not an id".into(),
            };
            Ok(Entry {
                token_id: text("token_id")?.parse().map_err(|_| damaged("token_id"))?,
                movie_id: text("movie_id")?.parse().map_err(|_| damaged("movie_id"))?,
                viewer_context: text("viewer_context")?,
                issued_at: row.try_get("issued_at")?,
                event_type: text("event_type")?,
                payload: row.try_get("payload")?,
            })
        })
        .collect()
}

/// What Kafka has.
pub(super) async fn delete(pool: &MySqlPool, token_ids: &[Uuid]) -> Result<(), sqlx::Error> {
    if token_ids.is_empty() {
        return Ok(());
    }
    let mut delete = QueryBuilder::new("DELETE FROM stream_token_outbox WHERE token_id IN (");
    let mut list = delete.separated(", ");
    for token_id in token_ids {
        list.push_bind(token_id.to_string());
    }
    delete.push(")");
    delete.build().persistent(false).execute(pool).await.map(drop)
}

pub(super) async fn waiting(pool: &MySqlPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(WAITING).fetch_one(pool).await
}
