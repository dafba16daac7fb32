//! What is asked for: which events, and in which version of their shape.

use std::{fmt, num::NonZeroU32, str::FromStr};

use chrono::{DateTime, SecondsFormat, Utc};
use marquee_domain::MovieId;
use serde::{Deserialize, Serialize, Serializer, de};

/// Kept with what is written, so that only the same request goes on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub from: Option<Bound>,
    pub to: Option<Bound>,
    /// Names of events; empty: all.
    pub types: Vec<String>,
    /// Empty: all.
    pub movies: Vec<MovieId>,
    pub schema: Schema,
}

/// An end of the range. Positions are meant inclusively. A time is the first that belongs to the
/// range, or the first that does not, so that days, one after the other, do not overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    Position(u64),
    Time(DateTime<Utc>),
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(position) = text.parse::<u64>() {
            return if position == 0 {
                Err("positions begin with 1".to_owned())
            } else {
                Ok(Self::Position(position))
            };
        }
        DateTime::parse_from_rfc3339(text).map(|time| Self::Time(time.to_utc())).map_err(|_| {
            "neither a position nor an RFC 3339 time such as 2026-03-01T00:00:00Z".to_owned()
        })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position(position) => position.fmt(f),
            Self::Time(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Position(position) => serializer.serialize_u64(*position),
            Self::Time(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(position) => position.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(de::Error::custom)
    }
}

/// In which version of their shape events are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Schema {
    /// As they are in the log.
    Stored,
    /// Each in the newest version of its type.
    Latest,
    /// Each in this version, or in the newest of its type where that is older.
    Version(NonZeroU32),
}

impl FromStr for Schema {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stored" => Ok(Self::Stored),
            "latest" => Ok(Self::Latest),
            number => number
                .parse()
                .map(Self::Version)
                .map_err(|_| "expected stored, latest, or a version from 1".to_owned()),
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored => f.write_str("stored"),
            Self::Latest => f.write_str("latest"),
            Self::Version(version) => version.fmt(f),
        }
    }
}

impl From<Schema> for String {
    fn from(schema: Schema) -> Self {
        schema.to_string()
    }
}

impl TryFrom<String> for Schema {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Request {
    /// What differs, in the words of the command line; empty when the two are the same.
    pub fn differences(&self, other: &Self) -> String {
        let list = |items: &[String]| items.join(",");
        let movies = |request: &Self| {
            list(&request.movies.iter().map(MovieId::to_string).collect::<Vec<_>>())
        };
        let bound =
            |bound: Option<Bound>| bound.map_or_else(|| "none".to_owned(), |b| b.to_string());
        [
            ("--from", bound(self.from), bound(other.from)),
            ("--to", bound(self.to), bound(other.to)),
            ("--types", list(&self.types), list(&other.types)),
            ("--movies", movies(self), movies(other)),
            ("--schema", self.schema.to_string(), other.schema.to_string()),
        ]
        .into_iter()
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(option, ours, theirs)| format!("{option} was {ours:?} and is {theirs:?}"))
        .collect::<Vec<_>>()
        .join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_schemas_survive_json() {
        for bound in ["7", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00.000001Z"] {
            let parsed: Bound = bound.parse().unwrap();
            assert_eq!(parsed.to_string(), bound);
            let json = serde_json::to_string(&parsed).unwrap();
            assert_eq!(serde_json::from_str::<Bound>(&json).unwrap(), parsed);
        }
        let elsewhere: Bound = "2026-03-01T02:00:00+02:00".parse().unwrap();
        assert_eq!(elsewhere.to_string(), "2026-03-01T00:00:00Z");
        for schema in ["stored", "latest", "2"] {
            let parsed: Schema = schema.parse().unwrap();
            let json = serde_json::to_string(&parsed).unwrap();
            assert_eq!(json, format!("{schema:?}"));
            assert_eq!(serde_json::from_str::<Schema>(&json).unwrap(), parsed);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for bound in ["0", "-1", "yesterday", "2026-03-01", "", "18446744073709551616"] {
            assert!(bound.parse::<Bound>().is_err(), "{bound:?}");
        }
        for schema in ["0", "-1", "newest", "", "4294967296"] {
            assert!(schema.parse::<Schema>().is_err(), "{schema:?}");
        }
    }
}
