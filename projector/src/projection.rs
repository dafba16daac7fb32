//! What the consuming machinery asks of a projection. Those that there are: `projections`.

use std::future::Future;

use rdkafka::message::OwnedMessage;
use sqlx::MySqlConnection;

use crate::failure::Failure;

/// Remembers nothing between batches: whatever it needs to know it reads inside the transaction,
/// where the locked checkpoint makes it the partition's only writer.
pub trait Projection: Send + Sync + 'static {
    /// Its name in checkpoints, parked records, metrics and logs.
    const NAME: &'static str;

    /// Writes what `records`, one partition's next, lead to. Only failures that concern the whole
    /// batch are errors; a record that is at fault itself is parked.
    fn apply(
        &self,
        tx: &mut MySqlConnection,
        records: &[OwnedMessage],
    ) -> impl Future<Output = Result<Applied, Failure>> + Send;

    /// The movie whose later events have to wait if this record is parked.
    fn waits_for(&self, record: &OwnedMessage) -> Option<String>;
}

#[derive(Debug, Default)]
pub struct Applied {
    /// The highest event position among the records; 0 for topics without positions.
    pub position: u64,
    /// The lowest position at which a row that followers read by position now stands.
    pub lowest_written: Option<u64>,
    pub parked: Vec<Parked>,
    /// Records that asked for no change: duplicates, and types that are none of its business.
    pub skipped: usize,
}

/// A record that can't be decoded or applied.
#[derive(Debug, PartialEq, Eq)]
pub struct Parked {
    /// Which of the batch's records.
    pub index: usize,
    /// Empty when the record names no movie.
    pub movie_id: String,
    pub error: String,
}
