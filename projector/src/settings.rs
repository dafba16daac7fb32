//! The projector's settings; `default.toml` documents each.

use marquee_infra::{
    config::{self, ConfigError},
    http::HttpSettings,
    kafka::{ClientSettings, TopicSettings, Topics},
    telemetry::LogSettings,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

const DEFAULTS: &str = include_str!("../default.toml");

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub http: HttpSettings,
    pub log: LogSettings,
    pub mysql: MysqlSettings,
    pub kafka: ClientSettings,
    pub topics: TopicsSettings,
    pub readiness: ReadinessSettings,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MysqlSettings {
    pub url: SecretString,
    pub max_connections: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicsSettings {
    pub prefix: String,
    pub partitions: i32,
    pub replication_factor: i32,
    pub min_insync_replicas: u16,
    pub retention_days: u32,
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

    fn check(&self) -> Result<(), ConfigError> {
        let invalid = |text: &str| Err(ConfigError::Invalid(text.to_owned()));
        if self.mysql.url.expose_secret().is_empty() {
            return invalid("mysql.url is empty; set DATABASE_URL");
        }
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

impl TopicsSettings {
    pub fn names(&self) -> Topics {
        Topics::with_prefix(&self.prefix)
    }

    pub fn group(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub fn creation(&self) -> TopicSettings {
        TopicSettings {
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            min_insync_replicas: Some(self.min_insync_replicas).filter(|replicas| *replicas > 0),
            retention_days: self.retention_days,
        }
    }
}
