//! A database of a test's own, with users of its own, and what can be read out of one.

use std::str::FromStr;

use marquee_infra::{clock, mysql::accounts::Account};
use sqlx::{
    Connection, Executor, MySqlConnection, MySqlPool, Row,
    mysql::{MySqlConnectOptions, MySqlPoolOptions},
};

use crate::{
    checker::{LogRow, MovieRow},
    servers::servers,
};

/// A database on a test server, dropped by [`Database::drop_now`].
#[derive(Debug, Clone)]
pub struct Database {
    /// Of the server, as `DATABASE_URL` has it.
    server_url: String,
    name: String,
    /// What all of its users' passwords begin with.
    secret: String,
}

impl Database {
    pub async fn create(name: &str) -> Self {
        Self::create_at(&servers().database_url, name).await
    }

    /// On another server.
    pub async fn create_at(server_url: &str, name: &str) -> Self {
        execute(server_url, &format!("CREATE DATABASE {name}")).await;
        let secret = hex::encode(clock::random_bytes::<8>());
        Self { server_url: server_url.to_owned(), name: name.to_owned(), secret }
    }

    /// For the test itself: it may do everything.
    pub fn url(&self) -> String {
        self.located(None).into()
    }

    /// For a service; through `proxy`, when there is one.
    pub fn url_of(&self, account: Account, proxy: Option<&str>) -> String {
        let mut url = self.located(proxy);
        let (name, password) = self.user(account);
        url.set_username(&name).expect("a URL of MySQL has a user");
        url.set_password(Some(&password)).expect("and a password");
        url.into()
    }

    /// The settings that have `projector migrate` make the services' users.
    pub fn users(&self) -> Vec<(&'static str, String)> {
        let user = |account| {
            let variable = match account {
                Account::CommandApi => "MARQUEE_MYSQL_USERS_COMMAND_API",
                Account::QueryApi => "MARQUEE_MYSQL_USERS_QUERY_API",
                Account::Projector => "MARQUEE_MYSQL_USERS_PROJECTOR",
                Account::Rebuild => "MARQUEE_MYSQL_USERS_REBUILD",
            };
            let (name, password) = self.user(account);
            (variable, format!("{name}:{password}"))
        };
        Account::ALL.map(user).to_vec()
    }

    /// As MySQL knows a service; 32 characters at most.
    pub fn user_name(&self, account: Account) -> String {
        format!("{}_{account}", self.name.trim_start_matches("marquee_"))
    }

    /// Name and password.
    fn user(&self, account: Account) -> (String, String) {
        (self.user_name(account), format!("{}-{account}", self.secret))
    }

    fn located(&self, proxy: Option<&str>) -> url::Url {
        let mut url = url::Url::parse(&self.server_url).expect("DATABASE_URL is a URL");
        url.set_path(&self.name);
        if let Some((host, port)) = proxy.and_then(|address| address.rsplit_once(':')) {
            url.set_host(Some(host)).expect("a proxy's host is one");
            url.set_port(port.parse().ok()).expect("MySQL's URL has a port");
            // Through the proxy in the clear, so that it sees what is sent.
            url.set_query(Some("ssl-mode=disabled"));
        }
        url
    }

    /// Connections belong to the runtime that made them, so that every test opens its own.
    pub fn pool(&self) -> MySqlPool {
        let options = MySqlConnectOptions::from_str(&self.url()).expect("a URL of MySQL");
        MySqlPoolOptions::new().max_connections(2).connect_lazy_with(options)
    }

    pub async fn drop_now(&self) {
        execute(&self.server_url, &format!("DROP DATABASE IF EXISTS {}", self.name)).await;
        let users = Account::ALL.map(|account| format!("'{}'@'%'", self.user_name(account)));
        execute(&self.server_url, &format!("DROP USER IF EXISTS {}", users.join(", "))).await;
    }

    /// The whole event log, in position order.
    pub async fn log(&self) -> Vec<LogRow> {
        let rows = sqlx::query(
            "SELECT position, aggregate_id, sequence, event_type, \
             CAST(metadata->>'$.request_id' AS CHAR) AS request_id FROM events ORDER BY position",
        )
        .fetch_all(&self.pool())
        .await
        .expect("the event log can be read");
        rows.iter()
            .map(|row| LogRow {
                position: row.get("position"),
                movie_id: row.get("aggregate_id"),
                sequence: u64::try_from(row.get::<i64, _>("sequence")).expect("never negative"),
                event_type: row.get("event_type"),
                operation: row.get("request_id"),
            })
            .collect()
    }

    pub async fn head(&self) -> u64 {
        self.number("SELECT position FROM event_log_head").await
    }

    /// The catalog's rows.
    pub async fn movies(&self) -> Vec<MovieRow> {
        let rows = sqlx::query("SELECT movie_id, version, position FROM catalog_movies")
            .fetch_all(&self.pool())
            .await
            .expect("the catalog can be read");
        rows.iter()
            .map(|row| MovieRow {
                movie_id: text(row.get("movie_id")),
                version: row.get("version"),
                position: row.get("position"),
            })
            .collect()
    }

    /// The one number that `query` asks for.
    pub async fn number(&self, query: &str) -> u64 {
        let query = format!("SELECT CAST(({query}) AS UNSIGNED)");
        let number = sqlx::query_scalar(&query).fetch_one(&self.pool()).await;
        number.unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// The columns, of all tables, in which `needle` occurs.
    pub async fn columns_with(&self, needle: &str) -> Vec<String> {
        let pool = self.pool();
        let columns = sqlx::query(
            "SELECT table_name AS t, column_name AS c FROM information_schema.columns \
             WHERE table_schema = ? AND data_type IN ('char', 'varchar', 'tinytext', 'text', 'mediumtext', \
             'longtext', 'json', 'binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob')",
        )
        .bind(&self.name)
        .fetch_all(&pool)
        .await
        .expect("the schema can be read");
        assert!(columns.len() > 20, "the schema has more columns than {}", columns.len());
        let mut found = Vec::new();
        for column in &columns {
            let (table, column) = (text(column.get("t")), text(column.get("c")));
            let statement = format!(
                "SELECT COUNT(*) FROM `{table}` WHERE LOCATE(?, CAST(`{column}` AS BINARY)) > 0"
            );
            let hits: i64 = sqlx::query_scalar(&statement)
                .bind(needle.as_bytes())
                .fetch_one(&pool)
                .await
                .unwrap_or_else(|error| panic!("{table}.{column}: {error}"));
            if hits > 0 {
                found.push(format!("{table}.{column}"));
            }
        }
        found
    }
}

async fn execute(server_url: &str, statement: &str) {
    let mut connection = MySqlConnection::connect(server_url)
        .await
        .unwrap_or_else(|error| panic!("the tests' MySQL: {error}"));
    let done = connection.execute(statement).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// sqlx takes columns of a binary collation for bytes.
pub fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text columns hold text")
}
