//! `projector audit`: proves that the event log, Kafka and the read models agree, or tells where not.
//!
//! It runs beside a live system: it joins no consumer group, takes no lock, and compares everything
//! with what must be there by then, whatever else has come since. What it holds in memory is a page of
//! each source, a bit for each position, and 40 bytes for each movie on the catalog topic.

mod command;
mod documents;
mod finding;
mod kafka;
mod log;
mod meaning;
mod positions;
mod progress;
pub(crate) mod read_models;
mod repair;
mod report;
mod scan;
mod sessions;
mod tokens;
mod tokens_report;

use anyhow::Context;
use marquee_infra::{event_log::LogInspector, kafka::CursorStore};
use sqlx::MySqlPool;

pub use self::{
    command::{AuditArgs, command},
    finding::{Finding, Kind},
    positions::Range,
    report::{LookedAt, Report},
    scan::REPAIRED_AT,
    tokens::{AuditTokensArgs, command as tokens_command},
};
use self::{
    documents::Documents,
    finding::Findings,
    positions::{Positions, ranges},
    progress::Progress,
    read_models::{Auditor, ToMend},
};
use crate::{
    catalog_topic::{self, CatalogTopicSettings},
    settings::Settings,
};

/// Where the relay keeps its cursor, and in the name of which partition.
const RELAY_GROUP: &str = "marquee.relay.v1";
const RELAY_PARTITION: i32 = 0;

/// A range of positions to look at, and nothing else; all of it and the read models if none is given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope {
    pub from: Option<u64>,
    pub to: Option<u64>,
}

impl Scope {
    pub const fn is_all(self) -> bool {
        self.from.is_none() && self.to.is_none()
    }
}

/// What was found, and what a repair needs to know.
#[derive(Debug)]
struct Outcome {
    report: Report,
    /// Of the topic of movie events.
    partitions: i32,
    /// Positions that the log has and Kafka has not.
    missing: Vec<Range>,
    to_mend: ToMend,
}

async fn run(
    pool: &MySqlPool,
    settings: &Settings,
    scope: Scope,
    progress: &mut Progress,
) -> anyhow::Result<Outcome> {
    let topics = settings.topics.names();
    let log = LogInspector::new(pool.clone());
    let mut findings = Findings::default();
    let mut looked_at = LookedAt::default();
    let mut notes = Vec::new();

    // Before Kafka's ends are asked for: up to the cursors, everything is there by then.
    let cursor = relay_cursor(pool, settings).await?;
    let catalog_topic = CatalogTopicSettings::new(settings.kafka.clone(), &settings.topics);
    let head = log.ends().await.context("the event log can't be read")?.head;
    let from = scope.from.unwrap_or(1).max(1);
    let to = scope.to.unwrap_or(head).min(head);

    let present = log::audit(&log, from, to, &mut findings, &mut looked_at, progress).await?;
    let seen = kafka::audit(
        &settings.kafka,
        &topics.movies,
        &log,
        (from, to),
        &mut findings,
        &mut looked_at,
        progress,
    )
    .await?;
    let published_up_to = cursor.unwrap_or_else(|| {
        notes.push("the relay has no cursor: the highest position in Kafka is taken for it".into());
        seen.highest
    });
    if seen.repaired > 0 {
        notes.push(format!("{} records were added by repairs, behind later ones", seen.repaired));
    }
    let missing = missing(from, to.min(published_up_to), &present, &seen.positions);
    for range in &missing {
        findings.add_range(Kind::KafkaMissing, *range);
    }

    let mut to_mend = ToMend::default();
    if scope.is_all() {
        let partitions = seen.partitions;
        let cursors = catalog_topic::cursors(&catalog_topic, (0..partitions).collect()).await?;
        let documents = Documents::read(
            &settings.kafka,
            &topics.catalog,
            cursors,
            &mut findings,
            &mut looked_at,
            progress,
        )
        .await?;
        let mut auditor = Auditor {
            pool,
            log: &log,
            topic: &topics.movies,
            partitions,
            documents,
            findings: &mut findings,
            looked_at: &mut looked_at,
            to_mend,
            parked: 0,
            older_states: 0,
        };
        auditor.run(progress).await.context("the read models can't be compared")?;
        if auditor.parked > 0 {
            notes.push(format!("{} movies have parked records, and may be behind", auditor.parked));
        }
        if auditor.older_states > 0 {
            notes.push(format!("{} rows' states are of an older form", auditor.older_states));
        }
        let Auditor { documents, to_mend: mendable, .. } = auditor;
        documents.finish(&mut findings);
        to_mend = mendable;
        let topic = &topics.viewing_sessions;
        sessions::audit(pool, &settings.kafka, topic, &mut findings, &mut looked_at, progress)
            .await?;
    } else {
        notes.push("a range: sequences, read models and the catalog topic were left out".into());
    }

    let findings = findings.into_list();
    let clean = findings.is_empty();
    let report =
        Report { clean, from, to, log_head: head, published_up_to, looked_at, findings, notes };
    Ok(Outcome { report, partitions: seen.partitions, missing, to_mend })
}

fn missing(from: u64, to: u64, present: &Positions, seen: &Positions) -> Vec<Range> {
    ranges(from, to, |position| present.contains(position) && !seen.contains(position)).collect()
}

/// Up to which position the relay has published the log; none if nobody knows.
pub(crate) async fn relay_cursor(
    pool: &MySqlPool,
    settings: &Settings,
) -> anyhow::Result<Option<u64>> {
    let (client, topics) = (settings.kafka.clone(), settings.topics.clone());
    let marks = tokio::task::spawn_blocking(move || {
        CursorStore::open(&client, &topics.group(RELAY_GROUP), &topics.names().movies)?
            .marks(&[RELAY_PARTITION])
    })
    .await?
    .context("Kafka can't be asked for the relay's cursor")?;
    if let Some(mark) = marks.first() {
        return Ok(u64::try_from(mark.offset).ok());
    }
    // The cursor of at-least-once mode.
    let position: u64 = sqlx::query_scalar("SELECT position FROM relay_lease WHERE id = 1")
        .fetch_one(pool)
        .await
        .context("MySQL can't be asked for the relay's cursor")?;
    Ok((position > 0).then_some(position))
}
