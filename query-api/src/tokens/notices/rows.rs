//! Whose a token is. It does not say so itself; its audit record does.

use marquee_domain::MovieId;
use sqlx::MySqlConnection;
use uuid::Uuid;

use crate::text::Text;

const VIEWER_OF: &str =
    "SELECT viewer_context FROM stream_token_audit WHERE token_id = ? AND movie_id = ?";
/// Every statement, for the test that prepares them all.
pub const STATEMENTS: [&str; 1] = [VIEWER_OF];

/// None as long as the record is not projected.
pub(super) async fn viewer_of(
    connection: &mut MySqlConnection,
    token_id: Uuid,
    movie_id: MovieId,
) -> Result<Option<String>, sqlx::Error> {
    let viewer: Option<Text> = sqlx::query_scalar(VIEWER_OF)
        .bind(token_id.to_string())
        .bind(movie_id.to_string())
        .fetch_optional(connection)
        .await?;
    Ok(viewer.map(|viewer| viewer.to_string()))
}
