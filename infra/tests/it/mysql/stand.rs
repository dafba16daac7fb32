//! An empty database with users of its own, all gone with the value.

use std::time::{Duration, Instant};

use marquee_infra::{
    clock,
    mysql::{
        self,
        accounts::{Account, AccountsError, AccountsSettings, Migrated, migrate_and_provision},
    },
};
use secrecy::SecretString;
use sqlx::{Connection, Executor, MySqlConnection, MySqlPool};
use url::Url;

const DEADLINE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

pub struct Stand {
    pub name: String,
    pub pool: MySqlPool,
    server: Url,
}

#[expect(clippy::disallowed_methods, reason = "a look at the environment")]
fn server_url() -> Url {
    let url = std::env::var("DATABASE_URL")
        .expect("DATABASE_URL is set: infra/local/stack env --profile test");
    url.parse().expect("DATABASE_URL is a URL")
}

impl Stand {
    pub async fn new() -> Self {
        let name = format!("marquee_t_{}", hex::encode(clock::random_bytes::<6>()));
        let server = server_url();
        let mut owner = MySqlConnection::connect(server.as_str()).await.expect("MySQL is up");
        owner.execute(format!("CREATE DATABASE {name}").as_str()).await.expect("it may be made");
        let mut stand =
            Self { pool: MySqlPool::connect_lazy(server.as_str()).unwrap(), name, server };
        stand.pool = mysql::connect_lazy(&stand.url(), 4).expect("a pool");
        stand
    }

    /// Of the owner.
    pub fn url(&self) -> SecretString {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url.as_str().into()
    }

    /// Names have 32 characters at most.
    pub fn user(&self, account: Account) -> String {
        format!("{}_{account}", self.name.trim_start_matches("marquee_"))
    }

    /// All users, with this at the end of their passwords.
    pub fn accounts(&self, ending: &str) -> AccountsSettings {
        let user = |account| format!("{}:{account}-password-{ending}", self.user(account)).into();
        AccountsSettings {
            command_api: user(Account::CommandApi),
            query_api: user(Account::QueryApi),
            projector: user(Account::Projector),
            rebuild: user(Account::Rebuild),
            ..AccountsSettings::default()
        }
    }

    pub async fn migrate(&self, accounts: &AccountsSettings) -> Result<Migrated, AccountsError> {
        migrate_and_provision(&self.pool, &self.url(), accounts, false).await
    }

    pub async fn migrate_and_discard(&self, accounts: &AccountsSettings) {
        migrate_and_provision(&self.pool, &self.url(), accounts, true).await.expect("it is done");
    }

    pub async fn log_in(
        &self,
        account: Account,
        ending: &str,
    ) -> Result<MySqlConnection, sqlx::Error> {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url.set_username(&self.user(account)).unwrap();
        url.set_password(Some(&format!("{account}-password-{ending}"))).unwrap();
        MySqlConnection::connect(url.as_str()).await
    }

    pub async fn run(&self, sql: &str) {
        self.pool.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub async fn is_mariadb(&self) -> bool {
        let version: String =
            sqlx::query_scalar("SELECT VERSION()").fetch_one(&self.pool).await.expect("it is up");
        version.contains("MariaDB")
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let server = self.server.clone();
        let users = Account::ALL.map(|account| format!("'{}'@'%'", self.user(account)));
        let database = format!("DROP DATABASE IF EXISTS {}", self.name);
        let users = format!("DROP USER IF EXISTS {}", users.join(", "));
        // Drop is not async, and the test's own runtime may be on its way out.
        let dropping = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
                let mut owner = MySqlConnection::connect(server.as_str()).await?;
                owner.execute(database.as_str()).await?;
                owner.execute(users.as_str()).await.map(drop)
            })
        });
        if !matches!(dropping.join(), Ok(Ok(()))) {
            eprintln!("database {} or its users were left behind", self.name);
        }
    }
}

/// Waits for a condition; panics at the deadline.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
