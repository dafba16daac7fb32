//! Nobody may be shown an older version of a movie after a swap than before it.
//!
//! A set has every event up to its position, but for broken movies, and the live tables have nothing
//! that the log has not. Both are looked at here before the swap; what comes after that moment is in
//! the log behind the set's position, and is applied under the swap's locks.

use marquee_domain::MovieId;
use sqlx::{MySqlConnection, QueryBuilder, Row, mysql::MySqlRow};

use super::{error::RebuildError, fill::Filler};
use crate::{catalog::TableSet, sql};

const PAGE_MOVIES: u32 = 500;

/// Brings forward what the live tables know better: movies that were parked when the set was
/// replaced, and healed since.
pub async fn bring_forward(filler: &mut Filler<'_>) -> Result<(), RebuildError> {
    let pool = &filler.session.pool;
    let mut after = String::new();
    let mut behind = Vec::new();
    loop {
        let table = filler.set.name("catalog_movies");
        let sql = format!(
            "SELECT l.movie_id, l.version FROM catalog_movies l
             LEFT JOIN {table} s ON s.movie_id = l.movie_id
             WHERE l.movie_id > ? AND l.position <= ?
                 AND (s.version IS NULL OR s.version < l.version)
             ORDER BY l.movie_id LIMIT ?"
        );
        let found = sqlx::query(&sql)
            .bind(&after)
            .bind(filler.contents.position)
            .bind(PAGE_MOVIES)
            .fetch_all(pool)
            .await?;
        for row in &found {
            let (movie_id, version) = movie_at(row)?;
            after = movie_id.to_string();
            if let Err(error) = filler.bring(movie_id, version).await? {
                behind.push(format!("movie {movie_id} is shown at version {version}: {error}"));
            }
        }
        if found.len() < PAGE_MOVIES as usize {
            break;
        }
    }
    if let Some(first) = behind.first() {
        let number = behind.len();
        let text = format!("{number} movies would be older than before; the first: {first}");
        return Err(RebuildError::WouldGoBack(text));
    }
    let shown: u64 = sqlx::query_scalar(
        "SELECT CAST(COALESCE(MAX(position), 0) AS UNSIGNED) FROM catalog_movies",
    )
    .fetch_one(pool)
    .await?;
    // The log only grows, and has what is projected from it.
    let head = filler.session.log.head().await?;
    if shown > head {
        let text = format!("a movie is shown at position {shown}, the event log ends at {head}");
        return Err(RebuildError::WouldGoBack(text));
    }
    Ok(())
}

/// The same of the broken movies alone, for a connection that has the tables locked.
pub async fn check_broken(
    connection: &mut MySqlConnection,
    filler: &Filler<'_>,
) -> Result<(), RebuildError> {
    let ids: Vec<String> = filler.contents.broken.keys().map(ToString::to_string).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let live = versions(connection, TableSet::Live, &ids).await?;
    let rebuilt = versions(connection, filler.set, &ids).await?;
    for (movie_id, version) in live {
        let found = rebuilt.iter().find(|(other, _)| *other == movie_id).map_or(0, |one| one.1);
        if found < version {
            let text = format!("movie {movie_id} is shown at version {version}, not at {found}");
            return Err(RebuildError::WouldGoBack(text));
        }
    }
    Ok(())
}

async fn versions(
    connection: &mut MySqlConnection,
    set: TableSet,
    ids: &[String],
) -> Result<Vec<(MovieId, u64)>, sqlx::Error> {
    let table = set.name("catalog_movies");
    let mut select =
        QueryBuilder::new(format!("SELECT movie_id, version FROM {table} WHERE movie_id IN "));
    sql::push_list(&mut select, ids);
    select.build().fetch_all(connection).await?.iter().map(movie_at).collect()
}

pub fn movie_at(row: &MySqlRow) -> Result<(MovieId, u64), sqlx::Error> {
    let movie_id = row
        .try_get_unchecked::<&str, _>("movie_id")?
        .parse()
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok((movie_id, row.try_get("version")?))
}
