//! One leads; what happens when it should no longer.

use std::time::Duration;

use command_api::relay::{Mode, Role};

use super::bed::Bed;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_publishes_and_the_other_follows_its_crash() {
    let bed = Bed::new().await;
    let term = Duration::from_secs(2);
    let first = bed.relay_with("first", term, bed.settings.clone());
    first.until(|status| status.mode == Mode::Transactional).await;
    let second = bed.relay_with("second", term, bed.settings.clone());

    bed.append(3, 10).await;
    first.reaches(10).await;
    assert_eq!(second.relay.status().role, Role::Standby);
    assert_eq!(second.relay.status().position, 0);

    first.crash().await;
    bed.append(3, 10).await;
    let status = second.reaches(20).await;
    assert_eq!(status.role, Role::Leader);
    bed.assert_exactly_once(20).await;
    second.stop().await;
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_does_not_know_it_has_been_replaced_publishes_nothing() {
    let bed = Bed::new().await;
    bed.append(3, 10).await;
    // With a term of a minute the first asks again only after twenty seconds: until then it is like
    // a process that was paused and believes that it leads.
    let first = bed.relay("first");
    first.reaches(10).await;
    sqlx::query("UPDATE relay_lease SET expires_at = '2000-01-01'")
        .execute(&bed.pool)
        .await
        .unwrap();
    let second = bed.relay("second");
    second.until(|status| status.mode == Mode::Transactional).await;
    assert_eq!(first.relay.status().role, Role::Leader);

    // Both try to publish these.
    bed.append(3, 10).await;
    second.reaches(20).await;
    first.until(|status| status.role == Role::Standby).await;
    bed.append(3, 10).await;
    second.reaches(30).await;
    assert_eq!(second.relay.status().role, Role::Leader);
    bed.assert_exactly_once(30).await;
    first.stop().await;
    second.stop().await;
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_was_taken_over_is_noticed_at_its_renewal() {
    let bed = Bed::new().await;
    let first = bed.relay_with("first", Duration::from_secs(3), bed.settings.clone());
    first.until(|status| status.mode == Mode::Transactional).await;
    sqlx::query(
        "UPDATE relay_lease SET holder = 'other', epoch = epoch + 1,
         expires_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR",
    )
    .execute(&bed.pool)
    .await
    .unwrap();
    first.until(|status| status.role == Role::Standby).await;
    first.stop().await;
    let holder: String = sqlx::query_scalar("SELECT CAST(holder AS CHAR) FROM relay_lease")
        .fetch_one(&bed.pool)
        .await
        .unwrap();
    assert_eq!(holder, "other", "a lease of another's is not released");
    bed.close().await;
}
