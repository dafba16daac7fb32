//! The comparison finds what it has to find: a change of any column of any table, by its name; a row too
//! few, a row too many, two rows exchanged.

use marquee_domain::{
    ViewingSessionId,
    viewing_session::{Anonymized, TimedOut, ViewingSessionEvent as Event},
};
use marquee_infra::clock;
use marquee_tests::fold::{self, Difference, PRIMARY_KEYS, Tables};
use sqlx::{Connection, MySqlConnection};

use super::{end_of, expected};
use crate::{
    audit,
    bed::Bed,
    samples::Log,
    viewing_sessions::evening::{self, evening},
};

/// Changes a value as little as can be.
fn changed(column: &str, data_type: &str) -> String {
    match data_type {
        "int" | "bigint" | "tinyint" => format!("`{column}` + 1"),
        "datetime" => format!("COALESCE(`{column}`, '2026-01-01') + INTERVAL 1 MICROSECOND"),
        // MariaDB calls its JSON longtext.
        "json" | "longtext" => format!("JSON_ARRAY(`{column}`)"),
        _ => format!(
            "IF(COALESCE(`{column}`, '') LIKE '0%', '1', '0')
             || SUBSTRING(COALESCE(`{column}`, ''), 2)"
        ),
    }
}

struct Planter {
    connection: MySqlConnection,
    expected: Tables,
}

impl Planter {
    /// What differs after this statement, which is then taken back.
    async fn plant(&mut self, statement: &str) -> Vec<Difference> {
        let mut tx = self.connection.begin().await.unwrap();
        let planted = sqlx::query(statement).execute(&mut *tx).await;
        let planted = planted.unwrap_or_else(|error| panic!("{statement}: {error}"));
        assert!(planted.rows_affected() > 0, "{statement}");
        let found = fold::read(&mut tx).await;
        tx.rollback().await.unwrap();
        fold::differences(&self.expected, &found)
    }

    async fn columns(&mut self, table: &str) -> Vec<(String, String)> {
        sqlx::query_as(
            "SELECT CAST(column_name AS CHAR), CAST(data_type AS CHAR)
             FROM information_schema.columns
             WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position",
        )
        .bind(table)
        .fetch_all(&mut self.connection)
        .await
        .unwrap()
    }
}

async fn planter(bed: &Bed) -> Planter {
    let mut log = Log::new();
    log.live_a_life("Vertigo");
    log.live_a_life("Rope");
    bed.log(&log.events).await;
    let running = bed.start();
    let records = log.events.iter().map(crate::bed::Recorded::record).collect();
    let end = end_of(&bed.publish(&bed.topics.movies, records).await);
    let tokens = audit::one_of_each();
    let records = tokens.iter().map(audit::record).collect();
    let token_end = end_of(&bed.publish(&bed.topics.stream_tokens, records).await);
    fold::wait_for_checkpoints(&bed.pool, &bed.topics.movies, &end).await;
    fold::wait_for_checkpoints(&bed.pool, &bed.topics.stream_tokens, &token_end).await;
    let sessions = sessions();
    let records = sessions.iter().map(evening::record).collect();
    let session_end = end_of(&bed.publish(&bed.topics.viewing_sessions, records).await);
    fold::wait_for_checkpoints(&bed.pool, &bed.topics.viewing_sessions, &session_end).await;
    running.stop().await;
    let mut connection = bed.pool.acquire().await.unwrap().detach();
    sqlx::query("SET SESSION sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')")
        .execute(&mut connection)
        .await
        .unwrap();
    let sessions: Vec<String> =
        sessions.iter().map(|event| serde_json::to_string(event).expect("it is JSON")).collect();
    let expected = expected(bed, &tokens.map(|token| token.to_string()), &sessions).await;
    Planter { connection, expected }
}

/// Of a session that was ended, of one that fell silent, and of one whose viewer is not to be known.
fn sessions() -> Vec<Event> {
    let mut events = evening(22);
    let silent = clock::new_uuid();
    let last_seen_at = clock::now();
    events.extend([
        evening::started(silent),
        evening::heartbeat(silent, 1, last_seen_at),
        Event::ViewingSessionTimedOut(TimedOut {
            session_id: ViewingSessionId::new(silent),
            last_seen_at,
            timed_out_at: last_seen_at,
        }),
    ]);
    let forgotten = evening::started(clock::new_uuid());
    let anonymized = Anonymized { session_id: forgotten.session_id(), anonymized_at: clock::now() };
    events.extend([forgotten, Event::ViewingSessionAnonymized(anonymized)]);
    events
}

