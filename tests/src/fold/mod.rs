//! What the read models have to be: a pure fold of the event log and of the topics of stream tokens and viewing
//! sessions, row by row and column by column, and how what is there differs from it.
//!
//! It shares nothing with the projector but the domain's `decode` and `evolve` and the tables' definition. Columns are
//! compared byte for byte; JSON columns by their value, because MySQL keeps no bytes of them (it sorts members and
//! writes numbers its own way). A sealed URL is the event's own text, copied and never sealed anew, so that its bytes
//! are compared like any other's.

mod difference;
mod expected;
mod found;
mod sessions;

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

pub use self::{
    difference::{Difference, differences},
    expected::{LogEvent, catalog, token_audit},
    found::{PRIMARY_KEYS, log, read, topic_end, wait_for_checkpoints},
    sessions::viewing_sessions,
};

/// All read models.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tables(pub BTreeMap<&'static str, Table>);

impl Tables {
    /// Nothing but this one of them.
    #[must_use]
    pub fn only(self, table: &str) -> Self {
        Self(self.0.into_iter().filter(|(name, _)| *name == table).collect())
    }
}

/// Rows by what their primary key's columns hold.
pub type Table = BTreeMap<Vec<String>, Row>;

/// Cells by their columns' names.
pub type Row = BTreeMap<String, Cell>;

#[derive(Clone, PartialEq)]
pub enum Cell {
    Null,
    Bytes(Vec<u8>),
    Json(Value),
}

impl Cell {
    pub fn text(text: impl fmt::Display) -> Self {
        Self::Bytes(text.to_string().into_bytes())
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bytes(bytes) => fmt::Debug::fmt(&String::from_utf8_lossy(bytes), f),
            Self::Json(value) => write!(f, "{value}"),
        }
    }
}

/// Shows what differs, if anything does.
///
/// # Panics
/// When something does.
#[track_caller]
pub fn assert_same(expected: &Tables, found: &Tables) {
    const SHOWN: usize = 20;
    let differences = differences(expected, found);
    let shown = &differences[..differences.len().min(SHOWN)];
    assert!(
        differences.is_empty(),
        "the read models are no fold of the log, in {} places, the first of them: {shown:#?}",
        differences.len()
    );
}
