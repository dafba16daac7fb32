//! What `migrations/grants.toml` says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde::Deserialize;

use super::{
    Account,
    grant::{self, Grant, Object, pattern_of},
};

static FILE: LazyLock<File> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../../migrations/grants.toml"))
        .expect("a test of this module reads the file that is compiled in")
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tables: BTreeMap<String, Privileges>,
    database: Privileges,
    sets: Sets,
}

#[derive(Debug, Deserialize)]
struct Sets {
    tables: Vec<String>,
    endings: Vec<String>,
    #[serde(flatten)]
    privileges: Privileges,
}

/// Of each account, as in a GRANT statement.
type Privileges = BTreeMap<Account, String>;

/// All that the account may do in the database.
pub fn rights(account: Account, database: &str) -> BTreeSet<Grant> {
    let File { tables, database: whole, sets } = &*FILE;
    let mut rights = BTreeSet::new();
    let mut add = |object: Object, privileges: &Privileges| {
        if let Some(text) = privileges.get(&account) {
            rights.extend(parse(&object, text));
        }
    };
    for (table, privileges) in tables {
        add(Object::Table(table.clone()), privileges);
    }
    for table in other_sets(sets) {
        add(Object::Table(table), &sets.privileges);
    }
    add(Object::Databases(pattern_of(database)), whole);
    rights
}

/// The tables that the file has a section for, without those that come and go.
pub fn tables() -> BTreeSet<&'static str> {
    let File { tables, sets, .. } = &*FILE;
    let passing: BTreeSet<String> = other_sets(sets).collect();
    tables.keys().filter(|table| !passing.contains(*table)).map(String::as_str).collect()
}

/// The names of a rebuild's tables.
pub fn passing_tables() -> BTreeSet<String> {
    other_sets(&FILE.sets).collect()
}

/// The same as SQL, for whoever makes the users by hand.
pub fn statements(account: Account, database: &str, user: &str) -> Vec<String> {
    let statements = grant::grant(&rights(account, database), database, user);
    statements.into_iter().map(|(_, statement)| statement).collect()
}

fn other_sets(sets: &Sets) -> impl Iterator<Item = String> {
    sets.endings
        .iter()
        .flat_map(|ending| sets.tables.iter().map(move |table| format!("{table}{ending}")))
}

/// `SELECT, UPDATE (a, b)`
fn parse(object: &Object, text: &str) -> Vec<Grant> {
    let mut grants = Vec::new();
    let mut rest = text;
    while !rest.trim().is_empty() {
        let end = rest.find([',', '(']).unwrap_or(rest.len());
        let grant = Grant::new(object.clone(), rest[..end].trim());
        rest = &rest[end..];
        if let Some(list) = rest.strip_prefix('(') {
            let (columns, behind) = list.split_once(')').unwrap_or((list, ""));
            rest = behind;
            grants.extend(columns.split(',').map(|column| {
                let column = Some(column.trim().to_owned());
                Grant { column, ..grant.clone() }
            }));
        } else {
            grants.push(grant);
        }
        rest = rest.trim_start().trim_start_matches(',');
    }
    grants
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the file may have. Whatever else somebody wants to write there is worth a second look.
    const PRIVILEGES: [&str; 8] =
        ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "LOCK TABLES"];

    #[test]
    fn the_file_can_be_read_and_has_known_privileges_only() {
        for account in Account::ALL {
            let rights = rights(account, "marquee");
            assert!(!rights.is_empty(), "{account} may do nothing");
            for right in rights {
                assert!(PRIVILEGES.contains(&right.privilege.as_str()), "{account}: {right}");
            }
        }
    }

    #[test]
    fn columns_are_told_from_privileges() {
        let object = Object::Table("t".to_owned());
        let parsed = parse(&object, "SELECT, UPDATE (a, b), LOCK TABLES");
        let told: Vec<String> = parsed.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["SELECT ON t", "UPDATE (a) ON t", "UPDATE (b) ON t", "LOCK TABLES ON t"]);
    }

    #[test]
    fn only_the_command_for_rebuilds_may_change_what_tables_there_are() {
        for account in [Account::CommandApi, Account::QueryApi, Account::Projector] {
            for right in rights(account, "marquee") {
                let row = ["SELECT", "INSERT", "UPDATE", "DELETE"];
                assert!(row.contains(&right.privilege.as_str()), "{account}: {right}");
            }
        }
    }

    #[test]
    fn records_are_added_and_never_changed() {
        for table in
            ["events", "stream_token_audit", "stream_token_revocations", "stream_token_denials"]
        {
            for account in Account::ALL {
                for right in rights(account, "marquee") {
                    let of_rows = matches!(right.privilege.as_str(), "SELECT" | "INSERT");
                    let elsewhere = right.object != Object::Table(table.to_owned());
                    assert!(of_rows || elsewhere, "{account}: {right}");
                }
            }
        }
    }
}
