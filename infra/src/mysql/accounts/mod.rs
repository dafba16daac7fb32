//! MySQL's users: one for each service, with no more than it needs.
//!
//! `migrations/grants.toml` says who may do what. `projector migrate` makes the users and sees to it
//! that they have that and nothing else; a service that starts only looks at what its own user has.

mod error;
mod grant;
mod held;
mod own;
mod provision;
mod settings;
mod wanted;

use std::{fmt, str::FromStr};

use serde::Deserialize;

pub use self::{
    error::AccountsError,
    grant::{Grant, Object},
    own::{lacking, lacking_in_words, report_own},
    provision::{Migrated, Outcome, Provisioned, migrate_and_provision},
    settings::AccountsSettings,
    wanted::{passing_tables, rights, statements, tables},
};

/// Whom a MySQL user is for. The names are those of `grants.toml` and of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    CommandApi,
    QueryApi,
    Projector,
    /// `projector rebuild` and `rollback`: nobody else makes or drops tables.
    Rebuild,
}

impl Account {
    pub const ALL: [Self; 4] = [Self::CommandApi, Self::QueryApi, Self::Projector, Self::Rebuild];

    pub const fn name(self) -> &'static str {
        match self {
            Self::CommandApi => "command_api",
            Self::QueryApi => "query_api",
            Self::Projector => "projector",
            Self::Rebuild => "rebuild",
        }
    }
}

impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|account| account.name() == text);
        found.ok_or_else(|| format!("it is one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
