//! The catalog's tables against the event log, movie by movie: each row and history has to be what
//! the movie's events add up to, as of the row's version, and no older than its partition's
//! checkpoint. The events' sequences are looked at on the way.

mod ahead;
mod expected;
mod rows;

use std::collections::BTreeSet;

use marquee_domain::{Movie, MovieId};
use marquee_infra::{
    event_log::{EventReader, LogInspector, RecordedEvent},
    kafka::partition_of,
};
use sqlx::{MySqlConnection, MySqlPool};

use self::{
    ahead::{Events, History},
    rows::{Columns, HistoryEntry, MovieRow, Page},
};
use super::{
    Progress,
    documents::{Documents, Expected},
    finding::{Findings, Kind},
    meaning,
    report::LookedAt,
};
use crate::{
    catalog::{Fold, RefillError, decode_recorded, refill},
    catalog_topic::MovieDocument,
};

/// So many movies are remembered for a repair; more need another one.
const MAX_REPAIRS: usize = 100_000;

/// What a repair can mend.
#[derive(Debug, Default)]
pub struct ToMend {
    /// To be projected anew.
    pub movies: BTreeSet<MovieId>,
    /// Partitions whose documents are to be published anew.
    pub partitions: BTreeSet<i32>,
}

impl ToMend {
    pub fn is_empty(&self) -> bool {
        self.movies.is_empty() && self.partitions.is_empty()
    }
}

pub struct Auditor<'a> {
    pub pool: &'a MySqlPool,
    pub log: &'a LogInspector,
    pub topic: &'a str,
    /// Of the movie events' topic.
    pub partitions: i32,
    pub documents: Documents,
    pub findings: &'a mut Findings,
    pub looked_at: &'a mut LookedAt,
    pub to_mend: ToMend,
    /// How many movies have parked records.
    pub parked: usize,
    /// Rows whose state an older version wrote.
    pub older_states: usize,
}

impl Auditor<'_> {
    pub async fn run(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let movies: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM catalog_movies").fetch_one(self.pool).await?;
        progress.begin("read models", movies.unsigned_abs());
        let mut connection = self.pool.acquire().await?;
        let mut after = String::new();
        loop {
            let mut page = Page::read(&mut connection, self.topic, &after).await?;
            progress.moved(page.rows.len());
            self.parked += page.parked.len();
            for orphan in std::mem::take(&mut page.orphans) {
                self.findings.add(Kind::RowSurplus, None, orphan);
            }
            self.page(&mut page, &after).await?;
            let (up_to, is_last) = (page.up_to.clone(), page.is_last);
            page.close().await?;
            if is_last {
                return Ok(());
            }
            after = up_to;
        }
    }

    async fn page(&mut self, page: &mut Page<'_>, after: &str) -> anyhow::Result<()> {
        let mut events = Events::behind(self.log.clone(), after, &page.up_to);
        let mut history = History::behind(after);
        loop {
            let next = [
                events.peek().await?.map(|event| event.movie_id),
                history.peek(page).await?.map(|entry| entry.movie_id),
                page.rows.keys().next().copied(),
            ];
            let Some(movie_id) = next.into_iter().flatten().min() else { return Ok(()) };
            let row = page.rows.remove(&movie_id);
            let mut audit = MovieAudit::new(movie_id, row, page, self.partitions);
            while let Some(event) = events.next_of(movie_id).await? {
                audit.event(event, &mut history, page, self).await?;
            }
            while let Some(entry) = history.next_of(page, movie_id).await? {
                self.looked_at.history_entries += 1;
                audit.surplus(&entry, self);
            }
            self.looked_at.movies += 1;
            audit.finish(page, self);
        }
    }
}

/// One movie while its events are read.
struct MovieAudit {
    movie_id: MovieId,
    row: Option<MovieRow>,
    fold: Fold,
    partition: i32,
    /// The rows have everything up to here, if all is well.
    checkpoint: u64,
    sequence: u64,
    position: u64,
    /// Its events can't be folded.
    broken: bool,
    /// The first event that the row should know and does not.
    behind: Option<u64>,
    has_finding: bool,
}

