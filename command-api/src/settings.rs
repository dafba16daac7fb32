//! What can be set. `config/default.toml` says what each setting means.

use std::{num::NonZeroU32, time::Duration};

use ipnet::IpNet;
use marquee_infra::{
    config::{self, ConfigError},
    event_log::AppendSettings,
    http::{AuthSettings, HttpSettings},
    kafka::ClientSettings,
    rate_limit::{self, ForwardedHeader, Quota},
    settings::{MysqlSettings, RedisSettings, SealingSettings, TopicsSettings},
    telemetry::LogSettings,
};
use secrecy::SecretString;
use serde::Deserialize;

use crate::relay::Delivery;

const DEFAULTS: &str = include_str!("../config/default.toml");

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub log: LogSettings,
    pub http: HttpSettings,
    pub mysql: MysqlSettings,
    pub redis: RedisSettings,
    pub kafka: ClientSettings,
    pub topics: TopicsSettings,
    pub jwt: AuthSettings,
    pub sealing: SealingSettings,
    pub probe: ProbeSettings,
    pub append: AppendLimits,
    pub relay: RelaySettings,
    pub revalidation: RevalidationSettings,
    pub rate_limit: RateLimitSettings,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeSettings {
    pub allow: Vec<String>,
    pub ca_file: String,
    pub header: SecretString,
    pub timeout_seconds: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppendLimits {
    pub queue_capacity: usize,
    pub max_batch_commands: usize,
    pub max_batch_events: usize,
    pub cache_capacity_movies: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelaySettings {
    pub enabled: bool,
    pub holder: String,
    pub lease_ms: u64,
    pub delivery: Delivery,
    pub poll_interval_ms: u64,
    pub max_linger_ms: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevalidationSettings {
    pub enabled: bool,
    pub interval_seconds: u32,
    pub concurrency: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitSettings {
    pub enabled: bool,
    pub admin_mutation_quota: NonZeroU32,
    pub admin_mutation_window_seconds: u32,
    pub instances: NonZeroU32,
    pub trusted_proxies: Vec<IpNet>,
    pub client_ip_header: ForwardedHeader,
}

impl Settings {
    pub fn load() -> Result<Self, ConfigError> {
        let settings: Self = config::load(DEFAULTS)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let append = &self.append;
        let invalid = |what: &str| Err(ConfigError::Invalid(what.to_owned()));
        if append.queue_capacity == 0 || append.max_batch_commands == 0 {
            return invalid("append.queue_capacity and append.max_batch_commands must be positive");
        }
        // One command can have a movie with all of its sources and captions.
        if append.max_batch_events < 300 {
            return invalid("append.max_batch_events must be at least 300");
        }
        if self.relay.lease_ms < 500 || self.relay.poll_interval_ms == 0 {
            return invalid("relay.lease_ms must be at least 500, relay.poll_interval_ms positive");
        }
        if self.revalidation.interval_seconds == 0 || self.revalidation.concurrency == 0 {
            return invalid("revalidation.interval_seconds and .concurrency must be positive");
        }
        if !(1..=86_400).contains(&self.rate_limit.admin_mutation_window_seconds) {
            return invalid("rate_limit.admin_mutation_window_seconds must be from 1 to 86400");
        }
        if self.rate_limit.admin_mutation_quota.get() > 100_000_000 {
            return invalid("rate_limit.admin_mutation_quota must be at most 100000000");
        }
        if self.rate_limit.instances.get() > 1_000 {
            return invalid("rate_limit.instances must be at most 1000");
        }
        if self.kafka.brokers.is_empty() {
            return invalid("kafka.brokers (KAFKA_BROKERS) must be set");
        }
        Ok(())
    }
}

impl From<AppendLimits> for AppendSettings {
    fn from(limits: AppendLimits) -> Self {
        Self {
            queue_capacity: limits.queue_capacity,
            max_batch_commands: limits.max_batch_commands,
            max_batch_events: limits.max_batch_events,
            cache_capacity_movies: limits.cache_capacity_movies,
        }
    }
}

impl From<&RateLimitSettings> for rate_limit::RateLimitSettings {
    fn from(settings: &RateLimitSettings) -> Self {
        Self {
            enabled: settings.enabled,
            quota: Quota {
                requests: settings.admin_mutation_quota,
                window: Duration::from_secs(settings.admin_mutation_window_seconds.into()),
            },
            instances: settings.instances,
        }
    }
}
