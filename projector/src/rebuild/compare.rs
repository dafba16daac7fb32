//! What was rebuilt against what is live, movie by movie, beside a live system.
//!
//! Where both are at one version, their rows have to be the same, column by column; MySQL compares
//! them. Where not, the live row has to be what the log adds up to as of its version. Each page of
//! movies is of one moment. A movie with parked events is expected to be behind, and is told apart.

use std::{collections::BTreeSet, fmt};

use marquee_domain::{Movie, MovieId};
use serde_json::value::RawValue;
use sqlx::{Connection, MySqlConnection, Row, types::Json};

use super::{error::RebuildError, fill::Filler, guard::movie_at, session::Session};
use crate::{
    audit::read_models::check_movie,
    catalog::{Catalog, TableSet, parked_movies},
    progress_bar::Progress,
    projection::Projection,
};

const PAGE_MOVIES: u32 = 1_000;
/// Differences that are named; all are counted as far as this, page by page.
const MAX_NAMED: usize = 20;
const MAX_PER_QUERY: u32 = 1_000;
/// No id is behind it.
const END: &str = "~";

/// Each table with what tells its rows apart.
const KEYS: [(&str, &str); 5] = [
    ("catalog_movies", "movie_id"),
    ("catalog_genres", "ordinal"),
    ("catalog_stream_sources", "ordinal"),
    ("catalog_caption_tracks", "ordinal"),
    ("movie_history", "version"),
];

#[derive(Debug, Default)]
pub struct Comparison {
    pub movies: u64,
    pub differences: u64,
    /// The first of them, in the order of the movies' ids.
    pub named: Vec<String>,
    /// Movies with parked events, behind what was rebuilt.
    pub parked: u64,
    /// Rows whose state an older version of the projector wrote.
    pub older_states: u64,
}

impl Comparison {
    fn add(&mut self, difference: String) {
        self.differences += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(difference);
        }
    }
}

pub async fn compare(filler: &Filler<'_>) -> Result<Comparison, RebuildError> {
    let mut connection = filler.session.pool.acquire().await?;
    let movies: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM catalog_movies_rebuild")
        .fetch_one(&mut *connection)
        .await?;
    let mut progress = Progress::new("movies compared", movies.unsigned_abs(), 0);
    let tables = tables(&mut connection).await?;
    let mut comparison = Comparison::default();
    let mut after = String::new();
    while after != END {
        after = page(&mut connection, filler.session, &tables, &after, &mut comparison).await?;
        progress.reached(comparison.movies);
    }
    progress.clear();
    Ok(comparison)
}

/// Compares the movies behind an id, and answers the last.
async fn page(
    connection: &mut MySqlConnection,
    session: &Session,
    tables: &[Table],
    after: &str,
    comparison: &mut Comparison,
) -> Result<String, RebuildError> {
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .execute(&mut *connection)
        .await?;
    let mut view =
        connection.begin_with("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
    let last: Option<String> = sqlx::query_scalar(
        "SELECT CONVERT(movie_id USING utf8mb4) FROM catalog_movies_rebuild
         WHERE movie_id > ? ORDER BY movie_id LIMIT 1 OFFSET ?",
    )
    .bind(after)
    .bind(PAGE_MOVIES - 1)
    .fetch_optional(&mut *view)
    .await?;
    let up_to = last.unwrap_or_else(|| END.to_owned());
    let range = [after, up_to.as_str()];
    let movies: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM catalog_movies_rebuild WHERE movie_id > ? AND movie_id <= ?",
    )
    .bind(range[0])
    .bind(range[1])
    .fetch_one(&mut *view)
    .await?;
    comparison.movies += movies.unsigned_abs();

    let uneven = uneven(&mut view, session, range).await?;
    for table in tables {
        for difference in table.differences(&mut view, range, &uneven.movies).await? {
            if difference.columns == "state" && is_older_state(&mut view, &difference.key).await? {
                comparison.older_states += 1;
                continue;
            }
            comparison.add(difference.to_string());
        }
    }
    let ids: Vec<String> = uneven.movies.iter().map(MovieId::to_string).collect();
    let parked = parked_movies(&mut view, Catalog::NAME, &ids).await?;
    view.rollback().await?;

    for (movie_id, position) in &uneven.overdue {
        if !parked.contains(movie_id) {
            comparison.add(format!("movie {movie_id}: the live rows lack position {position}"));
        }
    }
    let is_parked = |movie_id: &&MovieId| parked.contains(*movie_id);
    comparison.parked += uneven.movies.iter().filter(is_parked).count() as u64;
    for movie_id in uneven.live {
        let partition = session.partition_of(movie_id);
        let (log, topic) = (&session.log, session.topic.as_str());
        if let Some(columns) = check_movie(&mut *connection, log, topic, movie_id, partition)
            .await
            .map_err(RebuildError::Compare)?
        {
            comparison.add(format!("movie {movie_id}, as of its live version: {columns}"));
        }
    }
    Ok(up_to)
}

