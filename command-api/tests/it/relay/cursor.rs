//! Where the relay goes on after the cursor was forgotten, or belongs to another log.

use rdkafka::admin::AdminOptions;

use super::bed::Bed;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_cursor_is_found_again_at_the_topics_end() {
    let bed = Bed::new().await;
    bed.append(4, 30).await;
    let first = bed.relay("a");
    first.reaches(30).await;
    first.stop().await;

    // As Kafka does by itself a week after the last commit.
    let group = bed.settings.consumer_group.as_str();
    let deleted = bed.admin().delete_groups(&[group], &AdminOptions::new()).await.unwrap();
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");

    bed.append(4, 5).await;
    let second = bed.relay("b");
    second.reaches(35).await;
    bed.assert_exactly_once(35).await;
    second.stop().await;
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_log_is_not_published_into_the_same_topic() {
    let bed = Bed::new().await;
    bed.append(4, 30).await;
    let first = bed.relay("a");
    first.reaches(30).await;
    first.stop().await;

    for statement in ["DELETE FROM events", "UPDATE event_log_head SET position = 0"] {
        sqlx::query(statement).execute(&bed.pool).await.unwrap();
    }
    bed.append(4, 3).await;
    let second = bed.relay("b");
    let status = second.until(|status| status.problem.is_some()).await;
    let problem = status.problem.unwrap();
    assert!(problem.contains("the event log ends at 3"), "{problem}");
    second.stop().await;
    bed.assert_exactly_once(30).await;
    bed.close().await;
}
