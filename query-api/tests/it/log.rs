//! An event log as the tests write it: the rows that command-api would, and the head.

use marquee_domain::MovieId;
use marquee_infra::clock;
use serde_json::{Value, json};
use sqlx::{QueryBuilder, types::Json};

use crate::{bed::Bed, life::EDITOR};

const ROWS_PER_INSERT: usize = 500;

/// The movies of the log, each with its version, and the head.
#[derive(Debug, Default)]
pub struct Log {
    pub movies: Vec<(MovieId, u64)>,
    pub head: u64,
    /// Put into each payload.
    pub padding: String,
}

impl Log {
    pub fn with_movies(count: usize) -> Self {
        let movie = || (MovieId::new(clock::new_uuid()), 0);
        Self { movies: std::iter::repeat_with(movie).take(count).collect(), ..Self::default() }
    }

    /// `count` events of this name, version 1, one movie's after the other's.
    pub async fn append(&mut self, bed: &Bed, name: &str, count: usize) {
        if self.movies.is_empty() {
            *self = Self::with_movies(1);
        }
        let mut transaction = bed.pool.begin().await.expect("a transaction");
        let mut left = count;
        while left > 0 {
            let rows: Vec<Row> = (0..left.min(ROWS_PER_INSERT)).map(|_| self.row(name)).collect();
            left -= rows.len();
            let mut insert = QueryBuilder::new(
                "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, \
                 event_version, payload, metadata, recorded_at) ",
            );
            insert.push_values(rows, |mut values, row| {
                values
                    .push_bind(row.position)
                    .push("'movie'")
                    .push_bind(row.movie_id.to_string())
                    .push_bind(row.sequence)
                    .push_bind(format!("marquee.movie.{name}.v1"))
                    .push("'1'")
                    .push_bind(Json(row.payload))
                    .push_bind(Json(metadata()))
                    .push_bind(clock::now());
            });
            insert.build().execute(&mut *transaction).await.expect("events are inserted");
        }
        sqlx::query("UPDATE event_log_head SET position = ?")
            .bind(self.head)
            .execute(&mut *transaction)
            .await
            .expect("the head moves");
        transaction.commit().await.expect("it commits");
    }

    fn row(&mut self, name: &str) -> Row {
        self.head += 1;
        let index = usize::try_from(self.head).expect("small") % self.movies.len();
        let (movie_id, version) = &mut self.movies[index];
        *version += 1;
        Row {
            position: self.head,
            movie_id: *movie_id,
            sequence: *version,
            payload: json!({ "type": name, "n": self.head, "padding": self.padding }),
        }
    }

    /// What nobody may do.
    pub async fn lose(&self, bed: &Bed, position: u64) {
        let lost = sqlx::query("DELETE FROM events WHERE position = ?").bind(position);
        assert_eq!(lost.execute(&bed.pool).await.expect("it is deleted").rows_affected(), 1);
    }
}

struct Row {
    position: u64,
    movie_id: MovieId,
    sequence: u64,
    payload: Value,
}

fn metadata() -> Value {
    json!({ "actor": EDITOR, "command": "Test", "request_id": "r-1", "append_id": "ours alone" })
}