/// Movies that are at different versions.
#[derive(Default)]
struct Uneven {
    movies: BTreeSet<MovieId>,
    /// Those that have a live row.
    live: BTreeSet<MovieId>,
    /// The live rows should have these positions: their checkpoints are behind them.
    overdue: Vec<(MovieId, u64)>,
}

async fn uneven(
    view: &mut MySqlConnection,
    session: &Session,
    range: [&str; 2],
) -> Result<Uneven, RebuildError> {
    let mut uneven = Uneven::default();
    let ahead = sqlx::query(
        "SELECT l.movie_id, l.version FROM catalog_movies l
         LEFT JOIN catalog_movies_rebuild r ON r.movie_id = l.movie_id
         WHERE l.movie_id > ? AND l.movie_id <= ? AND (r.version IS NULL OR r.version < l.version)",
    );
    for row in ahead.bind(range[0]).bind(range[1]).fetch_all(&mut *view).await? {
        let (movie_id, _) = movie_at(&row)?;
        uneven.movies.insert(movie_id);
        uneven.live.insert(movie_id);
    }
    let behind = sqlx::query(
        "SELECT r.movie_id, h.version, h.position, l.movie_id IS NOT NULL AS is_live,
             COALESCE(h.position <= c.position, FALSE) AS overdue
         FROM catalog_movies_rebuild r
         LEFT JOIN catalog_movies l ON l.movie_id = r.movie_id
         JOIN movie_history_rebuild h
             ON h.movie_id = r.movie_id AND h.version = COALESCE(l.version, 0) + 1
         LEFT JOIN projection_checkpoints c
             ON c.projection = ? AND c.topic = ? AND c.kafka_partition = r.kafka_partition
         WHERE r.movie_id > ? AND r.movie_id <= ? AND r.version > COALESCE(l.version, 0)",
    )
    .bind(Catalog::NAME)
    .bind(&session.topic)
    .bind(range[0])
    .bind(range[1]);
    for row in behind.fetch_all(view).await? {
        let (movie_id, _) = movie_at(&row)?;
        uneven.movies.insert(movie_id);
        if row.try_get_unchecked::<i64, _>("is_live")? == 1 {
            uneven.live.insert(movie_id);
        }
        if row.try_get_unchecked::<i64, _>("overdue")? == 1 {
            uneven.overdue.push((movie_id, row.try_get("position")?));
        }
    }
    Ok(uneven)
}

/// A table's statements.
struct Table {
    name: &'static str,
    differing: String,
    surplus: String,
    missing: String,
}

async fn tables(connection: &mut MySqlConnection) -> Result<Vec<Table>, RebuildError> {
    let mut tables = Vec::with_capacity(KEYS.len());
    for (name, key) in KEYS {
        tables.push(Table::read(connection, name, key).await?);
    }
    Ok(tables)
}

