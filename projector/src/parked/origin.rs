//! Where a record of the catalog's belongs: to which movie, and by which partition that movie's events
//! come. A record that names no movie may name its place in the event log, which knows.

use marquee_domain::MovieId;
use marquee_infra::{
    event_log::{EventLogError, EventReader},
    kafka::{CloudEvent, partition_of},
};
use rdkafka::{Message, message::OwnedMessage};
use sqlx::MySqlConnection;

use crate::{
    checkpoint::{self, Lane},
    failure::Failure,
};

pub struct Origin {
    pub movie_id: MovieId,
    pub lane: Lane,
}

/// None if the event log has no event of this kind at the place that the record names.
pub async fn in_log(
    tx: &mut MySqlConnection,
    lane: &Lane,
    log: &EventReader,
    record: &OwnedMessage,
) -> Result<Option<Origin>, Failure> {
    let Some(about) = record.headers().and_then(|found| CloudEvent::from_headers(found).ok())
    else {
        return Ok(None);
    };
    let Some(before) = about.position.and_then(|position| position.checked_sub(1)) else {
        return Ok(None);
    };
    let found = match log.read_after(before, 1).await {
        Ok(events) => events.into_iter().next(),
        Err(EventLogError::Corrupt { .. } | EventLogError::Undecodable(_)) => None,
        Err(error @ (EventLogError::Unavailable(_) | EventLogError::Internal(_))) => {
            return Err(Failure::EventLog(error));
        }
    };
    let is_it = |sequence, event_type: &str| {
        about.sequence == Some(sequence) && about.event_type == event_type
    };
    let Some(event) = found.filter(|event| is_it(event.sequence, &event.event_type)) else {
        return Ok(None);
    };
    let movie_id = event.movie_id;
    let Some(partitions) = checkpoint::partitions(tx, lane).await? else { return Ok(None) };
    let partition = partition_of(movie_id.to_string().as_bytes(), partitions);
    Ok(Some(Origin { movie_id, lane: Lane { partition, ..lane.clone() } }))
}
