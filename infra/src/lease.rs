//! Leases: of several processes that could do a task, one does.
//!
//! MySQL's clock alone decides when a lease has expired. A lease keeps processes out of each other's
//! way; it fences nothing that is not in MySQL: a holder that was paused may still act.

use std::time::{Duration, Instant};

use sqlx::MySqlPool;
use tokio::time::{sleep, timeout_at};

/// A row of `leases` that processes compete for.
#[derive(Debug, Clone)]
pub struct Lease {
    pool: MySqlPool,
    task: &'static str,
    /// Unique to a process's run: a restarted process is another holder.
    holder: String,
    term: Duration,
}

/// A lease that is held, as far as its holder knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub epoch: u64,
    /// By this process's clock, and no later than by MySQL's: it counts from before the request.
    pub until: Instant,
}

impl Lease {
    /// `task` is one that a migration has put into the table. `holder` is shown to operators: at
    /// most 100 ASCII characters.
    pub fn new(
        pool: MySqlPool,
        task: &'static str,
        holder: impl Into<String>,
        term: Duration,
    ) -> Self {
        Self { pool, task, holder: holder.into(), term }
    }

    pub const fn term(&self) -> Duration {
        self.term
    }

    /// Takes the lease if nobody holds it.
    pub async fn acquire(&self) -> Result<Option<Held>, sqlx::Error> {
        let until = Instant::now() + self.term;
        let mut transaction = self.pool.begin().await?;
        let taken = sqlx::query(
            "UPDATE leases
             SET holder = ?, epoch = epoch + 1,
                 expires_at = TIMESTAMPADD(MICROSECOND, ?, UTC_TIMESTAMP(6))
             WHERE task = ? AND expires_at < UTC_TIMESTAMP(6)",
        )
        .bind(&self.holder)
        .bind(self.term_micros())
        .bind(self.task)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        if taken == 0 {
            return Ok(None);
        }
        let epoch = sqlx::query_scalar("SELECT epoch FROM leases WHERE task = ?")
            .bind(self.task)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some(Held { epoch, until }))
    }

    /// Holds it for another term. `None`: another process has taken it.
    pub async fn renew(&self, held: Held) -> Result<Option<Held>, sqlx::Error> {
        let until = Instant::now() + self.term;
        let renewed = sqlx::query(
            "UPDATE leases SET expires_at = TIMESTAMPADD(MICROSECOND, ?, UTC_TIMESTAMP(6))
             WHERE task = ? AND holder = ? AND epoch = ?",
        )
        .bind(self.term_micros())
        .bind(self.task)
        .bind(&self.holder)
        .bind(held.epoch)
        .execute(&self.pool)
        .await?
        .rows_affected();
        Ok((renewed == 1).then_some(Held { until, ..held }))
    }

    /// For whoever works in rounds: takes it if nobody holds it, and renews one that is held long before
    /// it expires.
    pub async fn hold(&self, held: Option<Held>) -> Result<Option<Held>, sqlx::Error> {
        let Some(held) = held else { return self.acquire().await };
        if held.until.saturating_duration_since(Instant::now()) > self.term * 2 / 3 {
            return Ok(Some(held));
        }
        self.renew(held).await
    }

    /// Renews it at a third of its term. Returns when it is lost.
    pub async fn keep(&self, mut held: Held) {
        let mut wait = self.term / 3;
        loop {
            sleep(wait).await;
            match timeout_at(held.until.into(), self.renew(held)).await {
                Ok(Ok(Some(renewed))) => {
                    held = renewed;
                    wait = self.term / 3;
                }
                Ok(Err(error)) if Instant::now() < held.until => {
                    tracing::debug!(task = self.task, %error, "a lease could not be renewed yet");
                    wait = self.term / 20;
                }
                Ok(Ok(None) | Err(_)) | Err(_) => {
                    tracing::warn!(task = self.task, epoch = held.epoch, "a lease is lost");
                    return;
                }
            }
        }
    }

    /// Gives it up, so that another process can take it at once. False: it was no longer held.
    pub async fn release(&self, held: Held) -> Result<bool, sqlx::Error> {
        let released = sqlx::query(
            "UPDATE leases SET holder = '', expires_at = '2000-01-01 00:00:00'
             WHERE task = ? AND holder = ? AND epoch = ?",
        )
        .bind(self.task)
        .bind(&self.holder)
        .bind(held.epoch)
        .execute(&self.pool)
        .await?
        .rows_affected();
        Ok(released == 1)
    }

    fn term_micros(&self) -> i64 {
        i64::try_from(self.term.as_micros()).unwrap_or(i64::MAX)
    }
}
