//! What may change in an event's shape without a new version: what every reader of the old shape, and
//! every event written in it, bears. That is: new optional fields, and words about fields. All else is
//! for a new version.

use std::{collections::BTreeSet, fmt};

use serde_json::{Map, Value};

/// A change that some reader, or some stored event, does not bear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incompatibility {
    /// Where in a payload, as a JSON Pointer; `*` is any element of a list.
    pub field: String,
    pub change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Or renamed, which is the same to a reader.
    Removed,
    Retyped,
    /// Events that were written before don't have it.
    NewlyRequired,
    /// Readers rely on it.
    NoLongerRequired,
    /// Events that were written before may have these.
    EnumNarrowed(Vec<String>),
    /// Readers don't know these.
    EnumWidened(Vec<String>),
}

impl fmt::Display for Incompatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, change } = self;
        match change {
            Change::Removed => write!(f, "{field} was removed or renamed"),
            Change::Retyped => write!(f, "{field} is of another type"),
            Change::NewlyRequired => write!(f, "{field} is required, and was not"),
            Change::NoLongerRequired => write!(f, "{field} was required, and is not"),
            Change::EnumNarrowed(values) => write!(f, "{field} may no longer be {values:?}"),
            Change::EnumWidened(values) => write!(f, "{field} may be {values:?}, and could not"),
        }
    }
}

/// What tells readers something, and promises nothing.
const ANNOTATIONS: [&str; 7] =
    ["$schema", "$comment", "title", "description", "default", "examples", "deprecated"];

/// What is looked at on its own; every other keyword has to stay as it is.
const STRUCTURE: [&str; 5] = ["properties", "required", "items", "enum", "const"];

/// What a schema without references must not change to, of one that was released.
pub fn incompatibilities(released: &Value, proposed: &Value) -> Vec<Incompatibility> {
    let mut found = Vec::new();
    compare("", released, proposed, &mut found);
    found
}

fn compare(at: &str, released: &Value, proposed: &Value, found: &mut Vec<Incompatibility>) {
    let mut say = |change| found.push(Incompatibility { field: at.to_owned(), change });
    let (Value::Object(old), Value::Object(new)) = (released, proposed) else {
        if released != proposed {
            say(Change::Retyped);
        }
        return;
    };
    if other_keywords(old) != other_keywords(new)
        || old.contains_key("items") != new.contains_key("items")
    {
        return say(Change::Retyped);
    }
    let (before, after) = (allowed(old), allowed(new));
    if before.is_some() != after.is_some() {
        return say(Change::Retyped);
    }
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let without =
        |one: &BTreeSet<String>, other| one.difference(other).cloned().collect::<Vec<_>>();
    let (gone, come) = (without(&before, &after), without(&after, &before));
    if !gone.is_empty() {
        say(Change::EnumNarrowed(gone));
    }
    if !come.is_empty() {
        say(Change::EnumWidened(come));
    }
    if let (Some(old), Some(new)) = (old.get("items"), new.get("items")) {
        compare(&format!("{at}/*"), old, new, found);
    }
    compare_fields(at, old, new, found);
}

fn compare_fields(
    at: &str,
    released: &Map<String, Value>,
    proposed: &Map<String, Value>,
    found: &mut Vec<Incompatibility>,
) {
    let none = Map::new();
    let fields = |schema: &Map<String, Value>| {
        schema.get("properties").and_then(Value::as_object).unwrap_or(&none).clone()
    };
    let (old, new) = (fields(released), fields(proposed));
    let (must, must_now) = (strings(released, "required"), strings(proposed, "required"));
    for (name, old) in &old {
        let field = format!("{at}/{name}");
        let Some(new) = new.get(name) else {
            found.push(Incompatibility { field, change: Change::Removed });
            continue;
        };
        if must.contains(name) && !must_now.contains(name) {
            let field = field.clone();
            found.push(Incompatibility { field, change: Change::NoLongerRequired });
        }
        compare(&field, old, new, found);
    }
    // Whether the field is new or was optional, events that were written before may lack it.
    for name in must_now.difference(&must) {
        let field = format!("{at}/{name}");
        found.push(Incompatibility { field, change: Change::NewlyRequired });
    }
}

fn other_keywords(schema: &Map<String, Value>) -> Map<String, Value> {
    let mut others = schema.clone();
    others.retain(|keyword, _| {
        !ANNOTATIONS.contains(&keyword.as_str()) && !STRUCTURE.contains(&keyword.as_str())
    });
    others
}

/// The values that it is confined to, as JSON; none if it is not.
fn allowed(schema: &Map<String, Value>) -> Option<BTreeSet<String>> {
    if let Some(only) = schema.get("const") {
        return Some(BTreeSet::from([only.to_string()]));
    }
    let values = schema.get("enum")?.as_array()?;
    Some(values.iter().map(Value::to_string).collect())
}

