//! Parked records: what could not be decoded or applied, kept with all that is needed to try again.

mod command;
mod gauges;
mod list;
mod origin;
mod repair;

use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use marquee_infra::clock;
use rdkafka::{
    Message,
    message::{Header, Headers, OwnedHeaders, OwnedMessage},
};
use serde_json::{Value, json};
use sqlx::{MySqlConnection, types::Json};

use crate::{checkpoint::Lane, dead_letters, failure::Failure, projection::Parked};

pub use self::{
    command::{ParkedCommand, command},
    gauges::keep_gauges,
    list::{Listed, ParkedRecord, list, show},
    repair::{Discarded, Retried, discard, retry},
};

const MAX_ERROR_CHARS: usize = 2_000;

/// Which parked records an operator means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    Movie(MovieId),
    /// This one, and if it is of a movie, all of that movie: they make sense in order only.
    Id(u64),
    All,
}

/// Parks the records, and has them copied to the topic of dead letters. One that is parked already
/// gets the new error.
pub async fn write(
    tx: &mut MySqlConnection,
    lane: &Lane,
    records: &[OwnedMessage],
    parked: &[Parked],
) -> Result<(), Failure> {
    let now = clock::now();
    let mut offsets = Vec::with_capacity(parked.len());
    for parked in parked {
        let Some(record) = records.get(parked.index) else { continue };
        insert(tx, lane, record, parked, None, now).await?;
        offsets.push(record.offset());
    }
    dead_letters::enqueue(tx, lane, &offsets).await
}

/// `id`: the one that it had before it was tried again.
async fn insert(
    tx: &mut MySqlConnection,
    lane: &Lane,
    record: &OwnedMessage,
    parked: &Parked,
    id: Option<u64>,
    parked_at: DateTime<Utc>,
) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO parked_events (id, projection, topic, kafka_partition, kafka_offset, movie_id,
             record_key, headers, payload, error, parked_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON DUPLICATE KEY UPDATE error = VALUES(error)",
    )
    .bind(id)
    .bind(lane.projection)
    .bind(&lane.topic)
    .bind(lane.partition)
    .bind(record.offset())
    .bind(&parked.movie_id)
    .bind(record.key())
    .bind(Json(record.headers().map(headers_to_json).unwrap_or_default()))
    .bind(record.payload())
    .bind(parked.error.chars().take(MAX_ERROR_CHARS).collect::<String>())
    .bind(parked_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// `[{"name": ..., "value": ...}, ...]`; a value that is not text has `value_hex` in its place.
fn headers_to_json(headers: &OwnedHeaders) -> Vec<Value> {
    (0..headers.count())
        .map(|index| {
            // rdkafka panics on a name that is not UTF-8. Such a record has to be parked too.
            let header = catch_unwind(AssertUnwindSafe(|| headers.get(index)));
            let Ok(header) = header else { return json!({ "name": null }) };
            match header.value.map(std::str::from_utf8) {
                Some(Ok(text)) => json!({ "name": header.key, "value": text }),
                Some(Err(_)) => {
                    let hex = header.value.map(hex::encode);
                    json!({ "name": header.key, "value_hex": hex })
                }
                None => json!({ "name": header.key, "value": null }),
            }
        })
        .collect()
}

/// Whose name was not UTF-8 is left out: it could not be read in the first place.
pub(crate) fn headers_from_json(headers: &[Value]) -> OwnedHeaders {
    headers.iter().fold(OwnedHeaders::new(), |headers, header| {
        let Some(key) = header["name"].as_str() else { return headers };
        let hex = header["value_hex"].as_str().and_then(|digits| hex::decode(digits).ok());
        let value = hex.or_else(|| header["value"].as_str().map(|text| text.as_bytes().to_vec()));
        headers.insert(Header { key, value: value.as_deref() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_the_trip_through_json() {
        let text: Option<&[u8]> = Some(b"7");
        let bytes: Option<&[u8]> = Some(b"\xff\x00");
        let nothing: Option<&[u8]> = None;
        let headers = OwnedHeaders::new()
            .insert(Header { key: "ce_id", value: text })
            .insert(Header { key: "ce_type", value: bytes })
            .insert(Header { key: "empty", value: nothing });
        let back = headers_from_json(&headers_to_json(&headers));
        let plain = |headers: &OwnedHeaders| -> Vec<(String, Option<Vec<u8>>)> {
            headers
                .iter()
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect()
        };
        assert_eq!(plain(&back), plain(&headers));
    }
}
