//! `/readyz` of a projector that gets nothing done.

use crate::{
    bed::{Bed, wait_until},
    command_line::http_get,
    samples::Log,
};

#[tokio::test]
async fn a_projector_that_is_stuck_is_not_ready_until_it_goes_on() {
    let mut bed = Bed::new().await;
    bed.settings.readiness.stuck_after_seconds = 1;
    let running = bed.start();
    let port = running.address.port();
    let ready = async |status: u16, text: &str| {
        wait_until(&format!("/readyz is {status} and tells {text:?}"), || async {
            let answer = http_get(port, "/readyz").await;
            answer.is_some_and(|(found, body)| found == status && body.contains(text))
        })
        .await;
    };
    let mut log = Log::new();
    let movie_id = log.create("Stuck");
    bed.publish_events(&log.events).await;
    bed.wait_for_version(movie_id, 1).await;
    ready(200, "\"status\":\"ready\"").await;

    // Whatever holds the checkpoints: MySQL and Kafka answer, and yet nothing moves.
    let mut holder = bed.pool.begin().await.unwrap();
    sqlx::query("SELECT * FROM projection_checkpoints FOR UPDATE")
        .fetch_all(&mut *holder)
        .await
        .unwrap();
    log.retitle(movie_id, "Still stuck");
    bed.publish_events(&log.events[1..]).await;
    ready(503, &format!("stuck: catalog:{}[", bed.topics.movies)).await;

    holder.rollback().await.unwrap();
    bed.wait_for_version(movie_id, 2).await;
    ready(200, "\"lag_events\":0").await;
    running.stop().await;
}
