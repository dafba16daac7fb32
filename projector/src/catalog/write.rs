//! Writing changed movies: their rows, and of their children only the lists that changed.

use marquee_domain::{Movie, MovieId, movie::ListedMovie, values::QualityTag};
use sqlx::{MySqlConnection, QueryBuilder, types::Json};

use super::{facts::StreamFactsColumn, fold::Fold, tables::TableSet};
use crate::{failure::Failure, sql};

/// Few, because a movie with two hundred captions is large.
const MAX_MOVIES: usize = 32;
const MAX_CHILDREN: usize = 128;

const MOVIE_COLUMNS: &str = " (movie_id, title, slug, synopsis, genres, duration_minutes, \
     availability_start, availability_end, visibility, poster_url, created_at, \
     created_by, updated_at, updated_by, removed, version, position, kafka_partition, state) ";

/// The columns that events change; the others are fixed when a movie is created.
const UPDATE_MOVIES: &str = " ON DUPLICATE KEY UPDATE title = VALUES(title), \
     synopsis = VALUES(synopsis), genres = VALUES(genres), \
     duration_minutes = VALUES(duration_minutes), availability_start = VALUES(availability_start), \
     availability_end = VALUES(availability_end), visibility = VALUES(visibility), \
     poster_url = VALUES(poster_url), updated_at = VALUES(updated_at), \
     updated_by = VALUES(updated_by), removed = VALUES(removed), version = VALUES(version), \
     position = VALUES(position), kafka_partition = VALUES(kafka_partition), \
     state = VALUES(state)";

/// Each with the Kafka partition that its events come by.
pub async fn write(
    tx: &mut MySqlConnection,
    set: TableSet,
    folds: &[(&Fold, i32)],
) -> Result<(), Failure> {
    let rows: Vec<MovieRow<'_>> =
        folds.iter().filter_map(|(fold, partition)| MovieRow::of(fold, *partition)).collect();
    // New movies are inserted without an "on duplicate key": it would overwrite another movie's row
    // if the log ever gave its slug away twice.
    let (known, new): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.fold.has_row);
    write_movies(tx, set, &new, "").await?;
    write_movies(tx, set, &known, UPDATE_MOVIES).await?;
    write_genres(tx, set, &rows).await?;
    write_sources(tx, set, &rows).await?;
    write_captions(tx, set, &rows).await
}

/// Deletes all rows of a movie.
pub async fn delete(tx: &mut MySqlConnection, movie_id: MovieId) -> Result<(), Failure> {
    for table in [
        "catalog_movies",
        "catalog_genres",
        "catalog_stream_sources",
        "catalog_caption_tracks",
        "movie_history",
    ] {
        sqlx::query(&format!("DELETE FROM {table} WHERE movie_id = ?"))
            .bind(movie_id.to_string())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// A changed movie and what its row has to show.
struct MovieRow<'a> {
    fold: &'a Fold,
    shown: &'a ListedMovie,
    partition: i32,
}

impl<'a> MovieRow<'a> {
    fn of(fold: &'a Fold, partition: i32) -> Option<Self> {
        let shown = match &fold.movie {
            Movie::Listed(movie) => movie,
            Movie::Removed { .. } => fold.last_listed.as_ref()?,
            Movie::Absent => return None,
        };
        Some(Self { fold, shown, partition })
    }

    fn removed(&self) -> bool {
        matches!(self.fold.movie, Movie::Removed { .. })
    }

    fn children<T>(&self, list: impl Fn(&ListedMovie) -> &[T]) -> Children<'a, T> {
        let of = |movie: &'a Movie| movie.listed().map_or(&[][..], &list);
        Children {
            movie_id: self.fold.movie_id,
            before: self.fold.before.as_ref().map(of),
            after: of(&self.fold.movie),
        }
    }
}

/// One movie's list of children as it is in the tables, if that is known, and as it has to be.
struct Children<'a, T> {
    movie_id: MovieId,
    before: Option<&'a [T]>,
    after: &'a [T],
}

