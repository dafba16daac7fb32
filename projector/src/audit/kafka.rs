//! `marquee.movies.v1` against the event log: every position once, in order, with the same content.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use marquee_infra::{
    event_log::{LogInspector, RecordedEvent},
    kafka::{ClientSettings, CloudEvent, partition_of},
};

use super::{
    Progress,
    finding::{Findings, Kind},
    meaning,
    positions::Positions,
    report::LookedAt,
    scan::{Record, Scan},
};

/// What was seen, for those who ask what is missing.
pub struct Seen {
    pub partitions: i32,
    pub positions: Positions,
    /// The highest position that there is, whatever the range.
    pub highest: u64,
    /// Records that repairs have added.
    pub repaired: u64,
}

/// Looks at every record, and compares those whose position is in `from..=to`.
pub async fn audit(
    client: &ClientSettings,
    topic: &str,
    log: &LogInspector,
    (from, to): (u64, u64),
    findings: &mut Findings,
    looked_at: &mut LookedAt,
    progress: &mut Progress,
) -> anyhow::Result<Seen> {
    let mut scan = Scan::start(client, topic).await?;
    progress.begin("Kafka", scan.expected);
    let mut seen = Seen {
        partitions: scan.partitions,
        positions: Positions::up_to(to),
        highest: 0,
        repaired: 0,
    };
    let mut place = Place { partition: -1, highest: 0 };
    while let Some(records) = scan.next().await? {
        progress.moved(records.len());
        let wanted: Vec<u64> = records
            .iter()
            .filter_map(|record| record.about.as_ref().ok()?.position)
            .filter(|position| (from..=to).contains(position))
            .collect();
        let logged: HashMap<u64, RecordedEvent> =
            log.at(&wanted).await?.into_iter().map(|event| (event.position, event)).collect();
        for record in &records {
            let Some((position, about)) = readable(record, findings) else { continue };
            seen.highest = seen.highest.max(position);
            seen.repaired += u64::from(record.repaired);
            let in_order = place.take(record, position);
            if !(from..=to).contains(&position) {
                continue;
            }
            looked_at.records += 1;
            let at =
                format!("{position}: partition {}, offset {}", record.partition, record.offset);
            if !seen.positions.insert(position) {
                findings.add(Kind::KafkaDouble, Some(position), &at);
            } else if !in_order {
                findings.add(Kind::KafkaOutOfOrder, Some(position), &at);
            }
            let key = record.key.as_deref().unwrap_or_default();
            if partition_of(key, scan.partitions) != record.partition {
                findings.add(Kind::KafkaPartition, Some(position), &at);
            }
            match logged.get(&position) {
                None => findings.add(Kind::KafkaNotInLog, Some(position), &at),
                Some(event) => {
                    let differing = differences(record, about, event);
                    if !differing.is_empty() {
                        let detail = format!("{at}: {}", differing.join(", "));
                        findings.add(Kind::KafkaDiffers, Some(position), detail);
                    }
                }
            }
        }
    }
    // The log grows while Kafka is read, and before Kafka does.
    let head = log.ends().await?.head;
    if seen.highest > head {
        let detail = format!("{}: the log ends at {head}", seen.highest);
        findings.add(Kind::KafkaNotInLog, Some(seen.highest), detail);
    }
    Ok(seen)
}

fn readable<'a>(record: &'a Record, findings: &mut Findings) -> Option<(u64, &'a CloudEvent)> {
    let error = match &record.about {
        Ok(about) => match about.position {
            Some(position) => return Some((position, about)),
            None => "it has no position".to_owned(),
        },
        Err(error) => error.to_string(),
    };
    let Record { partition, offset, .. } = record;
    let detail = format!("partition {partition}, offset {offset}: {error}");
    findings.add(Kind::KafkaUnreadable, None, detail);
    None
}

/// How far the partition that is being read has come.
struct Place {
    partition: i32,
    highest: u64,
}

impl Place {
    /// Whether the record is where it belongs, as far as its order goes.
    fn take(&mut self, record: &Record, position: u64) -> bool {
        if self.partition != record.partition {
            *self = Self { partition: record.partition, highest: 0 };
        }
        let in_order = position > self.highest;
        self.highest = self.highest.max(position);
        in_order || record.repaired
    }
}

fn differences(record: &Record, about: &CloudEvent, event: &RecordedEvent) -> Vec<&'static str> {
    let logged = CloudEvent::from(event);
    let time = |event: &CloudEvent| -> DateTime<Utc> { event.time };
    let value = record.value.as_deref().and_then(|value| std::str::from_utf8(value).ok());
    [
        ("key", record.key_text() == Some(&logged.subject)),
        ("value", value.is_some_and(|value| meaning::same_text(value, event.payload.get()))),
        ("ce_id", about.id == logged.id),
        ("ce_type", about.event_type == logged.event_type),
        ("ce_source", about.source == logged.source),
        ("ce_subject", about.subject == logged.subject),
        ("ce_time", time(about) == time(&logged)),
        ("ce_sequence", about.sequence == logged.sequence),
        ("ce_actor", about.actor == logged.actor),
        ("ce_command", about.command == logged.command),
        ("ce_requestid", about.request_id == logged.request_id),
    ]
    .into_iter()
    .filter_map(|(name, same)| (!same).then_some(name))
    .collect()
}
