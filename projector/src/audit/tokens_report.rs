//! What an audit of stream tokens tells, to people and to scripts.

use std::fmt;

use marquee_domain::stream_token::StreamTokenEvent;
use serde::Serialize;

/// Of each kind, all are counted and so many are named.
const MAX_NAMED: usize = 20;

#[derive(Debug, Default, Serialize)]
pub struct TokensReport {
    /// In the topic.
    pub records: usize,
    /// Of them, by type, those that the projector has come to.
    pub issued: usize,
    pub renewed: usize,
    pub denied: usize,
    pub revoked: usize,
    /// Of them: with the row that they say.
    pub with_row: usize,
    /// Of them: parked, for an operator to look at.
    pub parked: usize,
    /// Of them: of no type that is known.
    pub other_types: usize,
    /// Of them: the projector has not come to them yet.
    pub not_projected: usize,
    /// Not in the topic yet.
    pub in_outbox: usize,
    /// Tokens that were asked about.
    pub seen: usize,
    pub seen_with_row: usize,
    /// Of them: in the outbox, or not projected yet.
    pub seen_on_their_way: usize,
    pub without_row: Named,
    pub differing: Named,
    pub without_record: Named,
}

/// Things that are wrong.
#[derive(Debug, Default, Serialize)]
pub struct Named {
    pub total: usize,
    pub first: Vec<String>,
}

impl Named {
    pub fn add(&mut self, name: String) {
        self.total += 1;
        if self.first.len() < MAX_NAMED {
            self.first.push(name);
        }
    }
}

impl TokensReport {
    pub const fn count(&mut self, event: &StreamTokenEvent) {
        match event {
            StreamTokenEvent::StreamTokenIssued(_) => self.issued += 1,
            StreamTokenEvent::StreamTokenRenewed(_) => self.renewed += 1,
            StreamTokenEvent::StreamTokenDenied(_) => self.denied += 1,
            StreamTokenEvent::StreamTokenRevoked(_) => self.revoked += 1,
        }
    }

    pub const fn clean(&self) -> bool {
        self.without_row.total == 0 && self.differing.total == 0 && self.without_record.total == 0
    }
}

impl fmt::Display for TokensReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "records in Kafka     {}, {} of them with their row",
            self.records, self.with_row
        )?;
        writeln!(
            f,
            "                     {} issued, {} renewed, {} denied, {} revoked",
            self.issued, self.renewed, self.denied, self.revoked
        )?;
        writeln!(
            f,
            "                     {} parked, {} of other types, {} not projected yet",
            self.parked, self.other_types, self.not_projected
        )?;
        writeln!(f, "in the outbox        {}", self.in_outbox)?;
        if self.seen > 0 {
            writeln!(
                f,
                "tokens asked about   {}, {} of them with their row, {} on their way",
                self.seen, self.seen_with_row, self.seen_on_their_way
            )?;
        }
        for (what, named) in [
            ("records without their row", &self.without_row),
            ("records that say other than their row", &self.differing),
            ("tokens that were given out without a record", &self.without_record),
        ] {
            if named.total > 0 {
                writeln!(f, "\nFOUND {}: {what}", named.total)?;
                for name in &named.first {
                    writeln!(f, "  {name}")?;
                }
                if named.total > named.first.len() {
                    writeln!(f, "  ... {} more", named.total - named.first.len())?;
                }
            }
        }
        let verdict =
            if self.clean() { "every token is audited" } else { "NOT EVERY TOKEN IS AUDITED" };
        writeln!(f, "\n{verdict}")
    }
}
