//! What an audit tells, to people and to scripts.

use std::fmt;

use serde::Serialize;

use super::finding::Finding;

#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    pub clean: bool,
    pub from: u64,
    pub to: u64,
    pub log_head: u64,
    /// The relay's cursor: up to here the log has to be in Kafka.
    pub published_up_to: u64,
    pub looked_at: LookedAt,
    pub findings: Vec<Finding>,
    /// What is as it may be, and worth knowing.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct LookedAt {
    pub events: u64,
    pub records: u64,
    pub movies: u64,
    pub history_entries: u64,
    pub documents: u64,
    pub sessions: u64,
    pub session_events: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LookedAt { events, records, movies, history_entries, documents, .. } = self.looked_at;
        let LookedAt { sessions, session_events, .. } = self.looked_at;
        writeln!(f, "positions            {}-{}", self.from, self.to)?;
        writeln!(f, "event log ends at    {}", self.log_head)?;
        writeln!(f, "published up to      {}", self.published_up_to)?;
        writeln!(f, "looked at            {events} events in MySQL, {records} records in Kafka,")?;
        writeln!(
            f,
            "                     {movies} movies, {history_entries} entries of histories,"
        )?;
        writeln!(f, "                     {documents} documents on the catalog topic,")?;
        writeln!(
            f,
            "                     {sessions} viewing sessions, {session_events} events of theirs"
        )?;
        for note in &self.notes {
            writeln!(f, "note                 {note}")?;
        }
        for finding in &self.findings {
            writeln!(f, "\nFOUND {}: {}", finding.total, finding.what)?;
            if !finding.positions.is_empty() {
                let ranges: Vec<String> =
                    finding.positions.iter().map(ToString::to_string).collect();
                let listed: u64 =
                    finding.positions.iter().map(|range| range.to - range.from + 1).sum();
                let more = if listed < finding.total { ", and more" } else { "" };
                writeln!(f, "  positions {}{more}", ranges.join(", "))?;
            }
            for detail in &finding.details {
                writeln!(f, "  {detail}")?;
            }
            let listed = finding.details.len() as u64;
            if listed > 0 && listed < finding.total {
                writeln!(f, "  ... {} more", finding.total - listed)?;
            }
            writeln!(f, "  remedy: {}", finding.remedy)?;
        }
        writeln!(f, "\n{}", if self.clean { "all agree" } else { "NOT ALL AGREE" })
    }
}
