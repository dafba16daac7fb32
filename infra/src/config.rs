//! Typed settings from three places, later ones winning: the service's commented default TOML (which
//! is the documentation), a file, and the environment.
//!
//! A setting `probe.allow` is `MARQUEE_PROBE_ALLOW` in the environment. `DATABASE_URL`,
//! `KAFKA_BROKERS` and `REDIS_URL` work too, because everybody expects them to.

use std::{env, fs, path::PathBuf};

use serde::de::DeserializeOwned;
use thiserror::Error;
use toml::{Table, Value};

const PREFIX: &str = "MARQUEE";
/// The file to read, if any.
const FILE_VARIABLE: &str = "MARQUEE_CONFIG_FILE";
/// Names that other software uses for the same settings.
const ALIASES: [(&str, &str); 3] = [
    ("DATABASE_URL", "MARQUEE_MYSQL_URL"),
    ("KAFKA_BROKERS", "MARQUEE_KAFKA_BROKERS"),
    ("REDIS_URL", "MARQUEE_REDIS_URL"),
];

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("cannot read the configuration file {path}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("the configuration file {path} is not valid TOML")]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
    #[error("the configuration file names \"{key}\", which is no setting of this service")]
    UnknownKey { key: String },
    #[error("{variable} must be a {expected}")]
    Type { variable: String, expected: &'static str },
    #[error("the settings do not fit together: {0}")]
    Invalid(String),
}

/// Reads the settings of a service whose defaults are `default_toml`.
pub fn load<S: DeserializeOwned>(default_toml: &str) -> Result<S, ConfigError> {
    load_from(default_toml, read_file()?, &variable)
}

fn load_from<S: DeserializeOwned>(
    default_toml: &str,
    file: Option<Table>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<S, ConfigError> {
    let mut settings: Table = default_toml
        .parse()
        .map_err(|error| ConfigError::Invalid(format!("the built-in defaults: {error}")))?;
    if let Some(file) = file {
        merge(&mut settings, file, "")?;
    }
    apply_environment(&mut settings, PREFIX, variable)?;
    // A typo in a type shows the key and the value; secrets are strings, which always fit.
    S::deserialize(Value::Table(settings)).map_err(|error| ConfigError::Invalid(error.to_string()))
}

fn read_file() -> Result<Option<Table>, ConfigError> {
    let Some(path) = variable(FILE_VARIABLE).map(PathBuf::from) else { return Ok(None) };
    let text = fs::read_to_string(&path)
        .map_err(|source| ConfigError::File { path: path.clone(), source })?;
    let table =
        text.parse().map_err(|source| ConfigError::Toml { path, source: Box::new(source) })?;
    Ok(Some(table))
}

#[expect(clippy::disallowed_methods, reason = "the one home of the environment")]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// The defaults name every setting, so a key they lack is a mistake.
fn merge(settings: &mut Table, file: Table, path: &str) -> Result<(), ConfigError> {
    for (key, value) in file {
        let key_path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (settings.get_mut(&key), value) {
            // An empty table in the defaults is a free-form map.
            (Some(Value::Table(section)), Value::Table(entries)) if section.is_empty() => {
                *section = entries;
            }
            (Some(Value::Table(section)), Value::Table(entries)) => {
                merge(section, entries, &key_path)?;
            }
            (Some(slot), value) => *slot = value,
            (None, _) => return Err(ConfigError::UnknownKey { key: key_path }),
        }
    }
    Ok(())
}

fn apply_environment(
    settings: &mut Table,
    prefix: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<(), ConfigError> {
    for (key, slot) in settings.iter_mut() {
        let name = format!("{prefix}_{}", key.to_uppercase());
        if let Value::Table(section) = slot {
            apply_environment(section, &name, variable)?;
            continue;
        }
        let alias = ALIASES.iter().find(|(_, known)| *known == name).map(|(alias, _)| *alias);
        let Some(text) = variable(&name).or_else(|| alias.and_then(variable)) else { continue };
        let typed = |expected| ConfigError::Type { variable: name.clone(), expected };
        *slot = match slot {
            Value::Integer(_) => Value::Integer(text.parse().map_err(|_| typed("whole number"))?),
            Value::Float(_) => Value::Float(text.parse().map_err(|_| typed("number"))?),
            Value::Boolean(_) => Value::Boolean(text.parse().map_err(|_| typed("true or false"))?),
            Value::Array(_) => Value::Array(
                text.split(',')
                    .map(str::trim)
                    .filter(|entry| !entry.is_empty())
                    .map(|entry| Value::String(entry.to_owned()))
                    .collect(),
            ),
            Value::String(_) | Value::Datetime(_) | Value::Table(_) => Value::String(text),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    const DEFAULTS: &str = "name = 'a'\n[http]\nport = 1\nallow = []\n[mysql]\nurl = ''\n";

    #[derive(Debug, Deserialize, PartialEq)]
    struct Settings {
        name: String,
        http: Http,
        mysql: Mysql,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Http {
        port: u16,
        allow: Vec<String>,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Mysql {
        url: String,
    }

    fn load_with(file: &str, variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let lookup = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        load_from(DEFAULTS, Some(file.parse().unwrap()), &lookup)
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
        let settings = load_with(
            "name = 'b'\n[http]\nport = 2\n",
            &[("MARQUEE_HTTP_PORT", "3"), ("MARQUEE_HTTP_ALLOW", "x, y"), ("DATABASE_URL", "u")],
        )
        .unwrap();
        assert_eq!((settings.name.as_str(), settings.http.port), ("b", 3));
        assert_eq!(settings.http.allow, ["x", "y"]);
        assert_eq!(settings.mysql.url, "u");
    }

    #[test]
    fn mistakes_are_named() {
        let unknown = load_with("[http]\nprot = 2\n", &[]).unwrap_err();
        assert!(matches!(unknown, ConfigError::UnknownKey { key } if key == "http.prot"));
        let untyped = load_with("", &[("MARQUEE_HTTP_PORT", "many")]).unwrap_err();
        assert_eq!(untyped.to_string(), "MARQUEE_HTTP_PORT must be a whole number");
    }
}
