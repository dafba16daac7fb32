//! One migration at a time, whoever starts it; and what a release says of older and newer tables.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use marquee_infra::mysql::{self, Schema, accounts};
use sqlx::{Executor, Row, mysql::MySqlRow};

use super::stand::{Stand, until};

#[tokio::test]
async fn every_table_has_its_grants() {
    let stand = Stand::new().await;
    mysql::migrate(&stand.pool).await.expect("migrations apply");
    let rows = sqlx::query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
    )
    .fetch_all(&stand.pool)
    .await
    .unwrap();
    let there: BTreeSet<String> =
        rows.iter().map(|row| row.try_get_unchecked(0).expect("a name")).collect();
    let listed: BTreeSet<String> = accounts::tables().into_iter().map(str::to_owned).collect();
    assert_eq!(listed, there, "migrations/grants.toml has a section for every table, and no other");
}

#[tokio::test]
async fn eight_at_once_migrate_one_after_the_other() {
    let stand = Stand::new().await;
    let accounts = stand.accounts("one");
    // A pool each, as processes have.
    let all = (0..8).map(|_| async {
        let pool = mysql::connect_lazy(&stand.url(), 1).unwrap();
        accounts::migrate_and_provision(&pool, &stand.url(), &accounts, false).await
    });
    let migrated = try_join_all(all).await.expect("all of them end well");
    for account in 0..4 {
        let granted: Vec<usize> = migrated
            .iter()
            .map(|one| one.users[account].granted)
            .filter(|count| *count > 0)
            .collect();
        assert_eq!(granted.len(), 1, "one of them found something to do");
    }
    assert!(migrated.iter().all(|one| one.schema == Schema::Current));
}

#[tokio::test]
async fn without_the_lock_nothing_is_migrated() {
    let stand = Stand::new().await;
    let mut other = stand.pool.acquire().await.unwrap();
    let lock = "SELECT GET_LOCK(CONCAT('marquee.migrate.', LEFT(SHA2(DATABASE(), 256), 32)), 0)";
    let taken: i64 = sqlx::query_scalar(lock).fetch_one(&mut *other).await.unwrap();
    assert_eq!(taken, 1);

    let pool = stand.pool.clone();
    let migration = tokio::spawn(async move { mysql::migrate(&pool).await });
    let waiting = async || {
        let processes = sqlx::raw_sql("SHOW PROCESSLIST").fetch_all(&stand.pool).await.unwrap();
        let text = |process: &MySqlRow, column| {
            process.try_get_unchecked::<Option<String>, _>(column).unwrap()
        };
        processes.iter().any(|process| {
            text(process, "db").as_ref() == Some(&stand.name)
                && text(process, "State").as_deref() == Some("User lock")
        })
    };
    until("the migration waits", waiting).await;
    let tables: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()",
    )
    .fetch_one(&stand.pool)
    .await
    .unwrap();
    assert_eq!(tables, 0);

    other.execute("DO RELEASE_ALL_LOCKS()").await.unwrap();
    migration.await.unwrap().expect("its turn has come");
    let schema = Schema::of(&mut other).await.unwrap();
    assert_eq!(schema, Schema::Current);
}

#[tokio::test]
async fn an_older_schema_is_told_from_a_newer_one() {
    let stand = Stand::new().await;
    let schema = async || {
        let mut connection = stand.pool.acquire().await.unwrap();
        Schema::of(&mut connection).await.unwrap()
    };
    assert!(matches!(schema().await, Schema::Lacks(all) if all.first() == Some(&1)));
    mysql::migrate(&stand.pool).await.unwrap();
    assert_eq!(schema().await, Schema::Current);

    stand
        .run(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (999999, 'of a later release', TRUE, 'x', 1)",
        )
        .await;
    assert_eq!(schema().await, Schema::Newer);
    // An older release's command changes nothing, and fails nobody's start.
    let migrated = stand.migrate(&stand.accounts("one")).await.expect("it bears it");
    assert_eq!(migrated.schema, Schema::Newer);
    assert!(migrated.users.is_empty(), "the later release knows better who needs what");

    stand.run("UPDATE _sqlx_migrations SET success = FALSE WHERE version = 2").await;
    assert_eq!(schema().await, Schema::Broken(2));
    let error = mysql::migrate(&stand.pool).await.expect_err("somebody has to look");
    assert!(error.to_string().contains("migration 2"), "{error}");
}
