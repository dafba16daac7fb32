//! Bringing the database's tables up to date, and telling whether they are.
//!
//! Services never do it by themselves: `projector migrate` does, as a user of its own.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use sqlx::{
    Connection, MySqlConnection, MySqlPool,
    migrate::{MigrateError, Migrator},
};
use thiserror::Error;
use tokio::time::Instant;

use super::error_number;

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("../migrations");
    // sqlx's own lock waits for ever, which MariaDB does not know, and takes it for granted that it got it.
    migrations.set_locking(false);
    // An older release's command finds a newer one's tables, and leaves them alone.
    migrations.set_ignore_missing(true);
    migrations
});

/// One question to MySQL waits so long for the lock.
const ONE_WAIT: Duration = Duration::from_secs(5);
/// A large table's change may take its time.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

const NO_SUCH_TABLE: u16 = 1146;

#[derive(Debug, Error)]
pub enum MigrationError {
    #[error("another migration has been running for {} s", LONGEST_WAIT.as_secs())]
    Busy,
    #[error("the lock on migrations could not be taken")]
    Lock(#[source] sqlx::Error),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Mysql(#[from] sqlx::Error),
}

/// Applies what is missing. When several start it at once, one does the work and the others wait.
pub async fn migrate(pool: &MySqlPool) -> Result<(), MigrationError> {
    let mut lock = MigrationLock::take(pool).await?;
    lock.migrate().await?;
    lock.release().await
}

/// The only process that changes this database's tables and users, while it lives.
#[derive(Debug)]
pub(super) struct MigrationLock {
    /// Never given back to the pool: whatever happens, it ends with its lock.
    connection: MySqlConnection,
}

impl MigrationLock {
    pub(super) async fn take(pool: &MySqlPool) -> Result<Self, MigrationError> {
        let mut connection = pool.acquire().await?.detach();
        let deadline = Instant::now() + LONGEST_WAIT;
        // Named locks are the server's, not the database's; a name has at most 64 characters.
        let sql = "SELECT GET_LOCK(CONCAT('marquee.migrate.', LEFT(SHA2(DATABASE(), 256), 32)), ?)";
        loop {
            // 0 at the end of the wait, NULL for what the server does not call an error.
            let taken: Option<i64> = sqlx::query_scalar(sql)
                .bind(ONE_WAIT.as_secs())
                .fetch_one(&mut connection)
                .await
                .map_err(MigrationError::Lock)?;
            if taken == Some(1) {
                return Ok(Self { connection });
            }
            if Instant::now() > deadline {
                return Err(MigrationError::Busy);
            }
        }
    }

    pub(super) async fn migrate(&mut self) -> Result<(), MigrationError> {
        Ok(MIGRATIONS.run_direct(&mut self.connection).await?)
    }

    pub(super) const fn connection(&mut self) -> &mut MySqlConnection {
        &mut self.connection
    }

    pub(super) async fn release(self) -> Result<(), MigrationError> {
        Ok(self.connection.close().await?)
    }
}

/// The database's migrations, as this release sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    Current,
    /// A later release has been here. It leaves what this one needs.
    Newer,
    /// What has to be applied first.
    Lacks(Vec<i64>),
    /// The statements of this migration were broken off somewhere.
    Broken(i64),
}

impl Schema {
    pub async fn of(connection: &mut MySqlConnection) -> Result<Self, sqlx::Error> {
        let found: Result<Vec<(i64, bool)>, _> =
            sqlx::query_as("SELECT version, success FROM _sqlx_migrations")
                .fetch_all(connection)
                .await;
        let applied = match found {
            Err(error) if error_number(&error) == Some(NO_SUCH_TABLE) => BTreeMap::new(),
            found => found?.into_iter().collect(),
        };
        Ok(Self::judge(&applied))
    }

    fn judge(applied: &BTreeMap<i64, bool>) -> Self {
        let known: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        if let Some((version, _)) =
            applied.iter().find(|(version, success)| !**success && known.contains(version))
        {
            return Self::Broken(*version);
        }
        let lacks: Vec<i64> =
            known.iter().copied().filter(|version| !applied.contains_key(version)).collect();
        if !lacks.is_empty() {
            Self::Lacks(lacks)
        } else if applied.len() > known.len() {
            Self::Newer
        } else {
            Self::Current
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_judged_by_the_migrations_that_this_release_needs() {
        let current: BTreeMap<i64, bool> =
            MIGRATIONS.iter().map(|migration| (migration.version, true)).collect();
        assert_eq!(Schema::judge(&current), Schema::Current);
        let (newest, _) = current.last_key_value().unwrap();

        let mut newer = current.clone();
        newer.insert(newest + 1, true);
        assert_eq!(Schema::judge(&newer), Schema::Newer);
        // Somebody else's, while it is being applied.
        newer.insert(newest + 1, false);
        assert_eq!(Schema::judge(&newer), Schema::Newer);

        let mut older = current.clone();
        older.remove(&3);
        older.insert(newest + 1, true);
        assert_eq!(Schema::judge(&older), Schema::Lacks(vec![3]));
        older.insert(2, false);
        assert_eq!(Schema::judge(&older), Schema::Broken(2));
        assert!(
            matches!(Schema::judge(&BTreeMap::new()), Schema::Lacks(all) if all.len() == current.len())
        );
    }
}