async fn write_movies(
    tx: &mut MySqlConnection,
    set: TableSet,
    rows: &[&MovieRow<'_>],
    on_duplicate: &str,
) -> Result<(), Failure> {
    for run in sql::runs(rows, MAX_MOVIES) {
        let table = set.name("catalog_movies");
        let mut insert = QueryBuilder::new(format!("INSERT INTO {table}{MOVIE_COLUMNS}"));
        insert.push_values(run, |mut values, row| {
            let MovieRow { fold, shown, partition } = *row;
            values
                .push_bind(fold.movie_id.to_string())
                .push_bind(shown.title.as_str())
                .push_bind(shown.slug.as_str())
                .push_bind(shown.synopsis.as_str())
                .push_bind(Json(&shown.genres))
                .push_bind(shown.duration_minutes.get())
                .push_bind(shown.availability.start())
                .push_bind(shown.availability.end())
                .push_bind(shown.visibility.as_str())
                .push_bind(shown.poster_url.as_str())
                .push_bind(shown.created_at)
                .push_bind(shown.created_by.to_string())
                .push_bind(shown.updated_at)
                .push_bind(shown.updated_by.to_string())
                .push_bind(row.removed())
                .push_bind(fold.version)
                .push_bind(fold.position)
                .push_bind(partition)
                .push_bind(Json(&fold.movie));
        });
        insert.push(on_duplicate);
        insert.build().execute(&mut *tx).await?;
    }
    Ok(())
}

async fn write_genres(
    tx: &mut MySqlConnection,
    set: TableSet,
    rows: &[MovieRow<'_>],
) -> Result<(), Failure> {
    let changed = Changed::of(rows.iter().map(|row| row.children(|movie| movie.genres.as_slice())));
    let table = set.name("catalog_genres");
    changed.delete_from(tx, &table).await?;
    for run in sql::runs(&changed.rows, MAX_CHILDREN) {
        let mut insert =
            QueryBuilder::new(format!("INSERT INTO {table} (movie_id, ordinal, genre) "));
        insert.push_values(run, |mut values, (movie_id, ordinal, genre)| {
            values.push_bind(movie_id.to_string()).push_bind(ordinal).push_bind(genre.as_str());
        });
        insert.build().execute(&mut *tx).await?;
    }
    Ok(())
}

async fn write_sources(
    tx: &mut MySqlConnection,
    set: TableSet,
    rows: &[MovieRow<'_>],
) -> Result<(), Failure> {
    let changed = Changed::of(rows.iter().map(|row| row.children(|movie| &movie.stream_sources)));
    let table = set.name("catalog_stream_sources");
    changed.delete_from(tx, &table).await?;
    for run in sql::runs(&changed.rows, MAX_CHILDREN) {
        let mut insert = QueryBuilder::new(format!(
            "INSERT INTO {table} (movie_id, ordinal, stream_source_id, stream_url,
                 quality_tag, drm_required, is_primary, last_validated_at, validation_status,
                 facts) "
        ));
        insert.push_values(run, |mut values, (movie_id, ordinal, source)| {
            values
                .push_bind(movie_id.to_string())
                .push_bind(ordinal)
                .push_bind(source.stream_source_id.to_string())
                .push_bind(source.sealed_url.as_str())
                .push_bind(source.quality_tag.as_ref().map(QualityTag::as_str))
                .push_bind(source.drm_required)
                .push_bind(source.primary)
                .push_bind(source.last_validated_at)
                .push_bind(source.validation_status.as_str())
                .push_bind(Json(StreamFactsColumn::from(&source.facts)));
        });
        insert.build().execute(&mut *tx).await?;
    }
    Ok(())
}

async fn write_captions(
    tx: &mut MySqlConnection,
    set: TableSet,
    rows: &[MovieRow<'_>],
) -> Result<(), Failure> {
    let changed = Changed::of(rows.iter().map(|row| row.children(|movie| &movie.caption_tracks)));
    let table = set.name("catalog_caption_tracks");
    changed.delete_from(tx, &table).await?;
    for run in sql::runs(&changed.rows, MAX_CHILDREN) {
        let mut insert = QueryBuilder::new(format!(
            "INSERT INTO {table} (movie_id, ordinal, caption_track_id,
                 language_code, caption_url, format, is_default, last_validated_at,
                 validation_status, facts) "
        ));
        insert.push_values(run, |mut values, (movie_id, ordinal, track)| {
            values
                .push_bind(movie_id.to_string())
                .push_bind(ordinal)
                .push_bind(track.caption_track_id.to_string())
                .push_bind(track.language_code.as_str())
                .push_bind(track.caption_url.as_str())
                .push_bind(track.format.as_str())
                .push_bind(track.is_default)
                .push_bind(track.last_validated_at)
                .push_bind(track.validation_status.as_str())
                .push_bind(Json(&track.facts));
        });
        insert.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// What has to be deleted and inserted where a list of children is not what it was.
struct Changed<'a, T> {
    /// Movies that have rows to delete.
    stale: Vec<String>,
    rows: Vec<(MovieId, u32, &'a T)>,
}

impl<'a, T: PartialEq> Changed<'a, T> {
    fn of(lists: impl Iterator<Item = Children<'a, T>>) -> Self {
        let mut changed = Self { stale: Vec::new(), rows: Vec::new() };
        for Children { movie_id, before, after } in lists {
            if before == Some(after) {
                continue;
            }
            if before.is_none_or(|before| !before.is_empty()) {
                changed.stale.push(movie_id.to_string());
            }
            let numbered = (0..).zip(after);
            changed.rows.extend(numbered.map(|(ordinal, child)| (movie_id, ordinal, child)));
        }
        changed
    }

    async fn delete_from(&self, tx: &mut MySqlConnection, table: &str) -> Result<(), Failure> {
        if self.stale.is_empty() {
            return Ok(());
        }
        let mut delete = QueryBuilder::new(format!("DELETE FROM {table} WHERE movie_id IN "));
        sql::push_list(&mut delete, &self.stale);
        delete.build().execute(tx).await?;
        Ok(())
    }
}
