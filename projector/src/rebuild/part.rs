//! A part of the log, as a set of tables is filled with one after the other.

use marquee_infra::event_log::{EventPage, MovieCursor, RecordedEvent};
use sqlx::{MySql, QueryBuilder};

#[derive(Debug)]
pub struct Part {
    pub events: Vec<RecordedEvent>,
    pub bounds: Bounds,
}

#[derive(Debug, Clone, Copy)]
pub enum Bounds {
    /// Events behind a position, up to another.
    Positions { after: u64, up_to: u64 },
    /// Events of movies behind one event, up to another, that are not behind a position of the log.
    Movies { after: Option<MovieCursor>, last: MovieCursor, log_head: u64 },
}

impl Part {
    pub fn of_positions(after: u64, page: EventPage) -> Self {
        let bounds = Bounds::Positions { after, up_to: page.scanned_to };
        Self { events: page.events, bounds }
    }

    /// None if there are no events.
    pub fn of_movies(
        after: Option<MovieCursor>,
        log_head: u64,
        events: Vec<RecordedEvent>,
    ) -> Option<Self> {
        let last = events.last()?;
        let last = MovieCursor { movie_id: last.movie_id, sequence: last.sequence };
        Some(Self { events, bounds: Bounds::Movies { after, last, log_head } })
    }
}

impl Bounds {
    /// `FROM` and `WHERE` of the part's rows.
    pub fn push_rows(self, query: &mut QueryBuilder<'_, MySql>) {
        match self {
            Self::Positions { after, up_to } => {
                query.push(" FROM events WHERE position > ").push_bind(after);
                query.push(" AND position <= ").push_bind(up_to);
            }
            Self::Movies { after, last, log_head } => {
                // Nearly all positions are in the range; MySQL is not to walk along them.
                query.push(" FROM events FORCE INDEX (events_by_aggregate)");
                query.push(" WHERE aggregate_type = 'movie'");
                if let Some(MovieCursor { movie_id, sequence }) = after {
                    query.push(" AND aggregate_id >= ").push_bind(movie_id.to_string());
                    query.push(" AND (aggregate_id > ").push_bind(movie_id.to_string());
                    query.push(" OR sequence > ").push_bind(sequence).push(")");
                }
                query.push(" AND aggregate_id <= ").push_bind(last.movie_id.to_string());
                query.push(" AND (aggregate_id < ").push_bind(last.movie_id.to_string());
                query.push(" OR sequence <= ").push_bind(last.sequence).push(")");
                query.push(" AND position <= ").push_bind(log_head);
            }
        }
    }
}
