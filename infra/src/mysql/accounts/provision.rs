//! Making the users, and making their rights what `grants.toml` says: no less, no more.
//!
//! What is there already is left alone, so that running services notice nothing, and a second run
//! changes nothing. What a user has is asked of MySQL as that user, which also shows that it can log in.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    ConnectOptions, Connection, Executor, MySqlConnection, MySqlPool, mysql::MySqlConnectOptions,
};
use url::Url;

use super::{
    Account, AccountsError, AccountsSettings,
    grant::{self, Grant, Object, pattern_of},
    held, rights,
    settings::User,
};
use crate::mysql::{
    error_number,
    migrations::{MigrationLock, Schema},
};

/// Neither that user, nor that password.
const ACCESS_DENIED: u16 = 1045;
const NO_SUCH_TABLE: u16 = 1146;
/// MySQL lets a privilege be granted on a table that is not there only along with this one.
const CREATE: &str = "CREATE";
/// A privilege that is taken from a table is taken from its columns too: those are granted once more.
const ROUNDS: usize = 3;

/// What was done about one user.
#[derive(Debug)]
pub struct Provisioned {
    pub account: Account,
    pub name: String,
    pub outcome: Outcome,
    pub granted: usize,
    pub revoked: Vec<Grant>,
    /// More than it needs, outside of this database: not for this command to take away.
    pub beyond: Vec<Grant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Made,
    /// Its password is another now.
    Changed,
    AsItWas,
}

#[derive(Debug)]
pub struct Migrated {
    pub schema: Schema,
    pub users: Vec<Provisioned>,
}

/// Brings the tables up to date, then the users. `url` is that of the pool.
pub async fn migrate_and_provision(
    pool: &MySqlPool,
    url: &SecretString,
    settings: &AccountsSettings,
    discard_old_passwords: bool,
) -> Result<Migrated, AccountsError> {
    let url: Url = url.expose_secret().parse().map_err(|_| AccountsError::Url)?;
    let users = settings.users(url.username())?;
    let mut lock = MigrationLock::take(pool).await?;
    lock.migrate().await?;
    let schema = Schema::of(lock.connection()).await?;
    let mut provisioned = Vec::new();
    // A later release knows better who needs what.
    if schema == Schema::Current {
        let mut owner = Owner::new(lock.connection(), &url).await?;
        for user in &users {
            provisioned.push(owner.provision(user).await?);
            if discard_old_passwords {
                owner.discard_old_password(user).await?;
            }
        }
    }
    lock.release().await?;
    Ok(Migrated { schema, users: provisioned })
}

/// The user that migrates, at work on the others.
struct Owner<'a> {
    connection: &'a mut MySqlConnection,
    url: &'a Url,
    database: String,
    /// MySQL can have two passwords for one user, MariaDB can't.
    has_dual_passwords: bool,
}

impl<'a> Owner<'a> {
    async fn new(connection: &'a mut MySqlConnection, url: &'a Url) -> Result<Self, AccountsError> {
        let database: Option<String> =
            sqlx::query_scalar("SELECT DATABASE()").fetch_one(&mut *connection).await?;
        let version: String =
            sqlx::query_scalar("SELECT VERSION()").fetch_one(&mut *connection).await?;
        let database = database.ok_or(AccountsError::Url)?;
        Ok(Self { connection, url, database, has_dual_passwords: !version.contains("MariaDB") })
    }

    async fn provision(&mut self, user: &User) -> Result<Provisioned, AccountsError> {
        let (mut own, outcome) = self.log_in(user).await?;
        let wanted = rights(user.account, &self.database);
        let (mut granted, mut revoked) = (0, BTreeSet::new());
        let mut beyond = BTreeSet::new();
        for _ in 0..ROUNDS {
            let held = held::held(&mut own, &self.database).await?;
            // Also where something wider covers it: that goes.
            let missing: BTreeSet<Grant> = wanted.difference(&held).cloned().collect();
            let excess: BTreeSet<Grant>;
            (excess, beyond) = held::excess(&wanted, &held)
                .into_iter()
                .partition(|grant| self.is_ours(&grant.object));
            if missing.is_empty() && excess.is_empty() {
                break;
            }
            self.grant(user, &missing).await?;
            self.revoke(user, &excess).await?;
            granted += missing.len();
            revoked.extend(excess);
        }
        // Closed in order, or else by the server.
        let _ = own.close().await;
        Ok(Provisioned {
            account: user.account,
            name: user.name.clone(),
            outcome,
            granted,
            revoked: revoked.into_iter().collect(),
            beyond: beyond.into_iter().collect(),
        })
    }

