//! The movie as it was: its events folded up to an instant or a version.

use chrono::{DateTime, Utc};
use marquee_domain::{Movie, MovieId, evolve, movie::decode};
use sqlx::MySqlConnection;

use super::{
    HistoryError,
    rows::{self, EntryRow},
};
use crate::documents::{EditorialMovie, MovieAsOf};

/// So many events are held at once, however long the history is.
const CHUNK_EVENTS: u32 = 500;

/// How far to fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All that was recorded by then.
    Instant(DateTime<Utc>),
    /// From 1 on.
    Version(u64),
}

/// What a movie was.
#[derive(Debug)]
pub enum AsOf {
    Listed(Box<MovieAsOf>),
    Removed {
        at: DateTime<Utc>,
    },
    /// It was created only later.
    NotYet {
        created_at: DateTime<Utc>,
    },
    /// It has not changed so often.
    NoSuchVersion {
        last: u64,
    },
    Unknown,
}

pub(super) async fn fold(
    connection: &mut MySqlConnection,
    movie_id: MovieId,
    until: Until,
) -> Result<AsOf, HistoryError> {
    let mut folded = Folded { movie_id, movie: Movie::Absent, last: None };
    loop {
        let after = folded.version();
        let chunk = rows::entries_after(connection, movie_id, after, CHUNK_EVENTS).await?;
        for row in &chunk {
            if until.is_before(row) {
                return folded.answer(until, Some(row.recorded_at()));
            }
            folded.apply(row)?;
        }
        if chunk.len() < CHUNK_EVENTS as usize {
            return folded.answer(until, None);
        }
    }
}

impl Until {
    /// Clocks are set back at times: the first event that is too late is the end, whatever the time
    /// of those after it.
    fn is_before(self, row: &EntryRow) -> bool {
        match self {
            Self::Instant(instant) => row.recorded_at() > instant,
            Self::Version(version) => row.version > version,
        }
    }
}

struct Folded {
    movie_id: MovieId,
    movie: Movie,
    last: Option<Last>,
}

#[derive(Clone, Copy)]
struct Last {
    version: u64,
    position: u64,
    recorded_at: DateTime<Utc>,
}

impl Folded {
    fn version(&self) -> u64 {
        self.last.map_or(0, |last| last.version)
    }

    fn apply(&mut self, row: &EntryRow) -> Result<(), HistoryError> {
        let expected = self.version() + 1;
        if row.version != expected {
            return Err(self.broken(expected, "it is missing"));
        }
        let event = decode(&row.event_type, row.payload())
            .map_err(|error| self.broken(expected, &error.to_string()))?;
        evolve(&mut self.movie, &event);
        let (position, recorded_at) = (row.position, row.recorded_at());
        self.last = Some(Last { version: expected, position, recorded_at });
        Ok(())
    }

    /// `next_at`: when the first event that was left out was recorded.
    fn answer(self, until: Until, next_at: Option<DateTime<Utc>>) -> Result<AsOf, HistoryError> {
        let Some(last) = self.last else {
            return Ok(next_at.map_or(AsOf::Unknown, |created_at| AsOf::NotYet { created_at }));
        };
        if let Until::Version(version) = until
            && version > last.version
        {
            return Ok(AsOf::NoSuchVersion { last: last.version });
        }
        match self.movie {
            Movie::Listed(movie) => Ok(AsOf::Listed(Box::new(MovieAsOf {
                movie: EditorialMovie::of(*movie, last.version, last.position),
                as_of: match until {
                    Until::Instant(instant) => instant,
                    Until::Version(_) => last.recorded_at,
                },
            }))),
            // Nothing happens to a movie after its removal.
            Movie::Removed { .. } => Ok(AsOf::Removed { at: last.recorded_at }),
            Movie::Absent => Err(self.broken(1, "it does not create the movie")),
        }
    }

    fn broken(&self, version: u64, why: &str) -> HistoryError {
        HistoryError::Broken { movie_id: self.movie_id, version, why: why.to_owned() }
    }
}
