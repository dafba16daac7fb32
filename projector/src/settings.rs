//! The projector's settings; `config/default.toml` documents each.

use marquee_infra::{
    config::{self, ConfigError},
    http::HttpSettings,
    kafka::ClientSettings,
    mysql::accounts::AccountsSettings,
    settings::{MysqlSettings, TopicsSettings},
    telemetry::LogSettings,
};
use secrecy::ExposeSecret;
use serde::Deserialize;

const DEFAULTS: &str = include_str!("../config/default.toml");

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub http: HttpSettings,
    pub log: LogSettings,
    pub mysql: MysqlSettings,
    pub mysql_users: AccountsSettings,
    pub kafka: ClientSettings,
    pub topics: TopicsSettings,
    pub readiness: ReadinessSettings,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadinessSettings {
    pub stuck_after_seconds: u64,
}

impl Settings {
    pub fn load() -> Result<Self, ConfigError> {
        let settings: Self = config::load(DEFAULTS)?;
        settings.check()?;
        Ok(settings)
    }

    /// For commands that read the event log and may do without Kafka.
    pub fn load_for_log() -> Result<Self, ConfigError> {
        let settings: Self = config::load(DEFAULTS)?;
        settings.check_log()?;
        Ok(settings)
    }

    fn check_log(&self) -> Result<(), ConfigError> {
        let invalid = |text: &str| Err(ConfigError::Invalid(text.to_owned()));
        if self.mysql.url.expose_secret().is_empty() {
            return invalid("mysql.url is empty; set DATABASE_URL");
        }
        Ok(())
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.check_log()?;
        let invalid = |text: &str| Err(ConfigError::Invalid(text.to_owned()));
        if self.kafka.brokers.is_empty() {
            return invalid("kafka.brokers is empty; set KAFKA_BROKERS");
        }
        if self.mysql.max_connections < 2 {
            return invalid("mysql.max_connections has to be at least 2");
        }
        if self.topics.partitions < 1 {
            return invalid("topics.partitions has to be at least 1");
        }
        Ok(())
    }
}
