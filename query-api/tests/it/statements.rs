//! All SQL is known to the server, with the tables as the migrations made them, and reads by index alone.

use std::{collections::BTreeSet, fs, path::Path};

use chrono::{DateTime, TimeDelta, Utc};
use marquee_infra::clock;
use query_api::{
    catalog, history, sessions,
    tokens::{notices, outbox},
};
use sqlx::{Executor, MySqlPool, Row, mysql::MySqlRow};

use crate::bed::Bed;

/// As large as a real catalog: in small tables MySQL does not care for indexes.
const MOVIES: u32 = 20_000;
const PARTITIONS: u32 = 6;
const TOPIC: &str = "movies";

fn statements() -> Vec<String> {
    let history = history::STATEMENTS.map(str::to_owned);
    let sessions = sessions::STATEMENTS.map(str::to_owned);
    let notices = notices::STATEMENTS.map(str::to_owned);
    catalog::statements().into_iter().chain(history).chain(sessions).chain(notices).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_can_be_prepared() {
    let bed = Bed::new().await;
    let mut connection = bed.pool.acquire().await.unwrap();
    let outbox = outbox::STATEMENTS.map(str::to_owned);
    for statement in statements().iter().chain(&outbox) {
        connection.prepare(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_scans_a_table_or_an_index_from_end_to_end() {
    let bed = Bed::new().await;
    fill(&bed.pool).await;
    for statement in &statements() {
        for step in explain(&bed.pool, statement).await {
            assert!(step.reads_by_index(), "{statement}: {step:?}");
        }
    }
    // The test would notice.
    for scan in
        ["SELECT title FROM catalog_movies WHERE synopsis = ?", "SELECT slug FROM catalog_movies"]
    {
        let steps = explain(&bed.pool, scan).await;
        assert!(steps.iter().any(|step| !step.reads_by_index()), "{scan}: {steps:?}");
    }
}

/// Statements are constants of the files called `rows.rs`, and each of them is in a list there. Only the tokens' outbox
/// writes, and is emptied from its beginning: it holds what waits for Kafka, and is empty nearly always.
#[test]
fn no_statement_escapes_the_tests() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&sources, &mut files);
    let mut constants = BTreeSet::new();
    for (name, text) in &files {
        for (at, _) in text.match_indices("sqlx::query").chain(text.match_indices("raw_sql(")) {
            let call = text[at..].split_once('(').map_or("", |(_, call)| call.trim_start());
            let sets_the_session = call.starts_with("\"SET ");
            let of_a_constant = name.ends_with("rows.rs") && !call.starts_with('"');
            assert!(sets_the_session || of_a_constant, "{name}: {}", &text[at..at + 60]);
        }
        let builds = text.contains("QueryBuilder");
        assert!(!builds || name.ends_with("tokens/outbox/rows.rs"), "{name} builds statements");
        for definition in text.split("\nconst ").skip(1) {
            let definition = definition.split(";\n").next().unwrap_or_default();
            let selects = ["\"SELECT ", "select!(", "page!("];
            if let Some((constant, _)) = definition.split_once(": &str")
                && selects.iter().any(|select| definition.contains(select))
            {
                let listed = list_in(text).is_some_and(|list| list.contains(constant));
                assert!(listed, "{name}: {constant} is in no list of statements");
                constants.insert(constant.to_owned());
            }
        }
    }
    assert!(constants.len() >= 15, "{constants:?}");
}

/// Where a file lists its statements.
fn list_in(text: &str) -> Option<&str> {
    // The first `;` is within the array's type.
    let constant = text.split_once("pub const STATEMENTS").map(|(_, list)| list);
    let constant = constant.and_then(|list| list.split(';').nth(1));
    let function =
        text.split_once("pub fn statements").and_then(|(_, list)| list.split_once("\n}"));
    constant.or(function.map(|(list, _)| list))
}

fn collect(folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("sources are there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push((path.display().to_string(), fs::read_to_string(&path).expect("text")));
        }
    }
}

/// A row of MySQL's EXPLAIN.
#[derive(Debug)]
struct Step {
    table: Option<String>,
    access: Option<String>,
    key: Option<String>,
    extra: Option<String>,
}

impl Step {
    fn of(row: &MySqlRow) -> Self {
        // By number: sqlx does not always know the names of EXPLAIN's columns.
        let text = |column: usize| row.get_unchecked::<Option<String>, _>(column);
        Self { table: text(2), access: text(4), key: text(6), extra: text(11) }
    }

    fn reads_by_index(&self) -> bool {
        const BY_INDEX: [&str; 4] = ["const", "eq_ref", "ref", "range"];
        let no_table = self.table.is_none() && self.extra.as_deref() == Some("No tables used");
        let by_index = self.access.as_deref().is_some_and(|access| BY_INDEX.contains(&access));
        no_table || (by_index && self.key.is_some())
    }
}

/// With values that rows have, of the columns' types: an index of text is of no use for a number.
async fn explain(pool: &MySqlPool, statement: &str) -> Vec<Step> {
    let explain = format!("EXPLAIN FORMAT=TRADITIONAL {statement}");
    let mut query = sqlx::query(&explain);
    let mut from = 10_000;
    for (at, _) in statement.match_indices('?') {
        let before = statement[..at].trim_end();
        query = if before.ends_with("movie_id =") || before.ends_with("movie_id >") {
            query.bind(movie_id(from))
        } else if before.ends_with("movie_id <=") {
            from += 1_000;
            query.bind(movie_id(from))
        } else if before.ends_with("slug =") {
            query.bind("slug-10000")
        } else if before.ends_with("topic =") {
            query.bind(TOPIC)
        } else if before.ends_with("position <=") {
            query.bind(10_100)
        } else if before.ends_with("position >") {
            query.bind(10_000)
        } else if before.ends_with("kafka_partition =") {
            query.bind(3)
        } else if before.ends_with("synopsis =") {
            query.bind("A synopsis.")
        } else if before.ends_with("version >") {
            query.bind(0)
        } else if before.ends_with("session_id =") || before.ends_with("session_id <") {
            query.bind(movie_id(from))
        } else if before.ends_with("token_id =") {
            query.bind("token 10000")
        } else if before.ends_with("has_errors =") {
            query.bind(true)
        } else if before.ends_with("started_at >=") {
            query.bind(hours_ago(200))
        } else if before.ends_with("started_at <=") || before.ends_with("started_at <") {
            query.bind(hours_ago(100))
        } else {
            assert!(before.ends_with("LIMIT"), "a value for the end of {before}");
            query.bind(1_000)
        };
    }
    let steps = query.fetch_all(pool).await.unwrap_or_else(|error| panic!("{explain}: {error}"));
    steps.iter().map(Step::of).collect()
}

fn hours_ago(hours: i64) -> DateTime<Utc> {
    clock::now() - TimeDelta::hours(hours)
}

fn movie_id(number: u32) -> String {
    format!("{number:08}-0000-7000-8000-000000000000")
}

async fn fill(pool: &MySqlPool) {
    let mut connection = pool.acquire().await.unwrap();
    let depth = format!("SET SESSION cte_max_recursion_depth = {}", MOVIES + 1);
    connection.execute(depth.as_str()).await.expect("it can be set");
    let id = "CONCAT(LPAD(n, 8, '0'), '-0000-7000-8000-000000000000')";
    let numbers = |up_to: u32| {
        format!(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {up_to})"
        )
    };
    let all = numbers(MOVIES);
    let some = numbers(500);
    let partitions = numbers(PARTITIONS);
    let now = "UTC_TIMESTAMP(6)";
    let inserts = [
        format!(
            "INSERT INTO catalog_movies (movie_id, title, slug, synopsis, genres, duration_minutes,
                 availability_start, availability_end, visibility, poster_url, created_at,
                 created_by, updated_at, updated_by, removed, version, position, kafka_partition,
                 state)
             {all} SELECT {id}, CONCAT('Movie ', n), CONCAT('slug-', n), 'A synopsis.', '[]', 90,
                 {now}, {now}, 'VISIBLE', 'https://img.example/p.jpg', {now}, 'u', {now}, 'u',
                 FALSE, 1, n, n % {PARTITIONS}, '{{}}' FROM numbers"
        ),
        format!(
            "INSERT INTO catalog_stream_sources (stream_source_id, movie_id, ordinal, stream_url,
                 quality_tag, drm_required, is_primary, last_validated_at, validation_status, facts)
             {all} SELECT CONCAT('s', n), {id}, 0, 'v1.x', NULL, FALSE, TRUE, {now}, 'VALID', '{{}}'
             FROM numbers"
        ),
        format!(
            "INSERT INTO catalog_caption_tracks (caption_track_id, movie_id, ordinal, language_code,
                 caption_url, format, is_default, last_validated_at, validation_status, facts)
             {all} SELECT CONCAT('c', n), {id}, 0, 'en', 'https://img.example/c.vtt', 'WEBVTT', TRUE,
                 {now}, 'VALID', '{{}}' FROM numbers"
        ),
        format!(
            "INSERT INTO movie_history (movie_id, version, position, event_type, command, actor,
                 request_id, recorded_at, payload)
             {all} SELECT {id}, 1, n, 'MovieCreated', 'CreateMovie', 'u', 'r', {now}, '{{}}'
             FROM numbers"
        ),
        format!(
            "INSERT INTO viewing_sessions (session_id, movie_id, device_type, started_at, token_id,
                 completion_percent, watched_seconds, player_errors, has_errors, kafka_partition, fold)
             {all} SELECT {id}, CONCAT(LPAD(n DIV 100, 8, '0'), '-0000-7000-8000-000000000000'), 'TV',
                 {now} - INTERVAL n MINUTE, CONCAT('token ', n), 0, 0, '[]', n % 10 = 0,
                 n % {PARTITIONS}, '{{}}' FROM numbers"
        ),
        format!(
            "INSERT INTO stream_token_audit (token_id, movie_id, event_type, viewer_context, dialect,
                 key_id, token_sha256, signed_url, issued_at, expires_at, stateless)
             {all} SELECT CONCAT('token ', n), {id}, 'StreamTokenIssued', '', '', '', '', '', {now},
                 {now}, FALSE FROM numbers"
        ),
        format!(
            "INSERT INTO parked_events (projection, topic, kafka_partition, kafka_offset, movie_id,
                 record_key, headers, payload, error, parked_at)
             {some} SELECT 'catalog', '{TOPIC}', n % {PARTITIONS}, n, CONCAT('movie ', n DIV 5), NULL,
                 '[]', NULL, 'e', {now} FROM numbers"
        ),
        format!(
            "INSERT INTO projection_checkpoints (projection, topic, kafka_partition, next_offset,
                 position, updated_at)
             {partitions} SELECT 'catalog', '{TOPIC}', n - 1, 1, 1, {now} FROM numbers
             UNION ALL SELECT 'token-audit', 'stream-tokens', n - 1, 1, 0, {now} FROM numbers"
        ),
    ];
    for insert in &inserts {
        let done = connection.execute(insert.as_str()).await;
        done.unwrap_or_else(|error| panic!("{insert}: {error}"));
    }
    connection
        .execute(
            "ANALYZE TABLE catalog_movies, catalog_stream_sources, catalog_caption_tracks,
                 movie_history, viewing_sessions, stream_token_audit, parked_events,
                 projection_checkpoints",
        )
        .await
        .expect("tables are analysed");
}
