//! The catalog: movies with their genres, stream sources, caption tracks and history.
//!
//! Events of a movie are applied in the order of their sequence, each once. A hole is filled from the
//! event log. What can't be decoded or applied is parked, and every later event of that movie with
//! it, so that viewers keep seeing the movie's last good version.

mod decode;
mod facts;
mod fold;
mod history;
mod load;
mod log;
mod tables;
mod write;

use std::collections::{BTreeSet, HashMap};

use marquee_domain::{Movie, MovieId};
use marquee_infra::{event_log::EventReader, kafka::CloudEvent};
use rdkafka::{Message, message::OwnedMessage};
use sqlx::MySqlConnection;

use self::decode::Decoded;
pub(crate) use self::{
    facts::StreamFactsColumn,
    fold::{Fold, Next},
    history::{Entry, write as write_history},
    load::{Stored, movies as load_movies, parked as parked_movies},
    log::{decode as decode_recorded, refill},
    tables::TABLES,
    write::write as write_movies,
};
pub use self::{log::RefillError, tables::TableSet};
use crate::{
    failure::Failure,
    projection::{Applied, Parked, Projection},
};

#[derive(Debug, Clone)]
pub struct Catalog {
    log: EventReader,
}

impl Catalog {
    pub const fn new(log: EventReader) -> Self {
        Self { log }
    }

    /// The movie as its first `version` events add up, from the event log.
    pub async fn fold(
        log: &EventReader,
        movie_id: MovieId,
        version: u64,
    ) -> Result<Movie, RefillError> {
        let mut fold = Fold::unreadable(movie_id);
        log::refill(log, &mut fold, version).await?;
        Ok(fold.movie)
    }

    /// Brings the movie's rows up to date with the event log, whatever came by Kafka. For a
    /// transaction that is the partition's only writer.
    pub async fn catch_up(
        &self,
        tx: &mut MySqlConnection,
        movie_id: MovieId,
        partition: i32,
    ) -> Result<Reached, RefillError> {
        let id = [movie_id.to_string()];
        let set = TableSet::Live;
        let stored = load::movies(tx, set, &id).await.map_err(RefillError::Log)?.pop();
        let mut fold = match stored {
            Some(Stored::Row(fold)) => fold,
            Some(Stored::Unreadable { .. }) => Fold::unreadable(movie_id),
            None => Fold::absent(movie_id),
        };
        log::refill_to_end(&self.log, &mut fold).await?;
        if fold.changed() {
            write::write(tx, set, &[(&fold, partition)]).await.map_err(RefillError::Log)?;
            let history: Vec<_> = fold.history.iter().map(|entry| (movie_id, entry)).collect();
            history::write(tx, set, &history).await.map_err(RefillError::Log)?;
        }
        Ok(Reached { version: fold.version, position: fold.position })
    }

    /// The place in its movie's history that the record claims, if it can be read.
    pub fn version_of(record: &OwnedMessage) -> Option<u64> {
        CloudEvent::from_headers(record.headers()?).ok()?.sequence
    }

    /// Makes all rows of a movie from nothing, as its first `version` events add up; of 0 events, no
    /// row. For a transaction that is the partition's only writer.
    pub async fn reproject(
        &self,
        tx: &mut MySqlConnection,
        movie_id: MovieId,
        partition: i32,
        version: u64,
    ) -> Result<(), RefillError> {
        let mut fold = Fold::absent(movie_id);
        log::refill(&self.log, &mut fold, version).await?;
        write::delete(tx, movie_id).await.map_err(RefillError::Log)?;
        if fold.changed() {
            let set = TableSet::Live;
            write::write(tx, set, &[(&fold, partition)]).await.map_err(RefillError::Log)?;
            let history: Vec<_> = fold.history.iter().map(|entry| (movie_id, entry)).collect();
            history::write(tx, set, &history).await.map_err(RefillError::Log)?;
        }
        Ok(())
    }
}

/// How far a movie was brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// 0 if the event log has no event of it.
    pub version: u64,
    pub position: u64,
}

impl Projection for Catalog {
    const NAME: &'static str = "catalog";

