//! Why the services' users can't be made what they have to be.

use thiserror::Error;

use super::Account;
use crate::mysql::{MigrationError, error_number};

/// Access denied: to an object, for an operation, to a database, for a grant.
const DENIED: [u16; 6] = [1044, 1142, 1143, 1227, 1410, 1370];

#[derive(Debug, Error)]
pub enum AccountsError {
    #[error(transparent)]
    Migration(#[from] MigrationError),
    #[error("mysql_users: {}", .0.join("; "))]
    Settings(Vec<String>),
    #[error("mysql.url is no URL of a MySQL database")]
    Url,
    #[error(
        "the MySQL user of mysql.url may not make users or grant privileges; it needs CREATE USER, \
         and ALL on the database WITH GRANT OPTION"
    )]
    NotAllowed(#[source] sqlx::Error),
    #[error("the MySQL user of {0} can't log in with the password that it was just given")]
    LogIn(Account, #[source] sqlx::Error),
    #[error("MySQL failed while the users were made")]
    Mysql(#[source] sqlx::Error),
}

impl From<sqlx::Error> for AccountsError {
    fn from(error: sqlx::Error) -> Self {
        match error_number(&error) {
            Some(number) if DENIED.contains(&number) => Self::NotAllowed(error),
            _ => Self::Mysql(error),
        }
    }
}