    /// As the user, who is made or given its password if that is needed.
    async fn log_in(&mut self, user: &User) -> Result<(MySqlConnection, Outcome), AccountsError> {
        if let Some(connection) = self.try_log_in(user).await? {
            return Ok((connection, Outcome::AsItWas));
        }
        let (name, password) = (user.quoted(), user.password.expose_secret());
        self.run(&format!("CREATE USER IF NOT EXISTS {name} IDENTIFIED BY '{password}'")).await?;
        if let Some(connection) = self.try_log_in(user).await? {
            return Ok((connection, Outcome::Made));
        }
        // Services that still have the old one go on until they are started anew.
        let retain = if self.has_dual_passwords { " RETAIN CURRENT PASSWORD" } else { "" };
        self.run(&format!("ALTER USER {name} IDENTIFIED BY '{password}'{retain}")).await?;
        let connection = self.options(user)?.connect().await;
        let connection = connection.map_err(|error| AccountsError::LogIn(user.account, error))?;
        Ok((connection, Outcome::Changed))
    }

    async fn try_log_in(&self, user: &User) -> Result<Option<MySqlConnection>, AccountsError> {
        match self.options(user)?.connect().await {
            Ok(connection) => Ok(Some(connection)),
            Err(error) if error_number(&error) == Some(ACCESS_DENIED) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// To no database: a user without rights may use none.
    fn options(&self, user: &User) -> Result<MySqlConnectOptions, AccountsError> {
        let mut url = self.url.clone();
        url.set_path("");
        let set = url
            .set_username(&user.name)
            .and_then(|()| url.set_password(Some(user.password.expose_secret())));
        set.map_err(|()| AccountsError::Url)?;
        MySqlConnectOptions::from_url(&url).map_err(|_| AccountsError::Url)
    }

    async fn grant(&mut self, user: &User, grants: &BTreeSet<Grant>) -> Result<(), AccountsError> {
        let name = user.quoted();
        for (object, statement) in grant::grant(grants, &self.database, &name) {
            match self.connection.execute(statement.as_str()).await {
                Ok(_) => {}
                Err(error) if error_number(&error) == Some(NO_SUCH_TABLE) => {
                    let create = BTreeSet::from([Grant::new(object.clone(), CREATE)]);
                    let of_object = grants.iter().filter(|grant| grant.object == object).cloned();
                    let both: BTreeSet<Grant> = of_object.chain(create.clone()).collect();
                    for (_, statement) in grant::grant(&both, &self.database, &name) {
                        self.run(&statement).await?;
                    }
                    self.revoke(user, &create).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn revoke(&mut self, user: &User, grants: &BTreeSet<Grant>) -> Result<(), AccountsError> {
        for (_, statement) in grant::revoke(grants, &self.database, &user.quoted()) {
            self.run(&statement).await?;
        }
        Ok(())
    }

    async fn discard_old_password(&mut self, user: &User) -> Result<(), AccountsError> {
        if self.has_dual_passwords {
            self.run(&format!("ALTER USER {} DISCARD OLD PASSWORD", user.quoted())).await?;
        }
        Ok(())
    }

    /// Whether it is of this database alone.
    fn is_ours(&self, object: &Object) -> bool {
        match object {
            Object::Table(_) => true,
            Object::Databases(pattern) => {
                *pattern == self.database || *pattern == pattern_of(&self.database)
            }
            Object::Server | Object::Elsewhere(_) => false,
        }
    }

    /// Not as a prepared statement: MySQL knows these only as text.
    async fn run(&mut self, statement: &str) -> Result<(), AccountsError> {
        self.connection.execute(statement).await?;
        Ok(())
    }
}
