//! Reading the movies that a batch is about.

use std::collections::HashSet;

use marquee_domain::{Movie, MovieId};
use serde_json::value::RawValue;
use sqlx::{MySqlConnection, QueryBuilder, Row, mysql::MySqlRow, types::Json};

use super::{fold::Fold, tables::TableSet};
use crate::{failure::Failure, sql};

const MAX_IDS: usize = 1024;

/// A movie's row, or as much of it as can be read.
pub enum Stored {
    Row(Fold),
    /// The row's state was written by a version that knew movies differently: fold it anew.
    Unreadable {
        movie_id: MovieId,
        version: u64,
    },
}

pub async fn movies(
    tx: &mut MySqlConnection,
    set: TableSet,
    ids: &[String],
) -> Result<Vec<Stored>, Failure> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(MAX_IDS) {
        let table = set.name("catalog_movies");
        let mut select = QueryBuilder::new(format!(
            "SELECT movie_id, version, position, state FROM {table} WHERE movie_id IN "
        ));
        sql::push_list(&mut select, ids);
        if set == TableSet::Live {
            // A movie is one partition's, whose checkpoint is locked; but once partitions are added to a
            // topic, its earlier events are in one and its later ones in another.
            select.push(" FOR UPDATE");
        }
        for row in select.build().fetch_all(&mut *tx).await? {
            found.push(stored(&row)?);
        }
    }
    Ok(found)
}

fn stored(row: &MySqlRow) -> Result<Stored, sqlx::Error> {
    let movie_id: MovieId = row
        .try_get_unchecked::<&str, _>("movie_id")?
        .parse()
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let version: u64 = row.try_get("version")?;
    let Json(state): Json<&RawValue> = row.try_get("state")?;
    Ok(match serde_json::from_str::<Movie>(state.get()) {
        Ok(Movie::Absent) | Err(_) => Stored::Unreadable { movie_id, version },
        Ok(movie) => Stored::Row(Fold::stored(movie_id, movie, version, row.try_get("position")?)),
    })
}

/// Those of the movies that have parked events.
pub async fn parked(
    tx: &mut MySqlConnection,
    projection: &str,
    ids: &[String],
) -> Result<HashSet<MovieId>, Failure> {
    let mut found = HashSet::new();
    for ids in ids.chunks(MAX_IDS) {
        let mut select =
            QueryBuilder::new("SELECT DISTINCT movie_id FROM parked_events WHERE projection = ");
        select.push_bind(projection).push(" AND movie_id IN ");
        sql::push_list(&mut select, ids);
        for row in select.build().fetch_all(&mut *tx).await? {
            found.extend(row.try_get::<&str, _>("movie_id")?.parse::<MovieId>().ok());
        }
    }
    Ok(found)
}
