//! One movie while a batch is applied to it. Pure: what is read and written is others' business.

use marquee_domain::{Movie, MovieEvent, MovieId, evolve, movie::ListedMovie};
use thiserror::Error;

use super::{decode::Decoded, history::Entry};

/// A movie as its row has it, and what the batch adds.
#[derive(Debug)]
pub struct Fold {
    pub movie_id: MovieId,
    pub has_row: bool,
    /// What the tables of its children hold; none if that can't be told.
    pub before: Option<Movie>,
    pub movie: Movie,
    /// The sequence of the last event applied.
    pub version: u64,
    /// The position of the last event applied.
    pub position: u64,
    /// A removed movie's row goes on showing what it last was.
    pub last_listed: Option<Box<ListedMovie>>,
    /// What was applied.
    pub history: Vec<Entry>,
}

/// What to do with an event of the movie.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Apply,
    /// It was applied before.
    Duplicate,
    /// Everything up to this one has to be applied first.
    Hole {
        last_missing: u64,
    },
}

#[derive(Debug, Error, PartialEq, Eq)]
#[error("{event} can't happen to a movie that {state}")]
pub struct DoesNotFit {
    event: &'static str,
    state: &'static str,
}

impl Fold {
    pub fn absent(movie_id: MovieId) -> Self {
        Self {
            movie_id,
            has_row: false,
            before: Some(Movie::Absent),
            movie: Movie::Absent,
            version: 0,
            position: 0,
            last_listed: None,
            history: Vec::new(),
        }
    }

    pub fn stored(movie_id: MovieId, movie: Movie, version: u64, position: u64) -> Self {
        let before = Some(movie.clone());
        Self { has_row: true, before, movie, version, position, ..Self::absent(movie_id) }
    }

    /// There is a row, but the movie has to be folded from its first event.
    pub fn unreadable(movie_id: MovieId) -> Self {
        Self { has_row: true, before: None, ..Self::absent(movie_id) }
    }

    pub fn changed(&self) -> bool {
        !self.history.is_empty()
    }

    pub fn next(&self, version: u64) -> Next {
        if version <= self.version {
            Next::Duplicate
        } else if version == self.version + 1 {
            Next::Apply
        } else {
            Next::Hole { last_missing: version - 1 }
        }
    }

    /// Applies the next event. `evolve` takes any history in its stride; here an event that does
    /// not fit means that the history is broken, and nothing of it may be shown.
    pub fn apply(&mut self, next: Decoded) -> Result<(), DoesNotFit> {
        let refuse = |state| Err(DoesNotFit { event: next.event.name(), state });
        match (&self.movie, &next.event) {
            (Movie::Absent, MovieEvent::MovieCreated { .. }) => {}
            (Movie::Absent, _) => return refuse("was not created"),
            (Movie::Listed(_), MovieEvent::MovieCreated { .. }) => return refuse("exists"),
            (Movie::Removed { .. }, _) => return refuse("was removed"),
            (Movie::Listed(listed), MovieEvent::MovieRemoved { stamp }) => {
                let mut last = listed.clone();
                last.updated_at = stamp.updated_at;
                last.updated_by = stamp.updated_by;
                self.last_listed = Some(last);
            }
            (Movie::Listed(_), _) => {}
        }
        evolve(&mut self.movie, &next.event);
        self.version = next.entry.version;
        self.position = next.entry.position;
        self.history.push(next.entry);
        Ok(())
    }
}
