//! The lease that makes one process the relay's leader, and the SQL for it.
//!
//! MySQL's clock alone decides when a lease has expired. The epoch rises with every new holder, so
//! that whatever an old holder still tries to write here affects no row.

use std::time::{Duration, Instant};

use sqlx::MySqlPool;

use super::session::in_time;

/// The one row that processes compete for.
#[derive(Debug, Clone)]
pub struct RelayLease {
    pool: MySqlPool,
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

impl RelayLease {
    /// `holder` is shown to operators: at most 100 ASCII characters.
    pub fn new(pool: MySqlPool, holder: impl Into<String>, term: Duration) -> Self {
        Self { pool, holder: holder.into(), term }
    }

    pub const fn term(&self) -> Duration {
        self.term
    }

    /// Takes the lease if nobody holds it. A MySQL that does not answer is given a term's time: if it
    /// has granted the lease all the same, that expires.
    pub async fn acquire(&self) -> Result<Option<Held>, sqlx::Error> {
        in_time(self.term, self.try_acquire()).await
    }

    async fn try_acquire(&self) -> Result<Option<Held>, sqlx::Error> {
        let until = Instant::now() + self.term;
        let mut transaction = self.pool.begin().await?;
        let taken = sqlx::query(
            "UPDATE relay_lease
             SET holder = ?, epoch = epoch + 1,
                 expires_at = TIMESTAMPADD(MICROSECOND, ?, UTC_TIMESTAMP(6))
             WHERE id = 1 AND expires_at < UTC_TIMESTAMP(6)",
        )
        .bind(&self.holder)
        .bind(self.term_micros())
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        if taken == 0 {
            return Ok(None);
        }
        let epoch = sqlx::query_scalar("SELECT epoch FROM relay_lease WHERE id = 1")
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some(Held { epoch, until }))
    }

    /// Holds it for another term. `None`: another process has taken it.
    pub async fn renew(&self, held: Held) -> Result<Option<Held>, sqlx::Error> {
        let until = Instant::now() + self.term;
        let renewed = sqlx::query(
            "UPDATE relay_lease SET expires_at = TIMESTAMPADD(MICROSECOND, ?, UTC_TIMESTAMP(6))
             WHERE id = 1 AND holder = ? AND epoch = ?",
        )
        .bind(self.term_micros())
        .bind(&self.holder)
        .bind(held.epoch)
        .execute(&self.pool)
        .await?
        .rows_affected();
        Ok((renewed == 1).then_some(Held { until, ..held }))
    }

    /// Gives it up, so that another process can take it at once. False: it was no longer held.
    pub async fn release(&self, held: Held) -> Result<bool, sqlx::Error> {
        let release = sqlx::query(
            "UPDATE relay_lease SET holder = '', expires_at = '2000-01-01 00:00:00'
             WHERE id = 1 AND holder = ? AND epoch = ?",
        )
        .bind(&self.holder)
        .bind(held.epoch)
        .execute(&self.pool);
        Ok(in_time(self.term, release).await?.rows_affected() == 1)
    }

    /// The cursor of at-least-once mode.
    pub async fn position(&self) -> Result<u64, sqlx::Error> {
        sqlx::query_scalar("SELECT position FROM relay_lease WHERE id = 1")
            .fetch_one(&self.pool)
            .await
    }

    /// Moves the cursor of at-least-once mode. False: the lease is another's by now.
    pub async fn advance(&self, held: Held, position: u64) -> Result<bool, sqlx::Error> {
        let moved = sqlx::query(
            "UPDATE relay_lease SET position = GREATEST(position, ?)
             WHERE id = 1 AND holder = ? AND epoch = ?",
        )
        .bind(position)
        .bind(&self.holder)
        .bind(held.epoch)
        .execute(&self.pool)
        .await?
        .rows_affected();
        Ok(moved == 1)
    }

    fn term_micros(&self) -> i64 {
        i64::try_from(self.term.as_micros()).unwrap_or(i64::MAX)
    }
}
