//! The sections that the services' settings share, so that one name means one thing everywhere.

use secrecy::SecretString;
use serde::Deserialize;

use crate::kafka::{TopicSettings, Topics};

/// `[mysql]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MysqlSettings {
    pub url: SecretString,
    pub max_connections: u32,
}

/// `[redis]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    pub url: SecretString,
    /// Put before every key. For tests and shared servers.
    pub key_prefix: String,
}

/// `[sealing]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealingSettings {
    pub keys: SecretString,
}

/// `[topics]`: their names, and how those are made that are missing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicsSettings {
    pub prefix: String,
    pub partitions: i32,
    pub replication_factor: i32,
    pub min_insync_replicas: u16,
    pub retention_days: u32,
}

impl TopicsSettings {
    pub fn names(&self) -> Topics {
        Topics::with_prefix(&self.prefix)
    }

    /// A consumer group's name, or whatever else must not be shared by two installations.
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