fn strings(schema: &Map<String, Value>, keyword: &str) -> BTreeSet<String> {
    let values = schema.get(keyword).and_then(Value::as_array);
    values.into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn released() -> Value {
        json!({
            "title": "StreamProbed.v1",
            "type": "object",
            "properties": {
                "id": { "type": "string", "format": "uuid" },
                "status": { "type": "string", "enum": ["VALID", "INVALID"] },
                "systems": { "type": "array", "items": { "type": "string" } },
                "note": { "type": ["string", "null"] },
                "facts": {
                    "type": "object",
                    "properties": { "count": { "type": "integer", "minimum": 0 } },
                    "required": ["count"],
                },
            },
            "required": ["id", "status", "facts"],
        })
    }

    /// What is found when the part at `pointer` is made into something else.
    fn found(pointer: &str, part: Value) -> Vec<(String, Change)> {
        let mut proposed = released();
        *proposed.pointer_mut(pointer).expect("a part of it") = part;
        incompatibilities(&released(), &proposed)
            .into_iter()
            .map(|found| (found.field, found.change))
            .collect()
    }

    fn one(field: &str, change: Change) -> Vec<(String, Change)> {
        vec![(field.to_owned(), change)]
    }

    fn without(pointer: &str, name: &str) -> Value {
        let mut part = released().pointer(pointer).expect("a part of it").clone();
        part.as_object_mut().expect("an object").remove(name);
        part
    }

    fn with(pointer: &str, name: &str, value: Value) -> Value {
        let mut part = released().pointer(pointer).expect("a part of it").clone();
        part[name] = value;
        part
    }

    #[test]
    fn nothing_is_found_where_nothing_changed() {
        assert_eq!(incompatibilities(&released(), &released()), []);
    }

    #[test]
    fn new_optional_fields_and_other_words_are_no_news() {
        let optional = json!({ "type": "string" });
        assert_eq!(found("/properties", with("/properties", "codec", optional.clone())), []);
        let nested = "/properties/facts/properties";
        assert_eq!(found(nested, with(nested, "codec", optional)), []);
        let described = with("/properties/id", "description", json!("whose"));
        assert_eq!(found("/properties/id", described), []);
        assert_eq!(found("/title", json!("StreamProbed")), []);
        // The order means nothing.
        assert_eq!(found("/required", json!(["facts", "id", "status"])), []);
        assert_eq!(found("/properties/status/enum", json!(["INVALID", "VALID"])), []);
    }

    #[test]
    fn a_removed_field_is_found() {
        for name in ["note", "systems"] {
            let fewer = without("/properties", name);
            assert_eq!(found("/properties", fewer), one(&format!("/{name}"), Change::Removed));
        }
        let facts = "/properties/facts/properties";
        assert_eq!(found(facts, without(facts, "count")), one("/facts/count", Change::Removed));
    }

    #[test]
    fn a_renamed_field_is_a_removed_one() {
        let mut renamed = without("/properties", "note");
        renamed["remark"] = released()["properties"]["note"].clone();
        assert_eq!(found("/properties", renamed), one("/note", Change::Removed));
    }

    #[test]
    fn a_retyped_field_is_found() {
        for (field, pointer, part) in [
            ("/id", "/properties/id/type", json!("integer")),
            ("/id", "/properties/id/format", json!("uri")),
            ("/note", "/properties/note/type", json!("string")),
            ("/systems/*", "/properties/systems/items/type", json!("integer")),
            ("/systems", "/properties/systems", json!({ "type": "array" })),
            ("/facts", "/properties/facts/type", json!("string")),
            ("/facts/count", "/properties/facts/properties/count/type", json!("number")),
            ("/facts/count", "/properties/facts/properties/count/minimum", json!(1)),
            ("/status", "/properties/status", json!({ "type": "string" })),
            ("/id", "/properties/id", json!(true)),
        ] {
            assert_eq!(found(pointer, part), one(field, Change::Retyped), "{pointer}");
        }
        let closed = with("/properties/facts", "additionalProperties", json!(false));
        assert_eq!(found("/properties/facts", closed), one("/facts", Change::Retyped));
    }

    #[test]
    fn a_newly_required_field_is_found() {
        assert_eq!(
            found("/required", json!(["id", "status", "facts", "note"])),
            one("/note", Change::NewlyRequired)
        );
        let mut proposed = released();
        proposed["properties"]["codec"] = json!({ "type": "string" });
        proposed["required"] = json!(["id", "status", "facts", "codec"]);
        let found = incompatibilities(&released(), &proposed);
        assert_eq!(
            found,
            [Incompatibility { field: "/codec".to_owned(), change: Change::NewlyRequired }]
        );
    }

    #[test]
    fn a_field_that_is_no_longer_required_is_found() {
        assert_eq!(
            found("/required", json!(["id", "status"])),
            one("/facts", Change::NoLongerRequired)
        );
    }

    #[test]
    fn a_narrowed_and_a_widened_enum_are_found() {
        let values = |values: &[&str]| values.iter().map(|v| format!("{v:?}")).collect();
        let pointer = "/properties/status/enum";
        assert_eq!(
            found(pointer, json!(["VALID"])),
            one("/status", Change::EnumNarrowed(values(&["INVALID"])))
        );
        assert_eq!(
            found(pointer, json!(["VALID", "INVALID", "UNKNOWN"])),
            one("/status", Change::EnumWidened(values(&["UNKNOWN"])))
        );
    }

    #[test]
    fn everything_is_found_at_once() {
        let proposed = json!({ "type": "object", "properties": {}, "required": [] });
        assert_eq!(incompatibilities(&released(), &proposed).len(), 5);
    }
}
