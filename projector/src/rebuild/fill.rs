//! Filling a set of tables that is not in use, from the event log: page by page in the order of
//! positions, a transaction for each, with the set's own checkpoint in it.
//!
//! Up to its position the set has every event of every movie, but for movies whose events can't be
//! applied: these stay at their last good version, as they do when the consumers park an event.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};

use marquee_domain::MovieId;
use marquee_infra::{
    clock,
    event_log::{EventFilter, EventLogError, EventPage, EventReader, RecordedEvent},
};
use sqlx::{MySqlConnection, types::Json};
use tokio::{sync::mpsc, time::sleep};

use super::{
    cache::Cache,
    error::RebuildError,
    session::Session,
    sets::{Broken, Contents},
};
use crate::{
    catalog::{
        Fold, Next, RefillError, Stored, TableSet, decode_recorded, load_movies, refill,
        write_history, write_movies,
    },
    failure::Failure,
    progress_bar::Progress,
    replay::Throttle,
};

/// Large, because each movie of a page is written once, however many events it has there.
const PAGE_EVENTS: usize = 4_000;
/// Pages that are ready while one is written.
const READ_AHEAD: usize = 1;
/// With more than these, something else is wrong than a movie.
const MAX_BROKEN: usize = 1_000;

pub struct Filler<'a> {
    pub session: &'a Session,
    pub set: TableSet,
    pub contents: Contents,
    cache: Cache,
}

impl<'a> Filler<'a> {
    pub fn new(session: &'a Session, set: TableSet, contents: Contents) -> Self {
        Self { session, set, contents, cache: Cache::default() }
    }

    /// Goes on to where the log ends now.
    pub async fn fill(&mut self, rate: Option<NonZeroU32>) -> Result<(), RebuildError> {
        let throttle = Throttle::new(rate);
        let size = if rate.is_some() { throttle.slice().min(PAGE_EVENTS) } else { PAGE_EVENTS };
        let head = self.session.log.head().await?;
        self.contents.log_head = self.contents.log_head.max(head);
        let mut progress = Progress::new("events", head, self.contents.position);
        let mut pages = pages(self.session.log.clone(), self.contents.position, size);
        while let Some(page) = pages.recv().await {
            let page = page?;
            while let Err(wait) = throttle.take(page.events.len()) {
                sleep(wait).await;
            }
            self.page(page).await?;
            progress.extend(self.contents.log_head);
            progress.reached(self.contents.position);
        }
        progress.clear();
        Ok(())
    }

