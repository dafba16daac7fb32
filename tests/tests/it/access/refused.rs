//! What MySQL refuses each user. Written down here by hand, and not taken from the list of grants: whoever
//! gives more away there has to say so here too.

use marquee_infra::mysql::{self, accounts::Account};
use marquee_tests::{Marquee, Setup};
use sqlx::{Executor, MySqlPool};

/// Denied: a database, a table, a column, an operation, handing on what one has not.
const DENIED: [u16; 5] = [1044, 1142, 1143, 1227, 1410];

const NOBODY_MAY: [&str; 28] = [
    "UPDATE stream_token_audit SET key_id = 'x'",
    "UPDATE stream_token_audit SET expires_at = NOW() WHERE token_id = 'x'",
    "DELETE FROM stream_token_audit",
    "INSERT INTO stream_token_audit SELECT * FROM stream_token_audit AS again \
     ON DUPLICATE KEY UPDATE key_id = 'x'",
    "REPLACE INTO stream_token_audit SELECT * FROM stream_token_audit AS again",
    "TRUNCATE TABLE stream_token_audit",
    "DROP TABLE stream_token_audit",
    "ALTER TABLE stream_token_audit ADD COLUMN x INT",
    "RENAME TABLE stream_token_audit TO elsewhere",
    "UPDATE stream_token_revocations SET reason = 'x'",
    "DELETE FROM stream_token_revocations",
    "UPDATE stream_token_denials SET reason = 'x'",
    "DELETE FROM stream_token_denials",
    "UPDATE events SET payload = '{}'",
    "DELETE FROM events WHERE position = 1",
    "REPLACE INTO events SELECT * FROM events AS again",
    "TRUNCATE TABLE events",
    "DROP TABLE events",
    "UPDATE event_log_head SET id = 1",
    "DELETE FROM event_log_head",
    "DELETE FROM movie_names",
    "UPDATE movie_data_keys SET kek_id = 'x'",
    "DELETE FROM movie_data_keys",
    "CREATE TABLE x (id INT)",
    "CREATE DATABASE marquee_t_x",
    "CREATE USER marquee_t_x IDENTIFIED BY 'x'",
    "DELETE FROM _sqlx_migrations",
    "SELECT * FROM mysql.user",
];

const COMMAND_API_MAY_NOT: [&str; 7] = [
    "UPDATE movie_names SET slug = 'x'",
    "DELETE FROM command_receipts",
    "SELECT * FROM catalog_movies",
    "SELECT * FROM stream_token_audit",
    "SELECT * FROM parked_events",
    "UPDATE projection_checkpoints SET position = 0",
    "DROP TABLE catalog_movies",
];

const QUERY_API_MAY_NOT: [&str; 11] = [
    "INSERT INTO events SELECT * FROM events AS again",
    "SELECT * FROM event_log_head FOR UPDATE",
    "UPDATE catalog_movies SET visibility = 'VISIBLE'",
    "UPDATE projection_checkpoints SET position = 0",
    "SELECT * FROM command_receipts",
    "SELECT * FROM movie_names",
    "SELECT signed_url FROM stream_token_audit",
    "SELECT * FROM stream_token_denials",
    "SELECT payload FROM parked_events",
    "INSERT INTO movie_data_keys SELECT * FROM movie_data_keys AS again",
    "DROP TABLE catalog_movies",
];

const PROJECTOR_MAY_NOT: [&str; 9] = [
    "INSERT INTO events SELECT * FROM events AS again",
    "UPDATE event_log_head SET position = 0",
    "SELECT * FROM movie_data_keys",
    "SELECT * FROM command_receipts",
    "SELECT * FROM movie_names",
    "SELECT holder FROM relay_lease",
    "DROP TABLE catalog_movies",
    "CREATE TABLE catalog_movies_rebuild LIKE catalog_movies",
    "ALTER TABLE catalog_movies ADD COLUMN x INT",
];

const REBUILD_MAY_NOT: [&str; 8] = [
    "INSERT INTO events SELECT * FROM events AS again",
    "SELECT * FROM movie_data_keys",
    "SELECT * FROM command_receipts",
    "SELECT * FROM stream_token_audit",
    "SELECT payload FROM parked_events",
    "UPDATE projection_checkpoints SET position = 0",
    "UPDATE catalog_movies SET visibility = 'VISIBLE'",
    "DELETE FROM catalog_movies",
];

#[tokio::test]
async fn each_user_is_refused_what_it_has_no_need_of() {
    let marquee = Marquee::prepare(Setup::default()).await;
    let owner = marquee.database.pool();
    let of_each = [
        (Account::CommandApi, &COMMAND_API_MAY_NOT[..]),
        (Account::QueryApi, &QUERY_API_MAY_NOT[..]),
        (Account::Projector, &PROJECTOR_MAY_NOT[..]),
        (Account::Rebuild, &REBUILD_MAY_NOT[..]),
    ];
    for (account, statements) in of_each {
        let url = marquee.database.url_of(account, None);
        let pool = mysql::connect_lazy(&url.into(), 1).expect("a pool");
        for statement in NOBODY_MAY.iter().chain(statements) {
            assert_can_be_asked(&owner, statement).await;
            let refused = pool.execute(*statement).await;
            let number = refused.as_ref().err().and_then(mysql::error_number);
            assert!(
                number.is_some_and(|number| DENIED.contains(&number)),
                "{account}: {statement}: {refused:?}"
            );
        }
        pool.close().await;
    }
}

/// MySQL also denies what does not exist. That rows are read and written shows that the names are right; of
/// other statements, it only checks the grammar.
async fn assert_can_be_asked(owner: &MySqlPool, statement: &str) {
    if statement.contains("mysql.user") {
        return;
    }
    let mut connection = owner.acquire().await.expect("MySQL is up");
    let prepared = connection.prepare(statement).await;
    prepared.unwrap_or_else(|error| panic!("{statement}: {error}"));
}
