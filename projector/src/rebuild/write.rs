//! What the filler writes to its set of tables.

use marquee_infra::clock;
use sqlx::{MySql, MySqlConnection, QueryBuilder, types::Json};

use super::{
    error::RebuildError,
    fill::{Batch, Filler},
    part::Bounds,
};
use crate::{
    catalog::{Fold, write_history, write_movies},
    failure::Failure,
};

impl Filler<'_> {
    /// Keeps later runs from taking over while this transaction writes, unless one has.
    pub(super) async fn lock(&self, connection: &mut MySqlConnection) -> Result<(), RebuildError> {
        let table = self.set.name("catalog_contents");
        let sql = format!("SELECT position FROM {table} WHERE id = 1 AND epoch = ? FOR SHARE");
        let position: Option<u64> =
            sqlx::query_scalar(&sql).bind(self.session.epoch).fetch_optional(connection).await?;
        if position == Some(self.contents.position) {
            Ok(())
        } else {
            Err(RebuildError::Superseded)
        }
    }

    /// Writes what changed. A movie whose rows MySQL refuses stays as it was, the others are written.
    pub(super) async fn write_movies(
        &mut self,
        connection: &mut MySqlConnection,
        batch: &mut Batch,
    ) -> Result<(), RebuildError> {
        let changed = batch.changed(self.session);
        sqlx::raw_sql("SAVEPOINT movies").execute(&mut *connection).await?;
        match write_movies(connection, self.set, &changed).await {
            Ok(()) => return Ok(()),
            Err(Failure::Refused(_)) => {}
            Err(failure) => return Err(failure.into()),
        }
        let mut refused = Vec::new();
        sqlx::raw_sql("ROLLBACK TO SAVEPOINT movies").execute(&mut *connection).await?;
        for (fold, partition) in changed {
            sqlx::raw_sql("SAVEPOINT movie").execute(&mut *connection).await?;
            match write_movies(connection, self.set, &[(fold, partition)]).await {
                Ok(()) => {}
                Err(Failure::Refused(error)) => {
                    sqlx::raw_sql("ROLLBACK TO SAVEPOINT movie").execute(&mut *connection).await?;
                    let version = fold.history.first().map_or(0, |entry| entry.version - 1);
                    refused.push((fold.movie_id, version, error));
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        for (movie_id, version, error) in refused {
            batch.folds.remove(&movie_id);
            self.break_off(batch, movie_id, version, &error)?;
        }
        Ok(())
    }

    pub(super) async fn write_history(
        &self,
        connection: &mut MySqlConnection,
        batch: &Batch,
        wanted: impl Fn(&Fold) -> bool,
    ) -> Result<(), RebuildError> {
        let entries: Vec<_> = batch
            .folds
            .values()
            .filter(|fold| wanted(fold))
            .flat_map(|fold| fold.history.iter().map(|entry| (fold.movie_id, entry)))
            .collect();
        write_history(connection, self.set, &entries).await?;
        Ok(())
    }

    /// The statement that copies the histories of all movies but the broken ones.
    pub(super) fn copy_history(&self, bounds: Bounds) -> QueryBuilder<'static, MySql> {
        let table = self.set.name("movie_history");
        let mut copy = QueryBuilder::new(format!(
            "INSERT INTO {table} (movie_id, version, position, event_type, command, actor,
                 request_id, recorded_at, payload)
             SELECT aggregate_id, sequence, position, event_type,
                 COALESCE(JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.command')), ''),
                 COALESCE(JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.actor')), ''),
                 COALESCE(JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.request_id')), ''),
                 recorded_at, payload"
        ));
        bounds.push_rows(&mut copy);
        let broken: Vec<String> =
            self.contents.broken.keys().map(|movie_id| format!("'{movie_id}'")).collect();
        if !broken.is_empty() {
            copy.push(format!(" AND aggregate_id NOT IN ({})", broken.join(", ")));
        }
        copy.push(" ON DUPLICATE KEY UPDATE movie_id = VALUES(movie_id)");
        copy
    }

    pub(super) async fn write_contents(
        &self,
        connection: &mut MySqlConnection,
    ) -> Result<(), RebuildError> {
        let table = self.set.name("catalog_contents");
        let sql = format!(
            "UPDATE {table} SET position = ?, log_head = ?, broken = ?, by_movie_id = ?,
                 by_movie_sequence = ?, updated_at = ?
             WHERE id = 1 AND epoch = ?"
        );
        let by_movie = self.contents.by_movie;
        let written = sqlx::query(&sql)
            .bind(self.contents.position)
            .bind(self.contents.log_head)
            .bind(Json(&*self.contents.broken))
            .bind(by_movie.map(|cursor| cursor.movie_id.to_string()))
            .bind(by_movie.map(|cursor| cursor.sequence))
            .bind(clock::now())
            .bind(self.session.epoch)
            .execute(connection)
            .await?
            .rows_affected();
        if written == 1 { Ok(()) } else { Err(RebuildError::Superseded) }
    }
}
