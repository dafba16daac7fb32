//! All SQL is known to the server, with the tables as the migrations made them.

use query_api::{catalog, history};
use sqlx::{Executor, Row};

use crate::bed::Bed;

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_can_be_prepared() {
    let bed = Bed::new().await;
    let mut connection = bed.pool.acquire().await.unwrap();
    for statement in catalog::STATEMENTS.iter().chain(&history::STATEMENTS) {
        connection.prepare(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn following_and_looking_back_read_by_index() {
    let bed = Bed::new().await;
    let following = catalog::STATEMENTS.iter().filter(|statement| {
        ["kafka_partition = ?", "parked_events"].iter().any(|part| statement.contains(part))
    });
    for statement in following.chain(&history::STATEMENTS) {
        let plan: Vec<sqlx::mysql::MySqlRow> = {
            let mut query =
                sqlx::query(Box::leak(format!("EXPLAIN FORMAT=TREE {statement}").into_boxed_str()));
            // Of the columns' types: an index of text is of no use for a number.
            for (before, _) in statement.match_indices('?') {
                query = if statement[..before].ends_with("_id = ")
                    || statement[..before].ends_with("slug = ")
                    || statement[..before].ends_with("topic = ")
                {
                    query.bind("x")
                } else {
                    query.bind(1_u32)
                };
            }
            query.fetch_all(&bed.pool).await.unwrap()
        };
        for row in plan {
            let step: Vec<u8> = row.get_unchecked(0);
            let step = String::from_utf8(step).unwrap();
            assert!(!step.contains("Table scan"), "{statement}: {step}");
        }
    }
}
