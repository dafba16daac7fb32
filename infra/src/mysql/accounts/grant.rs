//! A privilege on something, and how sets of them are written in SQL.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    pub object: Object,
    /// As in SQL: `SELECT`, `LOCK TABLES`, ...
    pub privilege: String,
    /// The one column that it is for; none: all of them.
    pub column: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// Whatever the server has.
    Server,
    /// Databases whose names match: this one does.
    Databases(String),
    /// A table of this database, by its name. It need not be there.
    Table(String),
    /// Something that is none of ours.
    Elsewhere(String),
}

/// What lets its holder hand on what it has.
pub(super) const GRANT_OPTION: &str = "GRANT OPTION";

impl Grant {
    pub(super) fn new(object: Object, privilege: &str) -> Self {
        Self { object, privilege: privilege.to_owned(), column: None }
    }

    /// Whether who has `self` may do what `other` is for.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let column = self.column.is_none() || self.column == other.column;
        let object = match &self.object {
            Object::Server => true,
            Object::Databases(_) => !matches!(other.object, Object::Server | Object::Elsewhere(_)),
            object => *object == other.object,
        };
        self.privilege == other.privilege && column && object
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, privilege, column } = self;
        match column {
            Some(column) => write!(f, "{privilege} ({column}) ON {object}"),
            None => write!(f, "{privilege} ON {object}"),
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("*.*"),
            Self::Databases(pattern) => write!(f, "{pattern}.*"),
            Self::Table(name) => f.write_str(name),
            Self::Elsewhere(what) => f.write_str(what),
        }
    }
}

/// `GRANT ... ON ... TO ...`, a statement for each object.
pub(super) fn grant(grants: &BTreeSet<Grant>, database: &str, user: &str) -> Vec<(Object, String)> {
    per_object(grants, |privileges, object| {
        format!("GRANT {privileges} ON {} TO {user}", spelled(object, database))
    })
}

/// `REVOKE ... ON ... FROM ...`, a statement for each object.
pub(super) fn revoke(
    grants: &BTreeSet<Grant>,
    database: &str,
    user: &str,
) -> Vec<(Object, String)> {
    per_object(grants, |privileges, object| {
        format!("REVOKE {privileges} ON {} FROM {user}", spelled(object, database))
    })
}

fn per_object(
    grants: &BTreeSet<Grant>,
    statement: impl Fn(&str, &Object) -> String,
) -> Vec<(Object, String)> {
    let mut objects = BTreeMap::<&Object, BTreeMap<&str, Vec<&str>>>::new();
    for Grant { object, privilege, column } in grants {
        let columns = objects.entry(object).or_default().entry(privilege).or_default();
        columns.extend(column.as_deref());
    }
    let statements = objects.into_iter().map(|(object, privileges)| {
        let privileges: Vec<String> = privileges
            .into_iter()
            .map(|(privilege, columns)| {
                if columns.is_empty() {
                    return privilege.to_owned();
                }
                let columns: Vec<String> = columns.into_iter().map(identifier).collect();
                format!("{privilege} ({})", columns.join(", "))
            })
            .collect();
        (object.clone(), statement(&privileges.join(", "), object))
    });
    statements.collect()
}

fn spelled(object: &Object, database: &str) -> String {
    match object {
        Object::Server => "*.*".to_owned(),
        Object::Databases(pattern) => format!("{}.*", identifier(pattern)),
        Object::Table(name) => format!("{}.{}", identifier(database), identifier(name)),
        Object::Elsewhere(what) => what.clone(),
    }
}

fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Where a privilege is for a database, its name is a pattern.
pub(super) fn pattern_of(database: &str) -> String {
    database.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(object: Object, privilege: &str, column: Option<&str>) -> Grant {
        Grant { column: column.map(str::to_owned), ..Grant::new(object, privilege) }
    }

    #[test]
    fn what_is_wider_covers_what_is_narrower() {
        let table = || Object::Table("events".to_owned());
        let column = on(table(), "UPDATE", Some("position"));
        let whole = on(table(), "UPDATE", None);
        assert!(whole.covers(&column) && !column.covers(&whole));
        assert!(on(Object::Databases("marquee%".to_owned()), "UPDATE", None).covers(&column));
        assert!(on(Object::Server, "UPDATE", None).covers(&whole));
        assert!(!on(Object::Server, "INSERT", None).covers(&whole));
        assert!(!on(Object::Elsewhere("events".to_owned()), "UPDATE", None).covers(&whole));
    }

    #[test]
    fn statements_name_each_object_once() {
        let table = || Object::Table("a`b".to_owned());
        let grants = BTreeSet::from([
            on(table(), "SELECT", None),
            on(table(), "UPDATE", Some("x")),
            on(table(), "UPDATE", Some("y")),
            on(Object::Databases(pattern_of("my_db")), "LOCK TABLES", None),
        ]);
        let statements: Vec<String> =
            grant(&grants, "my_db", "'u'@'%'").into_iter().map(|one| one.1).collect();
        assert_eq!(
            statements,
            [
                r"GRANT LOCK TABLES ON `my\_db`.* TO 'u'@'%'",
                "GRANT SELECT, UPDATE (`x`, `y`) ON `my_db`.`a``b` TO 'u'@'%'",
            ]
        );
    }
}
