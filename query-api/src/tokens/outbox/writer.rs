//! Writing to the outbox: all records that wait, in one statement. A commit for each would not keep up
//! with the viewers, and would take the connections that the catalog is followed with.

use std::{io, sync::Arc, time::Duration};

use sqlx::MySqlPool;
use thiserror::Error;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::rows::{self, Entry};

/// Of records that wait to be written; more are refused.
const QUEUE: usize = 4_096;
const MAX_ROWS: usize = 256;
/// For a connection, and again for the statement: a viewer waits for both.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Why a record is not, or perhaps not, in the outbox. Repeating it is safe.
#[derive(Debug, Clone, Error)]
pub enum OutboxError {
    #[error("too many records wait for MySQL")]
    QueueFull,
    #[error("MySQL did not take the record")]
    Mysql(#[source] Arc<sqlx::Error>),
    #[error("the service is ending")]
    Stopped,
}

struct Waiting {
    entry: Entry,
    written: oneshot::Sender<Result<(), OutboxError>>,
}

#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<Waiting>);

impl Writer {
    pub(super) fn start(pool: MySqlPool, written: Arc<Notify>, stop: CancellationToken) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(stop.run_until_cancelled_owned(write(pool, receiver, written)));
        Self(sender)
    }

    pub(super) async fn put(&self, entry: Entry) -> Result<(), OutboxError> {
        let (written, answer) = oneshot::channel();
        self.0.try_send(Waiting { entry, written }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => OutboxError::QueueFull,
            mpsc::error::TrySendError::Closed(_) => OutboxError::Stopped,
        })?;
        answer.await.unwrap_or(Err(OutboxError::Stopped))
    }
}

async fn write(pool: MySqlPool, mut receiver: mpsc::Receiver<Waiting>, written: Arc<Notify>) {
    let mut batch = Vec::with_capacity(MAX_ROWS);
    while receiver.recv_many(&mut batch, MAX_ROWS).await > 0 {
        let outcome = insert(&pool, &batch).await.map_err(|error| {
            tracing::debug!(%error, "audit records of stream tokens could not be kept");
            OutboxError::Mysql(Arc::new(error))
        });
        if outcome.is_ok() {
            metrics::counter!("marquee_stream_token_outbox_written_total")
                .increment(batch.len() as u64);
            written.notify_one();
        }
        for waiting in batch.drain(..) {
            // Whoever hung up meanwhile has a record too many, which harms nobody.
            let _ = waiting.written.send(outcome.clone());
        }
    }
}

async fn insert(pool: &MySqlPool, batch: &[Waiting]) -> Result<(), sqlx::Error> {
    let late = |_| sqlx::Error::Io(io::ErrorKind::TimedOut.into());
    let mut connection = timeout(TIMEOUT, pool.acquire()).await.map_err(late)??;
    let entries = batch.iter().map(|waiting| &waiting.entry);
    match timeout(TIMEOUT, rows::insert(&mut connection, entries)).await {
        Ok(outcome) => outcome,
        Err(elapsed) => {
            // Its answer may still come, and would be taken for that of the next statement.
            drop(connection.detach());
            Err(late(elapsed))
        }
    }
}
