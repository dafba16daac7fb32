//! Whether what the types say now may be released, given what was.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use super::compatibility::{Incompatibility, incompatibilities};

/// The schemas that were released, by event and version.
pub type Released = BTreeMap<(String, u32), Value>;

/// The schema in which an event is to be written from now on.
#[derive(Debug, Clone)]
pub struct Proposed {
    pub event: String,
    pub version: u32,
    pub schema: Value,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Violation {
    /// To be undone, or done in a new version.
    Incompatible {
        event: String,
        version: u32,
        found: Vec<Incompatibility>,
    },
    /// The next version is one more than the last one that was released.
    NotTheNext {
        event: String,
        version: u32,
        last: u32,
    },
    NoUpcaster {
        event: String,
        from: u32,
    },
    /// The schema of an older version is not there: it is for ever.
    Forgotten {
        event: String,
        version: u32,
    },
    /// The event was released, and nothing writes or reads it.
    Dropped {
        event: String,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incompatible { event, version, found } => {
                write!(f, "{event}.v{version} was released with another shape:")?;
                found.iter().try_for_each(|found| write!(f, " {found};"))?;
                write!(f, " raise its version and write an upcaster")
            }
            Self::NotTheNext { event, version, last } => {
                write!(f, "{event}.v{version} does not follow {event}.v{last}")
            }
            Self::NoUpcaster { event, from } => {
                write!(f, "nothing raises {event}.v{from} to {event}.v{}", from + 1)
            }
            Self::Forgotten { event, version } => {
                write!(f, "{event}.v{version} has no schema any more")
            }
            Self::Dropped { event } => write!(f, "{event} was released, and is gone"),
        }
    }
}

pub fn violations(
    released: &Released,
    proposed: &[Proposed],
    has_upcaster: impl Fn(&str, u32) -> bool,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for Proposed { event, version, schema } in proposed {
        let event = || event.clone();
        let of_event = released.keys().filter(|(name, _)| *name == event());
        let last = of_event.map(|(_, version)| *version).max().unwrap_or(0);
        if *version < last || *version > last + 1 {
            found.push(Violation::NotTheNext { event: event(), version: *version, last });
        }
        if let Some(released) = released.get(&(event(), *version)) {
            let changes = incompatibilities(released, schema);
            if !changes.is_empty() {
                let version = *version;
                found.push(Violation::Incompatible { event: event(), version, found: changes });
            }
        }
        for older in 1..*version {
            if !released.contains_key(&(event(), older)) {
                found.push(Violation::Forgotten { event: event(), version: older });
            }
            if !has_upcaster(&event(), older) {
                found.push(Violation::NoUpcaster { event: event(), from: older });
            }
        }
    }
    let mut gone: Vec<&String> = released.keys().map(|(event, _)| event).collect();
    gone.retain(|event| !proposed.iter().any(|proposed| proposed.event == **event));
    gone.dedup();
    found.extend(gone.into_iter().map(|event| Violation::Dropped { event: event.clone() }));
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contract::compatibility::Change;

    fn shape(field: &str) -> Value {
        let schema = json!({ "type": "integer" });
        json!({ "type": "object", "properties": { field: schema }, "required": [field] })
    }

    fn released(versions: &[(u32, &str)]) -> Released {
        versions.iter().map(|(n, field)| (("Shown".to_owned(), *n), shape(field))).collect()
    }

    fn proposed(version: u32, field: &str) -> [Proposed; 1] {
        [Proposed { event: "Shown".to_owned(), version, schema: shape(field) }]
    }

    fn event() -> String {
        "Shown".to_owned()
    }

    #[test]
    fn what_was_released_may_be_released_again_and_what_is_new_for_the_first_time() {
        let always = |_: &str, _| true;
        assert_eq!(violations(&released(&[(1, "at")]), &proposed(1, "at"), always), []);
        assert_eq!(violations(&Released::new(), &proposed(1, "at"), always), []);
    }

    #[test]
    fn another_shape_needs_another_version() {
        let found = violations(&released(&[(1, "at")]), &proposed(1, "at_ms"), |_, _| true);
        let change = |field: &str, change| Incompatibility { field: field.to_owned(), change };
        assert_eq!(
            found,
            [Violation::Incompatible {
                event: event(),
                version: 1,
                found: vec![
                    change("/at", Change::Removed),
                    change("/at_ms", Change::NewlyRequired)
                ],
            }]
        );
        assert_eq!(
            found[0].to_string(),
            "Shown.v1 was released with another shape: /at was removed or renamed; \
             /at_ms is required, and was not; raise its version and write an upcaster"
        );
    }

    #[test]
    fn another_version_needs_an_upcaster_from_each_before() {
        let both = released(&[(1, "at"), (2, "at_ms")]);
        assert_eq!(violations(&released(&[(1, "at")]), &proposed(2, "at_ms"), |_, _| true), []);
        assert_eq!(
            violations(&released(&[(1, "at")]), &proposed(2, "at_ms"), |_, _| false),
            [Violation::NoUpcaster { event: event(), from: 1 }]
        );
        assert_eq!(
            violations(&both, &proposed(3, "when"), |_, from| from == 1),
            [Violation::NoUpcaster { event: event(), from: 2 }]
        );
    }

    #[test]
    fn versions_follow_each_other_and_none_is_taken_back() {
        let always = |_: &str, _| true;
        let one = released(&[(1, "at")]);
        assert_eq!(
            violations(&one, &proposed(3, "when"), always),
            [
                Violation::NotTheNext { event: event(), version: 3, last: 1 },
                Violation::Forgotten { event: event(), version: 2 },
            ]
        );
        let both = released(&[(1, "at"), (2, "at_ms")]);
        assert_eq!(
            violations(&both, &proposed(1, "at"), always),
            [Violation::NotTheNext { event: event(), version: 1, last: 2 }]
        );
    }

    #[test]
    fn what_was_released_is_not_forgotten() {
        let always = |_: &str, _| true;
        assert_eq!(
            violations(&released(&[(2, "at_ms")]), &proposed(2, "at_ms"), always),
            [Violation::Forgotten { event: event(), version: 1 }]
        );
        assert_eq!(
            violations(&released(&[(1, "at"), (2, "at_ms")]), &[], always),
            [Violation::Dropped { event: event() }]
        );
    }
}