#[tokio::test]
async fn a_change_of_any_column_a_row_too_few_or_too_many_is_found_and_named() {
    let bed = Bed::new().await;
    let mut planter = planter(&bed).await;
    fold::assert_same(&planter.expected, &fold::read(&mut planter.connection).await);

    let mut columns_changed = 0;
    for (table, primary_key) in PRIMARY_KEYS {
        let columns = planter.columns(table).await;
        let order = primary_key.join(", ");
        for (column, data_type) in &columns {
            let value = changed(column, data_type);
            // Of ordinals and versions the last: one further is free.
            let update =
                format!("UPDATE {table} SET `{column}` = {value} ORDER BY {order} DESC LIMIT 1");
            let differences = planter.plant(&update).await;
            if primary_key.contains(&column.as_str()) {
                assert_exchanged(&differences, table, &update);
            } else {
                assert_named(&differences, table, column, &update);
            }
            columns_changed += 1;
        }
        let missing = planter.plant(&format!("DELETE FROM {table} LIMIT 1")).await;
        assert!(
            matches!(&missing[..], [Difference::MissingRow { table: named, .. }] if *named == table),
            "{table}: {missing:?}"
        );
        let surplus = planter.plant(&copy_of_a_row(table, &columns)).await;
        assert!(
            matches!(&surplus[..], [Difference::SurplusRow { table: named, .. }] if *named == table),
            "{table}: {surplus:?}"
        );
    }
    // Nobody has added a table's columns to the fold and forgotten them here.
    assert_eq!(columns_changed, 19 + 3 + 10 + 10 + 9 + 12 + 5 + 5 + 18);
}

#[tokio::test]
async fn a_wrong_order_and_a_movies_rows_at_another_movie_are_found_and_named() {
    let bed = Bed::new().await;
    let mut planter = planter(&bed).await;
    let order = "UPDATE catalog_caption_tracks SET ordinal = 1 - ordinal";
    let differences = planter.plant(order).await;
    assert_eq!(differences.len(), 4, "{differences:?}");
    for difference in &differences {
        assert_named(std::slice::from_ref(difference), "catalog_caption_tracks", "ordinal", order);
    }
    // Genres have no id but their place.
    let order = "UPDATE catalog_genres SET genre = IF(ordinal = 0, 'Ελληνικά', 'Drama')";
    let differences = planter.plant(order).await;
    assert_eq!(differences.len(), 4, "{differences:?}");
    for difference in &differences {
        assert_named(std::slice::from_ref(difference), "catalog_genres", "genre", order);
    }
    let orphan = "INSERT INTO catalog_genres (movie_id, genre, ordinal) VALUES ('nobody', 'x', 0)";
    assert_eq!(
        planter.plant(orphan).await,
        [Difference::SurplusRow {
            table: "catalog_genres",
            key: vec!["nobody".to_owned(), "0".to_owned()],
        }]
    );
    let null =
        "UPDATE catalog_stream_sources SET quality_tag = '' WHERE quality_tag IS NULL LIMIT 1";
    let differences = planter.plant(null).await;
    assert_named(&differences, "catalog_stream_sources", "quality_tag", null);
}

/// The same row with another key.
fn copy_of_a_row(table: &str, columns: &[(String, String)]) -> String {
    let select: Vec<String> = columns
        .iter()
        .map(|(column, data_type)| match column.as_str() {
            "movie_id" | "stream_source_id" | "caption_track_id" | "token_id" | "denial_id"
            | "session_id" | "slug" | "language_code" => changed(column, data_type),
            _ => format!("`{column}`"),
        })
        .collect();
    format!("INSERT INTO {table} SELECT {} FROM {table} LIMIT 1", select.join(", "))
}

#[track_caller]
fn assert_named(differences: &[Difference], table: &str, column: &str, statement: &str) {
    match differences {
        [
            Difference::Column {
                table: named, column: of, expected: Some(_), found: Some(_), ..
            },
        ] if (*named, of.as_str()) == (table, column) => {}
        _ => panic!("{statement}: {differences:?}"),
    }
}

#[track_caller]
fn assert_exchanged(differences: &[Difference], table: &str, statement: &str) {
    match differences {
        [
            Difference::MissingRow { table: missing, .. },
            Difference::SurplusRow { table: surplus, .. },
        ]
        | [
            Difference::SurplusRow { table: surplus, .. },
            Difference::MissingRow { table: missing, .. },
        ] if (*missing, *surplus) == (table, table) => {}
        _ => panic!("{statement}: {differences:?}"),
    }
}
