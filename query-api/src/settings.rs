//! What can be set. `config/default.toml` says what each setting means.

use std::{num::NonZeroU32, time::Duration};

use ipnet::IpNet;
use marquee_infra::{
    config::{self, ConfigError},
    http::{AuthSettings, HttpSettings},
    kafka::ClientSettings,
    rate_limit::{self, ForwardedHeader, Quota},
    settings::{MysqlSettings, RedisSettings, SealingSettings, TopicsSettings},
    telemetry::LogSettings,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::routes;

const DEFAULTS: &str = include_str!("../config/default.toml");

/// Data model, SignedStreamToken: "TTL ≤ 5 minutes".
const MAX_TTL_SECONDS: u32 = 300;

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
    pub catalog: CatalogSettings,
    pub stream_token: StreamTokenSettings,
    pub viewer: ViewerSettings,
    pub viewing_session: ViewingSessionSettings,
    pub rate_limit: RateLimitSettings,
    pub cors: CorsSettings,
    pub feed: FeedSettings,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogSettings {
    pub poll_interval_ms: u64,
    pub max_age_seconds: u32,
    pub consistency_wait_ms: u64,
    pub page_cache_bytes: u64,
    pub cursor_seconds: u32,
    pub past_bytes: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamTokenSettings {
    pub keys: SecretString,
    pub keys_file: String,
    pub ttl_seconds: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewerSettings {
    pub context_key: SecretString,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsSettings {
    pub origins: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewingSessionSettings {
    pub heartbeat_seconds: u32,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedSettings {
    pub max_open: usize,
    pub max_connections: u32,
    pub page_events: u32,
    pub head_poll_ms: u64,
    pub heartbeat_ms: u64,
    pub reader_timeout_ms: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitSettings {
    pub enabled: bool,
    pub viewer_read_quota: NonZeroU32,
    pub viewer_read_window_seconds: u32,
    pub session_ceiling: NonZeroU32,
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

    /// What types do not say.
    pub fn check(&self) -> Result<(), ConfigError> {
        let invalid = |what: &str| Err(ConfigError::Invalid(what.to_owned()));
        if !(1..=MAX_TTL_SECONDS).contains(&self.stream_token.ttl_seconds) {
            return invalid("stream_token.ttl_seconds must be from 1 to 300");
        }
        let keys = !self.stream_token.keys.expose_secret().is_empty();
        let keys_file = !self.stream_token.keys_file.is_empty();
        if keys == keys_file {
            return invalid(
                "one of stream_token.keys and stream_token.keys_file must be set, and not both",
            );
        }
        // With the reading itself, the catalog is never staler than 250 ms.
        if !(1..=200).contains(&self.catalog.poll_interval_ms) {
            return invalid("catalog.poll_interval_ms must be from 1 to 200");
        }
        if self.catalog.max_age_seconds > 60 {
            return invalid("catalog.max_age_seconds must be at most 60");
        }
        if self.catalog.consistency_wait_ms > 10_000 {
            return invalid("catalog.consistency_wait_ms must be at most 10000");
        }
        if !(1..=600).contains(&self.viewing_session.heartbeat_seconds) {
            return invalid("viewing_session.heartbeat_seconds must be from 1 to 600");
        }
        if self.catalog.cursor_seconds > 86_400 {
            return invalid("catalog.cursor_seconds must be at most 86400");
        }
        if !(1..=86_400).contains(&self.rate_limit.viewer_read_window_seconds) {
            return invalid("rate_limit.viewer_read_window_seconds must be from 1 to 86400");
        }
        if self.rate_limit.viewer_read_quota.get() > 100_000_000 {
            return invalid("rate_limit.viewer_read_quota must be at most 100000000");
        }
        if self.rate_limit.session_ceiling.get() > 1_000 {
            return invalid("rate_limit.session_ceiling must be at most 1000");
        }
        let quota_of_sessions =
            self.rate_limit.viewer_read_quota.saturating_mul(self.rate_limit.session_ceiling);
        if quota_of_sessions.get() > 1_000_000_000 {
            return invalid(
                "rate_limit.viewer_read_quota times session_ceiling must be at most 1000000000",
            );
        }
        if self.rate_limit.instances.get() > 1_000 {
            return invalid("rate_limit.instances must be at most 1000");
        }
        if !self.cors.origins.iter().all(|origin| routes::is_origin(origin)) {
            return invalid("cors.origins must be \"*\" or origins such as https://example.com");
        }
        if !(1..=10_000).contains(&self.feed.max_open) {
            return invalid("feed.max_open must be from 1 to 10000");
        }
        if self.feed.max_connections == 0 {
            return invalid("feed.max_connections must be at least 1");
        }
        if !(1..=10_000).contains(&self.feed.page_events) {
            return invalid("feed.page_events must be from 1 to 10000");
        }
        if !(1..=10_000).contains(&self.feed.head_poll_ms) {
            return invalid("feed.head_poll_ms must be from 1 to 10000");
        }
        if !(10..=600_000).contains(&self.feed.heartbeat_ms) {
            return invalid("feed.heartbeat_ms must be from 10 to 600000");
        }
        if !(100..=86_400_000).contains(&self.feed.reader_timeout_ms) {
            return invalid("feed.reader_timeout_ms must be from 100 to 86400000");
        }
        if self.kafka.brokers.is_empty() {
            return invalid("kafka.brokers (KAFKA_BROKERS) must be set");
        }
        Ok(())
    }
}

impl From<&RateLimitSettings> for rate_limit::RateLimitSettings {
    fn from(settings: &RateLimitSettings) -> Self {
        Self {
            enabled: settings.enabled,
            quota: Quota {
                requests: settings.viewer_read_quota,
                window: Duration::from_secs(settings.viewer_read_window_seconds.into()),
            },
            instances: settings.instances,
        }
    }
}
