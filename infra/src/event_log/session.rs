//! The appender's own connection to MySQL, set up so that a transaction needs no BEGIN.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection, Executor, MySqlConnection, mysql::MySqlConnectOptions};
use tokio::time::timeout;

use super::sql;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// For all statements of a transaction together, and for COMMIT again: longer than they ever take,
/// shorter than a caller's patience.
pub(super) const STATEMENTS_TIMEOUT: Duration = Duration::from_secs(10);

/// With autocommit off, the first statement opens a transaction: one round trip less than BEGIN.
///
/// `wait_timeout` bounds how long a process that was paused in the middle of a transaction, or cut
/// off from the network, keeps the head row locked; `innodb_lock_wait_timeout` how long the others
/// wait for it in one attempt.
const SET_UP: &str = "SET SESSION autocommit = 0, SESSION wait_timeout = 15, \
     SESSION innodb_lock_wait_timeout = 3";

/// How often an idle session shows that it lives. Well below `wait_timeout`.
pub(super) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Session {
    connection: MySqlConnection,
}

impl Session {
    pub(super) async fn open(options: &MySqlConnectOptions) -> Result<Self, sqlx::Error> {
        in_time(CONNECT_TIMEOUT, async {
            let options = options.clone().statement_cache_capacity(sql::PREPARED_STATEMENTS);
            let mut connection = options.connect().await?;
            connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
            connection.execute(SET_UP).await?;
            Ok(Self { connection })
        })
        .await
    }

    pub(super) const fn connection(&mut self) -> &mut MySqlConnection {
        &mut self.connection
    }

    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        in_time(STATEMENTS_TIMEOUT, self.connection.execute("COMMIT")).await.map(drop)
    }

    pub(super) async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        in_time(STATEMENTS_TIMEOUT, self.connection.execute("ROLLBACK")).await.map(drop)
    }

    pub(super) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        in_time(STATEMENTS_TIMEOUT, self.connection.ping()).await
    }
}

/// A server that does not answer is as good as lost.
pub(super) async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}