impl MovieAudit {
    fn new(movie_id: MovieId, row: Option<MovieRow>, page: &Page<'_>, partitions: i32) -> Self {
        let partition = partition_of(movie_id.to_string().as_bytes(), partitions);
        let is_parked = page.parked.contains(&movie_id);
        let checkpoint = page.checkpoints.get(&partition).filter(|_| !is_parked);
        Self {
            movie_id,
            row,
            fold: Fold::absent(movie_id),
            partition,
            checkpoint: checkpoint.map_or(0, |checkpoint| checkpoint.position),
            sequence: 0,
            position: 0,
            broken: false,
            behind: None,
            has_finding: false,
        }
    }

    fn version(&self) -> u64 {
        self.row.as_ref().map_or(0, |row| row.version)
    }

    fn found(&mut self, auditor: &mut Auditor<'_>, kind: Kind, position: u64, detail: &str) {
        let detail = format!("{position}: movie {}{detail}", self.movie_id);
        auditor.findings.add(kind, Some(position), detail);
        self.has_finding = true;
    }

    async fn event(
        &mut self,
        event: RecordedEvent,
        history: &mut History,
        page: &mut Page<'_>,
        auditor: &mut Auditor<'_>,
    ) -> anyhow::Result<()> {
        let (sequence, position) = (event.sequence, event.position);
        if sequence != self.sequence + 1 || position <= self.position {
            let detail = format!(
                ", event {sequence} at {position} after event {} at {}",
                self.sequence, self.position
            );
            auditor.findings.add(
                Kind::LogSequence,
                Some(position),
                format!("{position}: movie {}{detail}", self.movie_id),
            );
            self.broken |= sequence != self.sequence + 1;
        }
        (self.sequence, self.position) = (sequence, position);
        if sequence > self.version() {
            if position <= self.checkpoint && self.behind.is_none() {
                self.behind = Some(position);
            }
            return Ok(());
        }
        let mut entry = None;
        while let Some(next) = history.next_up_to(page, self.movie_id, sequence).await? {
            auditor.looked_at.history_entries += 1;
            if next.version < sequence {
                self.surplus(&next, auditor);
            } else {
                entry = Some(next);
            }
        }
        let decoded = match decode_recorded(self.movie_id, event) {
            Ok(decoded) => decoded,
            Err(error) => {
                let detail = format!("{position}: movie {}: {error}", self.movie_id);
                auditor.findings.add(Kind::LogUnreadable, Some(position), detail);
                self.broken = true;
                return Ok(());
            }
        };
        match &entry {
            None => {
                let detail = format!(", version {sequence}");
                self.found(auditor, Kind::HistoryMissing, position, &detail);
            }
            Some(entry) => {
                let differing = differing(&expected::history(&decoded.entry), &entry.columns);
                if !differing.is_empty() {
                    let detail = format!(", version {sequence}: {}", differing.join(", "));
                    self.found(auditor, Kind::HistoryDiffers, position, &detail);
                }
            }
        }
        if !self.broken {
            if let Err(error) = self.fold.apply(decoded) {
                let detail = format!("{position}: movie {}: {error}", self.movie_id);
                auditor.findings.add(Kind::LogUnreadable, Some(position), detail);
                self.broken = true;
            }
            // A movie may have any number of events.
            self.fold.history.clear();
        }
        Ok(())
    }

    fn surplus(&mut self, entry: &HistoryEntry, auditor: &mut Auditor<'_>) {
        let detail = format!(", version {}", entry.version);
        self.found(auditor, Kind::HistorySurplus, entry.position, &detail);
    }

