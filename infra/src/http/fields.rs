//! Reading a JSON object field by field, so that ALL its errors are reported at once.
//!
//! serde stops at the first error; an admin with five wrong fields should need one round trip, not five.

use std::fmt::Display;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{FieldError, Problem};

/// A JSON object being read. Each field is taken once; what is left at the end is unknown.
#[derive(Debug)]
pub struct Fields {
    pointer: String,
    unread: Map<String, Value>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// `body` must be an object.
    pub fn of_body(body: Value) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        Self::of(body, String::new(), &mut errors).ok_or_else(|| Problem::fields(errors))
    }

    fn of(value: Value, pointer: String, errors: &mut Vec<FieldError>) -> Option<Self> {
        if let Value::Object(fields) = value {
            return Some(Self { pointer, unread: fields, known: Vec::new(), errors: Vec::new() });
        }
        errors.push(FieldError {
            pointer,
            detail: format!("must be an object, is {}", kind(&value)),
        });
        None
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.unread.remove(name)
    }

    /// Reports an error of the field `name`.
    pub fn error(&mut self, name: &str, detail: impl Display) {
        let pointer = format!("{}/{name}", self.pointer);
        self.errors.push(FieldError { pointer, detail: detail.to_string() });
    }

    fn missing<T>(&mut self, name: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.has_error(name) {
            self.error(name, "is required");
        }
        value
    }

    /// A value that is only sometimes required: where it is missing, that is an error now.
    pub fn needed<T>(&mut self, name: &'static str, value: Option<T>) -> Option<T> {
        self.missing(name, value)
    }

    /// Whether an error of the field, or of something in it, was reported.
    pub fn has_error(&self, name: &str) -> bool {
        let pointer = format!("{}/{name}", self.pointer);
        self.errors.iter().any(|error| error.pointer.starts_with(&pointer))
    }

    /// A string that `parse` accepts. `null` counts as absent.
    pub fn optional_str<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.take(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => self.parsed(name, parse(&text)),
            Some(other) => self.mistyped(name, "a string", &other),
        }
    }

    pub fn required_str<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.optional_str(name, parse);
        self.missing(name, value)
    }

    pub fn optional_u64<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(u64) -> Result<T, E>,
    ) -> Option<T> {
        match self.take(name) {
            None | Some(Value::Null) => None,
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
                if let Some(number) = number.as_u64() {
                    return self.parsed(name, parse(number));
                }
                // Where zero is out of the range as well, its answer tells the range.
                match parse(0) {
                    Ok(_) => self.error(name, "must not be negative"),
                    Err(error) => self.error(name, error),
                }
                None
            }
            Some(other) => self.mistyped(name, "a whole number", &other),
        }
    }

    pub fn required_u64<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(u64) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.optional_u64(name, parse);
        self.missing(name, value)
    }

    pub fn optional_bool(&mut self, name: &'static str) -> Option<bool> {
        match self.take(name) {
            None | Some(Value::Null) => None,
            Some(Value::Bool(value)) => Some(value),
            Some(other) => self.mistyped(name, "true or false", &other),
        }
    }

    pub fn required_bool(&mut self, name: &'static str) -> Option<bool> {
        let value = self.optional_bool(name);
        self.missing(name, value)
    }

    /// An instant as RFC 3339 with its offset ("timestamp with timezone"), to the microsecond.
    pub fn optional_instant(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        self.optional_str(name, |text| {
            DateTime::parse_from_rfc3339(text)
                .ok()
                .map(|instant| instant.to_utc())
                .filter(|instant| (1970..=9999).contains(&chrono::Datelike::year(instant)))
                .map(|instant| chrono::SubsecRound::trunc_subsecs(instant, 6))
                .ok_or(
                    "must be a time with its zone as in RFC 3339, such as \"2030-01-31T20:15:00Z\"",
                )
        })
    }

    pub fn required_instant(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        let value = self.optional_instant(name);
        self.missing(name, value)
    }

    /// A list of strings that `parse` accepts as a whole.
    pub fn optional_strings<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&[String]) -> Result<T, E>,
    ) -> Option<T> {
        let items = match self.take(name) {
            None | Some(Value::Null) => return None,
            Some(Value::Array(items)) => items,
            Some(other) => return self.mistyped(name, "a list of strings", &other),
        };
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text),
                other => {
                    let detail = format!("must be a string, is {}", kind(&other));
                    self.error(&format!("{name}/{index}"), detail);
                }
            }
        }
        if self.has_error(name) {
            return None;
        }
        self.parsed(name, parse(&texts))
    }

    pub fn required_strings<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&[String]) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.optional_strings(name, parse);
        self.missing(name, value)
    }

    /// An object, read by `read`. `null` counts as absent.
    pub fn optional_object<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Fields) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(name).filter(|value| !value.is_null())?;
        let pointer = format!("{}/{name}", self.pointer);
        let mut fields = Self::of(value, pointer, &mut self.errors)?;
        let object = read(&mut fields);
        self.errors.extend(fields.into_errors());
        object
    }

    /// A list of at most `max` objects, each read by `read`. Absent is empty.
    pub fn objects<T>(
        &mut self,
        name: &'static str,
        max: usize,
        mut read: impl FnMut(&mut Fields) -> Option<T>,
    ) -> Vec<T> {
        let items = match self.take(name) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.mistyped::<()>(name, "a list of objects", &other);
                return Vec::new();
            }
        };
        if items.len() > max {
            self.error(name, format!("must have at most {max} entries, has {}", items.len()));
            return Vec::new();
        }
        let mut objects = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let pointer = format!("{}/{name}/{index}", self.pointer);
            let Some(mut fields) = Self::of(item, pointer, &mut self.errors) else { continue };
            let object = read(&mut fields);
            self.errors.extend(fields.into_errors());
            objects.extend(object);
        }
        objects
    }

    fn parsed<T, E: Display>(&mut self, name: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.error(name, error)).ok()
    }

    fn mistyped<T>(&mut self, name: &str, wanted: &str, value: &Value) -> Option<T> {
        self.error(name, format!("must be {wanted}, is {}", kind(value)));
        None
    }

    fn into_errors(mut self) -> Vec<FieldError> {
        let unknown: Vec<String> = self.unread.keys().cloned().collect();
        let known = self.known.join(", ");
        for name in unknown {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            self.error(&escaped, format!("is not a field here; the fields are {known}"));
        }
        self.errors
    }

    /// What was read, if nothing was wrong with any field.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, Problem> {
        let errors = self.into_errors();
        match read {
            Some(read) if errors.is_empty() => Ok(read),
            _ => Err(Problem::fields(errors)),
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_error_is_reported_at_once() {
        let mut fields = Fields::of_body(json!({
            "count": "three", "below": -1, "flag": 1, "extra": null, "list": [{"a": 1}, 5], "when": "soon"
        }))
        .unwrap();
        fields.required_str("name", |text| Ok::<_, String>(text.to_owned()));
        fields.required_u64("count", Ok::<_, String>);
        fields.optional_u64("below", Ok::<_, String>);
        fields.optional_bool("flag");
        fields.required_instant("when");
        fields.objects("list", 9, |item| item.optional_bool("a"));
        let problem = fields.finish(Some(())).unwrap_err().to_json("r");
        let pointers: Vec<&str> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect();
        assert_eq!(
            pointers,
            ["/name", "/count", "/below", "/flag", "/when", "/list/0/a", "/list/1", "/extra"]
        );
    }
}
