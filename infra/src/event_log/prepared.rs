//! A command's events, made ready for writing in the caller's task, so that the appender, of which
//! there is one, only decides and writes.

use std::{collections::HashMap, mem, sync::Arc};

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use marquee_domain::{Movie, MovieEvent, MovieId, evolve, values::Slug};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::{Append, AppendError, NewReceipt, RecordedEvent};

/// The metadata key that tells this append's events from all others': how an unknown outcome is
/// resolved.
pub(super) const APPEND_ID: &str = "append_id";

#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) append_id: Uuid,
    pub(super) movie_id: MovieId,
    pub(super) expected_version: u64,
    pub(super) recorded_at: DateTime<Utc>,
    pub(super) receipt: Option<NewReceipt>,
    /// The metadata column of all of them.
    pub(super) metadata: String,
    pub(super) rows: Vec<EventRow>,
    /// The key of the title that the movie no longer has after the events.
    pub(super) releases_title: Option<String>,
    /// The key of the title that it has from now on.
    pub(super) claims_title: Option<String>,
    /// The slug of the first choice, for a new movie.
    pub(super) wanted_slug: Option<Slug>,
    before: Arc<Movie>,
    after: Arc<Movie>,
    events: Vec<MovieEvent>,
    metadata_map: HashMap<String, String>,
}

/// The columns of an event that do not depend on what else is in the log.
#[derive(Debug)]
pub(super) struct EventRow {
    pub(super) event_type: String,
    pub(super) event_version: String,
    pub(super) payload: Box<RawValue>,
}

impl Prepared {
    /// `before` is the movie at `append.expected_version`.
    pub(super) fn new(
        append: Append,
        append_id: Uuid,
        before: Arc<Movie>,
    ) -> Result<Self, AppendError> {
        let Append { movie_id, expected_version, events, mut metadata, receipt, recorded_at } =
            append;
        metadata.insert(APPEND_ID.to_owned(), append_id.to_string());
        let after = fold(&before, &events);
        let key = |movie: &Movie| movie.listed().map(|movie| movie.title.key().as_str().to_owned());
        let (old_title, new_title) =
            if Arc::ptr_eq(&before, &after) { (None, None) } else { (key(&before), key(&after)) };
        let retitled = old_title != new_title;
        Ok(Self {
            append_id,
            movie_id,
            expected_version,
            recorded_at,
            receipt,
            metadata: json(&metadata)?,
            rows: events.iter().map(EventRow::new).collect::<Result<_, _>>()?,
            releases_title: old_title.filter(|_| retitled),
            claims_title: new_title.filter(|_| retitled),
            wanted_slug: events.iter().find_map(created_slug),
            before,
            after,
            events,
            metadata_map: metadata,
        })
    }

    /// The movie after the events.
    pub(super) fn after(&self) -> Arc<Movie> {
        Arc::clone(&self.after)
    }

    /// The events as they are stored, the first of them at `first_position`.
    pub(super) fn take_recorded(
        &mut self,
        first_position: u64,
    ) -> impl Iterator<Item = RecordedEvent> {
        let Self { movie_id, expected_version, recorded_at, metadata_map, rows, .. } = self;
        let numbers = (first_position..).zip(*expected_version + 1..);
        let last = rows.len().saturating_sub(1);
        numbers.zip(rows.drain(..)).enumerate().map(move |(index, ((position, sequence), row))| {
            let metadata =
                if index == last { mem::take(metadata_map) } else { metadata_map.clone() };
            RecordedEvent {
                position,
                movie_id: *movie_id,
                sequence,
                event_type: row.event_type,
                event_version: row.event_version,
                payload: row.payload,
                metadata,
                recorded_at: *recorded_at,
            }
        })
    }

    /// Gives the new movie the slug that was chosen for it.
    pub(super) fn set_slug(&mut self, chosen: &Slug) -> Result<(), AppendError> {
        for (event, row) in self.events.iter_mut().zip(&mut self.rows) {
            if let MovieEvent::MovieCreated { slug, .. } = event {
                if slug == chosen {
                    return Ok(());
                }
                slug.clone_from(chosen);
                *row = EventRow::new(event)?;
            }
        }
        self.after = fold(&self.before, &self.events);
        Ok(())
    }
}

impl EventRow {
    fn new(event: &MovieEvent) -> Result<Self, AppendError> {
        Ok(Self {
            event_type: event.event_type(),
            event_version: event.event_version(),
            payload: to_raw_value(event).map_err(internal)?,
        })
    }
}

fn fold(before: &Arc<Movie>, events: &[MovieEvent]) -> Arc<Movie> {
    if events.is_empty() {
        return Arc::clone(before);
    }
    let mut movie = Movie::clone(before);
    for event in events {
        evolve(&mut movie, event);
    }
    Arc::new(movie)
}

fn created_slug(event: &MovieEvent) -> Option<Slug> {
    if let MovieEvent::MovieCreated { slug, .. } = event { Some(slug.clone()) } else { None }
}

fn json(value: &impl serde::Serialize) -> Result<String, AppendError> {
    serde_json::to_string(value).map_err(internal)
}

fn internal(error: serde_json::Error) -> AppendError {
    AppendError::Internal(Arc::new(error))
}
