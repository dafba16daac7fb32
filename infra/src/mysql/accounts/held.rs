//! What a user has, asked of MySQL as that user: nobody needs to read MySQL's own tables for it.

use std::collections::BTreeSet;

use sqlx::{MySqlConnection, Row};

use super::grant::{GRANT_OPTION, Grant, Object};

/// Column by column: on what, a database, a table, a column, which privilege, whether it may be handed
/// on. The last one tells whether a database's pattern is one of this database.
const HELD: &str = "
    SELECT 'server' AS scope, '' AS db, '' AS tab, '' AS col, privilege_type AS privilege,
        is_grantable AS grantable, 0 AS here
    FROM information_schema.user_privileges WHERE grantee = ?
    UNION ALL
    SELECT 'database', table_schema, '', '', privilege_type, is_grantable, ? LIKE table_schema
    FROM information_schema.schema_privileges WHERE grantee = ?
    UNION ALL
    SELECT 'table', table_schema, table_name, '', privilege_type, is_grantable, ? = table_schema
    FROM information_schema.table_privileges WHERE grantee = ?
    UNION ALL
    SELECT 'column', table_schema, table_name, column_name, privilege_type, is_grantable,
        ? = table_schema
    FROM information_schema.column_privileges WHERE grantee = ?";

/// Not a privilege, but MySQL's word for none.
const USAGE: &str = "USAGE";

/// Of the connection's own user, seen from the database. What it has by way of roles is not seen.
pub async fn held(
    connection: &mut MySqlConnection,
    database: &str,
) -> Result<BTreeSet<Grant>, sqlx::Error> {
    let me: String = sqlx::query("SELECT CURRENT_USER()")
        .fetch_one(&mut *connection)
        .await?
        .try_get_unchecked(0)?;
    let (name, host) = me.rsplit_once('@').unwrap_or((&me, "%"));
    let grantee = format!("'{name}'@'{host}'");
    let mut query = sqlx::query(HELD).bind(&grantee);
    for _ in 0..3 {
        query = query.bind(database).bind(&grantee);
    }
    let mut held = BTreeSet::new();
    for row in query.fetch_all(connection).await? {
        // MySQL and MariaDB call these texts, or bytes.
        let text = |name: &str| row.try_get_unchecked::<String, _>(name);
        let (schema, table) = (text("db")?, text("tab")?);
        let here: i64 = row.try_get_unchecked("here")?;
        let object = match (text("scope")?.as_str(), here) {
            ("server", _) => Object::Server,
            ("database", 1) => Object::Databases(schema),
            ("database", _) => Object::Elsewhere(format!("{schema}.*")),
            (_, 1) => Object::Table(table),
            _ => Object::Elsewhere(format!("{schema}.{table}")),
        };
        if text("grantable")? == "YES" {
            held.insert(Grant::new(object.clone(), GRANT_OPTION));
        }
        let (privilege, column) = (text("privilege")?, text("col")?);
        if privilege != USAGE {
            let column = Some(column).filter(|column| !column.is_empty());
            held.insert(Grant { object, privilege, column });
        }
    }
    Ok(held)
}

/// What is missing of `wanted`.
pub fn missing(wanted: &BTreeSet<Grant>, held: &BTreeSet<Grant>) -> BTreeSet<Grant> {
    let covered = |grant: &Grant| held.iter().any(|other| other.covers(grant));
    wanted.iter().filter(|grant| !covered(grant)).cloned().collect()
}

/// What nothing of `wanted` asks for.
pub fn excess(wanted: &BTreeSet<Grant>, held: &BTreeSet<Grant>) -> BTreeSet<Grant> {
    held.difference(wanted).cloned().collect()
}