impl Table {
    /// Asks for the columns, so that none that a migration adds is forgotten here.
    async fn read(
        connection: &mut MySqlConnection,
        name: &'static str,
        key: &'static str,
    ) -> Result<Self, RebuildError> {
        let columns: Vec<(String, String)> = sqlx::query_as(
            "SELECT CONVERT(column_name USING utf8mb4), CONVERT(data_type USING utf8mb4)
             FROM information_schema.columns
             WHERE table_schema = DATABASE() AND table_name = ? AND column_name NOT IN ('movie_id', ?)
             ORDER BY ordinal_position",
        )
        .bind(name)
        .bind(key)
        .fetch_all(connection)
        .await?;
        let same: Vec<(String, String)> = columns
            .into_iter()
            .map(|(column, kind)| {
                let is_text = kind.ends_with("char") || kind.ends_with("text");
                // Text is compared by its bytes, whatever its collation says.
                let same = if is_text {
                    format!("CAST(l.{column} AS BINARY) <=> CAST(r.{column} AS BINARY)")
                } else {
                    format!("l.{column} <=> r.{column}")
                };
                (column, same)
            })
            .collect();
        let named: Vec<String> =
            same.iter().map(|(column, same)| format!("IF({same}, NULL, '{column}')")).collect();
        let all: Vec<&str> = same.iter().map(|(_, same)| same.as_str()).collect();
        let on = format!("r.movie_id = l.movie_id AND r.{key} = l.{key}");
        let select = |row: &str, columns: &str, from: &str, condition: &str| {
            format!(
                "SELECT {row}.movie_id, CAST({row}.{key} AS CHAR) AS row_key, {columns} AS columns_
                 FROM {from} WHERE {row}.movie_id > ? AND {row}.movie_id <= ? AND {condition}
                 /*but*/ ORDER BY {row}.movie_id, {row}.{key} LIMIT {MAX_PER_QUERY}"
            )
        };
        let rebuilt = TableSet::Rebuild.name(name);
        Ok(Self {
            name,
            differing: select(
                "l",
                &format!("CONCAT_WS(', ', {})", named.join(", ")),
                &format!("{name} l JOIN {rebuilt} r ON {on}"),
                &format!("NOT ({})", all.join(" AND ")),
            ),
            surplus: select(
                "l",
                "'only in the live table'",
                &format!("{name} l LEFT JOIN {rebuilt} r ON {on}"),
                "r.movie_id IS NULL",
            ),
            missing: select(
                "r",
                "'missing in the live table'",
                &format!("{rebuilt} r LEFT JOIN {name} l ON {on}"),
                "l.movie_id IS NULL",
            ),
        })
    }

    /// Of movies that are at one version.
    async fn differences(
        &self,
        view: &mut MySqlConnection,
        range: [&str; 2],
        uneven: &BTreeSet<MovieId>,
    ) -> Result<Vec<Difference>, RebuildError> {
        let uneven: Vec<String> = uneven.iter().map(|movie_id| format!("'{movie_id}'")).collect();
        let mut differences = Vec::new();
        for (row, sql) in [("l", &self.differing), ("l", &self.surplus), ("r", &self.missing)] {
            let sql = if uneven.is_empty() {
                sql.clone()
            } else {
                let but = format!("AND {row}.movie_id NOT IN ({})", uneven.join(", "));
                sql.replace("/*but*/", &but)
            };
            // With its ids in it, a statement is asked once.
            let found = sqlx::query(&sql).persistent(uneven.is_empty());
            for row in found.bind(range[0]).bind(range[1]).fetch_all(&mut *view).await? {
                differences.push(Difference {
                    table: self.name,
                    movie_id: row.try_get_unchecked("movie_id")?,
                    key: row.try_get_unchecked("row_key")?,
                    columns: row.try_get_unchecked("columns_")?,
                });
            }
        }
        differences.sort_by(|one, other| one.movie_id.cmp(&other.movie_id));
        Ok(differences)
    }
}

struct Difference {
    table: &'static str,
    movie_id: String,
    key: String,
    columns: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, movie_id, key, columns } = self;
        if key == movie_id {
            write!(f, "{table}, movie {movie_id}: {columns}")
        } else {
            write!(f, "{table}, movie {movie_id}, row {key}: {columns}")
        }
    }
}

/// Whether the live row's state can't be read, or means the same.
async fn is_older_state(view: &mut MySqlConnection, movie_id: &str) -> Result<bool, RebuildError> {
    let row = sqlx::query(
        "SELECT l.state AS live, r.state AS rebuilt FROM catalog_movies l
         JOIN catalog_movies_rebuild r ON r.movie_id = l.movie_id WHERE l.movie_id = ?",
    )
    .bind(movie_id)
    .fetch_one(view)
    .await?;
    let Json(live): Json<Box<RawValue>> = row.try_get("live")?;
    let Json(rebuilt): Json<Box<RawValue>> = row.try_get("rebuilt")?;
    let state = |json: &RawValue| serde_json::from_str::<Movie>(json.get()).unwrap_or_default();
    Ok(match state(&live) {
        Movie::Absent => true,
        live => live == state(&rebuilt),
    })
}
