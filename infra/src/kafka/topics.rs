//! The topics: their names, their settings, and making sure that they are as they should be.

use std::time::Duration;

use rdkafka::{
    admin::{
        AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
    },
    config::FromClientConfigAndContext,
    error::{KafkaError, RDKafkaErrorCode},
};
use serde::Deserialize;
use thiserror::Error;

use super::{ClientSettings, QuietContext};

const TIMEOUT: Duration = Duration::from_secs(10);
/// A dead letter is larger than the record that it is a copy of, which may come from a topic that
/// takes more than the broker's default of 1 MiB.
const MAX_DEAD_LETTER_BYTES: u32 = 32 << 20;

/// The topics' names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Every movie event, for ever. Key: the movie's id.
    pub movies: String,
    /// StreamTokenIssued, Renewed, Denied, Revoked. Key: the viewer context.
    pub stream_tokens: String,
    /// What happened in viewing sessions. Key: the session's id.
    pub viewing_sessions: String,
    /// The latest catalog document of each movie, compacted. Key: the movie's id.
    pub catalog: String,
    /// Copies of records that a projection could not read. Key: as in the record's own topic.
    pub dead_letters: String,
}

impl Topics {
    /// With a prefix, several installations, or tests, share a cluster. It is empty in production.
    pub fn with_prefix(prefix: &str) -> Self {
        let name = |topic: &str| format!("{prefix}marquee.{topic}.v1");
        Self {
            movies: name("movies"),
            stream_tokens: name("stream-tokens"),
            viewing_sessions: name("viewing-sessions"),
            catalog: name("catalog"),
            dead_letters: name("dead-letters"),
        }
    }

    /// All of them.
    pub fn names(&self) -> [&str; 5] {
        let Self { movies, stream_tokens, viewing_sessions, catalog, dead_letters } = self;
        [movies, stream_tokens, viewing_sessions, catalog, dead_letters]
    }
}

impl Default for Topics {
    fn default() -> Self {
        Self::with_prefix("")
    }
}

/// How topics are made. An existing topic's partitions and replicas are left as they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopicSettings {
    pub partitions: i32,
    /// -1: the broker's default.
    pub replication_factor: i32,
    /// None: the broker's default.
    pub min_insync_replicas: Option<u16>,
    /// How long viewer facts and dead letters are kept.
    pub retention_days: u32,
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self {
            partitions: 6,
            replication_factor: -1,
            min_insync_replicas: None,
            retention_days: 90,
        }
    }
}

/// What [`ensure_topics`] found of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFound {
    pub topic: String,
    pub created: bool,
    /// False when the broker does not tell a topic's settings.
    pub checked: bool,
}

#[derive(Debug, Error)]
pub enum TopicsError {
    #[error("Kafka's administration can't be reached")]
    Unavailable(#[source] KafkaError),
    #[error("Kafka refused to make or describe topic {topic}")]
    Refused { topic: String, source: RDKafkaErrorCode },
    #[error(
        "topic {topic} has {setting}={found}, which would lose what is kept in it; it has to be {expected}"
    )]
    Incompatible { topic: String, setting: String, found: String, expected: String },
}

/// Makes what is missing, and refuses an existing topic that would lose events.
/// Running it again, or from several services at once, changes nothing.
pub async fn ensure_topics(
    client: &ClientSettings,
    topics: &Topics,
    settings: &TopicSettings,
) -> Result<Vec<TopicFound>, TopicsError> {
    ensure(client, &plans(topics, settings), settings).await
}

/// The same for a copy of the log: a topic of any name that is kept for ever, like the log's own.
pub async fn ensure_log_topic(
    client: &ClientSettings,
    topic: &str,
    settings: &TopicSettings,
) -> Result<(), TopicsError> {
    ensure(client, &[log_plan(topic, settings)], settings).await.map(|_| ())
}

