//! What became of a transaction whose COMMIT was not answered.

use std::time::Duration;

use sqlx::mysql::MySqlConnectOptions;
use tokio::time::{sleep, timeout};

use super::{
    prepared::{APPEND_ID, Prepared},
    session::{STATEMENTS_TIMEOUT, Session, in_time},
    settle::Settled,
    sql,
};

/// How long a command's answer may wait for the truth.
const DEADLINE: Duration = Duration::from_secs(10);
const PAUSE_BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    /// It never will be: it is safe to write the same again.
    NotCommitted,
    Unknown,
}

/// Looks over new connections until MySQL has told, or the deadline has passed.
pub(super) async fn resolve(
    options: &MySqlConnectOptions,
    batch: &[Prepared],
    settled: &Settled,
) -> Fate {
    let attempts = async {
        loop {
            match look(options, batch, settled).await {
                Ok(true) => return Fate::Committed,
                Ok(false) => return Fate::NotCommitted,
                Err(error) => {
                    tracing::debug!(%error, "the outcome of an append is not known yet");
                    sleep(PAUSE_BETWEEN_ATTEMPTS).await;
                }
            }
        }
    };
    timeout(DEADLINE, attempts).await.unwrap_or(Fate::Unknown)
}

/// The lost transaction held the head lock from its first statement on. Whoever gets that lock
/// afterwards knows that it has ended, so what is seen now is what there will ever be.
async fn look(
    options: &MySqlConnectOptions,
    batch: &[Prepared],
    settled: &Settled,
) -> Result<bool, sqlx::Error> {
    let mut session = Session::open(options).await?;
    let connection = session.connection();
    let committed = in_time(STATEMENTS_TIMEOUT, async {
        sql::lock_head(connection).await?;
        if let Some((index, position)) = settled.accepted.first() {
            let ours = batch[*index].append_id.to_string();
            let found = sql::metadata_at(connection, *position).await?;
            return Ok(found.is_some_and(|metadata| metadata.get(APPEND_ID) == Some(&ours)));
        }
        // Only receipts were to be written. Who else might have written this one did the same.
        let Some((index, response)) = settled.receipts.first() else { return Ok(true) };
        let Some(receipt) = &batch[*index].receipt else { return Ok(true) };
        let found = sql::find_receipt(&mut *connection, receipt.caller, &receipt.key).await?;
        Ok(found.is_some_and(|found| {
            found.request_sha256 == receipt.request_sha256 && found.response == *response
        }))
    })
    .await?;
    session.rollback().await?;
    Ok(committed)
}
