//! All SQL is known to the server, with the tables as the migrations made them.

use chrono::{DateTime, Utc};
use query_api::{catalog, history, sessions, tokens::outbox};
use sqlx::{Executor, Row};

use crate::bed::Bed;

fn statements() -> Vec<String> {
    let history = history::STATEMENTS.map(str::to_owned);
    let sessions = sessions::STATEMENTS.map(str::to_owned);
    catalog::statements().into_iter().chain(history).chain(sessions).collect()
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
async fn following_and_looking_back_read_by_index() {
    let bed = Bed::new().await;
    for statement in &statements() {
        let plan: Vec<sqlx::mysql::MySqlRow> = {
            let mut query =
                sqlx::query(Box::leak(format!("EXPLAIN FORMAT=TREE {statement}").into_boxed_str()));
            // Of the columns' types: an index of text is of no use for a number.
            for (before, _) in statement.match_indices('?') {
                let texts = ["_id = ", "_id > ", "_id < ", "_id <= ", "slug = ", "topic = "];
                let times = ["_at >= ", "_at <= ", "_at < "];
                query = if texts.iter().any(|text| statement[..before].ends_with(text)) {
                    query.bind("x")
                } else if times.iter().any(|time| statement[..before].ends_with(time)) {
                    query.bind(DateTime::<Utc>::UNIX_EPOCH)
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
