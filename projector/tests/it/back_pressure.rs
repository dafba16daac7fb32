//! More records than may wait in memory.

use crate::{
    bed::{Bed, Record, wait_until},
    command_line::http_get,
    samples::Log,
};

/// More than what may wait for one worker, several times over.
const LARGE_RECORDS: usize = 20;
const LARGE_BYTES: usize = 900_000;

#[tokio::test]
async fn a_backlog_that_memory_has_no_room_for_is_read_bit_by_bit() {
    let mut bed = Bed::new().await;
    bed.settings.readiness.stuck_after_seconds = 1;
    let running = bed.start();
    let port = running.address.port();
    let mut log = Log::new();
    let movie_id = log.create("Large");
    log.retitle(movie_id, "Larger");
    bed.publish_events(&log.events[..1]).await;
    bed.wait_for_version(movie_id, 1).await;

    // While this lasts the workers get nowhere.
    let mut holder = bed.pool.begin().await.unwrap();
    sqlx::query("SELECT * FROM projection_checkpoints FOR UPDATE")
        .fetch_all(&mut *holder)
        .await
        .unwrap();
    let large = Record { payload: Some(vec![b'x'; LARGE_BYTES]), ..log.events[1].record() };
    bed.publish(&bed.topics.movies, vec![large; LARGE_RECORDS]).await;
    wait_until("the partition is stuck", || async {
        http_get(port, "/readyz").await.is_some_and(|(status, _)| status == 503)
    })
    .await;
    holder.rollback().await.unwrap();

    let all = i64::try_from(LARGE_RECORDS).unwrap();
    bed.wait_for_count(all, "SELECT COUNT(*) FROM parked_events").await;
    let offsets = "SELECT COUNT(DISTINCT kafka_offset) FROM parked_events
                   WHERE LENGTH(payload) = 900000";
    assert_eq!(bed.count(offsets).await, all);
    // It reads on, also in that partition.
    let other = log.create("Small");
    bed.publish_events(&log.events[2..]).await;
    bed.wait_for_version(other, 1).await;
    let late = log.events[0].record();
    bed.publish(&bed.topics.movies, vec![Record { payload: Some(b"late".to_vec()), ..late }]).await;
    bed.wait_for_count(all + 1, "SELECT COUNT(*) FROM parked_events").await;
    running.stop().await;
}
