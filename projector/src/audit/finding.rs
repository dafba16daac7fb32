//! What an audit can find, and what it found: all of it counted, the beginning of it kept.

use std::collections::BTreeMap;

use serde::Serialize;

use super::positions::Range;

/// Of each kind so many ranges and lines are kept; the total counts all.
const MAX_RANGES: usize = 200;
const MAX_DETAILS: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    LogHead,
    LogMissing,
    LogSequence,
    LogUnreadable,
    KafkaMissing,
    KafkaDouble,
    KafkaOutOfOrder,
    KafkaPartition,
    KafkaDiffers,
    KafkaNotInLog,
    KafkaUnreadable,
    RowMissing,
    RowSurplus,
    RowDiffers,
    RowBehind,
    HistoryMissing,
    HistorySurplus,
    HistoryDiffers,
    DocumentMissing,
    DocumentSurplus,
    DocumentDiffers,
    DocumentOutOfOrder,
    SessionMissing,
    SessionLacks,
    SessionDiffers,
}

impl Kind {
    pub const fn what(self) -> &'static str {
        match self {
            Self::LogHead => "the head row and the last event of the log disagree",
            Self::LogMissing => "positions that are missing in the event log",
            Self::LogSequence => "events that are not in their movie's sequence",
            Self::LogUnreadable => "events that can't be read, or can't happen to their movie",
            Self::KafkaMissing => "positions that are missing in Kafka",
            Self::KafkaDouble => "positions that are in Kafka more than once",
            Self::KafkaOutOfOrder => "positions that come after a later one in their partition",
            Self::KafkaPartition => "positions in a partition that is not their key's",
            Self::KafkaDiffers => "records that are not what the event log has",
            Self::KafkaNotInLog => "records whose position the event log does not have",
            Self::KafkaUnreadable => "records that are no movie events",
            Self::RowMissing => "movies that have no row",
            Self::RowSurplus => "rows that no event accounts for",
            Self::RowDiffers => "rows that are not what the movie's events add up to",
            Self::RowBehind => "rows that are older than their partition's checkpoint",
            Self::HistoryMissing => "events that are missing in a movie's history",
            Self::HistorySurplus => "entries of a history that no event accounts for",
            Self::HistoryDiffers => "entries of a history that are not what the event log has",
            Self::DocumentMissing => "movies that are missing on the catalog topic",
            Self::DocumentSurplus => "movies on the catalog topic that have no row",
            Self::DocumentDiffers => "documents on the catalog topic that are not the row's",
            Self::DocumentOutOfOrder => "documents that come after a later version of their movie",
            Self::SessionMissing => "events of viewing sessions that have no row",
            Self::SessionLacks => "events that are not in their viewing session's row",
            Self::SessionDiffers => {
                "viewing sessions that are not what their row's events add up to"
            }
        }
    }

    /// What mends it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::LogHead | Self::LogMissing | Self::LogSequence | Self::LogUnreadable => {
                "nothing here: the log is the truth; restore it from a backup"
            }
            Self::KafkaMissing => "projector audit --repair",
            Self::KafkaDouble | Self::KafkaOutOfOrder => {
                "nothing: Kafka is only ever added to; consumers go by ce_position"
            }
            Self::KafkaPartition
            | Self::KafkaDiffers
            | Self::KafkaNotInLog
            | Self::KafkaUnreadable => {
                "nothing here: find who wrote it; Kafka is only ever added to"
            }
            Self::RowMissing
            | Self::RowSurplus
            | Self::RowDiffers
            | Self::RowBehind
            | Self::HistoryMissing
            | Self::HistorySurplus
            | Self::HistoryDiffers => "projector audit --repair projects these movies anew",
            Self::DocumentMissing | Self::DocumentDiffers => {
                "projector audit --repair has the documents published anew"
            }
            Self::DocumentSurplus | Self::DocumentOutOfOrder => {
                "delete the topic while no projector runs: it is filled anew"
            }
            Self::SessionMissing | Self::SessionLacks => {
                "have the topic read again (runbook.md): what is there already does no harm"
            }
            Self::SessionDiffers => "delete these rows and have the topic read again (runbook.md)",
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub kind: Kind,
    pub what: &'static str,
    pub total: u64,
    /// In the event log, as far as they are known: the first of them.
    pub positions: Vec<Range>,
    /// The first of them in words.
    pub details: Vec<String>,
    pub remedy: &'static str,
}

#[derive(Debug, Default)]
pub struct Findings(BTreeMap<Kind, Finding>);

impl Findings {
    pub fn add(&mut self, kind: Kind, position: Option<u64>, detail: impl Into<String>) {
        let finding = self.of(kind);
        finding.total += 1;
        if let Some(position) = position {
            push(&mut finding.positions, Range { from: position, to: position });
        }
        let detail = detail.into();
        if finding.details.len() < MAX_DETAILS && !detail.is_empty() {
            finding.details.push(detail);
        }
    }

    pub fn add_range(&mut self, kind: Kind, range: Range) {
        let finding = self.of(kind);
        finding.total += range.to - range.from + 1;
        push(&mut finding.positions, range);
    }

    fn of(&mut self, kind: Kind) -> &mut Finding {
        self.0.entry(kind).or_insert_with(|| Finding {
            kind,
            what: kind.what(),
            total: 0,
            positions: Vec::new(),
            details: Vec::new(),
            remedy: kind.remedy(),
        })
    }

    pub fn into_list(self) -> Vec<Finding> {
        self.0.into_values().collect()
    }
}

fn push(ranges: &mut Vec<Range>, range: Range) {
    if let Some(last) = ranges.last_mut()
        && last.to + 1 == range.from
    {
        last.to = range.to;
    } else if ranges.len() < MAX_RANGES {
        ranges.push(range);
    }
}