async fn ensure(
    client: &ClientSettings,
    plans: &[Plan],
    settings: &TopicSettings,
) -> Result<Vec<TopicFound>, TopicsError> {
    let admin = AdminClient::from_config_and_context(&client.client_config(), QuietContext)
        .map_err(TopicsError::Unavailable)?;
    let options =
        AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT));
    let requests: Vec<NewTopic<'_>> = plans.iter().map(|plan| plan.request(settings)).collect();
    let results =
        admin.create_topics(&requests, &options).await.map_err(TopicsError::Unavailable)?;
    let mut found = Vec::with_capacity(plans.len());
    for result in results {
        let (topic, created) = match result {
            Ok(topic) => (topic, true),
            Err((topic, RDKafkaErrorCode::TopicAlreadyExists)) => (topic, false),
            Err((topic, source)) => return Err(TopicsError::Refused { topic, source }),
        };
        found.push(TopicFound { topic, created, checked: false });
    }

    let existing: Vec<&Plan> = plans
        .iter()
        .filter(|plan| found.iter().any(|one| !one.created && one.topic == plan.topic))
        .collect();
    let specifiers: Vec<_> =
        existing.iter().map(|plan| ResourceSpecifier::Topic(&plan.topic)).collect();
    if specifiers.is_empty() {
        return Ok(found);
    }
    let described =
        admin.describe_configs(&specifiers, &options).await.map_err(TopicsError::Unavailable)?;
    for (plan, described) in existing.into_iter().zip(described) {
        match described {
            Ok(actual) => {
                plan.check(&actual)?;
                found
                    .iter_mut()
                    .filter(|one| one.topic == plan.topic)
                    .for_each(|one| one.checked = true);
            }
            Err(RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion) => {}
            Err(source) => {
                return Err(TopicsError::Refused { topic: plan.topic.clone(), source });
            }
        }
    }
    Ok(found)
}

/// What a topic has to be like.
struct Plan {
    topic: String,
    /// Set at creation; an operator may choose otherwise later.
    chosen: Vec<(&'static str, String)>,
    /// Set at creation; events would be lost if it were otherwise.
    needed: Vec<(&'static str, &'static str)>,
}

fn plans(topics: &Topics, settings: &TopicSettings) -> [Plan; 5] {
    let retention = ("retention.ms", (u64::from(settings.retention_days) * 86_400_000).to_string());
    let min_insync = min_insync(settings);
    let kept_for_a_while = |topic: &str| Plan {
        topic: topic.to_owned(),
        chosen: [min_insync.clone(), vec![retention.clone()]].concat(),
        needed: vec![("cleanup.policy", "delete")],
    };
    let mut dead_letters = kept_for_a_while(&topics.dead_letters);
    dead_letters.chosen.push(("max.message.bytes", MAX_DEAD_LETTER_BYTES.to_string()));
    [
        log_plan(&topics.movies, settings),
        Plan {
            topic: topics.catalog.clone(),
            chosen: min_insync.clone(),
            needed: vec![("cleanup.policy", "compact")],
        },
        kept_for_a_while(&topics.stream_tokens),
        kept_for_a_while(&topics.viewing_sessions),
        dead_letters,
    ]
}

/// Kept for ever.
fn log_plan(topic: &str, settings: &TopicSettings) -> Plan {
    Plan {
        topic: topic.to_owned(),
        chosen: min_insync(settings),
        needed: vec![
            ("cleanup.policy", "delete"),
            ("retention.ms", "-1"),
            ("retention.bytes", "-1"),
        ],
    }
}

fn min_insync(settings: &TopicSettings) -> Vec<(&'static str, String)> {
    let replicas = settings.min_insync_replicas.iter();
    replicas.map(|replicas| ("min.insync.replicas", replicas.to_string())).collect()
}

impl Plan {
    fn request(&self, settings: &TopicSettings) -> NewTopic<'_> {
        let replication = TopicReplication::Fixed(settings.replication_factor);
        let mut topic = NewTopic::new(&self.topic, settings.partitions, replication);
        for (name, value) in &self.chosen {
            topic = topic.set(name, value);
        }
        for (name, value) in &self.needed {
            topic = topic.set(name, value);
        }
        topic
    }

    fn check(&self, actual: &ConfigResource) -> Result<(), TopicsError> {
        for (setting, expected) in &self.needed {
            let found = actual.get(setting).and_then(|entry| entry.value.as_deref());
            if let Some(found) = found
                && found != *expected
            {
                return Err(TopicsError::Incompatible {
                    topic: self.topic.clone(),
                    setting: (*setting).to_owned(),
                    found: found.to_owned(),
                    expected: (*expected).to_owned(),
                });
            }
        }
        Ok(())
    }
}
