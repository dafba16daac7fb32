//! `[mysql_users]`: the users that `projector migrate` makes. Nobody else needs to know them all.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{Account, AccountsError};

/// MySQL's limit.
const MAX_NAME_CHARS: usize = 32;
const MIN_PASSWORD_CHARS: usize = 16;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountsSettings {
    /// Where they may come from.
    pub host: String,
    /// `name:password`; empty: not to be made.
    pub command_api: SecretString,
    pub query_api: SecretString,
    pub projector: SecretString,
    pub rebuild: SecretString,
}

impl Default for AccountsSettings {
    /// None at all.
    fn default() -> Self {
        let none = SecretString::default;
        Self {
            host: "%".to_owned(),
            command_api: none(),
            query_api: none(),
            projector: none(),
            rebuild: none(),
        }
    }
}

/// A user to be made.
#[derive(Debug)]
pub(super) struct User {
    pub(super) account: Account,
    pub(super) name: String,
    pub(super) password: SecretString,
    host: String,
}

impl User {
    /// `'name'@'host'`; the settings were checked for what would have to be escaped.
    pub(super) fn quoted(&self) -> String {
        format!("'{}'@'{}'", self.name, self.host)
    }
}

impl AccountsSettings {
    fn of(&self, account: Account) -> &str {
        match account {
            Account::CommandApi => &self.command_api,
            Account::QueryApi => &self.query_api,
            Account::Projector => &self.projector,
            Account::Rebuild => &self.rebuild,
        }
        .expose_secret()
    }

    /// Those that are to be made. Names all that is wrong at once, and no password.
    pub(super) fn users(&self, migrator: &str) -> Result<Vec<User>, AccountsError> {
        let mut wrong = Vec::new();
        let mut names = BTreeSet::from([migrator]);
        let mut users = Vec::new();
        if self.host.is_empty() || !self.host.chars().all(is_of_host) {
            wrong.push("host must be a host name, an address or a pattern such as %".to_owned());
        }
        for account in Account::ALL {
            let text = self.of(account);
            if text.is_empty() {
                continue;
            }
            let Some((name, password)) = text.split_once(':') else {
                wrong.push(format!("{account} must be name:password"));
                continue;
            };
            if !(1..=MAX_NAME_CHARS).contains(&name.len()) || !name.chars().all(is_of_name) {
                wrong.push(format!(
                    "{account}: a name has 1 to {MAX_NAME_CHARS} letters, digits, _ or -"
                ));
            } else if !names.insert(name) {
                wrong.push(format!(
                    "{account}: {name} is another user's name, and rights are not to be shared"
                ));
            }
            if password.len() < MIN_PASSWORD_CHARS || !password.chars().all(is_of_password) {
                wrong.push(format!(
                    "{account}: a password has at least {MIN_PASSWORD_CHARS} characters, of ASCII \
                     without spaces, quotes and \\"
                ));
            }
            users.push(User {
                account,
                name: name.to_owned(),
                password: password.into(),
                host: self.host.clone(),
            });
        }
        if wrong.is_empty() { Ok(users) } else { Err(AccountsError::Settings(wrong)) }
    }
}

const fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

const fn is_of_host(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | ':' | '%' | '_' | '-' | '/')
}

const fn is_of_password(character: char) -> bool {
    character.is_ascii_graphic() && !matches!(character, '\'' | '"' | '\\' | '`')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(command_api: &str, query_api: &str) -> AccountsSettings {
        AccountsSettings {
            command_api: command_api.into(),
            query_api: query_api.into(),
            ..AccountsSettings::default()
        }
    }

    #[test]
    fn a_user_that_is_not_named_is_not_made() {
        let users = settings("marquee_command_api:0123456789abcdef", "").users("marquee").unwrap();
        assert_eq!(users.len(), 1);
        assert_eq!(users[0].quoted(), "'marquee_command_api'@'%'");
        assert_eq!(users[0].password.expose_secret(), "0123456789abcdef");
    }

    #[test]
    fn all_that_is_wrong_is_named_at_once_and_no_password() {
        let mut wrong = settings("marquee:short", "a'b:0123456789abc'ef");
        wrong.host = "'".to_owned();
        wrong.projector = "nothing".into();
        let error = wrong.users("marquee").unwrap_err().to_string();
        for part in ["host must", "marquee is another", "query_api: a name", "projector must be"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert_eq!(error.matches("a password has").count(), 2, "{error}");
        assert!(!error.contains("short") && !error.contains("0123"), "{error}");
    }

    #[test]
    fn no_two_share_a_user() {
        let error = settings("same:0123456789abcdef", "same:0123456789abcdef")
            .users("marquee")
            .unwrap_err();
        assert!(error.to_string().contains("query_api: same is another"), "{error}");
    }
}
