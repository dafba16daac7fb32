//! Filling a set of tables that is not in use, from the event log: part by part, a transaction for
//! each, with the set's own checkpoint in it. Why movie by movie first: docs/adr/0014.
//!
//! Then, up to its position, the set has every event of every movie, but for movies whose events can't be
//! applied: these stay at their last good version, as they do when the consumers park an event.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};

use marquee_domain::MovieId;
use marquee_infra::event_log::{EventLogError, EventPage, MovieCursor, RecordedEvent};
use sqlx::MySqlConnection;
use tokio::time::sleep;

use super::{
    cache::Cache,
    error::RebuildError,
    part::{Bounds, Part},
    read_ahead::{Parts, by_movie, by_position},
    session::Session,
    sets::{Broken, Contents},
};
use crate::{
    catalog::{Fold, Next, RefillError, Stored, TableSet, decode_recorded, load_movies, refill},
    progress_bar::Progress,
    replay::Throttle,
};

/// Large, because each movie of a part is written once, however many events it has there.
const PAGE_EVENTS: usize = 4_000;
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

    /// Goes on to where the log ends now. A set that is made from nothing has each movie written once,
    /// however its events are spread; from there on, as from the start in other sets, it is filled by
    /// position.
    pub async fn fill(&mut self, rate: Option<NonZeroU32>) -> Result<(), RebuildError> {
        let throttle = Throttle::new(rate);
        let size = if rate.is_some() { throttle.slice().min(PAGE_EVENTS) } else { PAGE_EVENTS };
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let log = &self.session.log;
        let head = log.head().await?;
        let is_new = self.set == TableSet::Rebuild && self.contents.position == 0 && head > 0;
        if is_new {
            self.contents.log_head = head;
        }
        if is_new || self.contents.by_movie.is_some() {
            let log_head = self.contents.log_head;
            let parts = by_movie(log.clone(), self.contents.by_movie, log_head, size);
            self.fill_with(parts, &throttle).await?;
            self.end_by_movie().await?;
        }
        self.contents.log_head = self.contents.log_head.max(head);
        let parts = by_position(self.session.log.clone(), self.contents.position, size);
        self.fill_with(parts, &throttle).await
    }

    async fn fill_with(
        &mut self,
        mut parts: Parts,
        throttle: &Throttle,
    ) -> Result<(), RebuildError> {
        let mut progress = Progress::new("events", self.contents.log_head, self.contents.position);
        while let Some(part) = parts.recv().await {
            let part = part?;
            while let Err(wait) = throttle.take(part.events.len()) {
                sleep(wait).await;
            }
            self.part(part).await?;
            progress.extend(self.contents.log_head);
            progress.reached(self.contents.position);
        }
        progress.clear();
        Ok(())
    }

    /// All events are there that are not behind the log's end of when it began: as many as that. From
    /// here on the set goes by position.
    async fn end_by_movie(&mut self) -> Result<(), RebuildError> {
        let Contents { position, log_head, .. } = self.contents;
        if position != log_head {
            let missing = EventLogError::Corrupt { expected: log_head, found: position };
            return Err(missing.into());
        }
        let mut tx = self.session.begin().await?;
        self.lock(&mut tx).await?;
        self.contents.by_movie = None;
        self.write_contents(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Applies the part, histories beside movies: MySQL copies them from the log, which spares them the
    /// way to us and back. They may be committed and the movies not: copied again, they are the same.
    async fn part(&mut self, part: Part) -> Result<(), RebuildError> {
        let Part { events, bounds } = part;
        let number = events.len() as u64;
        let mut tx = self.session.begin().await?;
        let mut batch = self.fold(&mut tx, events).await?;
        if batch.refilled {
            self.write_movies(&mut tx, &mut batch).await?;
            self.write_history(&mut tx, &batch, |_| true).await?;
        } else {
            let mut side = self.session.begin().await?;
            self.lock(&mut side).await?;
            let mut copy = self.copy_history(bounds);
            let (movies, history) = tokio::join!(
                self.write_movies(&mut tx, &mut batch),
                copy.build().execute(&mut *side),
            );
            movies?;
            history?;
            side.commit().await?;
            let broken = |fold: &Fold| self.contents.broken.contains_key(&fold.movie_id);
            self.write_history(&mut tx, &batch, broken).await?;
        }
        let (position, by_movie) = match bounds {
            Bounds::Positions { up_to, .. } => (up_to, None),
            Bounds::Movies { last, .. } => (self.contents.position + number, Some(last)),
        };
        self.end_part(&mut tx, batch, position, by_movie).await?;
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
        self.end_part(connection, batch, page.scanned_to, None).await
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

    async fn end_part(
        &mut self,
        connection: &mut MySqlConnection,
        batch: Batch,
        position: u64,
        by_movie: Option<MovieCursor>,
    ) -> Result<(), RebuildError> {
        for (movie_id, version) in &batch.broken_off {
            let table = self.set.name("movie_history");
            let sql = format!("DELETE FROM {table} WHERE movie_id = ? AND version > ?");
            let delete = sqlx::query(&sql).bind(movie_id.to_string()).bind(version);
            delete.execute(&mut *connection).await?;
        }
        self.contents.position = position;
        self.contents.by_movie = by_movie;
        self.contents.log_head = self.contents.log_head.max(position);
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

    pub(super) fn break_off(
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
}

/// The movies of a page while its events are applied.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) folds: BTreeMap<MovieId, Fold>,
    /// Some events came from elsewhere than the page.
    refilled: bool,
    /// What was broken off on this page, at which version.
    broken_off: Vec<(MovieId, u64)>,
}

impl Batch {
    pub(super) fn changed(&self, session: &Session) -> Vec<(&Fold, i32)> {
        self.folds
            .values()
            .filter(|fold| fold.changed())
            .map(|fold| (fold, session.partition_of(fold.movie_id)))
            .collect()
    }
}
