//! How what is there differs from what has to be there. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cell, Row, Table, Tables};

#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    MissingRow {
        table: &'static str,
        key: Vec<String>,
    },
    SurplusRow {
        table: &'static str,
        key: Vec<String>,
    },
    /// `None`: there is no such column.
    Column {
        table: &'static str,
        key: Vec<String>,
        column: String,
        expected: Option<Cell>,
        found: Option<Cell>,
    },
}

/// All of them, in the order of tables, keys and columns.
pub fn differences(expected: &Tables, found: &Tables) -> Vec<Difference> {
    let none = Table::new();
    keys(&expected.0, &found.0)
        .into_iter()
        .flat_map(|table| {
            let expected = expected.0.get(table).unwrap_or(&none);
            of_table(table, expected, found.0.get(table).unwrap_or(&none))
        })
        .collect()
}

fn of_table(table: &'static str, expected: &Table, found: &Table) -> Vec<Difference> {
    let row = |key: &Vec<String>| {
        let key = key.clone();
        match (expected.get(&key), found.get(&key)) {
            (Some(expected), Some(found)) => of_row(table, &key, expected, found),
            (Some(_), None) => vec![Difference::MissingRow { table, key }],
            (None, _) => vec![Difference::SurplusRow { table, key }],
        }
    };
    keys(expected, found).into_iter().flat_map(row).collect()
}

fn of_row(table: &'static str, key: &[String], expected: &Row, found: &Row) -> Vec<Difference> {
    keys(expected, found)
        .into_iter()
        .filter(|column| expected.get(*column) != found.get(*column))
        .map(|column| Difference::Column {
            table,
            key: key.to_vec(),
            column: column.clone(),
            expected: expected.get(column).cloned(),
            found: found.get(column).cloned(),
        })
        .collect()
}

fn keys<'a, K: Ord, V>(one: &'a BTreeMap<K, V>, other: &'a BTreeMap<K, V>) -> BTreeSet<&'a K> {
    one.keys().chain(other.keys()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: &str = "films";

    fn tables() -> Tables {
        let row = |title: &str| {
            Row::from([
                ("title".to_owned(), Cell::text(title)),
                ("tag".to_owned(), Cell::Null),
                ("facts".to_owned(), Cell::Json(json!({ "a": 1, "b": [2.0] }))),
            ])
        };
        let table = Table::from([(key("1"), row("Alpha")), (key("2"), row("Beta"))]);
        Tables(BTreeMap::from([(TABLE, table)]))
    }

    fn key(id: &str) -> Vec<String> {
        vec![id.to_owned()]
    }

    /// What is found after `plant` was done to the tables.
    fn found(plant: impl FnOnce(&mut Table)) -> Vec<Difference> {
        let mut tables = tables();
        plant(tables.0.get_mut(TABLE).expect("it is there"));
        differences(&self::tables(), &tables)
    }

    #[test]
    fn what_is_the_same_does_not_differ() {
        assert_eq!(found(|_| {}), []);
    }

    #[test]
    fn a_missing_a_surplus_and_an_exchanged_row_are_named() {
        let (table, missing) = (TABLE, Difference::MissingRow { table: TABLE, key: key("1") });
        let surplus = Difference::SurplusRow { table, key: key("3") };
        assert_eq!(found(|rows| drop(rows.remove(&key("1")))), std::slice::from_ref(&missing));
        let copy = |rows: &mut Table| rows.insert(key("3"), rows[&key("2")].clone());
        assert_eq!(found(|rows| drop(copy(rows))), std::slice::from_ref(&surplus));
        let moved = found(|rows| {
            let row = rows.remove(&key("1")).expect("it is there");
            rows.insert(key("3"), row);
        });
        assert_eq!(moved, [missing, surplus]);
    }

    #[test]
    fn every_change_of_a_cell_is_named_with_both_values() {
        for (column, planted) in [
            ("title", Some(Cell::text("alpha"))),
            ("title", Some(Cell::text("Alpha "))),
            ("title", Some(Cell::Null)),
            ("title", None),
            ("tag", Some(Cell::text(""))),
            ("facts", Some(Cell::Json(json!({ "a": 1, "b": [2] })))),
            ("facts", Some(Cell::Json(json!({ "a": 1, "b": [2.0], "c": null })))),
            ("facts", Some(Cell::text(r#"{"a":1,"b":[2.0]}"#))),
            ("unheard_of", Some(Cell::text("1"))),
        ] {
            let differences = found(|rows| {
                let row = rows.get_mut(&key("1")).expect("it is there");
                match planted.clone() {
                    Some(cell) => drop(row.insert(column.to_owned(), cell)),
                    None => drop(row.remove(column)),
                }
            });
            let expected = Difference::Column {
                table: TABLE,
                key: key("1"),
                column: column.to_owned(),
                expected: tables().0[TABLE][&key("1")].get(column).cloned(),
                found: planted,
            };
            assert_eq!(differences, [expected]);
        }
    }

    #[test]
    fn a_table_that_is_not_there_misses_all_of_its_rows() {
        assert_eq!(differences(&tables(), &Tables::default()).len(), 2);
        assert_eq!(differences(&Tables::default(), &tables()).len(), 2);
    }
}