    /// Applies the page, histories beside movies: MySQL copies them from the log, which spares them the
    /// way to us and back. They may be committed and the movies not: copied again, they are the same.
    async fn page(&mut self, page: EventPage) -> Result<(), RebuildError> {
        let (after, up_to) = (self.contents.position, page.scanned_to);
        let mut tx = self.session.begin().await?;
        let mut batch = self.fold(&mut tx, page.events).await?;
        if batch.refilled {
            self.write_movies(&mut tx, &mut batch).await?;
            self.write_history(&mut tx, &batch, |_| true).await?;
        } else {
            let mut side = self.session.begin().await?;
            self.lock(&mut side).await?;
            let copy = self.copy_history();
            let (movies, history) = tokio::join!(
                self.write_movies(&mut tx, &mut batch),
                sqlx::query(&copy).bind(after).bind(up_to).execute(&mut *side),
            );
            movies?;
            history?;
            side.commit().await?;
            let broken = |fold: &Fold| self.contents.broken.contains_key(&fold.movie_id);
            self.write_history(&mut tx, &batch, broken).await?;
        }
        self.end_page(&mut tx, batch, up_to).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Applies the page in the transaction that `connection` is in, and nothing beside it: under
    /// `LOCK TABLES`, the log can't be read. After an error the filler is not what the tables are, and
    /// is good for nothing.
    pub async fn apply(
        &mut self,
        connection: &mut MySqlConnection,
        page: EventPage,
    ) -> Result<(), RebuildError> {
        let mut batch = self.fold(connection, page.events).await?;
        self.write_movies(connection, &mut batch).await?;
        self.write_history(connection, &batch, |_| true).await?;
        self.end_page(connection, batch, page.scanned_to).await
    }

    /// The movies of the events with the events applied; nothing is written yet.
    async fn fold(
        &mut self,
        connection: &mut MySqlConnection,
        events: Vec<RecordedEvent>,
    ) -> Result<Batch, RebuildError> {
        self.lock(connection).await?;
        let mut batch = self.load(connection, &events).await?;
        for event in events {
            self.advance(&mut batch, event).await?;
        }
        Ok(batch)
    }

    async fn end_page(
        &mut self,
        connection: &mut MySqlConnection,
        batch: Batch,
        up_to: u64,
    ) -> Result<(), RebuildError> {
        for (movie_id, version) in &batch.broken_off {
            let table = self.set.name("movie_history");
            let sql = format!("DELETE FROM {table} WHERE movie_id = ? AND version > ?");
            let delete = sqlx::query(&sql).bind(movie_id.to_string()).bind(version);
            delete.execute(&mut *connection).await?;
        }
        self.contents.position = up_to;
        self.contents.log_head = self.contents.log_head.max(up_to);
        self.write_contents(connection).await?;
        for fold in batch.folds.into_values().filter(|fold| fold.version > 0) {
            self.cache.put(fold);
        }
        Ok(())
    }

    /// Brings one movie to a version, from the log; the inner error concerns the movie alone.
    pub async fn bring(
        &mut self,
        movie_id: MovieId,
        version: u64,
    ) -> Result<Result<(), String>, RebuildError> {
        let mut tx = self.session.begin().await?;
        self.lock(&mut tx).await?;
        self.contents.broken.remove(&movie_id);
        let mut batch = Batch::default();
        self.load_stored(&mut tx, &[movie_id.to_string()], &mut batch).await?;
        if let Some(broken) = self.contents.broken.get(&movie_id) {
            return Ok(Err(broken.error.clone()));
        }
        let fold = batch.folds.entry(movie_id).or_insert_with(|| Fold::absent(movie_id));
        match refill(&self.session.log, fold, version).await {
            Ok(()) => {}
            Err(RefillError::Log(failure)) => return Err(failure.into()),
            Err(error) => return Ok(Err(error.to_string())),
        }
        self.write_movies(&mut tx, &mut batch).await?;
        if let Some(broken) = self.contents.broken.get(&movie_id) {
            return Ok(Err(broken.error.clone()));
        }
        self.write_history(&mut tx, &batch, |_| true).await?;
        self.write_contents(&mut tx).await?;
        tx.commit().await?;
        // What is cached is older now.
        self.cache.take(movie_id);
        Ok(Ok(()))
    }

    /// Keeps later runs from taking over while this transaction writes, unless one has.
    async fn lock(&self, connection: &mut MySqlConnection) -> Result<(), RebuildError> {
        let table = self.set.name("catalog_contents");
        let sql = format!("SELECT position FROM {table} WHERE id = 1 AND epoch = ? FOR SHARE");
        let position: Option<u64> =
            sqlx::query_scalar(&sql).bind(self.session.epoch).fetch_optional(connection).await?;
        if position == Some(self.contents.position) {
            Ok(())
        } else {
            Err(RebuildError::Superseded)
        }
    }

    /// The movies that the events are about, as they stand.
    async fn load(
        &mut self,
        connection: &mut MySqlConnection,
        events: &[RecordedEvent],
    ) -> Result<Batch, RebuildError> {
        let mut batch = Batch::default();
        let mut seen = BTreeSet::new();
        let mut stored = Vec::new();
        for RecordedEvent { movie_id, sequence, .. } in events {
            if !seen.insert(*movie_id) || self.contents.broken.contains_key(movie_id) {
                continue;
            }
            // A set that is made from nothing has nothing of a movie before its first event.
            let is_new = self.set == TableSet::Rebuild && *sequence == 1;
            if let Some(fold) = self.cache.take(*movie_id) {
                batch.folds.insert(*movie_id, fold);
            } else if !is_new {
                stored.push(movie_id.to_string());
            }
        }
        self.load_stored(connection, &stored, &mut batch).await?;
        Ok(batch)
    }

    async fn load_stored(
        &mut self,
        connection: &mut MySqlConnection,
        ids: &[String],
        batch: &mut Batch,
    ) -> Result<(), RebuildError> {
        for stored in load_movies(connection, self.set, ids).await? {
            match stored {
                Stored::Row(fold) => {
                    batch.folds.insert(fold.movie_id, fold);
                }
                Stored::Unreadable { movie_id, version } => {
                    let mut fold = Fold::unreadable(movie_id);
                    batch.refilled = true;
                    match refill(&self.session.log, &mut fold, version).await {
                        Ok(()) => {
                            batch.folds.insert(movie_id, fold);
                        }
                        Err(RefillError::Log(failure)) => return Err(failure.into()),
                        Err(error) => {
                            self.break_off(batch, movie_id, version, &error.to_string())?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    async fn advance(
        &mut self,
        batch: &mut Batch,
        event: RecordedEvent,
    ) -> Result<(), RebuildError> {
        let movie_id = event.movie_id;
        if self.contents.broken.contains_key(&movie_id) {
            return Ok(());
        }
        let fold = batch.folds.entry(movie_id).or_insert_with(|| Fold::absent(movie_id));
        if let Next::Hole { last_missing } = fold.next(event.sequence) {
            batch.refilled = true;
            match refill(&self.session.log, fold, last_missing).await {
                Ok(()) => {}
                Err(RefillError::Log(failure)) => return Err(failure.into()),
                Err(error) => {
                    let version = fold.version;
                    return self.break_off(batch, movie_id, version, &error.to_string());
                }
            }
        }
        if fold.next(event.sequence) == Next::Duplicate {
            return Ok(());
        }
        let version = fold.version;
        let applied = match decode_recorded(movie_id, event) {
            Ok(decoded) => fold.apply(decoded).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match applied {
            Ok(()) => Ok(()),
            Err(error) => self.break_off(batch, movie_id, version, &error),
        }
    }

    fn break_off(
        &mut self,
        batch: &mut Batch,
        movie_id: MovieId,
        version: u64,
        error: &str,
    ) -> Result<(), RebuildError> {
        tracing::warn!(%movie_id, version, error, "a movie stays at its last good version");
        batch.broken_off.push((movie_id, version));
        let broken = &mut self.contents.broken;
        broken.insert(movie_id, Broken { version, error: error.to_owned() });
        if broken.len() > MAX_BROKEN {
            let first = format!("movie {movie_id}, behind version {version}: {error}");
            return Err(RebuildError::TooManyBroken(broken.len(), first));
        }
        Ok(())
    }

    /// Writes what changed. A movie whose rows MySQL refuses stays as it was, the others are written.
    async fn write_movies(
        &mut self,
        connection: &mut MySqlConnection,
        batch: &mut Batch,
    ) -> Result<(), RebuildError> {
        let changed = batch.changed(self.session);
        sqlx::raw_sql("SAVEPOINT movies").execute(&mut *connection).await?;
        match write_movies(connection, self.set, &changed).await {
            Ok(()) => return Ok(()),
            Err(Failure::Refused(_)) => {}
            Err(failure) => return Err(failure.into()),
        }
        let mut refused = Vec::new();
        sqlx::raw_sql("ROLLBACK TO SAVEPOINT movies").execute(&mut *connection).await?;
        for (fold, partition) in changed {
            sqlx::raw_sql("SAVEPOINT movie").execute(&mut *connection).await?;
            match write_movies(connection, self.set, &[(fold, partition)]).await {
                Ok(()) => {}
                Err(Failure::Refused(error)) => {
                    sqlx::raw_sql("ROLLBACK TO SAVEPOINT movie").execute(&mut *connection).await?;
                    let version = fold.history.first().map_or(0, |entry| entry.version - 1);
                    refused.push((fold.movie_id, version, error));
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        for (movie_id, version, error) in refused {
            batch.folds.remove(&movie_id);
            self.break_off(batch, movie_id, version, &error)?;
        }
        Ok(())
    }

    async fn write_history(
        &self,
        connection: &mut MySqlConnection,
        batch: &Batch,
        wanted: impl Fn(&Fold) -> bool,
    ) -> Result<(), RebuildError> {
        let entries: Vec<_> = batch
            .folds
            .values()
            .filter(|fold| wanted(fold))
            .flat_map(|fold| fold.history.iter().map(|entry| (fold.movie_id, entry)))
            .collect();
        write_history(connection, self.set, &entries).await?;
        Ok(())
    }

    /// The statement that copies the histories of all movies but the broken ones.
    fn copy_history(&self) -> String {
        let broken: Vec<String> =
            self.contents.broken.keys().map(|movie_id| format!("'{movie_id}'")).collect();
        let but = if broken.is_empty() {
            String::new()
        } else {
            format!("AND aggregate_id NOT IN ({})", broken.join(", "))
        };
        let table = self.set.name("movie_history");
        format!(
            "INSERT INTO {table} (movie_id, version, position, event_type, command, actor,
                 request_id, recorded_at, payload)
             SELECT aggregate_id, sequence, position, event_type,
                 COALESCE(JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.command')), ''),
                 COALESCE(JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.actor')), ''),
                 COALESCE(JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.request_id')), ''),
                 recorded_at, payload
             FROM events WHERE position > ? AND position <= ? {but}
             ON DUPLICATE KEY UPDATE movie_id = VALUES(movie_id)"
        )
    }

    async fn write_contents(&self, connection: &mut MySqlConnection) -> Result<(), RebuildError> {
        let table = self.set.name("catalog_contents");
        let sql = format!(
            "UPDATE {table} SET position = ?, log_head = ?, broken = ?, updated_at = ?
             WHERE id = 1 AND epoch = ?"
        );
        let written = sqlx::query(&sql)
            .bind(self.contents.position)
            .bind(self.contents.log_head)
            .bind(Json(&*self.contents.broken))
            .bind(clock::now())
            .bind(self.session.epoch)
            .execute(connection)
            .await?
            .rows_affected();
        if written == 1 { Ok(()) } else { Err(RebuildError::Superseded) }
    }
}

/// The movies of a page while its events are applied.
#[derive(Default)]
struct Batch {
    folds: BTreeMap<MovieId, Fold>,
    /// Some events came from elsewhere than the page.
    refilled: bool,
    /// What was broken off on this page, at which version.
    broken_off: Vec<(MovieId, u64)>,
}

impl Batch {
    fn changed(&self, session: &Session) -> Vec<(&Fold, i32)> {
        self.folds
            .values()
            .filter(|fold| fold.changed())
            .map(|fold| (fold, session.partition_of(fold.movie_id)))
            .collect()
    }
}

/// Reads on its own up to where the log ends by then.
fn pages(
    log: EventReader,
    after: u64,
    size: usize,
) -> mpsc::Receiver<Result<EventPage, EventLogError>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    tokio::spawn(async move {
        let mut after = after;
        loop {
            let page = log.read_filtered(after, None, &EventFilter::default(), size).await;
            let is_last = match &page {
                Ok(page) if page.scanned_to > after => {
                    after = page.scanned_to;
                    false
                }
                Ok(_) => return,
                Err(_) => true,
            };
            if sender.send(page).await.is_err() || is_last {
                return;
            }
        }
    });
    receiver
}
