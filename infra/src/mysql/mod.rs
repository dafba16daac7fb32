//! Connections to MySQL, its tables' migrations, and the users that may use them.

pub mod accounts;
mod migrations;
mod schema;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    MySqlPool,
    mysql::{MySqlConnectOptions, MySqlPoolOptions},
};

pub use self::{
    migrations::{MigrationError, Schema, migrate},
    schema::schema_check,
};

/// How long a caller waits for a free connection before it is told that MySQL is away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// A pool that connects when it is first used, so that a service starts while MySQL is down.
pub fn connect_lazy(url: &SecretString, max_connections: u32) -> Result<MySqlPool, sqlx::Error> {
    let options: MySqlConnectOptions = url.expose_secret().parse()?;
    Ok(MySqlPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // sqlx sets the time zone and the character set itself.
                sqlx::query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
                    .execute(connection)
                    .await
                    .map(|_| ())
            })
        })
        .connect_lazy_with(options))
}

/// Whether MySQL, and not the statement, is what failed.
pub fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        error => error_number(error).is_some_and(|number| SERVER_AWAY.contains(&number)),
    }
}

/// Whether another transaction, or a change of the tables, was in the way: the same again.
pub fn gave_way(error: &sqlx::Error) -> bool {
    error_number(error).is_some_and(|number| GAVE_WAY.contains(&number))
}

/// Whether the user may not do what the statement asks for.
pub fn is_denied(error: &sqlx::Error) -> bool {
    error_number(error).is_some_and(|number| DENIED.contains(&number))
}

/// MySQL's own number of the error, if it is one of MySQL's.
pub fn error_number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?;
    Some(error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?.number())
}

/// To a database, a table, a column; to what needs a right of the whole server.
const DENIED: [u16; 4] = [1044, 1142, 1143, 1227];

/// Lock wait timeout, deadlock, table definition changed.
const GAVE_WAY: [u16; 3] = [1205, 1213, 1412];

/// Too many connections, shutdown in progress, query interrupted, killed connections and time-outs,
/// read-only server (a replica that was not promoted yet), client not seen for too long.
const SERVER_AWAY: [u16; 9] = [1040, 1053, 1077, 1152, 1158, 1159, 1290, 1927, 4031];