    fn finish(mut self, page: &Page<'_>, auditor: &mut Auditor<'_>) {
        match self.row.take() {
            None => {
                if let Some(position) = self.behind {
                    self.found(auditor, Kind::RowMissing, position, "");
                }
            }
            Some(row) if self.sequence == 0 => {
                self.found(auditor, Kind::RowSurplus, row.position, ", no event");
                auditor.documents.forget(self.movie_id);
            }
            Some(row) => {
                if row.version > self.sequence {
                    let detail = format!(", version {} of {}", row.version, self.sequence);
                    self.found(auditor, Kind::RowSurplus, row.position, &detail);
                } else if !self.broken {
                    self.compare(&row, auditor);
                }
                if let Some(position) = self.behind {
                    let detail = format!(", version {}", row.version);
                    self.found(auditor, Kind::RowBehind, position, &detail);
                }
                self.document(&row, page, auditor);
            }
        }
        let can_mend = !self.broken && !page.parked.contains(&self.movie_id);
        if self.has_finding && can_mend && auditor.to_mend.movies.len() < MAX_REPAIRS {
            auditor.to_mend.movies.insert(self.movie_id);
        }
    }

    fn compare(&mut self, row: &MovieRow, auditor: &mut Auditor<'_>) {
        let expected = expected::row(&self.fold, self.partition).unwrap_or_default();
        let mut differing = differing(&expected, &row.columns);
        match serde_json::from_str::<Movie>(row.state.get()) {
            Ok(Movie::Absent) | Err(_) => auditor.older_states += 1,
            Ok(state) if state != self.fold.movie => differing.push("state"),
            Ok(_) => {}
        }
        if !differing.is_empty() {
            let detail = format!(", version {}: {}", row.version, differing.join(", "));
            self.found(auditor, Kind::RowDiffers, row.position, &detail);
        }
    }

    /// Compares what the topic has with the row's state; with the fold, where an older version wrote
    /// the state.
    fn document(&self, row: &MovieRow, page: &Page<'_>, auditor: &mut Auditor<'_>) {
        let state = serde_json::from_str(row.state.get()).unwrap_or_default();
        let movie = match &state {
            Movie::Absent if self.broken => return auditor.documents.forget(self.movie_id),
            Movie::Absent => &self.fold.movie,
            state => state,
        };
        let listed = movie.listed().filter(|_| !row.removed);
        let document =
            listed.map(|movie| MovieDocument::of(movie.clone(), row.version, row.position));
        let expected = Expected {
            movie_id: self.movie_id,
            version: row.version,
            position: row.position,
            partition: row.partition,
            document: document.as_ref(),
        };
        let checkpoint = page.checkpoints.get(&row.partition);
        if auditor.documents.compare(&expected, checkpoint, auditor.findings) {
            auditor.to_mend.partitions.insert(row.partition);
        }
    }
}

/// Which columns of a movie's rows are not what its events add up to, as of the row's version, in
/// words; none if all are, or if it has no row.
pub async fn check_movie(
    connection: &mut MySqlConnection,
    log: &EventReader,
    topic: &str,
    movie_id: MovieId,
    partition: i32,
) -> anyhow::Result<Option<String>> {
    let mut page = Page::of(connection, topic, movie_id).await?;
    let row = page.rows.remove(&movie_id);
    page.close().await?;
    let Some(row) = row else { return Ok(None) };
    let mut fold = Fold::absent(movie_id);
    match refill(log, &mut fold, row.version).await {
        Ok(()) => {}
        Err(RefillError::Log(failure)) => return Err(failure.into()),
        Err(error) => return Ok(Some(error.to_string())),
    }
    let expected = expected::row(&fold, partition).unwrap_or_default();
    let differing = differing(&expected, &row.columns).join(", ");
    Ok((!differing.is_empty()).then_some(differing))
}

fn differing(expected: &Columns, actual: &Columns) -> Vec<&'static str> {
    let is_other = |(name, value): &(&&'static str, &serde_json::Value)| {
        !actual.get(**name).is_some_and(|found| meaning::same(value, found))
    };
    expected.iter().filter(is_other).map(|(name, _)| *name).collect()
}