    async fn apply(
        &self,
        tx: &mut MySqlConnection,
        records: &[OwnedMessage],
    ) -> Result<Applied, Failure> {
        let Some(partition) = records.first().map(Message::partition) else {
            return Ok(Applied::default());
        };
        let mut batch = Batch::load(&self.log, tx, records).await?;
        for (index, record) in records.iter().enumerate() {
            batch.take(&self.log, index, record).await?;
        }
        let changed: Vec<(&Fold, i32)> = batch
            .folds
            .values()
            .filter(|fold| fold.changed())
            .map(|fold| (fold, partition))
            .collect();
        write::write(tx, TableSet::Live, &changed).await?;
        let history: Vec<_> = changed
            .iter()
            .flat_map(|(fold, _)| fold.history.iter().map(|entry| (fold.movie_id, entry)))
            .collect();
        history::write(tx, TableSet::Live, &history).await?;
        let lowest_written = changed.iter().map(|(fold, _)| fold.position).min();
        Ok(Applied { lowest_written, ..batch.applied })
    }

    fn waits_for(&self, record: &OwnedMessage) -> Option<String> {
        decode::movie_id(record).ok().map(|id| id.to_string())
    }
}

/// The movies of a batch while its records are applied one after the other.
struct Batch {
    folds: HashMap<MovieId, Fold>,
    /// Movies whose events are parked from here on, and why.
    blocked: HashMap<MovieId, String>,
    applied: Applied,
}

impl Batch {
    async fn load(
        log: &EventReader,
        tx: &mut MySqlConnection,
        records: &[OwnedMessage],
    ) -> Result<Self, Failure> {
        let ids: BTreeSet<MovieId> =
            records.iter().filter_map(|record| decode::movie_id(record).ok()).collect();
        let ids: Vec<String> = ids.iter().map(MovieId::to_string).collect();
        let mut batch = Self {
            folds: HashMap::with_capacity(ids.len()),
            blocked: HashMap::new(),
            applied: Applied::default(),
        };
        for movie_id in load::parked(tx, Catalog::NAME, &ids).await? {
            batch.block(movie_id, "an earlier event of the movie is parked");
        }
        for stored in load::movies(tx, TableSet::Live, &ids).await? {
            let fold = match stored {
                Stored::Row(fold) => fold,
                Stored::Unreadable { movie_id, version } => {
                    let mut fold = Fold::unreadable(movie_id);
                    match log::refill(log, &mut fold, version).await {
                        Ok(()) => fold,
                        Err(RefillError::Log(failure)) => return Err(failure),
                        Err(error) => {
                            batch.block(movie_id, &format!("its row can't be read, and {error}"));
                            continue;
                        }
                    }
                }
            };
            batch.folds.insert(fold.movie_id, fold);
        }
        Ok(batch)
    }

    async fn take(
        &mut self,
        log: &EventReader,
        index: usize,
        record: &OwnedMessage,
    ) -> Result<(), Failure> {
        let movie_id = match decode::movie_id(record) {
            Ok(movie_id) => movie_id,
            Err(error) => {
                self.park(index, String::new(), error.to_string());
                return Ok(());
            }
        };
        let error = match decode::decode(movie_id, record) {
            Ok(decoded) => {
                self.applied.position = self.applied.position.max(decoded.entry.position);
                match self.blocked.get(&movie_id) {
                    Some(reason) => Some(reason.clone()),
                    None => self.advance(log, movie_id, decoded).await?,
                }
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = error {
            self.block(movie_id, "an earlier event of the movie is parked");
            self.park(index, movie_id.to_string(), error);
        }
        Ok(())
    }

    /// Applies the event, after those that are missing before it. The answer is why it can't be.
    async fn advance(
        &mut self,
        log: &EventReader,
        movie_id: MovieId,
        decoded: Decoded,
    ) -> Result<Option<String>, Failure> {
        let fold = self.folds.entry(movie_id).or_insert_with(|| Fold::absent(movie_id));
        match fold.next(decoded.entry.version) {
            Next::Duplicate => {
                self.applied.skipped += 1;
                return Ok(None);
            }
            Next::Hole { last_missing } => match log::refill(log, fold, last_missing).await {
                Ok(()) => {}
                Err(RefillError::Log(failure)) => return Err(failure),
                Err(error) => return Ok(Some(error.to_string())),
            },
            Next::Apply => {}
        }
        Ok(fold.apply(decoded).err().map(|error| error.to_string()))
    }

    fn block(&mut self, movie_id: MovieId, reason: &str) {
        self.blocked.entry(movie_id).or_insert_with(|| reason.to_owned());
    }

    fn park(&mut self, index: usize, movie_id: String, error: String) {
        self.applied.parked.push(Parked { index, movie_id, error });
    }
}
